"""Where a list goes on: the hour and the id of what was seen last, as opaque text."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from appointments.errors import CursorUnknown

CURSOR_MAX: Final = 80
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_YEAR_2200: Final = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last row seen: its hour in microseconds since 1970, its id, and its place where that counts."""

    at: Annotated[int, Meta(ge=0, le=_YEAR_2200)]
    last_id: UUID
    seq: Annotated[int, Meta(ge=0, le=100_000)] = 0

    @classmethod
    def of(cls, moment: datetime, last_id: UUID, seq: int = 0) -> "Position":
        return cls((moment - _EPOCH) // _MICROSECOND, last_id, seq)

    @property
    def moment(self) -> datetime:
        return _EPOCH + self.at * _MICROSECOND

    def cursor(self) -> str:
        return urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")


def position_of(cursor: str) -> Position:
    """Raises CursorUnknown for a text that `Position.cursor` did not make."""
    try:
        return msgspec.msgpack.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=Position)
    except (ValueError, msgspec.DecodeError):
        raise CursorUnknown from None
