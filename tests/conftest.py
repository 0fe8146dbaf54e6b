"""Real servers for every test: a private PostgreSQL and Redis, one migrated template database, a copy per test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from city import embedded
from city.accounts import server_account
from city.settling import settle
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
MEMORY = Path("/dev/shm")
MEMORY_FREE_MIN = 4 * 1024**3
"""More than the tests' databases and their WAL come to; a container's own few megabytes are too few."""
MONDAY_NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday 2 March 2026, nine in the morning in Shanghai."""

pytest_plugins = ("tests.taking_turns",)

_copies = count(1)


def pytest_collection_finish() -> None:
    """As a city's own processes do: the roof is opened hundreds of times, and the collector would walk it each time."""
    settle()


@contextmanager
def folder_in_memory() -> Iterator[Path | None]:
    """A folder of a file system in memory, where a database is copied in a tenth of the time; None without room."""
    account = server_account(None, os.environ)
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_FREE_MIN
    if not has_room or not (account is None or account.reaches(MEMORY)):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="suishenban-", dir=MEMORY))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.Running]:
    """The servers of this test run, thrown away at its end. Not durable: faults of the disk are tested elsewhere."""
    with folder_in_memory() as folder, embedded.servers(folder, durable=False) as running:
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


class Copies:
    """Copies of the template: the next is made while a test uses the one before, for making one takes a while.

    All of it within the test: between tests the loop may stand still for longer than a server waits.
    """

    def __init__(self, database_url: str, template: str) -> None:
        self._database_url = database_url
        self._template = template
        self._used: str | None = None
        self._spare: str | None = None

    async def _make(self) -> str:
        """Clear the copy used last away, and make a fresh one."""
        name = f"test_{next(_copies)}"
        admin = await asyncpg.connect(self._database_url)
        try:
            if self._used is not None:
                await admin.execute(f"DROP DATABASE {self._used} WITH (FORCE)")
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        finally:
            await admin.close()
        return name

    @asynccontextmanager
    async def one(self) -> AsyncIterator[str]:
        """The address of a copy, for the block alone."""
        name = self._spare or await self._make()
        making = asyncio.create_task(self._make())
        yield named(self._database_url, name)
        self._spare = await making
        self._used = name


@pytest.fixture(scope="session")
async def copies(servers: embedded.Running, template: str) -> Copies:
    return Copies(servers.database_url, template)


@pytest.fixture
async def database_url(copies: Copies) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with copies.one() as url:
        yield url


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
