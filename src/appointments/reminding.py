"""People are reminded of their hour, once for each hour a booking has had."""

from datetime import datetime
from typing import Final

from appointments import queries
from appointments.model import Booking, Due, Stage, closes_at
from appointments.queries import BookingKey, DueKey
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Connection, Database

BATCH_MAX: Final = 100


async def remind_due(db: Database, clock: Clock, telling: Telling, bucket: int) -> int:
    """Owe the reminders of one bucket whose hour has come; return how many rows were looked at.

    Reminder, mark and queue row commit together, so a broken-off beat is repeated whole and nobody is reminded twice.
    What is claimed is only a hint: the booking itself, locked, says whether its version still stands, so a cancelled
    or moved booking is never reminded of the old hour. An hour that has already come is not reminded of.
    """
    now = clock.now()
    async with db.transaction() as conn:
        claimed = await queries.claim_due(conn, bucket, Due.REMIND, BATCH_MAX, now=now)
        if not claimed:
            return 0
        standing = await standing_bookings(conn, claimed)
        remind = {key: booking for key, booking in standing.items() if _is_to_be_reminded(booking, now)}
        await telling.reminded(conn, list(remind.values()), now=now)
        await queries.mark_reminded(conn, list(remind))
        await queries.turn_due(conn, bucket, [(key, closes_at(booking.ends_at)) for key, booking in standing.items()])
        await queries.delete_due(conn, bucket, [key for key in claimed if key not in standing])
    return len(claimed)


async def standing_bookings(conn: Connection, claimed: list[DueKey]) -> dict[DueKey, Booking]:
    """The claimed bookings, locked in the order of their keys, that are still booked in the version claimed."""
    keys: list[BookingKey] = sorted({(person_id, booking_id) for person_id, booking_id, _ in claimed})
    locked = {(booking.person_id, booking.booking_id): booking for booking in await queries.lock_bookings(conn, keys)}
    standing = {}
    for key in claimed:
        booking = locked.get(key[:2])
        if booking is not None and booking.stage is Stage.BOOKED and booking.version == key[2]:
            standing[key] = booking
    return standing


def _is_to_be_reminded(booking: Booking, now: datetime) -> bool:
    return booking.reminded_version < booking.version and now < booking.starts_at
