"""Counters and queue numbers over HTTP: staff under /department, residents look at their own."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec import Meta

from appointments.desk.errors import BookedHere, CounterClosed, TransferNowhere
from appointments.desk.hall import views
from appointments.desk.hall.calling import Change
from appointments.desk.hall.model import COUNTER_NUMBER_MAX, LATER_MINUTES_MAX, Act, Ticket, TicketLane
from appointments.desk.hall.tickets import GROUND_MAX
from appointments.desk.hall.views import (
    CalledView,
    CountersView,
    CounterView,
    OwnTicketsView,
    OwnTicketView,
    TicketsView,
    TicketView,
)
from appointments.desk.offices import office_of
from appointments.desk.recognising import ByCode, ByPhone
from appointments.errors import (
    AtAnotherCounter,
    CodeNotGood,
    CodesNotRead,
    CounterBusy,
    CounterChanged,
    CounterNotFound,
    CounterTaken,
    GroundNeeded,
    NoOffice,
    NotAtCounter,
    PhoneNotUnderstood,
    ReasonNeeded,
    ServiceNotHere,
    TicketChanged,
    TicketIdTaken,
    TicketNotFound,
    TicketNotThere,
    TooManyLooks,
)
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, PartAway, RealNameNeeded, RoleMissing
from kernel.ids import OfficeId, ServiceId
from kernel.principal import Audience, Citizen, Staff
from kernel.problems import refuses

SERVICES_MAX = 50
Version = Annotated[int, Meta(ge=1, le=1_000_000)]
CounterInPath = Annotated[int, PathParameter(ge=1, le=COUNTER_NUMBER_MAX)]
CounterNumber = Annotated[int, Meta(ge=1, le=COUNTER_NUMBER_MAX)]


class CounterRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What is served at my counter."""

    service_ids: Annotated[list[UUID], Meta(min_length=1, max_length=SERVICES_MAX)]


class CallRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`expected` is the counter's `version` as I saw it; sent again after a lost answer, the same number."""

    expected: Version


class TicketRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A walk-in. Urgent and special numbers need a `ground`, in a few words; it is recorded, so no names.

    `person`: how they let themselves be known, if they wish to see their number in their own app and be told when it is
    nearly their turn; left out, the number is nobody's.
    """

    service_id: UUID
    lane: Literal["walk_in", "urgent", "special"] = "walk_in"
    ground: Annotated[str, Meta(min_length=1, max_length=GROUND_MAX, pattern=r"^[a-z_]+$(?!\n)")] | None = None
    person: ByCode | ByPhone | None = None


class ChangeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`expected` is the number's `version` as I saw it; sent again after a lost answer, the same is answered."""

    expected: Version


class PutBackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """With `later_minutes`, not to be called before that."""

    expected: Version
    later_minutes: Annotated[int, Meta(ge=0, le=LATER_MINUTES_MAX)] = 0


class TransferRequest(msgspec.Struct, forbid_unknown_fields=True):
    """To another service, to one counter, or both; rank and number stay."""

    expected: Version
    service_id: UUID | None = None
    counter: CounterNumber | None = None


@get("/desk/counters", operation_id="listCounters", summary="The counters of my office",
     responses=refuses(RoleMissing, NoOffice))  # fmt: skip
async def list_counters(staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]) -> CountersView:
    """Every counter that was ever opened, by number; which are open, and which is mine."""
    found = await appointments.desks.counters(office_of(staff))
    return CountersView([CounterView.of(counter, staff.staff_id) for counter in found])


@put("/desk/counters/{counter:int}", operation_id="openCounter", summary="Sit at a counter and open it",
     responses=refuses(
         MalformedRequest, RoleMissing, NoOffice, ServiceNotHere, CounterTaken, AtAnotherCounter,
     ))  # fmt: skip
async def open_counter(
    counter: CounterInPath,
    data: JSONBody[CounterRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> CounterView:
    """Serve these services there. I sit at one counter, and nobody else sits at mine."""
    services = [ServiceId(one) for one in data.service_ids]
    opened = await appointments.desks.open_counter(staff, office_of(staff), counter, services)
    return CounterView.of(opened, staff.staff_id)


@post("/desk/counters/{counter:int}/close", operation_id="closeCounter", summary="Leave a counter", status_code=200,
      responses=refuses(
          MalformedRequest, RoleMissing, NoOffice, CounterNotFound, NotAtCounter, CounterBusy,
      ))  # fmt: skip
async def close_counter(
    counter: CounterInPath, staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> CounterView:
    """Nobody is called to it any more. My own, or as the supervisor anybody's."""
    closed = await appointments.desks.close_counter(staff, office_of(staff), counter)
    return CounterView.of(closed, staff.staff_id)


@post("/desk/counters/{counter:int}/call", operation_id="callNext", summary="Call the next number", status_code=200,
      responses=refuses(
          MalformedRequest, RoleMissing, NoOffice, CounterNotFound, NotAtCounter, CounterBusy, CounterChanged,
      ))  # fmt: skip
async def call_next(
    counter: CounterInPath,
    data: JSONBody[CallRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> CalledView:
    """Special before urgent before booked (whose hour has come) before walk-in; after three such calls in a row the
    ordinary ones have their turn. Two counters never call one number."""
    office_id = office_of(staff)
    at, ticket = await appointments.desks.calling.call_next(staff, office_id, counter, data.expected)
    shown = None if ticket is None else await _view(appointments, office_id, ticket)
    return CalledView(CounterView.of(at, staff.staff_id), shown)


@get("/desk/tickets", operation_id="listTickets", summary="Who waits, and who is at a counter",
     responses=refuses(RoleMissing, NoOffice))  # fmt: skip
async def list_tickets(staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]) -> TicketsView:
    """The numbers of today that wait, are called or are being served, earliest turn first."""
    office_id = office_of(staff)
    hall = await appointments.desks.hall(office_id)
    catalogue = await appointments.catalogues.knowing_office(office_id)
    return TicketsView(in_shanghai(hall.as_of), [TicketView.of(one, catalogue) for one in hall.tickets])


@put("/desk/tickets/{ticket_id:uuid}", operation_id="takeTicket", summary="A number for a walk-in",
     responses=refuses(MalformedRequest, RoleMissing, NoOffice, ServiceNotHere, TicketIdTaken, ReasonNeeded,
                       GroundNeeded, BookedHere, CodeNotGood, CodesNotRead, PhoneNotUnderstood, TooManyLooks,
                       PartAway))  # fmt: skip
async def take_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[TicketRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """At the desk, or at a kiosk of the office. The id is yours to choose: asked again, the same number is answered.

    By phone the answer is the same whether the number is known or not: a paper number always does. Whoever is booked
    here for this today is to be checked in instead.
    """
    lane, office_id = TicketLane(data.lane), office_of(staff)
    if lane is TicketLane.URGENT and data.ground is None:
        raise ReasonNeeded("say it in a word as `ground`")
    if lane is TicketLane.SPECIAL and data.ground is None:
        raise GroundNeeded("say it in a word as `ground`: elderly, disabled, pregnant, with_infant")
    ticket = await appointments.desks.take_ticket(
        staff, office_id, ticket_id, ServiceId(data.service_id), lane, data.ground, data.person
    )
    return await _view(appointments, office_id, ticket)


@get("/desk/tickets/{ticket_id:uuid}", operation_id="readTicket", summary="A number of my office",
     responses=refuses(MalformedRequest, RoleMissing, NoOffice, TicketNotFound))  # fmt: skip
async def read_ticket(
    ticket_id: FromPath[UUID], staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> TicketView:
    """Whatever became of it."""
    office_id = office_of(staff)
    return await _view(appointments, office_id, await appointments.desks.ticket(office_id, ticket_id))


_CHANGING = (
    MalformedRequest, RoleMissing, NoOffice, TicketNotFound, TicketChanged, TicketNotThere, NotAtCounter,
    CounterNotFound,
)  # fmt: skip
_CHANGES = refuses(*_CHANGING)


@post("/desk/tickets/{ticket_id:uuid}/recall", operation_id="recallTicket", summary="Call a number again",
      status_code=200, responses=_CHANGES)  # fmt: skip
async def recall_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[ChangeRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """The display shows it anew; calls are counted."""
    return await _change(appointments, staff, ticket_id, data.expected, Change(Act.RECALL))


@post("/desk/tickets/{ticket_id:uuid}/start", operation_id="startTicket", summary="They have come to the counter",
      status_code=200, responses=_CHANGES)  # fmt: skip
async def start_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[ChangeRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """From now on the visit's time is measured."""
    return await _change(appointments, staff, ticket_id, data.expected, Change(Act.START))


@post("/desk/tickets/{ticket_id:uuid}/done", operation_id="finishTicket", summary="The visit is over",
      status_code=200, responses=_CHANGES)  # fmt: skip
async def finish_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[ChangeRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """A booked visit ends as served in the same moment."""
    return await _change(appointments, staff, ticket_id, data.expected, Change(Act.FINISH))


@post("/desk/tickets/{ticket_id:uuid}/missed", operation_id="missTicket", summary="Nobody came when called",
      status_code=200, responses=_CHANGES)  # fmt: skip
async def miss_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[ChangeRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """It can be put back when they turn up after all. Their booking is no no-show: they had checked in."""
    return await _change(appointments, staff, ticket_id, data.expected, Change(Act.MISS))


@post("/desk/tickets/{ticket_id:uuid}/put-back", operation_id="putBackTicket", summary="Let a number wait again",
      status_code=200, responses=_CHANGES)  # fmt: skip
async def put_back_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[PutBackRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """With its rank, or for some minutes later."""
    change = Change(Act.PUT_BACK, later_minutes=data.later_minutes)
    return await _change(appointments, staff, ticket_id, data.expected, change)


@post("/desk/tickets/{ticket_id:uuid}/transfer", operation_id="transferTicket", summary="Send a number elsewhere",
      status_code=200, responses=refuses(*_CHANGING, ServiceNotHere, CounterClosed, TransferNowhere))  # fmt: skip
async def transfer_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[TransferRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """It waits there with the rank it has: nobody lines up twice. To let it wait where it was, put it back."""
    if data.service_id is None and data.counter is None:
        raise TransferNowhere
    service_id = None if data.service_id is None else ServiceId(data.service_id)
    change = Change(Act.TRANSFER, service_id=service_id, for_counter=data.counter)
    return await _change(appointments, staff, ticket_id, data.expected, change)


@post("/desk/tickets/{ticket_id:uuid}/leave", operation_id="leaveTicket", summary="A number is given back",
      status_code=200, responses=_CHANGES)  # fmt: skip
async def leave_ticket(
    ticket_id: FromPath[UUID],
    data: JSONBody[ChangeRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> TicketView:
    """Before it was called."""
    return await _change(appointments, staff, ticket_id, data.expected, Change(Act.LEAVE))


@get("/tickets", operation_id="listOwnTickets", summary="My queue numbers of today", responses=refuses(RealNameNeeded))
async def list_own_tickets(
    citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> OwnTicketsView:
    """Those that checking in gave me, and those I took as a walk-in and let the desk know whose they are: with how many
    are before me and about how long that takes."""
    return OwnTicketsView(await _own(appointments, citizen))


@get("/tickets/{ticket_id:uuid}", operation_id="readOwnTicket", summary="A queue number of mine",
     responses=refuses(MalformedRequest, RealNameNeeded, TicketNotFound))  # fmt: skip
async def read_own_ticket(
    ticket_id: FromPath[UUID], citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> OwnTicketView:
    """Of today."""
    for ticket in await _own(appointments, citizen):
        if ticket.ticket_id == ticket_id:
            return ticket
    raise TicketNotFound


async def _own(appointments: Appointments, citizen: Citizen) -> list[OwnTicketView]:
    found = await appointments.desks.tickets_of_person(citizen.person_id)
    return [
        OwnTicketView.of(ticket, hall, await appointments.catalogues.knowing_office(ticket.office_id))
        for ticket, hall in found
    ]


async def _change(
    appointments: Appointments, staff: Staff, ticket_id: UUID, expected: int, change: Change
) -> TicketView:
    office_id = office_of(staff)
    changed = await appointments.desks.calling.change(staff, office_id, ticket_id, expected, change)
    return await _view(appointments, office_id, changed)


async def _view(appointments: Appointments, office_id: OfficeId, ticket: Ticket) -> TicketView:
    return views.TicketView.of(ticket, await appointments.catalogues.knowing_office(office_id))


_OWN = (list_own_tickets, read_own_ticket)
HANDLERS: Handlers = {
    Audience.DEPARTMENT: (
        list_counters, open_counter, close_counter, call_next, list_tickets, take_ticket, read_ticket, recall_ticket,
        start_ticket, finish_ticket, miss_ticket, put_back_ticket, transfer_ticket, leave_ticket,
    ),
    Audience.RESIDENT: _OWN,
    Audience.MINI: _OWN,
}  # fmt: skip
