"""What people write about their bookings is sealed to the booking it belongs to."""

from typing import Any, Final, TypeVar

import msgspec

from kernel.ids import BookingId, PersonId
from kernel.sealing import Keys

_PURPOSES: Final = ("appointments.answers", "appointments.appeal", "appointments.note", "appointments.comment")
_PACK = msgspec.msgpack.Encoder()

Value = TypeVar("Value")


class Seals:
    """Seals values to a booking; an envelope moved to another booking does not open (NotSealedHere)."""

    def __init__(self, keys: Keys) -> None:
        self._sealers = {purpose: keys.sealer(purpose) for purpose in _PURPOSES}

    def seal(self, purpose: str, person_id: PersonId, booking_id: BookingId, value: Any) -> bytes:
        """`purpose` is one of those above."""
        return self._sealers[purpose].seal(_PACK.encode(value), person_id.bytes + booking_id.bytes)

    def unseal(
        self, purpose: str, person_id: PersonId, booking_id: BookingId, envelope: bytes, kind: type[Value]
    ) -> Value:
        opened = self._sealers[purpose].unseal(envelope, person_id.bytes + booking_id.bytes)
        return msgspec.msgpack.decode(opened, type=kind)
