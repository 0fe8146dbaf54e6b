"""A resident looks at their bookings."""

from datetime import datetime
from typing import Final
from uuid import UUID

from appointments import queries
from appointments.model import Booking
from appointments.paging import Position
from kernel.db import Database
from kernel.ids import BookingId, PersonId

LIMIT_MAX: Final = 100
_END_OF_TIME: Final = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


async def bookings_of(db: Database, person_id: PersonId, before: Position | None, limit: int) -> list[Booking]:
    """Up to `limit` bookings of a person, whatever became of them, latest hour first."""
    assert 1 <= limit <= LIMIT_MAX
    position = (before.moment, BookingId(before.last_id)) if before else (_END_OF_TIME, BookingId(UUID(int=0)))
    async with db.connection() as conn:
        return await queries.select_bookings_of_person(conn, person_id, position, limit)
