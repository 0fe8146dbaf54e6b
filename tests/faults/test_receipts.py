"""Receipts doubled, out of order, early, late or of nothing at all: each message ends where the truth is."""

import asyncio
import random
from datetime import timedelta

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import bucket_of
from kernel.sealing import Keys
from notifications import templates
from notifications.channels.provider import Accepted, RawReceipt
from notifications.model import RECEIPT_PATIENCE, Reading
from notifications.parts import Notifications
from tests.builders_notifications import (
    Carrier,
    SlowCarrier,
    a_promise,
    notifications_over,
    outcomes,
    owe,
    stages,
)


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def notifications(db: Database, clock: StoppedClock, keys: Keys, carrier: Carrier) -> Notifications:
    return notifications_over(db, clock, keys, carrier)


async def send_some(notifications: Notifications, count: int) -> None:
    now = notifications.clock.now()
    await owe(notifications, *(a_promise(key=str(n), due_at=now) for n in range(count)))
    await notifications.settle()


async def test_receipts_doubled_and_in_any_order_are_one_delivery_each(notifications, db, carrier) -> None:
    await send_some(notifications, 50)
    receipts = carrier.receipts_of(carrier.carried) * 3 + carrier.receipts_of(carrier.carried, Reading.UNDERWAY)
    random.Random(7).shuffle(receipts)
    for start in range(0, len(receipts), 30):
        await notifications.receiving.take("carrier", receipts[start : start + 30])
        await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 50}
    assert await db.fetchval("SELECT count(*) FROM notifications.receipt WHERE joined_at IS NULL") == 0


async def test_parts_of_two_tries_that_arrive_together_are_each_of_its_own_try(db, clock, keys) -> None:
    of_one_bucket = {name: [f"{n}" for n in range(2_000) if bucket_of(name, f"{n}") == 0] for name in "ab"}
    first, second = (Carrier(name, lambda _, name=name: Accepted(tuple(of_one_bucket[name][:3]))) for name in "ab")
    notifications = notifications_over(db, clock, keys, first, second)
    await owe(notifications, a_promise(templates.BOOKING_CANCELLED, due_at=clock.now()))
    await notifications.settle()

    async def come(*receipts: tuple[str, int, Reading]) -> None:
        for name, part, reading in receipts:
            await notifications.receiving.take(name, [RawReceipt(of_one_bucket[name][part], reading, b"")])
        await notifications.receiving.join_arrived()
        await notifications.settle()

    await come(("a", 0, Reading.DELIVERED), ("a", 1, Reading.DELIVERED), ("a", 2, Reading.UNDELIVERED))
    assert (len(second.carried), await stages(db)) == (1, {"sms accepted": 1})
    await come(("a", 2, Reading.DELIVERED), ("b", 0, Reading.DELIVERED))  # the first thought better of it
    assert await stages(db) == {"sms delivered": 1}


async def test_two_workers_join_the_same_receipts_in_peace(notifications, db, carrier) -> None:
    await send_some(notifications, 100)
    await notifications.receiving.take("carrier", carrier.receipts_of(carrier.carried) * 2)
    joined = await asyncio.gather(*(notifications.receiving.join_arrived() for _ in range(4)))
    assert sum(joined) == 200
    assert await stages(db) == {"sms delivered": 100}


async def test_a_receipt_before_the_answer_to_its_submission_is_kept_for_it(db, clock, keys) -> None:
    slow = SlowCarrier("carrier")
    notifications = notifications_over(db, clock, keys, slow)
    await owe(notifications, a_promise(due_at=clock.now()))
    sending = asyncio.create_task(notifications.delivering.send_everything_due())
    while not slow.carried:
        await asyncio.sleep(0.01)
    await notifications.receiving.take("carrier", slow.receipts_of(slow.carried))
    assert await notifications.receiving.join_arrived() == 0
    slow.let_go.set()
    await sending
    assert await notifications.receiving.join_arrived() == 1
    assert await stages(db) == {"sms delivered": 1}


async def test_delivered_is_the_end_whatever_else_is_said(notifications, db, carrier) -> None:
    await send_some(notifications, 2)
    first, second = carrier.carried
    missed, told = Reading.UNDELIVERED, Reading.DELIVERED
    for sms, readings in ((first, (missed, told)), (second, (told, missed))):
        for reading in readings:
            await notifications.receiving.take("carrier", carrier.receipts_of([sms], reading))
            await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 2}


async def test_what_did_not_arrive_is_alerted_and_on_an_ordinary_lane_not_sent_again(db, clock, keys) -> None:
    first, second = Carrier("carrier"), Carrier("other")
    notifications = notifications_over(db, clock, keys, first, second)
    await send_some(notifications, 1)
    await notifications.receiving.take("carrier", first.receipts_of(first.carried, Reading.UNDELIVERED))
    await notifications.settle()
    await notifications.receiving.join_arrived()
    await notifications.settle()
    assert await stages(db) == {"sms undeliverable": 1}
    assert second.carried == []


async def test_a_code_that_did_not_arrive_goes_out_through_another_provider(db, clock, keys) -> None:
    first, second = Carrier("carrier"), Carrier("other")
    notifications = notifications_over(db, clock, keys, first, second)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    await notifications.settle()
    await notifications.receiving.take("carrier", first.receipts_of(first.carried, Reading.UNDELIVERED))
    await notifications.receiving.join_arrived()
    await notifications.settle()
    # The first one is never asked again, since its attempt is not certain to have failed.
    assert (len(first.carried), len(second.carried)) == (1, 1)
    assert await outcomes(db) == [("carrier", "accepted"), ("other", "accepted")]


async def test_a_receipt_of_nothing_of_ours_is_kept_and_harms_nobody(notifications, db, carrier) -> None:
    await send_some(notifications, 1)
    strange = [
        RawReceipt(reference, Reading.DELIVERED, b"\x00\xff") for reference in ("", "\x00", "n" * 900, "nobody's")
    ]
    await notifications.receiving.take("carrier", [*strange, *carrier.receipts_of(carrier.carried)])
    await notifications.receiving.take("another", carrier.receipts_of(carrier.carried))
    await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 1}
    assert await db.fetchval("SELECT count(*) FROM notifications.receipt WHERE joined_at IS NULL") == 5


async def test_what_was_accepted_and_never_confirmed_is_alerted(notifications, db, carrier, clock) -> None:
    await send_some(notifications, 3)
    await notifications.receiving.take("carrier", carrier.receipts_of(carrier.carried[:1]))
    await notifications.receiving.join_arrived()
    clock.advance(RECEIPT_PATIENCE - timedelta(seconds=1))
    await notifications.settle()
    assert await stages(db) == {"sms delivered": 1, "sms accepted": 2}
    clock.advance(timedelta(seconds=1))
    await notifications.settle()
    assert await stages(db) == {"sms delivered": 1, "sms unknown": 2}
    await notifications.receiving.take("carrier", carrier.receipts_of(carrier.carried[1:2]))  # later than late
    await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 2, "sms unknown": 1}


async def test_the_demo_carrier_confirms_what_a_killed_worker_had_shown(db, clock, keys) -> None:
    notifications = notifications_over(db, clock, keys)
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.delivering.send_everything_due()  # killed here, before any receipt
    heir = notifications_over(db, clock, keys)

    hearing = asyncio.create_task(heir.receiving.listen(heir.demo_outbox))
    await asyncio.wait_for(heir.receiving.arrived.wait(), 5)
    await heir.receiving.join_arrived()
    hearing.cancel()
    assert await stages(db) == {"sms delivered": 1}
