"""Gives every use that has no salt one, and owes the log its leaf."""

from msgspec.structs import replace

from kernel.db import Connection, Database
from suishenban_verify.ledger import commitment_of
from wallet.ledger.adopting import queries
from wallet.ledger.model import RecordRow, entry_of
from wallet.ledger.queries import insert_pending
from wallet.ledger.recording import fresh_salt

ADOPTED_TOGETHER_MAX = 1_024


async def adopt_old_uses(db: Database) -> int:
    """Take in what the log was never told of; how many there were.

    Goes on until none is left; may be stopped at any time and begun again, by several at once.
    """
    total = 0
    while True:
        async with db.transaction() as conn:
            records = await queries.select_unsalted(conn, limit=ADOPTED_TOGETHER_MAX)
            total += await _adopt(conn, records)
        if len(records) < ADOPTED_TOGETHER_MAX:
            return total


async def _adopt(conn: Connection, records: list[RecordRow]) -> int:
    if not records:
        return 0
    salted = [(record, record.recorded_at or record.used_at, fresh_salt()) for record in records]
    adopted = await queries.salt_uses(conn, salted)
    owed = []
    for record, recorded_at, salt in salted:
        if record.code_hash in adopted:
            whole = replace(record, recorded_at=recorded_at, salt=salt)
            owed.append(entry_of(commitment_of(salt, whole), recorded_at))
    if owed:
        await insert_pending(conn, owed)
    return len(owed)
