"""Appointments, wired: what the rest of the city opens and hands to handlers and beats."""

from typing import Self

from appointments import cancelling, closing, reminding, rescheduling
from appointments.booking import Booker
from appointments.model import Booking
from appointments.offices import offering
from appointments.offices.catalogue import Catalogues
from appointments.pacing import Pace
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BookingId, PersonId, SlotId
from kernel.limits import Limits
from kernel.snapshots import Refreshable
from notifications.outbox import Outbox


class Appointments:
    """One per process. `snapshots` are to be kept fresh by whoever opened it."""

    def __init__(self, db: Database, clock: Clock, outbox: Outbox, limits: Limits) -> None:
        self.db = db
        self.clock = clock
        self.catalogues = Catalogues(db)
        self._telling = Telling(outbox, self.catalogues)
        self._sold_out = SoldOut()
        self._pace = Pace(limits)
        self.booker = Booker(db, clock, self._telling, self._sold_out, self._pace)
        self.snapshots: list[Refreshable] = [self.catalogues]

    @classmethod
    async def open(cls, db: Database, clock: Clock, outbox: Outbox, limits: Limits) -> Self:
        """Open with the catalogue read once."""
        opened = cls(db, clock, outbox, limits)
        await opened.catalogues.refresh()
        return opened

    async def book(self, booking_id: BookingId, slot_id: SlotId, person_id: PersonId) -> Booking:
        """See `Booker.book`."""
        return await self.booker.book(booking_id, slot_id, person_id)

    async def cancel(self, person_id: PersonId, booking_id: BookingId) -> Booking:
        """See `cancelling.cancel`."""
        return await cancelling.cancel(self.db, self.clock, self._telling, self._sold_out, person_id, booking_id)

    async def reschedule(self, person_id: PersonId, booking_id: BookingId, slot_id: SlotId) -> Booking:
        """See `rescheduling.reschedule`."""
        return await rescheduling.reschedule(
            self.db, self.clock, self._telling, self._sold_out, self._pace, person_id, booking_id, slot_id
        )

    async def remind_due(self, bucket: int) -> int:
        """A beat of the worker, every few seconds for each bucket it owns: see `reminding.remind_due`."""
        return await reminding.remind_due(self.db, self.clock, self._telling, bucket)

    async def close_due(self, bucket: int) -> int:
        """A beat of the worker, every few minutes for each bucket it owns: see `closing.close_due`."""
        return await closing.close_due(self.db, self.clock, bucket)

    async def offer_ahead(self) -> int:
        """A beat of the worker, every hour: see `offering.offer_ahead`."""
        return await offering.offer_ahead(self.db, self.clock)
