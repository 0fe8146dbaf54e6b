"""What people did at an earlier hour, done now: so that a demo can show what becomes of it without waiting.

Nothing is written past the rules: what is asked here is asked of the same parts as ever, by a clock that stands still
at that hour. Each concerns one place of one person.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from appointments.due import due_bucket
from appointments.errors import HoldNotFound, ServiceNotHere
from appointments.model import Booking, Hold, Slot, slot_id_of
from appointments.offices import offering
from appointments.offices.planning import closes_at
from appointments.parts import Appointments
from kernel.clock import Clock, StoppedClock
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId

BOOKED_BEFORE: Final = timedelta(hours=1)
"""How long before the last moment to book a visit counts as booked: too late for any reminder of it."""
VISIT_BACK_MAX: Final = timedelta(days=2)
VISIT_AHEAD_MAX: Final = timedelta(hours=1)
BATCHES_MAX: Final = 100


class Earlier:
    """Opens appointments as of another hour. `opened` makes them for a clock."""

    def __init__(self, opened: Callable[[Clock], Appointments]) -> None:
        self._opened = opened

    async def age_hold(self, now: Appointments, person_id: PersonId, booking_id: BookingId, by: timedelta) -> Hold:
        """Keep the place of a hold anew, as if it had been kept so much earlier; what is over then is free at once.

        Raises HoldNotFound, also for what was offered from a waiting list, and what holding it raises.
        """
        found = [hold for hold in await now.holding.of(person_id) if hold.booking_id == booking_id]
        if not found or found[0].waiting_id is not None:
            raise HoldNotFound
        [hold] = found
        then = await self._as_of(hold.held_at - by)
        await now.holding.release(person_id, booking_id)
        return await then.hold(booking_id, hold.slot_id, person_id)

    async def visit(
        self,
        now: Appointments,
        booking_id: BookingId,
        person_id: PersonId,
        office_id: OfficeId,
        service_id: ServiceId,
        starts_at: datetime,
    ) -> Booking:
        """A booking of an hour of its own, beside all others, as if it had been made before that hour.

        Where its day is over nobody came, and that day is closed for them now. Raises ServiceNotHere, and what booking
        raises.
        """
        catalogue = await now.catalogues.knowing(office_id, service_id)
        desks = [one for one in catalogue.desks if (one.office_id, one.service_id) == (office_id, service_id)]
        if not desks:
            raise ServiceNotHere
        closes, ref = closes_at(catalogue.services[service_id], starts_at), f"demo-{booking_id}"
        slot = Slot(
            slot_id=slot_id_of(office_id, service_id, starts_at, ref=ref), office_id=office_id, service_id=service_id,
            district=catalogue.offices[office_id].district, starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=desks[0].slot_minutes), places=1, closes_at=closes, ref=ref,
        )  # fmt: skip
        await offering.offer(now.db, [slot])
        then = await self._as_of(closes - BOOKED_BEFORE)
        booking = await then.book(booking_id, slot.slot_id, person_id)
        for _ in range(BATCHES_MAX):
            if not await now.close_due(due_bucket(person_id)):
                break
        return booking

    async def _as_of(self, moment: datetime) -> Appointments:
        then = self._opened(StoppedClock(moment))
        await then.catalogues.refresh()
        return then
