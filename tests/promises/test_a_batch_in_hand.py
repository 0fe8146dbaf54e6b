"""A batch is paused, cancelled and finished whole: also what waits for the morning, or for another try."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications.batches.errors import BatchStepNotAllowed
from notifications.batches.model import Act, BatchState, bucket_of_row
from notifications.batches.progress import Progress
from notifications.channels.provider import Accepted, Refused
from notifications.model import Lane
from notifications.parts import Notifications
from notifications.services.errors import TextNotInUse
from notifications.statistics.parts import Statistics
from notifications.texts import deciding, writing
from tests.builders_batches import DEPARTMENT, READY, Department, a_row
from tests.builders_notifications import Carrier, notifications_over

ROWS = 40
TO_LATE_IN_THE_EVENING = timedelta(hours=14)
TO_THE_MORNING = timedelta(hours=9, minutes=5)


class Moody(Carrier):
    """A carrier that is busy as long as it likes."""

    is_busy = True

    async def send(self, parcel: Any) -> Accepted | Refused:
        if self.is_busy:
            return Refused("busy", "later")
        self.carried.append(parcel)
        return Accepted((f"carrier-{parcel.reference}",))


@pytest.fixture
def carrier() -> Moody:
    return Moody()


@pytest.fixture
def notifications(db: Database, clock: StoppedClock, keys: Keys, carrier: Moody) -> Notifications:
    return notifications_over(db, clock, keys, carrier)


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys, notifications: Notifications) -> Department:
    opened = Department(db, clock, keys, notifications.endings)
    notifications.wordings.texts = opened.texts
    return opened


async def started(department: Department, **how: Any) -> UUID:
    batch_id = await department.opened(**how)
    await department.send(batch_id, [a_row(number) for number in range(1, ROWS + 1)])
    await department.act(batch_id, Act.START)
    return batch_id


async def look(department: Department, batch_id: UUID) -> Progress:
    return await department.batches.watching.read(DEPARTMENT, batch_id)


async def begun_in_the_night(department: Department, notifications: Notifications, clock: StoppedClock) -> UUID:
    """A batch that was fed a moment before the quiet hours, and claimed in them."""
    clock.advance(TO_LATE_IN_THE_EVENING)
    batch_id = await started(department)
    assert await department.feed() == ROWS
    await notifications.settle()
    return batch_id


async def begun_while_busy(department: Department, notifications: Notifications) -> UUID:
    """A batch of which every first try was refused."""
    batch_id = await started(department)
    assert await department.feed() == ROWS
    await notifications.settle()
    return batch_id


async def test_what_waits_for_the_morning_is_taken_back_with_its_batch(
    department: Department, notifications: Notifications, carrier: Moody, clock: StoppedClock
) -> None:
    carrier.is_busy = False
    batch_id = await begun_in_the_night(department, notifications, clock)
    assert (await look(department, batch_id)).waiting == ROWS
    await department.act(batch_id, Act.CANCEL)
    clock.advance(TO_THE_MORNING)
    await notifications.settle()
    assert carrier.carried == []
    await Statistics(department.db, clock).counting.count_due()
    await department.batches.steering.settle_due()
    progress = await look(department, batch_id)
    assert (progress.batch.state, progress.withdrawn, progress.sent) == (BatchState.CANCELLED, ROWS, 0)


async def test_a_batch_is_not_finished_while_one_of_its_messages_waits(
    department: Department, notifications: Notifications, carrier: Moody, clock: StoppedClock
) -> None:
    carrier.is_busy = False
    batch_id = await begun_in_the_night(department, notifications, clock)
    await department.feed()
    assert (await look(department, batch_id)).batch.state is BatchState.STARTED
    clock.advance(TO_THE_MORNING)
    await notifications.settle()
    await department.feed()
    progress = await look(department, batch_id)
    assert (progress.batch.state, progress.sent, len(carrier.carried)) == (BatchState.FINISHED, ROWS, ROWS)


async def test_a_paused_batch_makes_no_further_try_and_goes_on_when_resumed(
    department: Department, notifications: Notifications, carrier: Moody, clock: StoppedClock
) -> None:
    batch_id = await begun_while_busy(department, notifications)
    await department.act(batch_id, Act.PAUSE)
    carrier.is_busy = False
    for _ in range(5):
        clock.advance(timedelta(days=3))
        await notifications.settle()
        await department.batches.steering.settle_due()
    assert carrier.carried == []
    await department.act(batch_id, Act.RESUME)
    await notifications.settle()
    assert len(carrier.carried) == ROWS
    await department.feed()
    assert (await look(department, batch_id)).batch.state is BatchState.FINISHED


@pytest.mark.parametrize("act", [Act.PAUSE, Act.CANCEL])
async def test_what_is_in_the_air_when_its_batch_is_paused_or_cancelled_is_not_tried_again(
    department: Department, notifications: Notifications, carrier: Moody, clock: StoppedClock, act: Act
) -> None:
    batch_id = await started(department)
    assert await department.feed() == ROWS
    buckets = {bucket_of_row(batch_id, number) for number in range(1, ROWS + 1)}
    flying = [await notifications.sending.claim(bucket, Lane.BULK) for bucket in buckets]
    assert sum(len(batch.flights) for batch in flying) == ROWS
    await department.act(batch_id, act)
    await department.batches.steering.settle_due()
    for batch in flying:
        await notifications.sending.carry(batch)
    if act is Act.PAUSE:
        await department.batches.steering.settle_due()  # within a beat of coming back
    carrier.is_busy = False
    clock.advance(timedelta(minutes=5))
    await notifications.settle()
    assert carrier.carried == []


async def test_a_batch_whose_text_is_withdrawn_pauses_and_says_why(
    department: Department, notifications: Notifications, carrier: Moody, clock: StoppedClock
) -> None:
    carrier.is_busy = False
    text_id = await department.text()
    later = await started(department, text_id=text_id, send_at=clock.now() + timedelta(hours=1))
    other = await started(department, text_id=await department.text())
    async with department.db.transaction() as conn:
        await deciding.withdraw(conn, text_id, 1, "不准", actor="operator:1", now=clock.now())
    await department.refresh()
    clock.advance(timedelta(hours=1))
    assert await department.feed() == ROWS
    await department.batches.steering.settle_due()
    batch = (await look(department, later)).batch
    assert (batch.state, batch.paused_for, batch.fed) == (BatchState.PAUSED, "text", 0)
    assert (await look(department, other)).batch.state is BatchState.STARTED
    with pytest.raises(TextNotInUse):
        await department.act(later, Act.RESUME)
    await department.act(later, Act.CANCEL)


async def test_what_waits_in_its_lane_when_the_text_is_withdrawn_does_not_leave(
    department: Department, notifications: Notifications, carrier: Moody, clock: StoppedClock
) -> None:
    carrier.is_busy = False
    text_id = await department.text()
    batch_id = await started(department, text_id=text_id)
    assert await department.feed() == ROWS
    async with department.db.transaction() as conn:
        await deciding.withdraw(conn, text_id, 1, "不准", actor="operator:1", now=clock.now())
    await department.refresh()
    await department.batches.steering.settle_due()
    await notifications.settle()
    assert carrier.carried == []
    assert (await look(department, batch_id)).waiting == ROWS


async def test_what_an_operator_paused_its_department_cannot_resume(
    department: Department, clock: StoppedClock
) -> None:
    batch_id = await started(department)
    await department.act(batch_id, Act.PAUSE)
    steering, how = department.batches.steering, {"actor": "operator:1", "why": "operator"}
    batch = await steering.act(DEPARTMENT, batch_id, Act.PAUSE, **how)  # type: ignore[arg-type]
    assert (batch.state, batch.paused_for) == (BatchState.PAUSED, "operator")
    with pytest.raises(BatchStepNotAllowed):
        await department.act(batch_id, Act.RESUME)
    assert await department.feed() == 0
    batch = await steering.act(DEPARTMENT, batch_id, Act.RESUME, **how)  # type: ignore[arg-type]
    assert (batch.state, batch.paused_for) == (BatchState.STARTED, None)
    assert await department.feed() == ROWS
    acts = await department.db.fetch("SELECT actor, act FROM kernel.audit WHERE actor = 'operator:1' ORDER BY act")
    assert [row["act"] for row in acts][-2:] == ["notifications.batch_pause", "notifications.batch_resume"]


async def test_a_text_that_was_put_away_is_not_sent_by_a_batch(department: Department, clock: StoppedClock) -> None:
    text_id = await department.text(READY)
    opened = await department.opened(text_id)
    await department.send(opened, [a_row(1)])
    async with department.db.transaction() as conn:
        await writing.archive(conn, DEPARTMENT, text_id, is_archived=True, now=clock.now())
    await department.refresh()
    with pytest.raises(TextNotInUse):
        await department.opened(text_id)
    with pytest.raises(TextNotInUse):
        await department.send(opened, [a_row(2)], first=2)
    with pytest.raises(TextNotInUse):
        await department.act(opened, Act.START)
