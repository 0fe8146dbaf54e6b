"""What departments send about what they offer, and what is wrong with it."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from appointments.errors import OfferUnsound
from appointments.model import Desk, Lane, Opening, Question, QuestionSort, Service, ServiceSort, Slot, slot_id_of
from appointments.offices.planning import BESIDE, closes_at
from appointments.offices.rules import PLACES_MAX, RULE_DAYS_MAX, Rule, RuleOpening, RuleSort
from kernel.ids import OfficeId, ServiceId
from kernel.plain_text import ONE_LINE, is_one_line
from kernel.principal import Keeper

OPENINGS_MAX = 84
"""Twelve in a day."""
QUESTIONS_MAX = 20
AHEAD_DAYS_MAX = 366
LASTS_HOURS_MAX = 24
Minutes = Annotated[int, Meta(ge=0, le=43_200)]
Places = Annotated[int, Meta(ge=1, le=PLACES_MAX)]
SlotMinutes = Annotated[int, Meta(ge=5, le=480)]
LineZh = Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)]
LineEn = Annotated[str, Meta(min_length=1, max_length=160, pattern=ONE_LINE)]
ReasonZh = Annotated[str, Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
ReasonEn = Annotated[str, Meta(min_length=1, max_length=400, pattern=ONE_LINE)]
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)")]
Weekday = Annotated[int, Meta(ge=0, le=6)]
HourText = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]


class TermsBody(msgspec.Struct, forbid_unknown_fields=True):
    """On what terms a service is booked: see the service's own view for what each says."""

    lead_minutes: Minutes
    horizon_days: Annotated[int, Meta(ge=0, le=180)]
    release_minute: Annotated[int, Meta(ge=0, le=1439)]
    cancel_minutes: Minutes
    is_gated: bool
    is_for_others: bool
    questions: Annotated[list[Question], Meta(max_length=QUESTIONS_MAX)]

    def whole(self, service: Service) -> Service:
        """Raises OfferUnsound."""
        _check_questions(self.questions)
        return replace(
            service, lead_minutes=self.lead_minutes, horizon_days=self.horizon_days,
            release_minute=self.release_minute, cancel_minutes=self.cancel_minutes, is_gated=self.is_gated,
            is_for_others=self.is_for_others, questions=tuple(self.questions),
        )  # fmt: skip


class OpeningBody(msgspec.Struct, forbid_unknown_fields=True):
    """Hours on one weekday (0 is Monday), `HH:MM` in Shanghai. A lunch break is two openings of one day."""

    weekday: Weekday
    opens: HourText
    closes: HourText


class LanesBody(msgspec.Struct, forbid_unknown_fields=True):
    """Places beside the normal ones in each slot: 加急办, 特殊办."""

    urgent: Annotated[int, Meta(ge=0, le=PLACES_MAX)] = 0
    special: Annotated[int, Meta(ge=0, le=PLACES_MAX)] = 0


class DeskBody(msgspec.Struct, forbid_unknown_fields=True):
    """A desk's weekly hours, how long a slot lasts, how many are served side by side."""

    slot_minutes: SlotMinutes
    places: Places
    openings: Annotated[list[OpeningBody], Meta(max_length=OPENINGS_MAX)]
    lanes: LanesBody = msgspec.field(default_factory=LanesBody)
    open_on_holidays: bool = False

    def whole(self, office_id: OfficeId, service_id: ServiceId) -> Desk:
        """Raises OfferUnsound."""
        openings = sorted(Opening(one.weekday, _hour(one.opens), _hour(one.closes)) for one in self.openings)
        _check_hours([(one.weekday, one.opens, one.closes) for one in openings])
        lanes = {lane: places for lane in BESIDE if (places := getattr(self.lanes, lane.value))}
        return Desk(
            office_id=office_id, service_id=service_id, slot_minutes=self.slot_minutes, places=self.places,
            openings=tuple(openings), lanes=lanes, open_on_holidays=self.open_on_holidays,
        )  # fmt: skip


class RuleOpeningBody(OpeningBody, kw_only=True):
    """Hours of a rule. `weekday` counts for seasons alone; what is left out is as the desk has it."""

    weekday: Weekday = 0
    lane: Lane = Lane.NORMAL
    places: Places | None = None
    slot_minutes: SlotMinutes | None = None


class RuleForDaysBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A season, other hours, or closed days, from one day to another, both counted; closed days have no hours."""

    sort: RuleSort
    first_day: date
    last_day: date
    reason_zh: ReasonZh
    reason_en: ReasonEn
    openings: Annotated[list[RuleOpeningBody], Meta(max_length=OPENINGS_MAX)] = []

    def rule_of(
        self, rule_id: UUID, keeper: Keeper, office_id: OfficeId, service_id: ServiceId | None, *, now: datetime
    ) -> Rule:
        """The rule for one service of an office, or (None) for all of them. Raises OfferUnsound."""
        if not 0 <= (self.last_day - self.first_day).days < RULE_DAYS_MAX or not 2000 <= self.first_day.year <= 2200:
            raise OfferUnsound(f"a rule spans 1 to {RULE_DAYS_MAX} days, and ends after it begins")
        if (self.sort is RuleSort.CLOSED) == bool(self.openings):
            raise OfferUnsound("closed days have no hours, and every other rule says some")
        openings = tuple(
            RuleOpening(
                weekday=one.weekday if self.sort is RuleSort.SEASON else 0, opens=_hour(one.opens),
                closes=_hour(one.closes), lane=one.lane, places=one.places, slot_minutes=one.slot_minutes,
            )
            for one in self.openings
        )  # fmt: skip
        for lane in Lane:
            _check_hours(sorted((one.weekday, one.opens, one.closes) for one in openings if one.lane is lane))
        return Rule(
            rule_id=rule_id, office_id=office_id, service_id=service_id, sort=self.sort,
            first_day=self.first_day, last_day=self.last_day, openings=openings, reason_zh=self.reason_zh,
            reason_en=self.reason_en, made_by=keeper.actor, made_at=now,
        )  # fmt: skip


class RuleBody(RuleForDaysBody, kw_only=True):
    """A season, other hours, or closed days of one service at one office."""

    office_id: UUID
    service_id: UUID

    def whole(self, rule_id: UUID, keeper: Keeper, *, now: datetime) -> Rule:
        """Raises OfferUnsound."""
        return self.rule_of(rule_id, keeper, OfficeId(self.office_id), ServiceId(self.service_id), now=now)


class ProposedRuleBody(RuleForDaysBody, kw_only=True):
    """A rule that is not put yet: what would be put, and the `rule_id` it would be put under, where it is to take the
    place of one that stands."""

    rule_id: UUID | None = None

    def proposed(
        self, fresh_id: UUID, keeper: Keeper, office_id: OfficeId, service_id: ServiceId | None, *, now: datetime
    ) -> Rule:
        """Raises OfferUnsound."""
        return self.rule_of(self.rule_id or fresh_id, keeper, office_id, service_id, now=now)


class TripBody(msgspec.Struct, forbid_unknown_fields=True, tag_field="sort", tag="trip"):
    """A trip (班次): its route, where it leaves from, and the vehicle whose position residents may ask for."""

    route_zh: LineZh
    route_en: LineEn
    departs_from_zh: LineZh
    departs_from_en: LineEn
    vehicle: Code | None = None


class SittingBody(msgspec.Struct, forbid_unknown_fields=True, tag_field="sort", tag="sitting"):
    """A sitting of an exam (考场): the room, and the code examinees are told."""

    room_zh: LineZh
    room_en: LineEn
    exam_code: Code


class GivenSlotBody(msgspec.Struct, forbid_unknown_fields=True):
    """A slot given by itself. `ref` tells those of one hour apart: a trip's number, a room."""

    office_id: UUID
    service_id: UUID
    starts_at: Annotated[datetime, Meta(tz=True)]
    ends_at: Annotated[datetime, Meta(tz=True)]
    places: Places
    ref: Code
    detail: TripBody | SittingBody
    lane: Lane = Lane.NORMAL
    opens_at: Annotated[datetime, Meta(tz=True)] | None = None

    def whole(self, service: Service, district: str, *, now: datetime) -> Slot:
        """Raises OfferUnsound."""
        lasts = self.ends_at - self.starts_at
        if not timedelta(0) < lasts <= timedelta(hours=LASTS_HOURS_MAX):
            raise OfferUnsound(f"a slot lasts up to {LASTS_HOURS_MAX} hours, and ends after it begins")
        if not now < self.starts_at < now + timedelta(days=AHEAD_DAYS_MAX):
            raise OfferUnsound(f"a slot begins within {AHEAD_DAYS_MAX} days from now")
        told: dict[str, Any] = msgspec.to_builtins(self.detail)
        if told["sort"] != service.sort.value:
            raise OfferUnsound(f"this service's slots are of the sort {service.sort.value}")
        opens_from = now - timedelta(days=AHEAD_DAYS_MAX)
        if self.opens_at is not None and not opens_from < self.opens_at < closes_at(service, self.starts_at):
            raise OfferUnsound("it opens before booking ends, and within a year")
        return Slot(
            slot_id=slot_id_of(OfficeId(self.office_id), service.service_id, self.starts_at, self.lane, self.ref),
            office_id=OfficeId(self.office_id), service_id=service.service_id, district=district,
            starts_at=self.starts_at, ends_at=self.ends_at, places=self.places, lane=self.lane, opens_at=self.opens_at,
            closes_at=closes_at(service, self.starts_at), is_gated=service.is_gated, ref=self.ref, detail=told,
        )  # fmt: skip


class DecisionBody(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of who is booked in what goes, and the reason they are told.

    `keep`: they come as booked. `move`: the nearest free hour of the same service, office and lane, the same day first,
    within `within_days`; cancelled where there is none. `cancel`: all of them.
    """

    on_conflict: Literal["keep", "move", "cancel"]
    reason_zh: ReasonZh
    within_days: Annotated[int, Meta(ge=0, le=30)] = 7


def is_given_one_by_one(service: Service) -> bool:
    return service.sort is not ServiceSort.COUNTER


def _hour(text: str) -> time:
    return time.fromisoformat(text)


def _check_hours(hours: Sequence[tuple[int, time, time]]) -> None:
    """Hours of one lane, sorted by weekday and beginning."""
    if any(opens >= closes for _, opens, closes in hours):
        raise OfferUnsound("hours end after they begin, on the same day")
    if any(one[0] == other[0] and other[1] < one[2] for one, other in pairwise(hours)):
        raise OfferUnsound("hours of one day overlap")


def _check_questions(questions: Sequence[Question]) -> None:
    if len({one.code for one in questions}) < len(questions):
        raise OfferUnsound("two questions have one code")
    for one in questions:
        if (one.sort is QuestionSort.CHOICE) != bool(one.choices):
            raise OfferUnsound(f"the question {one.code}: a choice offers answers, other questions none")
        labels = [one.label_zh, one.label_en]
        labels += [label for choice in one.choices for label in (choice.label_zh, choice.label_en)]
        if not all(is_one_line(label) for label in labels):
            raise OfferUnsound(f"the question {one.code}: a label is one line of plain text")
        if len({choice.code for choice in one.choices}) < len(one.choices):
            raise OfferUnsound(f"the question {one.code} offers one answer twice")
