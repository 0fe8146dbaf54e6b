"""A batch is fed to its lane a little at a time: paused and cancelled at once, killed anywhere, each row sent once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.clock import StoppedClock
from kernel.db import Connection, Database
from kernel.sealing import Keys
from notifications.batches.errors import BatchClosed, BatchIncomplete, BatchStepNotAllowed
from notifications.batches.feeding.feeding import FED_AHEAD_MAX, FED_AHEAD_OF_BUCKET
from notifications.batches.model import Act, Batch, BatchState, Span, bucket_of_row
from notifications.batches.parts import Batches, Daily
from notifications.batches.steering import LEFT_KEPT_FOR
from notifications.batches.taking import TOGETHER_MAX
from notifications.ending.endings import Ended, Endings
from notifications.model import MessageStage
from notifications.services.model import Allowance
from notifications.services.rehearsing import Rehearsing
from tests.builders_batches import ACTOR, DEPARTMENT, Department, a_department, a_row, ndjson
from tests.builders_notifications import Carrier, Killed, notifications_over


class Heard:
    """Whoever listens to endings and to batches that are finished."""

    def __init__(self) -> None:
        self.rows: list[Ended] = []
        self.batches: list[tuple[UUID, BatchState]] = []

    async def ended(self, conn: Connection, rows: Any, now: Any) -> None:
        self.rows += rows

    async def finished(self, conn: Connection, batch: Batch, now: Any) -> None:
        self.batches.append((batch.batch_id, batch.state))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys, heard: Heard) -> Department:
    endings = Endings()
    endings.listeners.append(heard)
    opened = await a_department(db, clock, keys, endings)
    opened.batches.when_finished(heard)
    return opened


async def a_batch(department: Department, count: int, **how: Any) -> UUID:
    batch_id = await department.opened(**how)
    await department.send(batch_id, [a_row(number) for number in range(1, count + 1)])
    return batch_id


async def leave(department: Department, count: int | None = None) -> int:
    """So many of what waits in the lanes leave, as when they are sent."""
    return len(
        await department.db.fetch(
            "UPDATE notifications.message SET stage = 'routed' WHERE message_id IN (SELECT message_id FROM"
            " notifications.message WHERE stage = 'owed' AND due_at <= $2 LIMIT $1) RETURNING 1",
            count, department.clock.now(),
        )
    )  # fmt: skip


async def step_by_step(department: Department, batch_id: UUID, count: int) -> int:
    """Feed so many rows and no more, whichever buckets they stand in."""
    fed = 0
    for row in await department.db.fetch("SELECT DISTINCT bucket FROM notifications.batch_row ORDER BY bucket"):
        fed += await department.batches.feeding.step(batch_id, row["bucket"], min(40, count - fed)) or 0
    return fed


def keys_of(batch_id: UUID, count: int) -> list[str]:
    return sorted(f"batch/{batch_id}/{number}" for number in range(1, count + 1))


async def test_each_row_becomes_one_message_with_a_request(department: Department, heard: Heard) -> None:
    batch_id = await a_batch(department, 700)
    assert await department.feed() == 0
    await department.act(batch_id, Act.START)
    assert await department.feed() == 700
    assert await department.keys_of_messages() == keys_of(batch_id, 700)
    requests = await department.db.fetch("SELECT reference, kind, batch_id, channel FROM notifications.request")
    assert {row["reference"] for row in requests} == {f"R-{number}" for number in range(1, 701)}
    assert {(row["kind"], row["batch_id"], row["channel"]) for row in requests} == {("live", batch_id, "sms")}
    assert await department.rows() == 0
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    assert (progress.batch.fed, progress.waiting, progress.sent) == (700, 700, 0)
    assert heard.batches == []
    assert await leave(department) == 700
    await department.batches.feeding.feed_due()
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    assert (progress.batch.state, progress.sent, heard.batches) == (
        BatchState.FINISHED,
        700,
        [(batch_id, BatchState.FINISHED)],
    )


async def test_no_more_waits_in_the_lane_than_leaves_within_seconds(department: Department) -> None:
    count = FED_AHEAD_MAX + 3_000
    batch_id = await a_batch(department, count)
    await department.act(batch_id, Act.START)
    await department.feed()
    owed = len(await department.keys_of_messages())
    assert FED_AHEAD_MAX // 2 < owed <= FED_AHEAD_MAX
    rows = await department.db.fetch("SELECT count(*) AS n FROM notifications.message GROUP BY bucket")
    assert max(row["n"] for row in rows) <= FED_AHEAD_OF_BUCKET
    for _ in range(10):
        await leave(department)
        await department.feed()
    assert await department.keys_of_messages(["owed", "routed"]) == keys_of(batch_id, count)
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    assert progress.batch.state is BatchState.FINISHED


async def test_a_paused_batch_sends_nothing_more_and_goes_on_when_resumed(
    department: Department, clock: StoppedClock
) -> None:
    batch_id = await a_batch(department, 600)
    await department.act(batch_id, Act.START)
    assert await step_by_step(department, batch_id, 100) == 100
    assert await leave(department, 30) == 30
    await department.act(batch_id, Act.PAUSE)
    assert (await leave(department), await department.feed()) == (0, 0)
    clock.advance(timedelta(days=20))
    await department.batches.steering.settle_due()
    assert await leave(department) == 0
    await department.act(batch_id, Act.RESUME)
    assert await leave(department) == 70
    expires = await department.db.fetchval(
        "SELECT min(expires_at) FROM notifications.message WHERE expires_at > $1", clock.now()
    )
    assert expires > clock.now()
    assert await department.feed() == 500
    assert await department.keys_of_messages(["owed", "routed"]) == keys_of(batch_id, 600)


async def test_a_cancelled_batch_takes_back_what_waits_and_forgets_its_rows(
    department: Department, heard: Heard
) -> None:
    batch_id = await a_batch(department, 600)
    await department.act(batch_id, Act.START)
    assert await step_by_step(department, batch_id, 100) == 100
    await leave(department, 40)
    batch = await department.act(batch_id, Act.CANCEL)
    assert (await leave(department), await department.feed(), batch.state) == (0, 0, BatchState.CANCELLED)
    assert heard.batches == [], "not all of it is taken back yet"
    assert len(heard.rows) == 60
    assert {(row.stage, row.caller, row.channel) for row in heard.rows} == {(MessageStage.WITHDRAWN, ACTOR, None)}
    await department.batches.steering.settle_due()
    assert heard.batches == [(batch_id, BatchState.CANCELLED)]
    assert await department.rows() == 0
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    assert (progress.batch.fed, progress.batch.withdrawn, progress.sent, progress.withdrawn) == (100, 60, 40, 560)
    await department.batches.steering.settle_due()
    assert (len(heard.rows), len(heard.batches)) == (60, 1)


async def test_a_batch_with_missing_rows_is_not_started_unless_that_is_meant(department: Department) -> None:
    batch_id = await department.opened(rows=10)
    await department.send(batch_id, [a_row(number) for number in range(1, 8)])
    with pytest.raises(BatchIncomplete) as refused:
        await department.act(batch_id, Act.START)
    assert refused.value.members["missing"] == [{"first": 8, "last": 10}]
    await department.act(batch_id, Act.START, without_missing=True)
    assert await department.feed() == 7
    with pytest.raises(BatchClosed):
        await department.send(batch_id, [a_row(8)], first=8)


async def test_what_was_done_may_be_said_again_and_what_cannot_be_is_refused(department: Department) -> None:
    batch_id = await a_batch(department, 3)
    with pytest.raises(BatchStepNotAllowed):
        await department.act(batch_id, Act.PAUSE)
    for act in (Act.START, Act.START, Act.PAUSE, Act.PAUSE, Act.RESUME, Act.RESUME, Act.CANCEL, Act.CANCEL):
        await department.act(batch_id, act)
    for act in (Act.START, Act.PAUSE, Act.RESUME):
        with pytest.raises(BatchStepNotAllowed):
            await department.act(batch_id, act)


async def test_a_scheduled_batch_waits_for_its_hour(department: Department, clock: StoppedClock) -> None:
    batch_id = await a_batch(department, 3, send_at=clock.now() + timedelta(hours=5))
    await department.act(batch_id, Act.START)
    assert await department.feed() == 0
    clock.advance(timedelta(hours=5))
    assert await department.feed() == 3


async def test_what_is_started_in_the_night_can_be_taken_back_until_the_morning(
    department: Department, clock: StoppedClock, keys: Keys
) -> None:
    notifications = notifications_over(department.db, clock, keys, Carrier())
    notifications.wordings.texts = department.texts
    department.batches.feeding.hours = notifications.rules
    clock.advance(timedelta(hours=14))  # it was nine in the morning
    cancelled, kept = [await a_batch(department, 3) for _ in range(2)]
    for batch_id in (cancelled, kept):
        await department.act(batch_id, Act.START)
    assert await department.feed() == 0
    rehearsed = await a_batch(department, 2, kind="test")
    await department.act(rehearsed, Act.START)
    assert await department.feed() == 2
    await department.act(cancelled, Act.CANCEL)
    progress = await department.batches.watching.read(DEPARTMENT, kept)
    assert (progress.batch.state, progress.batch.fed) == (BatchState.STARTED, 0)
    clock.advance(timedelta(hours=9))
    assert await department.feed() == 3
    assert await department.keys_of_messages() == keys_of(kept, 3)


async def test_a_batch_goes_on_the_next_day_when_the_department_has_sent_as_much_as_it_may(
    department: Department, clock: StoppedClock
) -> None:
    await department.keys.allow(
        DEPARTMENT, Allowance(per_minute=3_000, per_day=2 * FED_AHEAD_OF_BUCKET), actor="operator:1"
    )
    await department.refresh()
    batch_id = await a_batch(department, 700)
    await department.act(batch_id, Act.START)
    first = await department.feed()
    assert 0 < first <= 2 * FED_AHEAD_OF_BUCKET
    clock.advance(timedelta(hours=24))
    second = await department.feed()
    assert 0 < second <= 2 * FED_AHEAD_OF_BUCKET


async def test_what_a_test_key_sends_is_rehearsed_and_never_in_a_lane(
    department: Department, clock: StoppedClock, heard: Heard
) -> None:
    batch_id = await department.opened(kind="test")
    rows = [a_row(1), a_row(2), a_row(3, phone="+8610000000002")]
    await department.send(batch_id, rows)
    await department.act(batch_id, Act.START)
    assert await department.feed() == 3
    assert await leave(department) == 0
    endings = Endings()
    endings.listeners.append(heard)
    assert await Rehearsing(department.db, clock, endings).end_due() == 3
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    assert (progress.tally.delivered, progress.tally.failed) == (2, 1)
    assert progress.batch.state is BatchState.FINISHED


async def test_a_batch_left_open_is_forgotten(department: Department, clock: StoppedClock) -> None:
    batch_id = await a_batch(department, 5)
    clock.advance(LEFT_KEPT_FOR - timedelta(minutes=1))
    await department.batches.steering.settle_due()
    assert await department.rows() == 5
    clock.advance(timedelta(minutes=2))
    await department.batches.steering.settle_due()
    await department.batches.steering.settle_due()
    assert await department.rows() == 0
    assert (await department.batches.watching.read(DEPARTMENT, batch_id)).batch.state is BatchState.CANCELLED


class DyingDatabase:
    """A database whose client dies at its nth statement: inside, nobody hears of it."""

    def __init__(self, db: Database, dies_at: int) -> None:
        self._db = db
        self.left = dies_at

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed

    def transaction(self) -> Any:
        return _Dying(self, self._db.transaction())

    def connection(self) -> Any:
        return _Dying(self, self._db.connection())


class _Dying:
    def __init__(self, dying: DyingDatabase, block: Any) -> None:
        self._dying = dying
        self._block = block

    async def __aenter__(self) -> Any:
        self._conn = await self._block.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        if error[0] is None:
            try:
                self._dying.count()
            except Killed as killed:
                await self._block.__aexit__(Killed, killed, None)
                raise
        return await self._block.__aexit__(*error)

    def __getattr__(self, name: str) -> Any:
        ours = getattr(self._conn, name)

        async def counted(*arguments: Any, **named: Any) -> Any:
            self._dying.count()
            return await ours(*arguments, **named)

        return counted


async def test_killed_at_any_statement_no_row_is_lost_or_doubled(db: Database, clock: StoppedClock, keys: Keys) -> None:
    department = await a_department(db, clock, keys)
    text_id = await department.text()
    count = TOGETHER_MAX + 100
    body = ndjson(a_row(number) for number in range(1, count + 1))
    dies_at = 0
    while True:
        dies_at += 1
        batch_id = await department.opened(text_id)
        dying = DyingDatabase(db, dies_at)
        doomed = Department(dying, clock, keys, Endings())  # type: ignore[arg-type]
        daily = Daily(department.keys, department.per_day)
        doomed.batches = Batches(
            dying,  # type: ignore[arg-type]
            clock,
            keys,
            department.people,
            department.texts,
            department.teams,
            daily,
            Endings(),
        )
        try:
            await doomed.send(batch_id, body)
            await doomed.act(batch_id, Act.START)
            await doomed.batches.feeding.step(batch_id, bucket_of_row(batch_id, 1), 50)
        except Killed:
            died = True
        else:
            died = False
        batch = (await department.batches.watching.read(DEPARTMENT, batch_id)).batch
        if batch.state is BatchState.OPEN:
            assert await department.rows() == batch.received
            await department.send(batch_id, body)
            await department.act(batch_id, Act.START)
        await department.feed()
        assert await department.keys_of_messages() == keys_of(batch_id, count)
        requests = await db.fetch("SELECT reference FROM notifications.request WHERE batch_id = $1", batch_id)
        assert len(requests) == count
        batch = (await department.batches.watching.read(DEPARTMENT, batch_id)).batch
        assert (batch.spans, batch.fed) == ((Span(1, count),), count)
        await leave(department)
        if not died:
            break
        await db.fetch("DELETE FROM notifications.message RETURNING 1")
    assert dies_at > 15
