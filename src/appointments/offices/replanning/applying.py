"""Rules changed: what that does to the hours still ahead is shown, and then carried out.

Nothing is written down of how far it has come: what is still to be done is always the difference between the plan and
the slots that are there. Broken off anywhere, applying again does the rest, and a second time nothing.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from appointments.calendars import queries as calendars
from appointments.calendars.working_days import Calendar
from appointments.model import Booking, Slot, day_bounds
from appointments.offices import queries as offices
from appointments.offices.planning import MADE_BEFORE_DAYS, Changes, Context, changes, plan_of_days
from appointments.offices.replanning import fitting, queries
from appointments.offices.replanning.moving import Decision, Mover, OnConflict
from appointments.offices.rules import Rule
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId, ServiceId, SlotId

SLOTS_MAX: Final = 2_000
"""How many slots one application makes to fit; what is left is said, and done by the next."""
AHEAD_MAX: Final = timedelta(days=180 + MADE_BEFORE_DAYS)
"""No horizon is longer (`service.horizon_days`)."""
CONFLICTS_MAX: Final = 200
"""How many bookings one application moves or cancels, and a preview lists."""


class Conflict(msgspec.Struct, frozen=True):
    """A booking in a slot that goes, or beyond what a slot that shrinks can serve (`is_gone` False)."""

    booking: Booking
    is_gone: bool


class Preview(msgspec.Struct, frozen=True):
    """What applying would do. `conflicts` are the first CONFLICTS_MAX of `conflicting`."""

    appear: tuple[Slot, ...]
    shrink: int
    grow: int
    go: tuple[Slot, ...]
    conflicting: int
    conflicts: tuple[Conflict, ...]
    assumed_years: tuple[int, ...]
    """Years of the days planned whose holidays nobody has said."""


class Applied(msgspec.Struct, frozen=True):
    """What one application did. `is_done` False: call again for the rest."""

    appeared: int = 0
    fitted: int = 0
    withdrawn: int = 0
    moved: int = 0
    cancelled: int = 0
    kept: int = 0
    """Bookings left in slots that went, or beyond what is served."""
    is_done: bool = True


class Planned(msgspec.Struct, frozen=True):
    """A desk's plan beside what is there, from now to the last day that was ever offered."""

    context: Context
    last_day: date
    wanted: dict[SlotId, Slot]
    there: dict[SlotId, Slot]
    changes: Changes


async def context_of(
    conn: Connection, office_id: OfficeId, service_id: ServiceId, first: date, last: date, *, rule: Rule | None = None
) -> Context:
    """All that a desk's slots follow from between two days. The desk is known to be there. See `context_now`."""
    [desk] = [
        one for one in await offices.select_desks(conn) if (one.office_id, one.service_id) == (office_id, service_id)
    ]
    [service] = [one for one in await offices.select_services(conn) if one.service_id == service_id]
    [office] = [one for one in await offices.select_offices(conn) if one.office_id == office_id]
    rules = tuple(await offices.select_rules(conn, first))
    if rule is not None:
        rules = (*(kept for kept in rules if not kept.is_replaced_by(rule)), rule)
    return Context(desk, service, office.district, rules, await calendar_for(conn, rules, first, last))


async def context_now(
    db: Database, clock: Clock, office_id: OfficeId, service_id: ServiceId, *, rule: Rule | None = None
) -> Context:
    """All that a desk's slots follow from as of now; with `rule`, as if it stood, in place of the one of its id."""
    today = in_shanghai(clock.now()).date()
    async with db.connection() as conn:
        return await context_of(conn, office_id, service_id, today, today + AHEAD_MAX, rule=rule)


async def calendar_for(conn: Connection, rules: Iterable[Rule], first: date, last: date) -> Calendar:
    """The calendar of the days between two, and of all that the rules span: whether a rule means holidays is asked."""
    earliest = min([first, *(rule.first_day for rule in rules)])
    latest = max([last, *(rule.last_day for rule in rules)])
    return await calendars.select_calendar(conn, earliest, latest)


async def planned(
    db: Database, clock: Clock, office_id: OfficeId, service_id: ServiceId, *, proposed: Context | None = None
) -> Planned:
    """The plan of a desk, with `proposed` in place of what is kept, and what differs."""
    now = clock.now()
    today = in_shanghai(now).date()
    context = proposed or await context_now(db, clock, office_id, service_id)
    async with db.connection() as conn:
        last_made = await queries.select_last_planned(conn, office_id, service_id)
        last = last_day(context, today)
        if last_made is not None:
            last = max(last, in_shanghai(last_made).date())
        there = await queries.select_planned(conn, office_id, service_id, now, day_bounds(last)[1])
    wanted = {slot.slot_id: slot for slot in plan_of_days(context, today, last) if slot.starts_at > now}
    return Planned(context, last, wanted, there, changes(wanted.values(), there))


def last_day(context: Context, today: date) -> date:
    """The last day whose slots are made today."""
    return today + timedelta(days=context.service.horizon_days + MADE_BEFORE_DAYS)


async def preview(
    db: Database, clock: Clock, office_id: OfficeId, service_id: ServiceId, *, proposed: Context | None = None
) -> Preview:
    """What applying would do now; nothing is written."""
    plan = await planned(db, clock, office_id, service_id, proposed=proposed)
    now, today = clock.now(), in_shanghai(clock.now()).date()
    async with db.connection() as conn:
        conflicts, conflicting = await _conflicts(conn, plan, now)
    years = range(today.year, plan.last_day.year + 1)
    return Preview(
        appear=plan.changes.appear,
        shrink=sum(slot.places < plan.there[slot.slot_id].places for slot in plan.changes.fit),
        grow=sum(slot.places > plan.there[slot.slot_id].places for slot in plan.changes.fit),
        go=plan.changes.go,
        conflicting=conflicting,
        conflicts=tuple(conflicts),
        assumed_years=tuple(year for year in years if plan.context.calendar.is_assumed(year)),
    )


async def settle(db: Database, clock: Clock, plan: Planned, *, slots_max: int = SLOTS_MAX) -> Applied:
    """Make the slots that are there fit the plan, up to `slots_max`; who is booked stays booked."""
    go = plan.changes.go[:slots_max]
    fit = plan.changes.fit[: slots_max - len(go)]
    for slot in go:
        await fitting.withdraw(db, clock, slot)
    for slot in fit:
        await fitting.fit(db, clock, slot)
    is_done = len(fit) + len(go) == len(plan.changes.fit) + len(plan.changes.go)
    return Applied(fitted=len(fit), withdrawn=len(go), is_done=is_done)


async def resolve(
    db: Database, clock: Clock, mover: Mover, plan: Planned, decision: Decision, *, bookings_max: int = CONFLICTS_MAX
) -> Applied:
    """Move or cancel who is booked in what went, up to `bookings_max`; the slots were made to fit before.

    Slots that shrink lose the bookings made last. What people did themselves meanwhile stands.
    """
    now = clock.now()
    async with db.connection() as conn:
        conflicts, conflicting = await _conflicts(conn, plan, now, bookings_max)
    if decision.on_conflict is OnConflict.KEEP:
        return Applied(kept=conflicting)
    moved = cancelled = 0
    for conflict in conflicts:
        done = await mover.carry_out(conflict.booking, decision)
        if done is not None:
            moved, cancelled = moved + (done.ended_by is None), cancelled + (done.ended_by is not None)
    async with db.connection() as conn:
        _, left = await _conflicts(conn, plan, now, 1)
    return Applied(moved=moved, cancelled=cancelled, kept=left, is_done=left == 0)


async def _conflicts(
    conn: Connection, plan: Planned, now: datetime, most: int = CONFLICTS_MAX
) -> tuple[list[Conflict], int]:
    """Up to `most` bookings that the plan has no place for, and how many there are."""
    context = plan.context
    withdrawn = await queries.select_withdrawn(conn, context.desk.office_id, context.desk.service_id, now)
    gone = {slot.slot_id for slot in plan.changes.go} | {slot_id for slot_id in withdrawn if slot_id not in plan.wanted}
    shrunk = {slot.slot_id: slot.places for slot in plan.changes.fit if slot.places < plan.there[slot.slot_id].places}
    booked = await queries.count_booked_in(conn, [*gone, *shrunk])
    over = {slot_id: booked.get(slot_id, 0) - places for slot_id, places in shrunk.items()}
    total = sum(booked.get(slot_id, 0) for slot_id in gone) + sum(max(0, more) for more in over.values())
    crowded = [slot_id for slot_id, more in over.items() if more > 0]
    found = [Conflict(one, True) for one in await queries.select_booked_in(conn, [*gone], most)]
    for slot_id in crowded[: max(0, most - len(found))]:
        last_booked = await queries.select_booked_in(conn, [slot_id], min(over[slot_id], most))
        found += [Conflict(one, False) for one in last_booked]
    return found[:most], total
