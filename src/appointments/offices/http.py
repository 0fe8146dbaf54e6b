"""What departments offer and how that changes, over HTTP: for a department's own system, and for supervisors."""

from datetime import date
from uuid import UUID

import msgspec
from litestar import delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from appointments.errors import (
    DeskNotFound,
    NotYourService,
    OfferUnsound,
    OfficeNotFound,
    RuleIdTaken,
    RuleNotFound,
    ServiceNotFound,
)
from appointments.model import Desk, Lane
from appointments.offices.errors import NotYourOffice
from appointments.offices.forms import DeskBody, RuleBody, TermsBody
from appointments.offices.replanning import http as replanning
from appointments.offices.rules import Rule
from appointments.offices.trips import http as trips
from appointments.offices.views import OpeningView, RuleView, ServiceWithTerms
from appointments.offices.whole import http as whole
from appointments.parts import Appointments
from kernel.audience import Handlers, merged
from kernel.errors import MalformedRequest, RoleMissing
from kernel.ids import OfficeId, ServiceId
from kernel.principal import Audience, Keeper
from kernel.problems import refuses


class OfferedServicesView(msgspec.Struct):
    """The services a department answers for."""

    services: list[ServiceWithTerms]


class OfferedDeskView(msgspec.Struct):
    """A desk as it is planned: `offered_until` is the last day whose hours were made from it, null: not yet."""

    office_id: UUID
    service_id: UUID
    slot_minutes: int
    places: int
    openings: list[OpeningView]
    lanes: dict[Lane, int]
    open_on_holidays: bool
    offered_until: date | None
    rules: list[RuleView]

    @classmethod
    def of(cls, desk: Desk, rules: list[Rule]) -> "OfferedDeskView":
        return cls(
            desk.office_id, desk.service_id, desk.slot_minutes, desk.places,
            [OpeningView.of(opening) for opening in sorted(desk.openings)], dict(desk.lanes), desk.open_on_holidays,
            desk.offered_until, [RuleView.of(rule) for rule in rules],
        )  # fmt: skip


@get(
    "/offering/services",
    operation_id="listOfferedServices",
    summary="The services my department answers for",
    responses=refuses(RoleMissing),
)
async def list_offered_services(
    keeper: NamedDependency[Keeper], appointments: NamedDependency[Appointments]
) -> OfferedServicesView:
    """Each service with the terms on which it is booked."""
    services = await appointments.setting.services_of(keeper)
    return OfferedServicesView([ServiceWithTerms.of(service) for service in services])


@put(
    "/offering/services/{service_id:uuid}/terms",
    operation_id="putServiceTerms",
    summary="On what terms a service is booked",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, NotYourService, ServiceNotFound, OfferUnsound),
)
async def put_service_terms(
    service_id: FromPath[UUID], data: JSONBody[TermsBody], keeper: NamedDependency[Keeper],
    appointments: NamedDependency[Appointments],
) -> ServiceWithTerms:  # fmt: skip
    """Questions, lead and horizon, the minute of the release, until when one may cancel, the gate."""
    service = await appointments.setting.put_terms(keeper, ServiceId(service_id), data.whole)
    return ServiceWithTerms.of(service)


@get(
    "/offering/desks/{office_id:uuid}/{service_id:uuid}",
    operation_id="readOfferedDesk",
    summary="A desk's hours and rules",
    responses=refuses(MalformedRequest, RoleMissing, NotYourService, ServiceNotFound, OfficeNotFound, DeskNotFound),
)
async def read_offered_desk(
    office_id: FromPath[UUID], service_id: FromPath[UUID], keeper: NamedDependency[Keeper],
    appointments: NamedDependency[Appointments],
) -> OfferedDeskView:  # fmt: skip
    """The weekly hours, the places beside them, and the rules whose days are not over."""
    desk, rules = await appointments.setting.desk(keeper, OfficeId(office_id), ServiceId(service_id))
    return OfferedDeskView.of(desk, rules)


@put(
    "/offering/desks/{office_id:uuid}/{service_id:uuid}",
    operation_id="putOfferedDesk",
    summary="A desk's weekly hours",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, NotYourService, ServiceNotFound, OfficeNotFound, OfferUnsound),
)
async def put_offered_desk(
    office_id: FromPath[UUID], service_id: FromPath[UUID], data: JSONBody[DeskBody], keeper: NamedDependency[Keeper],
    appointments: NamedDependency[Appointments],
) -> OfferedDeskView:  # fmt: skip
    """Weekly hours, new or changed. Within the hour nobody else can book what went; who is booked there stays until a
    decision is applied (`applyReplan`), which also makes the change at once."""
    desk = data.whole(OfficeId(office_id), ServiceId(service_id))
    await appointments.setting.put_desk(keeper, desk)
    return OfferedDeskView.of(*await appointments.setting.desk(keeper, desk.office_id, desk.service_id))


@put(
    "/offering/rules/{rule_id:uuid}",
    operation_id="putRule",
    summary="A season, other hours, or closed days",
    status_code=200,
    responses=refuses(
        MalformedRequest, RoleMissing, NotYourService, ServiceNotFound, OfficeNotFound, DeskNotFound, RuleIdTaken,
        OfferUnsound,
    ),
)  # fmt: skip
async def put_rule(
    rule_id: FromPath[UUID], data: JSONBody[RuleBody], keeper: NamedDependency[Keeper],
    appointments: NamedDependency[Appointments],
) -> RuleView:  # fmt: skip
    """A rule under an id of your choosing. Of one day closed wins, then other hours, then a season, then weekly."""
    rule = data.whole(rule_id, keeper, now=appointments.clock.now())
    await appointments.setting.put_rule(keeper, rule)
    return RuleView.of(rule)


@delete(
    "/offering/rules/{rule_id:uuid}",
    operation_id="withdrawRule",
    summary="Let a rule count no more",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, NotYourService, NotYourOffice, RuleNotFound),
)
async def withdraw_rule(
    rule_id: FromPath[UUID], keeper: NamedDependency[Keeper], appointments: NamedDependency[Appointments]
) -> RuleView:
    """The days of the rule are again what the other rules and the weekly hours say."""
    return RuleView.of(await appointments.setting.withdraw_rule(keeper, rule_id))


HANDLERS: Handlers = merged(
    {
        Audience.DEPARTMENT: (
            list_offered_services,
            put_service_terms,
            read_offered_desk,
            put_offered_desk,
            put_rule,
            withdraw_rule,
        ),
    },
    whole.HANDLERS,
    replanning.HANDLERS,
    trips.HANDLERS,
)
