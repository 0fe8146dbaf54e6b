"""People are let through, as many as places are free in the database: counted anew at each round, by any process."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from appointments.offices.queries import count_free
from appointments.rush.line import Line
from appointments.rush.model import ADMISSION, ADMIT_EVERY, Release, ReleaseId, allowed, microseconds
from appointments.rush.proving import Proofs
from appointments.rush.releases import Releases
from kernel.clock import Clock
from kernel.db import Database

IDLE_EVERY_SECONDS: Final = 2.0
"""A release in whose line nobody is gets looked at so often."""
SHARE_MAX: Final = 0.1
"""The rounds of one release take at most this share of the time, however many slots it has."""


class Admitting:
    """One per process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        line: Line,
        proofs: Proofs,
        releases: Releases,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._db = db
        self._clock = clock
        self._line = line
        self._proofs = proofs
        self._releases = releases
        self._seconds = seconds
        self._next: dict[ReleaseId, float] = {}

    async def admit_due(self) -> int:
        """A round for every release that is open and due for one; how many were let through. Raises RedisAway.

        A beat: every `ADMIT_EVERY`.
        """
        open_now = self._releases.open_now()
        known = {release.release_id for release in open_now}
        self._next = {release_id: at for release_id, at in self._next.items() if release_id in known}
        return sum([await self.admit(release) for release in open_now if self.is_due(release)])

    def is_due(self, release: Release) -> bool:
        return self._seconds() >= self._next.get(release.release_id, 0.0)

    async def admit(self, release: Release) -> int:
        """One round: who did not book in time is out, and whoever is next gets in, up to the places that are free.

        Rounds of several processes may cross: what was counted in the database is weighed with what was counted in the
        line before it, and the line is asked again in the same step that lets people through.
        """
        began = self._seconds()
        self._next[release.release_id] = began + IDLE_EVERY_SECONDS  # not due while this round goes on
        now = self._clock.now()
        counted = await self._line.count(release, now=now)
        async with self._db.connection() as conn:
            free = sum((await count_free(conn, list(release.slot_ids), now=now)).values())
        wanted = min(allowed(free=free, outstanding=counted.outstanding, used_meanwhile=0), counted.waiting)
        members = await self._line.heads(release.release_id, wanted) if wanted else []
        till_ms = microseconds(now + ADMISSION) // 1000
        marked = [(member, self._proofs.mark(release.release_id, member, till_ms)) for member in members]
        let_in = await self._line.admit(release, marked, free=free, used=counted.used, till_ms=till_ms, now=now)
        is_busy = counted.waiting + counted.outstanding > 0
        took = self._seconds() - began
        rest = ADMIT_EVERY.total_seconds() if is_busy else IDLE_EVERY_SECONDS
        self._next[release.release_id] = began + max(rest, took / SHARE_MAX)
        return let_in
