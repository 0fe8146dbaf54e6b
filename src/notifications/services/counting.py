"""What a department says in words of its own is counted with what it sends singly: notices, and what it tells of cases.

So no door is left by which a department may tell people more than it is allowed to.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from kernel.clock import Clock
from kernel.ids import DepartmentId
from notifications.services.keys.keeping import KeyBook
from notifications.services.limiting import PerDay, PerMinute

Count = Callable[[], None]
"""Counts one message of the day, where one comes of what was asked. Raises TooManyToday, and has counted none."""


class Counting:
    """Counts as the department's live keys are counted."""

    def __init__(self, clock: Clock, book: KeyBook, per_minute: PerMinute, per_day: PerDay) -> None:
        self._clock = clock
        self._book = book
        self._per_minute = per_minute
        self._per_day = per_day

    @asynccontextmanager
    async def one(self, service_id: DepartmentId) -> AsyncIterator[Count]:
        """A permit of the minute is taken before the block, which may ask Redis: open no transaction around it.

        What it counted of the day is given back if it fails. Raises TooManyThisMinute.
        """
        allowed = self._book.snapshot.current.allowance(service_id)
        if not self._per_minute.take(service_id, "live"):
            await self._per_minute.fetch(service_id, "live", allowed.per_minute)
        counted = 0

        def count() -> None:
            nonlocal counted
            self._per_day.take(service_id, allowed.per_day, self._clock.now())
            counted += 1

        try:
            yield count
        except BaseException:
            self._per_day.give_back(service_id, counted)
            raise
