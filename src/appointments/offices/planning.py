"""From a desk's hours, its rules and the calendar to the slots of a day, and what of it is not so yet. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final

import msgspec

from appointments.calendars.working_days import Calendar, days_from
from appointments.model import Desk, Lane, Service, Slot, slot_id_of
from appointments.offices.rules import Rule, Span, spans_of_day
from kernel.clock import SHANGHAI
from kernel.ids import SlotId

MADE_BEFORE_DAYS: Final = 2
"""Slots are made so many days beyond the horizon: at least one whole day before they open, whatever the minute of the
release and however late the beat."""
BESIDE: Final = (Lane.URGENT, Lane.SPECIAL)
"""The lanes that have places of their own beside each normal slot (`Desk.lanes`)."""


class Context(msgspec.Struct, frozen=True):
    """All that the slots of a desk follow from."""

    desk: Desk
    service: Service
    district: str
    rules: tuple[Rule, ...]
    calendar: Calendar


def plan_of_day(context: Context, day: date) -> tuple[Slot, ...]:
    """The slots of a desk on one day, by lane and hour: whole slots only, back to back from each opening.

    Within a lane none overlaps another: where openings do, the earlier slot stands. Doing it again makes the same ids.
    """
    desk = context.desk
    spans = spans_of_day(desk, context.rules, context.calendar, day)
    beside = [
        Span(lane, span.opens, span.closes, places, span.slot_minutes)
        for span in spans
        if span.lane is Lane.NORMAL
        for lane, places in desk.lanes.items()
        if lane in BESIDE and places > 0
    ]
    slots = [slot for span in (*spans, *beside) for slot in _slots_of_span(context, span, day)]
    slots.sort(key=lambda slot: (slot.lane, slot.starts_at, slot.ends_at))
    return tuple(_without_overlaps(slots))


def plan_of_days(context: Context, first: date, last: date) -> Iterator[Slot]:
    """The slots of a desk from one day to another, both counted."""
    for day in days_from(first, last):
        yield from plan_of_day(context, day)


def opens_at(service: Service, day: date) -> datetime:
    """The release moment of a day: `horizon_days` before it, at `release_minute` (Shanghai)."""
    released = datetime.combine(day - timedelta(days=service.horizon_days), time(), SHANGHAI)
    return released + timedelta(minutes=service.release_minute)


def closes_at(service: Service, starts_at: datetime) -> datetime:
    """The last moment to book: `lead_minutes` before the slot begins."""
    return starts_at - timedelta(minutes=service.lead_minutes)


def _slots_of_span(context: Context, span: Span, day: date) -> Iterator[Slot]:
    desk, service = context.desk, context.service
    length = timedelta(minutes=span.slot_minutes)
    starts_at = datetime.combine(day, span.opens, SHANGHAI)
    ends = datetime.combine(day, span.closes, SHANGHAI)
    while starts_at + length <= ends:
        yield Slot(
            slot_id=slot_id_of(desk.office_id, desk.service_id, starts_at, span.lane),
            office_id=desk.office_id,
            service_id=desk.service_id,
            district=context.district,
            starts_at=starts_at,
            ends_at=starts_at + length,
            places=span.places,
            lane=span.lane,
            opens_at=opens_at(service, day),
            closes_at=closes_at(service, starts_at),
            is_gated=service.is_gated,
            is_planned=True,
        )
        starts_at += length


def _without_overlaps(slots: Iterable[Slot]) -> Iterator[Slot]:
    """Slots sorted by lane and hour, those left out that begin before the one kept before them has ended."""
    last: Slot | None = None
    for slot in slots:
        if last is None or last.lane is not slot.lane or last.ends_at <= slot.starts_at:
            yield slot
            last = slot


class Changes(msgspec.Struct, frozen=True):
    """What is to be done so that the slots are as planned."""

    appear: tuple[Slot, ...] = ()
    """Not there yet."""
    fit: tuple[Slot, ...] = ()
    """There, with other places, moments or ends than planned, or withdrawn; as they are to be."""
    go: tuple[Slot, ...] = ()
    """There and not planned any more; as they are."""

    def __bool__(self) -> bool:
        return bool(self.appear or self.fit or self.go)


def changes(planned: Iterable[Slot], there: Mapping[SlotId, Slot]) -> Changes:
    """What differs between the plan and the planned slots that are there. What is withdrawn and not planned is as it
    should be."""
    wanted = {slot.slot_id: slot for slot in planned}
    return Changes(
        appear=tuple(slot for slot_id, slot in wanted.items() if slot_id not in there),
        fit=tuple(
            slot for slot_id, slot in wanted.items() if slot_id in there and not is_as_planned(slot, there[slot_id])
        ),
        go=tuple(slot for slot_id, slot in there.items() if slot_id not in wanted and slot.withdrawn_at is None),
    )


def is_as_planned(wanted: Slot, slot: Slot) -> bool:
    return slot.withdrawn_at is None and (
        (slot.places, slot.ends_at, slot.opens_at, slot.closes_at, slot.is_gated)
        == (wanted.places, wanted.ends_at, wanted.opens_at, wanted.closes_at, wanted.is_gated)
    )
