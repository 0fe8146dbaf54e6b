"""Which weekday's hours a day keeps, and whether it is a public holiday. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import msgspec

MAKEUP_WEEKDAY: Final = 0
"""A make-up workday (调休上班) keeps Monday's hours unless the table says otherwise: notices name the day alone."""
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2200


class DaySort(StrEnum):
    """What a day is beside what its weekday says."""

    HOLIDAY = "holiday"
    """节假日"""
    MAKEUP = "makeup"
    """调休上班"""
    ORDINARY = "ordinary"
    """What its weekday says, whatever the library holds."""


class Source(StrEnum):
    """From whom a day, or a year, is known."""

    LIBRARY = "library"
    OPERATOR = "operator"


class CalendarDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day that is not what its weekday says. `as_weekday` is that of a MAKEUP day (0 is Monday), None of others."""

    day: date
    sort: DaySort
    as_weekday: int | None
    name_zh: str
    name_en: str
    source: Source


class Kept(msgspec.Struct, frozen=True):
    """What a day is to a desk: whose weekday's hours it keeps, whether it is a holiday, whether that is assumed."""

    weekday: int
    is_holiday: bool
    is_assumed: bool


class Calendar(msgspec.Struct, frozen=True):
    """The days that are known as of one moment, and the years whose days are all known."""

    days: Mapping[date, CalendarDay]
    years: Mapping[int, Source]

    def kept(self, day: date) -> Kept:
        """A day of a year that nobody has told us about is taken for what its weekday says, and marked `assumed`."""
        told = self.days.get(day)
        is_assumed = told is None and self.is_assumed(day.year)
        weekday = day.weekday() if told is None or told.as_weekday is None else told.as_weekday
        return Kept(weekday, told is not None and told.sort is DaySort.HOLIDAY, is_assumed)

    def is_assumed(self, year: int) -> bool:
        """Whether the holidays of a year are not known, so that weekdays alone are gone by."""
        return year not in self.years

    def is_workday(self, day: date) -> bool:
        """Whether people work on this day: Monday to Friday and make-up days, holidays left out."""
        told = self.days.get(day)
        if told is None or told.sort is DaySort.ORDINARY:
            return day.weekday() < _SATURDAY
        return told.sort is DaySort.MAKEUP


_SATURDAY: Final = 5
NOTHING_KNOWN: Final = Calendar({}, {})
"""Weekdays alone."""


def days_from(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both counted; none if they are the wrong way round."""
    for ahead in range((last - first).days + 1):
        yield first + timedelta(days=ahead)
