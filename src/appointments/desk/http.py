"""What staff do at their office's desk, over HTTP, under /department."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from appointments.desk import overseeing
from appointments.desk.checking_in import check_in
from appointments.desk.overseeing import day_of_office, waiting_now
from appointments.errors import CursorUnknown, DaysOutOfRange, NoOffice, NotExpected, SeveralExpected
from appointments.model import Booking, Catalogue, Stage
from appointments.paging import CURSOR_MAX, Position, position_of
from appointments.parts import Appointments
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, RoleMissing
from kernel.ids import BookingId, OfficeId
from kernel.principal import Staff
from kernel.problems import refuses


class DeskBookingView(msgspec.Struct):
    """A booking as the desk sees it: the hour and the number, no person's data."""

    booking_id: UUID
    number: int
    stage: Stage
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
            service_id=booking.service_id,
            service_zh=service.name_zh,
            service_en=service.name_en,
            starts_at=in_shanghai(booking.starts_at),
            ends_at=in_shanghai(booking.ends_at),
            checked_in_at=in_shanghai(booking.checked_in_at) if booking.checked_in_at else None,
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


@post(
    "/desk/bookings/{booking_id:uuid}/check-in",
    operation_id="checkInAtDesk",
    summary="Somebody who is booked has come",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, NoOffice, NotExpected, SeveralExpected),
)
async def check_in_at_desk(
    booking_id: FromPath[UUID], staff: NamedDependency[Staff], appointments: NamedDependency[Appointments]
) -> DeskBookingView:
    """Check in who holds this booking at my office today. Checking in again answers the same."""
    booking = await check_in(
        appointments.db, appointments.clock, staff.staff_id, office_of(staff), BookingId(booking_id)
    )
    return await _view(appointments, booking)


def office_of(staff: Staff) -> OfficeId:
    """Raises NoOffice."""
    if staff.office_id is None:
        raise NoOffice
    return staff.office_id


async def _view(appointments: Appointments, booking: Booking) -> DeskBookingView:
    return DeskBookingView.of(booking, await appointments.catalogues.knowing(booking.office_id, booking.service_id))


HANDLERS = (list_desk_bookings, read_desk_queue, check_in_at_desk)
