"""Reads by key that wait together go as one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from itertools import islice
from typing import Generic, TypeVar

from kernel.db import DatabaseAway

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")

READS_AT_ONCE = 4
PATIENCE_SECONDS = 0.005
"""A key waits so long for the read that is out before a second one, not full, is sent beside it."""
WAITING_MAX = 20_000


class TooManyReading(Exception):
    """More keys are waiting to be read than we keep."""


class ReadTogether(Generic[Key, Row]):
    """Gathers the keys asked for within one loop tick, or while a read was out, into one read.

    A read joins only keys asked for before it began, so nobody is given what was true before they asked.
    """

    def __init__(
        self,
        read_many: Callable[[list[Key]], Awaitable[Mapping[Key, Row]]],
        *,
        size_max: int,
        reads_at_once: int = READS_AT_ONCE,
    ) -> None:
        self._read_many = read_many
        self._size_max = size_max
        self._reads_at_once = reads_at_once
        self._waiting: dict[Key, list[asyncio.Future[Row | None]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._waiting_since = 0.0
        self._is_starting = False
        self._timer: asyncio.TimerHandle | None = None

    async def get(self, key: Key) -> Row | None:
        """What `read_many` found under `key`, or None. Raises what it raised, or TooManyReading."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Row | None] = loop.create_future()
        asked = self._waiting.get(key)
        if asked is not None:
            asked.append(answer)
        elif len(self._waiting) >= WAITING_MAX:
            raise TooManyReading
        else:
            if not self._waiting:
                self._waiting_since = loop.time()
            self._waiting[key] = [answer]
        if not self._is_starting and (not self._running or len(self._waiting) >= self._size_max):
            self._is_starting = True
            loop.call_soon(self._start)
        if self._timer is None:
            self._timer = loop.call_later(PATIENCE_SECONDS, self._look_after_waiting)
        return await answer

    def _start(self) -> None:
        self._is_starting = False
        if self._waiting and not self._running:
            self._send_read()
        while len(self._waiting) >= self._size_max and len(self._running) < self._reads_at_once:
            self._send_read()

    def _send_read(self) -> None:
        if len(self._waiting) <= self._size_max:
            batch, self._waiting = self._waiting, {}
        else:
            batch = {key: self._waiting.pop(key) for key in list(islice(self._waiting, self._size_max))}
        task = asyncio.get_running_loop().create_task(self._read(batch))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _look_after_waiting(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        is_late = self._waiting_since <= loop.time() - PATIENCE_SECONDS
        if is_late and len(self._running) < self._reads_at_once:
            self._send_read()
        self._timer = loop.call_later(PATIENCE_SECONDS, self._look_after_waiting)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._start()

    async def _read(self, batch: dict[Key, list["asyncio.Future[Row | None]"]]) -> None:
        try:
            found = await self._read_many(list(batch))
        except Exception as error:  # noqa: BLE001 -- it goes to those who asked
            if len(batch) == 1 or isinstance(error, DatabaseAway):
                _fail(batch, error)
            else:
                for key, answers in batch.items():  # one bad key costs the others nothing
                    await self._read({key: answers})
        else:
            for key, answers in batch.items():
                row = found.get(key)
                for answer in answers:
                    if not answer.done():
                        answer.set_result(row)
        finally:
            _fail(batch, DatabaseAway("the read was given up"))


def _fail(batch: Mapping[Key, list["asyncio.Future[Row | None]"]], error: Exception) -> None:
    for answers in batch.values():
        for answer in answers:
            if not answer.done():
                answer.set_exception(error)
