"""Where a subscribe message does not get out, SMS stands in while the message is still good."""

from datetime import timedelta

import pytest

from notifications import templates
from notifications.channels.provider import Refused
from notifications.contacts import Choices
from notifications.model import BUSY_PAUSE, STAND_IN_AFTER
from tests.builders_notifications import Carrier, Ends, a_promise, notifications_over, owe, stages
from tests.builders_sending import SUBSCRIBE_TEXTS, a_chooser, allow


@pytest.fixture
def platform() -> Carrier:
    """The mini-program's platform, which takes nothing now."""
    return Carrier("platform", lambda _: Refused("busy", "45009"), channel="subscribe", receipts_come=False)


@pytest.fixture
def sms() -> Carrier:
    return Carrier("sms")


@pytest.fixture
def notifications(db, clock, keys, sms, platform):
    return notifications_over(db, clock, keys, sms, platform, subscribe_texts=SUBSCRIBE_TEXTS)


async def one_who_allowed_it(notifications, keys, **choices):
    person = await a_chooser(notifications, keys, Choices(**choices))
    await allow(notifications, person)
    return person


async def test_sms_stands_in_before_a_busy_platform_lets_a_reminder_expire(
    notifications, db, clock, keys, sms, platform
) -> None:
    ends = Ends()
    notifications.endings.listeners.append(ends)
    person = await one_who_allowed_it(notifications, keys, reminders=("subscribe", "sms"))
    now = clock.now()
    until = now + timedelta(minutes=90)
    await owe(notifications, a_promise(templates.BOOKING_REMINDER, to=person, due_at=now, expires_at=until))
    for _ in range(95):
        await notifications.settle()
        clock.advance(timedelta(minutes=1))
    assert (len(platform.carried), len(sms.carried)) == (STAND_IN_AFTER, 1)
    assert ("subscribe", "undeliverable", "45009") in ends.said
    assert (await stages(db))["sms accepted"] == 1


async def test_sms_stands_in_where_the_next_try_of_a_subscribe_message_would_be_too_late(
    notifications, db, clock, keys, sms, platform
) -> None:
    person = await one_who_allowed_it(notifications, keys, results=("subscribe", "sms"))
    now = clock.now()
    await owe(
        notifications,
        a_promise(templates.BOOKING_CONFIRMED, to=person, due_at=now, expires_at=now + BUSY_PAUSE / 2),
    )
    await notifications.settle()
    assert (len(platform.carried), len(sms.carried)) == (1, 1)
    assert (await stages(db))["subscribe expired"] == 1


async def test_who_named_nothing_to_stand_in_is_told_as_soon_as_the_platform_is_back(
    db, clock, keys, notifications, platform
) -> None:
    person = await one_who_allowed_it(notifications, keys, results=("subscribe",))
    await owe(notifications, a_promise(templates.BOOKING_CONFIRMED, to=person, due_at=clock.now()))
    for _ in range(2 * 60):
        await notifications.settle()
        clock.advance(timedelta(minutes=1))
    assert len(platform.carried) > STAND_IN_AFTER
    assert (await stages(db))["subscribe waiting"] == 1


async def test_who_chooses_sms_instead_overnight_is_told_by_sms(notifications, db, clock, keys, sms, platform) -> None:
    clock.advance(timedelta(hours=14))  # eleven in the evening
    person = await one_who_allowed_it(notifications, keys, results=("subscribe", "sms"))
    await owe(notifications, a_promise(templates.BOOKING_CONFIRMED, to=person, due_at=clock.now()))
    await notifications.settle()
    async with db.transaction() as conn:
        await notifications.contacts.choose(conn, person, Choices(results=("sms",)), clock.now())
    clock.advance(timedelta(hours=9, minutes=5))
    await notifications.settle()
    assert (platform.carried, len(sms.carried)) == ([], 1)
    assert await stages(db) == {"inbox delivered": 1, "subscribe withdrawn": 1, "sms accepted": 1}


async def test_who_wants_to_be_told_in_the_inbox_alone_overnight_is(
    notifications, db, clock, keys, sms, platform
) -> None:
    clock.advance(timedelta(hours=14))
    person = await one_who_allowed_it(notifications, keys, results=("subscribe", "sms"))
    await owe(notifications, a_promise(templates.BOOKING_CONFIRMED, to=person, due_at=clock.now()))
    await notifications.settle()
    async with db.transaction() as conn:
        await notifications.contacts.choose(conn, person, Choices(results=()), clock.now())
    clock.advance(timedelta(hours=9, minutes=5))
    await notifications.settle()
    assert (platform.carried, sms.carried) == ([], [])
    assert await stages(db) == {"inbox delivered": 1, "subscribe withdrawn": 1, "sms withdrawn": 1}
