"""Where a list of one's own goes on: the moment and the hash of what was seen last, as opaque text."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from wallet.errors import CursorRefused
from wallet.queries import Place

PAGE_MAX = 100
CURSOR_MAX = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOMENT_BYTES = 8
_HASH_BYTES = 32


def cursor_after(place: Place) -> str:
    """The text for what comes after this place."""
    moment, hashed = place
    microseconds = (moment - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(microseconds.to_bytes(_MOMENT_BYTES, "big") + hashed).decode().rstrip("=")


def read_cursor(text: str) -> Place:
    """The place that `cursor_after` wrote down. Raises CursorRefused."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if len(raw) != _MOMENT_BYTES + _HASH_BYTES:
            raise CursorRefused
        return _EPOCH + int.from_bytes(raw[:_MOMENT_BYTES], "big") * _MICROSECOND, raw[_MOMENT_BYTES:]
    except (binascii.Error, ValueError, OverflowError):
        raise CursorRefused from None
