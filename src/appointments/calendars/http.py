"""Public holidays and make-up workdays over HTTP: read by anybody, kept by operators."""

from datetime import date
from typing import Annotated

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec import Meta

from appointments.calendars import keeping
from appointments.calendars.working_days import YEAR_MAX, YEAR_MIN, Calendar, CalendarDay, DaySort, Source
from appointments.errors import DayUnsound, YearUnknown
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.errors import MalformedRequest
from kernel.plain_text import ONE_LINE
from kernel.principal import Audience, Operator
from kernel.problems import refuses

DAYS_MAX = 366
Year = Annotated[int, PathParameter(ge=YEAR_MIN, le=YEAR_MAX, description="A year of the Gregorian calendar.")]
NameZh = Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)]
NameEn = Annotated[str, Meta(min_length=1, max_length=160, pattern=ONE_LINE)]


class DayBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a day is. A `makeup` day keeps the hours of `as_weekday` (0 is Monday); other days have none."""

    sort: DaySort
    name_zh: NameZh
    name_en: NameEn
    as_weekday: Annotated[int, Meta(ge=0, le=6)] | None = None

    def whole(self, day: date) -> CalendarDay:
        """Raises DayUnsound."""
        if (self.sort is DaySort.MAKEUP) != (self.as_weekday is not None) or not YEAR_MIN <= day.year <= YEAR_MAX:
            raise DayUnsound
        return CalendarDay(
            day=day, sort=self.sort, as_weekday=self.as_weekday, name_zh=self.name_zh, name_en=self.name_en,
            source=Source.OPERATOR,
        )  # fmt: skip


class DatedDayBody(DayBody, kw_only=True):
    """A day of a year, and what it is."""

    day: date


class YearBody(msgspec.Struct, forbid_unknown_fields=True):
    """All days of a year that are not what their weekday says."""

    days: Annotated[list[DatedDayBody], Meta(max_length=DAYS_MAX)]


class CalendarDayView(msgspec.Struct):
    """A day that is not what its weekday says, or that an operator confirmed."""

    day: date
    sort: DaySort
    as_weekday: int | None
    name_zh: str
    name_en: str
    source: Source

    @classmethod
    def of(cls, told: CalendarDay) -> "CalendarDayView":
        return cls(told.day, told.sort, told.as_weekday, told.name_zh, told.name_en, told.source)


class CalendarYearView(msgspec.Struct):
    """A year. `assumed`: nobody has said its holidays, so weekdays alone are gone by, the days listed apart."""

    year: int
    assumed: bool
    source: Source | None
    days: list[CalendarDayView]

    @classmethod
    def of(cls, calendar: Calendar, year: int) -> "CalendarYearView":
        days = [CalendarDayView.of(told) for _, told in sorted(calendar.days.items())]
        return cls(year, calendar.is_assumed(year), calendar.years.get(year), days)


@get(
    "/public/calendar/{year:int}",
    operation_id="readCalendar",
    summary="Public holidays and make-up workdays of a year",
    responses=refuses(MalformedRequest),
)
async def read_calendar(year: Year, appointments: NamedDependency[Appointments]) -> CalendarYearView:
    """The days of a year on which offices keep other hours than their weekday's."""
    return await _year(appointments, year)


@get(
    "/calendar/{year:int}",
    operation_id="readOperatorCalendar",
    summary="A year of the calendar, and from whom each day is known",
    responses=refuses(MalformedRequest),
)
async def read_operator_calendar(
    year: Year, operator: NamedDependency[Operator], appointments: NamedDependency[Appointments]
) -> CalendarYearView:
    """The year as everybody sees it. One that is `assumed` is to be filled, or put by hand."""
    del operator
    return await _year(appointments, year)


@put(
    "/calendar/{year:int}",
    operation_id="putCalendarYear",
    summary="Say all of a year",
    status_code=200,
    responses=refuses(MalformedRequest, DayUnsound),
)
async def put_calendar_year(
    year: Year, data: JSONBody[YearBody], operator: NamedDependency[Operator],
    appointments: NamedDependency[Appointments],
) -> CalendarYearView:  # fmt: skip
    """Say which days of a year are holidays and make-up workdays; all others are what their weekday says."""
    days = [one.whole(one.day) for one in data.days]
    if len({told.day for told in days}) < len(days) or any(told.day.year != year for told in days):
        raise DayUnsound
    await keeping.put_year(appointments.db, appointments.clock, year, days, actor=_actor(operator))
    return await _year(appointments, year)


@post(
    "/calendar/{year:int}/fill",
    operation_id="fillCalendarYear",
    summary="Take a year from the library",
    status_code=200,
    responses=refuses(MalformedRequest, YearUnknown),
)
async def fill_calendar_year(
    year: Year, operator: NamedDependency[Operator], appointments: NamedDependency[Appointments]
) -> CalendarYearView:
    """Take a year's days from the library anew. What operators put stays; hours still ahead are planned anew."""
    await keeping.fill_year(appointments.db, appointments.clock, year, actor=_actor(operator))
    return await _year(appointments, year)


@put(
    "/calendar/days/{day:date}",
    operation_id="putCalendarDay",
    summary="Say what a day is",
    status_code=200,
    responses=refuses(MalformedRequest, DayUnsound),
)
async def put_calendar_day(
    day: FromPath[date], data: JSONBody[DayBody], operator: NamedDependency[Operator],
    appointments: NamedDependency[Appointments],
) -> CalendarDayView:  # fmt: skip
    """Say what a day is, whatever the library holds. Hours still ahead are planned anew within the hour."""
    told = data.whole(day)
    await keeping.put_day(appointments.db, appointments.clock, told, actor=_actor(operator))
    return CalendarDayView.of(told)


@delete(
    "/calendar/days/{day:date}",
    operation_id="resetCalendarDay",
    summary="Take back what was said of a day",
    status_code=200,
    responses=refuses(MalformedRequest, DayUnsound),
)
async def reset_calendar_day(
    day: FromPath[date], operator: NamedDependency[Operator], appointments: NamedDependency[Appointments]
) -> CalendarYearView:
    """The day is again what the library says, else what its weekday says; the year is answered."""
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise DayUnsound
    await keeping.reset_day(appointments.db, appointments.clock, day, actor=_actor(operator))
    return await _year(appointments, day.year)


async def _year(appointments: Appointments, year: int) -> CalendarYearView:
    return CalendarYearView.of(await keeping.read_year(appointments.db, year), year)


def _actor(operator: Operator) -> str:
    return f"operator:{operator.staff_id}"


HANDLERS: Handlers = {
    Audience.PUBLIC: (read_calendar,),
    Audience.OPERATOR: (
        read_operator_calendar,
        put_calendar_year,
        fill_calendar_year,
        put_calendar_day,
        reset_calendar_day,
    ),
}
