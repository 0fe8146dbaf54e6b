"""What nobody answered for comes to an end: a killed worker's attempts, what expired, receipts that never came."""

from datetime import datetime

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BUCKETS
from kernel.log import get_logger
from notifications import queries as messages
from notifications.ending import queries
from notifications.model import Outcome, next_step
from notifications.routing import Carriers

CLOSED_TOGETHER_MAX = 500

log = get_logger(__name__)


class Closing:
    """Ends deliveries whose hour has passed."""

    def __init__(self, db: Database, clock: Clock, carriers: Carriers) -> None:
        self._db = db
        self._clock = clock
        self._carriers = carriers

    async def close_everywhere(self) -> int:
        """Close what is due in every bucket; return how many abandoned attempts became unknown."""
        async with self._db.connection() as conn:
            buckets = await queries.select_closable(conn, range(BUCKETS), now=self._clock.now())
        abandoned = 0
        for bucket in buckets:
            abandoned += await self.close_due(bucket)
        return abandoned

    async def close_due(self, bucket: int) -> int:
        """Close what is due in one bucket."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            abandoned = await queries.claim_abandoned(conn, bucket, now=now, limit=CLOSED_TOGETHER_MAX)
            if abandoned:
                await self._become_unknown(conn, bucket, abandoned, now)
            await queries.expire_waiting(conn, bucket, now=now)
            await queries.give_up_receipts(conn, bucket, now=now)
        if abandoned:
            log.warning("attempts without outcome became unknown", bucket=bucket, count=len(abandoned))
        return len(abandoned)

    async def _become_unknown(
        self, conn: Connection, bucket: int, abandoned: list[queries.Abandoned], now: datetime
    ) -> None:
        """Their intent is committed and their sender gone: perhaps it was sent."""
        tried: dict[object, set[str]] = {}
        for one in await messages.select_tries(conn, bucket, [delivery.message_id for delivery in abandoned]):
            tried.setdefault(one.message_id, set()).add(one.provider)
        moved = []
        for delivery in abandoned:
            step = next_step(
                Outcome.UNKNOWN,
                None,
                lane=delivery.lane,
                tries=delivery.fence,
                is_another_left=self._carriers.is_another_left(tried[delivery.message_id]),
                now=now,
                expires_at=delivery.expires_at,
            )
            ended_at = now if step.next_at is None else None
            moved.append(
                messages.Moved(
                    delivery.message_id,
                    delivery.channel,
                    delivery.fence,
                    step.stage,
                    step.next_at,
                    ended_at,
                    "sender gone",
                )
            )
        ended = [
            messages.Ended(one.message_id, one.channel, one.fence, Outcome.UNKNOWN, None, "sender gone")
            for one in abandoned
        ]
        await messages.record_outcomes(conn, bucket, ended, now=now)
        await messages.move_deliveries(conn, bucket, moved)
