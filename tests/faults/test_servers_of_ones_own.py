"""With a PostgreSQL and a Redis of one's own the city starts none, and keeps its promises all the same."""

from collections.abc import AsyncIterator

import pytest

from city import embedded
from city.embedded import servers
from kernel.db import Database
from tests.running_city import RunningCity, running_city


@pytest.fixture(scope="module")
async def city() -> AsyncIterator[RunningCity]:
    with servers() as theirs:
        given = {"SUISHENBAN_DATABASE_URL": theirs.database_url, "SUISHENBAN_REDIS_URL": theirs.redis_url}
        async with running_city(given) as up:
            up.theirs = theirs  # type: ignore[attr-defined]
            yield up


async def test_the_city_uses_them_and_starts_none_of_its_own(city: RunningCity) -> None:
    assert {"postgres", "redis"}.isdisjoint(city.pids())
    assert "web" in city.pids()
    theirs: embedded.Running = city.theirs  # type: ignore[attr-defined]
    db = await Database.open(theirs.database_url, connections_max=2)
    assert await db.fetchval("SELECT count(*) FROM wallet.certificate") > 2_000
    await db.close()


async def test_it_keeps_every_promise_on_them(city: RunningCity) -> None:
    await city.play_journey()


async def test_started_again_it_finds_what_it_left_there(city: RunningCity) -> None:
    await city.stop()
    await city.start()
    await city.play_journey()
