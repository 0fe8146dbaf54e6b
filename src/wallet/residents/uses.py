"""A resident sees who saw which of their fields, when and for what."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from kernel.db import Database
from kernel.ids import CertificateId, PersonId
from wallet import queries
from wallet.errors import CursorRefused
from wallet.model import Use

PAGE_MAX = 100
CURSOR_MAX = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOMENT_BYTES = 8
_HASH_BYTES = 32


class Page(Struct, frozen=True):
    """Some uses, newest first, and where the next page begins; None: there is no more."""

    uses: list[Use]
    next_cursor: str | None


async def list_uses(
    db: Database, person_id: PersonId, certificate_id: CertificateId | None, *, cursor: str | None, limit: int
) -> Page:
    """One page of a person's ledger, of one certificate or of all. Raises CursorRefused."""
    assert limit <= PAGE_MAX
    before = None if cursor is None else _read_cursor(cursor)
    async with db.connection() as conn:
        found = await queries.select_uses_of_person(conn, person_id, certificate_id, before=before, limit=limit + 1)
    uses = found[:limit]
    return Page(uses, _cursor_after(uses[-1]) if len(found) > limit else None)


def _cursor_after(use: Use) -> str:
    microseconds = (use.used_at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(microseconds.to_bytes(_MOMENT_BYTES, "big") + use.code_hash).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, bytes]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if len(raw) != _MOMENT_BYTES + _HASH_BYTES:
            raise CursorRefused
        return _EPOCH + int.from_bytes(raw[:_MOMENT_BYTES], "big") * _MICROSECOND, raw[_MOMENT_BYTES:]
    except (binascii.Error, ValueError, OverflowError):
        raise CursorRefused from None
