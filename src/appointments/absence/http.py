"""Bookings nobody came to (爽约), over HTTP: residents see their strikes and appeal; the office decides."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from appointments import moments
from appointments.absence.appealing import LIMIT_MAX, Appeal, Standing
from appointments.absence.errors import AppealDecided, AppealNotFound, AppealTwice, StrikeNotFound
from appointments.absence.model import REASON_MAX, STRIKE_DAYS, STRIKES_MAX, Strike, Strikes, Verdict
from appointments.desk.offices import supervised_office_of
from appointments.errors import CursorUnknown, NoOffice, NotASupervisor
from appointments.model import Booking, Catalogue
from appointments.offices.views import OfficeView, ServiceView
from appointments.paging import CURSOR_MAX, Position, position_of
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, RealNameNeeded, RoleMissing
from kernel.ids import BookingId
from kernel.plain_text import SEVERAL_LINES
from kernel.principal import Audience, Citizen, Staff
from kernel.problems import refuses


class AppealRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why this strike should not count, in as many lines as it takes."""

    reason: Annotated[str, Meta(min_length=1, max_length=REASON_MAX, pattern=SEVERAL_LINES)]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of an appeal: the strike is `waived`, or `upheld`."""

    verdict: Verdict


class StrikeView(msgspec.Struct):
    """A booking you did not come to. All but a waived one count, for 90 days; one appealed against until decided."""

    booking_id: UUID
    stage: Strikes
    struck_at: datetime
    starts_at: datetime
    office: OfficeView
    service: ServiceView
    appealed_at: datetime | None
    decided_at: datetime | None

    @classmethod
    def of(cls, strike: Strike, booking: Booking, catalogue: Catalogue) -> "StrikeView":
        return cls(
            booking_id=strike.booking_id,
            stage=strike.stage,
            struck_at=in_shanghai(strike.struck_at),
            starts_at=in_shanghai(booking.starts_at),
            office=OfficeView.of(catalogue.offices[strike.office_id]),
            service=ServiceView.of(catalogue.services[strike.service_id]),
            appealed_at=moments.shown(strike.appealed_at),
            decided_at=moments.shown(strike.decided_at),
        )


class SuspensionView(msgspec.Struct):
    """You cannot book from `since` until `until`; what is booked stays, and can be moved and cancelled."""

    since: datetime
    until: datetime


class StrikesView(msgspec.Struct):
    """Your strikes, newest first: `counted` of `most` within `days` days, and the suspension if there is one."""

    strikes: list[StrikeView]
    counted: int
    most: int
    days: int
    suspension: SuspensionView | None


class AppealView(msgspec.Struct):
    """An appeal as the office sees it: the hour that was missed and what was said, not by whom."""

    strike_id: UUID
    stage: Strikes
    service_id: UUID
    service_zh: str
    service_en: str
    starts_at: datetime
    struck_at: datetime
    appealed_at: datetime
    reason: str
    decided_at: datetime | None

    @classmethod
    def of(cls, appeal: Appeal, catalogue: Catalogue) -> "AppealView":
        strike, service = appeal.strike, catalogue.services[appeal.strike.service_id]
        assert strike.appealed_at is not None
        return cls(
            strike_id=strike.strike_id,
            stage=strike.stage,
            service_id=strike.service_id,
            service_zh=service.name_zh,
            service_en=service.name_en,
            starts_at=in_shanghai(appeal.booking.starts_at),
            struck_at=in_shanghai(strike.struck_at),
            appealed_at=in_shanghai(strike.appealed_at),
            reason=appeal.reason,
            decided_at=moments.shown(strike.decided_at),
        )


class AppealsView(msgspec.Struct):
    """A page of appeals to decide, longest ago first; `next` is the cursor of the page after it, null at the end."""

    appeals: list[AppealView]
    next: str | None


@get(
    "/strikes",
    operation_id="listStrikes",
    summary="Bookings I did not come to",
    responses=refuses(RealNameNeeded),
)
async def list_strikes(citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]) -> StrikesView:
    """My strikes (爽约), whether they count, and whether I may book."""
    return await _strikes_view(appointments, await appointments.appealing.standing(citizen.person_id))


@post(
    "/strikes/{booking_id:uuid}/appeal",
    operation_id="appealAgainstStrike",
    summary="Say why a strike should not count",
    status_code=200,
    responses=refuses(MalformedRequest, RealNameNeeded, StrikeNotFound, AppealTwice),
)
async def appeal_against_strike(
    booking_id: FromPath[UUID],
    data: JSONBody[AppealRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
) -> StrikeView:
    """Appeal, once: whoever answers for the office decides. Saying the same again answers the same."""
    strike, booking = await appointments.appealing.appeal(citizen.person_id, BookingId(booking_id), data.reason)
    return StrikeView.of(strike, booking, await _catalogue(appointments, strike))


@get(
    "/appeals",
    operation_id="listAppeals",
    summary="Appeals at my office",
    responses=refuses(MalformedRequest, CursorUnknown, RoleMissing, NoOffice, NotASupervisor),
)
async def list_appeals(
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
    cursor: Annotated[
        str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)] = 50,
) -> AppealsView:
    """What people said about strikes at my office and nobody has decided."""
    after = position_of(cursor) if cursor else None
    found = await appointments.appealing.appeals_at(supervised_office_of(staff), after, limit)
    last = found[-1].strike if len(found) == limit else None
    more = Position.of(last.appealed_at, last.strike_id).cursor() if last and last.appealed_at else None
    return AppealsView([AppealView.of(one, await _catalogue(appointments, one.strike)) for one in found], more)


@post(
    "/appeals/{strike_id:uuid}/decision",
    operation_id="decideAppeal",
    summary="Decide an appeal",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, NoOffice, NotASupervisor, AppealNotFound, AppealDecided),
)
async def decide_appeal(
    strike_id: FromPath[UUID],
    data: JSONBody[Decision],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> AppealView:
    """Waive the strike or uphold it; the person is told. A suspension that the strike led to ends with it."""
    office_id = supervised_office_of(staff)
    decided = await appointments.appealing.decide(staff.staff_id, office_id, strike_id, data.verdict)
    return AppealView.of(decided, await _catalogue(appointments, decided.strike))


async def _strikes_view(appointments: Appointments, standing: Standing) -> StrikesView:
    suspension = standing.suspension
    return StrikesView(
        strikes=[StrikeView.of(one, booking, await _catalogue(appointments, one)) for one, booking in standing.strikes],
        counted=standing.counted,
        most=STRIKES_MAX,
        days=STRIKE_DAYS,
        suspension=SuspensionView(in_shanghai(suspension.since), in_shanghai(suspension.until)) if suspension else None,
    )


async def _catalogue(appointments: Appointments, strike: Strike) -> Catalogue:
    return await appointments.catalogues.knowing(strike.office_id, strike.service_id)


_RESIDENTS: Sequence[HTTPRouteHandler] = (list_strikes, appeal_against_strike)
HANDLERS: Handlers = {
    Audience.RESIDENT: _RESIDENTS,
    Audience.MINI: _RESIDENTS,
    Audience.DEPARTMENT: (list_appeals, decide_appeal),
}
