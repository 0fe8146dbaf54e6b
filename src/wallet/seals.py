"""What the wallet seals, under which key and to which place: one table of it, here."""

from hashlib import sha256
from uuid import UUID

import msgspec

from kernel.ids import CertificateId, PersonId
from kernel.sealing import Keys, NotSealedHere
from wallet.model import Attributes, Certificate, OpenedCode, Standing, State
from wallet.queries import CertificateRow

_ATTRIBUTES = msgspec.msgpack.Decoder(Attributes)
_BINDING = msgspec.msgpack.Decoder(OpenedCode)
_PACK = msgspec.msgpack.Encoder(uuid_format="bytes")


class Seals:
    """Attributes are sealed to their certificate, bindings to their code: moved elsewhere, neither opens."""

    def __init__(self, keys: Keys) -> None:
        self._attributes = keys.sealer("wallet.attributes")
        self._code = keys.sealer("wallet.code")
        self._agent_name = keys.sealer("wallet.agent_name")

    def attributes(self, person_id: PersonId, certificate_id: CertificateId, attributes: Attributes) -> bytes:
        return self._attributes.seal(_PACK.encode(attributes), person_id.bytes + certificate_id.bytes)

    def open_attributes(self, person_id: UUID, certificate_id: UUID, envelope: bytes) -> Attributes:
        """Raises NotSealedHere."""
        return _ATTRIBUTES.decode(self._attributes.unseal(envelope, person_id.bytes + certificate_id.bytes))

    def open_certificate(self, row: CertificateRow) -> Certificate:
        """A row with its attributes unsealed. Raises NotSealedHere."""
        return Certificate(
            person_id=row.person_id,
            certificate_id=row.certificate_id,
            issuer_code=row.issuer_code,
            version=row.version,
            last_change=row.last_change,
            issued_at=row.issued_at,
            standing=Standing(row.kind_code, State(row.state), row.valid_from, row.valid_until),
            attributes=self.open_attributes(row.person_id, row.certificate_id, row.attributes),
        )

    def agent_name(self, person_id: PersonId, mandate_id: UUID, name: str) -> bytes:
        """The name by which the agent of a mandate was told of."""
        return self._agent_name.seal(name.encode(), person_id.bytes + mandate_id.bytes)

    def open_agent_name(self, person_id: PersonId, mandate_id: UUID, envelope: bytes) -> str:
        """Raises NotSealedHere."""
        return self._agent_name.unseal(envelope, person_id.bytes + mandate_id.bytes).decode()

    def binding(self, bound: OpenedCode, code_hash: bytes) -> bytes:
        """What a code is bound to, as it is filed in Redis."""
        return self._code.seal(_PACK.encode(bound), code_hash)

    def open_binding(self, envelope: bytes, code_hash: bytes) -> OpenedCode | None:
        """What the code with this hash is bound to, or None when we did not seal this for this code."""
        try:
            return _BINDING.decode(self._code.unseal(envelope, code_hash))
        except NotSealedHere:
            return None


def hash_beside(code_hash: bytes, number: int) -> bytes:
    """The hash under which the look at the `number`th further certificate of a code is recorded, counted from 1."""
    return sha256(code_hash + bytes([number])).digest()


def place_of(code_hash: bytes) -> bytes:
    """The key in Redis under which a code's binding is filed."""
    return b"code:" + code_hash
