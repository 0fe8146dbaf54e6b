"""No department's batches stop another's, and each sends as much on a day as it may, to the last message."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.sealing import Keys
from notifications.batches.errors import TooManyBatches, TooManyRows
from notifications.batches.feeding.feeding import AT_ONCE_MAX, in_turn
from notifications.batches.feeding.queries import Feedable
from notifications.batches.model import Act, BatchState
from notifications.batches.taking import UNENDED_MAX, UNFED_MAX
from notifications.model import Lane
from notifications.services.model import Allowance
from notifications.texts.model import TextSort
from tests.builders_batches import DEPARTMENT, NOTICE, Department, a_department, a_row
from tests.builders_notifications import Carrier, notifications_over

OTHER = DepartmentId(UUID("018f0000-0000-7000-8000-0000000000d2"))
LETTER: dict[str, Any] = NOTICE


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys) -> Department:
    return await a_department(db, clock, keys)


async def started(department: Department, rows: int, **how: Any) -> UUID:
    batch_id = await department.opened(**how)
    await department.send(batch_id, [a_row(number) for number in range(1, rows + 1)])
    await department.act(batch_id, Act.START)
    return batch_id


async def allow(department: Department, per_day: int) -> None:
    await department.keys.allow(DEPARTMENT, Allowance(per_minute=3_000, per_day=per_day), actor="operator:1")
    await department.refresh()


async def become_others(department: Department, batch_id: UUID) -> None:
    """Have a batch be another department's, as if it had sent it."""
    await department.db.fetch(
        "UPDATE notifications.batch SET department_id = $2 WHERE batch_id = $1 RETURNING 1", batch_id, OTHER
    )


async def fed(department: Department, batch_id: UUID) -> int:
    return int(await department.db.fetchval("SELECT fed FROM notifications.batch WHERE batch_id = $1", batch_id))


async def test_whose_day_is_spent_holds_up_nobody_else(department: Department, clock: StoppedClock) -> None:
    text_id = await department.text()
    await allow(department, 10)
    first = await started(department, 10, text_id=text_id)
    assert await department.feed() == 10
    waiting = [await started(department, 1, text_id=text_id) for _ in range(AT_ONCE_MAX)]
    clock.advance(timedelta(minutes=1))
    others = await started(department, 3, text_id=text_id)
    await become_others(department, others)
    assert await department.feed() == 3
    assert (await fed(department, others), await fed(department, first)) == (3, 10)
    clock.advance(timedelta(days=1))
    assert await department.feed() == 10
    assert sum([await fed(department, one) for one in waiting]) == 10


async def test_batches_that_rest_for_the_night_hold_up_no_e_mail(
    department: Department, clock: StoppedClock, keys: Keys
) -> None:
    notifications = notifications_over(department.db, clock, keys, Carrier())
    notifications.wordings.texts = department.texts
    department.batches.feeding.hours = notifications.rules
    clock.advance(timedelta(hours=14))  # it was nine in the morning
    text_id = await department.text()
    for _ in range(AT_ONCE_MAX):
        await started(department, 1, text_id=text_id)
    clock.advance(timedelta(minutes=1))
    by_mail = await department.opened(await department.text(LETTER, TextSort.EMAIL))
    await department.send(by_mail, [a_row(1, phone=..., email="wang@example.org")])
    await department.act(by_mail, Act.START)
    assert await department.feed() == 1


def test_departments_take_turns() -> None:
    def batch(department: int, number: int) -> Feedable:
        return Feedable(UUID(int=number), DepartmentId(UUID(int=department)), str(uuid4()), 1, Lane.BULK, "live")

    many = [batch(1, number) for number in range(1, 6)]
    found = [*many, batch(2, 11), batch(3, 12), batch(3, 13)]
    orders = [[one.batch_id.int for one in in_turn(found, turn)] for turn in range(4)]
    assert orders == [
        [1, 11, 12, 2, 13, 3, 4, 5],
        [11, 12, 1, 13, 2, 3, 4, 5],
        [12, 1, 11, 13, 2, 3, 4, 5],
        [1, 11, 12, 2, 13, 3, 4, 5],
    ]
    assert in_turn([], 3) == []


async def test_the_last_messages_of_a_day_are_sent_however_few_they_are(
    department: Department, clock: StoppedClock
) -> None:
    await allow(department, 30)
    batch_id = await started(department, 75)
    for so_far in (30, 60, 75):
        await department.feed()
        assert await fed(department, batch_id) == so_far
        clock.advance(timedelta(days=1))
    assert await department.rows() == 0


async def test_what_a_test_key_sends_needs_no_allowance_and_uses_none(
    department: Department, clock: StoppedClock
) -> None:
    await allow(department, 5)
    text_id = await department.text()
    spent = [await started(department, 6, text_id=text_id) for _ in range(AT_ONCE_MAX)]
    assert await department.feed() == 5
    assert sum([await fed(department, one) for one in spent]) == department.per_day.so_far(DEPARTMENT) == 5
    clock.advance(timedelta(minutes=1))
    rehearsed = await started(department, 20, text_id=text_id, kind="test")
    assert await department.feed() == 20
    assert department.per_day.so_far(DEPARTMENT) == 5
    assert (await department.batches.watching.read(DEPARTMENT, rehearsed)).batch.state is BatchState.FINISHED


async def test_a_department_has_only_so_many_batches_under_way(department: Department) -> None:
    text_id = await department.text()
    ids = [await department.opened(text_id) for _ in range(UNENDED_MAX)]
    with pytest.raises(TooManyBatches):
        await department.opened(text_id)
    same = (await department.batches.watching.read(DEPARTMENT, ids[0])).batch.plan
    assert (await department.batches.taking.open(DEPARTMENT, ids[0], same, actor="x")).batch_id == ids[0]
    await department.act(ids[0], Act.CANCEL)
    await department.opened(text_id)


async def test_a_department_has_only_so_many_rows_that_wait(department: Department) -> None:
    full = await department.opened()
    await department.db.fetchval(
        "UPDATE notifications.batch SET spans = $2, received = $3 WHERE batch_id = $1 RETURNING 1",
        full, [1, UNFED_MAX], UNFED_MAX,
    )  # fmt: skip
    batch_id = await department.opened()
    with pytest.raises(TooManyRows):
        await department.send(batch_id, [a_row(1)])
    await department.act(full, Act.CANCEL)
    assert (await department.send(batch_id, [a_row(1)])).taken == 1
