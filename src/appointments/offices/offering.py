"""What is offered: offices, services and their weekly hours are planted, and slots follow from the hours."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from appointments.model import Desk, Office, Service, Slot, slots_of
from appointments.offices import catalogue, queries
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.snapshots import announce

DAYS_AHEAD: Final = 14
"""Today and this many days after it can be booked."""
SLOTS_TOGETHER_MAX: Final = 1_024
PLACES_TOGETHER_MAX: Final = 50_000
"""How much one transaction writes; one slot alone may have as many as the schema lets it."""


async def plant(
    db: Database, *, offices: Sequence[Office] = (), services: Sequence[Service] = (), desks: Sequence[Desk] = ()
) -> None:
    """Write offices, services and weekly hours, new or changed; `offer_ahead` makes their slots.

    Done twice it is done once. Hours that changed are offered besides the slots that exist: nothing that somebody
    may have booked is taken away.
    """
    async with db.transaction() as conn:
        for office in sorted(offices, key=lambda office: office.office_id):
            await queries.put_office(conn, office)
        for service in sorted(services, key=lambda service: service.service_id):
            await queries.put_service(conn, service)
        for desk in sorted(desks, key=lambda desk: (desk.office_id, desk.service_id)):
            await queries.put_desk(conn, desk)
        await announce(conn, catalogue.NAME)


async def offer_ahead(db: Database, clock: Clock, *, days: int = DAYS_AHEAD) -> int:
    """Make every slot from now until `days` after today that is not there yet; return how many were made.

    A desk is marked as offered only after its slots are committed, and a slot's id follows from its hour: broken off
    anywhere, or done by two workers at once, it ends the same.
    """
    now = clock.now()
    today = in_shanghai(now).date()
    last = today + timedelta(days=days)
    async with db.connection() as conn:
        districts = {office.office_id: office.district for office in await queries.select_offices(conn)}
        desks = [
            desk for desk in await queries.select_desks(conn) if desk.offered_until is None or desk.offered_until < last
        ]
    fresh = (
        slot
        for desk in desks
        for day in _days_to_offer(desk, today, last)
        for slot in slots_of(desk, districts[desk.office_id], day)
        if slot.starts_at > now
    )
    made = 0
    for batch in _batches(fresh):
        made += await offer(db, batch)
    if desks:
        async with db.transaction() as conn:
            for desk in desks:
                await queries.set_offered_until(conn, desk, last)
    return made


async def offer(db: Database, slots: Sequence[Slot]) -> int:
    """Make these slots and their places, together; those that exist stay as they are. Return how many were made."""
    assert sum(slot.places for slot in slots) <= PLACES_TOGETHER_MAX or len(slots) == 1
    async with db.transaction() as conn:
        made = await queries.insert_slots(conn, sorted(slots, key=lambda slot: slot.slot_id))
        if made:
            await queries.copy_places(conn, [slot for slot in slots if slot.slot_id in made])
    return len(made)


def _days_to_offer(desk: Desk, today: date, last: date) -> Iterator[date]:
    day = today if desk.offered_until is None else max(today, desk.offered_until + timedelta(days=1))
    while day <= last:
        yield day
        day += timedelta(days=1)


def _batches(slots: Iterator[Slot]) -> Iterator[list[Slot]]:
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
