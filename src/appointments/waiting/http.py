"""Waiting lists over HTTP, for residents under /resident and /mini."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from appointments import moments
from appointments.answering import ANSWERS_MAX
from appointments.asking import Ground, Particulars
from appointments.errors import (
    AlreadyBooked,
    AnswersWrong,
    DaysOutOfRange,
    GroundNeeded,
    MandateRefused,
    NotForOthers,
    OfficeNotFound,
    ReasonNeeded,
    ServiceNotFound,
    SlotFull,
    SlotPast,
    SlotWithdrawn,
    Suspended,
    TimesOverlap,
    TooManyActive,
    TooManyChanges,
)
from appointments.http_bookings import AnswerText, Code, ForSomebody, Reason
from appointments.model import Catalogue, DayPart, Lane
from appointments.parts import Appointments
from appointments.views import BookingView
from appointments.waiting.errors import (
    AlreadyWaiting,
    NothingOffered,
    TooManyWaits,
    WaitingEnded,
    WaitingIdTaken,
    WaitingNotFound,
    WaitingTaken,
)
from appointments.waiting.joining import InLine
from appointments.waiting.model import AHEAD_MAX, OFFERS_MAX, Waiting, WaitingId, Waits, Wish
from kernel.audience import Handlers
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, PartAway, RealNameNeeded
from kernel.ids import OfficeId, ServiceId
from kernel.principal import Audience, Citizen
from kernel.problems import refuses


class WaitingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What would do. Both days count, in Shanghai; without an office, a district or a part of the day, any will do.

    `day_part`: 0 before 12:00, 1 before 18:00, 2 later. With a mandate you hold, its holder waits.
    """

    service_id: UUID
    first_day: date
    last_day: date
    office_id: UUID | None = None
    district: Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")] | None = None
    lane: Lane = Lane.NORMAL
    day_part: DayPart | None = None
    mandate_id: UUID | None = None

    @property
    def wish(self) -> Wish:
        return Wish(
            service_id=ServiceId(self.service_id),
            office_id=None if self.office_id is None else OfficeId(self.office_id),
            district=self.district,
            lane=self.lane,
            first_day=self.first_day,
            last_day=self.last_day,
            day_part=self.day_part,
        )


class AcceptRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What the service and the lane ask, as in booking."""

    answers: Annotated[dict[Code, AnswerText | int | float | bool], Meta(max_length=ANSWERS_MAX)] = {}
    reason: Reason | None = None
    ground: Ground | None = None
    mandate_id: UUID | None = None


class OfferView(msgspec.Struct):
    """A place that is kept for you until a moment, or that you took (`until` is null)."""

    slot_id: UUID
    booking_id: UUID
    number: int
    until: datetime | None


class WaitingView(msgspec.Struct):
    """A wait. At most `ahead` people are asked before you, counted to 1,000 (`is_more_ahead`): those who wait now, came
    earlier and may want the same; a place may suit you and none of them. Null when you no longer wait in line.

    `joined_at` is your turn: an offer you let pass puts you at the end, and `offers` of them so far, of `offers_max`.
    """

    waiting_id: UUID
    service_id: UUID
    office_id: UUID | None
    district: str | None
    lane: Lane
    first_day: date
    last_day: date
    day_part: DayPart | None
    stage: Waits
    joined_at: datetime
    offers: int
    offers_max: int
    ahead: int | None
    is_more_ahead: bool
    offer: OfferView | None

    @classmethod
    def of(cls, waiting: Waiting, ahead: int | None) -> "WaitingView":
        wish, offered = waiting.wish, waiting.offered
        until = moments.shown(waiting.offered_until)
        return cls(
            waiting_id=waiting.waiting_id,
            service_id=wish.service_id,
            office_id=wish.office_id,
            district=wish.district,
            lane=wish.lane,
            first_day=wish.first_day,
            last_day=wish.last_day,
            day_part=wish.day_part,
            stage=waiting.stage,
            joined_at=in_shanghai(waiting.joined_at),
            offers=waiting.offers,
            offers_max=OFFERS_MAX,
            ahead=ahead,
            is_more_ahead=ahead == AHEAD_MAX,
            offer=OfferView(offered.slot_id, offered.booking_id, offered.seq, until) if offered else None,
        )


class WaitsView(msgspec.Struct):
    """Waits, open ones first, then the newest."""

    waits: list[WaitingView]


@put(
    "/waiting/{waiting_id:uuid}",
    operation_id="joinWaitingList",
    summary="Wait for a place",
    status_code=201,
    responses=refuses(
        MalformedRequest, RealNameNeeded, MandateRefused, NotForOthers, ServiceNotFound, OfficeNotFound,
        DaysOutOfRange, WaitingIdTaken, AlreadyWaiting, TooManyWaits, AlreadyBooked, Suspended,
    ),
)  # fmt: skip
async def join_waiting_list(
    waiting_id: FromPath[UUID],
    data: JSONBody[WaitingRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
) -> WaitingView:
    """Join the line for a service (候补). A place that comes free is offered to who joined first among those it suits;
    you have 30 minutes to take it.

    The id is yours to choose: asked again with the same wish, the answer is the same wait.
    """
    if data.mandate_id is not None:
        _refuse_for_others(appointments.catalogues.current, ServiceId(data.service_id))
    person_id = await appointments.whose(citizen.person_id, data.mandate_id)
    found = await appointments.joining.join(person_id, WaitingId(waiting_id), data.wish)
    return _view(found)


@get(
    "/waiting",
    operation_id="listWaiting",
    summary="What I wait for",
    responses=refuses(MalformedRequest, RealNameNeeded, MandateRefused),
)
async def list_waiting(
    citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments], mandate_id: ForSomebody = None
) -> WaitsView:
    """My waits: how far the line is, and what is offered to me."""
    person_id = await appointments.whose(citizen.person_id, mandate_id)
    return WaitsView([_view(one) for one in await appointments.joining.waits_of(person_id)])


@delete(
    "/waiting/{waiting_id:uuid}",
    operation_id="leaveWaitingList",
    summary="Wait no more",
    status_code=200,
    responses=refuses(
        MalformedRequest, RealNameNeeded, MandateRefused, WaitingNotFound, WaitingEnded, WaitingTaken, PartAway
    ),
)
async def leave_waiting_list(
    waiting_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    mandate_id: ForSomebody = None,
) -> WaitingView:
    """Leave the line. What is offered to me goes to the next in the same moment. Leaving again answers the same."""
    person_id = await appointments.whose(citizen.person_id, mandate_id)
    left = await appointments.joining.leave(person_id, WaitingId(waiting_id))
    return WaitingView.of(left, None)


@post(
    "/waiting/{waiting_id:uuid}/accept",
    operation_id="acceptOffer",
    summary="Take the place that is offered",
    status_code=200,
    responses=refuses(
        MalformedRequest, RealNameNeeded, MandateRefused, NotForOthers, WaitingNotFound, NothingOffered, SlotPast,
        SlotWithdrawn, SlotFull, AlreadyBooked, TimesOverlap, TooManyActive, TooManyChanges, Suspended, AnswersWrong,
        ReasonNeeded, GroundNeeded, PartAway,
    ),
)  # fmt: skip
async def accept_offer(
    waiting_id: FromPath[UUID],
    data: JSONBody[AcceptRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
) -> BookingView:
    """Book the place that is kept for me. Taking it again answers the same booking."""
    person_id = await appointments.whose(citizen.person_id, data.mandate_id)
    particulars = Particulars(
        answers=data.answers,
        reason=data.reason,
        ground=data.ground,
        agent_id=None if data.mandate_id is None else citizen.person_id,
        mandate_id=data.mandate_id,
    )
    booking = await appointments.taking.take(person_id, WaitingId(waiting_id), particulars)
    catalogue = await appointments.catalogues.knowing(booking.office_id, booking.service_id)
    return BookingView.of(booking, catalogue)


def _refuse_for_others(catalogue: Catalogue, service_id: ServiceId) -> None:
    """Raises NotForOthers for a service that nobody waits for on another's behalf."""
    service = catalogue.services.get(service_id)
    if service is not None and not service.is_for_others:
        raise NotForOthers


def _view(found: InLine) -> WaitingView:
    return WaitingView.of(found.waiting, found.ahead)


_RESIDENTS: Sequence[HTTPRouteHandler] = (join_waiting_list, list_waiting, leave_waiting_list, accept_offer)
HANDLERS: Handlers = {Audience.RESIDENT: _RESIDENTS, Audience.MINI: _RESIDENTS}
