"""What ended is counted by a beat, from the deliveries themselves: whatever ended them, and however late.

A delivery says how it was counted, so that one that ends twice (unknown, and then a late receipt) is counted once.
"""

from collections import defaultdict
from datetime import date, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BUCKETS
from notifications.model import Channel, DeliveryStage
from notifications.statistics import queries
from notifications.statistics.model import Change, change_of
from notifications.statistics.queries import Ended, Place

COUNTED_EVERY = timedelta(seconds=5)
COUNTED_TOGETHER_MAX = 1_000
TALLIES_TOGETHER_MAX = 2_000
BATCHES_MAX = 50
"""Groups of one bucket in one beat, so that a full one does not hold up the others for long."""


class Counting:
    """Adds up what was taken, and what ended."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def count_due(self) -> int:
        """Add up what is not added yet; how many ended deliveries that was."""
        await self.add_up_tallies()
        async with self._db.connection() as conn:
            buckets = await queries.select_uncounted(conn, range(BUCKETS))
        total = 0
        for bucket in buckets:
            for _ in range(BATCHES_MAX):
                counted = await self.count(bucket)
                total += counted
                if counted < COUNTED_TOGETHER_MAX:
                    break
        return total

    async def add_up_tallies(self) -> None:
        """Add what was taken to the counts of its day, a sender at a time."""
        async with self._db.connection() as conn:
            tallied = await queries.select_tallied(conn, limit=TALLIES_TOGETHER_MAX)
        of_caller: dict[str, list[UUID]] = defaultdict(list)
        for caller, tally_id in tallied:
            of_caller[caller].append(tally_id)
        for caller, tally_ids in of_caller.items():
            async with self._db.transaction() as conn:
                await queries.add_up_tallies(conn, caller, tally_ids)

    async def count(self, bucket: int) -> int:
        """Count what ended in a bucket, a group at a time; how many deliveries that was."""
        async with self._db.transaction() as conn:
            ended = await queries.count_ended(conn, bucket, limit=COUNTED_TOGETHER_MAX)
            if ended:
                await queries.add_counts(conn, _of_days(ended))
                await queries.add_batch_counts(conn, _of_batches(ended))
        return sum(one.count for one in ended)


def _of_days(ended: list[Ended]) -> list[tuple[Place, Change]]:
    counts: dict[tuple[str, date, str, int, Channel, bool], dict[DeliveryStage, int]] = {}
    segments: dict[Place, int] = defaultdict(int)
    for one in ended:
        place = (one.caller, one.day, one.template, one.version, one.channel, one.is_direct)
        _add(counts.setdefault(place, defaultdict(int)), one)
        segments[place] += one.segments
    return [(place, change_of(counts[place], segments[place])) for place in sorted(counts)]


def _of_batches(ended: list[Ended]) -> list[tuple[UUID, Change]]:
    """Of those alone whom the sender named: of a person nobody is told whether they are known."""
    counts: dict[UUID, dict[DeliveryStage, int]] = {}
    for one in ended:
        if one.batch_id is not None and one.is_direct:
            _add(counts.setdefault(one.batch_id, defaultdict(int)), one)
    return [(batch_id, change_of(counts[batch_id])) for batch_id in sorted(counts)]


def _add(counts: dict[DeliveryStage, int], one: Ended) -> None:
    counts[one.stage] += one.count
    if one.counted is not None:
        counts[one.counted] -= one.count
