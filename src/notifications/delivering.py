"""Lanes at work: each claims what is due in batches and has several under way, so that none waits for another.

Several workers may run: which of them takes a message is decided by SKIP LOCKED and the message's stage, so no bucket
needs an owner; each begins at a bucket of its own, so that they seldom meet.
"""

import asyncio
import contextlib
import random
from collections.abc import Coroutine, Iterable
from typing import Any

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BUCKETS
from kernel.log import get_logger
from notifications import queries
from notifications.isolating import Isolating
from notifications.model import Lane
from notifications.outbox import HINT_OTP
from notifications.routing.carriers import Carriers
from notifications.sending import PACES, Batch, Sending

POLL_SECONDS = 1.0
"""How late a message leaves whose hint was lost."""

WORTH_CLAIMING = 5
"""A batch is claimed once a fifth of a whole one could go out."""

log = get_logger(__name__)


class Delivering:
    """Carries every lane until stopped. `look_now` is set by hints that say no more than that something is due."""

    def __init__(self, db: Database, clock: Clock, sending: Sending, carriers: Carriers) -> None:
        self._db = db
        self._clock = clock
        self._sending = sending
        self._carriers = carriers
        first = random.randrange(BUCKETS)  # noqa: S311 -- spreads workers, hides nothing
        self._buckets = [*range(first, BUCKETS), *range(first)]
        self._due: dict[Lane, dict[int, None]] = {lane: {} for lane in Lane}
        self._wake = {lane: asyncio.Event() for lane in Lane}
        self._under_way: set[asyncio.Task[None]] = set()
        self._isolating = {lane: Isolating(f"claim {lane.name.lower()}") for lane in Lane}
        self.look_now = asyncio.Event()

    def hint(self, payload: str) -> None:
        """Somebody committed something due: a code (`otp` and its buckets) or whatever."""
        kind, *buckets = payload.split()[: BUCKETS + 1] or [""]
        if kind == HINT_OTP and all(bucket.isascii() and bucket.isdigit() for bucket in buckets):
            self._found(Lane.OTP, (int(bucket) % BUCKETS for bucket in buckets))
        else:
            self.look_now.set()

    def _found(self, lane: Lane, buckets: Iterable[int]) -> None:
        self._due[lane].update(dict.fromkeys(buckets))
        self._wake[lane].set()

    async def look(self) -> int:
        """Find which lanes of which buckets have something due and wake them; return how many."""
        async with self._db.connection() as conn:
            found = await queries.select_due(conn, self._buckets, now=self._clock.now())
        for due in found:
            self._found(due.lane, [due.bucket])
        return len(found)

    async def keep_looking(self) -> None:
        """Look at every hint, and every second."""
        while True:
            self.look_now.clear()
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self.look_now.wait()

    async def keep_carrying(self, lane: Lane) -> None:
        """Carry a lane until cancelled. What it has begun goes on then: `finish` waits for it."""
        claiming = [asyncio.create_task(self._keep_claiming(lane)) for _ in range(PACES[lane].claims_max)]
        try:
            await asyncio.gather(*claiming)
        finally:
            for task in claiming:
                task.cancel()
            await asyncio.gather(*claiming, return_exceptions=True)

    async def _keep_claiming(self, lane: Lane) -> None:
        """Claim a batch whenever somebody has hands for a good part of it, so that batches do not crumble."""
        due, wake = self._due[lane], self._wake[lane]
        at_least = PACES[lane].batch_max // WORTH_CLAIMING
        while True:
            await wake.wait()
            wake.clear()
            while due:
                await self._carriers.wait_for_room(lane, at_least)
                if due:
                    bucket = next(iter(due))
                    del due[bucket]
                    await asyncio.shield(self._start(self._begin(lane, bucket)))

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waits for the task; when stopping, nobody does

    async def _begin(self, lane: Lane, bucket: int) -> None:
        """Claim a batch and let it go its way. A bucket in which that fails is found again when next we look."""
        with self._isolating[lane].one(bucket):
            batch = await self._sending.claim(bucket, lane)
            if batch.is_full:
                self._found(lane, [bucket])
            if batch.flights:
                self._start(self._carry(batch))

    async def _carry(self, batch: Batch) -> None:
        try:
            await self._sending.carry(batch)
        except Exception as fault:  # noqa: BLE001 -- the lease ends, and then it is unknown, and alerted
            log.warning("a batch was not recorded", bucket=batch.bucket, error=type(fault).__name__)

    async def finish(self, *, within_seconds: float) -> None:
        """Wait for what is under way, so that stopping makes nothing unknown; then give up."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + within_seconds
        while self._under_way and loop.time() < give_up_at:
            await asyncio.wait(list(self._under_way), timeout=give_up_at - loop.time())
        for task in list(self._under_way):
            task.cancel()

    async def send_everything_due(self) -> int:
        """Play every lane at once until nothing is due: for tests, and for showing a beat without waiting."""
        sent = 0
        while True:
            async with self._db.connection() as conn:
                found = await queries.select_due(conn, self._buckets, now=self._clock.now())
            claimed = [await self._sending.send_due(due.bucket, due.lane) for due in found]
            if not any(claimed):
                return sent
            sent += sum(claimed)
