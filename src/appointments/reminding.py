"""People are reminded of their hour the day before and two hours before, once each for every hour a booking has had."""

from datetime import datetime
from typing import Final

from appointments import queries
from appointments.due import REMIND_SOON_BEFORE, Due, closes_at, due_after_reminder
from appointments.model import Booking, Stage
from appointments.queries import BookingKey, DueKey
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Connection, Database

BATCH_MAX: Final = 100
_ENDED: Final = (Stage.CANCELLED, Stage.MISSED)


async def remind_due(db: Database, clock: Clock, telling: Telling, bucket: int) -> int:
    """Owe the reminders of one bucket whose hour has come; return how many rows were looked at.

    Reminder, mark and queue row commit together, so a broken-off beat is repeated whole and nobody is reminded twice.
    What is claimed is only a hint: the booking itself, locked, says whether its version still stands, so a cancelled
    or moved booking is never reminded of the old hour. An hour that has already come is not reminded of.
    """
    now = clock.now()
    return sum([await _remind_batch(db, telling, bucket, what, now) for what in (Due.REMIND, Due.REMIND_SOON)])


async def _remind_batch(db: Database, telling: Telling, bucket: int, what: Due, now: datetime) -> int:
    async with db.transaction() as conn:
        claimed = await queries.claim_due(conn, bucket, what, BATCH_MAX, now=now)
        if not claimed:
            return 0
        lasting = {
            key: booking
            for key, booking in (await bookings_in_version(conn, claimed)).items()
            if booking.stage not in _ENDED
        }
        await _owe(conn, telling, lasting, now)
        turned = [(key, *_next(what, booking, now)) for key, booking in lasting.items()]
        await queries.turn_due(conn, bucket, turned)
        await queries.delete_due(conn, bucket, [key for key in claimed if key not in lasting])
    return len(claimed)


async def _owe(conn: Connection, telling: Telling, lasting: dict[DueKey, Booking], now: datetime) -> None:
    """Remind those that are booked and have not begun, in the words of the hours they still have."""
    ahead = {key: one for key, one in lasting.items() if one.stage is Stage.BOOKED and now < one.starts_at}
    soon = [one for one in ahead.values() if now >= one.starts_at - REMIND_SOON_BEFORE]
    later = [one for one in ahead.values() if now < one.starts_at - REMIND_SOON_BEFORE]
    await telling.reminded(conn, later, now=now)
    await telling.reminded_soon(conn, soon, now=now)
    await queries.mark_reminded(conn, [key for key, one in ahead.items() if one.reminded_version < one.version])


def _next(what: Due, booking: Booking, now: datetime) -> tuple[Due, datetime]:
    if what is Due.REMIND and booking.stage is Stage.BOOKED:
        return due_after_reminder(booking.starts_at, booking.ends_at, now)
    return Due.CLOSE, closes_at(booking.ends_at)


async def bookings_in_version(conn: Connection, claimed: list[DueKey]) -> dict[DueKey, Booking]:
    """The claimed bookings, locked in the order of their keys, that are still in the version claimed, at any stage."""
    keys: list[BookingKey] = sorted({(person_id, booking_id) for person_id, booking_id, _ in claimed})
    locked = {(booking.person_id, booking.booking_id): booking for booking in await queries.lock_bookings(conn, keys)}
    found = {key: locked.get(key[:2]) for key in claimed}
    return {key: booking for key, booking in found.items() if booking is not None and booking.version == key[2]}
