"""Every statement on the calendar."""

from collections.abc import Iterable
from datetime import date, datetime

from appointments.calendars.working_days import Calendar, CalendarDay, DaySort, Source
from kernel.db import Connection, Row


def _day_of(row: Row) -> CalendarDay:
    return CalendarDay(**(dict(row) | {"sort": DaySort(row["sort"]), "source": Source(row["source"])}))


async def select_calendar(conn: Connection, first: date, last: date) -> Calendar:
    """The calendar from one day to another, both counted."""
    rows = await conn.fetch(
        """
        -- appointments.select_calendar
        SELECT day, sort, as_weekday, name_zh, name_en, source FROM appointments.calendar_day
         WHERE day BETWEEN $1 AND $2 ORDER BY day
        """,
        first, last,
    )  # fmt: skip
    return Calendar({row["day"]: _day_of(row) for row in rows}, await select_years(conn))


async def select_years(conn: Connection) -> dict[int, Source]:
    """The years whose days are all known, and from whom."""
    rows = await conn.fetch(
        """
        -- appointments.select_years
        SELECT year, source FROM appointments.calendar_year ORDER BY year
        """
    )
    return {row["year"]: Source(row["source"]) for row in rows}


async def lock_year(conn: Connection, year: int) -> Source | None:
    """Lock a year that is known; from whom, or None for one that is not."""
    source = await conn.fetchval(
        """
        -- appointments.lock_year
        SELECT source FROM appointments.calendar_year WHERE year = $1 FOR UPDATE
        """,
        year,
    )
    return None if source is None else Source(source)


async def put_year(conn: Connection, year: int, source: Source, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.put_year
        INSERT INTO appointments.calendar_year (year, source, filled_at) VALUES ($1, $2, $3)
        ON CONFLICT (year) DO UPDATE SET source = EXCLUDED.source, filled_at = EXCLUDED.filled_at
        """,
        year, source, now,
    )  # fmt: skip


async def put_days(conn: Connection, days: Iterable[CalendarDay], changed_by: str, *, now: datetime) -> None:
    await conn.executemany(
        """
        -- appointments.put_days
        INSERT INTO appointments.calendar_day (day, sort, as_weekday, name_zh, name_en, source, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (day) DO UPDATE
           SET sort = EXCLUDED.sort, as_weekday = EXCLUDED.as_weekday, name_zh = EXCLUDED.name_zh,
               name_en = EXCLUDED.name_en, source = EXCLUDED.source, changed_by = EXCLUDED.changed_by,
               changed_at = EXCLUDED.changed_at
        """,
        [
            (told.day, told.sort, told.as_weekday, told.name_zh, told.name_en, told.source, changed_by, now)
            for told in days
        ],
    )


async def delete_days(conn: Connection, first: date, last: date, source: Source) -> None:
    """Forget the days from one to another that are known from `source`."""
    await conn.execute(
        """
        -- appointments.delete_days
        DELETE FROM appointments.calendar_day WHERE day BETWEEN $1 AND $2 AND source = $3
        """,
        first, last, source,
    )  # fmt: skip
