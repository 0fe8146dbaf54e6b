"""Whoever is owed a message gets it: once, in time, by the ways they chose."""

import asyncio
from datetime import timedelta

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import BUCKETS
from kernel.sealing import Keys
from notifications import queries, templates
from notifications.contacts import Choices
from notifications.model import Lane
from notifications.outbox import GOOD_FOR, ToNobody, ToPhone, bucket_in
from notifications.parts import Notifications
from tests.builders_notifications import (
    PHONE,
    VALUES,
    Carrier,
    a_person,
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


async def test_a_code_reaches_the_phone_it_was_asked_for(notifications, carrier, clock) -> None:
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, code="204816", due_at=clock.now()))
    await notifications.settle()
    assert [(sms.phone, "204816" in sms.text) for sms in carrier.carried] == [(PHONE, True)]


async def test_a_person_finds_it_in_the_inbox_and_on_the_phone(notifications, db, carrier, clock) -> None:
    person = await a_person(notifications)
    await owe(notifications, a_promise(templates.BOOKING_CONFIRMED, to=person, due_at=clock.now()))
    await notifications.settle()
    assert await stages(db) == {"inbox delivered": 1, "sms accepted": 1}
    async with db.connection() as conn:
        page = await notifications.inbox.page(conn, person, "zh", None)
    assert [item.title for item in page.items] == ["预约成功"]
    assert VALUES["office"] in page.items[0].body
    assert page.unread == 1


async def test_the_same_promise_owed_twice_is_one_message(notifications, db, carrier, clock) -> None:
    promise = a_promise(due_at=clock.now())
    first, second = await owe(notifications, promise, promise)
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, [promise, promise], now=clock.now())
    await notifications.settle()
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, [promise], now=clock.now())
    await notifications.settle()
    assert first == second
    assert len(carrier.carried) == 1


async def test_what_rolls_back_was_never_owed(notifications, db, carrier, clock) -> None:
    async def owe_and_fail() -> None:
        async with db.transaction() as conn:
            await notifications.outbox.owe_many(conn, [a_promise(due_at=clock.now())], now=clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await owe_and_fail()
    await notifications.settle()
    assert carrier.carried == []


async def test_nothing_leaves_before_it_is_due(notifications, carrier, clock) -> None:
    await owe(notifications, a_promise(due_at=clock.now() + timedelta(hours=2)))
    await notifications.settle()
    assert carrier.carried == []
    clock.advance(timedelta(hours=2))
    await notifications.settle()
    assert len(carrier.carried) == 1


async def test_a_code_is_not_sent_when_it_is_good_no_more(notifications, db, carrier, clock) -> None:
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    clock.advance(GOOD_FOR[Lane.OTP])
    await notifications.settle()
    assert carrier.carried == []
    assert await stages(db) == {"sms expired": 1}


async def test_an_expired_reminder_is_still_in_the_inbox(notifications, db, carrier, clock) -> None:
    person = await a_person(notifications)
    await owe(notifications, a_promise(templates.BOOKING_REMINDER, to=person, due_at=clock.now()))
    clock.advance(timedelta(days=2))
    await notifications.settle()
    assert carrier.carried == []
    assert await stages(db) == {"sms expired": 1, "inbox delivered": 1}


async def test_a_reminder_taken_back_is_not_sent(notifications, db, carrier, clock) -> None:
    promise = a_promise(templates.BOOKING_REMINDER, key="b/1", due_at=clock.now() + timedelta(hours=1))
    await owe(notifications, promise)
    async with db.transaction() as conn:
        await notifications.outbox.withdraw(conn, "tests", "b/1", now=clock.now())
        await notifications.outbox.withdraw(conn, "tests", "never owed", now=clock.now())
    clock.advance(timedelta(hours=1))
    await notifications.settle()
    assert carrier.carried == []


async def test_taking_back_what_is_sent_changes_nothing(notifications, db, carrier, clock) -> None:
    await owe(notifications, a_promise(key="b/1", due_at=clock.now()))
    await notifications.settle()
    async with db.transaction() as conn:
        await notifications.outbox.withdraw(conn, "tests", "b/1", now=clock.now())
    assert await stages(db) == {"sms accepted": 1}


async def test_somebody_who_never_signed_in_finds_it_later_in_the_inbox(notifications, db, carrier, clock) -> None:
    person = await a_person(notifications, phone=None)
    await owe(notifications, a_promise(to=person, due_at=clock.now()))
    await notifications.settle()
    assert carrier.carried == []
    assert await stages(db) == {"inbox delivered": 1}


async def test_who_wants_no_reminders_by_sms_has_them_in_the_inbox(notifications, db, carrier, clock) -> None:
    person = await a_person(notifications)
    async with db.transaction() as conn:
        choices = Choices(language="en", reminders=())
        await notifications.contacts.choose(conn, person, choices, clock.now())
    for template in (templates.BOOKING_REMINDER, templates.BOOKING_CANCELLED):
        await owe(notifications, a_promise(template, to=person, due_at=clock.now()))
    await notifications.settle()
    assert [sms.text.startswith("【随申办】Cancelled") for sms in carrier.carried] == [True]
    assert await stages(db) == {"inbox delivered": 2, "sms accepted": 1}


async def test_a_number_proved_anew_leaves_what_was_chosen(notifications, db, carrier, clock) -> None:
    person = await a_person(notifications)
    async with db.transaction() as conn:
        await notifications.contacts.choose(conn, person, Choices("en", results=()), clock.now())
        await notifications.contacts.remember(conn, person, "+8613900139000", "zh", clock.now())
        contact = await notifications.contacts.find(conn, person)
    assert contact.choices == Choices("en", results=())
    assert contact.phone == "+8613900139000"


async def test_a_message_to_nobody_we_know_ends_like_any_other(notifications, db, carrier, clock) -> None:
    await owe(notifications, a_promise(templates.DEPARTMENT_NOTICE, to=ToNobody(), due_at=clock.now()))
    await notifications.settle()
    assert carrier.carried == []
    assert await db.fetchval("SELECT stage FROM notifications.message") == "routed"


async def test_many_workers_at_once_tell_everybody_exactly_once(db, clock, keys, carrier) -> None:
    workers = [notifications_over(db, clock, keys, carrier) for _ in range(4)]
    people = [await a_person(workers[0]) for _ in range(20)]
    owed = [a_promise(to=people[n % 20], due_at=clock.now()) for n in range(400)]
    async with db.transaction() as conn:
        await workers[0].outbox.owe_many(conn, owed, now=clock.now())
    await asyncio.gather(*(worker.delivering.send_everything_due() for worker in workers))
    assert len(carrier.carried) == len({sms.reference for sms in carrier.carried}) == 400
    assert await stages(db) == {"inbox delivered": 400, "sms accepted": 400}
    assert await db.fetchval("SELECT count(*) FROM notifications.inbox_item") == 400


async def test_codes_leave_before_what_was_owed_earlier(notifications, db, carrier, clock) -> None:
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, [a_promise(due_at=clock.now()) for _ in range(50)], now=clock.now())
    [code] = await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    async with db.connection() as conn:
        due = await queries.select_due(conn, range(BUCKETS), now=clock.now())
    assert {one.bucket for one in due if one.lane is Lane.OTP} == {bucket_in(code)}


async def test_a_message_nobody_can_read_does_not_hold_up_the_others(notifications, db, carrier, clock) -> None:
    person = await a_person(notifications)
    spoilt, *_ = await owe(notifications, *(a_promise(to=person, key=f"{n}", due_at=clock.now()) for n in range(30)))
    async with db.transaction() as conn:
        await conn.execute(
            "UPDATE notifications.message SET sealed_values = 'spoilt' WHERE bucket = $1 AND message_id = $2",
            bucket_in(spoilt),
            spoilt,
        )
    await notifications.settle()
    assert len(carrier.carried) == 29
    assert await db.fetchval("SELECT message_id FROM notifications.message WHERE stage = 'unsendable'") == spoilt


async def test_a_wording_this_worker_does_not_know_waits_for_one_that_does(notifications, db, carrier, clock) -> None:
    await owe(notifications, a_promise(due_at=clock.now()))
    async with db.transaction() as conn:
        await conn.execute("UPDATE notifications.message SET version = 99")
    await notifications.settle()
    assert await db.fetchval("SELECT stage FROM notifications.message") == "owed"
    async with db.transaction() as conn:
        await conn.execute("UPDATE notifications.message SET version = 1")
    clock.advance(timedelta(minutes=1))
    await notifications.settle()
    assert len(carrier.carried) == 1


async def test_the_demo_shows_what_it_carries_and_sends_receipts(db, clock, keys) -> None:
    notifications = notifications_over(db, clock, keys)
    await owe(
        notifications,
        a_promise(templates.SIGN_IN_CODE, due_at=clock.now()),
        a_promise(to=ToPhone("+8613900139000"), due_at=clock.now()),
    )
    await notifications.settle()
    assert await stages(db) == {"sms delivered": 2}
    async with db.connection() as conn:
        shown = await notifications.demo_outbox.shown_to(conn, PHONE)
        assert ["204816" in sms.text for sms in shown] == [True]
        assert {sms.phone for sms in await notifications.demo_outbox.newest(conn)} == {
            "+86138****8000",
            "+86139****9000",
        }
        assert await notifications.demo_outbox.shown_to(conn, "+8613700137000") == []


async def test_names_numbers_and_codes_are_sealed_wherever_they_rest(db, clock, keys) -> None:
    notifications = notifications_over(db, clock, keys)
    person = await a_person(notifications)
    owed = [
        a_promise(template, to=person, due_at=clock.now())
        for template in templates.ALL
        if template.id != "sign_in_code"
    ]
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()), *owed)
    await notifications.settle()
    tables = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'notifications' ORDER BY 1")
    assert len(tables) >= 8
    personal = [
        PHONE,
        PHONE[3:],
        *(VALUES[name] for name in ("code", "office", "venue", "fields", "device", "title", "body")),
    ]
    filled = 0
    for table in tables:
        for row in await db.fetch(f"SELECT t::text AS said, t.* FROM notifications.{table['tablename']} AS t"):
            filled += 1
            resting = row["said"].encode() + b"".join(value for value in row if isinstance(value, bytes))
            assert [value for value in personal if value.encode() in resting] == [], table["tablename"]
    assert filled > 30


async def test_every_attempt_is_in_the_ledger(notifications, db, carrier, clock) -> None:
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    assert await outcomes(db) == [("carrier", "accepted")]
