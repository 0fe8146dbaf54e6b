"""What became of messages is counted exactly; what they said is forgotten in time, and how they ended is not."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import BUCKETS, DepartmentId, MessageId
from kernel.sealing import Keys, NotSealedHere
from notifications.batches.model import STRIPE_ROWS, Act
from notifications.model import DeliveryStage
from notifications.outbox import bucket_in
from notifications.retention.errors import KeptTooLong
from notifications.retention.model import DAYS_MIN
from notifications.retention.parts import Retention
from notifications.seals import Seals
from notifications.statistics import queries
from notifications.statistics.parts import Statistics
from notifications.texts.model import TextSort
from tests.builders_batches import ACTOR, DEPARTMENT, NOTICE, Department, a_department, a_row
from tests.builders_loading import somebody

KEPT_DAYS = 90


@pytest.fixture
async def department(db: Database, clock: StoppedClock, keys: Keys) -> Department:
    return await a_department(db, clock, keys)


@pytest.fixture
def statistics(db: Database, clock: StoppedClock) -> Statistics:
    return Statistics(db, clock)


@pytest.fixture
async def retention(db: Database, clock: StoppedClock) -> Retention:
    opened = Retention(db, clock, days=KEPT_DAYS)
    await opened.keeping.snapshot.refresh()
    return opened


async def sent(department: Department, rows: list[Any], text_id: UUID | None = None) -> UUID:
    """A batch of these rows, fed."""
    batch_id = await department.opened(text_id)
    await department.send(batch_id, rows)
    await department.act(batch_id, Act.START)
    assert await department.feed() == len(rows)
    return batch_id


async def end(department: Department, *stages: str, channel: str = "sms", tries: int = 1) -> list[MessageId]:
    """End so many messages that are owed, one at each of these stages; their ids."""
    now = department.clock.now()
    found = await department.db.fetch(
        "SELECT bucket, message_id, lane FROM notifications.message WHERE stage = 'owed' ORDER BY key LIMIT $1",
        len(stages),
    )
    for row, stage in zip(found, stages, strict=True):
        place = (row["bucket"], row["message_id"])
        async with department.db.transaction() as conn:
            await conn.execute(
                "UPDATE notifications.message SET stage = 'routed' WHERE bucket = $1 AND message_id = $2", *place
            )
            is_open = stage == "accepted"
            await conn.execute(
                "INSERT INTO notifications.delivery (bucket, message_id, channel, lane, stage, fence, next_at,"
                " expires_at, ended_at, reason) VALUES ($1, $2, $3, $4, $5, 1, $6, $8, $7, 'DELIVRD 13800138000')",
                *place, channel, row["lane"], stage, now if is_open else None, None if is_open else now, now,
            )  # fmt: skip
            if channel != "inbox":
                reference = f"ref-{row['message_id']}"
                await conn.execute(
                    "INSERT INTO notifications.attempt (bucket, message_id, channel, fence, provider, may_repeat,"
                    " intended_at, outcome, ended_at, provider_ref, told)"
                    " VALUES ($1, $2, $3, 1, 'peer', false, $4, 'accepted', $4, $5, $6)",
                    *place, channel, now, reference, 2**tries - 1,
                )  # fmt: skip
    return [MessageId(row["message_id"]) for row in found]


async def counts(department: Department, statistics: Statistics) -> list[tuple[Any, ...]]:
    today = department.clock.now().date()
    async with department.db.connection() as conn:
        rows = await queries.select_counts(conn, ACTOR, first=today - timedelta(days=400), last=today, limit=100)
    return [
        (row.channel, row.is_direct, row.accepted, row.delivered, row.failed, row.unknown, row.withdrawn, row.segments)
        for row in rows
    ]


async def test_what_ended_is_counted_once_and_corrected_when_it_ends_anew(
    department: Department, statistics: Statistics
) -> None:
    batch_id = await sent(department, [a_row(number) for number in range(1, 11)])
    assert await counts(department, statistics) == [("sms", True, 10, 0, 0, 0, 0, 0)]
    ids = await end(department, "delivered", "undeliverable", "expired", "unknown", "withdrawn", "accepted", tries=3)
    for _ in range(2):
        await statistics.counting.count_due()
        assert await counts(department, statistics) == [("sms", True, 10, 1, 2, 1, 1, 15)]
    await department.db.fetch(
        "UPDATE notifications.delivery SET stage = 'delivered', next_at = NULL, ended_at = $2"
        " WHERE message_id = ANY($1) RETURNING 1",
        [ids[3], ids[5]], department.clock.now(),
    )  # fmt: skip
    assert await statistics.counting.count_due() == 2
    assert await counts(department, statistics) == [("sms", True, 10, 3, 2, 0, 1, 18)]
    tally = (await department.batches.watching.read(DEPARTMENT, batch_id)).tally
    assert (tally.delivered, tally.failed, tally.unknown, tally.withdrawn) == (3, 2, 0, 1)


async def test_nobody_learns_from_counts_whether_a_person_is_known(
    department: Department, statistics: Statistics
) -> None:
    async with department.db.transaction() as conn:
        await department.people.mint(conn, somebody(1), now=department.clock.now())
    text_id = await department.text(NOTICE, TextSort.NOTICE)
    rows = [a_row(number, phone=..., id_number=somebody(number).id_number) for number in (1, 2)]
    batch_id = await sent(department, rows, text_id)
    await end(department, "delivered", channel="inbox")
    await statistics.counting.count_due()
    assert await counts(department, statistics) == [("inbox", False, 2, 1, 0, 0, 0, 0)]
    tally = (await department.batches.watching.read(DEPARTMENT, batch_id)).tally
    assert (tally.delivered, tally.failed) == (0, 0)


async def test_after_ninety_days_nothing_that_was_said_is_left_and_the_state_is_still_answered(
    department: Department, statistics: Statistics, retention: Retention, clock: StoppedClock, keys: Keys
) -> None:
    await sent(department, [a_row(number) for number in range(1, 6)])
    ids = await end(department, "delivered", "undeliverable", "unknown", "accepted")
    seals, now = Seals(keys), clock.now()
    receipt_id = ids[0]
    await department.db.fetch(
        "INSERT INTO notifications.receipt (bucket, receipt_id, provider, provider_ref, reading, raw, received_at)"
        " VALUES ($1, $2, 'peer', 'ref', 'delivered', $3, $4) RETURNING 1",
        bucket_in(ids[0]), receipt_id, seals.receipt(receipt_id, b"raw"), now,
    )  # fmt: skip
    await statistics.counting.count_due()
    before = await counts(department, statistics)
    clock.advance(timedelta(days=KEPT_DAYS) - timedelta(minutes=1))
    assert await retention.forgetting.forget_due() == 0
    clock.advance(timedelta(minutes=2))
    assert await retention.forgetting.forget_due() == 3
    row = await department.db.fetchrow("SELECT * FROM notifications.message WHERE message_id = $1", ids[0])
    assert row is not None
    assert (row["sealed_values"], row["address"], row["person_id"], row["forgotten_at"]) == (
        b"",
        b"",
        None,
        clock.now(),
    )
    with pytest.raises(NotSealedHere):
        seals.open_values(ids[0], row["sealed_values"])
    left = await department.db.fetch("SELECT message_id FROM notifications.attempt")
    assert [one["message_id"] for one in left] == [ids[3]]
    assert await department.db.fetchval("SELECT count(*) FROM notifications.receipt") == 0
    reasons = await department.db.fetch("SELECT message_id FROM notifications.delivery WHERE reason IS NOT NULL")
    assert [one["message_id"] for one in reasons] == [ids[3]]
    called = await department.db.fetch("SELECT message_id FROM notifications.request WHERE reference IS NULL")
    assert {one["message_id"] for one in called} == set(ids[:3])
    found = await department.states.read(DEPARTMENT, ids[0])
    assert found.state == "delivered"
    assert await counts(department, statistics) == before


async def test_what_had_not_ended_is_forgotten_when_it_has(
    department: Department, retention: Retention, clock: StoppedClock
) -> None:
    await sent(department, [a_row(1), a_row(2)])
    [message_id] = await end(department, "accepted")
    clock.advance(timedelta(days=KEPT_DAYS, minutes=1))
    assert await retention.forgetting.forget_due() == 0
    clock.advance(timedelta(days=2))
    await department.db.fetch(
        "UPDATE notifications.delivery SET stage = $2, next_at = NULL, ended_at = $3 WHERE message_id = $1 RETURNING 1",
        message_id, DeliveryStage.UNKNOWN, clock.now(),
    )  # fmt: skip
    assert await retention.forgetting.forget_due() == 1
    assert await retention.forgetting.forget_due() == 0


async def test_a_department_may_have_its_messages_forgotten_sooner(
    department: Department, retention: Retention, clock: StoppedClock
) -> None:
    await sent(department, [a_row(number) for number in range(1, 4)])
    await end(department, "delivered", "delivered", "delivered")
    somebody_else = DepartmentId(UUID(int=7))
    await retention.keeping.choose(somebody_else, 10, actor="department:x")
    await retention.keeping.snapshot.refresh()
    clock.advance(timedelta(days=11))
    assert await retention.forgetting.forget_due() == 0
    assert await retention.keeping.choose(DEPARTMENT, 10, actor=ACTOR) == 10
    await retention.keeping.snapshot.refresh()
    assert await retention.forgetting.forget_due() == 3
    for days in (4, KEPT_DAYS + 1):
        with pytest.raises(KeptTooLong):
            await retention.keeping.choose(DEPARTMENT, days, actor=ACTOR)


async def test_a_batch_sent_days_after_its_rows_came_is_forgotten_in_time_like_any_other(
    department: Department, retention: Retention, clock: StoppedClock
) -> None:
    await retention.keeping.choose(DEPARTMENT, DAYS_MIN, actor=ACTOR)
    await retention.keeping.snapshot.refresh()
    batch_id = await department.opened(send_at=clock.now() + timedelta(days=10))
    await department.send(batch_id, [a_row(1), a_row(2)])
    await department.act(batch_id, Act.START)
    for _ in range(2):  # messages of the days between, in the same bucket, are looked at meanwhile
        other = await department.opened()
        await department.send(other, [a_row(3)], first=1 + STRIPE_ROWS * ((batch_id.int - other.int) % BUCKETS))
        await department.act(other, Act.START, without_missing=True)
        assert await department.feed() == 1
        await end(department, "delivered")
        clock.advance(timedelta(days=DAYS_MIN, minutes=1))
        assert await retention.forgetting.forget_due() == 1
    assert await department.feed() == 2
    await end(department, "delivered", "delivered")
    clock.advance(timedelta(days=DAYS_MIN) - timedelta(minutes=1))
    assert await retention.forgetting.forget_due() == 0
    clock.advance(timedelta(minutes=2))
    assert await retention.forgetting.forget_due() == 2
    kept = await department.db.fetch("SELECT 1 FROM notifications.message WHERE length(sealed_values) > 0")
    assert kept == []
    assert await department.db.fetch("SELECT 1 FROM notifications.not_forgotten") == []
