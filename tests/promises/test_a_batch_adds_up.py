"""What became of the rows of a batch adds up, whichever way each of them ended."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.clock import StoppedClock
from kernel.db import Connection, Database
from kernel.ids import MessageId
from kernel.sealing import Keys
from notifications.batches.model import Act, Batch, BatchState, bucket_of_row
from notifications.batches.progress import Progress
from notifications.batches.telling import TellingFinished
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.model import Reading
from notifications.parts import Notifications
from notifications.replies.model import OptSource
from notifications.replies.opt_outs import OptOuts
from notifications.seals import Seals
from notifications.services.model import State
from notifications.services.queries import Wanted
from notifications.statistics import queries as statistics_queries
from notifications.statistics.parts import Statistics
from tests.builders_batches import ACTOR, DEPARTMENT, Department, a_row
from tests.builders_loading import somebody
from tests.builders_notifications import Carrier, notifications_over

LONG_AFTER = timedelta(days=4)
ROWS = 20
ENDS = {
    1: "delivered",
    2: "its receipt says no",
    3: "refused for good",
    4: "the connection was lost",
    5: "cancelled by itself while it waits for another try",
    6: "taken back with the batch while it waits for another try",
    7: "its reader opted out",
    8: "cannot be opened",
    9: "cancelled by itself while it waits in its lane",
    10: "no receipt ever comes",
    11: "simulated",
    12: "simulated, and cancelled by itself before",
    13: "taken back with the batch",
    14: "taken back with the batch",
}
"""How the first rows end; those after them never became messages."""
FLYING = range(1, 13)
SIMULATED = "+8610000000001"


def phone(number: int) -> str:
    return str(a_row(number)["phone"])


def said_of(sms: Sms) -> Accepted | Refused | BaseException:
    """What the carrier answers, by the number."""
    answers: dict[str, Callable[[], Accepted | Refused | BaseException]] = {
        phone(3): lambda: Refused("recipient", "no such number"),
        phone(4): ConnectionResetError,
        phone(5): lambda: Refused("busy", "later"),
        phone(6): lambda: Refused("busy", "later"),
    }
    return answers.get(sms.phone, lambda: Accepted((f"carrier-{sms.reference}",)))()


@pytest.fixture
def carrier() -> Carrier:
    return Carrier(answer=said_of)


@pytest.fixture
def notifications(db: Database, clock: StoppedClock, keys: Keys, carrier: Carrier) -> Notifications:
    made = notifications_over(db, clock, keys, carrier)
    made.rules.opt_outs = OptOuts()
    return made


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys, notifications: Notifications) -> Department:
    opened = Department(db, clock, keys, notifications.endings)
    await opened.text()
    notifications.wordings.texts = opened.texts
    return opened


class Noted:
    """What departments would be called back with."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    async def note(self, conn: Connection, happened: Any, *, now: Any) -> None:
        self.said += [one.data for one in happened]


async def progress_of(department: Department, batch_id: UUID) -> Progress:
    """How far a batch is; at any moment each of its rows is in one place."""
    progress = await department.batches.watching.read(DEPARTMENT, batch_id)
    batch = progress.batch
    unfed = 0 if batch.state is BatchState.CANCELLED else batch.taken - batch.fed
    assert unfed + progress.waiting + progress.sent + progress.withdrawn == batch.taken
    return progress


async def message_ids(department: Department) -> dict[int, MessageId]:
    """The messages by the numbers of their rows."""
    rows = await department.db.fetch("SELECT key, message_id FROM notifications.message")
    return {int(row["key"].rpartition("/")[2]): MessageId(row["message_id"]) for row in rows}


async def of_the_day(department: Department) -> dict[str, int]:
    """What the department's counts of the day come to."""
    today = department.clock.now().date()
    async with department.db.connection() as conn:
        rows = await statistics_queries.select_counts(
            conn, ACTOR, first=today - timedelta(days=9), last=today, limit=100
        )
    ends = ("accepted", "delivered", "failed", "unknown", "withdrawn")
    return {end: sum(getattr(row, end) for row in rows) for end in ends}


async def opt_out(department: Department, keys: Keys, number: int) -> None:
    digests = Seals(keys).every_phone_digest(phone(number))
    async with department.db.transaction() as conn:
        await OptOuts().opt_out(conn, list(digests), ACTOR, OptSource.APP, now=department.clock.now())


async def receipts_come(notifications: Notifications, carrier: Carrier) -> None:
    for number, reading in ((1, Reading.DELIVERED), (2, Reading.UNDELIVERED)):
        carried = [sms for sms in carrier.carried if sms.phone == phone(number)]
        await notifications.receiving.take("carrier", carrier.receipts_of(carried, reading))
    await notifications.receiving.join_arrived()


async def test_every_row_that_was_taken_has_one_end_whichever_way_it_ended(
    department: Department, notifications: Notifications, carrier: Carrier, clock: StoppedClock, keys: Keys
) -> None:
    noted = Noted()
    department.batches.when_finished(TellingFinished(noted))  # type: ignore[arg-type]
    rows = [a_row(number, phone=SIMULATED if number in (11, 12) else phone(number)) for number in range(1, ROWS + 1)]
    batch_id = await department.opened()
    await department.send(batch_id, [*rows, b"nonsense"])
    await department.act(batch_id, Act.START)
    bucket = bucket_of_row(batch_id, 1)
    assert await department.batches.feeding.step(batch_id, bucket, len(FLYING)) == len(FLYING)
    ids = await message_ids(department)
    await opt_out(department, keys, 7)
    await department.db.fetch(
        "UPDATE notifications.message SET sealed_values = $2 WHERE message_id = $1 RETURNING 1", ids[8], b"\0" * 40
    )
    for number in (9, 12):
        assert (await department.states.withdraw(DEPARTMENT, ids[number])).state is State.WITHDRAWN
        assert (await department.states.withdraw(DEPARTMENT, ids[number])).state is State.WITHDRAWN
    await progress_of(department, batch_id)

    await notifications.settle()
    await receipts_come(notifications, carrier)
    assert (await department.states.withdraw(DEPARTMENT, ids[5])).state is State.WITHDRAWN
    await progress_of(department, batch_id)

    assert await department.batches.feeding.step(batch_id, bucket, 2) == 2
    await department.act(batch_id, Act.CANCEL)
    await progress_of(department, batch_id)
    statistics = Statistics(department.db, clock)
    await statistics.counting.count_due()
    for _ in range(2):
        await department.batches.steering.settle_due()
    clock.advance(LONG_AFTER)
    await notifications.settle()
    await statistics.counting.count_due()

    progress = await progress_of(department, batch_id)
    tally, batch = progress.tally, progress.batch
    assert await department.rows() == progress.waiting == 0
    assert (batch.received, batch.refused, batch.taken, batch.fed) == (ROWS + 1, 1, ROWS, len(ENDS))
    assert tally.delivered + tally.failed + tally.unknown + progress.withdrawn == batch.taken
    never_fed = ROWS - len(ENDS)
    assert (tally.delivered, tally.failed, tally.unknown) == (2, 3, 2)  # 1, 11; 2, 3, 8; 4, 10
    assert progress.withdrawn == 7 + never_fed  # 5, 6, 7, 9, 12, 13, 14
    assert progress.sent == 7

    [said] = noted.said
    assert (said.taken, said.fed, said.withdrawn) == (ROWS, len(ENDS), 7 + never_fed)
    for number, message_id in ids.items():
        state = (await department.states.read(DEPARTMENT, message_id)).state
        assert (state is State.WITHDRAWN) == (number in (5, 6, 7, 9, 12)), ENDS[number]
    # Of the day: those a carrier was to have, all but the two that were simulated, and the one nobody could open.
    assert await of_the_day(department) == {
        "accepted": 12, "delivered": 1, "failed": 2, "unknown": 2, "withdrawn": 6,
    }  # fmt: skip


async def test_what_is_cancelled_by_itself_is_counted_once_while_its_batch_is_cancelled_too(
    department: Department,
) -> None:
    batch_id = await department.opened()
    await department.send(batch_id, [a_row(number) for number in range(1, 6)])
    await department.act(batch_id, Act.START)
    assert await department.feed() == 5
    ids = await message_ids(department)
    await department.states.withdraw(DEPARTMENT, ids[1])
    progress = await progress_of(department, batch_id)
    assert (progress.waiting, progress.withdrawn, progress.sent) == (4, 1, 0)
    await department.act(batch_id, Act.CANCEL)
    for number in (1, 2):
        await department.states.withdraw(DEPARTMENT, ids[number])
    await department.batches.steering.settle_due()
    progress = await progress_of(department, batch_id)
    assert (progress.waiting, progress.withdrawn, progress.sent) == (0, 5, 0)
    assert await of_the_day(department) == {
        "accepted": 5, "delivered": 0, "failed": 0, "unknown": 0, "withdrawn": 5,
    }  # fmt: skip


async def test_of_people_no_more_is_told_than_what_was_taken_back(department: Department, clock: StoppedClock) -> None:
    rows = [a_row(number, phone=..., id_number=somebody(number).id_number) for number in range(1, 5)]
    for kind in ("live", "test"):
        batch_id = await department.opened(kind=kind)
        await department.send(batch_id, rows)
        await department.act(batch_id, Act.START)
        assert await department.feed() == 4
        page = await department.states.page(DEPARTMENT, Wanted(kind=kind), limit=10)
        await department.states.withdraw(DEPARTMENT, page.sent[0].request.message_id)
        await Statistics(department.db, clock).counting.count_due()
        progress = await progress_of(department, batch_id)
        assert (progress.withdrawn, progress.tally.delivered, progress.tally.failed) == (1, 0, 0)


async def test_a_cancelled_batch_is_told_of_once_when_all_of_it_is_taken_back(
    department: Department, clock: StoppedClock
) -> None:
    heard: list[tuple[BatchState, int]] = []

    class Listening:
        async def finished(self, conn: Connection, batch: Batch, now: Any) -> None:
            heard.append((batch.state, batch.withdrawn))

    department.batches.when_finished(Listening())
    batch_id = await department.opened()
    await department.send(batch_id, [a_row(number) for number in range(1, 8)])
    await department.act(batch_id, Act.START)
    assert await department.feed() == 7
    batch = await department.act(batch_id, Act.CANCEL)
    await asyncio.gather(*(department.batches.steering.settle(batch) for _ in range(3)))
    await department.batches.steering.settle_due()
    assert heard == [(BatchState.CANCELLED, 7)]
