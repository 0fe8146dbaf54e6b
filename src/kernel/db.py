"""The database: the only place that opens connections to PostgreSQL.

`Database` may open transactions, `Connection` joins one. A transaction commits when its block returns and rolls back
when it raises. A connection that died while it lay idle costs nobody an error: it is noticed before anything is sent.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol

import asyncpg

CONNECT_TIMEOUT_SECONDS = 3.0
ACQUIRE_TIMEOUT_SECONDS = 5.0
WAITING_MAX = 2_000
STATEMENT_TIMEOUT_SECONDS = 15
ANSWER_TIMEOUT_SECONDS = 20.0
"""How long we wait for the server's answer before the connection counts as lost."""
IDLE_IN_TRANSACTION_SECONDS = 30
PREPARED_MAX = 500
"""Statements kept prepared on each connection: every literal of the system, and every size of a `Many`."""
LISTEN_PULSE_SECONDS = 10.0
LISTEN_BACKOFF_SECONDS = 0.1
LISTEN_BACKOFF_MAX_SECONDS = 2.0
assert STATEMENT_TIMEOUT_SECONDS < ANSWER_TIMEOUT_SECONDS  # the server gives up first, and says why

SERVER_SETTINGS = {
    "TimeZone": "UTC",
    "jit": "off",  # its compile time is longer than any statement of ours
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
}
LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # what asyncpg says of a connection whose end it was told of and has not seen yet
)
CHAIN_MAX = 20
"""Errors looked through, each the cause of the one before."""
_ARGUMENT = re.compile(r"invalid input for query argument \$\d+")
log = logging.getLogger(__name__)


class DatabaseAway(Exception):  # not a refusal: nothing was committed, and the same request may be tried again soon
    """The database cannot be reached, or every connection is taken."""


class OutcomeUnknown(Exception):  # perhaps committed: only the same key tried again can tell
    """The answer to a COMMIT was lost or was an error."""


class RolledBack(Exception):  # an error inside the block was swallowed, and the server had already given up
    """The transaction had failed before its COMMIT, so nothing was committed."""


class Row(Protocol):
    """One row: by column name, by position, or unpacked in the order selected."""

    def __getitem__(self, key: str | int) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def keys(self) -> Iterable[str]: ...
    def items(self) -> Iterable[tuple[str, Any]]: ...
    def get(self, key: str, default: Any = None, /) -> Any: ...


class Connection(Protocol):
    """What a query function is given: it joins the transaction that its caller opened."""

    async def fetch(self, query: str, *args: Any) -> list[Row]: ...
    async def fetchrow(self, query: str, *args: Any) -> Row | None: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...
    async def fetchmany(self, query: str, args: Iterable[Sequence[Any]]) -> list[Row]: ...
    async def execute(self, query: str, *args: Any) -> str: ...
    async def executemany(self, command: str, args: Iterable[Sequence[Any]]) -> None: ...
    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[Any]],
        columns: Sequence[str] | None = None,
        schema_name: str | None = None,
    ) -> str: ...


async def connect(dsn: str) -> Any:
    """Open one connection with the session settings of the system. Raises DatabaseAway."""
    try:
        return await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=ANSWER_TIMEOUT_SECONDS,
            statement_cache_size=PREPARED_MAX,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            server_settings=SERVER_SETTINGS,
        )
    except LOST as error:
        raise DatabaseAway(f"PostgreSQL does not answer: {_words(error)}") from error


class Database:
    """At most `connections_max` connections, the one used last handed out first; waiting for one is bounded."""

    def __init__(self, dsn: str, *, connections_max: int, acquire_timeout_seconds: float) -> None:
        self._dsn = dsn
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._connections_max = connections_max
        self._idle: list[Any] = []
        self._taken_or_idle = 0
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._closed = False

    @classmethod
    async def open(
        cls, dsn: str, *, connections_max: int = 16, acquire_timeout_seconds: float = ACQUIRE_TIMEOUT_SECONDS
    ) -> "Database":
        """Open with a first connection, so that a wrong address shows at start. Raises DatabaseAway."""
        db = cls(dsn, connections_max=connections_max, acquire_timeout_seconds=acquire_timeout_seconds)
        db._give_back(await db._borrow())
        return db

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """One transaction, read committed: committed when the block returns, rolled back when it raises.

        Raises DatabaseAway (nothing was committed), OutcomeUnknown (an error at COMMIT), RolledBack.
        """
        return _Transaction(self)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection on which every statement commits by itself: for reads. Raises DatabaseAway."""
        return _Borrowed(self)

    async def fetch(self, query: str, *args: Any) -> list[Row]:
        """Run one statement that only reads. Raises DatabaseAway."""
        async with _Borrowed(self) as conn:
            return await conn.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Row | None:
        """Run one statement that only reads; its first row. Raises DatabaseAway."""
        async with _Borrowed(self) as conn:
            return await conn.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Run one statement that only reads; the first value of its first row. Raises DatabaseAway."""
        async with _Borrowed(self) as conn:
            return await conn.fetchval(query, *args)

    async def close(self) -> None:
        """Close what is idle; what is still in use is closed when it comes back."""
        self._closed = True
        while self._waiting:
            _settle(self._waiting.popleft(), DatabaseAway("the database was closed"))
        idle, self._idle = self._idle, []
        self._taken_or_idle -= len(idle)
        await asyncio.gather(*(conn.close(timeout=CONNECT_TIMEOUT_SECONDS) for conn in idle), return_exceptions=True)

    async def _borrow(self) -> Any:
        if self._closed:
            raise DatabaseAway("the database was closed")
        while self._idle:
            conn = self._idle.pop()
            if not conn.is_closed():
                return conn
            self._taken_or_idle -= 1
        if self._taken_or_idle >= self._connections_max:
            conn = await self._wait_for_turn()
            if conn is not None:
                return conn
        else:
            self._taken_or_idle += 1
        try:
            return await connect(self._dsn)
        except BaseException:
            self._pass_place_on()
            raise

    async def _wait_for_turn(self) -> Any | None:
        """A connection handed over by its last user, or None: the right to open one."""
        if len(self._waiting) >= WAITING_MAX:
            raise DatabaseAway("too many are waiting for a connection")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(turn)
        timer = loop.call_later(self._acquire_timeout_seconds, self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # handed over, then cancelled
                self._give_back(turn.result()) if turn.result() is not None else self._pass_place_on()
            raise
        finally:
            timer.cancel()

    def _give_up(self, turn: "asyncio.Future[Any]") -> None:
        _settle(turn, DatabaseAway(f"no connection came free within {self._acquire_timeout_seconds} s"))
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()

    def _next_waiting(self) -> "asyncio.Future[Any] | None":
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                return turn
        return None

    def _give_back(self, conn: Any) -> None:
        if self._closed or conn.is_closed() or conn.is_in_transaction():
            self._discard(conn)
        elif (turn := self._next_waiting()) is not None:
            turn.set_result(conn)
        else:
            self._idle.append(conn)

    def _discard(self, conn: Any) -> None:
        conn.terminate()
        self._pass_place_on()

    def _pass_place_on(self) -> None:
        turn = self._next_waiting()
        if turn is not None:
            turn.set_result(None)
        else:
            self._taken_or_idle -= 1


class _Borrowed:
    """A connection for the length of a block."""

    __slots__ = ("_conn", "_db")

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __aenter__(self) -> Connection:
        self._conn: Any = await self._db._borrow()  # noqa: SLF001 -- the pool and its blocks are one thing
        return self._conn  # type: ignore[no-any-return]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _strike_values(error)
        if error is None or not _ends_connection(self._conn, error):
            self._db._give_back(self._conn)  # noqa: SLF001
            return
        self._db._discard(self._conn)  # noqa: SLF001
        if isinstance(error, Exception):
            raise DatabaseAway(f"the connection was lost: {_words(error)}") from error


class _Transaction:
    """BEGIN, and what its block's end makes of it."""

    __slots__ = ("_conn", "_db")

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __aenter__(self) -> Connection:
        db = self._db
        for _ in range(db._connections_max + 1):  # noqa: SLF001 -- each idle connection may turn out dead
            conn = await db._borrow()  # noqa: SLF001
            try:
                await conn.execute("BEGIN")
            except BaseException as error:
                db._discard(conn)  # noqa: SLF001
                if not isinstance(error, Exception) or not _is_lost(conn, error):
                    raise
            else:
                self._conn: Any = conn
                return conn  # type: ignore[no-any-return]
        raise DatabaseAway("every connection was lost before anything was sent")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _strike_values(error)
        if error is None:
            await self._commit()
        elif _ends_connection(self._conn, error):
            self._db._discard(self._conn)  # noqa: SLF001 -- the server rolls back what has no client
            if isinstance(error, Exception):
                raise DatabaseAway(f"the connection was lost: {_words(error)}") from error
        else:
            await self._roll_back()

    async def _commit(self) -> None:
        try:
            tag = await self._conn.execute("COMMIT")
        except BaseException as error:
            self._db._discard(self._conn)  # noqa: SLF001
            _strike_values(error)
            if isinstance(error, Exception):
                raise OutcomeUnknown(f"no answer to COMMIT: {_words(error)}") from error
            raise
        self._db._give_back(self._conn)  # noqa: SLF001
        if tag != "COMMIT":
            raise RolledBack("an error inside the transaction was caught and ignored")

    async def _roll_back(self) -> None:
        try:
            await self._conn.execute("ROLLBACK")
        except BaseException as error:
            self._db._discard(self._conn)  # noqa: SLF001
            if not isinstance(error, Exception):
                raise
        else:
            self._db._give_back(self._conn)  # noqa: SLF001


async def listen(dsn: str, channel: str, on_hint: Callable[[str], None]) -> None:
    """Call `on_hint` with the payload of every NOTIFY on `channel`, for ever; run it as a task.

    Hints only: one may be lost while the connection is down, so `on_hint("")` is called on every (re)connection, and
    whoever needs the truth polls as well.
    """
    backoff_seconds = LISTEN_BACKOFF_SECONDS
    while True:
        try:
            conn = await connect(dsn)
        except DatabaseAway:
            await asyncio.sleep(backoff_seconds)
            backoff_seconds = min(backoff_seconds * 2, LISTEN_BACKOFF_MAX_SECONDS)
            continue
        backoff_seconds = LISTEN_BACKOFF_SECONDS
        try:
            await conn.add_listener(channel, lambda _conn, _pid, _channel, payload: on_hint(payload))
            on_hint("")
            await _until_lost(conn)
        except (*LOST, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            log.warning("listening for hints was interrupted: %s", type(error).__name__)
        finally:
            conn.terminate()
        await asyncio.sleep(backoff_seconds)


async def _until_lost(conn: Any) -> None:
    lost = asyncio.Event()
    conn.add_termination_listener(lambda _conn: lost.set())
    while not conn.is_closed():
        try:
            async with asyncio.timeout(LISTEN_PULSE_SECONDS):  # wait_for of 3.11 may swallow a cancellation
                await lost.wait()
        except TimeoutError:
            await conn.execute("SELECT 1")


def _is_lost(conn: Any, error: BaseException) -> bool:
    return isinstance(error, LOST) or conn.is_closed()


def _ends_connection(conn: Any, error: BaseException) -> bool:
    """Whether a connection must not be used again: lost, or given up in the middle of a statement."""
    if not isinstance(error, Exception):
        return True
    if isinstance(error, asyncpg.InterfaceError | OSError) and not isinstance(error, TimeoutError):
        return bool(conn.is_closed())  # perhaps not the connection's error at all
    if isinstance(error, asyncpg.PostgresError | asyncpg.InternalClientError | TimeoutError):
        return _is_lost(conn, error)
    return False


def _strike_values(error: BaseException | None) -> None:
    """Take out of an error, and of those it came of, what PostgreSQL says of rows: a DETAIL repeats their values.

    asyncpg does the same with an argument it cannot encode.
    """
    for _ in range(CHAIN_MAX):
        if error is None:
            return
        if isinstance(error, asyncpg.PostgresError):
            error.detail = None
            if error.args and (found := _ARGUMENT.match(str(error.args[0]))) is not None:
                error.args = (found[0],)
        error = error.__cause__ or error.__context__


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _settle(turn: "asyncio.Future[Any]", error: Exception) -> None:
    if not turn.done():
        turn.set_exception(error)
