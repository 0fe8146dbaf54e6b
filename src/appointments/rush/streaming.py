"""A place in line, told as it changes: Server-Sent Events (HTML standard, 9.2), for whoever would rather listen.

A stream is bounded in time and in number; it holds nothing up: cancelled, it ends. Asking always works too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import blake2b
from typing import Final

STREAMS_MAX: Final = 1_000
"""Streams of one process at once: each costs Redis one question every `LOOK_SECONDS`."""
LOOK_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
"""So often something is sent, so that nothing between us and the phone takes the line for dead."""
STREAM_SECONDS_MAX: Final = 300
"""Then the phone connects again by itself, with an access token that is still good."""
RETRY_MILLISECONDS: Final = 3_000

Said = tuple[bytes, bytes, bool]
"""What is told, what of it makes it another than the last, and whether nothing will follow it."""


class Streams:
    """Those of one process."""

    def __init__(self, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._rest = rest
        self.count = 0

    @property
    def is_full(self) -> bool:
        return self.count >= STREAMS_MAX

    async def follow(
        self, look: Callable[[], Awaitable[Said]], *, last_event_id: str | None, seconds: float
    ) -> AsyncIterator[bytes]:
        """Events of `place` whenever what `look` says is another than what was said last, over all connections.

        An event's id names what it says, so who comes back with it is not told the same again.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        heard_at, last = loop.time(), last_event_id
        self.count += 1
        try:
            yield b"retry: %d\n\n" % RETRY_MILLISECONDS
            while True:
                data, telling, is_final = await look()
                named = blake2b(telling, digest_size=8).hexdigest()
                if named != last:
                    last, heard_at = named, loop.time()
                    yield b"id: %b\nevent: place\ndata: %b\n\n" % (named.encode(), data)
                elif loop.time() - heard_at >= HEARTBEAT_SECONDS:
                    heard_at = loop.time()
                    yield b": still here\n\n"
                left = ends_at - loop.time()
                if is_final or left <= 0:
                    return
                await self._rest(min(LOOK_SECONDS, left))
        finally:
            self.count -= 1
