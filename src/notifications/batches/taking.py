"""A department opens a batch and sends its rows, in any order and as often as it likes.

A row is known by its number. Each group of rows commits with the batch's record of which rows have come and with those
of it that were refused, so that the record says exactly what was taken: a lost connection, a killed process, or two
senders at once lose no row and double none. A row that was refused may be sent again, mended.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec

from kernel import audit, lines
from kernel.clock import Clock
from kernel.db import Connection, Database, OutcomeUnknown
from kernel.errors import MalformedRequest
from kernel.grouping import PASSING
from kernel.ids import DepartmentId, PersonId
from kernel.lines import Line, Lines
from kernel.people import People
from kernel.sealing import Keys
from notifications.batches import queries
from notifications.batches.errors import (
    BatchClosed,
    BatchesBusy,
    BatchLaneRefused,
    BatchNotFound,
    BatchRefusedTooOften,
    BatchReused,
    BatchScattered,
    TooManyBatches,
    TooManyRows,
)
from notifications.batches.judging import Fit, Judge
from notifications.batches.model import (
    LANES,
    ROWS_MAX,
    SPANS_MAX,
    Batch,
    BatchState,
    Plan,
    RefusedRow,
    is_among,
    with_rows,
)
from notifications.batches.queries import NewRow
from notifications.batches.reading import LINE_BYTES_MAX, Columns, Read, read_json, until_unclosed
from notifications.batches.sealing import Sealing
from notifications.services.errors import SendTimeRefused, TextNotInUse
from notifications.services.keys.teams import Teams
from notifications.services.model import SCHEDULED_AHEAD_MAX
from notifications.texts.model import DepartmentText
from notifications.texts.reading import Texts

Form = Literal["ndjson", "csv"]

TOGETHER_MAX = 1_024
"""Rows committed together."""
AT_A_TIME_MAX = 64
"""Rows judged or sealed before others are served: a millisecond, in which the group before gets on with its commit."""
TOGETHER_BYTES_MAX = 1024 * 1024
"""Rows are taken together up to whichever comes first, so that no more than twice this and a line is held."""
TRIES_MAX = 3
"""Of one group, where the database says that another try may do."""
REFUSALS_MAX = 100_000
"""Refused rows of one batch, give or take a group: whoever sends so many sends the wrong file."""
UNENDED_MAX = 100
"""Batches of one department that have not ended, give or take those opened in one moment,"""
UNFED_MAX = 20_000_000
"""and rows in them of which no message was made yet, give or take the streams that are read at once."""
AT_ONCE_MAX = 8
"""Streams that one process reads at once,"""
AT_ONCE_OF_ONE_MAX = 4
"""and so many of one department."""
BUSY_RETRY_SECONDS = 5
LATE_BY_MAX = timedelta(minutes=1)
"""An hour to send at may lie so far back: clocks differ."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
assert LINE_BYTES_MAX <= TOGETHER_BYTES_MAX
assert ROWS_MAX <= UNFED_MAX


class Ready(msgspec.Struct, frozen=True):
    """Lines of one group, judged and sealed; `blank` are those that hold no row."""

    numbers: list[int]
    rows: list[NewRow]
    refused: list[RefusedRow]
    blank: set[int]


class Taking:
    """Opens batches and takes their rows."""

    def __init__(self, db: Database, clock: Clock, keys: Keys, people: People, texts: Texts, teams: Teams) -> None:
        self._db = db
        self._clock = clock
        self._sealing = Sealing(keys)
        self._people = people
        self._texts = texts
        self._teams = teams
        self._under_way: Counter[DepartmentId] = Counter()

    async def open(self, department_id: DepartmentId, batch_id: UUID, plan: Plan, *, actor: str) -> Batch:
        """Open a batch under an id of the department's choice; again in the same words, how it stands.

        Raises BatchReused, BatchNotFound for an id of another department's, TextNotInUse, BatchLaneRefused,
        SendTimeRefused, TooManyBatches.
        """
        now = self._clock.now()
        async with self._db.connection() as conn:
            there = await queries.select_batch(conn, batch_id)
        if there is None:
            text = await self._text(department_id, plan)
            if plan.lane not in LANES or plan.lane < text.lane:
                raise BatchLaneRefused
            if plan.send_at is not None and not now - LATE_BY_MAX <= plan.send_at <= now + SCHEDULED_AHEAD_MAX:
                raise SendTimeRefused
            async with self._db.transaction() as conn:
                if (await queries.count_unended(conn, department_id))[0] >= UNENDED_MAX:
                    raise TooManyBatches(f"{UNENDED_MAX} have not ended", limit=UNENDED_MAX)
                if await queries.insert_batch(conn, batch_id, department_id, plan, now=now):
                    subject = f"batch:{batch_id}"
                    await audit.record(conn, actor=actor, act="notifications.batch_open", subject=subject, now=now)
                there = await queries.select_batch(conn, batch_id)
        batch = own(there, department_id)
        if batch.plan != plan:
            raise BatchReused
        return batch

    async def version_of(self, department_id: DepartmentId, batch_id: UUID, text_id: UUID) -> int:
        """The version of a text that a batch is or was opened with whose sender names none. Raises TextNotInUse."""
        async with self._db.connection() as conn:
            there = await queries.select_batch(conn, batch_id)
        if there is not None and there.department_id == department_id and there.plan.text_id == str(text_id):
            return there.plan.version
        text = self._texts.in_use(text_id)
        if text is None or text.of.department_id != department_id:
            raise TextNotInUse
        return text.version

    async def _text(self, department_id: DepartmentId, plan: Plan) -> DepartmentText:
        """The text of a batch. Raises TextNotInUse."""
        key = (plan.text_id, plan.version)
        if self._texts.find(*key) is None:
            await self._texts.read_through([key])
        text = self._texts.find(*key)
        if text is None or text.of.department_id != department_id or not text.is_approved:
            raise TextNotInUse
        if self._texts.is_put_away(text.of.text_id):
            raise TextNotInUse
        return text

    async def take(
        self, department_id: DepartmentId, batch_id: UUID, chunks: AsyncIterable[bytes], *, first: int, form: Form
    ) -> Batch:
        """Take the rows of a stream, of which `first` is the number of the first; those that came before are skipped.

        A stream of CSV begins with its header, whatever the number. Blank lines have their numbers and are no rows.
        Raises BatchNotFound, BatchClosed, BatchScattered, BatchRefusedTooOften, BatchesBusy, TooManyRows, TextNotInUse,
        MalformedRequest, and whatever the stream raises when it breaks off: the rows that came whole before that stay.
        """
        async with self._db.connection() as conn:
            batch = own(await queries.select_batch(conn, batch_id), department_id)
            _, unfed = await queries.count_unended(conn, department_id)
        _check_open(batch)
        if unfed >= UNFED_MAX:
            raise TooManyRows(f"{UNFED_MAX} wait to be sent", limit=UNFED_MAX)
        text = await self._text(department_id, batch.plan)
        with self._turn(department_id):
            team = await self._teams.every(department_id) if batch.plan.kind == "team" else None
            judge = Judge(text, batch.plan.kind, None if team is None else frozenset(team))
            return await self._read(batch, chunks, judge, first=first, form=form)

    async def _read(self, batch: Batch, chunks: AsyncIterable[bytes], judge: Judge, *, first: int, form: Form) -> Batch:
        """Judge and seal one group while the one before is being committed."""
        is_csv = form == "csv"
        broken: list[Exception] = []

        def is_whole(text: bytes) -> bool:
            """A last line without line feed: of CSV nobody can tell but by how the stream ended."""
            return not broken if is_csv else _is_json(text)

        cut = Lines(first - is_csv, line_bytes_max=LINE_BYTES_MAX, is_whole=is_whole)
        read: Read | None = None if is_csv else read_json
        commit: asyncio.Task[Batch] | None = None
        try:
            whole = _until_broken(chunks, broken)
            groups = lines.batches(whole, cut, lines_max=TOGETHER_MAX, bytes_max=TOGETHER_BYTES_MAX)
            async with aclosing(groups) as arriving:
                async for group in arriving:
                    if read is None:
                        read, group = Columns.of(group[0].text).read, group[1:]
                    taken, refusal = until_unclosed(group) if is_csv else (group, None)
                    ready = await self._ready(batch, taken, read, judge)
                    if commit is not None:
                        batch = await commit
                    commit = None if ready is None else asyncio.create_task(self._commit(batch, ready))
                    if refusal is not None:
                        raise refusal
        except MalformedRequest as refusal:
            broken.append(refusal)
        finally:
            if commit is not None:
                batch = await commit
        if broken:
            raise broken[0]
        return batch

    async def _ready(self, batch: Batch, group: Sequence[Line], read: Read, judge: Judge) -> Ready | None:
        """Judge and seal what has not come before; None if all of it has."""
        if group and group[-1].number > ROWS_MAX:
            raise MalformedRequest(f"a batch has at most {ROWS_MAX} rows")
        mended = await self._refused_among(batch, group)
        fresh = [line for line in group if not is_among(batch.spans, line.number) or line.number in mended]
        if not fresh:
            return None
        fit: list[Fit] = []
        refused: list[RefusedRow] = []
        blank = {line.number for line in fresh if line.text is not None and (not line.text or line.text.isspace())}
        said = [line for line in fresh if line.number not in blank] if blank else fresh
        for start in range(0, len(said), AT_A_TIME_MAX):
            for line in said[start : start + AT_A_TIME_MAX]:
                told = read(line)
                judged = told if isinstance(told, RefusedRow) else judge.judge(told)
                if isinstance(judged, Fit):
                    fit.append(judged)
                else:
                    refused.append(judged)
            await asyncio.sleep(0)
        persons, rows, now = await self._persons(fit), [], self._clock.now()
        for start in range(0, len(fit), AT_A_TIME_MAX):
            rows += self._sealing.seal(batch, fit[start : start + AT_A_TIME_MAX], persons, now=now)
            await asyncio.sleep(0)
        return Ready([line.number for line in fresh], rows, refused, blank)

    async def _refused_among(self, batch: Batch, group: Sequence[Line]) -> set[int]:
        """Which of these rows came before and were refused."""
        if not batch.refused or not any(is_among(batch.spans, line.number) for line in group):
            return set()
        async with self._db.connection() as conn:
            return await queries.select_refused_numbers(conn, batch.batch_id, group[0].number, group[-1].number)

    async def _persons(self, rows: Sequence[Fit]) -> Mapping[str, PersonId]:
        """The persons of the ID numbers that these rows name, as far as anybody knows them."""
        id_numbers = sorted({row.recipient for row in rows if row.sort == "id_number"})
        if not id_numbers:
            return {}
        async with self._db.connection() as conn:
            return await self._people.find_many(conn, id_numbers)

    async def _commit(self, batch: Batch, ready: Ready) -> Batch:
        """Commit a group whole; after an unknown outcome the batch's own record tells what was taken."""
        for attempt in range(1, TRIES_MAX + 1):
            try:
                async with self._db.transaction() as conn:
                    return await self._write(conn, batch.batch_id, batch.department_id, ready)
            except (OutcomeUnknown, *PASSING):
                if attempt == TRIES_MAX:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _write(self, conn: Connection, batch_id: UUID, department_id: DepartmentId, ready: Ready) -> Batch:
        """Write what has not come meanwhile from another sender, or in a try of ours that was committed after all."""
        batch = own(await queries.lock_batch(conn, batch_id), department_id)
        there = {number for number in ready.numbers if is_among(batch.spans, number)}
        mended: set[int] = set()
        if there:
            mended = await queries.select_refused_numbers(conn, batch_id, ready.numbers[0], ready.numbers[-1]) & there
        fresh = [number for number in ready.numbers if number not in there]
        rows = [row for row in ready.rows if row.number not in there or row.number in mended]
        refused = [row for row in ready.refused if row.number not in there]
        fit_now = [row.number for row in rows if row.number in mended]
        if not fresh and not fit_now:
            return batch
        _check_open(batch)
        spans = with_rows(batch.spans, fresh)
        if len(spans) > max(SPANS_MAX, len(batch.spans)):
            raise BatchScattered
        await queries.insert_rows(conn, rows)
        await queries.upsert_refusals(conn, batch_id, refused)
        if fit_now:
            await queries.delete_refusals_of(conn, batch_id, fit_now)
        count = batch.refused + len(refused) - len(fit_now)
        received = batch.received + len(fresh) - len(ready.blank.intersection(fresh))
        batch = msgspec.structs.replace(
            batch, spans=spans, received=received, refused=count, touched_at=self._clock.now()
        )
        await queries.update_received(conn, batch)
        return batch

    @contextmanager
    def _turn(self, department_id: DepartmentId) -> Iterator[None]:
        """One of the few streams that are read at once. Raises BatchesBusy."""
        if self._under_way.total() >= AT_ONCE_MAX or self._under_way[department_id] >= AT_ONCE_OF_ONE_MAX:
            raise BatchesBusy(retry_after_seconds=BUSY_RETRY_SECONDS)
        self._under_way[department_id] += 1
        try:
            yield
        finally:
            self._under_way[department_id] -= 1
            if not self._under_way[department_id]:
                del self._under_way[department_id]


def own(batch: Batch | None, department_id: DepartmentId) -> Batch:
    """The batch, if it is this department's. Raises BatchNotFound."""
    if batch is None or batch.department_id != department_id:
        raise BatchNotFound
    return batch


def _check_open(batch: Batch) -> None:
    """Whether a batch takes rows. Raises BatchClosed, BatchRefusedTooOften."""
    if batch.state is not BatchState.OPEN:
        raise BatchClosed
    if batch.refused >= REFUSALS_MAX:
        raise BatchRefusedTooOften


async def _until_broken(chunks: AsyncIterable[bytes], broken: list[Exception]) -> AsyncGenerator[bytes]:
    """A stream up to where it breaks off, and what it then raised: whatever came whole before is good all the same.

    A byte order mark at its very beginning is left out.
    """
    begun = b""
    try:
        async for chunk in chunks:
            if len(begun) < len(BYTE_ORDER_MARK):
                begun += chunk
                if len(begun) >= len(BYTE_ORDER_MARK):
                    yield begun.removeprefix(BYTE_ORDER_MARK)
            else:
                yield chunk
        if len(begun) < len(BYTE_ORDER_MARK):
            yield begun
    except Exception as fault:  # noqa: BLE001 -- whoever reads the rows raises it, once they are kept
        broken.append(fault)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
