"""Offices, services and the hours offered there as people see them: Shanghai time, names in both languages."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from appointments import moments
from appointments.model import (
    Catalogue,
    DayPart,
    Lane,
    Office,
    Opening,
    Question,
    Service,
    ServiceSort,
    Slot,
)
from appointments.offices.rules import Rule, RuleSort
from appointments.offices.searching import Found, Offer
from kernel.clock import in_shanghai


class OfficeView(msgspec.Struct):
    """Where to go. `district` is the six-digit code of GB/T 2260; the position, where known, is in degrees (WGS 84)."""

    office_id: UUID
    name_zh: str
    name_en: str
    district: str
    address: str
    phone: str
    latitude: float | None
    longitude: float | None

    @classmethod
    def of(cls, office: Office) -> "OfficeView":
        return cls(
            office.office_id, office.name_zh, office.name_en, office.district, office.address, office.phone,
            office.latitude, office.longitude,
        )  # fmt: skip


class ServiceView(msgspec.Struct):
    """What can be booked, and what to bring."""

    service_id: UUID
    slug: str
    department: str
    name_zh: str
    name_en: str
    bring_zh: str
    bring_en: str

    @classmethod
    def of(cls, service: Service) -> "ServiceView":
        return cls(
            service.service_id, service.slug, service.department,
            service.name_zh, service.name_en, service.bring_zh, service.bring_en,
        )  # fmt: skip


class ServiceWithTerms(ServiceView):
    """A service and on what terms it is booked.

    Booking ends `lead_minutes` before an hour, cancelling and moving `cancel_minutes` before it. Today and
    `horizon_days` after it can be booked, the furthest of them from `release_minute` of the day on (Shanghai). What
    stands behind the gate (`is_gated`) is booked with an admission to its release.
    """

    sort: ServiceSort
    questions: list[Question]
    lead_minutes: int
    horizon_days: int
    release_minute: int
    cancel_minutes: int
    is_gated: bool
    is_for_others: bool

    @classmethod
    def of(cls, service: Service) -> "ServiceWithTerms":
        return cls(
            service.service_id, service.slug, service.department,
            service.name_zh, service.name_en, service.bring_zh, service.bring_en,
            service.sort, list(service.questions), service.lead_minutes, service.horizon_days,
            service.release_minute, service.cancel_minutes, service.is_gated, service.is_for_others,
        )  # fmt: skip


class OpeningView(msgspec.Struct):
    """Hours on one weekday (0 is Monday), `HH:MM` in Shanghai."""

    weekday: int
    opens: str
    closes: str

    @classmethod
    def of(cls, opening: Opening) -> "OpeningView":
        return cls(opening.weekday, f"{opening.opens:%H:%M}", f"{opening.closes:%H:%M}")


class RuleOpeningView(msgspec.Struct):
    """Hours of a rule; what is null is as the desk has it."""

    weekday: int
    opens: str
    closes: str
    lane: Lane
    places: int | None
    slot_minutes: int | None


class RuleView(msgspec.Struct):
    """A rule that stands. Without a service it is for all of the office."""

    rule_id: UUID
    office_id: UUID
    service_id: UUID | None
    sort: RuleSort
    first_day: date
    last_day: date
    reason_zh: str
    reason_en: str
    openings: list[RuleOpeningView]

    @classmethod
    def of(cls, rule: Rule) -> "RuleView":
        openings = [
            RuleOpeningView(
                one.weekday, f"{one.opens:%H:%M}", f"{one.closes:%H:%M}", one.lane, one.places, one.slot_minutes
            )
            for one in rule.openings
        ]
        return cls(
            rule.rule_id, rule.office_id, rule.service_id, rule.sort, rule.first_day, rule.last_day, rule.reason_zh,
            rule.reason_en, openings,
        )  # fmt: skip


class DeskView(msgspec.Struct):
    """A service at an office, and when it is open."""

    service_id: UUID
    slot_minutes: int
    openings: list[OpeningView]


class OfficeWithDesks(msgspec.Struct):
    office: OfficeView
    desks: list[DeskView]


class OfficesView(msgspec.Struct):
    offices: list[OfficeWithDesks]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "OfficesView":
        desks: dict[UUID, list[DeskView]] = {}
        for desk in catalogue.desks:
            openings = [OpeningView.of(opening) for opening in sorted(desk.openings)]
            desks.setdefault(desk.office_id, []).append(DeskView(desk.service_id, desk.slot_minutes, openings))
        return cls([OfficeWithDesks(OfficeView.of(o), desks.get(o.office_id, [])) for o in catalogue.offices.values()])


class ServicesView(msgspec.Struct):
    services: list[ServiceWithTerms]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "ServicesView":
        return cls([ServiceWithTerms.of(service) for service in catalogue.services.values()])


class SlotView(msgspec.Struct):
    """An hour that can be booked. `free` of `places` were free a moment ago.

    Before `opens_at` nobody can book it, from `closes_at` on nobody any more; `day_part` 0 begins before 12:00, 1
    before 18:00, 2 later. `ref` and `detail` tell trips and sittings of one hour apart. `distance_m` is as the crow
    flies, from where `near` says; null where that or the office's position is not known.
    """

    slot_id: UUID
    office_id: UUID
    service_id: UUID
    district: str
    starts_at: datetime
    ends_at: datetime
    places: int
    free: int
    lane: Lane
    day_part: DayPart
    opens_at: datetime | None
    closes_at: datetime | None
    is_gated: bool
    ref: str
    detail: dict[str, Any] | None
    distance_m: int | None

    @classmethod
    def of(cls, offer: Offer) -> "SlotView":
        slot: Slot = offer.slot
        return cls(
            slot.slot_id, slot.office_id, slot.service_id, slot.district,
            in_shanghai(slot.starts_at), in_shanghai(slot.ends_at), slot.places, offer.free,
            slot.lane, slot.day_part, moments.shown(slot.opens_at), moments.shown(slot.closes_at),
            slot.is_gated, slot.ref, slot.detail, offer.distance_m,
        )  # fmt: skip


class SlotsView(msgspec.Struct):
    """A page of slots; `next` is the cursor of the page after it, null at the end. Where much had to be looked through,
    a page may be shorter than its limit, or empty, and there is more: go on while `next` is not null."""

    slots: list[SlotView]
    next: str | None

    @classmethod
    def of(cls, found: Found) -> "SlotsView":
        return cls([SlotView.of(offer) for offer in found.offers], found.next)
