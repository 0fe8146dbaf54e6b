"""Seasons, other hours and closed days of an office, and which of them counts on a day. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from appointments.calendars.working_days import Calendar, days_from
from appointments.model import Desk, Lane
from kernel.ids import OfficeId, ServiceId

RULE_DAYS_MAX: Final = 400
"""How many days one rule spans at most: a season comes back with a rule of its own each year."""
PLACES_MAX: Final = 10_000
SLOT_MINUTES_MIN: Final = 5
SLOT_MINUTES_MAX: Final = 480


class RuleSort(StrEnum):
    """What a rule says of its days. Where several speak of one day: closed, then hours, then season, then weekly."""

    CLOSED = "closed"
    HOURS = "hours"
    """The days have exactly these hours, in every lane."""
    SEASON = "season"
    """In the lanes it names, these weekly hours stand in place of the desk's own."""


class RuleOpening(msgspec.Struct, frozen=True, kw_only=True):
    """Hours of a rule, Shanghai time. `weekday` counts for seasons alone; what is None is as the desk has it."""

    weekday: Annotated[int, Meta(ge=0, le=6)] = 0
    opens: time
    closes: time
    lane: Lane = Lane.NORMAL
    places: Annotated[int, Meta(ge=1, le=PLACES_MAX)] | None = None
    slot_minutes: Annotated[int, Meta(ge=SLOT_MINUTES_MIN, le=SLOT_MINUTES_MAX)] | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What an office says of the days from one to another, both counted; for one service, or (None) for all."""

    rule_id: UUID
    office_id: OfficeId
    service_id: ServiceId | None
    sort: RuleSort
    first_day: date
    last_day: date
    openings: tuple[RuleOpening, ...] = ()
    reason_zh: str = ""
    reason_en: str = ""
    made_by: str
    made_at: datetime
    withdrawn_at: datetime | None = None

    def is_replaced_by(self, other: "Rule") -> bool:
        """Whether putting the other leaves this one no more: the same id, for the same desk or office."""
        return (self.rule_id, self.office_id, self.service_id) == (other.rule_id, other.office_id, other.service_id)

    def counts_for(self, desk: Desk, day: date) -> bool:
        return (
            self.withdrawn_at is None
            and self.office_id == desk.office_id
            and self.service_id in (None, desk.service_id)
            and self.first_day <= day <= self.last_day
        )


class Span(msgspec.Struct, frozen=True, order=True):
    """Hours of one day in one lane, with how many are served side by side and for how long."""

    lane: Lane
    opens: time
    closes: time
    places: int
    slot_minutes: int


def spans_of_day(desk: Desk, rules: Iterable[Rule], calendar: Calendar, day: date) -> tuple[Span, ...]:
    """When a desk is open on a day, by lane.

    `closed` wins over `hours`, `hours` over seasons, a season over the weekly hours; among rules of a sort one for the
    service alone wins over one for the whole office, then the newest. A public holiday is closed, unless the desk is
    open on holidays or an `hours` rule says nothing but holidays: a rule for the first week of October means them, one
    for a whole autumn does not. A make-up workday keeps the hours of the weekday that the calendar names.
    """
    counting = [rule for rule in rules if rule.counts_for(desk, day)]
    if any(rule.sort is RuleSort.CLOSED for rule in counting):
        return ()
    hours = _first(counting, RuleSort.HOURS)
    kept = calendar.kept(day)
    if kept.is_holiday and not desk.open_on_holidays and not (hours and _means_holidays(hours, calendar)):
        return ()
    if hours is not None:
        return tuple(sorted(_span(desk, opening) for opening in hours.openings))
    return tuple(sorted(_usual(desk, counting, kept.weekday)))


def _usual(desk: Desk, counting: Sequence[Rule], weekday: int) -> list[Span]:
    """The hours of a weekday: in each lane those of the season that names it, in the normal one else the desk's own."""
    spans = []
    for lane in Lane:
        season = _first([rule for rule in counting if any(one.lane is lane for one in rule.openings)], RuleSort.SEASON)
        if season is not None:
            spans += [_span(desk, one) for one in season.openings if one.lane is lane and one.weekday == weekday]
        elif lane is Lane.NORMAL:
            spans += [
                Span(lane, one.opens, one.closes, desk.places, desk.slot_minutes)
                for one in desk.openings
                if one.weekday == weekday
            ]
    return spans


def _first(rules: Iterable[Rule], sort: RuleSort) -> Rule | None:
    """The rule of a sort that counts before the others."""
    of_sort = [rule for rule in rules if rule.sort is sort]
    return max(of_sort, key=lambda rule: (rule.service_id is not None, rule.made_at, rule.rule_id), default=None)


def _means_holidays(rule: Rule, calendar: Calendar) -> bool:
    return all(calendar.kept(day).is_holiday for day in days_from(rule.first_day, rule.last_day))


def _span(desk: Desk, opening: RuleOpening) -> Span:
    return Span(
        opening.lane,
        opening.opens,
        opening.closes,
        opening.places or desk.places,
        opening.slot_minutes or desk.slot_minutes,
    )
