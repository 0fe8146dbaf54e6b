"""The desk, wired: what handlers ask of one office's counters, numbers and display."""

from collections.abc import Callable, Sequence
from datetime import date
from uuid import UUID

from appointments.answering import Told
from appointments.desk import booking_for, checking_in, overseeing, reporting
from appointments.desk.booking_for import BookedAtDesk, Books
from appointments.desk.display.boards import Displays
from appointments.desk.hall import counters, ending, tickets
from appointments.desk.hall.calling import Calling
from appointments.desk.hall.estimating import Hall
from appointments.desk.hall.looking import look_into
from appointments.desk.hall.model import Counter, Ticket, TicketLane
from appointments.desk.hall.tickets import WalkIn
from appointments.desk.recognising import ByCode, ByPhone, Recognises, look_by_phone
from appointments.desk.reporting import DayReport
from appointments.model import Booking
from appointments.offices.catalogue import Catalogues
from appointments.seals import Seals
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId
from kernel.limits import Limits
from kernel.principal import Staff
from notifications.outbox import Outbox


class Desks:
    """One per process. `books` is how a place is taken, `recognises` gives who knows people."""

    def __init__(
        self, db: Database, clock: Clock, outbox: Outbox, catalogues: Catalogues, limits: Limits, books: Books,
        recognises: Callable[[], Recognises], seals: Seals,
    ) -> None:  # fmt: skip
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._catalogues = catalogues
        self._limits = limits
        self._books = books
        self._recognises = recognises
        self._seals = seals
        self.calling = Calling(db, clock, outbox, catalogues)
        self.displays = Displays(db, clock, catalogues)

    async def open_counter(
        self, staff: Staff, office_id: OfficeId, number: int, service_ids: Sequence[ServiceId]
    ) -> Counter:
        """See `counters.open_counter`."""
        catalogue = await self._catalogues.knowing_office(office_id)
        return await counters.open_counter(self._db, self._clock, catalogue, staff, office_id, number, service_ids)

    async def close_counter(self, staff: Staff, office_id: OfficeId, number: int) -> Counter:
        """See `counters.close_counter`."""
        return await counters.close_counter(self._db, self._clock, staff, office_id, number)

    async def counters(self, office_id: OfficeId) -> list[Counter]:
        return await counters.counters_of(self._db, office_id)

    async def take_ticket(
        self, staff: Staff, office_id: OfficeId, ticket_id: UUID, service_id: ServiceId, lane: TicketLane,
        ground: str | None, known_by: ByCode | ByPhone | None = None,
    ) -> Ticket:  # fmt: skip
        """See `tickets.take_walk_in`."""
        catalogue = await self._catalogues.knowing_office(office_id)
        wanted = WalkIn(ticket_id=ticket_id, service_id=service_id, lane=lane, ground=ground, known_by=known_by)

        async def knows(shown: ByCode | ByPhone) -> PersonId | None:
            if isinstance(shown, ByCode):
                return await self._recognises().by_code(office_id, shown.code, shown.use_id)
            return await look_by_phone(
                self._db, self._clock, self._limits, self._recognises(), staff.staff_id, office_id, shown.phone
            )

        return await tickets.take_walk_in(self._db, self._clock, catalogue, staff, office_id, wanted, knows)

    async def ticket(self, office_id: OfficeId, ticket_id: UUID) -> Ticket:
        """See `tickets.ticket_of`."""
        return await tickets.ticket_of(self._db, office_id, ticket_id)

    async def ticket_of_booking(self, booking: Booking) -> Ticket | None:
        return await tickets.ticket_of_booking(self._db, booking)

    async def end_days(self) -> int:
        """A beat of the worker, every minute: see `ending.end_days`."""
        return await ending.end_days(self._db, self._clock)

    async def hall(self, office_id: OfficeId) -> Hall:
        """The hall of an office at this moment."""
        catalogue = await self._catalogues.knowing_office(office_id)
        return (await look_into(self._db, self._clock, catalogue, office_id))[0]

    async def tickets_of_person(self, person_id: PersonId) -> list[tuple[Ticket, Hall]]:
        """A person's numbers of today, each with the hall it is called in."""
        today = in_shanghai(self._clock.now()).date()
        own = await tickets.tickets_of_person(self._db, person_id, today)
        halls = {office_id: await self.hall(office_id) for office_id in {ticket.office_id for ticket in own}}
        return [(ticket, halls[ticket.office_id]) for ticket in own]

    async def check_in(self, staff: Staff, office_id: OfficeId, booking_id: BookingId) -> Booking:
        """See `checking_in.check_in`."""
        return await checking_in.check_in(self._db, self._clock, staff.staff_id, office_id, booking_id)

    async def check_in_by_code(self, staff: Staff, office_id: OfficeId, text: str, use_id: UUID) -> Booking:
        """See `checking_in.check_in_by_code`."""
        return await checking_in.check_in_by_code(
            self._db, self._clock, self._recognises(), staff.staff_id, office_id, text, use_id
        )

    async def check_in_by_phone(self, staff: Staff, office_id: OfficeId, phone: str) -> Booking:
        """See `checking_in.check_in_by_phone`."""
        return await checking_in.check_in_by_phone(
            self._db, self._clock, self._limits, self._recognises(), staff.staff_id, office_id, phone
        )

    async def book_for(self, staff: Staff, office_id: OfficeId, wanted: BookedAtDesk) -> Booking:
        """See `booking_for.book_for`."""
        return await booking_for.book_for(
            self._db, self._clock, self._outbox, self._catalogues, self._recognises(), self._books, staff, office_id,
            wanted,
        )  # fmt: skip

    async def told(self, staff: Staff, office_id: OfficeId, booking_id: BookingId) -> Told:
        """See `overseeing.told`."""
        return await overseeing.told(self._db, self._clock, self._seals, staff, office_id, booking_id)

    async def report(self, office_id: OfficeId, day: date | None) -> DayReport:
        """See `reporting.report_of_day`; today where no day is named."""
        catalogue = await self._catalogues.knowing_office(office_id)
        shown = day or in_shanghai(self._clock.now()).date()
        return await reporting.report_of_day(self._db, self._clock, catalogue, office_id, shown)
