"""A venue looks as often a day as it was granted: exactly so often, however many of its devices ask at once."""

import asyncio
from datetime import date, timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import VenueId
from wallet.model import today_in_city
from wallet.onboarding.forgetting import QUOTAS_KEPT_FOR, forget_old
from wallet.onboarding.queries import QuotaKey
from wallet.onboarding.quota import give_back, take

TODAY = date(2026, 3, 2)
TAKERS = 64


def a_key(scenario_code: str = "station.entry") -> QuotaKey:
    return VenueId(uuid4()), scenario_code


async def taken(
    db: Database, wanted: dict[QuotaKey, int], quotas: dict[QuotaKey, int], day: date = TODAY
) -> dict[QuotaKey, int]:
    async with db.transaction() as conn:
        return await take(conn, wanted, quotas, day)


@pytest.mark.parametrize("each, quota", [(1, 50), (3, 100), (7, 7), (64, 1), (5, 10_000)])
async def test_of_64_takers_at_once_as_many_fit_as_were_granted(db: Database, each: int, quota: int) -> None:
    key = a_key()
    fits = await asyncio.gather(*(taken(db, {key: each}, {key: quota}) for _ in range(TAKERS)))
    assert sum(fit[key] for fit in fits) == min(quota, TAKERS * each)
    assert all(0 <= fit[key] <= each for fit in fits)
    assert await db.fetchval("SELECT taken FROM wallet.venue_quota") == min(quota, TAKERS * each)


async def test_groups_that_share_venues_in_any_order_neither_deadlock_nor_miscount(db: Database) -> None:
    keys = [a_key() for _ in range(8)]
    quotas = dict.fromkeys(keys, 100)
    groups = [dict.fromkeys((keys[turn % 8 :] + keys[: turn % 8])[:5], 3) for turn in range(TAKERS)]
    fits = await asyncio.gather(*(taken(db, group, quotas) for group in groups))
    for key in keys:
        asked = sum(group.get(key, 0) for group in groups)
        assert sum(fit.get(key, 0) for fit in fits) == min(100, asked)


async def test_what_is_rolled_back_was_not_taken(db: Database) -> None:
    key = a_key()

    async def broken_off() -> None:
        async with db.transaction() as conn:
            assert await take(conn, {key: 5}, {key: 5}, TODAY) == {key: 5}
            raise LookupError

    with pytest.raises(LookupError):
        await broken_off()
    assert await taken(db, {key: 5}, {key: 5}) == {key: 5}
    assert await taken(db, {key: 1}, {key: 5}) == {key: 0}


async def test_looks_that_came_to_nothing_are_given_back(db: Database) -> None:
    key, free = a_key(), a_key()
    async with db.transaction() as conn:
        await take(conn, {key: 5, free: 5}, {key: 5}, TODAY)
        await give_back(conn, {key: 2, free: 2}, {key: 5}, TODAY)
    assert await taken(db, {key: 5}, {key: 5}) == {key: 2}


async def test_who_has_no_quota_is_not_counted(db: Database) -> None:
    key = a_key()
    assert await taken(db, {key: 1_000}, {}) == {key: 1_000}
    assert await db.fetchval("SELECT count(*) FROM wallet.venue_quota") == 0


async def test_a_quota_that_is_lowered_or_raised_holds_from_then_on(db: Database) -> None:
    key = a_key()
    assert await taken(db, {key: 8}, {key: 10}) == {key: 8}
    assert await taken(db, {key: 4}, {key: 5}) == {key: 0}
    assert await taken(db, {key: 4}, {key: 10}) == {key: 2}
    assert await taken(db, {key: 4}, {key: 13}) == {key: 3}


async def test_every_day_and_every_scenario_begins_anew_and_old_days_are_forgotten(
    db: Database, clock: StoppedClock
) -> None:
    venue_id, code = a_key()
    today = today_in_city(clock.now())
    old = today - QUOTAS_KEPT_FOR - timedelta(days=1)
    for day in (old, today - timedelta(days=1), today):
        assert await taken(db, {(venue_id, code): 2}, {(venue_id, code): 1}, day) == {(venue_id, code): 1}
    assert await taken(db, {(venue_id, "a.b"): 1}, {(venue_id, "a.b"): 1}, today) == {(venue_id, "a.b"): 1}
    await forget_old(db, clock)
    kept = await db.fetch("SELECT DISTINCT day FROM wallet.venue_quota ORDER BY day")
    assert [row["day"] for row in kept] == [today - timedelta(days=1), today]
