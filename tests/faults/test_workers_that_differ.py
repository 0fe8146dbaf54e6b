"""Two versions of a worker run side by side, or one lacks keys that another has: none of them spoils what is owed."""

from datetime import timedelta

import pytest

from kernel.db import Database
from kernel.sealing import KeyFile, Keys, fresh_key
from notifications import templates
from notifications.channels.provider import Accepted, Refused
from notifications.contacts import Choices
from notifications.model import Lane
from notifications.outbox import GOOD_FOR
from notifications.planning import POSTPONE
from tests.builders_notifications import Carrier, Ends, a_person, a_promise, notifications_over, outcomes, owe, stages
from tests.builders_sending import BULK_TEXT, DEPARTMENT, OneText, a_chooser


class NoText(OneText):
    """An older worker's texts: nothing helps it to this one."""

    def find(self, template, version):
        return None


class Answers:
    """Says each answer once, and then that it accepts."""

    def __init__(self, *answers) -> None:
        self._left = list(answers)

    def __call__(self, sms):
        return self._left.pop(0) if self._left else Accepted((sms.reference,))


def a_newer_and_an_older(db: Database, clock, keys: Keys, carrier: Carrier):
    newer, older = (notifications_over(db, clock, keys, carrier) for _ in range(2))
    newer.wordings.texts, older.wordings.texts = OneText(), NoText()
    return newer, older


async def test_an_older_worker_leaves_a_second_try_to_whoever_knows_its_words(db, clock, keys) -> None:
    carrier = Carrier(answer=Answers(Refused("busy", "no")))
    newer, older = a_newer_and_an_older(db, clock, keys, carrier)
    await owe(newer, a_promise(BULK_TEXT, words="x", caller=DEPARTMENT, due_at=clock.now()))
    await newer.settle()
    clock.advance(timedelta(seconds=2))
    await older.settle()
    assert (len(carrier.carried), await stages(db)) == (1, {"sms waiting": 1})
    assert older.wordings.texts.asked == [(BULK_TEXT.id, BULK_TEXT.version)]
    clock.advance(POSTPONE)
    await newer.settle()
    assert (len(carrier.carried), await stages(db)) == (2, {"sms accepted": 1})


async def test_a_second_try_whose_words_nobody_knows_is_alerted_in_the_end(db, clock, keys) -> None:
    newer, older = a_newer_and_an_older(db, clock, keys, Carrier(answer=Answers(Refused("busy", "no"))))
    ends = Ends()
    older.endings.listeners.append(ends)
    await owe(newer, a_promise(BULK_TEXT, words="x", caller=DEPARTMENT, due_at=clock.now()))
    await newer.settle()
    clock.advance(GOOD_FOR[Lane.BULK] - timedelta(seconds=1))
    await older.settle()
    assert ends.said == [("sms", "undeliverable", "unknown text")]


async def test_a_second_try_that_cannot_be_read_does_not_say_that_the_first_reached_nobody(db, clock, keys) -> None:
    first, other = Carrier("a", answer=lambda _: TimeoutError()), Carrier("b")
    notifications = notifications_over(db, clock, keys, first, other)
    await owe(notifications, a_promise(templates.BOOKING_CANCELLED, due_at=clock.now()))
    await notifications.settle()
    await db.fetch("UPDATE notifications.message SET sealed_values = overlay(sealed_values placing '\\x00' from 20)")
    clock.advance(timedelta(minutes=2))
    await notifications.settle()
    assert (await outcomes(db), await stages(db)) == ([("a", "unknown")], {"sms unknown": 1})


def before_and_after_a_rotation() -> tuple[Keys, Keys]:
    """The keys of who was not started again yet, and of who was."""
    old, new, digest = fresh_key(), fresh_key(), fresh_key()
    return Keys(KeyFile(sealing=[old], digest=[digest])), Keys(KeyFile(sealing=[new, old], digest=[digest]))


@pytest.mark.parametrize("owed", [templates.SIGN_IN_CODE, templates.CERTIFICATE_ISSUED])
async def test_what_is_sealed_under_a_newer_key_waits_for_a_worker_that_has_it(db, clock, owed) -> None:
    before, after = before_and_after_a_rotation()
    carrier = Carrier()
    worker = notifications_over(db, clock, before, carrier)
    web = started_again = notifications_over(db, clock, after, carrier)
    await owe(web, a_promise(owed, due_at=clock.now()))
    await worker.settle()
    assert await db.fetchval("SELECT stage FROM notifications.message") == "owed"
    clock.advance(POSTPONE)
    await started_again.settle()
    assert (len(carrier.carried), await stages(db)) == (1, {"sms accepted": 1})


async def test_a_second_try_waits_for_a_worker_that_has_the_key_of_a_number_changed_meanwhile(db, clock) -> None:
    before, after = before_and_after_a_rotation()
    carrier = Carrier(answer=Answers(Refused("busy", "no")))
    worker, web = (notifications_over(db, clock, keys, carrier) for keys in (before, after))
    person = await a_chooser(worker, before, Choices())
    await owe(worker, a_promise(to=person, due_at=clock.now()))
    await worker.settle()
    async with db.transaction() as conn:
        await web.contacts.remember(conn, person, "+8613900139000", "zh", clock.now())
    clock.advance(timedelta(seconds=2))
    await worker.settle()
    assert (await stages(db))["sms waiting"] == 1
    clock.advance(POSTPONE)
    await web.settle()
    assert [sms.phone for sms in carrier.carried][1:] == ["+8613900139000"]


async def test_what_is_sealed_under_a_key_nobody_has_is_alerted_in_the_end(db, clock) -> None:
    before, after = before_and_after_a_rotation()
    worker, web = (notifications_over(db, clock, keys, Carrier()) for keys in (before, after))
    ends = Ends()
    worker.endings.listeners.append(ends)
    await owe(web, a_promise(due_at=clock.now(), to=await a_person(web)))
    await worker.settle()
    clock.advance(GOOD_FOR[Lane.RESULT])
    await worker.settle()
    assert ends.said == [(None, "unsendable", "cannot be read")]
