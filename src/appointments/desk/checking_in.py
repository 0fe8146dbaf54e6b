"""Somebody who is booked has come: found by the booking's id, by the code they show, or by their phone."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from appointments import changing
from appointments.absence.striking import waive_for_late_arrival
from appointments.desk import queries
from appointments.desk.hall.tickets import take_for_booking
from appointments.desk.recognising import Recognises, look_by_phone
from appointments.errors import NotExpected, SeveralExpected, TimesOverlap
from appointments.model import Booking, Stage, day_bounds
from appointments.queries import BookingKey, lock_bookings
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import BookingId, OfficeId, PersonId, StaffId
from kernel.limits import Limits

_Finds = Callable[[Connection, datetime, datetime], Awaitable[list[BookingKey]]]


async def check_in(
    db: Database, clock: Clock, staff_id: StaffId, office_id: OfficeId, booking_id: BookingId
) -> Booking:
    """Note that who holds this booking is here. Checking in twice is checking in once.

    The booking, its queue number and the record of the act commit together. The id is looked up among today's bookings
    of this office; what is found is locked and looked at again. Who comes late, on the day, after they were noted as
    missing has their strike waived in the same transaction. Raises NotExpected, SeveralExpected, TimesOverlap.
    """

    async def find(conn: Connection, start: datetime, until: datetime) -> list[BookingKey]:
        return await queries.find_expected(conn, office_id, booking_id, start, until)

    return await _check_in(db, clock, staff_id, office_id, find)


async def check_in_by_code(
    db: Database, clock: Clock, recognises: Recognises, staff_id: StaffId, office_id: OfficeId, text: str, use_id: UUID
) -> Booking:
    """Check in whose code was read: it is spent, and they find the look in their ledger.

    Raises CodeNotGood, CodesNotRead, and what `check_in` raises.
    """
    person_id = await recognises.by_code(office_id, text, use_id)
    return await _check_in_person(db, clock, staff_id, office_id, person_id)


async def check_in_by_phone(
    db: Database, clock: Clock, limits: Limits, recognises: Recognises,
    staff_id: StaffId, office_id: OfficeId, phone: str,
) -> Booking:  # fmt: skip
    """Check in who has this phone, if they are booked here today; else NotExpected, whoever they are.

    So no answer tells whether a phone is known. Raises what `look_by_phone` and `check_in` raise.
    """
    person_id = await look_by_phone(db, clock, limits, recognises, staff_id, office_id, phone)
    if person_id is None:
        raise NotExpected
    return await _check_in_person(db, clock, staff_id, office_id, person_id)


async def _check_in_person(
    db: Database, clock: Clock, staff_id: StaffId, office_id: OfficeId, person_id: PersonId
) -> Booking:
    """Check in for the one booking still before them today; asked again, what they checked in for last."""

    async def find(conn: Connection, start: datetime, until: datetime) -> list[BookingKey]:
        found = await queries.find_expected_of_person(conn, office_id, person_id, start, until)
        by_stage = {stage: [key for key, one in found if one is stage] for stage in Stage}
        return by_stage[Stage.BOOKED] or by_stage[Stage.CHECKED_IN][:1] or by_stage[Stage.MISSED]

    return await _check_in(db, clock, staff_id, office_id, find)


async def _check_in(db: Database, clock: Clock, staff_id: StaffId, office_id: OfficeId, find: _Finds) -> Booking:
    async def attempt() -> Booking:
        async with db.transaction() as conn:
            return await _check_in_found(conn, clock, staff_id, office_id, find)

    try:
        return await changing.until_settled(attempt)
    except asyncpg.ExclusionViolationError:
        raise TimesOverlap from None


async def _check_in_found(
    conn: Connection, clock: Clock, staff_id: StaffId, office_id: OfficeId, find: _Finds
) -> Booking:
    now = clock.now()
    start, until = day_bounds(in_shanghai(now).date())
    found = await find(conn, start, until)
    if not found:
        raise NotExpected
    if len(found) > 1:
        raise SeveralExpected(booking_ids=sorted(str(booking_id) for _, booking_id in found))
    [booking] = await lock_bookings(conn, found)
    if booking.stage is Stage.CHECKED_IN:
        return booking
    if (
        booking.stage not in (Stage.BOOKED, Stage.MISSED)
        or booking.office_id != office_id
        or not start <= booking.starts_at < until
    ):
        raise NotExpected  # cancelled, or moved elsewhere, between the look and the lock
    await queries.mark_checked_in(conn, found[0], now=now)
    if booking.stage is Stage.MISSED:
        await waive_for_late_arrival(
            conn, booking.person_id, booking.booking_id, decided_by=f"staff:{staff_id}", now=now
        )
    here = replace(booking, stage=Stage.CHECKED_IN, checked_in_at=now, changed_at=now)
    await take_for_booking(conn, here, clock)
    await audit.record(
        conn, actor=f"staff:{staff_id}", act="appointments.check_in", subject=f"booking:{booking.booking_id}",
        now=now, detail={"office": str(office_id), "was_missed": booking.stage is Stage.MISSED},
    )  # fmt: skip
    return here
