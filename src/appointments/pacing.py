"""How often a person books and moves in a day: every time costs the city two SMS and others the sight of a place.

A process lets a person's first booking of the day pass by its own memory (a microsecond), which is all that nearly
everybody ever asks. From their second on, all processes count together; only bookings and moves that came to be count.
"""

from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from appointments.errors import TooManyChanges
from kernel.ids import PersonId
from kernel.limits import Limit, Limits

CHANGES_AT_ONCE_MAX: Final = 20
"""Bookings and moves of one person at once, and as many again spread over each `CHANGES_REFILLED_IN`; besides them, one
booking in each web process. Somebody who looks for a better hour changes a handful of times."""
CHANGES_REFILLED_IN: Final = timedelta(days=1)

_DAY_SECONDS: Final = int(CHANGES_REFILLED_IN.total_seconds())
_FIRST: Final = Limit("appointments.first", permits=1, window_seconds=_DAY_SECONDS)
_CHANGES: Final = Limit("appointments.changes", permits=CHANGES_AT_ONCE_MAX, window_seconds=_DAY_SECONDS)


class Pace:
    """Who may still book or move today."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def is_first(self, person_id: PersonId) -> bool:
        """Whether this process has not been asked by this person for a day; said once."""
        return self._limits.allow_locally(_FIRST, person_id.hex) is None

    def change(self, person_id: PersonId) -> "Change":
        """A change that the person wants, for a `with` block."""
        return Change(self._limits, person_id.hex)


class Change:
    """One change: counted when it is about to be made, and not counted if its block ends in a refusal or a failure.

    A block that is cancelled stays counted: what it began may have been committed.
    """

    def __init__(self, limits: Limits, subject: str) -> None:
        self._limits = limits
        self._subject = subject
        self._is_counted = False

    async def count(self) -> None:
        """Count it, once however often it is tried. Raises TooManyChanges."""
        if self._is_counted:
            return
        wait_seconds = await self._limits.allow(_CHANGES, self._subject)
        if wait_seconds is not None:
            raise TooManyChanges(retry_after_seconds=int(wait_seconds) + 1)
        self._is_counted = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_counted and isinstance(problem, Exception):
            await self._limits.give_back(_CHANGES, self._subject)
