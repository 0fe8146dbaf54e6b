"""What nobody answered for comes to an end: a killed worker's attempts, what expired, receipts that never came."""

from collections.abc import Sequence
from datetime import datetime

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BUCKETS, MessageId
from kernel.log import get_logger
from notifications import queries as messages
from notifications.carrying import queries as carrying
from notifications.ending import queries
from notifications.ending.endings import Ended, Endings
from notifications.ending.reasons import Reason
from notifications.isolating import Isolating
from notifications.model import Channel, Outcome, next_step
from notifications.routing.carriers import Carriers

CLOSED_TOGETHER_MAX = 500

log = get_logger(__name__)


class Closing:
    """Ends deliveries whose hour has passed."""

    def __init__(self, db: Database, clock: Clock, carriers: Carriers, endings: Endings) -> None:
        self._db = db
        self._clock = clock
        self._carriers = carriers
        self._endings = endings
        self._isolating = Isolating("close what nobody answered for")

    async def close_everywhere(self) -> int:
        """Close what is due in every bucket; return how many abandoned attempts became unknown."""
        async with self._db.connection() as conn:
            buckets = await queries.select_closable(conn, range(BUCKETS), now=self._clock.now())
        abandoned = 0
        for bucket in buckets:
            with self._isolating.one(bucket):
                abandoned += await self.close_due(bucket)
        return abandoned

    async def close_due(self, bucket: int) -> int:
        """Close what is due in one bucket, up to a bound of each sort."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            abandoned = await queries.claim_abandoned(conn, bucket, now=now, limit=CLOSED_TOGETHER_MAX)
            ended = await self._become_unknown(conn, bucket, abandoned, now) if abandoned else []
            late = await queries.expire_waiting(conn, bucket, now=now, limit=CLOSED_TOGETHER_MAX)
            unheard = await queries.give_up_receipts(conn, bucket, now=now, limit=CLOSED_TOGETHER_MAX)
            ended += [_ended(bucket, one) for one in (*late, *unheard)]
            await self._endings.tell(conn, ended, now)
        if abandoned:
            log.warning("attempts without outcome became unknown", bucket=bucket, count=len(abandoned))
        return len(abandoned)

    async def _become_unknown(
        self, conn: Connection, bucket: int, abandoned: list[queries.Abandoned], now: datetime
    ) -> list[Ended]:
        """Their intent is committed and their sender gone: perhaps it was sent. What ends by that."""
        tried: dict[tuple[MessageId, Channel], list[messages.Tried]] = {}
        for one in await messages.select_tries(conn, bucket, [delivery.message_id for delivery in abandoned]):
            tried.setdefault((one.message_id, one.channel), []).append(one)
        moved = [self._moved(one, tried.get((one.message_id, one.channel), []), now) for one in abandoned]
        tries = [
            carrying.Try(one.message_id, one.channel, one.fence, Outcome.UNKNOWN, None, Reason.SENDER_GONE)
            for one in abandoned
        ]
        await carrying.record_outcomes(conn, bucket, tries, now=now)
        await carrying.move_deliveries(conn, bucket, moved)
        return [
            Ended(bucket, one.message_id, one.channel, to.stage, one.caller, Reason.SENDER_GONE, one.lane)
            for one, to in zip(abandoned, moved, strict=True)
            if to.ended_at is not None
        ]

    def _moved(self, delivery: queries.Abandoned, tried: Sequence[messages.Tried], now: datetime) -> carrying.Moved:
        perhaps_sent = {one.provider for one in tried if one.outcome is not Outcome.REJECTED}
        step = next_step(
            Outcome.UNKNOWN,
            None,
            lane=delivery.lane,
            tries=len(tried),
            is_another_left=self._carriers.is_another_left(delivery.channel, perhaps_sent),
            now=now,
            expires_at=delivery.expires_at,
        )
        ended_at = now if step.next_at is None else None
        return carrying.Moved(
            delivery.message_id,
            delivery.channel,
            delivery.fence,
            step.stage,
            step.next_at,
            ended_at,
            Reason.SENDER_GONE,
        )


def _ended(bucket: int, one: queries.Closed) -> Ended:
    return Ended(bucket, one.message_id, one.channel, one.stage, one.caller, one.reason, one.lane)
