"""What only time ends: leases of killed workers, and 72 hours without a receipt, played by a clock that runs ahead.

The workers have stopped. The same parts, in this process and against the same peers, do what workers would do in the
hours to come: close, find, send what is still due, and in the end give up what was never heard of.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from city.proving import queries
from city.proving.peers import Peers
from gateway.parts import CityParts
from notifications.finding import FOUND_AFTER
from notifications.model import RECEIPT_PATIENCE, UNKNOWN_PAUSE
from notifications.sending import PACES

LEASES_OVER: Final = max(pace.lease for pace in PACES.values()) + FOUND_AFTER
PAUSES_OVER: Final = max(UNKNOWN_PAUSE.values()) + timedelta(seconds=1)
LOOKED_AGAIN_SECONDS: Final = 0.1
HEARD_LOOKS_MAX: Final = 300
ROUNDS_MAX: Final = 12
WAITING: Final = ("owed", "waiting")
OPEN: Final = (*WAITING, "sending")


class Ahead:
    """The clock of this machine, or one that runs ahead of it."""

    def __init__(self) -> None:
        self._by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._by

    def advance(self, by: timedelta) -> None:
        self._by += by


async def finish(parts: CityParts, clock: Ahead, peers: Peers) -> None:
    """Do all that is left to be done. What is still open then stays open, for the judge to find."""
    sends = parts.notifications
    async with _listening(parts):
        clock.advance(LEASES_OVER)
        for _ in range(ROUNDS_MAX):
            await sends.closing.close_everywhere()
            await sends.delivering.send_everything_due()
            await _heard(peers)
            await _joined(parts)
            if not await _left(parts):
                break
            clock.advance(PAUSES_OVER)
        clock.advance(FOUND_AFTER)
        await _joined(parts)
    clock.advance(RECEIPT_PATIENCE + timedelta(minutes=1))
    left = -1
    while left != (still := await _still_open(parts)):
        left = still
        await sends.closing.close_everywhere()


async def _joined(parts: CityParts) -> None:
    receiving, finding = parts.notifications.receiving, parts.notifications.finding
    await receiving.join_arrived()
    while await finding.find_stale():
        await receiving.join_arrived()


async def _heard(peers: Peers) -> None:
    """Wait for the receipts that are still to come, within a bound."""
    for _ in range(HEARD_LOOKS_MAX):
        if not await asyncio.to_thread(peers.receipts_left):
            return
        await asyncio.sleep(LOOKED_AGAIN_SECONDS)


async def _left(parts: CityParts) -> int:
    async with parts.db.connection() as conn:
        counts = await queries.count_by_stage(conn)
    return sum(counts.get(stage, 0) for stage in OPEN)


async def _still_open(parts: CityParts) -> int:
    async with parts.db.connection() as conn:
        counts = await queries.count_by_stage(conn)
    return sum(counts.get(stage, 0) for stage in (*OPEN, "accepted"))


@asynccontextmanager
async def _listening(parts: CityParts) -> AsyncIterator[None]:
    """Take what the peers say, for the block."""
    receiving = parts.notifications.receiving
    ears = [asyncio.create_task(receiving.listen(one)) for one in parts.notifications.carriers.providers]
    try:
        yield
    finally:
        for ear in ears:
            ear.cancel()
        await asyncio.gather(*ears, return_exceptions=True)
