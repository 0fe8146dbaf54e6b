"""Statements of several processes take turns in an order that a seed decides, so that what happened happens again.

One statement is out at a time, unless it waits for a lock: then another may go. Time in the loop stands still and is
moved by the seed as well, so that nothing depends on how fast the machine is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from random import Random
from time import monotonic
from typing import Any, Final

import asyncpg

SETTLING_TICKS: Final = 10
"""So many turns of the loop after which everybody who could go on has asked for their next statement."""
PATIENCE_SECONDS: Final = 0.011
"""A little more than a group or a read waits for the one that is out: then a second is sent beside it."""
IMPATIENCE: Final = 0.1
"""How often, between two statements, so much time passes."""
SPINNING_SECONDS: Final = 0.004
STUCK_SECONDS: Final = 30.0
THERE: Final = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1)"
LOCKED: Final = "SELECT pid FROM pg_locks WHERE NOT granted AND pid = ANY ($1)"
"""A lock that was let go counts as granted at once, before whoever waited for it is awake."""
Seat = tuple[int, int]
"""A process, and the how manieth of its connections."""


class StillLoop(asyncio.SelectorEventLoop):
    """A loop in which time passes only when somebody says so."""

    def __init__(self) -> None:
        self._still_at = 1_000.0
        super().__init__()

    def time(self) -> float:
        return self._still_at

    def pass_time(self, seconds: float) -> None:
        self._still_at += seconds


class Stuck(Exception):
    """Everybody waits for somebody else."""


class Cut:
    """Where a process dies: at its nth statement, before it is sent or before its answer comes."""

    def __init__(self, process: int, nth: int, *, is_sent: bool) -> None:
        self.process = process
        self.nth = nth
        self.is_sent = is_sent

    def __repr__(self) -> str:
        return f"Cut({self.process}, {self.nth}, is_sent={self.is_sent})"


class Turns:
    """Gives out the turns. Outside of `play`, statements go as they come."""

    def __init__(self, loop: StillLoop, watching: Any) -> None:
        self._loop = loop
        self._watching = watching
        self._random = Random(0)
        self._is_on = False
        self._cut: Cut | None = None
        self._asking: dict[Seat, tuple[int, asyncio.Future[None]]] = {}
        self._out: set[int] = set()
        self._leaving: set[int] = set()
        self.dead: set[int] = set()
        self.trace: list[tuple[int, str]] = []
        """Which process had which statement, in the order of their turns, of the last play."""

    async def play(self, seed: int, acts: Sequence[Coroutine[Any, Any, Any]], cut: Cut | None = None) -> list[Any]:
        """What each act returned or raised, all of them begun together. Raises Stuck."""
        self._random, self._cut, self._is_on, self.trace = Random(seed), cut, True, []
        acting = asyncio.gather(*acts, return_exceptions=True)
        try:
            await self._give_turns(acting)
            return await acting
        finally:
            acting.cancel()
            self._is_on, self._cut = False, None
            for _, turn in self._asking.values():
                turn.cancel()
            self._asking.clear()
            self._out.clear()
            self.dead.clear()

    async def have(self, seat: Seat, conn: Any, name: str, statement: Callable[[], Awaitable[Any]]) -> Any:
        """Run a statement when its turn has come. Raises ConnectionResetError where its process was cut."""
        if not self._is_on:
            return await statement()
        if conn.is_closed():
            raise ConnectionResetError("the process was killed")
        process, pid = seat[0], conn.get_server_pid()
        turn = self._loop.create_future()
        self._asking[seat] = pid, turn
        await turn
        self.trace.append((process, name))
        try:
            if self._is_cut(process):
                if self._cut is not None and self._cut.is_sent:
                    await statement()
                raise ConnectionResetError("the process was killed")
            return await statement()
        finally:
            self._out.discard(pid)
            if process in self.dead:
                conn.terminate()
                self._leaving.add(pid)

    def _is_cut(self, process: int) -> bool:
        cut = self._cut
        if process in self.dead:
            self._cut = None
            return True
        if cut is None or cut.process != process:
            return False
        cut.nth -= 1
        if cut.nth < 0:
            self.dead.add(process)
            return True
        return False

    async def _give_turns(self, acting: "asyncio.Future[list[Any]]") -> None:
        until = monotonic() + STUCK_SECONDS
        await self._settle()
        while not acting.done():
            if monotonic() > until:
                raise Stuck(self.trace[-20:])
            await self._until_gone()
            if self._out and not await self._is_held_up():
                continue
            if not self._asking and not self._out:
                await self._spin(lambda: bool(self._asking))
            if self._random.random() < IMPATIENCE or not (self._asking or self._out):
                self._loop.pass_time(PATIENCE_SECONDS)
                await self._settle()
            if self._asking:
                pid, turn = self._asking.pop(self._random.choice(sorted(self._asking)))
                if not turn.done():
                    self._out.add(pid)
                    turn.set_result(None)
            await self._settle()

    async def _is_held_up(self) -> bool:
        """Whether all who are out wait for a lock; those who are not are given a moment to be back."""
        out = set(self._out)
        await self._spin(lambda: out != self._out)
        if out != self._out:
            await self._settle()
            return not self._out
        waiting = {row[0] for row in await self._watching.fetch(LOCKED, list(out))}
        await self._settle()
        return bool(self._out) and out == self._out and waiting == out and bool(self._asking)

    async def _until_gone(self) -> None:
        """Until the server has noticed which connections were cut, and let go of their locks."""
        while self._leaving and await self._watching.fetchval(THERE, list(self._leaving)):
            await self._settle()
        self._leaving.clear()

    async def _spin(self, is_over: Callable[[], bool]) -> None:
        """Wait for something of the world outside, for a moment of real time."""
        until = monotonic() + SPINNING_SECONDS
        while not is_over() and monotonic() < until:
            await asyncio.sleep(0)

    async def _settle(self) -> None:
        for _ in range(SETTLING_TICKS):
            await asyncio.sleep(0)


async def watching(database_url: str) -> Any:
    """A connection that looks at who waits for a lock."""
    return await asyncpg.connect(database_url)
