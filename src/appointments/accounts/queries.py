"""What appointments keep of one person, read for the person alone, and what ends with their account."""

from datetime import datetime
from uuid import UUID

from appointments.model import Booking
from appointments.queries import booking_of
from kernel.db import Connection, Row
from kernel.ids import BookingId, PersonId, ServiceId


async def select_bookings_ahead(conn: Connection, person_id: PersonId, limit: int) -> list[Booking]:
    """What a person has booked and not come to yet, in the order of the places."""
    rows = await conn.fetch(
        """
        -- appointments.select_bookings_ahead
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking WHERE person_id = $1 AND stage = 'booked' ORDER BY slot_id, seq LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip
    return [booking_of(row) for row in rows]


async def select_waiting_ahead(conn: Connection, person_id: PersonId) -> list[tuple[ServiceId, UUID]]:
    rows = await conn.fetch(
        """
        -- appointments.select_waiting_ahead
        SELECT service_id, waiting_id FROM appointments.waiting
         WHERE person_id = $1 AND stage IN ('waiting', 'offered') ORDER BY service_id, waiting_id
        """,
        person_id,
    )
    return [(ServiceId(row[0]), row[1]) for row in rows]


async def end_waiting_with_account(conn: Connection, service_id: ServiceId, waiting_id: UUID, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.end_waiting_with_account
        UPDATE appointments.waiting SET stage = 'left', offered_until = NULL, changed_at = $3
         WHERE service_id = $1 AND waiting_id = $2 AND stage IN ('waiting', 'offered')
        """,
        service_id, waiting_id, now,
    )  # fmt: skip


async def delete_feed_numbers(conn: Connection, person_id: PersonId) -> None:
    await conn.execute(
        """
        -- appointments.delete_feed_numbers
        DELETE FROM appointments.feed_number WHERE person_id = $1
        """,
        person_id,
    )


async def end_feeds(conn: Connection, person_id: PersonId, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.end_feeds
        UPDATE appointments.feed SET ended_at = $2 WHERE person_id = $1 AND ended_at IS NULL
        """,
        person_id, now,
    )  # fmt: skip


async def select_waiting_kept(conn: Connection, person_id: PersonId, limit: int) -> list[Row]:
    return await conn.fetch(
        """
        -- appointments.select_waiting_kept
        SELECT waiting_id, service_id, office_id, district, lane, first_day, last_day, day_part, stage, joined_at,
               offers, slot_id, booking_id, offered_until
          FROM appointments.waiting WHERE person_id = $1 ORDER BY joined_at DESC, waiting_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def select_strikes_kept(conn: Connection, person_id: PersonId, limit: int) -> list[Row]:
    return await conn.fetch(
        """
        -- appointments.select_strikes_kept
        SELECT booking_id, service_id, office_id, struck_at, stage, appeal, appealed_at, decided_at
          FROM appointments.strike WHERE person_id = $1 ORDER BY struck_at DESC, booking_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def select_suspension_kept(conn: Connection, person_id: PersonId) -> Row | None:
    return await conn.fetchrow(
        """
        -- appointments.select_suspension_kept
        SELECT since, until, lifted_at FROM appointments.suspension WHERE person_id = $1 AND until > since
        """,
        person_id,
    )


async def select_ratings_kept(conn: Connection, person_id: PersonId, limit: int) -> list[Row]:
    return await conn.fetch(
        """
        -- appointments.select_ratings_kept
        SELECT booking_id, office_id, stars, comment, rated_at
          FROM appointments.rating WHERE person_id = $1 ORDER BY rated_at DESC, booking_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def select_results_kept(conn: Connection, person_id: PersonId, limit: int) -> list[Row]:
    return await conn.fetch(
        """
        -- appointments.select_results_kept
        SELECT booking_id, outcome, note, told_at
          FROM appointments.result WHERE person_id = $1 ORDER BY told_at DESC, booking_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def select_feeds_kept(conn: Connection, person_id: PersonId, limit: int) -> list[Row]:
    return await conn.fetch(
        """
        -- appointments.select_feeds_kept
        SELECT made_at, ended_at FROM appointments.feed WHERE person_id = $1 ORDER BY made_at DESC LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def select_tickets_kept(conn: Connection, person_id: PersonId, limit: int) -> list[Row]:
    return await conn.fetch(
        """
        -- appointments.select_tickets_kept
        SELECT office_id, ticket_id, day, series, number, lane, service_id, booking_id, stage, taken_at, ended_at
          FROM appointments.ticket WHERE person_id = $1 ORDER BY taken_at DESC, ticket_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def select_bookings_by_agent(
    conn: Connection, agent_id: PersonId, before: tuple[datetime, BookingId], limit: int
) -> list[Booking]:
    """What somebody booked for others, latest hour first."""
    rows = await conn.fetch(
        """
        -- appointments.select_bookings_by_agent
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking
         WHERE agent_id = $1 AND (starts_at, booking_id) < ($2, $3)
         ORDER BY starts_at DESC, booking_id DESC LIMIT $4
        """,
        agent_id, *before, limit,
    )  # fmt: skip
    return [booking_of(row) for row in rows]
