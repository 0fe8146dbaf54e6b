"""Time as an argument: whoever needs the hour is handed a clock."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol, runtime_checkable

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China Standard Time, without daylight saving since 1991: what people are shown. In store, times are UTC."""


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


def in_shanghai(moment: datetime) -> datetime:
    """The same moment on the clock of the city's people."""
    return moment.astimezone(SHANGHAI)
