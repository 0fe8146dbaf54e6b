"""A day ends: whoever was booked and did not come has missed it, which counts against them, and may book anew."""

from typing import Final

from appointments import queries
from appointments.absence.striking import strike
from appointments.due import Due, ask_at
from appointments.model import Stage
from appointments.reminding import bookings_in_version
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Database

BATCH_MAX: Final = 100


async def close_due(db: Database, clock: Clock, telling: Telling, bucket: int) -> int:
    """Mark the bookings of one bucket whose day has ended unvisited as missed; return how many rows were looked at.

    Booking, strike, suspension and message commit together, so a broken-off beat is repeated whole and nobody is
    struck twice. What the office cancelled or moved is not missed. Who came is asked how it was, the next morning.
    """
    now = clock.now()
    async with db.transaction() as conn:
        claimed = await queries.claim_due(conn, bucket, Due.CLOSE, BATCH_MAX, now=now)
        if claimed:
            found = await bookings_in_version(conn, claimed)
            missed = {key: booking for key, booking in found.items() if booking.stage is Stage.BOOKED}
            came = [key for key, booking in found.items() if booking.stage in (Stage.CHECKED_IN, Stage.SERVED)]
            await queries.mark_missed(conn, [key[:2] for key in missed], now=now)
            await strike(conn, telling, list(missed.values()), now=now)
            await queries.turn_due(conn, bucket, [(key, Due.ASK, ask_at(found[key].ends_at)) for key in came])
            await queries.delete_due(conn, bucket, [key for key in claimed if key not in came])
    return len(claimed)
