"""A database that goes away costs what was in the middle, and nothing else."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from kernel.db import Database, DatabaseAway, OutcomeUnknown, RolledBack, connect, listen

AWAY_OFTEN = 60
KILL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> $1 AND backend_type = 'client backend'"
)


@pytest.fixture
async def small(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections_max=3, acquire_timeout_seconds=0.2)
    yield database
    await database.close()


async def one_after_another(database: Database) -> int:
    async with database.transaction() as conn:
        await asyncio.sleep(0.01)
        return int(await conn.fetchval("SELECT pg_backend_pid()"))


async def kill_others(database_url: str) -> None:
    killer = await connect(database_url)
    try:
        await killer.fetchval(KILL, await killer.fetchval("SELECT pg_backend_pid()"))
    finally:
        killer.terminate()


async def test_connections_that_died_idle_cost_nobody_an_error(small: Database, database_url: str):
    before = set(await asyncio.gather(*(one_after_another(small) for _ in range(3))))
    await kill_others(database_url)
    after = set(await asyncio.gather(*(one_after_another(small) for _ in range(3))))
    assert len(before) == len(after) == 3
    assert not before & after


async def test_a_transaction_cut_in_the_middle_is_away_and_the_next_one_works(small: Database, database_url: str):
    async def write_half() -> None:
        async with small.transaction() as conn:
            await conn.execute("CREATE TABLE half (a integer)")
            await kill_others(database_url)
            await conn.execute("INSERT INTO half VALUES (1)")

    with pytest.raises(DatabaseAway):
        await write_half()
    assert await small.fetchval("SELECT to_regclass('half')") is None


async def test_a_connection_that_ends_between_two_statements_is_away_like_any_other(small: Database, database_url: str):
    """Its end may be told (FATAL) and not yet seen (end of the stream) when the next statement is sent."""
    outcomes: Counter[str] = Counter()

    async def keep_asking() -> None:
        async with asyncio.timeout(5):
            while outcomes["away"] < AWAY_OFTEN:
                try:
                    async with small.transaction() as conn:
                        for _ in range(3):
                            await conn.fetchval("SELECT $1::int", 1)
                    outcomes["answered"] += 1
                except DatabaseAway:
                    outcomes["away"] += 1
                except OutcomeUnknown:
                    outcomes["unknown"] += 1

    async def keep_killing() -> None:
        killer = await connect(database_url)
        own = await killer.fetchval("SELECT pg_backend_pid()")
        try:
            while outcomes["away"] < AWAY_OFTEN:
                await asyncio.sleep(0.002)
                await killer.fetchval(KILL, own)
        finally:
            killer.terminate()

    await asyncio.gather(*(keep_asking() for _ in range(3)), keep_killing())
    assert outcomes["answered"] > 0
    assert len(set(await asyncio.gather(*(one_after_another(small) for _ in range(3))))) == 3


async def test_waiting_for_a_connection_is_bounded(small: Database):
    held = [small.transaction() for _ in range(3)]
    for each in held:
        await each.__aenter__()
    began = time.monotonic()
    with pytest.raises(DatabaseAway):
        await small.fetchval("SELECT 1")
    assert time.monotonic() - began < 1
    for each in held:
        await each.__aexit__(None, None, None)
    assert await asyncio.gather(*(one_after_another(small) for _ in range(9)))


async def test_a_caller_cut_off_in_the_middle_leaves_no_transaction_behind(small: Database):
    async def stall() -> None:
        async with small.transaction() as conn:
            await conn.execute("CREATE TABLE half (a integer)")
            await conn.execute("SELECT pg_sleep(60)")

    stalled = [asyncio.create_task(stall()) for _ in range(3)]
    await asyncio.sleep(0.1)
    for each in stalled:
        each.cancel()
    await asyncio.gather(*stalled, return_exceptions=True)
    assert len(set(await asyncio.gather(*(one_after_another(small) for _ in range(3))))) == 3


async def test_an_error_caught_and_ignored_inside_a_transaction_is_not_taken_for_a_commit(small: Database):
    async def write_half() -> None:
        async with small.transaction() as conn:
            await conn.execute("CREATE TABLE half (a integer)")
            with contextlib.suppress(asyncpg.DivisionByZeroError):
                await conn.execute("SELECT 1 / 0")

    with pytest.raises(RolledBack):
        await write_half()
    assert await small.fetchval("SELECT to_regclass('half')") is None


async def test_a_database_that_is_not_there_is_away():
    with pytest.raises(DatabaseAway):
        await Database.open(f"postgresql://city@/city?host=/nowhere/{uuid4()}")


async def test_a_listener_comes_back_and_says_that_it_may_have_missed_something(small: Database, database_url: str):
    hints: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.create_task(listen(database_url, "kinds", hints.put_nowait))
    try:
        assert await asyncio.wait_for(hints.get(), 2) == ""
        await small.fetchval("SELECT pg_notify('kinds', 'changed')")
        assert await asyncio.wait_for(hints.get(), 2) == "changed"
        await kill_others(database_url)
        assert await asyncio.wait_for(hints.get(), 2) == ""
    finally:
        listening.cancel()
