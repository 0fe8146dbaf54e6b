"""What test keys send, and what goes to simulated recipients, ends as it is to end, and no carrier hears of it."""

from typing import Final

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BUCKETS
from notifications.ending.endings import Ended, Endings
from notifications.services import queries

ENDED_TOGETHER_MAX: Final = 500
REASON: Final = "simulated"


class Rehearsing:
    """Ends rehearsals, and tells whoever listens, as any other ending is told."""

    def __init__(self, db: Database, clock: Clock, endings: Endings) -> None:
        self._db = db
        self._clock = clock
        self._endings = endings

    async def end_due(self) -> int:
        """End what is due, in every bucket; return how many that was."""
        async with self._db.connection() as conn:
            buckets = await queries.select_rehearsed(conn, range(BUCKETS), now=self._clock.now())
        ended = 0
        for bucket in buckets:
            while (count := await self._end(bucket)) == ENDED_TOGETHER_MAX:
                ended += count
            ended += count
        return ended

    async def _end(self, bucket: int) -> int:
        now = self._clock.now()
        async with self._db.transaction() as conn:
            found = await queries.end_rehearsals(conn, bucket, now=now, limit=ENDED_TOGETHER_MAX)
            await self._endings.tell(
                conn, [Ended(bucket, one.message_id, one.channel, one.ending, one.caller, REASON) for one in found], now
            )
        return len(found)
