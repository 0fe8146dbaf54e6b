"""How much a service sends: a minute with each kind of key, and a day altogether.

A minute is counted in Redis for all processes together, in blocks, so that few messages ask it; while Redis is away
each process counts alone. A day is counted exactly in this process; what the others accepted is read every few seconds,
so that a service may go over its day by what they take in together within that time, and no further.
"""

import asyncio
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID, uuid4

import msgspec

from kernel.clock import SHANGHAI, Clock, in_shanghai
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.limits import Limit, Limits
from notifications.services import queries
from notifications.services.errors import TooManyThisMinute, TooManyToday
from notifications.services.model import KeyKind

WINDOW_SECONDS: Final = 60
BLOCK: Final = 20
"""Permits fetched together at most: as many as go into those of a minute without a rest. What a process does not use of
them within the window is lost to the others."""
SUBJECTS_MAX: Final = 20_000
DAYS_KEPT: Final = timedelta(days=40)


class _Block(msgspec.Struct):
    """What is left of the permits fetched last, until when it is good, and who is fetching more."""

    left: int = 0
    until: float = 0.0
    fetching: "asyncio.Future[float | None] | None" = None


class PerMinute:
    """So many a minute for each service and kind of key."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._blocks: dict[tuple[DepartmentId, KeyKind], _Block] = {}

    def take(self, service_id: DepartmentId, kind: KeyKind) -> bool:
        """Whether one of the permits this process holds was taken: nobody was asked."""
        block = self._blocks.get((service_id, kind))
        if block is None or block.left <= 0 or block.until < self._clock.now().timestamp():
            return False
        block.left -= 1
        return True

    async def fetch(self, service_id: DepartmentId, kind: KeyKind, per_minute: int) -> None:
        """Take a permit, after more were fetched. Raises TooManyThisMinute."""
        size = next(size for size in range(min(BLOCK, per_minute), 0, -1) if per_minute % size == 0)
        limit = Limit(f"services/{per_minute // size}", per_minute // size, WINDOW_SECONDS)
        while not self.take(service_id, kind):
            block = self._blocks.get((service_id, kind)) or self._fresh(service_id, kind)
            if block.fetching is None:
                block.fetching = asyncio.ensure_future(self._more(block, limit, f"{service_id} {kind}", size))
            wait = await asyncio.shield(block.fetching)
            if wait is not None:
                raise TooManyThisMinute(retry_after_seconds=int(wait) + 1, per_minute=per_minute)

    async def _more(self, block: _Block, limit: Limit, subject: str, size: int) -> float | None:
        """Fetch a block for all who wait. It is there before this is done: nobody waits for what has come."""
        try:
            wait = await self._limits.allow(limit, subject)
            if wait is None:
                block.left, block.until = size, self._clock.now().timestamp() + WINDOW_SECONDS
            return wait
        finally:
            block.fetching = None

    def _fresh(self, service_id: DepartmentId, kind: KeyKind) -> _Block:
        if len(self._blocks) >= SUBJECTS_MAX:
            self._blocks.clear()  # each fetches anew: at worst a block is counted twice
        return self._blocks.setdefault((service_id, kind), _Block())


class PerDay:
    """So many on each day of the city. Refreshed with the catalogues: our counts are written, the others' read."""

    name = "notifications.services_today"

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._process_id = uuid4()
        self._day = date.min
        self._ours: dict[DepartmentId, int] = {}
        self._others: dict[DepartmentId, int] = {}
        self._changed: set[DepartmentId] = set()

    def take(self, service_id: DepartmentId, per_day: int, now: datetime, count: int = 1) -> None:
        """Count messages of a service. Raises TooManyToday, and has counted none."""
        day = in_shanghai(now).date()
        if day != self._day:
            self._begin(day)
        ours = self._ours.get(service_id, 0) + count
        if ours + self._others.get(service_id, 0) > per_day:
            raise TooManyToday(retry_after_seconds=_until_tomorrow(now), limit=per_day)
        self._ours[service_id] = ours
        self._changed.add(service_id)

    def give_back(self, service_id: DepartmentId, count: int = 1) -> None:
        """Of what was taken on this day, so much came to nothing."""
        if service_id in self._ours:
            self._ours[service_id] = max(0, self._ours[service_id] - count)
            self._changed.add(service_id)

    def left(self, service_id: DepartmentId, per_day: int, now: datetime) -> int:
        """How many more a service may send on this day."""
        day = in_shanghai(now).date()
        if day != self._day:
            self._begin(day)
        return max(0, per_day - self.so_far(service_id))

    def so_far(self, service_id: DepartmentId) -> int:
        """How many were accepted today, as far as this process knows."""
        return self._ours.get(service_id, 0) + self._others.get(service_id, 0)

    def _begin(self, day: date) -> None:
        """A new day. What was not written yet of the old one is of no use to anybody."""
        self._day, self._ours, self._others, self._changed = day, {}, {}, set()

    async def refresh(self) -> None:
        """Write our counts and read the others'; on a new day, forget days long past."""
        now = self._clock.now()
        day = in_shanghai(now).date()
        is_new = day != self._day
        if is_new:
            self._begin(day)
        changed, self._changed = self._changed, set()
        try:
            async with self._db.transaction() as conn:
                ours = [(service_id, self._ours[service_id]) for service_id in sorted(changed)]
                await queries.put_day_counts(conn, day, self._process_id, ours)
                others = await queries.select_day_counts(conn, day, but_of=self._process_id)
                if is_new:
                    await queries.delete_day_counts(conn, before=day - DAYS_KEPT)
        except Exception:
            if day == self._day:
                self._changed |= changed
            raise
        if day == self._day:
            self._others = others

    @property
    def process_id(self) -> UUID:
        return self._process_id


def _until_tomorrow(now: datetime) -> int:
    local = in_shanghai(now)
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), SHANGHAI)
    return int((midnight - local).total_seconds()) + 1
