"""Everywhere a running city leaves bytes behind, each place by its name, as whoever broke in would read it."""

import asyncio
import io
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import redis

from city import asking, leftovers
from city.data_directory import DataDirectory
from city.environment import DEFAULT_HOST
from city.private_postgres import DATABASE, SUPERUSER
from city.private_redis import SOCKET
from tests.running_city import RunningCity

TALKATIVE = {
    "log_statement": "all",
    "log_min_messages": "notice",
    "log_min_error_statement": "error",
    "log_error_verbosity": "default",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
}
"""What an operator may turn on one bad night: every statement with every parameter, and every error in full."""


async def superuser(at: DataDirectory) -> asyncpg.Connection:
    """PostgreSQL as its owner sees it."""
    return await asyncpg.connect(host=str(at.sockets.resolve()), user=SUPERUSER, database=DATABASE)


async def make_postgres_talk(at: DataDirectory) -> None:
    """Have PostgreSQL log every statement with its parameters, on new connections; the old ones are ended."""
    conn = await superuser(at)
    for name, value in TALKATIVE.items():
        await conn.execute(f"ALTER DATABASE {DATABASE} SET {name} = '{value}'")
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    await conn.close()


def files_below(folder: Path, *, beside: Iterable[Path] = ()) -> Iterator[bytes]:
    """The content of every file in a folder, without some folders in it."""
    left_out = set(beside)
    for path in sorted(folder.rglob("*")):
        if left_out.isdisjoint((path, *path.parents)) and path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):  # a live server removes files of its own
                yield path.read_bytes()


async def every_table(conn: asyncpg.Connection) -> list[bytes]:
    """Every table of every schema as text, statistics of its columns and all that PostgreSQL keeps included."""
    tables = await conn.fetch(
        "SELECT quote_ident(nspname) || '.' || quote_ident(relname) AS name FROM pg_class"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE relkind IN ('r', 'm') ORDER BY 1"
    )
    found = []
    for table in tables:
        text = io.BytesIO()
        await conn.copy_from_query(f"SELECT * FROM {table['name']}", output=text)
        found.append(text.getvalue())
    activity = await conn.fetch("SELECT query FROM pg_stat_activity")
    return [*found, *(row["query"].encode() for row in activity)]


def everything_in_redis(at: DataDirectory) -> Iterator[bytes]:
    """Every key and every value."""
    client: Any = redis.Redis(unix_socket_path=str(at.sockets / SOCKET))
    read = {
        b"string": lambda key: [client.get(key)],
        b"hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"none": lambda _: [],  # its time came while we looked
    }
    for key in client.scan_iter(count=1000):
        yield key
        yield from (value for value in read[client.type(key)](key) if value is not None)
    client.close()


class RedisWatch:
    """Everything that is said to Redis while it watches, as MONITOR tells it."""

    def __init__(self, at: DataDirectory) -> None:
        self._path = str(at.sockets / SOCKET)
        self._said = bytearray()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        reader, self._writer = await asyncio.open_unix_connection(self._path)
        self._writer.write(b"MONITOR\r\n")
        assert await reader.readline() == b"+OK\r\n"
        self._task = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while some := await reader.read(65_536):
            self._said += some

    async def end(self) -> bytes:
        """What was said, with MONITOR's escapes undone."""
        assert self._task is not None
        self._writer.close()
        await self._task
        await self._writer.wait_closed()
        return re.sub(rb"\\(x[0-9a-f]{2}|.)", _unescaped, bytes(self._said))


_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def _unescaped(escape: "re.Match[bytes]") -> bytes:
    meant = escape[1]
    return bytes([int(meant[1:], 16)]) if meant[:1] == b"x" and len(meant) == 3 else _ESCAPES.get(meant, meant)


def processes_of(city: RunningCity) -> list[int]:
    """The processes of a city: what keeps them, what is kept, and what those started."""
    assert city.process is not None
    parents = dict(_parents())
    found = [city.process.pid]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """Every process of this machine with the one that started it."""
    if leftovers.ON_LINUX:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])
        return
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        pid, parent = line.split()
        yield int(pid), int(parent)


def command_and_environment(pid: int) -> bytes:
    """What a process was started with."""
    if leftovers.ON_LINUX:
        with suppress(OSError):
            return b"".join(Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ"))
        return b""
    return subprocess.run(["ps", "eww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False).stdout


def fetched(port: int, path: str) -> bytes:
    """What the city answers to a GET, head and all."""
    with socket.create_connection((DEFAULT_HOST, port), asking.ANSWER_WITHIN_SECONDS * 5) as asked:
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: {DEFAULT_HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
        found = b""
        while some := asked.recv(65_536):
            found += some
    return found
