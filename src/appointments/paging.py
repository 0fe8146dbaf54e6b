"""Where a list goes on: the hour and the id of what was seen last, as opaque text."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from appointments.errors import CursorUnknown

CURSOR_MAX: Final = 80
_ID_BYTES: Final = 16
_Kind = TypeVar("_Kind")
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


_IdBytes = Annotated[bytes, Meta(min_length=_ID_BYTES, max_length=_ID_BYTES)]


class NearPosition(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last row seen of a list that goes by distance: how far its office is and which, its hour and its id."""

    metres: Annotated[int, Meta(ge=0, le=100_000_000)]
    office: _IdBytes
    at: Annotated[int, Meta(ge=0, le=_YEAR_2200)]
    last: _IdBytes

    @classmethod
    def of(cls, metres: int, office_id: UUID, moment: datetime, last_id: UUID) -> "NearPosition":
        return cls(metres, office_id.bytes, (moment - _EPOCH) // _MICROSECOND, last_id.bytes)

    @property
    def moment(self) -> datetime:
        return _EPOCH + self.at * _MICROSECOND

    @property
    def last_id(self) -> UUID:
        return UUID(bytes=self.last)

    def cursor(self) -> str:
        return urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")


def position_of(cursor: str) -> Position:
    """Raises CursorUnknown for a text that `Position.cursor` did not make."""
    return _decoded(cursor, Position)


def near_position_of(cursor: str) -> NearPosition:
    """Raises CursorUnknown for a text that `NearPosition.cursor` did not make."""
    return _decoded(cursor, NearPosition)


def _decoded(cursor: str, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.msgpack.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (ValueError, msgspec.DecodeError):
        raise CursorUnknown from None
