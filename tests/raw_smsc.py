"""An SMSC on a bare socket, whose every octet a test chooses: what no library would write."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from notifications.channels.smpp import codec
from notifications.channels.smpp.codec import pdu


class Pdu(NamedTuple):
    """What a client wrote, and when (monotonic seconds)."""

    at: float
    connection: int
    command: int
    status: int
    sequence: int
    body: bytes


Answer = Callable[[Pdu], bytes]


class RawSmsc:
    """Lets everybody in, takes everything, and names each submission m1, m2, …; `answers` says where it does not."""

    def __init__(self) -> None:
        self.port = 0
        self.came: list[Pdu] = []
        self.answers: dict[int, Answer] = {}
        self.reads = asyncio.Event()
        """Whether it reads at all."""
        self.reads.set()
        self.connections = 0
        self._writers: dict[int, asyncio.StreamWriter] = {}

    def of(self, command: int) -> list[Pdu]:
        """What came of one kind, in the order it came."""
        return [one for one in self.came if one.command == command]

    def write(self, octets: bytes) -> None:
        """Write these to every client that is there, as they are."""
        for writer in self._writers.values():
            writer.write(octets)

    def hang_up(self, connection: int | None = None) -> None:
        """End every connection, or the one of that number, counted from 1."""
        for number, writer in list(self._writers.items()):
            if connection in (None, number):
                writer.close()

    def taken(self, came: Pdu) -> bytes:
        """The answer where nothing else was chosen."""
        body = f"m{len(self.of(codec.SUBMIT_SM))}".encode() if came.command == codec.SUBMIT_SM else b""
        return pdu(came.command | codec.RESPONSE, 0, came.sequence, body + b"\0")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        self._writers[connection] = writer
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self.reads.wait()
                    octets, command, status, sequence = codec.HEADER.unpack(
                        await reader.readexactly(codec.HEADER_OCTETS)
                    )
                    body = await reader.readexactly(octets - codec.HEADER_OCTETS)
                    came = Pdu(time.monotonic(), connection, command, status, sequence, body)
                    self.came.append(came)
                    if command in self.answers:
                        writer.write(self.answers[command](came))
                    elif not command & codec.RESPONSE:
                        writer.write(self.taken(came))
        finally:
            del self._writers[connection]
            writer.close()


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncIterator[RawSmsc]:
    """One for the block, on loopback; its connections end with it."""
    smsc = RawSmsc()
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", 0, ssl=tls)
    smsc.port = server.sockets[0].getsockname()[1]
    try:
        yield smsc
    finally:
        smsc.reads.set()
        server.close()
        smsc.hang_up()
        await server.wait_closed()
