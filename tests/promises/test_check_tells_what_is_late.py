"""`./run check` says whether what others rely on is published and fresh: keys, trust list, status lists, the log."""

from datetime import date, timedelta

import pytest

from appointments.calendars.keeping import fill_unknown
from city.checking_published import LISTED_WITHIN, LOGGED_WITHIN, published
from city.finding import Finding
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_wallet import POLICE_ID, a_code, a_wallet, issued, scanned
from tests.published_lists import beat
from wallet.departments.revoking import Reason
from wallet.model import Outcome
from wallet.parts import Wallet

ALL = ["signing keys", "trust list", "status lists", "ledger log", "calendar"]


@pytest.fixture
async def wallet(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Wallet:
    """A wallet whose worker has played every beat once."""
    found = await a_wallet(db, redis, clock, keys)
    await found.signing_keys.ensure()
    await found.trust.listing.publish_due()
    await issued(found)
    await beat(found, clock)
    await found.ledger_log.sequencer.append_waiting()
    return found


async def found(wallet: Wallet) -> dict[str, Finding]:
    await wallet.signing_keys.snapshot.refresh()
    return {one.part: one for one in await published(wallet.db, wallet.signing_keys, wallet.clock.now())}


async def not_fine(wallet: Wallet) -> list[str]:
    return [one.part for one in (await found(wallet)).values() if not one.is_fine]


async def test_all_is_in_order_while_the_worker_plays(wallet: Wallet) -> None:
    said = await found(wallet)
    assert list(said) == ALL
    assert await not_fine(wallet) == []
    assert said["ledger log"].found == "0 leaves, 0 wait"


async def test_a_year_whose_holidays_nobody_has_said_is_a_note_and_no_fault(wallet: Wallet) -> None:
    assert "2026" in (await found(wallet))["calendar"].found
    assert await not_fine(wallet) == []
    await fill_unknown(wallet.db, StoppedClock(wallet.clock.now()), date(2026, 1, 1), date(2026, 12, 31))
    assert (await found(wallet))["calendar"].found == "holidays known to the end of 2026"


async def test_a_revocation_that_nobody_publishes_is_late_after_a_minute(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.LOST, actor="department:police")
    assert await not_fine(wallet) == []
    clock.advance(LISTED_WITHIN + timedelta(seconds=1))
    assert await not_fine(wallet) == ["status lists"]
    await beat(wallet, clock)
    assert await not_fine(wallet) == []


async def test_a_record_that_nobody_logs_is_late_after_half_a_minute(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    await beat(wallet, clock)
    assert (await scanned(wallet, await a_code(wallet, card))).outcome is Outcome.VALID
    assert (await found(wallet))["ledger log"].found == "0 leaves, 1 wait"
    clock.advance(LOGGED_WITHIN + timedelta(seconds=1))
    assert await not_fine(wallet) == ["ledger log"]
    await wallet.ledger_log.sequencer.append_waiting()
    assert await not_fine(wallet) == []


async def test_lists_that_nobody_renews_are_late_before_they_end(wallet: Wallet, clock: StoppedClock) -> None:
    clock.advance(timedelta(hours=14))
    assert await not_fine(wallet) == ["status lists"]
    clock.advance(timedelta(days=3))
    assert await not_fine(wallet) == ["trust list", "status lists"]


async def test_a_purpose_without_a_next_key_is_told(wallet: Wallet, db: Database) -> None:
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM kernel.signing_key WHERE purpose = 'vc'")
    said = (await found(wallet))["signing keys"]
    assert not said.is_fine
    assert said.found == "nothing signs for vc; no next key is announced for vc"
    assert "docs/RUNBOOK.md" in said.remedy
