"""A resident gives a place back."""

from msgspec.structs import replace

from appointments import changing, queries
from appointments.errors import CancellationClosed, NotBooked
from appointments.freeing import give_back
from appointments.model import Booking, EndedBy, Stage
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BookingId, PersonId


async def cancel(
    db: Database, clock: Clock, telling: Telling, sold_out: SoldOut, person_id: PersonId, booking_id: BookingId
) -> Booking:
    """Give the place back and owe the person a confirmation.

    The place, the booking and the message commit together or not at all. Cancelling twice returns the same booking
    and owes nothing more. Raises BookingNotFound, NotBooked, CancellationClosed.
    """

    async def attempt() -> Booking | None:
        return await _cancel_as_seen(db, clock, telling, await changing.read(db, (person_id, booking_id)))

    cancelled = await changing.until_settled(attempt)
    sold_out.forget(cancelled.slot_id)
    return cancelled


async def _cancel_as_seen(db: Database, clock: Clock, telling: Telling, seen: Booking) -> Booking | None:
    """Cancel a booking that is still as it was seen; None if it is not."""
    now = clock.now()
    if seen.stage is Stage.CANCELLED:
        return seen
    if seen.stage is not Stage.BOOKED:
        raise NotBooked
    if now >= seen.cancellable_until:
        raise CancellationClosed
    async with db.transaction() as conn:
        if not await changing.lock_as_seen(conn, seen):
            return None
        await give_back(
            conn, telling, seen.slot_id, seen.seq, service_id=seen.service_id,
            person_id=seen.person_id, booking_id=seen.booking_id, now=now,
        )  # fmt: skip
        await queries.mark_cancelled(conn, (seen.person_id, seen.booking_id), now=now)
        cancelled = replace(seen, stage=Stage.CANCELLED, changed_at=now, ended_by=EndedBy.PERSON)
        await telling.cancelled(conn, cancelled, now=now)
    return cancelled
