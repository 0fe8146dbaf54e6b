"""Somebody who is booked has come to the counter."""

from msgspec.structs import replace

from appointments.desk import queries
from appointments.errors import NotExpected, SeveralExpected
from appointments.model import Booking, Stage, day_bounds
from appointments.queries import lock_bookings
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import BookingId, OfficeId, StaffId


async def check_in(
    db: Database, clock: Clock, staff_id: StaffId, office_id: OfficeId, booking_id: BookingId
) -> Booking:
    """Note that who holds this booking is here. Checking in twice is checking in once.

    The booking and the record of the act commit together. The id is looked up among today's bookings of this office;
    what is found is locked and looked at again. Raises NotExpected, SeveralExpected.
    """
    now = clock.now()
    start, until = day_bounds(in_shanghai(now).date())
    async with db.transaction() as conn:
        found = await queries.find_expected(conn, office_id, booking_id, start, until)
        if not found:
            raise NotExpected
        if len(found) > 1:
            raise SeveralExpected
        [booking] = await lock_bookings(conn, found)
        if booking.stage is Stage.CHECKED_IN:
            return booking
        if (
            booking.stage is not Stage.BOOKED
            or booking.office_id != office_id
            or not start <= booking.starts_at < until
        ):
            raise NotExpected  # cancelled, or moved elsewhere, between the look and the lock
        await queries.mark_checked_in(conn, found[0], now=now)
        await audit.record(
            conn, actor=f"staff:{staff_id}", act="appointments.check_in", subject=f"booking:{booking_id}",
            now=now, detail={"office": str(office_id)},
        )  # fmt: skip
    return replace(booking, stage=Stage.CHECKED_IN, checked_in_at=now, changed_at=now)
