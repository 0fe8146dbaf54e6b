"""Migrations are applied once, in order, whole or not at all, and never over a database that does not fit."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from city import embedded
from kernel.migrate import MigrationRefused, migrate
from tests.conftest import named

FIRST = "CREATE TABLE kernel.one (id uuid PRIMARY KEY);"
SECOND = "CREATE TABLE kernel.two (id uuid PRIMARY KEY);"


@pytest.fixture
async def empty_url(servers: embedded.Running) -> AsyncIterator[str]:
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute("CREATE DATABASE test_of_migrations")
    yield named(servers.database_url, "test_of_migrations")
    await admin.execute("DROP DATABASE test_of_migrations WITH (FORCE)")
    await admin.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_expand_first.sql").write_text(FIRST)
    (tmp_path / "0002_expand_second.sql").write_text(SECOND)
    return tmp_path


async def test_a_second_run_applies_nothing(empty_url: str, folder: Path) -> None:
    assert await migrate(empty_url, folder) == ["0001_expand_first.sql", "0002_expand_second.sql"]
    assert await migrate(empty_url, folder) == []


async def test_three_processes_that_start_together_apply_each_once(empty_url: str, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(empty_url, folder) for _ in range(3)))
    assert sorted(name for names in applied for name in names) == ["0001_expand_first.sql", "0002_expand_second.sql"]


async def test_a_migration_that_fails_half_way_leaves_nothing(empty_url: str, folder: Path) -> None:
    (folder / "0002_expand_second.sql").write_text(SECOND + "SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_url, folder)
    conn = await asyncpg.connect(empty_url)
    assert await conn.fetchval("SELECT to_regclass('kernel.two')") is None
    assert await conn.fetchval("SELECT count(*) FROM kernel.migration") == 1
    await conn.close()


async def test_a_file_changed_after_it_was_applied_is_refused(empty_url: str, folder: Path) -> None:
    await migrate(empty_url, folder)
    (folder / "0001_expand_first.sql").write_text(FIRST + "-- changed")
    with pytest.raises(MigrationRefused, match="changed after it was applied"):
        await migrate(empty_url, folder)


async def test_a_database_ahead_of_this_code_is_refused(empty_url: str, folder: Path) -> None:
    await migrate(empty_url, folder)
    (folder / "0002_expand_second.sql").unlink()
    with pytest.raises(MigrationRefused, match="use the newer version"):
        await migrate(empty_url, folder)


async def test_a_gap_in_the_numbers_is_refused(empty_url: str, folder: Path) -> None:
    (folder / "0002_expand_second.sql").rename(folder / "0003_expand_second.sql")
    with pytest.raises(MigrationRefused, match="expected 0002"):
        await migrate(empty_url, folder)


async def test_a_migration_that_waits_for_a_lock_gives_up(empty_url: str, folder: Path) -> None:
    await migrate(empty_url, folder)
    (folder / "0003_expand_third.sql").write_text("ALTER TABLE kernel.one ADD COLUMN note text;")
    holder = await asyncpg.connect(empty_url)
    async with holder.transaction():
        await holder.execute("LOCK TABLE kernel.one")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await migrate(empty_url, folder)
    await holder.close()
