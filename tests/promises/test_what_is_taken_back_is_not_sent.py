"""Whoever owed a message takes it back while an attempt at it is in the air: what is sent is sent, and no more is."""

from datetime import timedelta

import pytest

from notifications import templates
from notifications.channels.provider import Accepted, RawReceipt, Refused
from notifications.contacts import Choices
from notifications.model import CALLER_PREFIX, Reading
from notifications.services.errors import NotWithdrawable
from notifications.services.model import State
from tests.builders_notifications import Carrier, Ends, a_promise, notifications_over, outcomes, owe, stages
from tests.builders_sending import SUBSCRIBE_TEXTS, a_chooser, allow
from tests.builders_services import Department, services_over


class TakenBack(Carrier):
    """A carrier in whose hands a message is taken back, and which says then whatever the test wants."""

    def __init__(self, name: str, db, clock, answer, **others) -> None:
        super().__init__(name, answer, **others)
        self._db, self._clock = db, clock
        self.outbox = None

    async def send(self, parcel, /):
        async with self._db.transaction() as conn:
            await self.outbox.withdraw(conn, "tests", "b/1", now=self._clock.now())
        return await super().send(parcel)


async def days_pass(notifications, clock) -> None:
    for step in (timedelta(seconds=2), timedelta(minutes=2), timedelta(hours=1), timedelta(days=4)):
        clock.advance(step)
        await notifications.settle()


async def test_what_is_taken_back_in_the_air_is_not_tried_again_when_its_carrier_was_busy(db, clock, keys) -> None:
    busy = TakenBack("busy", db, clock, lambda _: Refused("busy", "not connected"))
    notifications = notifications_over(db, clock, keys, busy)
    busy.outbox, ends = notifications.outbox, Ends()
    notifications.endings.listeners.append(ends)
    await owe(notifications, a_promise(key="b/1", due_at=clock.now()))
    await notifications.settle()
    assert await stages(db) == {"sms withdrawn": 1}
    assert ends.said == [("sms", "withdrawn", "taken back")]
    await days_pass(notifications, clock)
    assert (len(busy.carried), ends.said[1:]) == (1, [])


async def test_what_is_taken_back_in_the_air_goes_to_no_other_carrier_that_may_have_it_twice(db, clock, keys) -> None:
    silent, other = TakenBack("a", db, clock, lambda _: TimeoutError()), Carrier("b")
    notifications = notifications_over(db, clock, keys, silent, other)
    silent.outbox = notifications.outbox
    await owe(notifications, a_promise(templates.BOOKING_CANCELLED, key="b/1", due_at=clock.now()))
    await notifications.settle()
    await days_pass(notifications, clock)
    assert (other.carried, await stages(db)) == ([], {"sms unknown": 1})


async def test_what_is_taken_back_between_two_tries_is_unknown_where_the_first_may_have_it(db, clock, keys) -> None:
    silent, other = Carrier("a", lambda _: TimeoutError()), Carrier("b")
    notifications = notifications_over(db, clock, keys, silent, other)
    ends = Ends()
    notifications.endings.listeners.append(ends)
    await owe(notifications, a_promise(templates.BOOKING_CANCELLED, key="b/1", due_at=clock.now()))
    await notifications.settle()
    assert await stages(db) == {"sms waiting": 1}
    async with db.transaction() as conn:
        assert not await notifications.outbox.withdraw(conn, "tests", "b/1", now=clock.now())
    await days_pass(notifications, clock)
    assert (other.carried, await stages(db)) == ([], {"sms unknown": 1})
    assert ends.said == [("sms", "unknown", "taken back")]


async def test_what_is_taken_back_after_it_was_accepted_is_not_tried_again_when_it_did_not_arrive(
    db, clock, keys
) -> None:
    first, other = Carrier("a"), Carrier("b")
    notifications = notifications_over(db, clock, keys, first, other)
    await owe(notifications, a_promise(templates.BOOKING_CANCELLED, key="b/1", due_at=clock.now()))
    await notifications.settle()
    async with db.transaction() as conn:
        await notifications.outbox.withdraw(conn, "tests", "b/1", now=clock.now())
    await notifications.receiving.take("a", first.receipts_of(first.carried, Reading.UNDELIVERED))
    await notifications.receiving.join_arrived()
    await days_pass(notifications, clock)
    assert (other.carried, await stages(db)) == ([], {"sms withdrawn": 1})


async def test_no_sms_stands_in_for_a_subscribe_message_that_was_taken_back_in_the_air(db, clock, keys) -> None:
    platform = TakenBack(
        "platform", db, clock, lambda _: Refused("recipient", "43101"), channel="subscribe", receipts_come=False
    )
    sms = Carrier("sms")
    notifications = notifications_over(db, clock, keys, sms, platform, subscribe_texts=SUBSCRIBE_TEXTS)
    platform.outbox = notifications.outbox
    person = await a_chooser(notifications, keys, Choices(results=("subscribe", "sms")))
    await allow(notifications, person)
    await owe(notifications, a_promise(templates.BOOKING_CONFIRMED, key="b/1", to=person, due_at=clock.now()))
    await notifications.settle()
    await days_pass(notifications, clock)
    assert (len(platform.carried), sms.carried) == (1, [])
    assert await stages(db) == {"inbox delivered": 1, "subscribe undeliverable": 1}


async def test_an_answer_that_arrives_all_the_same_counts(db, clock, keys) -> None:
    carrier = TakenBack("a", db, clock, lambda sms: Accepted((sms.reference,)))
    notifications = notifications_over(db, clock, keys, carrier)
    carrier.outbox = notifications.outbox
    await owe(notifications, a_promise(key="b/1", due_at=clock.now()))
    await notifications.settle()
    [sms] = carrier.carried
    await notifications.receiving.take("a", [RawReceipt(sms.reference, Reading.DELIVERED, b"")])
    await notifications.receiving.join_arrived()
    assert (await outcomes(db), await stages(db)) == ([("a", "accepted")], {"sms delivered": 1})


async def test_a_department_that_takes_back_what_is_in_the_air_is_refused_and_yet_not_tried_again_for(
    db, clock, keys, redis
) -> None:
    services, _ = await services_over(db, redis, clock, keys)
    department = await Department.founded(services, db, clock)
    refused = []

    class Asked(Carrier):
        async def send(self, sms, /):
            with pytest.raises(NotWithdrawable):
                await services.states.withdraw(department.service_id, taken.message_id)
            refused.append(sms)
            return Refused("busy", "not connected")

    notifications = notifications_over(db, clock, keys, Asked())
    await notifications.texts.refresh()
    taken = await department.send()
    assert await db.fetchval("SELECT caller FROM notifications.message") == f"{CALLER_PREFIX}{department.service_id}"
    await notifications.settle()
    await days_pass(notifications, clock)
    assert len(refused) == 1
    assert (await services.states.read(department.service_id, taken.message_id)).state is State.WITHDRAWN
