"""What an offline code is bound to, sealed into the code itself: the city alone can tell whose it is.

So nothing is written when a code is made, and a scan that is uploaded days later still finds its person.
"""

from uuid import UUID

from msgspec import Struct

from kernel.ids import CertificateId, PersonId
from kernel.sealing import OVERHEAD_BYTES, Keys, NotSealedHere
from suishenban_verify.claim_set import BINDING_BYTES_MAX, CERTIFICATES_MAX

_UUID_BYTES = 16
assert OVERHEAD_BYTES + 1 + _UUID_BYTES * (1 + CERTIFICATES_MAX + 2) <= BINDING_BYTES_MAX


class Bound(Struct, frozen=True):
    """Whose certificates a code shows, which, in the order of its claims; and who acts for the person, if anybody."""

    person_id: PersonId
    certificate_ids: tuple[CertificateId, ...]
    mandate_id: UUID | None = None
    agent_person_id: PersonId | None = None


class Bindings:
    """Seals bindings to their code's one-time id (`cti`): in another code, none opens."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer("wallet.offline_binding")

    def seal(self, bound: Bound, cti: bytes) -> bytes:
        ids = [bound.person_id, *bound.certificate_ids]
        if bound.mandate_id is not None and bound.agent_person_id is not None:
            ids += [bound.mandate_id, bound.agent_person_id]
        flag = b"\0" if bound.mandate_id is None else b"\1"
        sealed = self._sealer.seal(flag + b"".join([one.bytes for one in ids]), cti)
        assert len(sealed) <= BINDING_BYTES_MAX
        return sealed

    def open(self, envelope: bytes, cti: bytes) -> Bound | None:
        """None for what we did not seal into this code."""
        try:
            plain = self._sealer.unseal(envelope, cti)
        except NotSealedHere:
            return None
        ids = [UUID(bytes=plain[at : at + _UUID_BYTES]) for at in range(1, len(plain), _UUID_BYTES)]
        mandate: tuple[UUID | None, PersonId | None] = (None, None)
        if plain[:1] == b"\1":
            *ids, mandate_id, agent = ids
            mandate = (mandate_id, PersonId(agent))
        assert 1 <= len(ids) - 1 <= CERTIFICATES_MAX
        return Bound(PersonId(ids[0]), tuple([CertificateId(one) for one in ids[1:]]), *mandate)
