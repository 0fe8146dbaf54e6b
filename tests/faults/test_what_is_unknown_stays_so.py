"""An attempt that may have reached somebody is not forgotten by what comes after it, and a certain no is not doubted.

Found by `prove-delivery`: a code whose first attempt was unknown ended as expired, or as undeliverable, and nobody was
alerted; one that receipts of every provider had said no to ended as unknown; and a try in the hands of a killed worker,
overtaken by the receipt of an earlier one, stayed without outcome for ever.
"""

from datetime import timedelta

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications import templates
from notifications.channels.provider import RawReceipt, Refused
from notifications.model import Reading
from notifications.parts import Notifications
from tests.builders_notifications import Carrier, Killed, a_promise, notifications_over, outcomes, owe, stages

HOURS = (timedelta(seconds=5), timedelta(minutes=2), timedelta(minutes=10), timedelta(days=4))


async def owe_a_code(db: Database, clock: StoppedClock, keys: Keys, *carriers: Carrier) -> Notifications:
    notifications = notifications_over(db, clock, keys, *carriers)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    await notifications.settle()
    return notifications


async def hours_pass(notifications: Notifications, clock: StoppedClock) -> None:
    for step in HOURS:
        clock.advance(step)
        await notifications.settle()


@pytest.mark.parametrize("kind", ["busy", "provider", "recipient"])
async def test_a_code_that_may_have_left_is_unknown_whatever_another_provider_refuses(db, clock, keys, kind) -> None:
    unsure = Carrier("a", answer=lambda _: TimeoutError())
    refusing = Carrier("b", answer=lambda _: Refused(kind, "no"))
    notifications = await owe_a_code(db, clock, keys, unsure, refusing)
    await hours_pass(notifications, clock)
    assert (len(unsure.carried), bool(refusing.carried)) == (1, True)
    assert await stages(db) == {"sms unknown": 1}


async def test_a_code_that_may_have_left_is_unknown_when_its_time_is_over_before_another_try(db, clock, keys) -> None:
    first, second = Carrier("a", answer=lambda _: TimeoutError()), Carrier("b")
    notifications = await owe_a_code(db, clock, keys, first, second)
    assert await stages(db) == {"sms waiting": 1}
    clock.advance(timedelta(hours=1))
    await notifications.closing.close_everywhere()
    assert await stages(db) == {"sms unknown": 1}
    assert await db.fetchval("SELECT reason FROM notifications.delivery") == "too late"
    assert second.carried == []


async def test_a_code_that_receipts_of_every_provider_say_no_to_is_undeliverable(db, clock, keys) -> None:
    carriers = [Carrier("a"), Carrier("b")]
    notifications = await owe_a_code(db, clock, keys, *carriers)
    for carrier in carriers:
        await notifications.receiving.take(carrier.name, carrier.receipts_of(carrier.carried, Reading.UNDELIVERED))
        await notifications.receiving.join_arrived()
        clock.advance(timedelta(seconds=5))
        await notifications.settle()
    await hours_pass(notifications, clock)
    assert [len(carrier.carried) for carrier in carriers] == [1, 1]
    assert await stages(db) == {"sms undeliverable": 1}


async def test_a_try_that_a_receipt_of_an_earlier_one_overtakes_is_not_left_without_outcome(db, clock, keys) -> None:
    first, second = Carrier("a", answer=lambda _: TimeoutError()), Carrier("b", answer=lambda _: Killed())
    notifications = await owe_a_code(db, clock, keys, first, second)
    clock.advance(timedelta(seconds=5))
    with pytest.raises(Killed):
        await notifications.settle()
    clock.advance(timedelta(seconds=6))
    receipts = [RawReceipt("a-1", Reading.DELIVERED, b"stat:DELIVRD", reference=one.reference) for one in first.carried]
    await notifications.receiving.take("a", receipts)
    clock.advance(timedelta(seconds=6))
    await notifications.finding.find_stale()
    await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 1}
    await hours_pass(notifications, clock)
    assert [outcome for _, outcome in await outcomes(db)] == ["accepted", "unknown"]
