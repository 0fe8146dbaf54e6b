"""Builders for the desk: an office with counters, clerks, and people with numbers."""

from uuid import UUID, uuid4

import msgspec

from appointments.desk.hall.calling import Change
from appointments.desk.hall.model import Act, Counter, Ticket, TicketLane
from appointments.offices import offering
from appointments.parts import Appointments
from kernel.db import Database
from kernel.ids import DepartmentId, OfficeId, ServiceId, SessionId, StaffId
from kernel.principal import Staff
from tests.builders_appointments import a_desk, a_service, an_office

PASSPORT, LICENCE = "passport", "licence"


class Hall(msgspec.Struct):
    """An office with two services, and whatever its clerks do."""

    db: Database
    appointments: Appointments
    office_id: OfficeId
    passport: ServiceId
    licence: ServiceId

    @classmethod
    async def of(cls, db: Database, appointments: Appointments) -> "Hall":
        office_id = await an_office(db)
        passport, licence = await a_service(db, PASSPORT), await a_service(db, LICENCE)
        await offering.plant(db, desks=[a_desk(office_id, passport), a_desk(office_id, licence)])
        await appointments.catalogues.refresh()
        return cls(db, appointments, office_id, passport, licence)

    def clerk(self, *, is_supervisor: bool = False) -> Staff:
        return Staff(
            StaffId(uuid4()), SessionId(uuid4()), DepartmentId(uuid4()), self.office_id, is_supervisor=is_supervisor
        )

    async def counter(self, clerk: Staff, number: int = 1, *services: ServiceId) -> Counter:
        served = services or (self.passport, self.licence)
        return await self.appointments.desks.open_counter(clerk, self.office_id, number, served)

    async def walk_in(
        self, lane: TicketLane = TicketLane.WALK_IN, *, service: ServiceId | None = None, ticket_id: UUID | None = None
    ) -> Ticket:
        ground = None if lane is TicketLane.WALK_IN else "elderly"
        return await self.appointments.desks.take_ticket(
            self.clerk(), self.office_id, ticket_id or uuid4(), service or self.passport, lane, ground
        )

    async def call(self, clerk: Staff, counter: Counter) -> tuple[Counter, Ticket | None]:
        return await self.appointments.desks.calling.call_next(clerk, self.office_id, counter.number, counter.version)

    async def do(self, clerk: Staff, ticket: Ticket, act: Act, **more: object) -> Ticket:
        change = msgspec.convert({"act": act.value, **more}, Change)
        calling = self.appointments.desks.calling
        return await calling.change(clerk, self.office_id, ticket.ticket_id, ticket.version, change)

    async def serve(self, clerk: Staff, counter: Counter) -> tuple[Counter, Ticket | None]:
        """Call the next number and finish its visit at once."""
        counter, ticket = await self.call(clerk, counter)
        return counter, None if ticket is None else await self.do(clerk, ticket, Act.FINISH)
