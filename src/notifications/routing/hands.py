"""How many parcels a provider is given at once: as many as it is quick with. Pure.

Too few leave it idle, too many wait with it instead of with us, where codes could go before them. So the number grows
while whole batches come back quickly and every hand is used, and shrinks when they come back late, or not taken.
"""

from typing import Final

from notifications.channels.provider import AT_ONCE_MAX

AT_FIRST: Final = AT_ONCE_MAX
AT_LEAST: Final = 32
MANY_AT_ONCE_MAX: Final = 4_000
"""Of a provider that takes many at once and does not say how many."""
QUICK_SECONDS: Final = 0.5
LATE_SECONDS: Final = 2.0
ORDINARY_SHARE: Final = 0.75
"""What part of the hands ordinary lanes may fill; the rest is for codes and changes, also while there are fewer hands
than are still in use."""


class Hands:
    """The hands of one provider."""

    __slots__ = ("_at_least", "_ceiling", "_most", "_ordinary", "_taken", "_urgent")

    def __init__(self, ceiling: int) -> None:
        assert ceiling >= 1
        self._ceiling = ceiling
        self._at_least = min(AT_LEAST, ceiling)
        self._have(min(AT_FIRST, ceiling))
        self._taken = 0
        self._urgent = 0

    def _have(self, most: int) -> None:
        self._most = most
        self._ordinary = max(1, int(most * ORDINARY_SHARE))

    @property
    def most(self) -> int:
        return self._most

    @property
    def taken(self) -> int:
        """How many are in use."""
        return self._taken

    def most_for(self, *, is_urgent: bool) -> int:
        """How many a lane may fill at most."""
        return self._most if is_urgent else self._ordinary

    def free(self, *, is_urgent: bool) -> int:
        """How many are left for a lane: never more than there can be, and the rest is for codes whoever holds more."""
        if not is_urgent:
            return self._ordinary - self._taken
        return max(self._most - self._taken, self._most - self._ordinary - self._urgent)

    def take(self, *, is_urgent: bool) -> None:
        self._taken += 1
        self._urgent += is_urgent

    def give_back(self, count: int, *, is_urgent: bool) -> None:
        self._taken -= count
        self._urgent -= is_urgent and count
        assert 0 <= self._urgent <= self._taken, "every hand is given back once, and as what it was taken"

    def learn(self, count: int, seconds: float, *, was_busy: bool) -> None:
        """A batch of `count`, given back a moment ago, took so long; `was_busy`: it was not all taken."""
        if was_busy or seconds > LATE_SECONDS:
            self._have(max(self._at_least, self._most * 3 // 4))
        elif seconds <= QUICK_SECONDS and self._taken + count >= self._ordinary:
            self._have(min(self._ceiling, self._most + count))
