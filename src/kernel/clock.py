"""Time as an argument: whoever needs the hour is handed a clock."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final, Protocol, runtime_checkable

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China Standard Time, without daylight saving since 1991: what people are shown. In store, times are UTC."""

YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2200
"""The years of whatever day or moment comes from outside: of people now living, with room on any clock and to count on.
Without them `9999-12-31T23:00:00Z` is a moment that the city's clock has no name for."""

_FIRST: Final = datetime(YEAR_MIN, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(YEAR_MAX, 12, 31, tzinfo=UTC)


@runtime_checkable
class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class StoppedClock:
    """A clock that stands still until it is moved: for playing a beat as if it were another hour."""

    def __init__(self, at: datetime) -> None:
        assert at.tzinfo is not None
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        self._at += by


def is_on_calendar(day_or_moment: date) -> bool:
    """Whether a day or a moment from outside is one of `YEAR_MIN` to `YEAR_MAX`, as it is written."""
    return YEAR_MIN <= day_or_moment.year <= YEAR_MAX


def within_calendar(moment: datetime) -> datetime:
    """The moment, or where those years begin or end if it lies beyond them: for whoever asks since when."""
    return min(max(moment, _FIRST), _LAST)


def in_shanghai(moment: datetime) -> datetime:
    """The same moment on the clock of the city's people."""
    return moment.astimezone(SHANGHAI)
