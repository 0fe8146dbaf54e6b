"""Whom a T means, which texts are one text, and that what fails for some holds up nobody else."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.db import Database
from kernel.settings import Secret
from notifications import templates
from notifications.channels.provider import ReceivedText
from notifications.channels.smpp.codec import ShortMessage
from notifications.channels.smpp.hearing import text_heard
from notifications.channels.smpp.settings import SmppSettings
from notifications.model import Lane
from notifications.replies import handling
from notifications.replies.handlers import Confirmed
from notifications.replies.model import ANSWERED_WITHIN, HANDLED_WITHIN, TOLD_KEPT_FOR
from notifications.replies.parts import Replies
from tests.builders_callbacks import messages_of
from tests.builders_notifications import PHONE
from tests.builders_replies import DAY, OTHER, SERVICE, a_text, goes_out, outcomes, stopped, told_by, writes

SMSC = SmppSettings(name="smsc", host="h", system_id="s", password=Secret("p"))
MINUTE = timedelta(minutes=1)
ENDING = templates.CERTIFICATE_ENDING.id


async def a_reminder(replies, keys, caller: str, template: str) -> None:
    """The city reminds PHONE of something."""
    await goes_out(
        replies, caller, template, await messages_of(replies.db, replies.clock, keys, SERVICE), Lane.REMINDER
    )


# ---- whom a T means --------------------------------------------------------------------------------------------------


async def test_t_in_answer_to_a_reminder_of_the_city_stops_the_citys_reminders(clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    clock.advance(DAY)
    await a_reminder(replies, keys, "wallet", ENDING)
    await writes(replies, "T")
    assert (await stopped(replies, "wallet"), await stopped(replies, f"department:{SERVICE}")) == (True, False)


async def test_t_means_what_can_be_stopped_and_not_a_code_or_a_result_that_came_later(clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    for lane in (Lane.OTP, Lane.CHANGE, Lane.RESULT):
        clock.advance(MINUTE)
        await told_by(replies, keys, OTHER, lane=lane)
    await writes(replies, "T")
    assert await stopped(replies, f"department:{SERVICE}")
    assert not await stopped(replies, f"department:{OTHER}")


async def test_a_code_of_the_same_sender_hides_nothing_that_t_can_stop(clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    clock.advance(MINUTE)
    await told_by(replies, keys, OTHER)
    clock.advance(MINUTE)
    await told_by(replies, keys, SERVICE, lane=Lane.OTP)
    await writes(replies, "T")
    assert (await stopped(replies, f"department:{OTHER}"), await stopped(replies, f"department:{SERVICE}")) == (
        True,
        False,
    )


async def test_who_was_told_nothing_that_can_be_stopped_means_whoever_wrote_last(keys, replies):
    await told_by(replies, keys, SERVICE, lane=Lane.RESULT)
    await writes(replies, "T")
    assert await stopped(replies, f"department:{SERVICE}")
    assert not await stopped(replies, f"department:{OTHER}")


async def test_a_reminder_that_takes_no_yes_leaves_the_question_that_does(db, clock, keys, replies):
    said = []

    async def confirms(confirmed: Confirmed) -> bool:
        said.append(confirmed.template)
        return True

    replies.handlers.add("booking_soon", confirms)
    [message_id] = await messages_of(db, clock, keys, SERVICE)
    await db.fetch("UPDATE notifications.message SET person_id = $1, address = NULL", uuid4())
    await goes_out(replies, "appointments", "booking_soon", [message_id], Lane.REMINDER)
    clock.advance(MINUTE)
    await a_reminder(replies, keys, "appointments", ENDING)
    await writes(replies, "Y")
    assert said == ["booking_soon"]


async def test_what_t_can_stop_is_remembered_as_long_as_it_may_be_answered_and_then_forgotten(db, clock, keys, replies):
    async def kept() -> int:
        await replies.reading.forget_expired()
        return await db.fetchval("SELECT count(*) FROM notifications.last_told")

    await goes_out(replies, "wallet", "x", await messages_of(db, clock, keys, SERVICE), Lane.REMINDER)
    clock.advance(ANSWERED_WITHIN)
    await a_reminder(replies, keys, "wallet", ENDING)
    clock.advance(ANSWERED_WITHIN - MINUTE)
    assert await kept() == 1
    await writes(replies, "T")
    assert await stopped(replies, "wallet")
    clock.advance(TOLD_KEPT_FOR)
    assert await kept() == 0


# ---- which texts are one ---------------------------------------------------------------------------------------------


def over_smpp(replies: Replies, text: bytes) -> ReceivedText:
    """As an SMSC says a text: without any name of its own."""
    said = ShortMessage(source=PHONE[3:], destination="1069", short_message=text)
    return text_heard(said, said.encode(), SMSC, replies.clock.now())


async def test_t_said_again_after_it_was_taken_back_is_another_text(db, clock, keys, replies):
    await told_by(replies, keys, SERVICE)
    for text in (b"T", b"START", b"T"):
        clock.advance(timedelta(seconds=20))
        await replies.hearing.hear([over_smpp(replies, text)])
        await replies.handling.handle_arrived()
    assert [meaning for meaning, _ in await outcomes(db)] == ["opt_out", "opt_in", "opt_out"]
    assert await stopped(replies, f"department:{SERVICE}")


async def test_what_an_smsc_says_again_is_heard_once_though_several_hear_it(db, clock, keys, replies):
    for text in (b"T", b"START", b"T"):
        clock.advance(timedelta(seconds=20))
        await asyncio.gather(*(replies.hearing.hear([over_smpp(replies, text)] * 2) for _ in range(4)))
        await replies.hearing.hear([over_smpp(replies, text)])
    await replies.handling.handle_arrived()
    assert [meaning for meaning, _ in await outcomes(db)] == ["opt_out", "opt_in", "opt_out"]


async def test_texts_told_in_one_breath_are_told_apart_as_well(db, clock, replies):
    await replies.hearing.hear([over_smpp(replies, text) for text in (b"T", b"T", b"START", b"T")])
    assert await db.fetchval("SELECT count(*) FROM notifications.received_text") == 3


# ---- what fails ------------------------------------------------------------------------------------------------------


class Questions:
    """Numbers that were asked for a yes; hearing it fails for as long as `is_failing`."""

    def __init__(self, replies: Replies) -> None:
        self.is_failing = True
        self.tries = 0
        replies.handlers.add("booking_soon", self.hear)

    async def hear(self, _: Confirmed) -> bool:
        self.tries += 1
        if self.is_failing:
            raise ConnectionError
        return True


Asked = Callable[[int], Awaitable[Questions]]


@pytest.fixture
def asked(db, clock, keys, replies) -> Asked:
    async def ask(count: int) -> Questions:
        """So many numbers are asked, and say yes."""
        questions = Questions(replies)
        [message_id] = await messages_of(db, clock, keys, SERVICE)
        await db.fetch("UPDATE notifications.message SET person_id = $1, address = NULL", uuid4())
        await goes_out(replies, "appointments", "booking_soon", [message_id], Lane.REMINDER)
        digests = [replies.seals.digest(f"+86138{nth:08}") for nth in range(count)]
        await db.fetch(
            "INSERT INTO notifications.last_told SELECT d, caller, message_bucket, message_id, template, told_at,"
            " optional_at FROM notifications.last_told, unnest($1::bytea[]) AS d ON CONFLICT DO NOTHING", digests,
        )  # fmt: skip
        await replies.hearing.hear([a_text(replies, "Y", phone=f"+86138{nth:08}") for nth in range(count)])
        return questions

    return ask


async def hear_some(replies: Replies) -> None:
    with pytest.raises(ConnectionError):
        await replies.handling.handle_arrived()


async def is_out(db: Database) -> bool:
    return ("opt_out", "opted_out") in await outcomes(db)


async def test_many_whose_yes_keeps_failing_hold_up_nobodys_t(db, clock, replies, asked):
    questions = await asked(handling.NUMBERS_MAX)
    clock.advance(timedelta(seconds=1))
    await replies.hearing.hear([a_text(replies, "T", phone="+8613900139000")])
    await hear_some(replies)
    assert await is_out(db)
    assert questions.tries == handling.NUMBERS_MAX
    assert await replies.handling.handle_arrived() == 0, "what failed a moment ago is not tried again at once"
    clock.advance(MINUTE)
    questions.is_failing = False
    assert await replies.handling.handle_arrived() == handling.NUMBERS_MAX


async def test_what_keeps_failing_is_tried_ever_more_rarely_and_given_up_in_time(db, clock, replies, asked):
    questions = await asked(1)
    began = clock.now()
    while (None, None) in await outcomes(db):
        assert clock.now() < began + HANDLED_WITHIN + timedelta(minutes=10)
        with contextlib.suppress(ConnectionError):
            await replies.handling.handle_arrived()
        clock.advance(timedelta(seconds=2))
    assert await outcomes(db) == [("confirm", "failed")]
    assert 10 < questions.tries < 25


async def test_a_text_behind_one_that_failed_waits_for_its_turn(db, clock, replies, asked):
    questions = await asked(1)
    await hear_some(replies)
    clock.advance(timedelta(seconds=1))
    await replies.hearing.hear([a_text(replies, "T", phone="+8613800000000")])
    assert await replies.handling.handle_arrived() == 0
    questions.is_failing = False
    clock.advance(MINUTE)
    assert await replies.handling.handle_arrived() == 2
    assert await outcomes(db) == [("confirm", "confirmed"), ("opt_out", "opted_out")]
