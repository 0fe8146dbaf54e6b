"""The morning after a visit people are asked how it was."""

from datetime import datetime
from typing import Final

from appointments import queries
from appointments.after.queries import select_rated
from appointments.due import ASK_FOR, Due, ask_at
from appointments.model import Booking, Stage
from appointments.queries import DueKey
from appointments.reminding import bookings_in_version
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Connection, Database

BATCH_MAX: Final = 100


async def ask_due(db: Database, clock: Clock, telling: Telling, bucket: int) -> int:
    """Ask those of one bucket whose morning has come how their visit was; return how many rows were looked at.

    Message and queue row commit together, so nobody is asked twice; who has rated already is not asked. A visit that
    is not noted as over is looked at again the next morning, for `ASK_FOR`.
    """
    now = clock.now()
    async with db.transaction() as conn:
        claimed = await queries.claim_due(conn, bucket, Due.ASK, BATCH_MAX, now=now)
        if not claimed:
            return 0
        found = await bookings_in_version(conn, claimed)
        await telling.asked_how_it_was(conn, await _to_ask(conn, found), now=now)
        later = [key for key, booking in found.items() if _is_to_be_waited_for(booking, now)]
        await queries.turn_due(conn, bucket, [(key, Due.ASK, ask_at(now)) for key in later])
        await queries.delete_due(conn, bucket, [key for key in claimed if key not in later])
    return len(claimed)


async def _to_ask(conn: Connection, found: dict[DueKey, Booking]) -> list[Booking]:
    served = [booking for booking in found.values() if booking.stage is Stage.SERVED]
    people, ids = [booking.person_id for booking in served], [booking.booking_id for booking in served]
    rated = await select_rated(conn, people, ids)
    return [booking for booking in served if (booking.person_id, booking.booking_id) not in rated]


def _is_to_be_waited_for(booking: Booking, now: datetime) -> bool:
    return booking.stage is Stage.CHECKED_IN and now < booking.ends_at + ASK_FOR
