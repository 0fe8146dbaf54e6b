"""Which key and which place each personal value of this package is sealed under: one table of them, here."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from kernel.ids import MessageId, PersonId
from kernel.sealing import Keys
from notifications.model import Language


class Address(msgspec.Struct, frozen=True):
    """A telephone number, E.164, and the language its owner reads."""

    phone: str
    language: Language


class Shown(msgspec.Struct, frozen=True):
    """What the demo carrier shows."""

    phone: str
    text: str


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

    def values(self, message_id: MessageId, values: Mapping[str, str]) -> bytes:
        return self._values.seal(msgspec.msgpack.encode(values), message_id.bytes)

    def open_values(self, message_id: MessageId, envelope: bytes) -> dict[str, str]:
        return _VALUES.decode(self._values.unseal(envelope, message_id.bytes))

    def address(self, message_id: MessageId, address: Address) -> bytes:
        return self._address.seal(msgspec.msgpack.encode(address), message_id.bytes)

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

    def shown(self, phone_digest: bytes, sms_id: UUID, shown: Shown) -> bytes:
        return self._shown.seal(msgspec.msgpack.encode(shown), phone_digest + sms_id.bytes)

    def open_shown(self, phone_digest: bytes, sms_id: UUID, envelope: bytes) -> Shown:
        return _SHOWN.decode(self._shown.unseal(envelope, phone_digest + sms_id.bytes))
