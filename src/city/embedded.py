"""A private PostgreSQL and a private Redis-protocol server, for `./run`, the tests, the journey and the benchmarks.

    with servers() as running:            # thrown away at the end
        running.database_url, running.redis_url, running.postgres.pid

Both listen on unix sockets in a folder of their own, closed to others; no port is opened. As root they run as another
user (`accounts`), and then the directory must be one that user can enter: leave it to `servers()` when in doubt.
"""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from city import leftovers, private_postgres, private_redis
from city.accounts import Account, server_account
from city.children import Child, Part
from city.data_directory import OTHERS_PASS_THROUGH, OWNER_ONLY, CityRecord, DataDirectory
from city.errors import CannotStart
from city.waiting import wait_until_ready

SOCKET_FOLDER_CHARACTERS_MAX = 88
"""macOS takes 103 bytes of a socket's path, Linux 107; PostgreSQL adds `/.s.PGSQL.5432` to the folder's."""
SHARED_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - only ever through mkdtemp
_NEEDS_NO_ESCAPING = re.compile(r"[A-Za-z0-9._/-]+")


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Two servers that can be started: their parts and the addresses they will have."""

    postgres: Part
    redis: Part
    database_url: str
    redis_url: str


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Two servers that answer."""

    database_url: str
    redis_url: str
    postgres: Child
    redis: Child
    directory: DataDirectory


def _no_tick() -> None:
    """Nobody watches."""


def prepare(
    directory: DataDirectory,
    account: Account | None,
    environ: Mapping[str, str],
    *,
    durable: bool = True,
    tick: Callable[[], None] = _no_tick,
) -> Prepared:
    """Make ready what the servers need on disk, and end what a killed predecessor left. Starts nothing that stays.

    `account` is whom they run as when that is not us. Raises CannotStart.
    """
    _lay_out(directory, account)
    sockets = _socket_folder(directory, account)
    bare = server_environ(environ)
    bin_folder = private_postgres.programs(directory, account)
    end_leftovers(directory, tick)
    private_postgres.make_cluster(directory, bin_folder, bare, account, durable=durable, tick=tick)
    binary = private_redis.program(directory, account)
    return Prepared(
        postgres=private_postgres.server_part(directory, bin_folder, sockets, bare, account, durable=durable),
        redis=private_redis.server_part(directory, binary, sockets, bare, account),
        database_url=private_postgres.database_url(sockets),
        redis_url=private_redis.redis_url(sockets),
    )


@contextmanager
def servers(
    directory: Path | None = None, user: str | None = None, *, durable: bool | None = None
) -> Iterator[Running]:
    """Both servers, answering, until the block ends. Call it from a thread that lives as long as they shall.

    Without a directory they are thrown away at the end and not `durable`: a crash of the machine loses them, a crash
    of PostgreSQL does not. `user` matters to root only. Raises CannotStart.
    """
    account = server_account(user, os.environ)
    folder = directory or throwaway_folder(account)
    at = DataDirectory(folder)
    at.path.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    ready = prepare(at, account, os.environ, durable=directory is not None if durable is None else durable)
    postgres, redis = (Child(part, at.logs, at.running) for part in (ready.postgres, ready.redis))
    try:
        for child in (postgres, redis):
            child.start()
        for child in (redis, postgres):
            wait_until_ready(child)
        urls = {"database_url": ready.database_url, "redis_url": ready.redis_url}
        yield Running(**urls, postgres=postgres, redis=redis, directory=at)
    finally:
        redis.stop()
        postgres.stop()
        clear_sockets(at)
        if directory is None:
            shutil.rmtree(folder, ignore_errors=True)


def throwaway_folder(account: Account | None) -> Path:
    """A new empty folder for temporary files that `account` can enter."""
    for parent in dict.fromkeys((tempfile.gettempdir(), *SHARED_TEMPORARY_FOLDERS)):
        if account is None or account.reaches(Path(parent)):
            return Path(tempfile.mkdtemp(prefix="suishenban-", dir=parent))
    raise CannotStart("The servers' account can enter no folder for temporary files.", "Set TMPDIR to one it can.")


def server_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """What the servers need of an environment: no variable of ours, of PostgreSQL's or of Python's reaches them."""
    kept = {name: environ[name] for name in ("PATH", "TMPDIR", "HOME") if name in environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def end_leftovers(directory: DataDirectory, tick: Callable[[], None] = _no_tick) -> None:
    """End what a killed predecessor left running on `directory`: our own processes first, the database last."""
    for name, pid in leftovers.recorded(directory.running).items():
        if name != "postgres":
            leftovers.end(pid, ((signal.SIGKILL, 5.0),), tick)
    private_postgres.recover(directory, tick)
    shutil.rmtree(directory.running, ignore_errors=True)


def clear_sockets(directory: DataDirectory) -> None:
    """Take away the folder of sockets once nobody listens in it."""
    if directory.sockets.is_symlink():
        shutil.rmtree(directory.sockets.readlink(), ignore_errors=True)
        directory.sockets.unlink()


def _lay_out(directory: DataDirectory, account: Account | None) -> None:
    directory.path.chmod(OTHERS_PASS_THROUGH if account else OWNER_ONLY)
    if account and not account.reaches(directory.path):
        raise CannotStart(
            f"{account.name}, whom PostgreSQL runs as because you are root, cannot enter {directory.path}.",
            "Choose a folder outside closed ones with --data, e.g. /var/lib/suishenban, or another user with --user.",
        )
    record = directory.record() or CityRecord(uid=os.geteuid())
    if record.account != (account.name if account else None) or not directory.record_file.exists():
        record.account = account.name if account else None
        directory.write_record(record)
    for ours in (directory.logs, directory.running):
        ours.mkdir(mode=OWNER_ONLY, exist_ok=True)
    directory.redis.mkdir(mode=OWNER_ONLY, exist_ok=True)
    if account:
        account.owns(directory.redis)


def _socket_folder(directory: DataDirectory, account: Account | None) -> Path:
    """`sockets`, or what it links to where its own path is too long for a socket or needs escaping in an address."""
    folder = directory.sockets
    if len(bytes(folder)) > SOCKET_FOLDER_CHARACTERS_MAX or not _NEEDS_NO_ESCAPING.fullmatch(str(folder)):
        clear_sockets(directory)
        folder = Path(tempfile.mkdtemp(prefix="ssb-", dir=SHARED_TEMPORARY_FOLDERS[0]))
        directory.sockets.symlink_to(folder)
    folder.mkdir(mode=OWNER_ONLY, exist_ok=True)
    if account:
        account.owns(folder)
    return folder
