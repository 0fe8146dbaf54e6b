"""Codes first, within one process too: while one is on its way, the other lanes hold still at their next stop.

A batch of bulk is thousands of small steps of one loop, and a code takes a dozen turns of it; without this each of them
waits behind whatever batches are ready at that moment.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from notifications.model import Lane

HELD_SECONDS: Final = 0.02
"""How long a batch holds still at one stop: codes that never cease must not stop the others for good."""


class GivingWay:
    """Who goes first in this process."""

    def __init__(self) -> None:
        self._codes = 0
        self._is_clear = asyncio.Event()
        self._is_clear.set()

    @contextlib.contextmanager
    def passing(self, lane: Lane) -> Iterator[None]:
        """Have the way for the block, if this is the lane of codes."""
        if lane is not Lane.OTP:
            yield
            return
        self._codes += 1
        self._is_clear.clear()
        try:
            yield
        finally:
            self._codes -= 1
            if not self._codes:
                self._is_clear.set()

    async def stop(self, lane: Lane) -> None:
        """Let others have their turn; for a moment longer while codes are on their way."""
        if not self._codes or lane is Lane.OTP:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HELD_SECONDS):
                await self._is_clear.wait()
