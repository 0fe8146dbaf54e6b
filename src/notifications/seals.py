"""Which key and which place each personal value of this package is sealed under: one table of them, here."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from kernel.ids import MessageId, PersonId
from kernel.sealing import Keys
from notifications.model import Language


class Address(msgspec.Struct, frozen=True, gc=False):
    """Where one message goes that is not to a person we know, and the language they read: a number (E.164), an e-mail
    address, or who somebody is to the mini-program."""

    phone: str | None = None
    language: Language = "zh"
    email: str | None = None
    openid: str | None = None

    def __repr__(self) -> str:
        return "Address(…)"


class Shown(msgspec.Struct, frozen=True):
    """What the demo carrier shows."""

    phone: str
    text: str


_PACK = msgspec.msgpack.Encoder().encode
_VALUES = msgspec.msgpack.Decoder(dict[str, str])
_ADDRESS = msgspec.msgpack.Decoder(Address)
_SHOWN = msgspec.msgpack.Decoder(Shown)


class Seals:
    """Seals values to the row they belong to; an envelope moved to another row does not open (NotSealedHere)."""

    def __init__(self, keys: Keys) -> None:
        self._values = keys.sealer("notifications.values")
        self._address = keys.sealer("notifications.address")
        self._phone = keys.sealer("notifications.phone")
        self._inbox = keys.sealer("notifications.inbox")
        self._receipt = keys.sealer("notifications.receipt")
        self._shown = keys.sealer("notifications.demo_sms")
        self._phones = keys.digester("notifications.phone")
        self._said = keys.digester("notifications.said")

    def values(self, message_id: MessageId, values: Mapping[str, str]) -> bytes:
        return self._values.seal(msgspec.msgpack.encode(values), message_id.bytes)

    def values_of_many(self, rows: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[bytes]:
        """The same for many messages, each by the bytes of its id."""
        return self._values.seal_many([(_PACK(values), message_id) for message_id, values in rows])

    def open_values(self, message_id: MessageId, envelope: bytes) -> dict[str, str]:
        return _VALUES.decode(self._values.unseal(envelope, message_id.bytes))

    def address(self, message_id: MessageId, address: Address) -> bytes:
        return self._address.seal(msgspec.msgpack.encode(address), message_id.bytes)

    def addresses_of_many(self, rows: Sequence[tuple[bytes, Address]]) -> list[bytes]:
        """The same for many messages, each by the bytes of its id."""
        return self._address.seal_many([(_PACK(address), message_id) for message_id, address in rows])

    def open_address(self, message_id: MessageId, envelope: bytes) -> Address:
        return _ADDRESS.decode(self._address.unseal(envelope, message_id.bytes))

    def phone(self, person_id: PersonId, phone: str) -> bytes:
        return self._phone.seal(phone.encode(), person_id.bytes)

    def open_phone(self, person_id: PersonId, envelope: bytes) -> str:
        return self._phone.unseal(envelope, person_id.bytes).decode()

    def item(self, person_id: PersonId, message_id: MessageId, values: Mapping[str, str]) -> bytes:
        return self._inbox.seal(msgspec.msgpack.encode(values), person_id.bytes + message_id.bytes)

    def open_item(self, person_id: PersonId, message_id: MessageId, envelope: bytes) -> dict[str, str]:
        return _VALUES.decode(self._inbox.unseal(envelope, person_id.bytes + message_id.bytes))

    def receipt(self, receipt_id: UUID, raw: bytes) -> bytes:
        return self._receipt.seal(raw, receipt_id.bytes)

    def open_receipt(self, receipt_id: UUID, envelope: bytes) -> bytes:
        return self._receipt.unseal(envelope, receipt_id.bytes)

    def phone_digest(self, phone: str) -> bytes:
        return self._phones.digest(phone)

    def every_phone_digest(self, phone: str) -> list[bytes]:
        return self._phones.every_digest(phone)

    def every_email_digest(self, address: str) -> list[bytes]:
        """Of an address however its letters are written: who wants no more means the mailbox, not the spelling."""
        return self._phones.every_digest(address.lower())

    def said_digest(self, caller: str, phone: str, text: str) -> bytes:
        """16 bytes of who said what to which number."""
        return self._said.digest(f"{caller}\0{phone}\0{text}")[:16]

    def shown(self, phone_digest: bytes, sms_id: UUID, shown: Shown) -> bytes:
        return self._shown.seal(msgspec.msgpack.encode(shown), phone_digest + sms_id.bytes)

    def open_shown(self, phone_digest: bytes, sms_id: UUID, envelope: bytes) -> Shown:
        return _SHOWN.decode(self._shown.unseal(envelope, phone_digest + sms_id.bytes))
