"""Which releases there are: read from the slots every few seconds, and held in memory."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Final

from appointments.errors import ReleaseNotFound
from appointments.rush.model import Release, ReleaseId
from appointments.rush.queries import select_releases
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import ServiceId
from kernel.snapshots import Snapshot

RELEASES_MAX: Final = 2_000
OPENED_WITHIN: Final = timedelta(days=181)
"""Longer than the furthest horizon of a service (180 days): a release is over by then."""
SHOWN_AHEAD: Final = timedelta(days=30)
KEPT_AFTER: Final = timedelta(hours=1)
"""A release is known for so long after its last slot has begun: whoever still asks is told that it is closed."""
LOOKED_AGAIN_SECONDS: Final = 1.0
"""A release that is not known is looked for at most so often: whoever makes ids up costs one statement a second.
Whoever asks while it is looked for waits for the answer."""


class Releases:
    """Kept fresh by whoever keeps `snapshot` fresh."""

    def __init__(self, db: Database, clock: Clock, seconds: Callable[[], float] = monotonic) -> None:
        self._db = db
        self._clock = clock
        self._seconds = seconds
        self._looked_at = float("-inf")
        self._look: asyncio.Task[None] | None = None
        self.snapshot: Snapshot[dict[ReleaseId, Release]] = Snapshot("appointments.releases", self._read)

    async def find(self, release_id: ReleaseId) -> Release:
        """Raises ReleaseNotFound; DatabaseAway when one that is not known cannot be looked for."""
        if release_id not in self.snapshot.current:
            await self._look_again()
        found = self.snapshot.current.get(release_id)
        if found is None:
            raise ReleaseNotFound
        return found

    async def _look_again(self) -> None:
        """Read them now, unless that was just done; those who ask meanwhile share one look."""
        if self._look is None or self._look.done():
            if self._seconds() - self._looked_at <= LOOKED_AGAIN_SECONDS:
                return
            self._look = asyncio.create_task(self._read_now())
        await asyncio.shield(self._look)

    async def _read_now(self) -> None:
        began = self._seconds()
        await self.snapshot.refresh()
        self._looked_at = began

    def open_now(self) -> list[Release]:
        """Those that people are let through to."""
        now = self._clock.now()
        return [release for release in self.snapshot.current.values() if release.is_open(now)]

    def coming_and_open(self, service_id: ServiceId | None) -> list[Release]:
        """Those not yet closed, of one service or of all, by when they open."""
        now = self._clock.now()
        return [
            release
            for release in self.snapshot.current.values()
            if not release.is_closed(now) and service_id in (None, release.service_id)
        ]

    async def _read(self) -> dict[ReleaseId, Release]:
        now = self._clock.now()
        async with self._db.connection() as conn:
            found = await select_releases(
                conn, now - OPENED_WITHIN, now + SHOWN_AHEAD, now - KEPT_AFTER, RELEASES_MAX, now=now
            )
        return {release.release_id: release for release in found}
