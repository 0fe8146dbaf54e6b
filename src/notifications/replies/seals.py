"""Which key and which place each personal value of what people write is sealed under."""

from typing import Final

import msgspec

from kernel.ids import DepartmentId
from kernel.sealing import Keys
from notifications.replies.model import TextId, Written

_WRITTEN: Final = msgspec.msgpack.Decoder(Written)


class ReplySeals:
    """Seals values to the row they belong to; an envelope moved to another row does not open (NotSealedHere)."""

    def __init__(self, keys: Keys) -> None:
        self._received = keys.sealer("notifications.received_text")
        self._of_service = keys.sealer("notifications.service_text")
        self._phones = keys.digester("notifications.phone")

    def digest(self, phone: str) -> bytes:
        """What rows about a number (E.164) are filed under."""
        return self._phones.digest(phone)

    def every_digest(self, phone: str) -> list[bytes]:
        """What they may be filed under while keys are rotated, newest first."""
        return self._phones.every_digest(phone)

    def received(self, digest: bytes, text_id: TextId, written: Written) -> bytes:
        return self._received.seal_struct(written, digest + text_id.bytes)

    def open_received(self, digest: bytes, text_id: TextId, envelope: bytes) -> Written:
        return _WRITTEN.decode(self._received.unseal(envelope, digest + text_id.bytes))

    def of_service(self, service_id: DepartmentId, text_id: TextId, written: Written) -> bytes:
        return self._of_service.seal_struct(written, service_id.bytes + text_id.bytes)

    def open_of_service(self, service_id: DepartmentId, text_id: TextId, envelope: bytes) -> Written:
        return _WRITTEN.decode(self._of_service.unseal(envelope, service_id.bytes + text_id.bytes))
