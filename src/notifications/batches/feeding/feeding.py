"""Started batches are fed to their lanes: no more of each waits there than leaves within seconds.

A step moves rows of one bucket in one transaction that holds the batch: so nothing is fed once a batch was paused or
cancelled, and a worker killed at any moment leaves every row either a row or a message, never both and never neither.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Protocol
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BUCKETS, DepartmentId
from kernel.log import get_logger
from notifications import queries as messages
from notifications.batches import queries
from notifications.batches.feeding import queries as feeding
from notifications.batches.feeding.queries import Feedable, Moved
from notifications.batches.model import Batch, BatchState, Plan
from notifications.model import Channel, DeliveryStage, Lane
from notifications.notifying import CALLER_PREFIX
from notifications.outbox import GOOD_FOR, HINT_DUE
from notifications.retention.model import DAYS_MIN, first_id_at
from notifications.retention.queries import insert_not_forgotten
from notifications.services.sending import CHANNEL_OF
from notifications.statistics.tallying import Taken, tally_batch, tally_taken
from notifications.texts.model import DepartmentText
from notifications.texts.reading import Texts

FED_EVERY = timedelta(milliseconds=500)
FED_AHEAD_MAX = 12_800
"""Messages of one batch that may wait in a lane: a few seconds of sending."""
FED_AHEAD_OF_BUCKET = FED_AHEAD_MAX // BUCKETS
REFILLED_BELOW = FED_AHEAD_OF_BUCKET // 2
"""A bucket is filled up when so few wait in it, so that a step is worth its commit."""
AT_ONCE_MAX = 20
"""Batches fed side by side: departments take turns, and of each its later ones wait for its earlier ones."""
CONSIDERED_MAX = 2_000
"""Batches among which those are found that may be fed now."""
FINISHED_TOGETHER_MAX = 100
"""Batches looked at in one beat whose rows are all fed, for whether the last message has left."""
PASSED_BY_FROM = timedelta(days=DAYS_MIN, hours=-1)
"""A row has its message's id from the hour it came. Whoever forgets looks at messages in the order of their ids, so
many days after at the earliest; an hour less, for looks that are under way."""
NONE_YET = UUID(int=0)
assert AT_ONCE_MAX <= CONSIDERED_MAX

log = get_logger(__name__)


class Allowances(Protocol):
    """How much a department may send on a day."""

    def left(self, service_id: DepartmentId, now: datetime) -> int:
        """How many more it may send on this day."""
        ...

    def take(self, service_id: DepartmentId, count: int, now: datetime) -> int:
        """Count messages, as many of these as it may send; how many."""
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
        self._turn = 0
        self._looked_at = NONE_YET
        self.listeners: list[FinishedListener] = []
        self.hours: Hours | None = None
        """In quiet hours no SMS of a batch is fed: begun, it would wait where no department can take it back."""

    async def feed_due(self) -> int:
        """Feed every batch whose hour has come, as far as its messages left meanwhile; return how many were fed."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            found = await feeding.select_feedable(conn, now=now, limit=CONSIDERED_MAX)
        self._empty = {one.batch_id: self._empty.get(one.batch_id, set()) for one in found}
        fed = 0
        for one in in_turn([one for one in found if await self._may_be_fed(one, now)], self._turn)[:AT_ONCE_MAX]:
            fed += await self._feed(one.batch_id)
        self._turn += 1
        if fed:
            async with self._db.transaction() as conn:
                await messages.hint(conn, HINT_DUE)
        await self._finish_fed(now)
        return fed

    async def _may_be_fed(self, one: Feedable, now: datetime) -> bool:
        """Whether a batch can use a place: not if it rests, its department's day is spent, or its text is withdrawn."""
        has_leave = one.kind == "test" or self._allowances is None or self._allowances.left(one.department_id, now) > 0
        return has_leave and await is_approved(self._texts, one) and not await self._waits_for_morning(one, now)

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
            fed += moved
        return fed

    async def step(self, batch_id: UUID, bucket: int, limit: int) -> int | None:
        """Make messages of up to `limit` rows of a bucket; how many. None if the batch is not to be fed now."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            batch = await queries.select_batch(conn, batch_id)
        if batch is None or not await is_approved(self._texts, batch.plan):
            return None
        if await self._waits_for_morning(batch.plan, now):
            return None
        is_counted = self._allowances is not None and batch.plan.kind != "test"
        allowed = self._allow(batch.department_id, limit, now) if is_counted else limit
        if not allowed:
            return None  # the batch goes on tomorrow
        counted = 0
        try:
            async with self._db.transaction() as conn:
                held = await queries.lock_free_batch(conn, batch_id)
                if held is None or held.state is not BatchState.STARTED:
                    return None
                moved = await self._move(conn, held, bucket, allowed, now)
            counted = sum(one.ending is None for one in moved)
        finally:
            if is_counted and self._allowances is not None and counted < allowed:
                self._allowances.give_back(batch.department_id, allowed - counted)
        if len(moved) < allowed:
            self._empty.setdefault(batch_id, set()).add(bucket)
        return len(moved)

    async def _waits_for_morning(self, plan: Plan | Feedable, now: datetime) -> bool:
        """Whether it disturbs somebody. What a test key sends wakes nobody."""
        if self.hours is None or plan.kind == "test" or self.hours.quiet_until(plan.lane, now) is None:
            return False
        return await channel_of(self._texts, plan) == "sms"

    def _allow(self, department_id: DepartmentId, count: int, now: datetime) -> int:
        return count if self._allowances is None else self._allowances.take(department_id, count, now)

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
            await self._remember(conn, bucket, moved, now)
        return moved

    async def _remember(self, conn: Connection, bucket: int, moved: Sequence[Moved], now: datetime) -> None:
        """Have those looked at when they are to be forgotten whose ids are so old that they were passed by."""
        before = first_id_at(now - PASSED_BY_FROM)
        old = [one.message_id for one in moved if one.message_id < before]
        if old:
            look_at = now + timedelta(days=DAYS_MIN)
            await insert_not_forgotten(conn, bucket, [(message_id, look_at) for message_id in old])

    async def _finish_fed(self, now: datetime) -> None:
        """Finish those of which every row was fed, and nothing waits or is being sent."""
        async with self._db.connection() as conn:
            batch_ids = await feeding.select_fed(conn, now=now, after=self._looked_at, limit=FINISHED_TOGETHER_MAX)
        self._looked_at = batch_ids[-1] if len(batch_ids) == FINISHED_TOGETHER_MAX else NONE_YET
        for batch_id in batch_ids:
            async with self._db.connection() as conn:
                in_hand = await feeding.select_buckets_in_hand(conn, batch_id)
                is_over = not in_hand and not await feeding.has_uncounted(conn, batch_id)
            if is_over:
                await self._finish(batch_id)

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


def in_turn(found: Sequence[Feedable], turn: int) -> list[Feedable]:
    """The first of each department, the second of each …; at every turn another department is the first. Pure."""
    of: dict[DepartmentId, list[Feedable]] = defaultdict(list)
    for one in found:
        of[one.department_id].append(one)
    begin = turn % max(1, len(of))
    departments = [*sorted(of)[begin:], *sorted(of)[:begin]]
    return [one for one in chain(*zip_longest(*(of[department] for department in departments))) if one is not None]


async def text_of(texts: Texts, text_id: str, version: int) -> DepartmentText | None:
    """The text of a batch, as this process knows it; None where it cannot be read."""
    key = (text_id, version)
    if texts.find(*key) is None:
        await texts.read_through([key])
    return texts.find(*key)


async def is_approved(texts: Texts, plan: Plan | Feedable) -> bool:
    """Whether the text of a batch may still be sent."""
    text = await text_of(texts, plan.text_id, plan.version)
    return text is not None and text.is_approved


async def channel_of(texts: Texts, plan: Plan | Feedable) -> Channel:
    """What the text of a batch goes out as."""
    text = await text_of(texts, plan.text_id, plan.version)
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
