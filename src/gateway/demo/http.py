"""The demo's short cuts: an hour that has not come, and what was done at an earlier one. Never in a real city."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

import gateway.demo.outbox.http
from appointments import reminding
from appointments.errors import (
    AlreadyBooked,
    BookingIdTaken,
    HoldNotFound,
    NotReleased,
    ServiceNotHere,
    SlotFull,
    Suspended,
    TimesOverlap,
    TooManyActive,
    TooManyChanges,
)
from appointments.parts import Appointments
from appointments.telling import Telling
from appointments.views import BookingView, HoldView
from gateway.demo.earlier import VISIT_AHEAD_MAX, VISIT_BACK_MAX, Earlier
from gateway.demo.errors import HourOutOfReach, VisitOutOfReach
from kernel.audience import Handlers, merged
from kernel.clock import StoppedClock
from kernel.errors import MalformedRequest, PartAway
from kernel.ids import BUCKETS, BookingId, OfficeId, PersonId, ServiceId
from kernel.principal import Audience
from kernel.problems import refuses
from notifications.model import Lane
from notifications.parts import Notifications

AHEAD_MAX = timedelta(days=60)
BATCHES_MAX = 100
HOLD_AGED_SECONDS_MAX = 3_600


class RemindersRequest(msgspec.Struct, forbid_unknown_fields=True):
    as_of: Annotated[datetime, Meta(tz=True)]
    """The hour to play, at most 60 days ahead."""


class RemindersView(msgspec.Struct):
    """How many queue entries of bookings had come to their hour."""

    looked_at: int


@post(
    "/demo/reminders",
    operation_id="playReminders",
    summary="Remind as if it were another hour",
    status_code=200,
    responses=refuses(HourOutOfReach),
)
async def play_reminders(
    data: JSONBody[RemindersRequest],
    appointments: NamedDependency[Appointments],
    notifications: NamedDependency[Notifications],
) -> RemindersView:
    """Owe the reminders that would be owed at `as_of`, and send them now: nobody is reminded of the same hour twice."""
    now = notifications.clock.now()
    if not now <= data.as_of <= now + AHEAD_MAX:
        raise HourOutOfReach
    telling = Telling(notifications.outbox, appointments.catalogues)
    looked_at = 0
    for bucket in range(BUCKETS):
        for _ in range(BATCHES_MAX):
            found = await reminding.remind_due(appointments.db, StoppedClock(data.as_of), telling, bucket)
            if not found:
                break
            looked_at += found
    async with notifications.db.transaction() as conn:
        await notifications.outbox.hasten(conn, Lane.REMINDER, until=data.as_of, now=now)
    return RemindersView(looked_at)


class HoldAge(msgspec.Struct, forbid_unknown_fields=True):
    """Whose kept place, and by how many seconds it is to have been kept earlier."""

    person_id: UUID
    booking_id: UUID
    seconds: Annotated[int, Meta(ge=1, le=HOLD_AGED_SECONDS_MAX)]


@post(
    "/demo/holds/age",
    operation_id="ageHold",
    summary="Make a kept place older",
    status_code=200,
    responses=refuses(MalformedRequest, HoldNotFound, SlotFull, NotReleased, TooManyChanges, PartAway),
)
async def age_hold(
    data: JSONBody[HoldAge], earlier: NamedDependency[Earlier], appointments: NamedDependency[Appointments]
) -> HoldView:
    """As if it had been kept earlier: what becomes of it when its minutes are over can be seen without waiting."""
    hold = await earlier.age_hold(
        appointments, PersonId(data.person_id), BookingId(data.booking_id), timedelta(seconds=data.seconds)
    )
    return HoldView.of(hold)


class VisitRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Who is to have booked what, where and when: from two days back to an hour ahead. The id is yours to choose."""

    booking_id: UUID
    person_id: UUID
    office_id: UUID
    service_id: UUID
    starts_at: Annotated[datetime, Meta(tz=True)]


@post(
    "/demo/visits",
    operation_id="playVisit",
    summary="Have booked an hour that is near or past",
    status_code=200,
    responses=refuses(
        MalformedRequest, VisitOutOfReach, ServiceNotHere, AlreadyBooked, TimesOverlap, BookingIdTaken, Suspended,
        TooManyActive, TooManyChanges,
    ),
)  # fmt: skip
async def play_visit(
    data: JSONBody[VisitRequest], earlier: NamedDependency[Earlier], appointments: NamedDependency[Appointments]
) -> BookingView:
    """As if it had been booked in time, in an hour of its own: whoever it is can check in today. If its day is over,
    nobody came. Again with the same id, the same booking."""
    now, wanted = appointments.clock.now(), BookingId(data.booking_id)
    if not now - VISIT_BACK_MAX <= data.starts_at <= now + VISIT_AHEAD_MAX:
        raise VisitOutOfReach
    office_id, service_id = OfficeId(data.office_id), ServiceId(data.service_id)
    booking = await earlier.visit(appointments, wanted, PersonId(data.person_id), office_id, service_id, data.starts_at)
    return BookingView.of(booking, await appointments.catalogues.knowing(office_id, service_id))


_OF_HOURS: Handlers = {Audience.PUBLIC: [play_reminders, age_hold, play_visit]}
HANDLERS: Handlers = merged(gateway.demo.outbox.http.HANDLERS, _OF_HOURS)
