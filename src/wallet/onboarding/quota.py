"""How many looks a day a venue has left under a scenario: exact, however many ask at once.

The row of a venue, scenario and day is taken by one upsert and stays locked until the caller's transaction ends; rows
are taken in the order of their keys, so that groups of scans cannot deadlock. A transaction that is rolled back took
nothing.
"""

from collections.abc import Mapping
from datetime import date

from kernel.db import Connection
from wallet.onboarding import queries
from wallet.onboarding.queries import QuotaKey

KEYS_TOGETHER_MAX = 256


async def take(
    conn: Connection, wanted: Mapping[QuotaKey, int], quotas: Mapping[QuotaKey, int], day: date
) -> dict[QuotaKey, int]:
    """How many of the `wanted` looks fit into what is left of `day` (of the city's calendar); those are taken.

    Keys without a quota fit whole and are not counted.
    """
    assert len(wanted) <= KEYS_TOGETHER_MAX
    assert all(looks >= 1 for looks in wanted.values())
    counted = sorted(key for key in wanted if key in quotas)
    fits = dict(wanted)
    if not counted:
        return fits
    taken = await queries.take_quota(conn, [(*key, wanted[key]) for key in counted], day)
    for key in counted:
        before = taken[key] - wanted[key]
        fits[key] = max(0, min(wanted[key], quotas[key] - before))
        if fits[key] < wanted[key]:
            await queries.give_back_quota(conn, key, day, wanted[key] - fits[key])
    return fits


async def give_back(
    conn: Connection, unused: Mapping[QuotaKey, int], quotas: Mapping[QuotaKey, int], day: date
) -> None:
    """Return looks that `take` gave in this same transaction and that nobody made."""
    for key in sorted(key for key, looks in unused.items() if looks and key in quotas):
        await queries.give_back_quota(conn, key, day, unused[key])
