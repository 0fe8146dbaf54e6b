"""A department asks how far its batch is, which rows are missing, and which were refused."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId
from notifications.batches import queries
from notifications.batches.feeding.queries import count_owed, count_waiting
from notifications.batches.model import ENDED, Batch, BatchState, RefusedRow
from notifications.batches.queries import Tally
from notifications.batches.taking import own

REFUSALS_PAGE_MAX = 500
PAGE_MAX = 100
RATE_AFTER = timedelta(seconds=2)
"""A pace seen for less is none."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a batch is. `tally` is of those whom the department named itself; `waiting`: fed, and not sent yet, where
    of persons only those are counted of whom nothing was begun.

    When all is over and nobody was named by ID number, `batch.taken` is as many as were delivered, failed, are unknown
    and were withdrawn.
    """

    batch: Batch
    refused_for: list[tuple[str, int]]
    waiting: int
    tally: Tally
    ends_at: datetime | None

    @property
    def sent(self) -> int:
        """Messages that left their lane: given to a carrier, filed, or ended otherwise."""
        return max(0, self.batch.fed - self.waiting - self.batch.withdrawn - self.tally.withdrawn)

    @property
    def withdrawn(self) -> int:
        """Rows that nobody will hear of: taken back, or held back by our own rules."""
        return taken_back(self.batch, self.tally)


def taken_back(batch: Batch, tally: Tally) -> int:
    """Rows taken back, with the batch or one by one: messages, and of a cancelled batch what never became one."""
    unfed = batch.taken - batch.fed if batch.state is BatchState.CANCELLED else 0
    return unfed + batch.withdrawn + tally.withdrawn


class RefusalPage(Struct, frozen=True):
    """Some refused rows in order, and the row after which the next page begins; None: there is no more."""

    refusals: list[RefusedRow]
    next_after: int | None


class BatchPage(Struct, frozen=True):
    """Some batches, and before which the next page begins."""

    batches: list[Progress]
    next_before: tuple[datetime, UUID] | None


class Watching:
    """Reads how far batches are."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def read(self, department_id: DepartmentId, batch_id: UUID) -> Progress:
        """How far a batch is. Raises BatchNotFound."""
        async with self._db.connection() as conn:
            return await self._progress(conn, own(await queries.select_batch(conn, batch_id), department_id))

    async def page(
        self, department_id: DepartmentId | None, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> BatchPage:
        """A department's batches, or (None) everybody's, those opened last first."""
        assert limit <= PAGE_MAX
        async with self._db.connection() as conn:
            if department_id is None:
                found = await queries.select_everybodys(conn, before=before, limit=limit + 1)
            else:
                found = await queries.select_batches(conn, department_id, before=before, limit=limit + 1)
            progress = [await self._progress(conn, batch) for batch in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        return BatchPage(progress, None if last is None else (last.opened_at, last.batch_id))

    async def refusals(self, department_id: DepartmentId, batch_id: UUID, *, after: int, limit: int) -> RefusalPage:
        """Refused rows after a row, in order. Raises BatchNotFound."""
        assert limit <= REFUSALS_PAGE_MAX
        async with self._db.connection() as conn:
            own(await queries.select_batch(conn, batch_id), department_id)
            rows = await queries.select_refusals(conn, batch_id, after=after, limit=limit + 1)
        return RefusalPage(rows[:limit], rows[limit - 1].number if len(rows) > limit else None)

    async def _progress(self, conn: Connection, batch: Batch) -> Progress:
        refused_for = await queries.count_refusals(conn, batch.batch_id) if batch.refused else []
        waiting = sum((await count_owed(conn, batch.batch_id)).values()) if batch.fed else 0
        if batch.fed and batch.state not in ENDED:
            waiting += await count_waiting(conn, batch.batch_id)
        tally = await queries.select_tally(conn, batch.batch_id) if batch.fed else Tally()
        ends_at = _ends_at(batch, waiting, self._clock.now())
        return Progress(batch=batch, refused_for=refused_for, waiting=waiting, tally=tally, ends_at=ends_at)


def _ends_at(batch: Batch, waiting: int, now: datetime) -> datetime | None:
    """When the last message will have left, at the pace since the batch was started or resumed; None: none shows."""
    if batch.state is not BatchState.STARTED or batch.resumed_at is None:
        return None
    passed = now - batch.resumed_at
    left = batch.fed - batch.fed_before - waiting
    if passed < RATE_AFTER or left <= 0:
        return None
    return now + passed * ((batch.taken - batch.fed + waiting) / left)
