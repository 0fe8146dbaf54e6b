"""Appointments, wired: what the rest of the city opens and hands to handlers and beats."""

from collections.abc import Sequence
from typing import Self
from uuid import UUID

from appointments import cancelling, closing, reminding
from appointments.absence.appealing import Appealing
from appointments.accounts.exporting import Exporting
from appointments.accounts.leaving import Leaving
from appointments.acting import Acting, Mandates, NoMandates
from appointments.after import asking
from appointments.after.noting import Results
from appointments.after.rating import Ratings
from appointments.asking import NOTHING_MORE, Asked, Particulars
from appointments.booking import Booker
from appointments.desk.parts import Desks
from appointments.desk.recognising import Recognises, RecognisesNobody
from appointments.entitling import Entitling
from appointments.filing import Filing
from appointments.holds.holding import Holding
from appointments.ics.subscribing import Feeds
from appointments.model import Booking, Hold
from appointments.offices import offering
from appointments.offices.catalogue import Catalogues
from appointments.offices.queries import select_slots
from appointments.offices.replanning.moving import Mover
from appointments.offices.setting import Setting
from appointments.offices.trips.positions import Departments, NoDepartments
from appointments.pacing import Pace
from appointments.paging import Position
from appointments.rescheduling import Rescheduling
from appointments.rush.gate import Gate
from appointments.seals import Seals
from appointments.showing_bookings import booked_by
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from appointments.waiting.joining import Joining
from appointments.waiting.passing_on import PassingOn
from appointments.waiting.taking import Taking
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BookingId, PersonId, SlotId
from kernel.limits import Limits
from kernel.people import People
from kernel.sealing import Keys
from kernel.snapshots import Refreshable
from notifications.outbox import Outbox


class Appointments:
    """One per process. `snapshots` are to be kept fresh by whoever opened it."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        outbox: Outbox,
        limits: Limits,
        *,
        gate: Gate,
        keys: Keys,
        people: People,
        mandates: Mandates | None = None,
        public_origin: str = "",
    ) -> None:
        self.db = db
        self.clock = clock
        self.gate = gate
        self.public_origin = public_origin
        self.seals = Seals(keys)
        self.catalogues = Catalogues(db)
        self._telling = Telling(outbox, self.catalogues)
        self._sold_out = SoldOut()
        self._pace = Pace(limits)
        self.departments: Departments = NoDepartments()
        """Given by the entrance, which speaks with them, once it has been opened."""
        self.setting = Setting(db, clock, lambda: self.departments)
        self.mover = Mover(db, clock, self._telling, self._sold_out)
        self.mandates = mandates = Acting(mandates or NoMandates())
        entitling = Entitling(db, people, self.seals, self.catalogues)
        filing = Filing(self._telling, mandates)
        self.holding = Holding(
            db, clock, self._telling, entitling, filing, mandates, gate, self._sold_out, self._pace
        )  # fmt: skip
        self.booker = Booker(
            db, clock, entitling, filing, self.holding, mandates, gate, self._sold_out, self._pace
        )  # fmt: skip
        self._rescheduling = Rescheduling(
            db, clock, self._telling, entitling, gate, self.seals, self._sold_out, self._pace
        )  # fmt: skip
        self.exporting = Exporting(db, self.seals, self.catalogues)
        self.leaving = Leaving(clock, self._telling, self._sold_out)
        self.feeds = Feeds(db, clock, self.catalogues, keys.digester("appointments.feed"))
        self.results = Results(db, clock, self._telling, self.seals)
        self.ratings = Ratings(db, clock, self.seals)
        self._passing_on = PassingOn(db, clock, self._telling)
        self.appealing = Appealing(db, clock, self._telling, self.seals)
        self.joining = Joining(db, clock, self._telling, self.catalogues)
        self.taking = Taking(db, clock, self.booker, self._sold_out)
        self.recognises: Recognises = RecognisesNobody()
        """Given by the entrance, which knows people, once it has been opened."""
        self.desks = Desks(
            db, clock, outbox, self.catalogues, limits, self.book, lambda: self.recognises, self.seals
        )  # fmt: skip
        self.snapshots: list[Refreshable] = [self.catalogues, gate.releases.snapshot]

    @classmethod
    async def open(
        cls,
        db: Database,
        clock: Clock,
        outbox: Outbox,
        limits: Limits,
        *,
        gate: Gate,
        keys: Keys,
        people: People,
        mandates: Mandates | None = None,
        public_origin: str = "",
    ) -> Self:
        """Open with the catalogue and the releases read once."""
        opened = cls(
            db,
            clock,
            outbox,
            limits,
            gate=gate,
            keys=keys,
            people=people,
            mandates=mandates,
            public_origin=public_origin,
        )
        for snapshot in opened.snapshots:
            await snapshot.refresh()
        return opened

    async def whose(self, citizen_id: PersonId, mandate_id: UUID | None) -> PersonId:
        """Whose something is that a citizen asks about: their own, or the holder's of a mandate that stands and lets
        them book. Raises MandateRefused."""
        if mandate_id is None:
            return citizen_id
        return await self.mandates.holder_of(citizen_id, mandate_id, now=self.clock.now())

    async def book(
        self, booking_id: BookingId, slot_id: SlotId, person_id: PersonId, particulars: Particulars = NOTHING_MORE
    ) -> Booking:
        """See `Booker.book`."""
        return await self.booker.book(booking_id, slot_id, person_id, particulars)

    async def hold(
        self, booking_id: BookingId, slot_id: SlotId, person_id: PersonId, particulars: Particulars = NOTHING_MORE
    ) -> Hold:
        """See `Holding.hold`."""
        async with self.db.connection() as conn:
            slot = (await select_slots(conn, [slot_id])).get(slot_id)
        return await self.holding.hold(Asked(person_id, booking_id, 0, particulars), slot)

    async def booked_for_others(
        self, agent: PersonId, before: Position | None, limit: int
    ) -> tuple[Sequence[Booking], Sequence[Booking]]:
        """See `showing_bookings.booked_by`."""
        return await booked_by(self.db, self.mandates, agent, before, limit, now=self.clock.now())

    async def cancel(self, person_id: PersonId, booking_id: BookingId) -> Booking:
        """See `cancelling.cancel`."""
        return await cancelling.cancel(self.db, self.clock, self._telling, self._sold_out, person_id, booking_id)

    async def reschedule(
        self, person_id: PersonId, booking_id: BookingId, slot_id: SlotId, particulars: Particulars = NOTHING_MORE
    ) -> Booking:
        """See `Rescheduling.reschedule`."""
        return await self._rescheduling.reschedule(person_id, booking_id, slot_id, particulars)

    async def forget_holds(self) -> int:
        """A beat of the worker, every few seconds: see `Holding.forget_ended`."""
        return await self.holding.forget_ended()

    async def remind_due(self, bucket: int) -> int:
        """A beat of the worker, every few seconds for each bucket it owns: see `reminding.remind_due`."""
        return await reminding.remind_due(self.db, self.clock, self._telling, bucket)

    async def ask_due(self, bucket: int) -> int:
        """A beat of the worker, every few minutes for each bucket it owns: see `after.asking.ask_due`."""
        return await asking.ask_due(self.db, self.clock, self._telling, bucket)

    async def close_due(self, bucket: int) -> int:
        """A beat of the worker, every few minutes for each bucket it owns: see `closing.close_due`."""
        return await closing.close_due(self.db, self.clock, self._telling, bucket)

    async def offer_freed(self) -> int:
        """A beat of the worker, every few seconds: see `waiting.passing_on.PassingOn.offer_freed`."""
        return await self._passing_on.offer_freed()

    async def offer_ahead(self) -> int:
        """A beat of the worker, every hour: see `offering.offer_ahead`."""
        return await offering.offer_ahead(self.db, self.clock)
