"""Hot catalogues held in memory as immutable snapshots, swapped whole: a hint within 1 s, a poll within 5 s."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from kernel import queries
from kernel.db import Connection, DatabaseAway
from kernel.db import listen as hear
from kernel.log import get_logger

T = TypeVar("T")

POLL_SECONDS = 5.0
HINT_CHANNEL = "suishenban_changed"

log = get_logger(__name__)


class Snapshot(Generic[T]):
    """One catalogue. `current` is never None after the first `refresh`, and never half old, half new."""

    def __init__(self, name: str, read: Callable[[], Awaitable[T]]) -> None:
        self.name = name
        self._read = read
        self._current: T | None = None

    @property
    def current(self) -> T:
        assert self._current is not None, f"snapshot {self.name} was never read"
        return self._current

    async def refresh(self) -> None:
        self._current = await self._read()


class Refreshable(Protocol):
    name: str

    async def refresh(self) -> None: ...


class Snapshots:
    """Keeps a process's snapshots fresh until stopped."""

    def __init__(self, *parts: Refreshable) -> None:
        self._parts = {part.name: part for part in parts}
        self._hinted: set[str] = set()
        self._wake = asyncio.Event()

    async def read_all(self) -> None:
        for part in self._parts.values():
            await part.refresh()

    def hint(self, name: str) -> None:
        """Somebody says that `name` changed (empty: anything may have): read it now, not at the next poll."""
        if name in self._parts or not name:
            self._hinted.update([name] if name else self._parts)
            self._wake.set()

    async def keep_fresh(self) -> None:
        """Run until cancelled. What cannot be read, be it that the database is away, is served as it was read last."""
        while True:
            try:
                async with asyncio.timeout(POLL_SECONDS):  # wait_for of 3.11 may swallow a cancellation
                    await self._wake.wait()
                names, self._hinted = list(self._hinted), set()
            except TimeoutError:
                names = list(self._parts)
            self._wake.clear()
            for name in names:
                await self._refresh(name)

    async def _refresh(self, name: str) -> None:
        try:
            await self._parts[name].refresh()
        except (DatabaseAway, OSError) as away:
            log.warning("snapshot not refreshed", snapshot=name, error=type(away).__name__)
        except Exception:  # one catalogue that cannot be read must not keep the others from being heard
            log.exception("snapshot cannot be read", snapshot=name)


async def announce(conn: Connection, name: str) -> None:
    """Tell every process that the catalogue `name` changed; heard when the transaction commits."""
    await queries.announce(conn, name)


async def listen(database_url: str, snapshots: Snapshots) -> None:
    """Hear `announce` of other processes until cancelled."""
    await hear(database_url, HINT_CHANNEL, snapshots.hint)
