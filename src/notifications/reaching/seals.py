"""Which key and which place each value is sealed under that says where a person is reached, beside their number."""

from typing import Final
from uuid import UUID

import msgspec

from kernel.ids import PersonId
from kernel.sealing import Keys

_UNSUBSCRIBING: Final = b"unsubscribe"


class Unsubscriber(msgspec.Struct, frozen=True):
    """Whose link it is: the message it came in, and the address that message went to."""

    reference: str
    address: str

    def __repr__(self) -> str:
        return f"Unsubscriber({self.reference})"


_UNSUBSCRIBER = msgspec.msgpack.Decoder(Unsubscriber)


class ReachSeals:
    """Seals values to the row they belong to; an envelope moved to another row does not open (NotSealedHere)."""

    def __init__(self, keys: Keys) -> None:
        self._email = keys.sealer("notifications.email")
        self._pending = keys.sealer("notifications.email_challenge")
        self._openid = keys.sealer("notifications.openid")
        self._link = keys.sealer("notifications.unsubscribe")
        self.codes = keys.digester("notifications.email_code")

    def email(self, person_id: PersonId, address: str) -> bytes:
        return self._email.seal(address.encode(), person_id.bytes)

    def open_email(self, person_id: PersonId, envelope: bytes) -> str:
        return self._email.unseal(envelope, person_id.bytes).decode()

    def pending_email(self, challenge_id: UUID, address: str) -> bytes:
        return self._pending.seal(address.encode(), challenge_id.bytes)

    def open_pending_email(self, challenge_id: UUID, envelope: bytes) -> str:
        return self._pending.unseal(envelope, challenge_id.bytes).decode()

    def openid(self, person_id: PersonId, tap_id: UUID, openid: str) -> bytes:
        return self._openid.seal(openid.encode(), person_id.bytes + tap_id.bytes)

    def open_openid(self, person_id: PersonId, tap_id: UUID, envelope: bytes) -> str:
        return self._openid.unseal(envelope, person_id.bytes + tap_id.bytes).decode()

    def link(self, unsubscriber: Unsubscriber) -> bytes:
        return self._link.seal(msgspec.msgpack.encode(unsubscriber), _UNSUBSCRIBING)

    def open_link(self, envelope: bytes) -> Unsubscriber:
        """Raises NotSealedHere."""
        return _UNSUBSCRIBER.decode(self._link.unseal(envelope, _UNSUBSCRIBING))
