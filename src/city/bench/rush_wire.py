"""Many people's requests over few keep-alive connections, pipelined (RFC 9112 §9.3.2), with as little work as it takes.

The load shares a core with PostgreSQL and Redis, so what it costs is taken from them.
"""

import asyncio
import time
from collections import deque
from typing import Any, Final

import msgspec

from city.environment import DEFAULT_HOST

CONNECT_WITHIN_SECONDS: Final = 5.0
HEAD_BYTES_MAX: Final = 64 * 1024
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"
_AFTER: Final = b"\r\nretry-after:"
_STATUS: Final = slice(9, 12)  # "HTTP/1.1 200"
_WITHOUT_BODY: Final = (204, 304)


class Lost(Exception):  # perhaps done, perhaps not: only the same request again can tell
    """The connection ended before the answer came."""


class Answer(msgspec.Struct, frozen=True):
    """What came back; `retry_after_seconds` is 0 when nothing was said."""

    status: int
    body: bytes
    retry_after_seconds: int


class _Protocol(asyncio.Protocol):
    """One connection: answers go to who asked, in the order they asked."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[Answer]] = deque()
        self.transport: Any = None  # uvloop's is no asyncio.Transport by its type
        self._unread = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while self._unread:
            taken = _first_answer(self._unread)
            if taken is None:
                return
            answer, length = taken
            del self._unread[:length]
            waiting = self.waiting.popleft()  # an answer nobody asked for is a fault of the server's: let it show
            if not waiting.done():
                waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        while self.waiting:
            waiting = self.waiting.popleft()
            if not waiting.done():
                waiting.set_exception(Lost())


class Line:
    """A keep-alive connection that many people share; opened when it is first needed, and again when it was lost."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._protocol: _Protocol | None = None
        self._opening = asyncio.Lock()
        self._kept: list[tuple[bytes, asyncio.Future[Answer]]] = []
        self.released_at = 0.0

    async def open(self) -> _Protocol:
        """Raises Lost when nobody listens."""
        async with self._opening:
            if self._protocol is None or self._protocol.transport is None:
                loop = asyncio.get_running_loop()
                try:
                    async with asyncio.timeout(CONNECT_WITHIN_SECONDS):
                        _, self._protocol = await loop.create_connection(_Protocol, DEFAULT_HOST, self._port)
                except OSError as problem:  # TimeoutError is one
                    raise Lost from problem
            return self._protocol

    async def ask(self, request: bytes) -> Answer:
        """Send a request behind those that were sent before, without waiting for their answers. Raises Lost."""
        protocol = self._protocol
        if protocol is None or protocol.transport is None:
            protocol = await self.open()
        if protocol.transport is None:
            raise Lost
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        protocol.waiting.append(answer)
        protocol.transport.write(request)
        return await answer

    async def ask_at_release(self, request: bytes) -> Answer:
        """As `ask`, but that the request leaves with all others of this line, in one write: by `release`."""
        if self.released_at:
            return await self.ask(request)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._kept.append((request, answer))
        return await answer

    def release(self) -> None:
        """Send what was kept for this moment."""
        self.released_at = time.time()
        kept, self._kept = self._kept, []
        protocol = self._protocol
        if protocol is None or protocol.transport is None:
            for _, answer in kept:
                answer.set_exception(Lost())
            return
        protocol.waiting.extend(answer for _, answer in kept)
        protocol.transport.write(b"".join(request for request, _ in kept))

    def close(self) -> None:
        if self._protocol is not None and self._protocol.transport is not None:
            self._protocol.transport.close()


def request(
    method: str, path: str, *, port: int, token: str, address: str = "", ticket: str | None = None, body: bytes = b""
) -> bytes:
    """The bytes of a request; `address` is whom a proxy of the city's saw calling, `ticket` a place in line."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {DEFAULT_HOST}:{port}", f"authorization: Bearer {token}"]
    if address:
        lines.append(f"x-forwarded-for: {address}")
    if ticket:
        lines.append(f"line-ticket: {ticket}")
    if body or method == "PUT":
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + body


def _first_answer(unread: bytearray) -> tuple[Answer, int] | None:
    """The first whole answer and how many bytes it takes; None while it is not all there."""
    end = unread.find(_END, 0, HEAD_BYTES_MAX)
    if end < 0:
        assert len(unread) < HEAD_BYTES_MAX
        return None
    head = bytes(unread[:end]).lower()
    status = int(head[_STATUS])
    length = 0 if status in _WITHOUT_BODY else _number(head, _LENGTH)
    whole = end + len(_END) + length
    if len(unread) < whole:
        return None
    after = _number(head, _AFTER) if _AFTER in head else 0
    return Answer(status, bytes(unread[whole - length : whole]), after), whole


def _number(head: bytes, name: bytes) -> int:
    start = head.index(name) + len(name)
    end = head.find(b"\r\n", start)
    return int(head[start : end if end >= 0 else len(head)])
