"""A process's database whose statements take turns, and in which a fault can be planted; the code above is as it is."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from kernel.db import Database, DatabaseAway
from tests.model_booking.turns import Seat, Turns

Rewrite = Callable[[str], str]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong: with the schema, with statements by their name, or with when they are carried out."""

    name: str
    schema: str = ""
    rewrites: dict[str, Rewrite] = {}
    after_commit: frozenset[str] = frozenset()
    """Statements left out of their transaction and carried out by themselves once it is committed."""


SOUND = Fault(name="nothing is wrong")


def name_of(query: str) -> str:
    """`appointments.claim_places`, from the first line of a statement; the words themselves for BEGIN and COMMIT."""
    return query.strip().split("\n", 1)[0].removeprefix("--").strip()


class TurnTaking:
    """A connection as `kernel.db` uses it."""

    def __init__(self, conn: Any, seat: Seat, turns: Turns, fault: Fault) -> None:
        self._conn = conn
        self._seat = seat
        self._turns = turns
        self._fault = fault
        self._put_off: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, query: str, *args: Any) -> Any:
        return await self._have(query, lambda sql: self._conn.fetch(sql, *args))

    async def fetchrow(self, query: str, *args: Any) -> Any:
        return await self._have(query, lambda sql: self._conn.fetchrow(sql, *args))

    async def fetchval(self, query: str, *args: Any) -> Any:
        if name_of(query) in self._fault.after_commit:
            self._put_off.append((query, args))
            return True
        return await self._have(query, lambda sql: self._conn.fetchval(sql, *args))

    async def fetchmany(self, query: str, args: Iterable[Sequence[Any]]) -> Any:
        return await self._have(query, lambda sql: self._conn.fetchmany(sql, args))

    async def execute(self, query: str, *args: Any) -> Any:
        answer = await self._have(query, lambda sql: self._conn.execute(sql, *args))
        if query == "COMMIT":
            put_off, self._put_off = self._put_off, []
            for late, late_args in put_off:
                await self._have(late, lambda sql, late_args=late_args: self._conn.execute(sql, *late_args))
        elif query == "ROLLBACK":
            self._put_off.clear()
        return answer

    async def executemany(self, command: str, args: Iterable[Sequence[Any]]) -> None:
        await self._have(command, lambda sql: self._conn.executemany(sql, args))

    async def copy_records_to_table(self, table_name: str, **how: Any) -> Any:
        return await self._have(f"copy {table_name}", lambda _: self._conn.copy_records_to_table(table_name, **how))

    def is_closed(self) -> bool:
        return bool(self._conn.is_closed())

    def is_in_transaction(self) -> bool:
        return bool(self._conn.is_in_transaction())

    def terminate(self) -> None:
        self._conn.terminate()

    async def close(self, *, timeout: float) -> None:
        await self._conn.close(timeout=timeout)

    async def _have(self, query: str, run: Callable[[str], Awaitable[Any]]) -> Any:
        name = name_of(query)
        rewrite = self._fault.rewrites.get(name)
        sql = query if rewrite is None else rewrite(query)
        return await self._turns.have(self._seat, self._conn, name, lambda: run(sql))


class TurnTakingDatabase(Database):
    """The database as one process has it; without connections while the process is dead."""

    process: int
    turns: Turns
    fault: Fault
    opened = 0

    async def _borrow(self) -> Any:
        if self.process in self.turns.dead:
            raise DatabaseAway("the process is dead")
        conn = await super()._borrow()
        if isinstance(conn, TurnTaking):
            return conn
        self.opened += 1
        return TurnTaking(conn, (self.process, self.opened), self.turns, self.fault)

    async def warm(self, connections: int) -> None:
        """Have so many connections open, so that opening them takes nobody's turn."""
        taken = [await self._borrow() for _ in range(connections)]
        for conn in taken:
            self._give_back(conn)


async def open_database(url: str, process: int, turns: Turns, fault: Fault, connections: int) -> TurnTakingDatabase:
    db = TurnTakingDatabase(url, connections_max=connections, acquire_timeout_seconds=1_000.0)
    db.process, db.turns, db.fault = process, turns, fault
    await db.warm(connections)
    return db
