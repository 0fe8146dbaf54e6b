"""A use that is recorded is owed a leaf of the log, from the same transaction on."""

import secrets
from collections.abc import Sequence

from kernel.db import Connection
from suishenban_verify.ledger import SALT_BYTES, commitment_of
from wallet.ledger import queries
from wallet.ledger.model import Entry, entry_of
from wallet.model import Use


def fresh_salt() -> bytes:
    """A salt for one record."""
    return secrets.token_bytes(SALT_BYTES)


async def record(conn: Connection, uses: Sequence[Use]) -> None:
    """Owe the log a leaf for each of these uses, which the caller's transaction records.

    Each has its `recorded_at` and a salt of its own. Give only those that were recorded just now: a use that was there
    before has its leaf.
    """
    if uses:
        await queries.insert_pending(conn, [_owed(use) for use in uses])


def _owed(use: Use) -> Entry:
    assert use.salt is not None
    assert use.recorded_at is not None
    return entry_of(commitment_of(use.salt, use), use.recorded_at)
