"""Stands between a client and a server of HTTP/1.1, passes everything on, and keeps the head of every request."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

READ_BYTES = 65_536
HEAD_BYTES_MAX = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


class RecordingProxy:
    """`heads`: the request line and the headers of every request, as the server got them.

    `port` is the server's on this machine, and may be told after the proxy is there.
    """

    def __init__(self) -> None:
        self.port = 0
        self.url = ""
        self.heads: list[bytes] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)  # the loop itself holds a task no faster than the collector lets it
        task.add_done_callback(self._under_way.discard)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        answers = asyncio.create_task(_copy(server_reader, writer))
        try:
            await self._requests(reader, server_writer)
        finally:
            server_writer.close()
            try:
                await answers
            finally:
                writer.close()

    async def end(self) -> None:
        """Break off the connections that are still there."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                assert not _CHUNKED.search(head), "only bodies of a known length are told apart from heads"
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                writer.write(head + body)
                await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(READ_BYTES):
            writer.write(some)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def recording_proxy() -> AsyncIterator[RecordingProxy]:
    """A proxy on a free port, for the block."""
    proxy = RecordingProxy()
    server = await asyncio.start_server(proxy.pass_on, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy
        await proxy.end()
