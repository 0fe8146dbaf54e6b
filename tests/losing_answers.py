"""Stands between a process and PostgreSQL, and loses the answer to a COMMIT: what was committed stays committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

READ_BYTES = 65_536
COMMIT = b"COMMIT\x00"


class LosingProxy:
    """`to_lose`: how many answers to COMMIT are still to be lost, each with its connection."""

    def __init__(self, socket_path: str) -> None:
        self.url = ""
        self.to_lose = 0
        self.lost = 0
        self._socket_path = socket_path

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a process."""
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket_path)
        is_losing = asyncio.Event()
        both = (self._ask(reader, server_writer, is_losing), self._answer(server_reader, writer, is_losing))
        with suppress(ConnectionError):
            await asyncio.wait([asyncio.ensure_future(one) for one in both], return_when=asyncio.FIRST_COMPLETED)
        for end in (server_writer, writer):
            end.close()

    async def _ask(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, is_losing: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while some := await reader.read(READ_BYTES):
                if COMMIT in some and self.to_lose:
                    self.to_lose -= 1
                    is_losing.set()
                server.write(some)
                await server.drain()

    async def _answer(
        self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, is_losing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while some := await server.read(READ_BYTES):
                if is_losing.is_set():  # committed, and nobody is told
                    self.lost += 1
                    return
                writer.write(some)
                await writer.drain()


@asynccontextmanager
async def losing_proxy(database_url: str) -> AsyncIterator[LosingProxy]:
    """A proxy before the database at `database_url`, which is reached by a unix socket, for the block."""
    parts = urlsplit(database_url)
    folder, port = parse_qs(parts.query)["host"][0], parse_qs(parts.query).get("port", ["5432"])[0]
    proxy = LosingProxy(f"{folder}/.s.PGSQL.{port}")
    server = await asyncio.start_server(proxy.pass_on, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    proxy.url = f"postgresql://{parts.username or 'postgres'}@{address}{parts.path}?sslmode=disable"
    async with server:
        yield proxy
