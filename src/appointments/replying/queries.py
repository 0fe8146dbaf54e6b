"""Every statement about answers to reminders."""

from datetime import datetime

from kernel.db import Connection
from kernel.ids import BookingId, PersonId


async def insert_acknowledgement(
    conn: Connection, person_id: PersonId, booking_id: BookingId, version: int, *, now: datetime
) -> bool:
    """Write down that a person will come; whether that is new."""
    found = await conn.fetchval(
        """
        -- appointments.insert_acknowledgement
        INSERT INTO appointments.acknowledgement (person_id, booking_id, version, acknowledged_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT (person_id, booking_id, version) DO NOTHING RETURNING TRUE
        """,
        person_id, booking_id, version, now,
    )  # fmt: skip
    return found is True


async def select_acknowledged_at(
    conn: Connection, person_id: PersonId, booking_id: BookingId, version: int
) -> datetime | None:
    """When a person said that they will come to this hour of a booking; None if they did not."""
    found: datetime | None = await conn.fetchval(
        """
        -- appointments.select_acknowledged_at
        SELECT acknowledged_at FROM appointments.acknowledgement
         WHERE person_id = $1 AND booking_id = $2 AND version = $3
        """,
        person_id, booking_id, version,
    )  # fmt: skip
    return found
