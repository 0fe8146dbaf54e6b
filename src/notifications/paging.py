"""Where a list goes on: the moment and the ids of what was seen last, as opaque text that every URL may hold."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOMENT_BYTES: Final = 8
_ID_BYTES: Final = 16


def cursor_of(at: datetime, *ids: UUID) -> str:
    """The text for what comes after this place."""
    packed = ((at - _EPOCH) // _MICROSECOND).to_bytes(_MOMENT_BYTES, "big") + b"".join(one.bytes for one in ids)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def place_of(cursor: str, *, ids: int = 1) -> tuple[datetime, list[UUID]]:
    """The place that `cursor_of` wrote down, with so many ids. Raises ValueError for any other text."""
    octets = _MOMENT_BYTES + ids * _ID_BYTES
    if len(cursor) > octets * 2:
        raise ValueError("too long for a cursor")
    packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    if len(packed) != octets:
        raise ValueError("not a place")
    try:
        at = _EPOCH + int.from_bytes(packed[:_MOMENT_BYTES], "big") * _MICROSECOND
    except OverflowError:
        raise ValueError("no moment of any calendar") from None
    starts = range(_MOMENT_BYTES, octets, _ID_BYTES)
    return at, [UUID(bytes=packed[start : start + _ID_BYTES]) for start in starts]
