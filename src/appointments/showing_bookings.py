"""A resident looks at their bookings."""

from datetime import datetime
from typing import Final
from uuid import UUID

from appointments import queries
from appointments.accounts import queries as accounts
from appointments.acting import Mandates
from appointments.model import Booking
from appointments.paging import Position
from kernel.db import Database
from kernel.ids import BookingId, PersonId

LIMIT_MAX: Final = 100
_END_OF_TIME: Final = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


async def booked_by(
    db: Database, mandates: Mandates, agent: PersonId, before: Position | None, limit: int, *, now: datetime
) -> tuple[list[Booking], list[Booking]]:
    """Up to `limit` bookings that an agent made for others, latest hour first; and those of them that may be shown.

    What was booked under a mandate that does not stand any more is between the holder and the office.
    """
    assert 1 <= limit <= LIMIT_MAX
    async with db.connection() as conn:
        found = await accounts.select_bookings_by_agent(conn, agent, _position(before), limit)
        asked = {(agent, one.person_id, one.mandate_id) for one in found if one.mandate_id is not None}
        stand = await mandates.standing(conn, asked, now=now) if asked else set()
    return found, [one for one in found if (one.person_id, one.mandate_id) in stand]


async def bookings_of(db: Database, person_id: PersonId, before: Position | None, limit: int) -> list[Booking]:
    """Up to `limit` bookings of a person, whatever became of them, latest hour first."""
    assert 1 <= limit <= LIMIT_MAX
    async with db.connection() as conn:
        return await queries.select_bookings_of_person(conn, person_id, _position(before), limit)


def _position(before: Position | None) -> tuple[datetime, BookingId]:
    return (before.moment, BookingId(before.last_id)) if before else (_END_OF_TIME, BookingId(UUID(int=0)))
