"""A department looks at what a change does, decides, and gives or takes back slots one by one, over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec.structs import replace

from appointments import moments
from appointments.errors import (
    DeskNotFound,
    NotYourService,
    OfferUnsound,
    OfficeNotFound,
    ServiceNotFound,
    SlotNotFound,
)
from appointments.model import Lane, Slot
from appointments.offices.forms import DecisionBody, DeskBody, GivenSlotBody, ProposedRuleBody
from appointments.offices.replanning import applying, deciding
from appointments.offices.replanning.applying import Applied, Conflict, Preview
from appointments.offices.replanning.moving import Decision, OnConflict
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, PartAway, RoleMissing
from kernel.ids import OfficeId, ServiceId, SlotId, uuid7
from kernel.principal import Audience, Keeper
from kernel.problems import refuses

SHOWN_MAX = 100
"""How many hours that appear or go a preview shows; their number is said."""


class GivenSlotView(msgspec.Struct):
    """A slot as its department sees it. A withdrawn one has as many places as are still booked."""

    slot_id: UUID
    lane: Lane
    starts_at: datetime
    ends_at: datetime
    places: int
    ref: str
    detail: dict[str, Any] | None
    opens_at: datetime | None
    closes_at: datetime | None
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, slot: Slot) -> "GivenSlotView":
        return cls(
            slot.slot_id, slot.lane, in_shanghai(slot.starts_at), in_shanghai(slot.ends_at), slot.places, slot.ref,
            slot.detail, moments.shown(slot.opens_at), moments.shown(slot.closes_at), moments.shown(slot.withdrawn_at),
        )  # fmt: skip


class ConflictView(msgspec.Struct):
    """A booking the plan has no place for. `slot_goes`: its hour is offered no more; else there are fewer places."""

    booking_id: UUID
    slot_id: UUID
    starts_at: datetime
    lane: Lane
    slot_goes: bool

    @classmethod
    def of(cls, conflict: Conflict) -> "ConflictView":
        one = conflict.booking
        return cls(one.booking_id, one.slot_id, in_shanghai(one.starts_at), one.lane, conflict.is_gone)


class ReplanPreview(msgspec.Struct):
    """What applying would do: the numbers, and the first of each. `assumed_years`: nobody has said their holidays."""

    appear: int
    go: int
    grow: int
    shrink: int
    conflicting: int
    conflicts: list[ConflictView]
    appearing: list[GivenSlotView]
    going: list[GivenSlotView]
    assumed_years: list[int]

    @classmethod
    def of(cls, preview: Preview) -> "ReplanPreview":
        return cls(
            len(preview.appear), len(preview.go), preview.grow, preview.shrink, preview.conflicting,
            [ConflictView.of(one) for one in preview.conflicts],
            [GivenSlotView.of(one) for one in preview.appear[:SHOWN_MAX]],
            [GivenSlotView.of(one) for one in preview.go[:SHOWN_MAX]],
            list(preview.assumed_years),
        )  # fmt: skip


class ReplanApplied(msgspec.Struct):
    """What was done. Where `is_done` is false there was more than one call does: send it again for the rest."""

    appeared: int
    fitted: int
    withdrawn: int
    moved: int
    cancelled: int
    kept: int
    is_done: bool

    @classmethod
    def of(cls, applied: Applied) -> "ReplanApplied":
        return msgspec.convert(applied, cls, from_attributes=True)


class PreviewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Hours, a rule, or both, that are not put yet, to see what they would do; without them, what was put and not
    applied."""

    desk: DeskBody | None = None
    rule: ProposedRuleBody | None = None


@post(
    "/offering/desks/{office_id:uuid}/{service_id:uuid}/preview",
    operation_id="previewReplan",
    summary="What a change does to hours and bookings",
    status_code=200,
    responses=refuses(
        MalformedRequest, RoleMissing, NotYourService, ServiceNotFound, OfficeNotFound, DeskNotFound, OfferUnsound
    ),
)
async def preview_replan(
    office_id: FromPath[UUID], service_id: FromPath[UUID], data: JSONBody[PreviewRequest],
    keeper: NamedDependency[Keeper], appointments: NamedDependency[Appointments],
) -> ReplanPreview:  # fmt: skip
    """Which hours appear, go, grow or shrink, and which bookings conflict. Nothing is written."""
    ids = OfficeId(office_id), ServiceId(service_id)
    now = appointments.clock.now()
    await appointments.setting.desk(keeper, *ids)
    rule = None if data.rule is None else data.rule.proposed(uuid7(now), keeper, *ids, now=now)
    context = await applying.context_now(appointments.db, appointments.clock, *ids, rule=rule)
    if data.desk is not None:
        kept = context.desk
        proposed = replace(data.desk.whole(*ids), offered_until=kept.offered_until, rules_version=kept.rules_version)
        context = replace(context, desk=proposed)
    return ReplanPreview.of(await applying.preview(appointments.db, appointments.clock, *ids, proposed=context))


@post(
    "/offering/desks/{office_id:uuid}/{service_id:uuid}/apply",
    operation_id="applyReplan",
    summary="Make the hours as planned, and move, cancel or keep who is booked",
    status_code=200,
    responses=refuses(
        MalformedRequest, RoleMissing, NotYourService, ServiceNotFound, OfficeNotFound, DeskNotFound, PartAway
    ),
)
async def apply_replan(
    office_id: FromPath[UUID], service_id: FromPath[UUID], data: JSONBody[DecisionBody],
    keeper: NamedDependency[Keeper], appointments: NamedDependency[Appointments],
) -> ReplanApplied:  # fmt: skip
    """Carry out what was put. Whoever is moved or cancelled is told, with the reason. Broken off, send it again."""
    ids = OfficeId(office_id), ServiceId(service_id)
    await appointments.setting.desk(keeper, *ids)
    applied = await deciding.apply(
        appointments.db, appointments.clock, appointments.mover, *ids, decision_of(data, keeper)
    )
    return ReplanApplied.of(applied)


@put(
    "/offering/slots",
    operation_id="giveSlot",
    summary="Offer one trip or sitting",
    status_code=200,
    responses=refuses(
        MalformedRequest, RoleMissing, NotYourService, ServiceNotFound, OfficeNotFound, OfferUnsound, PartAway
    ),
)
async def give_slot(
    data: JSONBody[GivenSlotBody], keeper: NamedDependency[Keeper], appointments: NamedDependency[Appointments]
) -> GivenSlotView:
    """A slot with places, by hour, lane and `ref`. Given again it is changed: never to fewer places than are booked."""
    ids = OfficeId(data.office_id), ServiceId(data.service_id)
    office, service = await appointments.setting.owned_at(keeper, *ids)
    slot = data.whole(service, office.district, now=appointments.clock.now())
    given = await deciding.give_slot(appointments.db, appointments.clock, appointments.mover, slot, actor=keeper.actor)
    return GivenSlotView.of(given)


@post(
    "/offering/slots/{slot_id:uuid}/withdraw",
    operation_id="withdrawSlot",
    summary="Take a slot back",
    status_code=200,
    responses=refuses(MalformedRequest, RoleMissing, NotYourService, SlotNotFound, PartAway),
)
async def withdraw_slot(
    slot_id: FromPath[UUID], data: JSONBody[DecisionBody], keeper: NamedDependency[Keeper],
    appointments: NamedDependency[Appointments],
) -> ReplanApplied:  # fmt: skip
    """Nobody books it any more; who is booked is moved, cancelled or kept, and told. For hours of a desk, put a rule:
    a slot that its hours plan comes back when they are planned anew."""
    slot = await deciding.read_slot(appointments.db, SlotId(slot_id))
    await appointments.setting.owned_at(keeper, slot.office_id, slot.service_id)
    applied = await deciding.withdraw_slot(
        appointments.db, appointments.clock, appointments.mover, slot, decision_of(data, keeper)
    )
    return ReplanApplied.of(applied)


def decision_of(data: DecisionBody, keeper: Keeper) -> Decision:
    """What the department sent, and who it is that says so."""
    return Decision(
        on_conflict=OnConflict(data.on_conflict), reason_zh=data.reason_zh, actor=keeper.actor,
        within_days=data.within_days,
    )  # fmt: skip


HANDLERS: Handlers = {
    Audience.DEPARTMENT: (preview_replan, apply_replan, give_slot, withdraw_slot),
}
