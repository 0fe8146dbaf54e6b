"""Nobody is woken at night, told what they want no more of, told the same twice, or told too often in a day."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from kernel.clock import StoppedClock
from kernel.db import Connection, Database
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications import templates
from notifications.channels.provider import Accepted, Refused
from notifications.contacts import Choices
from notifications.model import Lane, Reading
from notifications.outbox import ToEmail, ToPhone
from notifications.parts import Notifications
from notifications.routing.limiting import CODES, COUNTS_MAX, NOTICES, SHARDS, NumberLimits, Telling
from notifications.routing.rules import SAID_WITHIN, Asked
from notifications.seals import Seals
from tests.builders_notifications import PHONE, Carrier, Ends, a_promise, notifications_over, owe, stages
from tests.builders_sending import BULK_TEXT, DEPARTMENT, OneText, a_chooser

OTHER_PHONE = "+8613900139000"
RESULT = templates.CERTIFICATE_ISSUED


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def notifications(db: Database, clock: StoppedClock, keys: Keys, carrier: Carrier) -> Notifications:
    made = notifications_over(db, clock, keys, carrier)
    made.wordings.texts = OneText()
    return made


def until_evening(clock: StoppedClock) -> None:
    """It was nine in the morning; now it is ten in the evening."""
    clock.advance(timedelta(hours=13))


async def test_results_reminders_and_bulk_wait_for_the_morning_and_codes_and_changes_do_not(
    notifications, db, clock, carrier, keys
) -> None:
    until_evening(clock)
    person = await a_chooser(notifications, keys, Choices())
    for template in (templates.SIGN_IN_CODE, templates.BOOKING_CANCELLED, templates.BOOKING_CONFIRMED):
        await owe(notifications, a_promise(template, to=person, due_at=clock.now()))
    await owe(notifications, a_promise(BULK_TEXT, due_at=clock.now(), words="通知"))
    await notifications.settle()
    assert {sms.is_urgent for sms in carrier.carried} == {True}
    assert await stages(db) == {"inbox delivered": 2, "sms accepted": 2, "sms waiting": 2}
    clock.advance(timedelta(hours=10) - timedelta(seconds=1))
    await notifications.settle()
    assert len(carrier.carried) == 2
    clock.advance(timedelta(seconds=1))
    await notifications.settle()
    assert len(carrier.carried) == 4
    assert await stages(db) == {"inbox delivered": 2, "sms accepted": 4}


async def test_who_wants_no_quiet_hours_is_told_at_night(notifications, db, clock, carrier, keys) -> None:
    until_evening(clock)
    person = await a_chooser(notifications, keys, Choices(has_quiet_hours=False))
    await owe(notifications, a_promise(templates.BOOKING_CONFIRMED, to=person, due_at=clock.now()))
    await notifications.settle()
    assert len(carrier.carried) == 1


async def test_what_is_over_by_the_morning_is_not_sent_at_all(notifications, db, clock, carrier) -> None:
    until_evening(clock)
    ends = Ends()
    notifications.endings.listeners.append(ends)
    until = clock.now() + timedelta(hours=10)
    await owe(notifications, a_promise(templates.BOOKING_REMINDER, due_at=clock.now(), expires_at=until))
    await notifications.settle()
    assert carrier.carried == []
    assert ends.said == [("sms", "expired", "quiet hours")]


async def test_the_demo_outbox_wakes_nobody_and_shows_everything_at_once(db, clock, keys) -> None:
    until_evening(clock)
    notifications = notifications_over(db, clock, keys)
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    assert await stages(db) == {"sms delivered": 1}


async def test_a_try_that_became_due_in_the_night_waits_too(db, clock, keys) -> None:
    answers = [Refused("busy", "throttled"), Accepted(("r",))]
    carrier = Carrier(answer=lambda _: answers.pop(0))
    notifications = notifications_over(db, clock, keys, carrier)
    clock.advance(timedelta(hours=13) - timedelta(milliseconds=500))
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    clock.advance(timedelta(hours=1))
    await notifications.settle()
    assert (len(carrier.carried), await stages(db)) == (1, {"sms waiting": 1})
    clock.advance(timedelta(hours=9, seconds=1))
    await notifications.settle()
    assert (len(carrier.carried), await stages(db)) == (2, {"sms accepted": 1})


class Out:
    """Opt-outs: from this number's owner, of bulk of this caller."""

    def __init__(self, keys: Keys, phone: str, caller: str) -> None:
        self._digest = Seals(keys).phone_digest(phone)
        self._caller = caller
        self.asked: list[Sequence[Asked]] = []

    async def which(self, conn: Connection, asked: Sequence[Asked]) -> set[Asked]:
        self.asked.append(asked)
        return {one for one in asked if one[:2] == (self._digest, self._caller)}


async def test_who_wants_no_more_of_a_sender_is_not_told_and_the_sender_hears_why(
    notifications, db, clock, carrier, keys
) -> None:
    out = notifications.rules.opt_outs = Out(keys, PHONE, DEPARTMENT)
    ends = Ends()
    notifications.endings.listeners.append(ends)
    now = clock.now()
    await owe(
        notifications,
        a_promise(BULK_TEXT, to=ToPhone(PHONE), due_at=now, caller=DEPARTMENT, words="甲"),
        a_promise(BULK_TEXT, to=ToPhone(OTHER_PHONE), due_at=now, caller=DEPARTMENT, words="乙"),
        a_promise(BULK_TEXT, to=ToPhone(PHONE), due_at=now, caller="department:another", words="丙"),
        a_promise(templates.SIGN_IN_CODE, to=ToPhone(PHONE), due_at=now, caller=DEPARTMENT),
        a_promise(templates.CERTIFICATE_ISSUED, to=ToPhone(PHONE), due_at=now, caller=DEPARTMENT),
    )
    await notifications.settle()
    assert len(carrier.carried) == 4
    assert ends.said == [("sms", "withdrawn", "opted out")]
    assert {lane for asked in out.asked for *_, lane in asked} == {Lane.BULK}


async def test_an_address_that_wants_no_more_of_a_sender_is_not_written_to_however_it_is_spelt(db, clock, keys) -> None:
    mail = Carrier("mail", channel="email", receipts_come=False)
    notifications = notifications_over(db, clock, keys, mail)
    notifications.wordings.texts = OneText()
    notifications.rules.opt_outs = Out(keys, "wang@people.example", DEPARTMENT)
    ends = Ends()
    notifications.endings.listeners.append(ends)
    address, other, now = ToEmail("Wang@people.example"), ToEmail("li@people.example"), clock.now()
    await owe(
        notifications,
        a_promise(BULK_TEXT, to=address, due_at=now, caller=DEPARTMENT, words="甲"),
        a_promise(BULK_TEXT, to=other, due_at=now, caller=DEPARTMENT, words="甲"),
        a_promise(BULK_TEXT, to=address, due_at=now, caller="department:another", words="甲"),
        a_promise(templates.CERTIFICATE_ISSUED, to=address, due_at=now, caller=DEPARTMENT),
    )
    await notifications.settle()
    assert ends.said.count(("email", "withdrawn", "opted out")) == 1
    assert await stages(db) == {"email delivered": 3, "email withdrawn": 1}
    assert len(mail.carried) == 3


async def test_who_gave_up_e_mail_of_a_sender_still_has_it_by_sms(db, clock, keys) -> None:
    sms, mail = Carrier("sms"), Carrier("mail", channel="email", receipts_come=False)
    notifications = notifications_over(db, clock, keys, sms, mail)
    person = await a_chooser(notifications, keys, Choices(reminders=("sms", "email")), email="wang@people.example")
    notifications.rules.opt_outs = Out(keys, "wang@people.example", "tests")
    await owe(notifications, a_promise(templates.BOOKING_REMINDER, to=person, due_at=clock.now()))
    await notifications.settle()
    assert (len(sms.carried), mail.carried) == (1, [])
    assert await stages(db) == {"inbox delivered": 1, "sms accepted": 1, "email withdrawn": 1}


async def test_who_opts_out_while_a_message_waits_is_not_told(notifications, db, clock, carrier, keys) -> None:
    until_evening(clock)
    notifications.rules.opt_outs = Out(keys, OTHER_PHONE, DEPARTMENT)
    await owe(notifications, a_promise(BULK_TEXT, due_at=clock.now(), caller=DEPARTMENT, words="甲"))
    await notifications.settle()
    notifications.rules.opt_outs = Out(keys, PHONE, DEPARTMENT)
    clock.advance(timedelta(hours=10))
    await notifications.settle()
    assert (carrier.carried, await stages(db)) == ([], {"sms withdrawn": 1})


async def test_a_department_says_the_same_to_the_same_number_once_within_ten_minutes(
    notifications, db, clock, carrier
) -> None:
    ends = Ends()
    notifications.endings.listeners.append(ends)

    async def say(*owed) -> int:
        before = len(carrier.carried)
        await owe(notifications, *owed)
        await notifications.settle()
        return len(carrier.carried) - before

    def bulk(words: str = "甲", *, phone: str = PHONE, caller: str = DEPARTMENT):
        return a_promise(BULK_TEXT, to=ToPhone(phone), due_at=clock.now(), caller=caller, words=words)

    assert await say(bulk(), bulk(), bulk()) == 1
    assert ends.said == [("sms", "withdrawn", "said before")] * 2
    assert await say(bulk()) == 0
    assert await say(bulk("乙"), bulk(phone=OTHER_PHONE), bulk(caller="department:another")) == 3
    assert await say(bulk(caller="appointments"), bulk(caller="appointments")) == 2
    clock.advance(SAID_WITHIN - timedelta(seconds=1))
    assert await say(bulk()) == 0
    clock.advance(timedelta(seconds=1))
    assert await say(bulk(), bulk()) == 1
    await notifications.forget_said()
    assert await db.fetchval("SELECT count(*) FROM notifications.said") == 1
    assert await say(bulk()) == 0


async def test_what_surely_reached_nobody_may_be_said_again_at_once(db, clock, keys) -> None:
    answers = [Refused("provider", "ESME_RINVSRCADR"), None, None]
    carrier = Carrier(answer=lambda sms: answers.pop(0) or Accepted((f"carrier-{sms.reference}",)))
    notifications = notifications_over(db, clock, keys, carrier)
    notifications.wordings.texts = OneText()

    async def say(*keys: str) -> int:
        await owe(
            notifications,
            *(a_promise(BULK_TEXT, key=key, words="甲", caller=DEPARTMENT, due_at=clock.now()) for key in keys),
        )
        await notifications.settle()
        clock.advance(timedelta(minutes=1))
        return len(carrier.carried)

    assert await say("a") == 1  # refused
    assert await say("b", "b2") == 2
    assert await say("c") == 2, "accepted: perhaps it was read"
    await notifications.receiving.take("carrier", carrier.receipts_of(carrier.carried[1:], Reading.UNDELIVERED))
    await notifications.receiving.join_arrived()
    assert await say("d", "d2") == 3
    assert await say("e") == 3
    assert await stages(db) == {"sms undeliverable": 2, "sms withdrawn": 4, "sms accepted": 1}


async def test_what_was_taken_back_before_it_left_may_be_said_again_at_once(notifications, db, clock, carrier) -> None:
    until_evening(clock)
    await owe(notifications, a_promise(RESULT, key="a", caller=DEPARTMENT, due_at=clock.now()))
    await notifications.settle()
    async with db.transaction() as conn:
        await notifications.outbox.withdraw(conn, DEPARTMENT, "a", now=clock.now())
    await owe(notifications, a_promise(RESULT, key="b", caller=DEPARTMENT, due_at=clock.now()))
    await notifications.settle()
    clock.advance(timedelta(hours=10))
    await notifications.settle()
    assert len(carrier.carried) == 1
    assert await stages(db) == {"sms withdrawn": 1, "sms accepted": 1}


async def test_what_perhaps_was_read_is_not_said_again_at_once(db, clock, keys) -> None:
    carrier = Carrier(answer=lambda _: TimeoutError())
    notifications = notifications_over(db, clock, keys, carrier)
    for key in ("a", "b"):
        await owe(notifications, a_promise(RESULT, key=key, caller=DEPARTMENT, due_at=clock.now()))
        await notifications.settle()
    assert (len(carrier.carried), await stages(db)) == (1, {"sms unknown": 1, "sms withdrawn": 1})


async def test_a_message_that_is_put_back_is_not_stopped_by_itself(notifications, db, clock, carrier) -> None:
    await owe(notifications, a_promise(RESULT, caller=DEPARTMENT, due_at=clock.now()))
    await notifications.settle()
    await db.fetch("DELETE FROM notifications.attempt")
    await db.fetch("DELETE FROM notifications.delivery")
    await db.fetch("UPDATE notifications.message SET stage = 'owed'")
    await notifications.settle()
    assert (len(carrier.carried), await stages(db)) == (2, {"sms accepted": 1})


async def test_codes_are_said_as_often_as_they_are_asked_for(notifications, clock, carrier) -> None:
    codes = [a_promise(templates.SIGN_IN_CODE, due_at=clock.now(), caller=DEPARTMENT) for _ in range(3)]
    await owe(notifications, *codes)
    await notifications.settle()
    assert len(carrier.carried) == 3


async def test_a_number_is_told_only_so_much_in_a_day(db, clock, keys, redis, carrier) -> None:
    notifications = notifications_over(db, clock, keys, carrier, limits_in=redis)
    ends = Ends()
    notifications.endings.listeners.append(ends)
    more = 3
    owed = [a_promise(due_at=clock.now()) for _ in range(NOTICES.text_max + more)]
    owed += [a_promise(templates.SIGN_IN_CODE, due_at=clock.now()) for _ in range(CODES.number_max + more)]
    owed += [a_promise(templates.BOOKING_CANCELLED, due_at=clock.now()) for _ in range(NOTICES.number_max + more)]
    owed += [a_promise(to=ToPhone(OTHER_PHONE), due_at=clock.now())]
    owed += [
        a_promise(templates.BOOKING_CONFIRMED, due_at=clock.now()) for _ in range(20)
    ]  # another text, its own count
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, owed, now=clock.now())
    await notifications.settle()
    assert len(carrier.carried) == len(owed) - 2 * more
    assert ends.said == [("sms", "withdrawn", "told too often today")] * (2 * more)
    clock.advance(timedelta(days=1))
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    assert len(carrier.carried) == len(owed) - 2 * more + 1


async def test_without_redis_everything_goes_out(db, clock, keys, carrier) -> None:
    away = await Redis.open("unix:///nowhere/redis.sock")
    notifications = notifications_over(db, clock, keys, carrier, limits_in=away)
    await owe(notifications, *(a_promise(due_at=clock.now()) for _ in range(5)))
    await notifications.settle()
    assert len(carrier.carried) == 5
    await away.close()


async def test_as_many_numbers_are_counted_as_may_be_and_nobody_can_read_which(redis, clock) -> None:
    limits = NumberLimits(redis, key=b"k" * 32)
    for start in range(0, 2_000, 500):
        tellings = [Telling(f"+86138{n:08d}", "a", Lane.BULK) for n in range(start, start + 500)]
        assert await limits.over(tellings, clock.now()) == set()
    keys = await redis.ask(b"KEYS", b"told:*")
    assert isinstance(keys, list)
    assert len(keys) == SHARDS
    held = [await redis.ask(b"HGETALL", key) for key in keys]
    assert sum(len(one) for one in held) == 2 * 2 * 2_000
    assert b"138" not in b"".join(word for one in held for word in one)
    assert [await redis.ask(b"PTTL", key) for key in keys if await redis.ask(b"PTTL", key) <= 0] == []


async def test_where_as_much_is_counted_as_may_be_everything_goes_out(redis, clock) -> None:
    limits = NumberLimits(redis, key=b"k" * 32)
    same = [Telling(PHONE, "a", Lane.BULK)] * 200
    assert len(await limits.over(same, clock.now())) == 200 - NOTICES.text_max
    [key] = await redis.ask(b"KEYS", b"told:*")
    for start in range(0, COUNTS_MAX, 10_000):
        await redis.ask(b"HSET", key, *(word for n in range(start, start + 10_000) for word in (b"%d" % n, b"1")))
    assert await limits.over(same, clock.now()) == set()
