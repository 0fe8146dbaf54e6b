"""The Redis protocol (RESP2) on one connection: commands leave once per loop tick, answers come in the order asked."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

COMMAND_TIMEOUT_SECONDS = 0.5
LAST_LOOK_SECONDS = 0.02
"""A process that was busy has its answers lying unread: so long it looks again before it gives the link up."""
PENDING_MAX = 20_000
REPLY_BYTES_MAX = 8 * 1024 * 1024

Reply = Any
"""bytes, int, None, or a list of replies."""


class RedisAway(Exception):  # the command may or may not have been carried out
    """Redis did not answer in time."""


class ReplyError(Exception):
    """Redis refused the command."""


def encoded(*words: bytes) -> bytes:
    """One command as the protocol writes it."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def read_reply(buffer: bytes, start: int) -> tuple[Reply, int]:
    """The reply that begins at `start` and where it ends; an end of -1 when it is not whole yet."""
    stop = buffer.find(b"\r\n", start)
    if stop < 0:
        return None, -1
    kind = buffer[start]
    if kind == 36:  # $
        length = int(buffer[start + 1 : stop])
        if length < 0:
            return None, stop + 2
        end = stop + 2 + length
        return (buffer[stop + 2 : end], end + 2) if len(buffer) >= end + 2 else (None, -1)
    if kind == 43:  # +
        return buffer[start + 1 : stop], stop + 2
    if kind == 58:  # :
        return int(buffer[start + 1 : stop]), stop + 2
    if kind == 45:  # -
        return ReplyError(buffer[start + 1 : stop].decode(errors="replace")), stop + 2
    if kind == 42:  # *
        return _read_list(buffer, stop + 2, int(buffer[start + 1 : stop]))
    raise ValueError(f"not a reply: {kind}")


def _read_list(buffer: bytes, start: int, count: int) -> tuple[Reply, int]:
    if count < 0:
        return None, start
    replies = []
    for _ in range(count):
        reply, start = read_reply(buffer, start)
        if start < 0:
            return None, -1
        replies.append(reply)
    return replies, start


class Link(asyncio.Protocol):
    """One connection. Each command gets a future; the one that waits longest bounds them all."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.lost: asyncio.Future[None] = loop.create_future()
        self.is_open = False
        self._loop = loop
        self._on_push: Callable[[Reply], None] | None = None
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._asked: deque[tuple[asyncio.Future[Reply], float]] = deque()
        self._rest = b""
        self._watch: asyncio.TimerHandle | None = None
        self._overdue: asyncio.Future[Reply] | None = None
        self.heard_at = loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        self.is_open = True

    def push_to(self, on_push: Callable[[Reply], None] | None) -> None:
        """From now on what arrives answers no command, but is a push: a subscription."""
        self._on_push = on_push

    def ask(self, command: bytes) -> "asyncio.Future[Reply]":
        """Queue one command; it leaves at the end of this loop tick."""
        loop = self._loop
        answer: asyncio.Future[Reply] = loop.create_future()
        if not self.is_open or len(self._asked) >= PENDING_MAX:
            answer.set_exception(RedisAway("not connected" if not self.is_open else "too many commands are waiting"))
            return answer
        self._asked.append((answer, loop.time()))
        self.send(command)
        if self._watch is None:
            self._watch = loop.call_later(COMMAND_TIMEOUT_SECONDS, self._check_oldest)
        return answer

    def send(self, command: bytes) -> None:
        """Queue one command that has no answer of its own."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(command)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self.is_open and self._transport is not None:
            self._transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))

    def _check_oldest(self) -> None:
        self._watch = None
        if not self._asked:
            return
        oldest = self._asked[0][0]
        due = self._asked[0][1] + COMMAND_TIMEOUT_SECONDS
        if due > self._loop.time():
            self._watch = self._loop.call_at(due, self._check_oldest)
        elif self._overdue is oldest:
            self.abort()
        else:  # the answer may be here already, unread, when this process was busy: look once before giving up
            self._overdue = oldest
            self._watch = self._loop.call_later(LAST_LOOK_SECONDS, self._check_oldest)

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        self.heard_at = self._loop.time()
        start, length = 0, len(buffer)
        try:
            while start < length:
                reply, end = read_reply(buffer, start)
                if end < 0:
                    break
                start = end
                self._take(reply)
        except (ValueError, IndexError):
            self.abort()
            return
        self._rest = buffer[start:] if start < length else b""
        if len(self._rest) > REPLY_BYTES_MAX:
            self.abort()

    def _take(self, reply: Reply) -> None:
        if self._on_push is not None:
            self._on_push(reply)
            return
        answer, _ = self._asked.popleft()
        if not answer.done():
            if isinstance(reply, ReplyError):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    def abort(self) -> None:
        """Give the connection up; whoever waits hears RedisAway now."""
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        asked, self._asked = self._asked, deque()
        for answer, _ in asked:
            if not answer.done():
                answer.set_exception(RedisAway("the connection was lost"))
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if not self.lost.done():
            self.lost.set_result(None)
