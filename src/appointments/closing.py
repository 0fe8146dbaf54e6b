"""A day ends: whoever was booked and did not come has missed it, and may book anew."""

from typing import Final

from appointments import queries
from appointments.model import Due
from appointments.reminding import standing_bookings
from kernel.clock import Clock
from kernel.db import Database

BATCH_MAX: Final = 100


async def close_due(db: Database, clock: Clock, bucket: int) -> int:
    """Mark the bookings of one bucket whose day has ended unvisited as missed; return how many rows were looked at."""
    now = clock.now()
    async with db.transaction() as conn:
        claimed = await queries.claim_due(conn, bucket, Due.CLOSE, BATCH_MAX, now=now)
        if claimed:
            missed = await standing_bookings(conn, claimed)
            await queries.mark_missed(conn, [key[:2] for key in missed], now=now)
            await queries.delete_due(conn, bucket, claimed)
    return len(claimed)
