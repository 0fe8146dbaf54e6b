"""Staff look at their office's day: who is expected, who has come."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from appointments.answering import NOTHING_TOLD, Told, told_with
from appointments.desk import queries
from appointments.errors import DaysOutOfRange, NotExpected, SeveralExpected
from appointments.model import Booking, Seq, Stage, day_bounds
from appointments.paging import Position
from appointments.seals import Seals
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import BookingId, OfficeId
from kernel.principal import Staff

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


async def told(
    db: Database, clock: Clock, seals: Seals, staff: Staff, office_id: OfficeId, booking_id: BookingId
) -> Told:
    """What whoever is expected here today told when booking; who looked is recorded with the look.

    Raises NotExpected, SeveralExpected.
    """
    now = clock.now()
    start, until = day_bounds(in_shanghai(now).date())
    async with db.transaction() as conn:
        found = await queries.find_expected(conn, office_id, booking_id, start, until)
        if not found:
            raise NotExpected
        if len(found) > 1:
            raise SeveralExpected
        await audit.record(
            conn, actor=f"staff:{staff.staff_id}", act="appointments.read_answers", subject=f"booking:{booking_id}",
            now=now, detail={"office": str(office_id)},
        )  # fmt: skip
        answers = await told_with(conn, seals, found)
    return answers.get(found[0], NOTHING_TOLD)
