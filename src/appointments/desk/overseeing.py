"""Staff look at their office's day: who is expected, who has come."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from appointments.desk import queries
from appointments.errors import DaysOutOfRange
from appointments.model import Booking, Seq, Stage, day_bounds
from appointments.paging import Position
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import BookingId, OfficeId

DAYS_AWAY_MAX: Final = 366
LIMIT_MAX: Final = 200
WAITING_MAX: Final = 200


class Waiting(msgspec.Struct, frozen=True):
    """An office at this moment: how many bookings of today stand at each stage, and who has come, in turn."""

    as_of: datetime
    stages: dict[Stage, int]
    here: list[Booking]


async def day_of_office(
    db: Database, clock: Clock, office_id: OfficeId, day: date, after: Position | None, limit: int
) -> list[Booking]:
    """Up to `limit` bookings of an office's day, in the order people come. Raises DaysOutOfRange."""
    assert 1 <= limit <= LIMIT_MAX
    if abs((day - in_shanghai(clock.now()).date()).days) > DAYS_AWAY_MAX:
        raise DaysOutOfRange(f"the day must lie within {DAYS_AWAY_MAX} days of today")
    start, until = day_bounds(day)
    first = (start, Seq(0), BookingId(UUID(int=0)))
    position = max(first, (after.moment, Seq(after.seq), BookingId(after.last_id))) if after else first
    async with db.connection() as conn:
        return await queries.select_day_of_office(conn, office_id, position, until, limit)


async def waiting_now(db: Database, clock: Clock, office_id: OfficeId) -> Waiting:
    """Today at an office, as of now."""
    now = clock.now()
    start, until = day_bounds(in_shanghai(now).date())
    async with db.connection() as conn:
        stages = await queries.count_stages(conn, office_id, start, until)
        here = await queries.select_waiting(conn, office_id, start, until, WAITING_MAX)
    return Waiting(now, stages, here)
