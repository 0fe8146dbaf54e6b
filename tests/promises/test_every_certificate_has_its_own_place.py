"""Every certificate stands at a place of its own in a status list, however many issue at once and whatever breaks."""

import asyncio
import random
from uuid import uuid4

import asyncpg
import pytest

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import CertificateId
from kernel.sealing import Keys
from wallet.status.allocating import LANES, Place, Statuses
from wallet.status.permutation import SIZE

ISSUERS = 64
CERTIFICATES = 200_000
BATCH = 400
ATTEMPTS_MAX = 50
BREAKS_IN = 7
"""One transaction in so many breaks after it took its places."""


class Broken(Exception):
    """The issuer died before its commit."""


async def places_of(db: Database) -> list[tuple[int, int, CertificateId]]:
    rows = await db.fetch("SELECT list_id, idx, certificate_id FROM wallet.status_entry")
    return [(row["list_id"], row["idx"], row["certificate_id"]) for row in rows]


async def counters_of(db: Database) -> dict[int, int]:
    return {row["list_id"]: row["taken"] for row in await db.fetch("SELECT list_id, taken FROM wallet.status_list")}


async def allocate(db: Database, statuses: Statuses, clock: Clock, count: int, *, breaks: bool = False) -> list[Place]:
    certificates = [CertificateId(uuid4()) for _ in range(count)]
    async with db.transaction() as conn:
        places = await statuses.allocate(conn, certificates, now=clock.now())
        if breaks:
            raise Broken
    return places


async def test_no_index_is_given_twice_and_none_is_lost_when_64_issue_at_once(
    db: Database, keys: Keys, clock: Clock
) -> None:
    chance = random.Random(7)
    left = [CERTIFICATES // ISSUERS] * ISSUERS
    given: list[Place] = []

    async def issue(nth: int) -> None:
        statuses = Statuses(keys)  # each its own process
        for _ in range(ATTEMPTS_MAX):
            if not left[nth]:
                return
            count = min(BATCH, left[nth])
            try:
                given.extend(await allocate(db, statuses, clock, count, breaks=chance.randrange(BREAKS_IN) == 0))
            except Broken:
                continue
            left[nth] -= count
        raise AssertionError("never came to an end")

    await asyncio.gather(*(issue(nth) for nth in range(ISSUERS)))
    stored = await places_of(db)
    assert len(stored) == len(given) == CERTIFICATES
    assert len({(list_id, idx) for list_id, idx, _ in stored}) == CERTIFICATES
    assert {(place.list_id, place.idx) for place in given} == {(list_id, idx) for list_id, idx, _ in stored}
    assert len({certificate for _, _, certificate in stored}) == CERTIFICATES
    counters = await counters_of(db)
    assert sum(counters.values()) == CERTIFICATES  # what broke gave its places back
    assert set(counters) == set(range(LANES))


async def test_a_full_list_rolls_over_to_the_next_one_of_its_lane(db: Database, keys: Keys, clock: Clock) -> None:
    size = 50
    everyone = [Statuses(keys, size_max=size) for _ in range(8)]
    given = await asyncio.gather(*(allocate(db, everyone[nth % 8], clock, 37) for nth in range(40)))
    assert len({(place.list_id, place.idx) for places in given for place in places}) == 40 * 37
    counters = await counters_of(db)
    assert sum(counters.values()) == 40 * 37
    assert max(counters.values()) == size
    for list_id, taken in counters.items():
        assert taken == size or list_id + LANES not in counters  # the next is opened when this one is full
    assert all(0 <= place.idx < SIZE for places in given for place in places)


async def test_a_fresh_process_goes_on_where_the_last_one_stopped(db: Database, keys: Keys, clock: Clock) -> None:
    before = await allocate(db, Statuses(keys, size_max=5), clock, 60)
    after = await allocate(db, Statuses(keys, size_max=5), clock, 60)
    assert {(place.list_id, place.idx) for place in before}.isdisjoint((place.list_id, place.idx) for place in after)


async def test_the_database_refuses_an_index_given_twice(db: Database, keys: Keys, clock: Clock) -> None:
    [place] = await allocate(db, Statuses(keys), clock, 1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.fetch(
            "INSERT INTO wallet.status_entry (list_id, idx, certificate_id, value) VALUES ($1, $2, $3, 0)",
            place.list_id, place.idx, uuid4(),
        )  # fmt: skip


async def test_a_list_is_open_in_every_lane_before_anybody_stands_in_it(db: Database, keys: Keys, clock: Clock) -> None:
    statuses = Statuses(keys, size_max=10)
    for _ in range(2):
        await statuses.open_ahead(db, now=clock.now())
        assert await counters_of(db) == dict.fromkeys(range(LANES), 0)
    for _ in range(LANES * 4):
        await allocate(db, statuses, clock, 3)
    await statuses.open_ahead(db, now=clock.now())
    counters = await counters_of(db)
    for lane in range(LANES):
        newest = max(list_id for list_id in counters if list_id % LANES == lane)
        assert counters[newest] < 9  # of ten: or the next one would be open
