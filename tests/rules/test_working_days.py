"""Which days people work, and whose hours they keep: two independent libraries, and what an operator says."""

from datetime import date

import holidays
from chinese_calendar import is_workday
from hypothesis import given
from hypothesis import strategies as st

from appointments.calendars.filling import KNOWN_FROM, KNOWN_TO, from_library
from appointments.calendars.working_days import (
    MAKEUP_WEEKDAY,
    NOTHING_KNOWN,
    Calendar,
    CalendarDay,
    DaySort,
    Source,
    days_from,
)

DISAGREEMENTS: dict[date, str] = {}
"""Days of 2024 to 2026 on which the libraries differ, and why. There are none."""
DAYS = st.dates(date(2000, 1, 1), date(2200, 12, 31))


def filled(*years: int) -> Calendar:
    days = {told.day: told for year in years for told in from_library(year) or ()}
    return Calendar(days, dict.fromkeys(years, Source.LIBRARY))


def test_the_whole_of_2024_to_2026_agrees_between_two_independent_libraries():
    calendar, other = filled(2024, 2025, 2026), holidays.country_holidays("CN", years=[2024, 2025, 2026])
    every_day = list(days_from(date(2024, 1, 1), date(2026, 12, 31)))
    assert len(every_day) == 366 + 365 + 365
    differing = {day for day in every_day if calendar.is_workday(day) != other.is_working_day(day)}
    assert differing == DISAGREEMENTS.keys()


def test_what_is_filled_is_what_the_library_says_of_every_day_it_knows():
    for year in range(KNOWN_FROM, KNOWN_TO + 1):
        calendar = filled(year)
        for day in days_from(date(year, 1, 1), date(year, 12, 31)):
            assert calendar.is_workday(day) == is_workday(day), day


def test_the_first_week_of_october_is_a_holiday_and_its_make_up_days_keep_mondays_hours():
    calendar = filled(2026)
    assert all(calendar.kept(day).is_holiday for day in days_from(date(2026, 10, 1), date(2026, 10, 7)))
    saturday = calendar.kept(date(2026, 10, 10))
    assert (saturday.weekday, saturday.is_holiday, saturday.is_assumed) == (MAKEUP_WEEKDAY, False, False)
    assert calendar.days[date(2026, 10, 10)].name_zh == "国庆节调休上班"


@given(DAYS)
def test_an_unknown_year_goes_by_weekdays_alone_and_says_so(day):
    kept = NOTHING_KNOWN.kept(day)
    assert (kept.weekday, kept.is_holiday, kept.is_assumed) == (day.weekday(), False, True)
    assert NOTHING_KNOWN.is_workday(day) == (day.weekday() < 5)


def test_the_library_does_not_know_every_year_and_is_asked_without_harm():
    assert from_library(KNOWN_TO + 1) is None
    assert from_library(KNOWN_FROM - 1) is None
    assert KNOWN_TO >= 2026


@given(DAYS, st.sampled_from(DaySort), st.integers(0, 6))
def test_what_an_operator_says_of_a_day_holds_even_in_a_year_nobody_knows(day, sort, weekday):
    as_weekday = weekday if sort is DaySort.MAKEUP else None
    told = CalendarDay(
        day=day, sort=sort, as_weekday=as_weekday, name_zh="说", name_en="said", source=Source.OPERATOR
    )  # fmt: skip
    calendar = Calendar({day: told}, {})
    kept = calendar.kept(day)
    assert not kept.is_assumed
    assert kept.is_holiday == (sort is DaySort.HOLIDAY)
    assert kept.weekday == (weekday if sort is DaySort.MAKEUP else day.weekday())
    if sort is not DaySort.ORDINARY:
        assert calendar.is_workday(day) == (sort is DaySort.MAKEUP)
