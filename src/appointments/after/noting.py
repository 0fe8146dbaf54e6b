"""A clerk notes what a visit came to, and the person is told."""

from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec

from appointments import changing
from appointments.after import queries
from appointments.after.errors import NotHere, ResultNotFound, ResultTold
from appointments.errors import DaysOutOfRange, NotExpected, SeveralExpected
from appointments.model import Booking, Stage, day_bounds
from appointments.queries import BookingKey, lock_bookings
from appointments.seals import Seals
from appointments.telling import Telling
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import BookingId, OfficeId, PersonId, StaffId

NOTE_MAX: Final = 200
"""Characters: what the text that tells the person takes."""
DAYS_BACK_MAX: Final = 92
_PURPOSE: Final = "appointments.note"


class Outcome(StrEnum):
    """What a visit came to: done, something is missing (补正), or not granted."""

    DONE = "done"
    SUPPLEMENT = "supplement"
    REFUSED = "refused"


class Result(msgspec.Struct, frozen=True):
    """What was told of a visit, and when. `note` may be empty."""

    outcome: Outcome
    note: str
    told_at: datetime


class Results:
    """Notes results and reads them back."""

    def __init__(self, db: Database, clock: Clock, telling: Telling, seals: Seals) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._seals = seals

    async def note(
        self, staff_id: StaffId, office_id: OfficeId, booking_id: BookingId, day: date, outcome: Outcome, note: str
    ) -> Result:
        """Note what a visit to this office, booked for `day`, came to; the visit is over with that, if it was not.

        Result, booking, message and record of the act commit together. The same again answers the same and tells
        nobody anything. Raises DaysOutOfRange, NotExpected, SeveralExpected, NotHere, ResultTold.
        """
        assert len(note) <= NOTE_MAX
        now = self._clock.now()
        start, until = day_bounds(self._day_in_reach(day, now))
        async with self._db.transaction() as conn:
            found = await queries.find_visited(conn, office_id, booking_id, start, until)
            if not found:
                raise NotExpected
            if len(found) > 1:
                raise SeveralExpected
            [booking] = await lock_bookings(conn, found)
            if booking.office_id != office_id or booking.stage not in (Stage.CHECKED_IN, Stage.SERVED):
                raise NotHere
            told = await self._told(conn, found[0])
            if told is not None:
                if (told.outcome, told.note) != (outcome, note):
                    raise ResultTold
                return told
            await self._write(conn, booking, outcome, note, now)
            await audit.record(
                conn, actor=f"staff:{staff_id}", act="appointments.note_result", subject=f"booking:{booking_id}",
                now=now, detail={"office": str(office_id), "outcome": outcome.value},
            )  # fmt: skip
        return Result(outcome, note, now)

    async def read(self, person_id: PersonId, booking_id: BookingId) -> Result:
        """What was told of a person's visit. Raises BookingNotFound, ResultNotFound."""
        await changing.read(self._db, (person_id, booking_id))
        async with self._db.connection() as conn:
            told = await self._told(conn, (person_id, booking_id))
        if told is None:
            raise ResultNotFound
        return told

    async def _write(self, conn: Connection, booking: Booking, outcome: Outcome, note: str, now: datetime) -> None:
        key = (booking.person_id, booking.booking_id)
        if booking.stage is Stage.CHECKED_IN:
            await queries.mark_served(conn, key, now=now)
        await queries.insert_result(
            conn, key, outcome, self._seals.seal(_PURPOSE, *key, note) if note else None, now=now
        )
        await self._telling.told_result(conn, booking, outcome, note, now=now)

    async def _told(self, conn: Connection, key: BookingKey) -> Result | None:
        row = await queries.select_result(conn, key)
        if row is None:
            return None
        note = "" if row["note"] is None else self._seals.unseal(_PURPOSE, *key, row["note"], str)
        return Result(Outcome(row["outcome"]), note, row["told_at"])

    def _day_in_reach(self, day: date, now: datetime) -> date:
        if not 0 <= (in_shanghai(now).date() - day).days <= DAYS_BACK_MAX:
            raise DaysOutOfRange(f"a result is told of today, or of a day at most {DAYS_BACK_MAX} days ago")
        return day
