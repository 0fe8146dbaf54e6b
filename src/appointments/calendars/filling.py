"""A year's public holidays and make-up workdays come from a kept library (chinesecalendar, after the State Council's
yearly notices) into the table that the operator owns. A year that the library does not know is not an error."""

from datetime import date
from typing import Final

from chinese_calendar import Holiday, constants

from appointments.calendars.working_days import MAKEUP_WEEKDAY, CalendarDay, DaySort, Source

KNOWN_FROM: Final = min(constants.holidays).year
KNOWN_TO: Final = max(constants.holidays).year
"""The years whose notices the library has been given."""


def from_library(year: int) -> tuple[CalendarDay, ...] | None:
    """The days of a year that are not what their weekday says, in order; None for a year the library does not know."""
    if not KNOWN_FROM <= year <= KNOWN_TO:
        return None
    off = [_day(day, DaySort.HOLIDAY, english) for day, english in constants.holidays.items() if day.year == year]
    worked = [_day(day, DaySort.MAKEUP, english) for day, english in constants.workdays.items() if day.year == year]
    return tuple(sorted([*off, *worked], key=lambda told: told.day))


def _day(day: date, sort: DaySort, english: str) -> CalendarDay:
    is_makeup = sort is DaySort.MAKEUP
    name_zh, name_en = Holiday(english).chinese, english
    return CalendarDay(
        day=day,
        sort=sort,
        as_weekday=MAKEUP_WEEKDAY if is_makeup else None,
        name_zh=f"{name_zh}调休上班" if is_makeup else name_zh,
        name_en=f"Make-up workday for {name_en}" if is_makeup else name_en,
        source=Source.LIBRARY,
    )
