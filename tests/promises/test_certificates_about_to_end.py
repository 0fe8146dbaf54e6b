"""Holders are warned 30 and 7 days before a certificate ends, once each, and never of one that has ended otherwise."""

import asyncio
from datetime import date, timedelta

import msgspec
import pytest

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.clock import StoppedClock, in_shanghai
from kernel.db import Database
from kernel.ids import PersonId
from kernel.people import Identity
from kernel.sealing import Keys
from tests.builders_notifications import notifications_over
from tests.builders_wallet import POLICE_ID, an_id_card, issued
from wallet.departments.revoking import Reason
from wallet.model import Certificate
from wallet.noticing.forewarning import Forewarning
from wallet.parts import Wallet

LAST_DAY = date(2026, 6, 30)
ACTOR = f"department:{POLICE_ID}"


@pytest.fixture
def warns(wallet: Wallet) -> Forewarning:
    return Forewarning(wallet.db, wallet.clock, wallet.outbox, wallet.catalogue)


def a_card(reference: str = "R-1", valid_until: date | None = LAST_DAY, nth: int = 0):
    born = date(1990, 1, 1) + timedelta(days=nth)
    holder = Identity(id_number("310101", born, Sex.FEMALE, 0), "某甲")
    return msgspec.structs.replace(an_id_card(reference, holder), valid_until=valid_until)


def go_to(clock: StoppedClock, days_before: int, *, hour: int = 9, last_day: date = LAST_DAY) -> None:
    """The morning so many days before the last day."""
    local = in_shanghai(clock.now())
    days = (last_day - local.date()).days - days_before
    clock.advance(timedelta(days=days) + timedelta(hours=hour - local.hour))


async def warned(db: Database) -> list[str]:
    """The names of the warnings owed, without ids of certificates."""
    rows = await db.fetch("SELECT key FROM notifications.message WHERE template = 'certificate_ending' ORDER BY key")
    return sorted(row["key"].rpartition(":")[2] for row in rows)


async def test_a_holder_is_warned_thirty_and_seven_days_before_and_once_each(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    await issued(wallet, a_card())
    heard = {}
    for days_before in range(33, -2, -1):
        go_to(clock, days_before)
        for _ in range(2):
            await warns.warn_due()
        heard[days_before] = await warned(db)
    assert heard[31] == []
    assert heard[30] == heard[8] == ["30"]
    assert heard[7] == heard[-1] == ["30", "7"]


async def test_a_warning_comes_in_the_morning(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    await issued(wallet, a_card())
    go_to(clock, 30, hour=8)
    await warns.warn_due()
    assert await warned(db) == []
    go_to(clock, 30, hour=9)
    await warns.warn_due()
    assert await warned(db) == ["30"]


async def test_it_says_which_one_until_when_and_how_many_days_are_left(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock, keys: Keys
) -> None:
    notifications = notifications_over(db, clock, keys)
    card = await issued(wallet, a_card())
    go_to(clock, 30)
    await warns.warn_due()
    await notifications.settle()
    async with db.connection() as conn:
        page = await notifications.inbox.page(conn, card.person_id, "zh", None)
    assert [item.body for item in page.items if item.kind == "certificate_ending"] == [
        "您的“居民身份证”有效期至2026-06-30，还有30天。如需继续使用，请尽快向签发部门办理换发。"
    ]


@pytest.mark.parametrize("how", ["suspended", "revoked", "renewed"])
async def test_nobody_is_warned_of_what_is_suspended_revoked_or_renewed(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock, how: str
) -> None:
    card = await issued(wallet, a_card())
    match how:
        case "suspended":
            await wallet.revoking.suspend(POLICE_ID, card.certificate_id, Reason.UNDER_INVESTIGATION, actor=ACTOR)
        case "revoked":
            await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.PENALTY, actor=ACTOR)
        case _:
            new = a_card("R-2", date(2046, 6, 30))
            await wallet.revoking.supersede(POLICE_ID, card.certificate_id, new, actor=ACTOR)
    for days_before in (30, 7):
        go_to(clock, days_before)
        await warns.warn_due()
    assert await warned(db) == []


async def test_who_had_theirs_renewed_after_the_first_warning_hears_no_second(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet, a_card())
    go_to(clock, 30)
    await warns.warn_due()
    await wallet.revoking.supersede(POLICE_ID, card.certificate_id, a_card("R-2", date(2046, 6, 30)), actor=ACTOR)
    go_to(clock, 7)
    await warns.warn_due()
    assert await warned(db) == ["30"]


async def test_each_version_is_warned_of_by_itself(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet, a_card())
    go_to(clock, 30)
    await warns.warn_due()
    next_last = date(2026, 12, 31)
    await wallet.revoking.supersede(POLICE_ID, card.certificate_id, a_card("R-2", next_last), actor=ACTOR)
    go_to(clock, 30, last_day=next_last)
    await warns.warn_due()
    assert await warned(db) == ["30", "30"]


@pytest.mark.parametrize("days", [30, 29, 14])
async def test_what_was_made_for_a_few_days_is_not_warned_of_the_day_it_was_made(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock, days: int
) -> None:
    go_to(clock, days)
    await issued(wallet, a_card())
    await warns.warn_due()
    assert await warned(db) == []
    go_to(clock, 7)
    await warns.warn_due()
    assert await warned(db) == ["7"]


async def test_days_on_which_no_worker_ran_are_made_up_for(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    await issued(wallet, a_card())
    await issued(wallet, a_card("R-2", LAST_DAY - timedelta(days=1), nth=1))
    go_to(clock, 28, hour=3)  # before the morning's hour: of earlier days only
    await warns.warn_due()
    assert await warned(db) == ["30", "30"]


async def test_several_workers_warn_once_whatever_fits_into_a_chunk(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    people: list[PersonId] = []
    for nth in range(7):
        card: Certificate = await issued(wallet, a_card(f"R-{nth}", nth=nth))
        people.append(card.person_id)
    go_to(clock, 30)
    small = Forewarning(db, clock, wallet.outbox, wallet.catalogue, together=2)
    await asyncio.gather(small.warn_due(), warns.warn_due(), small.warn_due())
    await small.warn_due()
    told = await db.fetch("SELECT person_id FROM notifications.message WHERE template = 'certificate_ending'")
    assert sorted(row["person_id"] for row in told) == sorted(people)


async def test_what_never_ends_is_never_warned_of(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    await issued(wallet, a_card(valid_until=None))  # the kind's rule: twenty years
    go_to(clock, 7)
    await warns.warn_due()
    assert await warned(db) == []


async def test_rounds_that_are_over_are_forgotten(
    wallet: Wallet, warns: Forewarning, db: Database, clock: StoppedClock
) -> None:
    go_to(clock, 30)
    await warns.warn_due()
    go_to(clock, -1)
    await warns.warn_due()
    today = in_shanghai(clock.now()).date()
    assert await db.fetchval("SELECT count(*) FROM wallet.expiry_round WHERE valid_until < $1", today) == 0
