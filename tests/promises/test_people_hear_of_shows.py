"""Whoever chose so is told outside the app that a certificate was shown; once for each venue and minute."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.sealing import Keys
from notifications.contacts import Choices, Outside
from notifications.parts import Notifications
from tests.builders_family import another
from tests.builders_notifications import PHONE, notifications_over
from tests.builders_scans import a_live_code, a_scan
from tests.builders_wallet import HOSPITAL, MUSEUM, STATION, a_code, device_at, issued, scanned
from wallet.model import Certificate, Outcome
from wallet.noticing.summing_up import SPAN, SummingUp
from wallet.parts import Wallet

OVER = SPAN + SPAN / 4
"""After so long whatever was shown now is told."""


@pytest.fixture
def notifications(db: Database, clock: StoppedClock, keys: Keys) -> Notifications:
    return notifications_over(db, clock, keys)


@pytest.fixture
async def sums(wallet: Wallet, notifications: Notifications) -> SummingUp:
    summing_up = SummingUp(wallet.db, wallet.clock, wallet.outbox, notifications.contacts, wallet.catalogue)
    await summing_up.tell_due()  # it begins with what is shown from now on
    return summing_up


async def chooses(notifications: Notifications, person: PersonId, *channels: Outside, phone: str = PHONE) -> None:
    now = notifications.clock.now()
    async with notifications.db.transaction() as conn:
        await notifications.contacts.remember(conn, person, phone, "zh", now)
        await notifications.contacts.choose(conn, person, Choices(shown=channels), now)


async def told(notifications: Notifications, clock: StoppedClock, sums: SummingUp, phone: str = PHONE) -> list[str]:
    """The SMS about shows, newest first, when the minute is over."""
    clock.advance(OVER + SPAN)
    await sums.tell_due()
    await notifications.settle()
    async with notifications.db.connection() as conn:
        shown = await notifications.demo_outbox.shown_to(conn, phone)
    return [one.text for one in shown if "核验了您的" in one.text]


async def owed(db: Database) -> int:
    """How many notices about shows are owed, or were."""
    count: int = await db.fetchval("SELECT count(*) FROM notifications.message WHERE template = 'certificate_uses'")
    return count


async def test_nobody_is_told_outside_the_app_who_did_not_ask(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id)
    await scanned(wallet, await a_code(wallet, card))
    assert await told(notifications, clock, sums) == []
    assert await owed(notifications.db) == 0
    async with notifications.db.connection() as conn:
        page = await notifications.inbox.page(conn, card.person_id, "zh", None)
    assert [item.kind for item in page.items].count("certificate_shown") == 1  # as for everybody


async def test_who_asked_is_told_once_by_sms_and_not_twice_in_the_inbox(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id, "sms")
    await scanned(wallet, await a_code(wallet, card))
    [text] = await told(notifications, clock, sums)
    assert text == "【随申办】云上站于3月2日（周一）09:00核验了您的“居民身份证”（共1次）。详见随申办“用证记录”。"
    async with notifications.db.connection() as conn:
        page = await notifications.inbox.page(conn, card.person_id, "zh", None)
    assert [item.kind for item in page.items if "shown" in item.kind or "uses" in item.kind] == ["certificate_shown"]
    assert await told(notifications, clock, sums) == [text]


async def test_several_looks_of_a_minute_by_one_venue_are_told_together_and_those_of_another_by_themselves(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id, "sms")
    for _ in range(3):
        await scanned(wallet, await a_code(wallet, card))
        clock.advance(timedelta(seconds=5))
    await scanned(wallet, await a_code(wallet, card, "hospital.registration"), device_at(HOSPITAL))
    texts = sorted(await told(notifications, clock, sums))
    assert [text[5 : text.index("核验")] + text[text.index("（共") :][:5] for text in texts] == [
        "云上站于3月2日（周一）09:00（共3次）",
        "青禾医院于3月2日（周一）09:00（共1次）",
    ]


async def test_looks_of_two_minutes_are_told_twice(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id, "sms")
    for _ in range(2):
        await scanned(wallet, await a_code(wallet, card))
        clock.advance(SPAN)
    assert len(await told(notifications, clock, sums)) == 2


async def test_a_look_that_was_no_yes_is_not_told(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id, "sms")
    text = await a_code(wallet, card)
    clock.advance(timedelta(minutes=2))
    assert (await scanned(wallet, text)).outcome is Outcome.EXPIRED
    assert await told(notifications, clock, sums) == []


async def test_what_was_shown_without_a_network_is_told_when_it_is_learnt_of(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id, "sms")
    scan = a_scan(await a_live_code(wallet, card), clock.now() + timedelta(minutes=2))
    clock.advance(timedelta(hours=5))
    await sums.tell_due()
    await wallet.uploader.upload(device_at(STATION), [scan])
    [text] = await told(notifications, clock, sums)
    assert "09:02核验了" in text


async def test_what_is_read_in_small_pieces_by_several_workers_is_told_once(
    wallet: Wallet, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    cards: Sequence[Certificate] = [await issued(wallet), await another(wallet)]
    for nth, card in enumerate(cards):
        await chooses(notifications, card.person_id, "sms", phone=f"+861380013800{nth}")
        await scanned(wallet, await a_code(wallet, card))
        await scanned(wallet, await a_code(wallet, card, "museum.entry"), device_at(MUSEUM))
    small = SummingUp(wallet.db, clock, wallet.outbox, notifications.contacts, wallet.catalogue, together=1)
    clock.advance(OVER + SPAN)
    await asyncio.gather(small.tell_due(), small.tell_due(), sums.tell_due())
    await small.tell_due()
    assert (
        await wallet.db.fetchval("SELECT count(*) FROM notifications.message WHERE template = 'certificate_uses'") == 4
    )


async def test_a_worker_that_was_away_for_a_day_tells_of_the_last_hours_only(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id, "sms")
    await scanned(wallet, await a_code(wallet, card))
    clock.advance(timedelta(hours=24))
    await scanned(wallet, await a_code(wallet, card))
    assert len(await told(notifications, clock, sums)) == 1


async def test_who_changed_their_mind_meanwhile_is_not_told_and_nobody_is_alerted(
    wallet: Wallet, card: Certificate, notifications: Notifications, clock: StoppedClock, sums: SummingUp
) -> None:
    await chooses(notifications, card.person_id, "sms")
    await scanned(wallet, await a_code(wallet, card))
    clock.advance(OVER + SPAN)
    await sums.tell_due()
    await chooses(notifications, card.person_id)
    assert await told(notifications, clock, sums) == []
    rows = await wallet.db.fetch(
        "SELECT d.stage FROM notifications.delivery AS d JOIN notifications.message AS m USING (bucket, message_id)"
        " WHERE m.template = 'certificate_uses'"
    )
    assert [row["stage"] for row in rows] == ["withdrawn"]


async def test_verifying_touches_nothing_of_it(
    wallet: Wallet, card: Certificate, db: Database, sums: SummingUp
) -> None:
    before = await db.fetch("SELECT * FROM wallet.shown_round")
    await scanned(wallet, await a_code(wallet, card))
    assert await db.fetch("SELECT * FROM wallet.shown_round") == before
    assert await owed(db) == 0


async def test_the_reading_of_a_minute_needs_no_look_at_other_minutes(db: Database) -> None:
    """The index is a summary of blocks: whoever records a look adds next to nothing to it."""
    kind = await db.fetchval(
        "SELECT a.amname FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam WHERE c.relname = 'use_by_recording'"
    )
    assert kind == "brin"
