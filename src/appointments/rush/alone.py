"""Without Redis: nobody's place is known, so people are let through slowly, each process by itself."""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from appointments.offices.queries import count_free
from appointments.rush.model import (
    ADMISSION,
    POLL_SECONDS_MAX,
    Place,
    Release,
    ReleaseId,
    State,
    microseconds,
)
from appointments.rush.proving import Proofs
from kernel.db import Database
from kernel.limits import Limit, Limits

SLOW_PER_SECOND: Final = 5
"""How many each process lets through by itself; with `ADMISSION` it bounds how many are out at once."""
COUNTED_FOR_SECONDS: Final = 1.0
SPENT_MAX: Final = 10_000
_SLOWLY: Final = Limit("appointments.rush_alone", permits=SLOW_PER_SECOND, window_seconds=1)
OUT_MAX: Final = int(SLOW_PER_SECOND * ADMISSION.total_seconds())


class Alone:
    """What a process does for the gate by itself."""

    def __init__(self, db: Database, limits: Limits, proofs: Proofs) -> None:
        self._db = db
        self._limits = limits
        self._proofs = proofs
        self._free: dict[ReleaseId, tuple[datetime, int]] = {}
        self._out: OrderedDict[tuple[bytes, int], tuple[ReleaseId, datetime]] = OrderedDict()
        self._spent: OrderedDict[tuple[bytes, int], None] = OrderedDict()

    async def place(self, release: Release, member: bytes, *, now: datetime, poll_after_seconds: float) -> Place:
        """Let somebody through if their turn is now; else they ask again. Where they stand nobody knows."""
        told = Place(
            release_id=release.release_id,
            state=State.POOLED if now < release.opens_at else State.WAITING,
            poll_after_seconds=poll_after_seconds,
        )
        if not release.is_open(now):
            return told
        free = await self._count_free(release, now)
        if not free:
            return Place(
                release_id=release.release_id, state=State.SOLD_OUT, free=0, poll_after_seconds=POLL_SECONDS_MAX
            )
        if self._count_out(release.release_id, now) >= free or len(self._out) >= OUT_MAX:
            return told
        if self._limits.allow_locally(_SLOWLY, release.release_id.hex) is not None:
            return told
        until = now + ADMISSION
        until_ms = microseconds(until) // 1000
        self._out[member, until_ms] = release.release_id, until
        mark = self._proofs.mark(release.release_id, member, until_ms)
        return Place(
            release_id=release.release_id,
            state=State.ADMITTED,
            free=free,
            poll_after_seconds=poll_after_seconds,
            admission=self._proofs.admission(until_ms, mark),
            expires_at=until,
        )

    def remember_spent(self, member: bytes, until_ms: int) -> None:
        self._out.pop((member, until_ms), None)
        self._spent[member, until_ms] = None
        if len(self._spent) > SPENT_MAX:
            self._spent.popitem(last=False)

    def is_spent(self, member: bytes, until_ms: int) -> bool:
        """Whether this process saw it spent."""
        return (member, until_ms) in self._spent

    def _count_out(self, release_id: ReleaseId, now: datetime) -> int:
        while self._out and next(iter(self._out.values()))[1] <= now:
            self._out.popitem(last=False)
        return sum(1 for out, _ in self._out.values() if out == release_id)

    async def _count_free(self, release: Release, now: datetime) -> int:
        counted_at, free = self._free.get(release.release_id, (None, 0))
        if counted_at is None or abs((now - counted_at).total_seconds()) >= COUNTED_FOR_SECONDS:
            async with self._db.connection() as conn:
                free = sum((await count_free(conn, list(release.slot_ids), now=now)).values())
            self._free = {known: kept for known, kept in self._free.items() if known != release.release_id}
            self._free[release.release_id] = (now, free)
        return free
