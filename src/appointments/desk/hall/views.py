"""Queue numbers and counters as staff and residents see them: hours in Shanghai, names in both languages."""

from datetime import datetime
from uuid import UUID

import msgspec

from appointments import moments
from appointments.desk.hall.estimating import Hall, ahead_of, minutes_of, wait_of
from appointments.desk.hall.model import Counter, Ticket, TicketLane, TicketStage
from appointments.model import Catalogue
from appointments.offices.views import OfficeView
from kernel.clock import in_shanghai


class TicketView(msgspec.Struct):
    """A queue number. `number` is what is printed and called; `turn_at` orders its lane; `version` counts what became
    of it, and is sent back with whatever is done next."""

    ticket_id: UUID
    number: str
    lane: TicketLane
    stage: TicketStage
    version: int
    service_id: UUID
    service_zh: str
    service_en: str
    booking_id: UUID | None
    taken_at: datetime
    turn_at: datetime
    counter: int | None
    for_counter: int | None
    calls: int
    called_at: datetime | None
    served_from: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, ticket: Ticket, catalogue: Catalogue) -> "TicketView":
        service = catalogue.services[ticket.service_id]
        return cls(
            ticket_id=ticket.ticket_id,
            number=ticket.label,
            lane=ticket.lane,
            stage=ticket.stage,
            version=ticket.version,
            service_id=ticket.service_id,
            service_zh=service.name_zh,
            service_en=service.name_en,
            booking_id=ticket.booking_id,
            taken_at=in_shanghai(ticket.taken_at),
            turn_at=in_shanghai(ticket.rank_at),
            counter=ticket.counter,
            for_counter=ticket.for_counter,
            calls=ticket.calls,
            called_at=moments.shown(ticket.called_at),
            served_from=moments.shown(ticket.served_from),
            ended_at=moments.shown(ticket.ended_at),
        )


class TicketsView(msgspec.Struct):
    """The numbers that wait or are at a counter, those with the earliest turn first."""

    as_of: datetime
    tickets: list[TicketView]


class CounterView(msgspec.Struct):
    """A counter of an office. `version` counts its calls, and is sent back with the next one."""

    counter: int
    is_open: bool
    is_mine: bool
    opened_at: datetime | None
    service_ids: list[UUID]
    version: int
    ticket_id: UUID | None

    @classmethod
    def of(cls, counter: Counter, staff_id: UUID) -> "CounterView":
        return cls(
            counter=counter.number,
            is_open=counter.is_open,
            is_mine=counter.staff_id == staff_id,
            opened_at=moments.shown(counter.opened_at),
            service_ids=list(counter.service_ids),
            version=counter.version,
            ticket_id=counter.ticket_id,
        )


class CountersView(msgspec.Struct):
    counters: list[CounterView]


class CalledView(msgspec.Struct):
    """What a call came to; `ticket` is null when nobody waits for this counter."""

    counter: CounterView
    ticket: TicketView | None


class OwnTicketView(msgspec.Struct):
    """A number of mine today. `ahead` are called before me as everything stands, `wait_minutes` is about how long that
    takes (null while no counter is open for me)."""

    ticket_id: UUID
    office: OfficeView
    number: str
    lane: TicketLane
    stage: TicketStage
    service_id: UUID
    service_zh: str
    service_en: str
    booking_id: UUID | None
    taken_at: datetime
    turn_at: datetime
    counter: int | None
    ahead: int | None
    wait_minutes: int | None
    as_of: datetime

    @classmethod
    def of(cls, ticket: Ticket, hall: Hall, catalogue: Catalogue) -> "OwnTicketView":
        service = catalogue.services[ticket.service_id]
        waits = ticket.stage is TicketStage.WAITING
        return cls(
            ticket_id=ticket.ticket_id,
            office=OfficeView.of(catalogue.offices[ticket.office_id]),
            number=ticket.label,
            lane=ticket.lane,
            stage=ticket.stage,
            service_id=ticket.service_id,
            service_zh=service.name_zh,
            service_en=service.name_en,
            booking_id=ticket.booking_id,
            taken_at=in_shanghai(ticket.taken_at),
            turn_at=in_shanghai(ticket.rank_at),
            counter=ticket.counter,
            ahead=ahead_of(ticket, hall) if waits else None,
            wait_minutes=minutes_of(wait_of(ticket, hall)) if waits else None,
            as_of=in_shanghai(hall.as_of),
        )


class OwnTicketsView(msgspec.Struct):
    """My numbers of today, in the order they were taken."""

    tickets: list[OwnTicketView]
