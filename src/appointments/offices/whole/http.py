"""What holds for a whole office, over HTTP: rules for every service there, what they do, and carrying them out."""

from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from appointments.errors import OfferUnsound, OfficeNotFound, RuleIdTaken
from appointments.model import Service
from appointments.offices.errors import NotYourOffice
from appointments.offices.forms import DecisionBody, ProposedRuleBody, RuleForDaysBody
from appointments.offices.replanning import applying, deciding
from appointments.offices.replanning.http import ReplanApplied, ReplanPreview, decision_of
from appointments.offices.setting import WholeOffice
from appointments.offices.views import OfficeView, RuleView
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.errors import MalformedRequest, PartAway, RoleMissing
from kernel.ids import OfficeId, uuid7
from kernel.principal import Audience, Keeper
from kernel.problems import refuses


class ServiceHereView(msgspec.Struct):
    """A service that the office offers."""

    service_id: UUID
    service_zh: str
    service_en: str
    department: str

    @classmethod
    def of(cls, service: Service) -> "ServiceHereView":
        return cls(service.service_id, service.name_zh, service.name_en, service.department)


class OfferedOfficeView(msgspec.Struct):
    """An office, what it offers, and the rules that stand for all of it and whose days are not over."""

    office: OfficeView
    services: list[ServiceHereView]
    rules: list[RuleView]

    @classmethod
    def of(cls, whole: WholeOffice) -> "OfferedOfficeView":
        services = [ServiceHereView.of(service) for service in whole.services]
        return cls(OfficeView.of(whole.office), services, [RuleView.of(rule) for rule in whole.rules])


class ServicePreview(msgspec.Struct):
    """What applying would do to one service of the office."""

    service: ServiceHereView
    preview: ReplanPreview


class OfficePreview(msgspec.Struct):
    """What applying would do, service by service; `conflicting` counts the bookings of all of them."""

    conflicting: int
    services: list[ServicePreview]


class ServiceApplied(msgspec.Struct):
    """What was done to one service of the office."""

    service_id: UUID
    applied: ReplanApplied


class OfficeApplied(msgspec.Struct):
    """What was done, service by service. Where `is_done` is false there was more than one call does: send it again."""

    is_done: bool
    services: list[ServiceApplied]


class OfficePreviewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A rule that is not put yet, to see what it would do; without it, what was put and not applied."""

    rule: ProposedRuleBody | None = None


@get(
    "/offering/offices/{office_id:uuid}",
    operation_id="readOfferedOffice",
    summary="What holds for a whole office",
    responses=refuses(MalformedRequest, RoleMissing, OfficeNotFound, NotYourOffice),
)
async def read_offered_office(
    office_id: FromPath[UUID], keeper: NamedDependency[Keeper], appointments: NamedDependency[Appointments]
) -> OfferedOfficeView:
    """For its supervisor, or for a department that answers for every service there."""
    return OfferedOfficeView.of(await appointments.setting.whole(keeper, OfficeId(office_id)))


@put(
    "/offering/offices/{office_id:uuid}/rules/{rule_id:uuid}",
    operation_id="putOfficeRule",
    summary="A season, other hours, or closed days of a whole office",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, OfficeNotFound, NotYourOffice, RuleIdTaken, OfferUnsound),
)
async def put_office_rule(
    office_id: FromPath[UUID], rule_id: FromPath[UUID], data: JSONBody[RuleForDaysBody],
    keeper: NamedDependency[Keeper], appointments: NamedDependency[Appointments],
) -> RuleView:  # fmt: skip
    """A rule for every service there, under an id of your choosing. Of two rules of one sort, one for a service alone
    counts before one for the office; closed is closed. It is withdrawn like any other (`withdrawRule`)."""
    rule = data.rule_of(rule_id, keeper, OfficeId(office_id), None, now=appointments.clock.now())
    await appointments.setting.put_rule(keeper, rule)
    return RuleView.of(rule)


@post(
    "/offering/offices/{office_id:uuid}/preview",
    operation_id="previewOfficeReplan",
    summary="What a change does to the hours and bookings of a whole office",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, OfficeNotFound, NotYourOffice, OfferUnsound),
)
async def preview_office_replan(
    office_id: FromPath[UUID], data: JSONBody[OfficePreviewRequest], keeper: NamedDependency[Keeper],
    appointments: NamedDependency[Appointments],
) -> OfficePreview:  # fmt: skip
    """As `previewReplan`, for each service there. Nothing is written."""
    db, clock, office = appointments.db, appointments.clock, OfficeId(office_id)
    now = clock.now()
    whole = await appointments.setting.whole(keeper, office)
    rule = None if data.rule is None else data.rule.proposed(uuid7(now), keeper, office, None, now=now)
    previews = []
    for service in whole.services:
        context = await applying.context_now(db, clock, office, service.service_id, rule=rule)
        shown = await applying.preview(db, clock, office, service.service_id, proposed=context)
        previews.append(ServicePreview(ServiceHereView.of(service), ReplanPreview.of(shown)))
    return OfficePreview(sum(one.preview.conflicting for one in previews), previews)


@post(
    "/offering/offices/{office_id:uuid}/apply",
    operation_id="applyOfficeReplan",
    summary="Make a whole office's hours as planned, and move, cancel or keep who is booked",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, OfficeNotFound, NotYourOffice, PartAway),
)
async def apply_office_replan(
    office_id: FromPath[UUID], data: JSONBody[DecisionBody], keeper: NamedDependency[Keeper],
    appointments: NamedDependency[Appointments],
) -> OfficeApplied:  # fmt: skip
    """As `applyReplan`, for each service there. Whoever is moved or cancelled is told, with the reason."""
    whole = await appointments.setting.whole(keeper, OfficeId(office_id))
    done = await deciding.apply_in_office(
        appointments.db, appointments.clock, appointments.mover, whole.office.office_id,
        [service.service_id for service in whole.services], decision_of(data, keeper),
    )  # fmt: skip
    applied = [ServiceApplied(service_id, ReplanApplied.of(one)) for service_id, one in done.items()]
    return OfficeApplied(all(one.applied.is_done for one in applied), applied)


HANDLERS: Handlers = {
    Audience.DEPARTMENT: (read_offered_office, put_office_rule, preview_office_replan, apply_office_replan),
}
