"""Group commit: requests that wait together commit together.

No answer leaves before the commit that holds its own row. Conflicts come back as outcomes; an error rolls the group
back and each member is tried alone, once, so that nobody's request can spoil another's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import asyncpg

from kernel.db import Connection, Database, DatabaseAway, OutcomeUnknown, Row

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

WAITING_MAX = 10_000
WAIT_MAX_SECONDS = 5.0
GROUPS_AT_ONCE = 2
PATIENCE_SECONDS = 0.01
"""A request waits so long for the group that is out before a second one, not full, is sent beside it."""
SIZES = (1, 4, 16, 64, 256)
PARAMETERS_MAX = 32_767
PASSING = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
"""Errors that say nothing about the request: worth a second try even for a group of one."""


class TooManyWaiting(Exception):  # nothing was tried, let alone committed
    """More requests are waiting than can be committed soon."""


class _Member(Generic[Item, Outcome]):
    __slots__ = ("answer", "item", "since")

    def __init__(self, item: Item, answer: "asyncio.Future[Outcome]", since: float) -> None:
        self.item = item
        self.answer = answer
        self.since = since


class Group(Generic[Item, Outcome]):
    """Commits what was submitted within one loop tick, or while a group was out, in one transaction.

    A second group, up to `groups_at_once`, goes out beside the first when it is full or when the first is slow.
    `commit` gets the items sorted by `sort_key` (so that groups lock rows in one order) and answers with their outcomes
    in that order. With `retry_safe`, `commit` promises that doing it twice is doing it once, and a group whose COMMIT
    went unanswered is tried again.
    """

    def __init__(
        self,
        db: Database,
        commit: Callable[[Connection, list[Item]], Awaitable[list[Outcome]]],
        *,
        size_max: int,
        sort_key: Callable[[Item], Any],
        groups_at_once: int = GROUPS_AT_ONCE,
        waiting_max: int = WAITING_MAX,
        wait_max_seconds: float = WAIT_MAX_SECONDS,
        retry_safe: bool = False,
    ) -> None:
        self._db = db
        self._commit = commit
        self._size_max = size_max
        self._sort_key = sort_key
        self._groups_at_once = groups_at_once
        self._waiting_max = waiting_max
        self._wait_max_seconds = wait_max_seconds
        self._retry_safe = retry_safe
        self._waiting: deque[_Member[Item, Outcome]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._is_starting = False
        self._timer: asyncio.TimerHandle | None = None

    async def submit(self, item: Item) -> Outcome:
        """The outcome of `item`, once it is committed.

        A caller who goes away changes nothing for the others. Raises TooManyWaiting and DatabaseAway (nothing was
        committed), OutcomeUnknown, and what `commit` raised for this item alone.
        """
        if len(self._waiting) >= self._waiting_max:
            raise TooManyWaiting("too many requests are waiting")
        loop = asyncio.get_running_loop()
        member: _Member[Item, Outcome] = _Member(item, loop.create_future(), loop.time())
        self._waiting.append(member)
        if not self._is_starting and (not self._running or len(self._waiting) >= self._size_max):
            self._is_starting = True
            loop.call_soon(self._start)
        if self._timer is None:
            self._timer = loop.call_later(PATIENCE_SECONDS, self._look_after_waiting)
        return await member.answer

    async def drain(self) -> None:
        """Return when nothing is waiting and no group is out."""
        while self._running or self._waiting:
            if self._running:
                await asyncio.wait(list(self._running))
            await asyncio.sleep(0)

    def _start(self) -> None:
        self._is_starting = False
        if self._waiting and not self._running:
            self._send_group()
        while len(self._waiting) >= self._size_max and len(self._running) < self._groups_at_once:
            self._send_group()

    def _send_group(self) -> None:
        members: list[_Member[Item, Outcome]] = []
        while self._waiting and len(members) < self._size_max:
            member = self._waiting.popleft()
            if not member.answer.done():  # its caller went away before anything was tried
                members.append(member)
        if members:
            task = asyncio.get_running_loop().create_task(self._carry(members))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._start()

    def _look_after_waiting(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and self._waiting[0].since <= now - self._wait_max_seconds:
            _fail([self._waiting.popleft()], TooManyWaiting("the request waited too long"))
        if not self._waiting:
            return
        if self._waiting[0].since <= now - PATIENCE_SECONDS and len(self._running) < self._groups_at_once:
            self._send_group()
        self._timer = loop.call_later(PATIENCE_SECONDS, self._look_after_waiting)

    async def _carry(self, members: list[_Member[Item, Outcome]]) -> None:
        try:
            members.sort(key=lambda member: self._sort_key(member.item))
            outcomes = await self._commit_together([member.item for member in members])
        except (OutcomeUnknown, DatabaseAway) as error:
            _fail(members, error)
        except Exception as error:  # noqa: BLE001 -- it goes to the member it belongs to
            if len(members) == 1 and not isinstance(error, PASSING):
                _fail(members, error)
            else:
                for member in members:
                    await self._carry_alone(member)
        else:
            for member, outcome in zip(members, outcomes, strict=True):
                if not member.answer.done():
                    member.answer.set_result(outcome)
        finally:
            _fail(members, OutcomeUnknown("the group was given up"))

    async def _carry_alone(self, member: _Member[Item, Outcome]) -> None:
        try:
            [outcome] = await self._commit_together([member.item])
        except Exception as error:  # noqa: BLE001 -- it goes to the one it belongs to
            _fail([member], error)
        else:
            if not member.answer.done():
                member.answer.set_result(outcome)

    async def _commit_together(self, items: list[Item]) -> list[Outcome]:
        try:
            return await self._commit_once(items)
        except OutcomeUnknown:
            if not self._retry_safe:
                raise
        try:
            return await self._commit_once(items)
        except DatabaseAway as error:
            raise OutcomeUnknown("no answer to COMMIT, and no second try was possible") from error

    async def _commit_once(self, items: list[Item]) -> list[Outcome]:
        async with self._db.transaction() as conn:
            outcomes = await self._commit(conn, items)
            assert len(outcomes) == len(items), "an outcome for every item, in order"
        return outcomes


class Many:
    """A statement over many rows, as a few prepared shapes: `{rows}` becomes a multi-row VALUES list.

    `shared` parameters come first ($1 …), then `columns` parameters per row. `row` says how one row is written where
    that is more than its own parameters, with `{}` for each of them: `"($1, {}, {}::uuid)"`. In
    `UPDATE … FROM (VALUES …)` the types must be written; in `INSERT … VALUES` they are the table's.
    """

    def __init__(
        self, sql: str, *, columns: int, shared: int = 0, row: str | None = None, sizes: tuple[int, ...] = SIZES
    ) -> None:
        shape = row or "(" + ", ".join(["{}"] * columns) + ")"
        assert shape.count("{}") == columns, "one {} for each column of a row"
        assert sql.count("{rows}") == 1, "one {rows} in a statement"
        assert 1 in sizes, "any number of rows can be written"
        assert shared + columns * max(sizes) <= PARAMETERS_MAX, "PostgreSQL counts parameters in 16 bits"
        self.name = sql.strip().splitlines()[0].removeprefix("--").strip()
        self._columns = columns
        self._shared = shared
        self._by_size = [(size, _with_rows(sql, shape, size, shared, columns)) for size in sorted(sizes, reverse=True)]

    def statements(self) -> list[tuple[str, str]]:
        """Every shape with its name: `wallet.insert_uses/64`."""
        return [(f"{self.name}/{size}", sql) for size, sql in self._by_size]

    async def fetch(self, conn: Connection, rows: Sequence[Sequence[Any]], *shared: Any) -> list[Row]:
        """What the statement returns for `rows`, in the transaction of `conn`, largest shapes first."""
        assert len(shared) == self._shared
        found: list[Row] = []
        start = 0
        for size, sql in self._by_size:
            count = (len(rows) - start) // size
            if count == 0:
                continue
            batches = [self._arguments(rows, start + size * nth, size, shared) for nth in range(count)]
            found += await (conn.fetch(sql, *batches[0]) if count == 1 else conn.fetchmany(sql, batches))
            start += size * count
        return found

    def _arguments(self, rows: Sequence[Sequence[Any]], start: int, size: int, shared: tuple[Any, ...]) -> list[Any]:
        arguments = list(shared)
        for row in rows[start : start + size]:
            assert len(row) == self._columns
            arguments += row
        return arguments


def _with_rows(sql: str, shape: str, size: int, shared: int, columns: int) -> str:
    pieces = shape.split("{}")
    rows = []
    for nth in range(size):
        first = shared + nth * columns + 1
        numbered = [f"{piece}${first + place}" for place, piece in enumerate(pieces[:-1])]
        rows.append("".join(numbered) + pieces[-1])
    return sql.replace("{rows}", ", ".join(rows))


def _fail(members: "Sequence[_Member[Any, Any]]", error: Exception) -> None:
    for member in members:
        if not member.answer.done():
            member.answer.set_exception(error)
