"""A person's records are erased: bodies and salts are gone, and the log stays provable and says that it was done."""

from datetime import datetime

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import PersonId
from suishenban_verify.ledger import commitment_of, tombstone_of
from wallet.ledger import queries
from wallet.ledger.keys import LogKeys
from wallet.ledger.model import Erasure, entry_of

ERASED_TOGETHER_MAX = 256


class Eraser:
    """Erases what the ledger holds about a person."""

    def __init__(self, db: Database, clock: Clock, keys: LogKeys) -> None:
        self._db = db
        self._clock = clock
        self._keys = keys

    async def erase(self, person_id: PersonId, *, used_before: datetime, reason: str) -> int:
        """Erase a person's records of uses before a moment; how many there were. Doing it again erases what is left.

        A record is also what keeps its code from being used twice, so `used_before` lies further back than a code can
        live. `reason` is a word that everybody may read. What is left of each record is its leaf, which tells nothing
        without the salt, and a leaf that says which was erased, when and why.
        """
        total = 0
        while True:
            async with self._db.transaction() as conn:
                erased = await self._erase_some(conn, person_id, used_before, reason)
            total += erased
            if erased < ERASED_TOGETHER_MAX:
                return total

    async def _erase_some(self, conn: Connection, person_id: PersonId, used_before: datetime, reason: str) -> int:
        records = await queries.lock_records_of_person(
            conn, person_id, used_before=used_before, limit=ERASED_TOGETHER_MAX
        )
        now = self._clock.now()
        erasures = []
        for record in records:
            if record.salt is not None:  # else it is from before there was a log, and has no leaf to answer for
                commitment = commitment_of(record.salt, record)
                salt = self._keys.salt_of_erasure(commitment)
                tombstone = tombstone_of(salt, commitment, now, reason)
                erasures.append(Erasure(commitment, tombstone, salt, reason, now))
        if records:
            await queries.delete_uses(conn, records)
        if erasures:
            await queries.insert_erasures(conn, erasures)
            await queries.insert_pending(conn, [entry_of(erasure.tombstone, now) for erasure in erasures])
        return len(records)
