"""What people write back is kept first, then heard: no more of this, yes, or words for whoever wrote to them."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from appointments.model import Stage as BookingStage
from appointments.parts import Appointments
from appointments.replying.confirming import Confirming
from appointments.waiting.model import Waits
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import MessageId
from notifications import templates
from notifications.model import Lane
from notifications.outbox import ToNobody
from notifications.replies.handlers import Confirmed
from notifications.replies.handling import Read
from notifications.replies.model import ANSWERED_WITHIN, EVERY_SENDER, Meaning, OptSource, Written, number_of
from notifications.replies.parts import Replies
from notifications.retention.parts import Retention
from tests.builders_appointments import a_person, a_slot, an_id
from tests.builders_callbacks import a_callback, messages_of, own_server
from tests.builders_notifications import PHONE
from tests.builders_replies import (
    DAY,
    OTHER,
    SERVICE,
    a_text,
    answers,
    goes_out,
    outcomes,
    stopped,
    told_by,
    writes,
)
from tests.promises.test_waiting_lists import OFFER, a_full_slot, the_wait, waits

# ---- opting out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["T", "t", "TD", " td ", "Ｔ", "ＴＤ。", "退订", "回复T", "STOP", "Stop.", "退 订"])
async def test_who_replies_t_gets_no_more_reminders_and_bulk_of_that_sender(db, keys, replies, text):
    await told_by(replies, keys, SERVICE)
    await writes(replies, text)
    assert await outcomes(db) == [("opt_out", "opted_out")]
    caller = f"department:{SERVICE}"
    assert await stopped(replies, caller)
    assert await stopped(replies, caller, Lane.REMINDER)
    for lane in (Lane.OTP, Lane.CHANGE, Lane.RESULT):
        assert not await stopped(replies, caller, lane), "what matters comes all the same"
    assert not await stopped(replies, f"department:{OTHER}")


async def test_who_was_told_nothing_or_says_all_gets_no_more_of_anybody(db, keys, replies):
    await writes(replies, "T")
    assert await stopped(replies, f"department:{OTHER}")
    await writes(replies, "恢复")
    await told_by(replies, keys, SERVICE)
    await writes(replies, "全部退订")
    assert await stopped(replies, f"department:{OTHER}")


async def test_it_is_the_newest_sender_that_is_meant(db, keys, clock, replies):
    await told_by(replies, keys, SERVICE)
    clock.advance(timedelta(minutes=1))
    await told_by(replies, keys, OTHER)
    await writes(replies, "T")
    assert not await stopped(replies, f"department:{SERVICE}")
    assert await stopped(replies, f"department:{OTHER}")


async def test_an_opt_out_is_answered_by_one_sms_a_day_at_most(db, clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    for text in ("T", "T", "恢复", "T", "TD"):
        await writes(replies, text)
    assert await answers(db) == ["reply_opted_out"]
    clock.advance(DAY)
    await writes(replies, "START")
    assert await answers(db) == ["reply_opted_out", "reply_opted_in"]


async def test_every_change_is_written_down_and_nothing_else(db, keys, replies):
    await told_by(replies, keys, SERVICE)
    for text in ("T", "T", "START", "START", "T"):
        await writes(replies, text)
    rows = await db.fetch("SELECT is_out, source FROM notifications.opt_out_change ORDER BY at, change_id")
    assert [(row[0], row[1]) for row in rows] == [(True, "text"), (False, "text"), (True, "text")]


async def test_texts_of_one_number_are_heard_in_the_order_they_came(db, clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    for text in ("T", "START", "T", "START", "T"):
        clock.advance(timedelta(seconds=1))
        await replies.hearing.hear([a_text(replies, text)])
    await asyncio.gather(*(replies.handling.handle_arrived() for _ in range(4)))
    assert [meaning for meaning, _ in await outcomes(db)] == ["opt_out", "opt_in", "opt_out", "opt_in", "opt_out"]
    assert await stopped(replies, f"department:{SERVICE}")


async def test_a_worker_that_comes_late_with_a_text_does_not_undo_the_next(db, clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    await replies.hearing.hear([a_text(replies, "T")])
    [(digest, text_id)] = await db.fetch("SELECT phone_digest, text_id FROM notifications.received_text")
    async with db.connection() as conn:
        told = await replies.last_told.to(conn, PHONE, now=clock.now())
    late = Read(digest, text_id, Written(PHONE, "1069", "T"), clock.now(), Meaning.OPT_OUT, told)
    await replies.handling.handle_arrived()
    await writes(replies, "START")
    await replies.handling._handle(late, clock.now())
    assert not await stopped(replies, f"department:{SERVICE}")


async def test_a_text_that_its_provider_says_again_is_heard_once(db, keys, replies):
    await told_by(replies, keys, SERVICE)
    await asyncio.gather(*(replies.hearing.hear([a_text(replies, "T", ref="mo-1")]) for _ in range(8)))
    await replies.handling.handle_arrived()
    await writes(replies, "T", ref="mo-1")
    assert await outcomes(db) == [("opt_out", "opted_out")]


async def test_opt_outs_that_race_come_to_one(db, clock, replies):
    digests = replies.seals.every_digest(PHONE)

    async def changes(is_out: bool) -> None:
        async with db.transaction() as conn:
            if is_out:
                await replies.opt_outs.opt_out(conn, digests, EVERY_SENDER, OptSource.APP, now=clock.now())
            else:
                await replies.opt_outs.opt_in(conn, digests, None, OptSource.APP, now=clock.now())

    await asyncio.gather(*(changes(nth % 3 != 0) for nth in range(24)))
    rows = await db.fetch("SELECT is_out, count(*) FROM notifications.opt_out_change GROUP BY is_out")
    changed = {row[0]: row[1] for row in rows}
    kept = await db.fetchval("SELECT count(*) FROM notifications.opt_out")
    assert changed.get(True, 0) - changed.get(False, 0) == kept <= 1


# ---- words for a department ------------------------------------------------------------------------------------------


async def test_words_reach_the_department_whose_message_they_answer(db, clock, keys, replies, callbacks):
    async with own_server() as (server, url):
        await a_callback(callbacks, url, SERVICE)
        message_id = await told_by(replies, keys, SERVICE)
        await writes(replies, "请问周六上班吗？")
        [one] = await replies.reading.received(SERVICE)
        assert await replies.reading.received(OTHER) == []
        assert await replies.reading.received(SERVICE, one.id) == []
        assert (one.from_phone, one.to_number, one.text) == (PHONE, "1069", "请问周六上班吗？")
        await callbacks.telling.tell_everything()
        [(_, body)] = server.told
        said = msgspec.json.decode(body)
        assert (said["type"], said["data"]["text"]) == ("text.received", "请问周六上班吗？")
        assert said["data"]["message_id"] == str(message_id)
    assert await outcomes(db) == [("other", "passed_on")]


async def test_a_department_that_named_a_person_does_not_learn_their_number_by_a_reply(db, keys, replies):
    await told_by(replies, keys, SERVICE, to=ToNobody())
    await writes(replies, "谢谢")
    assert await replies.reading.received(SERVICE) == []
    assert await outcomes(db) == [("other", "kept")]


async def test_after_three_days_words_answer_nothing(db, clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    clock.advance(ANSWERED_WITHIN)
    await writes(replies, "谢谢")
    assert await outcomes(db) == [("other", "kept")]


async def test_what_people_write_is_sealed_and_forgotten_in_time(db, clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    await writes(replies, "我是司马青")
    for table in ("received_text", "service_text", "last_told"):
        kept = str(await db.fetch(f"SELECT * FROM notifications.{table}"))
        assert kept != "[]"
        assert "司马青" not in kept
        assert PHONE[3:] not in kept
        assert "司马青".encode().hex() not in kept
    retention = Retention(db, clock, days=90)
    await retention.keeping.snapshot.refresh()
    clock.advance(90 * DAY + timedelta(minutes=1))
    await replies.reading.forget_expired()
    await retention.forgetting.forget_due()
    for table in ("received_text", "service_text", "last_told"):
        assert await db.fetchval(f"SELECT count(*) FROM notifications.{table}") == 0


@pytest.mark.parametrize("said", ["+8613800138000", "8613800138000", "13800138000", "008613800138000", "138 0013 8000"])
def test_a_number_is_the_same_however_a_carrier_says_it(said):
    assert number_of(said) == PHONE


@pytest.mark.parametrize("said", ["+13105551234", "+1 310 555 1234", "0013105551234", "+14155550123"])
def test_a_number_of_north_america_is_not_one_of_the_mainland(said):
    assert number_of(said) == "+1" + said.replace(" ", "")[-10:]


# ---- yes -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def answering(db: Database, clock: StoppedClock, replies: Replies, appointments: Appointments) -> Replies:
    """Replies of which appointments hear."""
    Confirming(db, clock, appointments.taking).listen(replies.handlers)
    return replies


async def newest(db: Database, template: str) -> MessageId:
    return MessageId(await db.fetchval(
        "SELECT message_id FROM notifications.message WHERE template = $1 ORDER BY message_id DESC LIMIT 1", template
    ))  # fmt: skip


async def an_offer(db, clock, replies, appointments):
    """Somebody is offered a place, and was told by SMS."""
    _, holder, booking = await a_full_slot(db, appointments)
    person = await waits(appointments, clock)
    await appointments.cancel(holder, booking)
    await goes_out(replies, "appointments", "waiting_offer", [await newest(db, "waiting_offer")])
    return person


@pytest.mark.parametrize("text", ["Y", "ｙ", "yes", "是", "确认"])
async def test_a_yes_takes_the_place_that_is_offered_once(db, clock, answering, appointments, text):
    person = await an_offer(db, clock, answering, appointments)
    await writes(answering, text)
    await writes(answering, text)
    assert await outcomes(db) == [("confirm", "confirmed")] * 2
    assert (await the_wait(appointments, person)).stage is Waits.TAKEN
    assert await db.fetchval("SELECT count(*) FROM appointments.booking WHERE person_id = $1", person) == 1


async def test_two_workers_that_hear_one_yes_take_the_place_once(db, clock, answering, appointments):
    person = await an_offer(db, clock, answering, appointments)
    await answering.hearing.hear([a_text(answering, "Y")])
    await asyncio.gather(*(answering.handling.handle_arrived() for _ in range(3)))
    assert await outcomes(db) == [("confirm", "confirmed")]
    assert await db.fetchval("SELECT count(*) FROM appointments.booking WHERE person_id = $1", person) == 1


async def test_a_yes_that_comes_too_late_is_told_so(db, clock, answering, appointments):
    person = await an_offer(db, clock, answering, appointments)
    clock.advance(OFFER + timedelta(minutes=2))
    await writes(answering, "Y")
    assert await outcomes(db) == [("confirm", "not_possible")]
    assert await answers(db) == ["reply_not_possible"]
    assert await db.fetchval("SELECT count(*) FROM appointments.booking WHERE person_id = $1", person) == 0


async def test_a_yes_to_a_reminder_is_written_down_and_none_to_a_booking_that_was_moved(
    db, clock, answering, appointments
):
    person, booking_id = a_person(), an_id()
    slot = await a_slot(db)
    await appointments.catalogues.refresh()
    booking = await appointments.book(booking_id, slot, person)
    [confirm] = [answering.handlers[templates.BOOKING_REMINDER.id]]

    def said(version: int) -> Confirmed:
        key = f"booking_reminder/{person}/{booking_id}/{version}"
        return Confirmed("booking_reminder", "appointments", key, person, clock.now())

    assert booking.stage is BookingStage.BOOKED
    assert await confirm(said(booking.version))
    assert await confirm(said(booking.version))
    assert not await confirm(said(booking.version + 1))
    assert await db.fetchval("SELECT count(*) FROM appointments.acknowledgement") == 1
    await appointments.cancel(person, booking_id)
    assert not await confirm(said(booking.version))


async def test_a_yes_that_nobody_asked_for_is_words_like_any_other(db, keys, answering):
    await told_by(answering, keys, SERVICE)
    await writes(answering, "Y")
    assert await outcomes(db) == [("confirm", "passed_on")]


async def test_a_text_whose_answer_fails_is_tried_again_and_holds_up_nobody_else(db, clock, keys, replies):
    failing = {"is": True}

    async def sometimes(confirmed: Confirmed) -> bool:
        if failing["is"]:
            raise ConnectionError
        return True

    replies.handlers.add("booking_soon", sometimes)
    [message_id] = await messages_of(db, clock, keys, SERVICE)
    await db.fetch("UPDATE notifications.message SET person_id = $1, address = NULL", uuid4())
    await goes_out(replies, "appointments", "booking_soon", [message_id])
    await replies.hearing.hear([a_text(replies, "Y"), a_text(replies, "T", phone="+8613900139000")])
    with pytest.raises(ConnectionError):
        await replies.handling.handle_arrived()
    assert sorted(str(one) for one in await outcomes(db)) == ["('opt_out', 'opted_out')", "(None, None)"]
    failing["is"] = False
    clock.advance(timedelta(seconds=2))
    assert await replies.handling.handle_arrived() == 1
    assert ("confirm", "confirmed") in await outcomes(db)
