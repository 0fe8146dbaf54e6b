"""Every statement on what a visit came to and how it was."""

from datetime import datetime

from appointments.queries import BookingKey
from kernel.db import Connection, Row
from kernel.ids import BookingId, OfficeId, PersonId


async def find_visited(
    conn: Connection, office_id: OfficeId, booking_id: BookingId, start: datetime, until: datetime
) -> list[BookingKey]:
    """Who came to this office on this day with this booking id: one, unless two people chose the same id."""
    rows = await conn.fetch(
        """
        -- appointments.find_visited
        SELECT person_id, booking_id FROM appointments.booking
         WHERE office_id = $1 AND booking_id = $2 AND starts_at >= $3 AND starts_at < $4 AND stage <> 'cancelled'
         LIMIT 2
        """,
        office_id, booking_id, start, until,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


async def mark_served(conn: Connection, key: BookingKey, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.mark_served
        UPDATE appointments.booking SET stage = 'served', served_at = $3, changed_at = $3
         WHERE person_id = $1 AND booking_id = $2
        """,
        *key, now,
    )  # fmt: skip


async def insert_result(conn: Connection, key: BookingKey, outcome: str, note: bytes | None, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.insert_result
        INSERT INTO appointments.result (person_id, booking_id, outcome, note, told_at) VALUES ($1, $2, $3, $4, $5)
        """,
        *key, outcome, note, now,
    )  # fmt: skip


async def select_result(conn: Connection, key: BookingKey) -> Row | None:
    return await conn.fetchrow(
        """
        -- appointments.select_result
        SELECT outcome, note, told_at FROM appointments.result WHERE person_id = $1 AND booking_id = $2
        """,
        *key,
    )


async def select_rating(conn: Connection, key: BookingKey) -> Row | None:
    return await conn.fetchrow(
        """
        -- appointments.select_rating
        SELECT stars, comment, rated_at FROM appointments.rating WHERE person_id = $1 AND booking_id = $2
        """,
        *key,
    )


async def put_rating(
    conn: Connection, key: BookingKey, office_id: OfficeId, stars: int, comment: bytes | None, *, now: datetime
) -> None:
    """Write a rating, or change it; when it was given first stays."""
    await conn.execute(
        """
        -- appointments.put_rating
        INSERT INTO appointments.rating (person_id, booking_id, office_id, stars, comment, rated_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (person_id, booking_id) DO UPDATE SET stars = EXCLUDED.stars, comment = EXCLUDED.comment
        """,
        *key, office_id, stars, comment, now,
    )  # fmt: skip


async def select_rated(conn: Connection, person_ids: list[PersonId], booking_ids: list[BookingId]) -> set[BookingKey]:
    """Which of these bookings were rated already."""
    rows = await conn.fetch(
        """
        -- appointments.select_rated
        SELECT person_id, booking_id FROM appointments.rating WHERE person_id = ANY ($1) AND booking_id = ANY ($2)
        """,
        person_ids, booking_ids,
    )  # fmt: skip
    return {(row[0], row[1]) for row in rows}


async def count_ratings(conn: Connection, office_id: OfficeId, start: datetime, until: datetime) -> list[Row]:
    """How often each number of stars was given to each service of an office. Nothing is decided on it."""
    return await conn.fetch(
        """
        -- appointments.count_ratings
        SELECT booking.service_id, rating.stars, count(*) AS ratings
          FROM appointments.rating AS rating
          JOIN appointments.booking AS booking
            ON booking.person_id = rating.person_id AND booking.booking_id = rating.booking_id
         WHERE rating.office_id = $1 AND rating.rated_at >= $2 AND rating.rated_at < $3
         GROUP BY booking.service_id, rating.stars
        """,
        office_id, start, until,
    )  # fmt: skip


async def select_comments(
    conn: Connection, office_id: OfficeId, start: datetime, until: datetime, limit: int
) -> list[Row]:
    """What was written with ratings of an office, newest first."""
    return await conn.fetch(
        """
        -- appointments.select_comments
        SELECT rating.person_id, rating.booking_id, booking.service_id, rating.stars, rating.comment
          FROM appointments.rating AS rating
          JOIN appointments.booking AS booking
            ON booking.person_id = rating.person_id AND booking.booking_id = rating.booking_id
         WHERE rating.office_id = $1 AND rating.rated_at >= $2 AND rating.rated_at < $3 AND rating.comment IS NOT NULL
         ORDER BY rating.rated_at DESC, rating.booking_id LIMIT $4
        """,
        office_id, start, until, limit,
    )  # fmt: skip
