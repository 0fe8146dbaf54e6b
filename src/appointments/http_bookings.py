"""Residents hold, book, move and cancel, for themselves or under a mandate, over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from appointments import answering, changing
from appointments.answering import ANSWERS_MAX, TEXT_MAX
from appointments.asking import Ground, Particulars
from appointments.errors import (
    AdmissionNeeded,
    AlreadyBooked,
    AnswersWrong,
    BookingIdTaken,
    BookingNotFound,
    CancellationClosed,
    CursorUnknown,
    GroundNeeded,
    HoldNotFound,
    MandateRefused,
    NotBooked,
    NotForOthers,
    NotReleased,
    OtherService,
    ReasonNeeded,
    ReschedulingClosed,
    SlotFull,
    SlotNotFound,
    SlotPast,
    SlotWithdrawn,
    Suspended,
    TimesOverlap,
    TooManyActive,
    TooManyChanges,
)
from appointments.model import Booking, Channel
from appointments.paging import CURSOR_MAX, Position, position_of
from appointments.parts import Appointments
from appointments.showing_bookings import LIMIT_MAX, bookings_of
from appointments.views import BookingsView, BookingView, HoldsView, HoldView, ToldView
from kernel.audience import Handlers
from kernel.errors import MalformedRequest, PartAway, RealNameNeeded
from kernel.ids import BookingId, PersonId, SlotId
from kernel.plain_text import ONE_LINE, ONE_LINE_OR_NONE
from kernel.principal import Audience, Citizen
from kernel.problems import refuses

ADMISSION_MAX: Final = 400
Cursor = Annotated[str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")]
ForSomebody = Annotated[
    UUID | None,
    QueryParameter(name="mandate_id", description="A mandate you hold that lets you book: you act for its holder."),
]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
AnswerText = Annotated[str, Meta(max_length=TEXT_MAX, pattern=ONE_LINE_OR_NONE)]
Reason = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX, pattern=ONE_LINE)]
Admission = Annotated[str, Meta(max_length=ADMISSION_MAX, pattern=ONE_LINE_OR_NONE)]
_TAKING = (
    MalformedRequest, RealNameNeeded, MandateRefused, NotForOthers, SlotNotFound, SlotWithdrawn, NotReleased, SlotPast,
    SlotFull, AlreadyBooked, TimesOverlap, BookingIdTaken, Suspended, TooManyActive, TooManyChanges, AdmissionNeeded,
    PartAway,
)  # fmt: skip


class HoldRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The slot to keep a place of. With a mandate you hold, the place is for its holder.

    `admission` is what the gate gave you, for a release that stands behind one.
    """

    slot_id: UUID
    mandate_id: UUID | None = None
    admission: Admission | None = None


class BookingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The slot to be in, and what its service and its lane ask for.

    `answers` are by the code of each question; `reason` is for the urgent lane, `ground` for the special one. With a
    mandate you hold, the booking is its holder's, who is told. `admission` is what the gate gave you.
    """

    slot_id: UUID
    answers: Annotated[dict[Code, AnswerText | int | float | bool], Meta(max_length=ANSWERS_MAX)] = {}
    reason: Reason | None = None
    ground: Ground | None = None
    mandate_id: UUID | None = None
    admission: Admission | None = None


class MoveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The slot to be in instead; a reason or a ground where it is in another lane that asks for one."""

    slot_id: UUID
    reason: Reason | None = None
    ground: Ground | None = None
    admission: Admission | None = None


@put("/holds/{booking_id:uuid}", operation_id="holdPlace", summary="Keep a place for some minutes",
     responses=refuses(*_TAKING))  # fmt: skip
async def hold_place(
    booking_id: FromPath[UUID],
    data: JSONBody[HoldRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
) -> HoldView:
    """Nobody else gets the place until `hold_until`; booking under the same id confirms it.

    One place of a service is kept for a person: another one gives the first back. Asking again answers the same.
    """
    person_id, particulars = await _acting(appointments, citizen, request, data.mandate_id)
    particulars = msgspec.structs.replace(particulars, admission=data.admission)
    hold = await appointments.hold(BookingId(booking_id), SlotId(data.slot_id), person_id, particulars)
    return HoldView.of(hold)


@get(
    "/holds",
    operation_id="listHolds",
    summary="Places kept for me",
    responses=refuses(MalformedRequest, RealNameNeeded, MandateRefused),
)
async def list_holds(
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
    mandate_id: ForSomebody = None,
) -> HoldsView:
    """What is kept for me at this moment, chosen or offered from a waiting list."""
    person_id, _ = await _acting(appointments, citizen, request, mandate_id)
    return HoldsView([HoldView.of(hold) for hold in await appointments.holding.of(person_id)])


@delete("/holds/{booking_id:uuid}", operation_id="releasePlace", summary="Give a kept place back",
        responses=refuses(MalformedRequest, RealNameNeeded, MandateRefused, HoldNotFound, PartAway))  # fmt: skip
async def release_place(
    booking_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
    mandate_id: ForSomebody = None,
) -> None:
    """The place goes to who waits for it first, or is free for everybody."""
    person_id, _ = await _acting(appointments, citizen, request, mandate_id)
    await appointments.holding.release(person_id, BookingId(booking_id))


@put("/bookings/{booking_id:uuid}", operation_id="bookPlace", summary="Book a place in a slot", status_code=201,
     responses=refuses(*_TAKING, AnswersWrong, ReasonNeeded, GroundNeeded))  # fmt: skip
async def book_place(
    booking_id: FromPath[UUID],
    data: JSONBody[BookingRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
) -> BookingView:
    """Book a place in a slot, or confirm the one that is kept for you under this id.

    The caller chooses the id, so a retry cannot book twice: it gets the same booking.
    """
    person_id, acting = await _acting(appointments, citizen, request, data.mandate_id)
    particulars = msgspec.structs.replace(
        acting, answers=data.answers, reason=data.reason, ground=data.ground, admission=data.admission
    )
    booking = await appointments.book(BookingId(booking_id), SlotId(data.slot_id), person_id, particulars)
    return await _view(appointments, booking)


@get("/bookings", operation_id="listBookings", summary="My bookings",
     responses=refuses(MalformedRequest, CursorUnknown, RealNameNeeded, MandateRefused))  # fmt: skip
async def list_bookings(
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
    mandate_id: ForSomebody = None,
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)] = 20,
) -> BookingsView:
    """All my bookings, whatever became of them, latest hour first; with a mandate, those of its holder."""
    before = position_of(cursor) if cursor else None
    person_id, _ = await _acting(appointments, citizen, request, mandate_id)
    found = await bookings_of(appointments.db, person_id, before, limit)
    return await _page(appointments, found, found, limit)


@get("/bookings/for-others", operation_id="listBookingsForOthers", summary="What I booked for others",
     responses=refuses(MalformedRequest, CursorUnknown, RealNameNeeded))  # fmt: skip
async def list_bookings_for_others(
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)] = 20,
) -> BookingsView:
    """Under the mandates that still let me, latest hour first. A page may hold fewer than asked for, and go on."""
    before = position_of(cursor) if cursor else None
    looked_at, shown = await appointments.booked_for_others(citizen.person_id, before, limit)
    return await _page(appointments, shown, looked_at, limit)


@get("/bookings/{booking_id:uuid}", operation_id="readBooking", summary="One of my bookings",
     responses=refuses(MalformedRequest, RealNameNeeded, MandateRefused, BookingNotFound))  # fmt: skip
async def read_booking(
    booking_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
    mandate_id: ForSomebody = None,
) -> BookingView:
    """Where to be and when, what to bring, and how the booking stands."""
    person_id, _ = await _acting(appointments, citizen, request, mandate_id)
    return await _view(appointments, await changing.read(appointments.db, (person_id, BookingId(booking_id))))


@get("/bookings/{booking_id:uuid}/told", operation_id="readWhatWasTold", summary="What I told with a booking",
     responses=refuses(MalformedRequest, RealNameNeeded, MandateRefused, BookingNotFound))  # fmt: skip
async def read_what_was_told(
    booking_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
    mandate_id: ForSomebody = None,
) -> ToldView:
    """The answers to what the service asks, and why its lane is needed."""
    person_id, _ = await _acting(appointments, citizen, request, mandate_id)
    key = person_id, BookingId(booking_id)
    await changing.read(appointments.db, key)
    async with appointments.db.connection() as conn:
        told = await answering.told_with(conn, appointments.seals, [key])
    return ToldView.of(told.get(key, answering.NOTHING_TOLD))


@delete("/bookings/{booking_id:uuid}", operation_id="cancelBooking", summary="Give my place back", status_code=200,
        responses=refuses(MalformedRequest, RealNameNeeded, MandateRefused, BookingNotFound, NotBooked,
                          CancellationClosed, PartAway))  # fmt: skip
async def cancel_booking(
    booking_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
    mandate_id: ForSomebody = None,
) -> BookingView:
    """Cancel a booking. Cancelling it again answers the same."""
    person_id, _ = await _acting(appointments, citizen, request, mandate_id)
    return await _view(appointments, await appointments.cancel(person_id, BookingId(booking_id)))


@post("/bookings/{booking_id:uuid}/reschedule", operation_id="rescheduleBooking",
      summary="Move my booking to another slot", status_code=200,
      responses=refuses(
          MalformedRequest, RealNameNeeded, MandateRefused, BookingNotFound, NotBooked, ReschedulingClosed,
          SlotNotFound, SlotWithdrawn, NotReleased, SlotPast, SlotFull, OtherService, TimesOverlap, TooManyChanges,
          AdmissionNeeded, ReasonNeeded, GroundNeeded, PartAway,
      ))  # fmt: skip
async def reschedule_booking(
    booking_id: FromPath[UUID],
    data: JSONBody[MoveRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    request: Request[Any, Any, Any],
    mandate_id: ForSomebody = None,
) -> BookingView:
    """Take a place in another slot of the same service; the old place is given back in the same moment, or not at all.

    Asking again for the slot the booking is in answers the same.
    """
    person_id, acting = await _acting(appointments, citizen, request, mandate_id)
    particulars = msgspec.structs.replace(acting, reason=data.reason, ground=data.ground, admission=data.admission)
    booking = await appointments.reschedule(person_id, BookingId(booking_id), SlotId(data.slot_id), particulars)
    return await _view(appointments, booking)


async def _acting(
    appointments: Appointments, citizen: Citizen, request: Request[Any, Any, Any], mandate_id: UUID | None
) -> tuple[PersonId, Particulars]:
    """For whom is asked, and how: for oneself, or for the holder of a mandate that stands and lets one book."""
    channel = Channel.MINI if request.scope["user"].audience is Audience.MINI else Channel.APP
    person_id = await appointments.whose(citizen.person_id, mandate_id)
    if mandate_id is None:
        return person_id, _PLAIN[channel]
    return person_id, Particulars(channel=channel, agent_id=citizen.person_id, mandate_id=mandate_id)


_PLAIN: Final = {channel: Particulars(channel=channel) for channel in (Channel.APP, Channel.MINI)}


async def _page(
    appointments: Appointments, shown: Sequence[Booking], looked_at: Sequence[Booking], limit: int
) -> BookingsView:
    last = looked_at[-1] if len(looked_at) == limit else None
    more = None if last is None else Position.of(last.starts_at, last.booking_id).cursor()
    return BookingsView([await _view(appointments, booking) for booking in shown], more)


async def _view(appointments: Appointments, booking: Booking) -> BookingView:
    return BookingView.of(booking, await appointments.catalogues.knowing(booking.office_id, booking.service_id))


_RESIDENTS: Sequence[HTTPRouteHandler] = (
    hold_place,
    list_holds,
    release_place,
    book_place,
    list_bookings,
    list_bookings_for_others,
    read_booking,
    read_what_was_told,
    cancel_booking,
    reschedule_booking,
)
HANDLERS: Handlers = {Audience.RESIDENT: _RESIDENTS, Audience.MINI: _RESIDENTS}
