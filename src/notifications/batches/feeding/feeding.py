"""Started batches are fed to their lanes: no more of each waits there than leaves within seconds.

A step moves rows of one bucket in one transaction that holds the batch: so nothing is fed once a batch was paused or
cancelled, and a worker killed at any moment leaves every row either a row or a message, never both and never neither.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import TooMany
from kernel.ids import BUCKETS, DepartmentId
from kernel.log import get_logger
from notifications import queries as messages
from notifications.batches import queries
from notifications.batches.feeding import queries as feeding
from notifications.batches.feeding.queries import Moved
from notifications.batches.model import Batch, BatchState, Plan
from notifications.model import Channel, DeliveryStage, Lane
from notifications.notifying import CALLER_PREFIX
from notifications.outbox import GOOD_FOR, HINT_DUE
from notifications.services.sending import CHANNEL_OF
from notifications.statistics.tallying import Taken, tally_batch, tally_taken
from notifications.texts.reading import Texts

FED_EVERY = timedelta(milliseconds=500)
FED_AHEAD_MAX = 12_800
"""Messages of one batch that may wait in a lane: a few seconds of sending."""
FED_AHEAD_OF_BUCKET = FED_AHEAD_MAX // BUCKETS
REFILLED_BELOW = FED_AHEAD_OF_BUCKET // 2
"""A bucket is filled up when so few wait in it, so that a step is worth its commit."""
AT_ONCE_MAX = 20
"""Batches fed side by side; later ones wait for earlier ones."""

log = get_logger(__name__)


class Allowances(Protocol):
    """How much a department may send on a day."""

    def take(self, service_id: DepartmentId, count: int, now: datetime) -> None:
        """Count messages. Raises TooMany, and has counted none."""
        ...

    def give_back(self, service_id: DepartmentId, count: int) -> None:
        """Of what was taken, so much came to nothing."""
        ...


class Hours(Protocol):
    """When nobody is written to who need not be."""

    def quiet_until(self, lane: Lane, now: datetime) -> datetime | None:
        """Until when what goes by a lane waits; None if it may go now."""
        ...


class FinishedListener(Protocol):
    async def finished(self, conn: Connection, batch: Batch, now: datetime) -> None:
        """Hear that the last message of a batch has left or was taken back, in the transaction that says so."""
        ...


class Feeding:
    """Feeds what is started. `listeners` hear when a batch is finished or cancelled."""

    def __init__(self, db: Database, clock: Clock, texts: Texts, allowances: Allowances | None = None) -> None:
        self._db = db
        self._clock = clock
        self._texts = texts
        self._allowances = allowances
        self._empty: dict[UUID, set[int]] = {}
        """Buckets of which every row was fed: a started batch gets no more."""
        self.listeners: list[FinishedListener] = []
        self.hours: Hours | None = None
        """In quiet hours no SMS of a batch is fed: begun, it would wait where no department can take it back."""

    async def feed_due(self) -> int:
        """Feed every batch whose hour has come, as far as its messages left meanwhile; return how many were fed."""
        async with self._db.connection() as conn:
            batch_ids = await feeding.select_feedable(conn, now=self._clock.now(), limit=AT_ONCE_MAX)
        self._empty = {batch_id: self._empty.get(batch_id, set()) for batch_id in batch_ids}
        fed = 0
        for batch_id in batch_ids:
            fed += await self._feed(batch_id)
        if fed:
            async with self._db.transaction() as conn:
                await messages.hint(conn, HINT_DUE)
        return fed

    async def _feed(self, batch_id: UUID) -> int:
        async with self._db.connection() as conn:
            owed = await feeding.count_owed(conn, batch_id)
        fed, empty = 0, self._empty[batch_id]
        for bucket in range(BUCKETS):
            waiting = owed.get(bucket, 0)
            if bucket in empty or waiting > REFILLED_BELOW:
                continue
            room = FED_AHEAD_OF_BUCKET - waiting
            moved = await self.step(batch_id, bucket, room)
            if moved is None:
                return fed
            if moved < room:
                empty.add(bucket)
            fed += moved
        if not fed and not owed and len(empty) == BUCKETS:
            await self._finish(batch_id)
        return fed

    async def step(self, batch_id: UUID, bucket: int, limit: int) -> int | None:
        """Make messages of up to `limit` rows of a bucket; how many. None if the batch is not to be fed now."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            batch = await queries.select_batch(conn, batch_id)
        if batch is None or await self._waits_for_morning(batch, now):
            return None
        if not self._allow(batch.department_id, limit, now):
            return None
        counted = 0
        try:
            async with self._db.transaction() as conn:
                held = await queries.lock_free_batch(conn, batch_id)
                if held is None or held.state is not BatchState.STARTED:
                    return None
                moved = await self._move(conn, held, bucket, limit, now)
            counted = sum(one.ending is None for one in moved)
        finally:
            if self._allowances is not None and counted < limit:
                self._allowances.give_back(batch.department_id, limit - counted)
        return len(moved)

    async def _waits_for_morning(self, batch: Batch, now: datetime) -> bool:
        """Whether it disturbs somebody. What a test key sends wakes nobody."""
        plan = batch.plan
        if self.hours is None or plan.kind == "test" or self.hours.quiet_until(plan.lane, now) is None:
            return False
        return await channel_of(self._texts, plan) == "sms"

    def _allow(self, department_id: DepartmentId, count: int, now: datetime) -> bool:
        if self._allowances is None:
            return True
        try:
            self._allowances.take(department_id, count, now)
        except TooMany:  # the batch goes on tomorrow
            return False
        return True

    async def _move(self, conn: Connection, batch: Batch, bucket: int, limit: int, now: datetime) -> list[Moved]:
        plan, caller = batch.plan, f"{CALLER_PREFIX}{batch.department_id}"
        channel = await channel_of(self._texts, plan)
        moved = await feeding.move_rows(
            conn, bucket, batch.batch_id, plan,
            caller=caller, channel=channel, now=now, expires_at=now + GOOD_FOR[plan.lane], limit=limit,
        )  # fmt: skip
        if moved:
            await feeding.insert_requests_of_batch(
                conn, batch.department_id, batch.batch_id, plan, moved, channel=channel, now=now
            )
            await feeding.add_fed(conn, batch.batch_id, len(moved))
            await tally_taken(conn, _taken(batch, caller, channel, moved), now=now)
            await tally_batch(conn, batch.batch_id, _rehearsed(moved))
        return moved

    async def _finish(self, batch_id: UUID) -> None:
        """Say that a batch is finished, if every row of it was fed."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            batch = await queries.lock_free_batch(conn, batch_id)
            if batch is None or batch.state is not BatchState.STARTED or batch.fed < batch.taken:
                return
            batch = batch.moved(BatchState.FINISHED, now)
            await queries.update_state(conn, batch, is_settled=True)
            for listener in self.listeners:
                await listener.finished(conn, batch, now)
        log.info("batch finished", batch_id=str(batch_id), fed=batch.fed)


async def channel_of(texts: Texts, plan: Plan) -> Channel:
    """What the text of a batch goes out as."""
    key = (plan.text_id, plan.version)
    if texts.find(*key) is None:
        await texts.read_through([key])
    text = texts.find(*key)
    assert text is not None, "it was approved when the batch was opened, and is kept"
    return CHANNEL_OF[text.of.sort]


def _taken(batch: Batch, caller: str, channel: Channel, moved: Sequence[Moved]) -> list[Taken]:
    """Those that a carrier or an inbox is given, for the day's count."""
    counts = Counter(one.is_direct for one in moved if one.ending is None)
    return [
        Taken(caller, batch.plan.text_id, batch.plan.version, channel, is_direct, count)
        for is_direct, count in counts.items()
    ]


def _rehearsed(moved: Sequence[Moved]) -> Counter[DeliveryStage]:
    """How those end that no carrier is given: it is certain already."""
    return Counter(one.ending for one in moved if one.ending is not None and one.is_direct)
