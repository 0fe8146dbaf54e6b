"""A department loads many certificates: a stream of lines, batch by batch, so that what breaks off is gone on with.

Each batch commits with the load's counters and with the lines of it that were refused. So the counters say exactly
which lines were read, and a line that was read is never read again: a lost connection, a killed process, or two senders
at once cost nothing but time.
"""

from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from uuid import UUID

import msgspec

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database, OutcomeUnknown
from kernel.grouping import PASSING
from kernel.ids import DepartmentId
from kernel.lines import Line
from kernel.sealing import Keys
from wallet.catalogue import Catalogue
from wallet.errors import LoadFinished, LoadGap, LoadNotFound, LoadRefusedTooOften, LoadsBusy
from wallet.loading import queries
from wallet.loading.filing import Filing
from wallet.loading.forgetting import forget_finished
from wallet.loading.judging import Fit, judge
from wallet.loading.lines import batches
from wallet.loading.model import Load, LoadState, RefusedLine
from wallet.loading.queries import RefusalRow
from wallet.model import today_in_city

TRIES_MAX = 3
"""Of one batch, where the database says that another try may do."""
REFUSALS_MAX = 100_000
"""Refused lines of one load, give or take a batch: whoever sends so many sends the wrong file."""
REFUSALS_PAGE_MAX = 500
AT_ONCE_MAX = 8
"""Loads that one process reads at once: each holds a batch, and a connection while it commits,"""
AT_ONCE_OF_ONE_MAX = 4
"""and so many of one department."""
BUSY_RETRY_SECONDS = 5


class Own(msgspec.Struct, frozen=True, array_like=True):
    """What of a refused line is the sender's own, and kept sealed."""

    reference: str | None
    unknown_field: str | None


class RefusalPage(msgspec.Struct, frozen=True):
    """Some refused lines in order, and the line after which the next page begins; None: there is no more."""

    refusals: list[RefusedLine]
    next_after: int | None


class Loading:
    """Opens loads, reads their lines, says how far they have come."""

    def __init__(
        self, db: Database, clock: Clock, keys: Keys, filing: Filing, catalogue: Callable[[], Catalogue]
    ) -> None:
        self._db = db
        self._clock = clock
        self._filing = filing
        self._catalogue = catalogue
        self._sealer = keys.sealer("wallet.issuing_refusal")
        self._under_way: Counter[DepartmentId] = Counter()

    async def open(self, department_id: DepartmentId, load_id: UUID, *, actor: str) -> Load:
        """Open a load under an id of the department's choice; again, how it stands.

        Raises LoadNotFound for an id that is another department's.
        """
        now = self._clock.now()
        async with self._db.transaction() as conn:
            if await queries.insert_load(conn, load_id, department_id, now=now):
                await audit.record(conn, actor=actor, act="wallet.load_open", subject=f"load:{load_id}", now=now)
            return _own(await queries.select_load(conn, load_id), department_id)

    async def read(self, department_id: DepartmentId, load_id: UUID) -> Load:
        """How far a load has come. Raises LoadNotFound."""
        async with self._db.connection() as conn:
            return _own(await queries.select_load(conn, load_id), department_id)

    async def take(
        self,
        department_id: DepartmentId,
        load_id: UUID,
        chunks: AsyncIterable[bytes],
        *,
        first: int,
        is_told: bool,
        actor: str,
    ) -> Load:
        """Read the lines of a stream, of which `first` is the number of the first; those that were read are skipped.

        Raises LoadNotFound, LoadFinished, LoadGap, LoadRefusedTooOften, LoadsBusy, and whatever the stream raises when
        it breaks off: the batches before that stay.
        """
        load = await self.read(department_id, load_id)
        _check(load, first)
        with self._turn(department_id):
            async with aclosing(batches(chunks, first)) as arriving:
                async for batch in arriving:
                    if batch[-1].number > load.lines_read:
                        load = await self._commit(load, batch, is_told=is_told, actor=actor)
        return load

    async def finish(self, department_id: DepartmentId, load_id: UUID, *, actor: str) -> Load:
        """The load takes no more lines; again, the same. Raises LoadNotFound."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            load = _own(await queries.lock_load(conn, load_id), department_id)
            if load.state is LoadState.FINISHED:
                return load
            load = msgspec.structs.replace(load, state=LoadState.FINISHED, touched_at=now)
            await queries.update_load(conn, load)
            counts: dict[str, str | int | bool] = {
                "lines": load.lines_read,
                "issued": load.issued,
                "known": load.known,
                "refused": load.refused,
            }
            subject = f"load:{load_id}"
            await audit.record(conn, actor=actor, act="wallet.load_finish", subject=subject, now=now, detail=counts)
        return load

    async def refusals(self, department_id: DepartmentId, load_id: UUID, *, after: int, limit: int) -> RefusalPage:
        """Refused lines after a line, in order. Raises LoadNotFound."""
        assert limit <= REFUSALS_PAGE_MAX
        async with self._db.connection() as conn:
            _own(await queries.select_load(conn, load_id), department_id)
            rows = await queries.select_refusals(conn, load_id, after=after, limit=limit + 1)
        found = [self._opened(load_id, row) for row in rows[:limit]]
        return RefusalPage(found, found[-1].line if len(rows) > limit else None)

    async def forget_finished(self) -> None:
        """Delete what is kept no longer; run by the worker now and then."""
        await forget_finished(self._db, self._clock)

    @contextmanager
    def _turn(self, department_id: DepartmentId) -> Iterator[None]:
        """One of the few loads that are read at once. Raises LoadsBusy."""
        if self._under_way.total() >= AT_ONCE_MAX or self._under_way[department_id] >= AT_ONCE_OF_ONE_MAX:
            raise LoadsBusy(retry_after_seconds=BUSY_RETRY_SECONDS)
        self._under_way[department_id] += 1
        try:
            yield
        finally:
            self._under_way[department_id] -= 1
            if not self._under_way[department_id]:
                del self._under_way[department_id]

    async def _commit(self, load: Load, batch: Sequence[Line], *, is_told: bool, actor: str) -> Load:
        """Judge a batch and commit it whole; after an unknown outcome the counters tell what was read."""
        catalogue, today = self._catalogue(), today_in_city(self._clock.now())
        unread = [line for line in batch if line.number > load.lines_read]
        judged = [judge(catalogue, load.department_id, line, today=today) for line in unread]
        for attempt in range(1, TRIES_MAX + 1):
            try:
                return await self._commit_once(load, judged, is_told=is_told, actor=actor)
            except (OutcomeUnknown, *PASSING):
                if attempt == TRIES_MAX:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _commit_once(self, load: Load, judged: Sequence[Fit | RefusedLine], *, is_told: bool, actor: str) -> Load:
        now = self._clock.now()
        async with self._db.transaction() as conn:
            load = _own(await queries.lock_load(conn, load.load_id), load.department_id)
            fresh = [one for one in judged if one.line > load.lines_read]
            if not fresh:  # another sender was faster, or our own last try was committed after all
                return load
            _check(load, fresh[0].line)
            fit = [one for one in fresh if isinstance(one, Fit)]
            filed = await self._filing.file(conn, fit, is_told=is_told, actor=actor, now=now)
            refused = sorted(
                [*filed.refused, *(one for one in fresh if isinstance(one, RefusedLine))], key=lambda one: one.line
            )
            await self._record(conn, load.load_id, refused)
            load = msgspec.structs.replace(
                load,
                touched_at=now,
                lines_read=fresh[-1].line,
                issued=load.issued + filed.issued,
                known=load.known + filed.known,
                refused=load.refused + len(refused),
            )
            await queries.update_load(conn, load)
        return load

    async def _record(self, conn: Connection, load_id: UUID, refused: Sequence[RefusedLine]) -> None:
        if refused:
            await queries.insert_refusals(conn, load_id, [self._sealed(load_id, one) for one in refused])

    def _sealed(self, load_id: UUID, refused: RefusedLine) -> RefusalRow:
        own = Own(refused.reference, refused.unknown_field)
        has_own = own.reference is not None or own.unknown_field is not None
        sealed = self._sealer.seal_struct(own, _place(load_id, refused.line)) if has_own else None
        return RefusalRow(refused.line, sealed, refused.code, refused.detail, refused.field)

    def _opened(self, load_id: UUID, row: RefusalRow) -> RefusedLine:
        own = Own(None, None)
        if row.reference is not None:
            own = msgspec.msgpack.decode(self._sealer.unseal(row.reference, _place(load_id, row.line)), type=Own)
        return RefusedLine(row.line, row.code, row.detail, row.field, own.reference, own.unknown_field)


def _own(load: Load | None, department_id: DepartmentId) -> Load:
    """The load, if it is this department's. Raises LoadNotFound."""
    if load is None or load.department_id != department_id:
        raise LoadNotFound
    return load


def _check(load: Load, first: int) -> None:
    """Whether a load takes lines from `first` on. Raises LoadFinished, LoadGap, LoadRefusedTooOften."""
    if load.state is LoadState.FINISHED:
        raise LoadFinished
    if first > load.next_line:
        raise LoadGap(f"line {load.next_line} is wanted next", next_line=load.next_line)
    if load.refused >= REFUSALS_MAX:
        raise LoadRefusedTooOften


def _place(load_id: UUID, line: int) -> bytes:
    return load_id.bytes + line.to_bytes(8, "big")
