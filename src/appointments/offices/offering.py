"""What is offered: offices, services and hours are planted; slots follow from hours, rules and the calendar."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from appointments.calendars.keeping import fill_unknown
from appointments.model import Desk, Office, Service, Slot
from appointments.offices import catalogue, queries
from appointments.offices.planning import Context, plan_of_days
from appointments.offices.replanning import applying
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.snapshots import announce

DAYS_AHEAD: Final = 14
"""How many days after today are shown to who asks for no others."""
SLOTS_TOGETHER_MAX: Final = 1_024
PLACES_TOGETHER_MAX: Final = 50_000
"""How much one transaction writes; one slot alone may have as many as the schema lets it."""


async def plant(
    db: Database, *, offices: Sequence[Office] = (), services: Sequence[Service] = (), desks: Sequence[Desk] = ()
) -> None:
    """Write offices, services and weekly hours, new or changed; `offer_ahead` makes their slots.

    Done twice it is done once. Hours and conditions that changed are planned anew: see `offer_ahead`.
    """
    async with db.transaction() as conn:
        kept = {service.service_id: service for service in await queries.select_services(conn)}
        for office in sorted(offices, key=lambda office: office.office_id):
            await queries.put_office(conn, office)
        for service in sorted(services, key=lambda service: service.service_id):
            await put_service(conn, service, kept.get(service.service_id))
        for desk in sorted(desks, key=lambda desk: (desk.office_id, desk.service_id)):
            await queries.put_desk(conn, desk)
        await announce(conn, catalogue.NAME)


async def put_service(conn: Connection, service: Service, kept: Service | None) -> None:
    """Write a service; if when it can be booked is not as it was kept, its desks are planned anew."""
    await queries.put_service(conn, service)
    if kept is not None and _moments_of(kept) != _moments_of(service):
        await queries.plan_desks_anew(conn, service_id=service.service_id)


async def offer_ahead(db: Database, clock: Clock, *, days: int | None = None) -> int:
    """Make every slot that is planned from now until a little beyond each service's horizon (or `days` after today) and
    is not there yet; return how many were made.

    Years of the calendar that the library has come to know are filled first. A desk whose hours, rules or calendar
    changed is planned anew from today: slots that go are withdrawn, so that nobody else books there, and whoever is
    booked in them stays until the department decides (`replanning`). A desk is marked as offered only after its slots
    are committed, and a slot's id follows from its hour: broken off anywhere, or done by two workers at once, it ends
    the same.
    """
    now = clock.now()
    today = in_shanghai(now).date()
    await fill_unknown(db, clock, today, today + applying.AHEAD_MAX)
    made = 0
    for batch in _together(await _contexts(db, today, days)):
        made += await _offer_desks(db, clock, batch)
    return made


_Due = tuple[Context, date, date]
"""A desk, and the first and last day to be offered."""
DESKS_TOGETHER_MAX: Final = 32


async def _contexts(db: Database, today: date, days: int | None) -> list[_Due]:
    """The desks that have days to be offered."""
    async with db.connection() as conn:
        districts = {office.office_id: office.district for office in await queries.select_offices(conn)}
        services = {service.service_id: service for service in await queries.select_services(conn)}
        rules = tuple(await queries.select_rules(conn, today))
        calendar = await applying.calendar_for(
            conn, rules, today, today + max(applying.AHEAD_MAX, timedelta(days or 0))
        )
        desks = await queries.select_desks(conn)
    due = []
    for desk in desks:
        theirs = tuple(rule for rule in rules if rule.office_id == desk.office_id)
        context = Context(desk, services[desk.service_id], districts[desk.office_id], theirs, calendar)
        last = applying.last_day(context, today) if days is None else today + timedelta(days=days)
        first = today if desk.offered_until is None else max(today, desk.offered_until + timedelta(days=1))
        if first <= last:
            due.append((context, first, last))
    return due


async def _offer_desks(db: Database, clock: Clock, due: Sequence[_Due]) -> int:
    """Make the slots of some desks, and those of desks that are planned anew fit."""
    now, made, fresh = clock.now(), 0, []
    for context, first, last in due:
        if context.desk.offered_until is None:
            plan = await applying.planned(db, clock, context.desk.office_id, context.desk.service_id, proposed=context)
            await applying.settle(db, clock, plan, slots_max=len(plan.there))
        fresh += [slot for slot in plan_of_days(context, first, last) if slot.starts_at > now]
    for batch in batches(fresh):
        made += await offer(db, batch)
    async with db.transaction() as conn:
        for context, _, last in due:
            await queries.set_offered_until(conn, context.desk, last)
    return made


async def offer(db: Database, slots: Sequence[Slot]) -> int:
    """Make these slots and their places, together; those that exist stay as they are. Return how many were made."""
    assert sum(slot.places for slot in slots) <= PLACES_TOGETHER_MAX or len(slots) == 1
    async with db.transaction() as conn:
        made = await queries.insert_slots(conn, sorted(slots, key=lambda slot: slot.slot_id))
        if made:
            await queries.copy_places(conn, [slot for slot in slots if slot.slot_id in made])
    return len(made)


def batches(slots: Iterable[Slot]) -> Iterator[list[Slot]]:
    """Slots in parts that one transaction may write."""
    batch: list[Slot] = []
    places = 0
    for slot in slots:
        if batch and (len(batch) == SLOTS_TOGETHER_MAX or places + slot.places > PLACES_TOGETHER_MAX):
            yield batch
            batch, places = [], 0
        batch.append(slot)
        places += slot.places
    if batch:
        yield batch


def _moments_of(service: Service) -> tuple[int, int, int, bool]:
    """What the moments of its slots follow from."""
    return service.lead_minutes, service.horizon_days, service.release_minute, service.is_gated


def _together(due: Sequence[_Due]) -> Iterator[Sequence[_Due]]:
    for start in range(0, len(due), DESKS_TOGETHER_MAX):
        yield due[start : start + DESKS_TOGETHER_MAX]
