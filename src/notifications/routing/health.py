"""How a provider does on one road, and what share of the traffic it gets there. Pure; the clock is the caller's.

One failure says nothing, fifty among the last hundred do. What was given up is tried again after a rest, by a hundredth
of the traffic, a tenth, a half, all: each step once enough went well, and back to rest when more fails than may.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

LOOKED_AT: Final = 100
"""Attempts remembered of each provider and network."""
UNWELL_AT: Final = 50
"""Failures among them that make it unwell."""
REST: Final = timedelta(seconds=30)
REST_MAX: Final = timedelta(minutes=10)
"""How long it is left alone; doubled each time a trial fails."""
OUTWEIGHS: Final = 2
"""How many successes at a step one failure takes back."""
_MASK: Final = (1 << LOOKED_AT) - 1


class TrialStep(msgspec.Struct, frozen=True):
    """A share of the traffic, and how many successes lead to the next."""

    share: float
    successes: int


STEPS: Final = (TrialStep(0.01, 3), TrialStep(0.10, 10), TrialStep(0.50, 30))


class Health:
    """One provider on one network."""

    __slots__ = ("_recent", "_rest", "_rest_until", "_score", "_step")

    def __init__(self) -> None:
        self._recent = 0
        self._rest = REST
        self._rest_until: datetime | None = None
        self._step = 0
        self._score = 0

    @property
    def is_well(self) -> bool:
        """Whether it gets all that is its own."""
        return self._rest_until is None

    @property
    def is_spotless(self) -> bool:
        """Whether nothing it remembers is a failure, so that another success changes nothing."""
        return not self._recent and self._rest_until is None

    @property
    def failures(self) -> int:
        """Among the attempts remembered."""
        return self._recent.bit_count()

    def share(self, now: datetime) -> float:
        """What part of the traffic that would be its own it gets: 0 while it rests, 1 when it is well."""
        if self._rest_until is None:
            return 1.0
        return STEPS[self._step].share if now >= self._rest_until else 0.0

    def note(self, *, is_failure: bool, now: datetime) -> None:
        """Remember how an attempt went."""
        if self._rest_until is None:
            self._recent = (self._recent << 1 | is_failure) & _MASK
            if is_failure and self._recent.bit_count() >= UNWELL_AT:
                self._rest_from(now)
        elif now >= self._rest_until:  # what was under way when it was given up says nothing new
            self._note_trial(is_failure=is_failure, now=now)

    def _note_trial(self, *, is_failure: bool, now: datetime) -> None:
        self._score += -OUTWEIGHS if is_failure else 1
        if self._score < 0:
            self._rest = min(self._rest * 2, REST_MAX)
            self._rest_from(now)
        elif self._score >= STEPS[self._step].successes:
            self._step, self._score = self._step + 1, 0
            if self._step == len(STEPS):
                self._rest, self._rest_until, self._step = REST, None, 0

    def _rest_from(self, now: datetime) -> None:
        self._recent, self._step, self._score = 0, 0, 0
        self._rest_until = now + self._rest
