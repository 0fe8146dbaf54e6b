"""Every look at a certificate, however it came about, enters the ledger by this one door."""

import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from kernel.db import Connection
from suishenban_verify.ledger import SALT_BYTES
from wallet import queries
from wallet.ledger import recording
from wallet.model import Use


async def record_uses(conn: Connection, uses: Sequence[Use]) -> set[bytes]:
    """Record what was not recorded yet, in the caller's transaction; the hashes of what was recorded by this very call.

    A use whose hash is known changes nothing. Each that is new gets a salt and is owed a leaf of the ledger's log;
    where nothing else is said, it was recorded when it was made. Give the uses of one code side by side, and codes in
    one order everywhere, so that groups cannot deadlock.
    """
    chance = secrets.token_bytes(SALT_BYTES * len(uses))
    salted = [
        replace(use, recorded_at=use.recorded_at or use.used_at, salt=chance[start : start + SALT_BYTES])
        for use, start in zip(uses, range(0, len(chance), SALT_BYTES), strict=True)
    ]
    recorded = await queries.insert_uses(conn, salted)
    await recording.record(conn, [use for use in salted if use.code_hash in recorded])
    return recorded
