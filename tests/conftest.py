"""Real servers for every test: a private PostgreSQL and Redis, one migrated template database, a copy per test."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from city import embedded
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.migrate import migrate
from kernel.redis import Redis
from kernel.sealing import KeyFile, Keys, fresh_key, make_key_file
from kernel.settings import load
from tests.running_city import RunningCity, running_city
from tests.whole_city import TestCity

MIGRATIONS = Path(__file__).parents[1] / "src" / "gateway" / "migrations"
TEMPLATE = "template_of_tests"
MONDAY_NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday 2 March 2026, nine in the morning in Shanghai."""

_copies = count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.Running]:
    """The servers of this test run, thrown away at its end. Not durable: faults of the disk are tested elsewhere."""
    with embedded.servers(durable=False) as running:
        yield running


def named(database_url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
async def template(servers: embedded.Running) -> str:
    """The name of a migrated, empty database that tests are given copies of."""
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f"CREATE DATABASE {TEMPLATE}")
    await admin.close()
    await migrate(named(servers.database_url, TEMPLATE), MIGRATIONS)
    return TEMPLATE


@pytest.fixture
async def database_url(servers: embedded.Running, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    name = f"test_{next(_copies)}"
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield named(servers.database_url, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections_max=12)
    yield database
    await database.close()


@pytest.fixture
async def redis(servers: embedded.Running) -> AsyncIterator[Redis]:
    """An empty Redis."""
    opened = await Redis.open(servers.redis_url)
    await opened.ask(b"FLUSHALL")
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys(KeyFile(sealing=[fresh_key()], digest=[fresh_key()]))


@pytest.fixture
def clock() -> StoppedClock:
    """Stands at nine on a Monday morning until the test moves it."""
    return StoppedClock(MONDAY_NINE)


@pytest.fixture
async def city(
    servers: embedded.Running, database_url: str, redis: Redis, clock: StoppedClock, tmp_path: Path
) -> AsyncIterator[TestCity]:
    """A whole city in this process: real servers, no people yet, the demo's short cuts open."""
    key_file = tmp_path / "keys.json"
    make_key_file(key_file)
    settings = load(
        {
            "SUISHENBAN_DATABASE_URL": database_url,
            "SUISHENBAN_REDIS_URL": servers.redis_url,
            "SUISHENBAN_KEY_FILE": str(key_file),
            "SUISHENBAN_REQUESTS_PER_MINUTE": "1000000",
            "SUISHENBAN_DEMO": "true",
        }
    )
    opened = await TestCity.open(settings, clock)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def whole_running_city() -> AsyncIterator[RunningCity]:
    """A whole demo city, brought up by the ordinary command: its own processes, its own servers. Leave it as it was."""
    async with running_city() as up:
        yield up


@pytest.fixture(scope="session")
def city_url(whole_running_city: RunningCity) -> str:
    """Where it answers."""
    return whole_running_city.url


@pytest.fixture(scope="session")
def running_data(whole_running_city: RunningCity) -> Path:
    """Its data directory, for commands."""
    return whole_running_city.at.path
