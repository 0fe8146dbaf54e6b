"""A person says why a strike should not count; whoever answers for the office decides."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from appointments.absence import queries
from appointments.absence.errors import AppealDecided, AppealNotFound, AppealTwice, StrikeNotFound
from appointments.absence.model import Strike, Strikes, Suspension, Verdict, counted_since
from appointments.absence.striking import lift_if_few
from appointments.model import Booking
from appointments.paging import Position
from appointments.queries import BookingKey, select_bookings
from appointments.seals import Seals
from appointments.telling import CALLER, Telling
from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BookingId, OfficeId, PersonId, StaffId
from notifications import templates
from notifications.outbox import Owed

STRIKES_SHOWN_MAX: Final = 100
LIMIT_MAX: Final = 100
_PURPOSE: Final = "appointments.appeal"
_FIRST: Final = (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0))


class Standing(msgspec.Struct, frozen=True):
    """A person's strikes with their bookings, how many of them count, and whether they are suspended."""

    strikes: list[tuple[Strike, Booking]]
    counted: int
    suspension: Suspension | None


class Appeal(msgspec.Struct, frozen=True):
    """What somebody said about a strike, and the booking it is about."""

    strike: Strike
    booking: Booking
    reason: str


class Appealing:
    """Files and decides appeals. What was said is sealed to its booking."""

    def __init__(self, db: Database, clock: Clock, telling: Telling, seals: Seals) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._seals = seals

    async def standing(self, person_id: PersonId) -> Standing:
        """How a person stands, their newest STRIKES_SHOWN_MAX strikes first."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            strikes = await queries.select_strikes(conn, person_id, STRIKES_SHOWN_MAX)
            bookings = await _bookings_of(conn, strikes)
            counted = await queries.count_strikes(conn, [person_id], counted_since(now))
            suspension = await queries.select_suspension(conn, person_id)
        stands = suspension if suspension is not None and suspension.stands(now) else None
        return Standing(
            [(one, bookings[one.person_id, one.booking_id]) for one in strikes], counted.get(person_id, 0), stands
        )

    async def appeal(self, person_id: PersonId, booking_id: BookingId, reason: str) -> tuple[Strike, Booking]:
        """Say once why a strike should not count; saying the same again changes nothing.

        The strike counts until it is decided. Raises StrikeNotFound, AppealTwice.
        """
        now = self._clock.now()
        async with self._db.transaction() as conn:
            found = await queries.lock_strike(conn, person_id, booking_id)
            if found is None:
                raise StrikeNotFound
            if found.appeal is not None and self._reason(found) != reason:
                raise AppealTwice
            if found.stage is Strikes.WAIVED and found.appeal is None:
                raise AppealTwice
            booking = (await _bookings_of(conn, [found]))[person_id, booking_id]
            if found.stage is not Strikes.STANDING:
                return found, booking
            sealed = self._seals.seal(_PURPOSE, person_id, booking_id, reason)
            await queries.mark_appealed(conn, person_id, booking_id, sealed, now=now)
        return replace(found, stage=Strikes.APPEALED, appeal=sealed, appealed_at=now), booking

    async def appeals_at(self, office_id: OfficeId, after: Position | None, limit: int) -> list[Appeal]:
        """Up to `limit` appeals that an office has to decide, longest ago first."""
        assert 1 <= limit <= LIMIT_MAX
        position = (after.moment, after.last_id) if after else _FIRST
        async with self._db.connection() as conn:
            strikes = await queries.select_appeals(conn, office_id, position, limit)
            bookings = await _bookings_of(conn, strikes)
        return [Appeal(one, bookings[one.person_id, one.booking_id], self._reason(one)) for one in strikes]

    async def decide(self, staff_id: StaffId, office_id: OfficeId, strike_id: UUID, verdict: Verdict) -> Appeal:
        """Decide an appeal at one's office and tell the person; the same verdict again changes nothing.

        A strike that is waived counts no more, and a suspension that it led to ends with it. Strike, suspension,
        message and the record of the act commit together. Raises AppealNotFound, AppealDecided.
        """
        now = self._clock.now()
        async with self._db.transaction() as conn:
            key = await queries.find_strike(conn, office_id, strike_id)
            found = await queries.lock_strike(conn, *key) if key is not None else None
            if key is None or found is None or found.appeal is None:
                raise AppealNotFound
            appeal = Appeal(found, (await _bookings_of(conn, [found]))[key], self._reason(found))
            if found.stage is not Strikes.APPEALED:
                if found.stage is not Strikes(verdict):
                    raise AppealDecided
                return appeal
            stage = Strikes(verdict)
            await queries.mark_decided(conn, *key, stage, f"staff:{staff_id}", now=now)
            is_lifted = verdict is Verdict.WAIVED and await lift_if_few(conn, found.person_id, now=now)
            await self._tell(conn, appeal, verdict, now)
            await audit.record(
                conn, actor=f"staff:{staff_id}", act="appointments.decide_appeal",
                subject=f"booking:{found.booking_id}", now=now,
                detail={"office": str(office_id), "verdict": str(verdict), "lifted": is_lifted},
            )  # fmt: skip
        return Appeal(replace(found, stage=stage, decided_at=now), appeal.booking, appeal.reason)

    async def _tell(self, conn: Connection, appeal: Appeal, verdict: Verdict, now: datetime) -> None:
        booking = appeal.booking
        values = await self._telling.about(booking.office_id, booking.service_id, booking.starts_at)
        owed = Owed(
            caller=CALLER,
            key=f"{templates.APPEAL_DECIDED.id}/{booking.person_id}/{booking.booking_id}",
            to=booking.person_id,
            template=templates.APPEAL_DECIDED,
            values=values | {"verdict": str(verdict)},
            due_at=now,
        )
        await self._telling.owe(conn, [owed], now=now)

    def _reason(self, strike: Strike) -> str:
        assert strike.appeal is not None
        return self._seals.unseal(_PURPOSE, strike.person_id, strike.booking_id, strike.appeal, str)


async def _bookings_of(conn: Connection, strikes: list[Strike]) -> dict[BookingKey, Booking]:
    """Their bookings; a booking is never deleted."""
    return await select_bookings(conn, [(one.person_id, one.booking_id) for one in strikes]) if strikes else {}
