"""What staff do at their office's desk, over HTTP, under /department."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta
from msgspec.structs import replace

from appointments import moments
from appointments.answering import ANSWERS_MAX, Told
from appointments.asking import AnswerValue, Ground
from appointments.desk import overseeing
from appointments.desk.booking_for import BookedAtDesk
from appointments.desk.display import http as display
from appointments.desk.hall import http as hall
from appointments.desk.hall.views import TicketView
from appointments.desk.offices import office_of, supervised_office_of
from appointments.desk.overseeing import day_of_office, waiting_now
from appointments.desk.recognising import SCANNED_MAX, OneLine
from appointments.desk.reporting import DayReport, as_csv
from appointments.errors import (
    AlreadyBooked,
    AnswersWrong,
    BookingIdTaken,
    CodeNotGood,
    CodesNotRead,
    CursorUnknown,
    DaysOutOfRange,
    GroundNeeded,
    IdentityNotUnderstood,
    NoOffice,
    NotASupervisor,
    NotExpected,
    NotReleased,
    PhoneNotUnderstood,
    ReasonNeeded,
    ServiceNotFound,
    SeveralExpected,
    SlotFull,
    SlotNotFound,
    SlotPast,
    Suspended,
    TimesOverlap,
    TooManyActive,
    TooManyLooks,
)
from appointments.http_bookings import AnswerText, Code, Reason
from appointments.model import Booking, Catalogue, Channel, DayPart, Lane, Stage
from appointments.offices import searching
from appointments.offices.views import SlotsView
from appointments.paging import CURSOR_MAX, Position, position_of
from appointments.parts import Appointments
from kernel.audience import Handlers, merged
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, PartAway, RoleMissing
from kernel.ids import BookingId, ServiceId
from kernel.plain_text import ONE_LINE
from kernel.principal import Audience, Staff
from kernel.problems import refuses

NAME_MAX = 80
CSV = "text/csv; charset=utf-8"
MARK = "\ufeff"
"""In front of CSV, so that spreadsheets take it for UTF-8."""


class DeskBookingView(msgspec.Struct):
    """A booking as the desk sees it: the hour, the number and the lane, no person's data."""

    booking_id: UUID
    number: int
    stage: Stage
    lane: Lane
    channel: Channel
    service_id: UUID
    service_zh: str
    service_en: str
    starts_at: datetime
    ends_at: datetime
    checked_in_at: datetime | None

    @classmethod
    def of(cls, booking: Booking, catalogue: Catalogue) -> "DeskBookingView":
        service = catalogue.services[booking.service_id]
        return cls(
            booking_id=booking.booking_id,
            number=booking.seq,
            stage=booking.stage,
            lane=booking.lane,
            channel=booking.channel,
            service_id=booking.service_id,
            service_zh=service.name_zh,
            service_en=service.name_en,
            starts_at=in_shanghai(booking.starts_at),
            ends_at=in_shanghai(booking.ends_at),
            checked_in_at=moments.shown(booking.checked_in_at),
        )


class DeskBookingsView(msgspec.Struct):
    """A page of an office's day, in the order people come; `next` is the cursor of the page after it."""

    bookings: list[DeskBookingView]
    next: str | None


class DeskQueueView(msgspec.Struct):
    """An office at `as_of`: bookings of today by stage, and who has come, by their hour."""

    as_of: datetime
    expected: int
    checked_in: int
    missed: int
    cancelled: int
    here: list[DeskBookingView]


class CheckedInView(DeskBookingView):
    """Who has come, and the queue number that they are called by; null for who came before numbers were given."""

    ticket: TicketView | None


class CodeRead(msgspec.Struct, forbid_unknown_fields=True):
    """The text of a shown code, and an id for this reading; sent again within 90 s, the same answer."""

    code: Annotated[str, Meta(max_length=SCANNED_MAX)]
    use_id: UUID


class PhoneSaid(msgspec.Struct, forbid_unknown_fields=True):
    """The whole phone number that somebody at the desk says is theirs."""

    phone: OneLine


class DeskBookingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody at the desk wants this slot. The id is the clerk's to choose: sent again, the same booking.

    `id_number` and `name` as on their card; `phone` where they wish to be told. The rest as when booking oneself.
    """

    booking_id: UUID
    slot_id: UUID
    id_number: OneLine
    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX, pattern=ONE_LINE)]
    phone: OneLine | None = None
    answers: Annotated[dict[Code, AnswerText | int | float | bool], Meta(max_length=ANSWERS_MAX)] = {}
    reason: Reason | None = None
    ground: Ground | None = None


class ToldView(msgspec.Struct):
    """What a person told when booking: the answers to the service's questions, and why they need its lane."""

    answers: dict[str, AnswerValue]
    reason: str | None
    ground: Ground | None


@get(
    "/desk/bookings",
    operation_id="listDeskBookings",
    summary="Who is expected at my office on a day",
    responses=refuses(MalformedRequest, CursorUnknown, RoleMissing, DaysOutOfRange, NoOffice),
)
async def list_desk_bookings(
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
    day: Annotated[
        date | None, QueryParameter(name="date", description="A day in Shanghai; today if left out.")
    ] = None,
    cursor: Annotated[
        str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=overseeing.LIMIT_MAX)] = 100,
) -> DeskBookingsView:
    """Everybody booked at my office on a day, cancelled bookings left out."""
    shown = day or in_shanghai(appointments.clock.now()).date()
    after = position_of(cursor) if cursor else None
    found = await day_of_office(appointments.db, appointments.clock, office_of(staff), shown, after, limit)
    last = found[-1] if len(found) == limit else None
    more = Position.of(last.starts_at, last.booking_id, last.seq).cursor() if last else None
    return DeskBookingsView([await _view(appointments, booking) for booking in found], more)


@get(
    "/desk/queue",
    operation_id="readDeskQueue",
    summary="Who is here now",
    responses=refuses(RoleMissing, NoOffice),
)
async def read_desk_queue(staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]) -> DeskQueueView:
    """My office now: how the day's bookings stand, and who has checked in, in the order of their hours."""
    now = await waiting_now(appointments.db, appointments.clock, office_of(staff))
    return DeskQueueView(
        as_of=in_shanghai(now.as_of),
        expected=now.stages.get(Stage.BOOKED, 0),
        checked_in=now.stages.get(Stage.CHECKED_IN, 0),
        missed=now.stages.get(Stage.MISSED, 0),
        cancelled=now.stages.get(Stage.CANCELLED, 0),
        here=[await _view(appointments, booking) for booking in now.here],
    )


_CHECK_IN = (MalformedRequest, RoleMissing, NoOffice, NotExpected, SeveralExpected, TimesOverlap)


@post(
    "/desk/bookings/{booking_id:uuid}/check-in",
    operation_id="checkInAtDesk",
    summary="Somebody who is booked has come",
    status_code=200,
    responses=refuses(*_CHECK_IN),
)
async def check_in_at_desk(
    booking_id: FromPath[UUID], staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> CheckedInView:
    """Check in who holds this booking at my office today, and give them a queue number. Again, the same answer."""
    booking = await appointments.desks.check_in(staff, office_of(staff), BookingId(booking_id))
    return await _checked_in(appointments, booking)


@post("/desk/check-ins/code", operation_id="checkInByCode", summary="Somebody shows their code", status_code=200,
      responses=refuses(*_CHECK_IN, CodeNotGood, CodesNotRead, PartAway))  # fmt: skip
async def check_in_by_code(
    data: JSONBody[CodeRead], staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> CheckedInView:
    """A code made for checking in tells who is here and nothing more; they find the look in their ledger."""
    booking = await appointments.desks.check_in_by_code(staff, office_of(staff), data.code, data.use_id)
    return await _checked_in(appointments, booking)


@post("/desk/check-ins/phone", operation_id="checkInByPhone", summary="Somebody says their phone number",
      status_code=200, responses=refuses(*_CHECK_IN, PhoneNotUnderstood, TooManyLooks))  # fmt: skip
async def check_in_by_phone(
    data: JSONBody[PhoneSaid], staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> CheckedInView:
    """Whoever is not expected here today is answered the same, known or not. Each look is recorded."""
    booking = await appointments.desks.check_in_by_phone(staff, office_of(staff), data.phone)
    return await _checked_in(appointments, booking)


@get("/desk/slots", operation_id="searchDeskSlots", summary="Hours of a service at my office",
     responses=refuses(MalformedRequest, CursorUnknown, RoleMissing, NoOffice, ServiceNotFound,
                       DaysOutOfRange))  # fmt: skip
async def search_desk_slots(
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
    service_id: Annotated[UUID, QueryParameter()],
    first_day: Annotated[
        date | None, QueryParameter(name="from", description="A day in Shanghai; today if left out.")
    ] = None,
    last_day: Annotated[
        date | None, QueryParameter(name="to", description="The last day; two weeks after if left out.")
    ] = None,
    day_part: Annotated[
        DayPart | None, QueryParameter(description="0 before 12:00, 1 before 18:00, 2 later; any if left out.")
    ] = None,
    lane: Annotated[Lane | None, QueryParameter(description="办理方式; every lane if left out.")] = None,
    only_free: Annotated[bool, QueryParameter(description="Leave out what is sold out.")] = False,
    cursor: Annotated[
        str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=searching.LIMIT_MAX)] = 50,
) -> SlotsView:
    """For `bookAtDesk`: what residents find of my office (`searchSlots`), earliest first."""
    wish = searching.wish_of(
        appointments.catalogues.current, ServiceId(service_id), first_day, last_day, now=appointments.clock.now()
    )
    wish = replace(wish, office_id=office_of(staff), day_part=day_part, lane=lane, only_free=only_free)
    return SlotsView.of(await searching.search(
        appointments.db, appointments.clock, appointments.catalogues.current, wish, cursor, limit
    ))  # fmt: skip


@post("/desk/bookings", operation_id="bookAtDesk", summary="Book for somebody at the desk", status_code=201,
      responses=refuses(
          MalformedRequest, RoleMissing, NoOffice, IdentityNotUnderstood, PhoneNotUnderstood, SlotNotFound, SlotPast,
          SlotFull, NotReleased, AlreadyBooked, TimesOverlap, BookingIdTaken, AnswersWrong, ReasonNeeded, GroundNeeded,
          Suspended, TooManyActive,
      ))  # fmt: skip
async def book_at_desk(
    data: JSONBody[DeskBookingRequest], staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> DeskBookingView:
    """For who has shown their card. They see it under their own bookings once they sign in."""
    wanted = msgspec.convert(data, BookedAtDesk, from_attributes=True)
    return await _view(appointments, await appointments.desks.book_for(staff, office_of(staff), wanted))


@get("/desk/bookings/{booking_id:uuid}/told", operation_id="readWhatWasTold", summary="What a person told when booking",
     responses=refuses(MalformedRequest, RoleMissing, NoOffice, NotExpected, SeveralExpected))  # fmt: skip
async def read_what_was_told(
    booking_id: FromPath[UUID], staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> ToldView:
    """The answers of who is expected at my office today, and their reason or ground. Recorded."""
    told: Told = await appointments.desks.told(staff, office_of(staff), BookingId(booking_id))
    return ToldView(told.answers, told.reason, told.ground)


@get("/desk/report", operation_id="readDeskReport", summary="The day's report of my office",
     responses=refuses(MalformedRequest, RoleMissing, NoOffice, NotASupervisor, DaysOutOfRange))  # fmt: skip
async def read_desk_report(
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
    day: Annotated[
        date | None, QueryParameter(name="date", description="A day in Shanghai; today if left out.")
    ] = None,
    form: Annotated[Literal["json", "csv"], QueryParameter(description="For programs, or for a spreadsheet.")] = "json",
) -> Response[DayReport]:
    """For its supervisor: expected, come, missed, walk-ins, served, waits and service times, and by counter."""
    report = await appointments.desks.report(supervised_office_of(staff), day)
    if form == "csv":
        name = f'attachment; filename="desk-{report.day.isoformat()}.csv"'
        answer: Any = Response(MARK + as_csv(report), media_type=CSV, headers={"Content-Disposition": name})
        return cast("Response[DayReport]", answer)
    return Response(report)


async def _view(appointments: Appointments, booking: Booking) -> DeskBookingView:
    return DeskBookingView.of(booking, await appointments.catalogues.knowing(booking.office_id, booking.service_id))


async def _checked_in(appointments: Appointments, booking: Booking) -> CheckedInView:
    catalogue = await appointments.catalogues.knowing(booking.office_id, booking.service_id)
    ticket = await appointments.desks.ticket_of_booking(booking)
    shown = DeskBookingView.of(booking, catalogue)
    return CheckedInView(
        **{name: getattr(shown, name) for name in DeskBookingView.__struct_fields__},
        ticket=None if ticket is None else TicketView.of(ticket, catalogue),
    )


HANDLERS: Handlers = merged(
    {
        Audience.DEPARTMENT: (
            list_desk_bookings, read_desk_queue, check_in_at_desk, check_in_by_code, check_in_by_phone,
            search_desk_slots, book_at_desk, read_what_was_told, read_desk_report,
        )
    },
    hall.HANDLERS,
    display.HANDLERS,
)  # fmt: skip
