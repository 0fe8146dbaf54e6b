"""The private PostgreSQL and Redis: they heal, start after every kind of death, and keep quiet about people."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from city import leftovers
from city.accounts import Account, server_account
from city.children import Child
from city.data_directory import DataDirectory
from city.embedded import SOCKET_FOLDER_CHARACTERS_MAX, prepare, servers, throwaway_folder
from city.environment import SOURCES
from city.errors import CannotStart
from city.private_postgres import server_command
from city.supervising import Asked, Supervisor
from city.waiting import wait_until_ready

HEALS_WITHIN_SECONDS = 10.0
STARTS_POSTGRES = """
import os, sys
from city.accounts import server_account
from city.children import Child
from city.data_directory import DataDirectory
from city.embedded import prepare
from city.waiting import wait_until_ready
at = DataDirectory(__import__("pathlib").Path(sys.argv[1]))
child = Child(prepare(at, server_account(None, os.environ), os.environ).postgres, at.logs, at.running)
child.start()
wait_until_ready(child)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def account() -> Account | None:
    return server_account(None, os.environ)


@pytest.fixture
def at(account: Account | None) -> Iterator[DataDirectory]:
    """A directory of a city that the servers' account can enter."""
    folder = throwaway_folder(account)
    yield DataDirectory(folder)
    subprocess.run(["rm", "-rf", str(folder)], check=True)


async def ask(url: str, statement: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


async def test_both_heal_when_killed_and_postgres_forgets_nothing(at: DataDirectory, account: Account | None) -> None:
    said: list[str] = []
    supervisor = Supervisor(at.logs, at.running, Asked(), said.append)
    ready = prepare(at, account, os.environ)
    supervisor.start([ready.postgres, ready.redis])
    try:
        supervisor.await_ready(lambda: None)
        await ask(ready.database_url, "CREATE TABLE told AS SELECT 42 AS answer")
        for name in ("postgres", "redis"):
            os.kill(leftovers.recorded(at.running)[name], signal.SIGKILL)
            patience = time.monotonic() + HEALS_WITHIN_SECONDS
            while f"{name} is ready again" not in said:
                assert time.monotonic() < patience, said
                supervisor.tend()
                await asyncio.sleep(0.02)
        assert await ask(ready.database_url, "SELECT answer FROM told") == 42
    finally:
        supervisor.stop([("redis", "postgres")], lambda: None)


def test_a_killed_start_leaves_nothing_that_stops_the_next(at: DataDirectory, account: Account | None) -> None:
    words = [sys.executable, "-P", "-c", STARTS_POSTGRES, str(at.path)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES)}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as first:
        assert first.stdout is not None
        orphan = int(first.stdout.readline())
        first.kill()
    child = Child(prepare(at, account, os.environ).postgres, at.logs, at.running)
    assert leftovers.birth_of(orphan) is None
    child.start()
    wait_until_ready(child)
    child.stop()


def test_an_orphan_is_ended_and_a_strangers_server_is_not(at: DataDirectory, account: Account | None) -> None:
    ready = prepare(at, account, os.environ)
    child = Child(ready.postgres, at.logs, at.running)
    child.start()
    wait_until_ready(child)
    mark = (at.running / "postgres").read_text()
    leftovers.forget(at.running, "postgres")
    with pytest.raises(CannotStart, match="not started by this command"):
        prepare(at, account, os.environ)
    assert child.is_alive()
    at.running.mkdir(exist_ok=True)
    (at.running / "postgres").write_text(mark)
    prepare(at, account, os.environ)
    assert not child.is_alive()


def test_a_lock_file_that_names_a_process_of_somebody_else_is_no_obstacle(
    at: DataDirectory, account: Account | None
) -> None:
    prepare(at, account, os.environ)
    lock = at.postgres / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{at.postgres}\n1700000000\n5432\n{at.sockets}\n\n  0 0\nready   \n")
    child = Child(prepare(at, account, os.environ).postgres, at.logs, at.running)
    child.start()
    wait_until_ready(child)
    child.stop()


def test_a_half_made_database_is_made_again(at: DataDirectory, account: Account | None) -> None:
    half = at.path / "postgres.new"
    prepare(at, account, os.environ)
    at.postgres.rename(half)
    (half / "PG_VERSION").unlink()
    prepare(at, account, os.environ)
    assert (at.postgres / "PG_VERSION").exists()
    assert not half.exists()


def test_another_major_version_is_refused(at: DataDirectory, account: Account | None) -> None:
    prepare(at, account, os.environ)
    (at.postgres / "PG_VERSION").write_text("17\n")
    with pytest.raises(CannotStart, match="made with PostgreSQL 17"):
        prepare(at, account, os.environ)


def test_a_long_path_with_odd_letters_gets_a_short_one_for_its_sockets(account: Account | None) -> None:
    folder = throwaway_folder(account)
    odd = folder / ("随申办, a city's data " + "x" * SOCKET_FOLDER_CHARACTERS_MAX)
    if account:
        folder.chmod(0o711)
    with servers(odd, durable=False) as running:
        assert asyncio.run(ask(running.database_url, "SELECT 1")) == 1
        short = running.directory.sockets.readlink()
        assert short.stat().st_mode & 0o077 == 0
    assert not short.exists()
    subprocess.run(["rm", "-rf", str(folder)], check=True)


async def test_what_people_send_never_reaches_the_log_of_postgres() -> None:
    with servers(durable=False) as running:
        conn = await asyncpg.connect(running.database_url)
        await conn.execute("CREATE TABLE person (phone text PRIMARY KEY CHECK (length(phone) < 30))")
        await conn.execute("INSERT INTO person VALUES ('planted-13900000000')")
        for wrong in (
            "INSERT INTO person VALUES ('planted-13900000000')",
            f"INSERT INTO person VALUES ('planted-{'0' * 30}')",
            "SELECT 'planted-date'::date",
            "SELECT planted_column FROM person",
            "DO $$ BEGIN RAISE EXCEPTION 'planted-exception'; END $$",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await conn.execute(wrong)
        with pytest.raises(asyncpg.PostgresError):
            await conn.fetch("SELECT $1::text::date", "planted-parameter")
        await conn.execute("DO $$ BEGIN RAISE WARNING 'planted-warning'; END $$")
        await conn.close()
        log = (running.directory.logs / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "planted" not in log


async def test_the_citys_role_reaches_no_file_and_no_program() -> None:
    with servers(durable=False) as running:
        for reach in ("SELECT pg_read_file('PG_VERSION')", "COPY (SELECT 1) TO PROGRAM 'true'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await ask(running.database_url, reach)
        for extension in ("btree_gist", "pg_trgm"):
            await ask(running.database_url, f"CREATE EXTENSION {extension}")


def test_nothing_listens_on_a_port(tmp_path: Path) -> None:
    command = server_command(tmp_path / "postgres", tmp_path, tmp_path, durable=True)
    assert "listen_addresses=" in command
    assert "fsync=on" in command
    assert "synchronous_commit=on" in command
