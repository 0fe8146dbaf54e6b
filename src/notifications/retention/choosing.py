"""A department chooses to have its messages forgotten sooner than the city forgets."""

from kernel import audit, snapshots
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BUCKETS, DepartmentId
from kernel.snapshots import Snapshot
from notifications.notifying import CALLER_PREFIX
from notifications.retention import queries
from notifications.retention.errors import KeptTooLong
from notifications.retention.model import DAYS_MIN, Policy

SNAPSHOT = "notifications.keeping"


class Keeping:
    """For how long messages are kept: `days` by the city, fewer where a department chose so."""

    def __init__(self, db: Database, clock: Clock, *, days: int) -> None:
        self._db = db
        self._clock = clock
        self._days = max(days, DAYS_MIN)
        self.snapshot: Snapshot[Policy] = Snapshot(SNAPSHOT, self._read)

    @property
    def days_max(self) -> int:
        """What a department may choose at most: as long as the city keeps anything."""
        return self._days

    async def days_of(self, department_id: DepartmentId) -> int:
        """For how many days a department's messages are kept."""
        async with self._db.connection() as conn:
            chosen = await queries.select_keeping(conn, f"{CALLER_PREFIX}{department_id}")
        return self._days if chosen is None else min(chosen, self._days)

    async def choose(self, department_id: DepartmentId, days: int, *, actor: str) -> int:
        """Keep a department's messages for so many days from now on, older ones too. Raises KeptTooLong."""
        if not DAYS_MIN <= days <= self._days:
            raise KeptTooLong(f"from {DAYS_MIN} to {self._days} days", days_min=DAYS_MIN, days_max=self._days)
        caller, now = f"{CALLER_PREFIX}{department_id}", self._clock.now()
        async with self._db.transaction() as conn:
            if await queries.select_keeping(conn, caller) == days:
                return days
            await queries.upsert_keeping(conn, caller, days, now=now)
            for bucket in range(BUCKETS):  # what was passed over as another's is looked at again
                await queries.begin_anew(conn, bucket, days)
            subject = f"department:{department_id}"
            await audit.record(
                conn, actor=actor, act="notifications.keep", subject=subject, now=now, detail={"days": days}
            )
            await snapshots.announce(conn, SNAPSHOT)
        return days

    async def _read(self) -> Policy:
        async with self._db.connection() as conn:
            return Policy(self._days, await queries.select_keepings(conn))
