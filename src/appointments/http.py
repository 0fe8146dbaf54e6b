"""What residents do about appointments, over HTTP: for the app under /resident, for the mini-program under /mini."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from appointments import changing
from appointments.desk import http as desk_http
from appointments.errors import (
    AlreadyBooked,
    BookingIdTaken,
    BookingNotFound,
    CancellationClosed,
    CursorUnknown,
    DaysOutOfRange,
    NotBooked,
    OtherService,
    ReschedulingClosed,
    SlotFull,
    SlotNotFound,
    SlotPast,
    TimesOverlap,
    TooManyChanges,
)
from appointments.model import Booking
from appointments.offices import searching
from appointments.offices.offering import DAYS_AHEAD
from appointments.offices.searching import Wish, search
from appointments.paging import CURSOR_MAX, Position, position_of
from appointments.parts import Appointments
from appointments.showing_bookings import LIMIT_MAX, bookings_of
from appointments.views import BookingsView, BookingView, OfficesView, ServicesView, SlotsView, SlotView
from kernel.audience import OPEN, Handlers
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, PartAway, RealNameNeeded
from kernel.ids import BookingId, ServiceId, SlotId
from kernel.principal import Audience, Citizen, Resident
from kernel.problems import refuses

Cursor = Annotated[str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")]
District = Annotated[
    str | None, QueryParameter(pattern=r"^[0-9]{6}$(?!\n)", description="Six-digit code of GB/T 2260.")
]
Known = Annotated[str | None, HeaderParameter(name="If-None-Match", max_length=200)]
_CATALOGUE = {
    304: ResponseSpec(data_container=None, generate_examples=False, description="You have the newest."),
    **refuses(MalformedRequest),
}


class BookingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The slot to be in."""

    slot_id: UUID


@get(
    "/offices",
    operation_id="listOffices",
    summary="Offices and their weekly hours",
    opt={OPEN: True},
    security=[{}],
    responses=_CATALOGUE,
)
async def list_offices(appointments: NamedDependency[Appointments], known: Known = None) -> Response[OfficesView]:
    """Every office, the services it has a desk for, and when that is open."""
    catalogue = appointments.catalogues.current
    return _unless_known(catalogue.etag, known, lambda: OfficesView.of(catalogue))


@get(
    "/services",
    operation_id="listServices",
    summary="What can be booked",
    opt={OPEN: True},
    security=[{}],
    responses=_CATALOGUE,
)
async def list_services(appointments: NamedDependency[Appointments], known: Known = None) -> Response[ServicesView]:
    """Every service that can be booked, the department that answers for it, and what to bring."""
    catalogue = appointments.catalogues.current
    return _unless_known(catalogue.etag, known, lambda: ServicesView.of(catalogue))


@get(
    "/slots",
    operation_id="searchSlots",
    summary="Hours of a service, and how many places are free",
    responses=refuses(MalformedRequest, CursorUnknown, DaysOutOfRange),
)
async def search_slots(
    resident: NamedDependency[Resident],
    appointments: NamedDependency[Appointments],
    service_id: Annotated[UUID, QueryParameter()],
    district: District = None,
    first_day: Annotated[
        date | None, QueryParameter(name="from", description="A day in Shanghai; today if left out.")
    ] = None,
    last_day: Annotated[
        date | None, QueryParameter(name="to", description="The last day; two weeks after if left out.")
    ] = None,
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=searching.LIMIT_MAX)] = 50,
) -> SlotsView:
    """Slots that have not begun, earliest first, those sold out with `free` 0. Days are Shanghai's."""
    del resident  # whoever is signed in may look
    first = first_day or in_shanghai(appointments.clock.now()).date()
    last = last_day or searching.days_after(first, DAYS_AHEAD)
    wish = Wish(service_id=ServiceId(service_id), district=district, first_day=first, last_day=last)
    after = position_of(cursor) if cursor else None
    offers = await search(appointments.db, appointments.clock, wish, after, limit)
    more = Position.of(offers[-1].slot.starts_at, offers[-1].slot.slot_id).cursor() if len(offers) == limit else None
    return SlotsView([SlotView.of(offer) for offer in offers], more)


@put(
    "/bookings/{booking_id:uuid}",
    operation_id="bookPlace",
    summary="Book a place in a slot",
    status_code=201,
    responses=refuses(
        MalformedRequest,
        RealNameNeeded,
        SlotNotFound,
        SlotPast,
        SlotFull,
        AlreadyBooked,
        TimesOverlap,
        BookingIdTaken,
        TooManyChanges,
        PartAway,
    ),
)
async def book_place(
    booking_id: FromPath[UUID],
    data: JSONBody[BookingRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
) -> BookingView:
    """Book a place in a slot. The caller chooses the id, so a retry cannot book twice: it gets the same booking."""
    booking = await appointments.book(BookingId(booking_id), SlotId(data.slot_id), citizen.person_id)
    return await _view(appointments, booking)


@get(
    "/bookings",
    operation_id="listBookings",
    summary="My bookings",
    responses=refuses(MalformedRequest, CursorUnknown, RealNameNeeded),
)
async def list_bookings(
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)] = 20,
) -> BookingsView:
    """All my bookings, whatever became of them, latest hour first."""
    before = position_of(cursor) if cursor else None
    found = await bookings_of(appointments.db, citizen.person_id, before, limit)
    more = Position.of(found[-1].starts_at, found[-1].booking_id).cursor() if len(found) == limit else None
    return BookingsView([await _view(appointments, booking) for booking in found], more)


@get(
    "/bookings/{booking_id:uuid}",
    operation_id="readBooking",
    summary="One of my bookings",
    responses=refuses(MalformedRequest, RealNameNeeded, BookingNotFound),
)
async def read_booking(
    booking_id: FromPath[UUID], citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> BookingView:
    """Where to be and when, what to bring, and how the booking stands."""
    booking = await changing.read(appointments.db, (citizen.person_id, BookingId(booking_id)))
    return await _view(appointments, booking)


@delete(
    "/bookings/{booking_id:uuid}",
    operation_id="cancelBooking",
    summary="Give my place back",
    status_code=200,
    responses=refuses(MalformedRequest, RealNameNeeded, BookingNotFound, NotBooked, CancellationClosed, PartAway),
)
async def cancel_booking(
    booking_id: FromPath[UUID], citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> BookingView:
    """Cancel a booking. Cancelling it again answers the same."""
    booking = await appointments.cancel(citizen.person_id, BookingId(booking_id))
    return await _view(appointments, booking)


@post(
    "/bookings/{booking_id:uuid}/reschedule",
    operation_id="rescheduleBooking",
    summary="Move my booking to another slot",
    status_code=200,
    responses=refuses(
        MalformedRequest, RealNameNeeded, BookingNotFound, NotBooked, ReschedulingClosed, SlotNotFound, SlotPast,
        SlotFull, OtherService, TimesOverlap, TooManyChanges, PartAway,
    ),
)  # fmt: skip
async def reschedule_booking(
    booking_id: FromPath[UUID],
    data: JSONBody[BookingRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
) -> BookingView:
    """Take a place in another slot of the same service; the old place is given back in the same moment, or not at all.

    Asking again for the slot the booking is in answers the same.
    """
    booking = await appointments.reschedule(citizen.person_id, BookingId(booking_id), SlotId(data.slot_id))
    return await _view(appointments, booking)


async def _view(appointments: Appointments, booking: Booking) -> BookingView:
    return BookingView.of(booking, await appointments.catalogues.knowing(booking.office_id, booking.service_id))


def _unless_known(etag: str, known: str | None, view: Callable[[], Any]) -> Response[Any]:
    headers = {"ETag": etag, "Cache-Control": "private, max-age=60"}
    if known is not None and etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(None, status_code=304, headers=headers)
    return Response(view(), headers=headers)


_RESIDENTS: Sequence[HTTPRouteHandler] = (
    list_offices,
    list_services,
    search_slots,
    book_place,
    list_bookings,
    read_booking,
    cancel_booking,
    reschedule_booking,
)
HANDLERS: Handlers = {
    Audience.RESIDENT: _RESIDENTS,
    Audience.MINI: _RESIDENTS,
    Audience.DEPARTMENT: desk_http.HANDLERS,
}
