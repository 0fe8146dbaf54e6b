"""Every statement on calendar feeds. A feed is read by its digest, and a person's are listed across digests.

Locks are taken number first, then feed.
"""

from datetime import datetime

from kernel.db import Connection, Row
from kernel.ids import PersonId


async def select_feed_numbers(conn: Connection, person_id: PersonId) -> list[int]:
    """The numbers that a person's standing feeds have."""
    rows = await conn.fetch(
        """
        -- appointments.select_feed_numbers
        SELECT number FROM appointments.feed_number WHERE person_id = $1
        """,
        person_id,
    )
    return [row["number"] for row in rows]


async def insert_feed_number(conn: Connection, person_id: PersonId, number: int, feed_digest: bytes) -> bool:
    """False if another feed has the number; who is just taking it is waited for."""
    taken = await conn.fetchval(
        """
        -- appointments.insert_feed_number
        INSERT INTO appointments.feed_number (person_id, number, feed_digest) VALUES ($1, $2, $3)
            ON CONFLICT (person_id, number) DO NOTHING RETURNING number
        """,
        person_id, number, feed_digest,
    )  # fmt: skip
    return taken is not None


async def delete_feed_number(conn: Connection, person_id: PersonId, feed_digest: bytes) -> bool:
    """False if the feed has no number any more: it was ended."""
    freed = await conn.fetchval(
        """
        -- appointments.delete_feed_number
        DELETE FROM appointments.feed_number WHERE person_id = $1 AND feed_digest = $2 RETURNING number
        """,
        person_id, feed_digest,
    )  # fmt: skip
    return freed is not None


async def insert_feed(conn: Connection, feed_digest: bytes, person_id: PersonId, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.insert_feed
        INSERT INTO appointments.feed (feed_digest, person_id, made_at) VALUES ($1, $2, $3)
        """,
        feed_digest, person_id, now,
    )  # fmt: skip


async def select_feeds_of_person(conn: Connection, person_id: PersonId, limit: int) -> list[Row]:
    """Those that have not ended, newest first."""
    return await conn.fetch(
        """
        -- appointments.select_feeds_of_person
        SELECT feed_digest, made_at FROM appointments.feed
         WHERE person_id = $1 AND ended_at IS NULL ORDER BY made_at DESC, feed_digest LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def select_reader_of_feed(conn: Connection, digests: list[bytes]) -> PersonId | None:
    """Whose bookings a feed shows. One that has ended is not there, nor is one that never was."""
    found: PersonId | None = await conn.fetchval(
        """
        -- appointments.select_reader_of_feed
        SELECT person_id FROM appointments.feed WHERE feed_digest = ANY ($1) AND ended_at IS NULL
        """,
        digests,
    )
    return found


async def end_feed(conn: Connection, feed_digest: bytes, person_id: PersonId, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.end_feed
        UPDATE appointments.feed SET ended_at = $3 WHERE feed_digest = $1 AND person_id = $2 AND ended_at IS NULL
        """,
        feed_digest, person_id, now,
    )  # fmt: skip
