"""Every statement of the counter. An office's day is read across people: nothing is decided on such a read."""

from datetime import datetime

from appointments.model import Booking, Lane, Seq, Stage
from appointments.queries import BookingKey, booking_of
from kernel.db import Connection
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId


async def select_day_of_office(
    conn: Connection, office_id: OfficeId, after: tuple[datetime, Seq, BookingId], until: datetime, limit: int
) -> list[Booking]:
    """Who is expected at an office, in the order they come; cancelled bookings are left out."""
    rows = await conn.fetch(
        """
        -- appointments.select_day_of_office
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking
         WHERE office_id = $1 AND (starts_at, seq, booking_id) > ($2, $3, $4) AND starts_at < $5
           AND stage <> 'cancelled'
         ORDER BY starts_at, seq, booking_id LIMIT $6
        """,
        office_id, *after, until, limit,
    )  # fmt: skip
    return [booking_of(row) for row in rows]


async def select_waiting(
    conn: Connection, office_id: OfficeId, start: datetime, until: datetime, limit: int
) -> list[Booking]:
    """Who has checked in at an office, by their hour and then by when they came."""
    rows = await conn.fetch(
        """
        -- appointments.select_waiting
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking
         WHERE office_id = $1 AND starts_at >= $2 AND starts_at < $3 AND stage = 'checked_in'
         ORDER BY starts_at, checked_in_at, booking_id LIMIT $4
        """,
        office_id, start, until, limit,
    )  # fmt: skip
    return [booking_of(row) for row in rows]


async def count_stages(conn: Connection, office_id: OfficeId, start: datetime, until: datetime) -> dict[Stage, int]:
    rows = await conn.fetch(
        """
        -- appointments.count_stages
        SELECT stage, count(*) AS bookings FROM appointments.booking
         WHERE office_id = $1 AND starts_at >= $2 AND starts_at < $3 GROUP BY stage
        """,
        office_id, start, until,
    )  # fmt: skip
    return {Stage(row["stage"]): row["bookings"] for row in rows}


async def find_expected(
    conn: Connection, office_id: OfficeId, booking_id: BookingId, start: datetime, until: datetime
) -> list[BookingKey]:
    """Whose bookings carry this id at this office on this day: one, unless two people chose the same id."""
    rows = await conn.fetch(
        """
        -- appointments.find_expected
        SELECT person_id, booking_id FROM appointments.booking
         WHERE office_id = $1 AND booking_id = $2 AND starts_at >= $3 AND starts_at < $4
           AND stage IN ('booked', 'checked_in', 'missed')
         LIMIT 2
        """,
        office_id, booking_id, start, until,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


async def find_expected_of_person(
    conn: Connection, office_id: OfficeId, person_id: PersonId, start: datetime, until: datetime
) -> list[tuple[BookingKey, Stage]]:
    """What a person has booked at this office on this day; missed or checked in already too, the latest of these
    first."""
    rows = await conn.fetch(
        """
        -- appointments.find_expected_of_person
        SELECT person_id, booking_id, stage FROM appointments.booking
         WHERE person_id = $2 AND office_id = $1 AND starts_at >= $3 AND starts_at < $4
           AND stage IN ('booked', 'checked_in', 'missed')
         ORDER BY checked_in_at DESC NULLS LAST, starts_at LIMIT 20
        """,
        office_id, person_id, start, until,
    )  # fmt: skip
    return [((row[0], row[1]), Stage(row[2])) for row in rows]


async def find_booked_for(
    conn: Connection, office_id: OfficeId, person_id: PersonId, service_id: ServiceId, start: datetime, until: datetime
) -> BookingId | None:
    """What a person can still be checked in for at this office on this day, of one service."""
    found: BookingId | None = await conn.fetchval(
        """
        -- appointments.find_booked_for
        SELECT booking_id FROM appointments.booking
         WHERE person_id = $2 AND office_id = $1 AND service_id = $3 AND starts_at >= $4 AND starts_at < $5
           AND stage IN ('booked', 'missed')
         ORDER BY stage, starts_at LIMIT 1
        """,
        office_id, person_id, service_id, start, until,
    )  # fmt: skip
    return found


async def count_bookings(
    conn: Connection, office_id: OfficeId, start: datetime, until: datetime
) -> dict[tuple[ServiceId, Lane, Stage], int]:
    """How many bookings of an office's day stand at each stage, by service and lane."""
    rows = await conn.fetch(
        """
        -- appointments.count_bookings
        SELECT service_id, lane, stage, count(*) AS bookings FROM appointments.booking
         WHERE office_id = $1 AND starts_at >= $2 AND starts_at < $3 GROUP BY service_id, lane, stage
        """,
        office_id, start, until,
    )  # fmt: skip
    return {(row["service_id"], Lane(row["lane"]), Stage(row["stage"])): row["bookings"] for row in rows}


async def mark_checked_in(conn: Connection, key: BookingKey, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.mark_checked_in
        UPDATE appointments.booking SET stage = 'checked_in', checked_in_at = $3, changed_at = $3
         WHERE person_id = $1 AND booking_id = $2
        """,
        *key, now,
    )  # fmt: skip
