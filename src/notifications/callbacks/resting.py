"""An endpoint that fails is left alone for a while, then asked by one call: its faults stay its own. Pure."""

from datetime import datetime, timedelta
from typing import Final

FAILURES_MAX: Final = 5
"""Failures in a row after which an endpoint is left alone."""
REST: Final = timedelta(seconds=5)
REST_MAX: Final = timedelta(minutes=5)
"""The rest doubles each time the call after it fails too."""
assert REST <= REST_MAX


class Rest:
    """What one process remembers of one endpoint."""

    __slots__ = ("_failures", "_next", "_until", "was_failing")

    def __init__(self) -> None:
        self._failures = 0
        self._next = REST
        self._until: datetime | None = None
        self.was_failing = False
        """Whether this process wrote down that it takes nothing."""

    @property
    def is_probing(self) -> bool:
        """Whether it failed so often that one call at a time is enough."""
        return self._failures >= FAILURES_MAX

    def is_resting(self, now: datetime) -> bool:
        return self.is_probing and self._until is not None and now < self._until

    def note(self, *, is_taken: bool, now: datetime) -> None:
        """Remember how a call went."""
        if is_taken:
            self._failures, self._next, self._until = 0, REST, None
            return
        self._failures += 1
        if self.is_probing and not self.is_resting(now):
            self._until = now + self._next
            self._next = min(self._next * 2, REST_MAX)
