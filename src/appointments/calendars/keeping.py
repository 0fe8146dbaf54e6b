"""Operators keep the calendar: whatever changes there, the hours that follow from it are planned anew."""

from collections.abc import Sequence
from datetime import date

from appointments.calendars import queries
from appointments.calendars.filling import from_library
from appointments.calendars.working_days import Calendar, CalendarDay, Source
from appointments.errors import YearUnknown
from appointments.offices.queries import plan_desks_anew
from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database

LIBRARY_ACTOR = "system:calendar"


async def read(db: Database, first: date, last: date) -> Calendar:
    """The calendar from one day to another, both counted."""
    async with db.connection() as conn:
        return await queries.select_calendar(conn, first, last)


async def read_year(db: Database, year: int) -> Calendar:
    return await read(db, date(year, 1, 1), date(year, 12, 31))


async def put_day(db: Database, clock: Clock, told: CalendarDay, *, actor: str) -> None:
    """Say what a day is. It holds whatever the library says, until it is reset."""
    async with db.transaction() as conn:
        await queries.put_days(conn, [told], actor, now=clock.now())
        await _changed(conn, clock, "put_calendar_day", told.day.isoformat(), actor, sort=told.sort.value)


async def reset_day(db: Database, clock: Clock, day: date, *, actor: str) -> None:
    """Take back what an operator said of a day: it is again what the library says, else what its weekday says."""
    now = clock.now()
    async with db.transaction() as conn:
        known_from = await queries.lock_year(conn, day.year)
        await queries.delete_days(conn, day, day, Source.OPERATOR)
        if known_from is Source.LIBRARY:
            theirs = [told for told in from_library(day.year) or () if told.day == day]
            await queries.put_days(conn, theirs, LIBRARY_ACTOR, now=now)
        await _changed(conn, clock, "reset_calendar_day", day.isoformat(), actor)


async def fill_year(db: Database, clock: Clock, year: int, *, actor: str) -> None:
    """Take a year from the library anew; days that operators put stay. Raises YearUnknown."""
    async with db.transaction() as conn:
        if not await fill(conn, clock, year):
            raise YearUnknown
        await _changed(conn, clock, "fill_calendar_year", str(year), actor)


async def put_year(db: Database, clock: Clock, year: int, days: Sequence[CalendarDay], *, actor: str) -> None:
    """Say all of a year: those days, and on every other what its weekday says. For a year the library does not know."""
    assert all(told.day.year == year and told.source is Source.OPERATOR for told in days)
    now = clock.now()
    async with db.transaction() as conn:
        await queries.put_year(conn, year, Source.OPERATOR, now=now)
        for source in Source:
            await queries.delete_days(conn, date(year, 1, 1), date(year, 12, 31), source)
        await queries.put_days(conn, days, actor, now=now)
        await _changed(conn, clock, "put_calendar_year", str(year), actor, days=len(days))


async def fill_unknown(db: Database, clock: Clock, first: date, last: date) -> list[int]:
    """Fill the years between two days that are in the library and not in the table yet; return which they were.

    Slots of such a year that were made by weekdays alone are planned anew.
    """
    async with db.connection() as conn:
        known = await queries.select_years(conn)
    filled = []
    for year in range(first.year, last.year + 1):
        if year in known or from_library(year) is None:
            continue
        async with db.transaction() as conn:
            if await queries.lock_year(conn, year) is None:  # another worker may have been quicker
                await fill(conn, clock, year)
                await _changed(conn, clock, "fill_calendar_year", str(year), LIBRARY_ACTOR)
                filled.append(year)
    return filled


async def fill(conn: Connection, clock: Clock, year: int) -> bool:
    """Write a year's days as the library has them beside those an operator put; whether the library knows it."""
    days = from_library(year)
    if days is None:
        return False
    now, (first, last) = clock.now(), (date(year, 1, 1), date(year, 12, 31))
    await queries.put_year(conn, year, Source.LIBRARY, now=now)
    await queries.delete_days(conn, first, last, Source.LIBRARY)
    put = (await queries.select_calendar(conn, first, last)).days
    await queries.put_days(conn, [told for told in days if told.day not in put], LIBRARY_ACTOR, now=now)
    return True


async def _changed(conn: Connection, clock: Clock, act: str, subject: str, actor: str, **detail: str | int) -> None:
    """Note the act, and that every desk's hours are to be planned anew."""
    await plan_desks_anew(conn)
    await audit.record(
        conn, actor=actor, act=f"appointments.{act}", subject=f"calendar:{subject}", now=clock.now(),
        detail=dict(detail),
    )  # fmt: skip
