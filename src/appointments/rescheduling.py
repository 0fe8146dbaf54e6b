"""A resident moves a booking to another slot of the same service."""

from datetime import datetime

import asyncpg
from msgspec.structs import replace

from appointments import changing, queries
from appointments.errors import (
    NotBooked,
    OtherService,
    ReschedulingClosed,
    SlotFull,
    SlotNotFound,
    SlotPast,
    TimesOverlap,
)
from appointments.model import Booking, Seq, Slot, Stage, cancellable_until, first_due, remind_at
from appointments.offices.queries import select_slots
from appointments.pacing import Change, Pace
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BookingId, PersonId, SlotId


async def reschedule(
    db: Database, clock: Clock, telling: Telling, sold_out: SoldOut, pace: Pace,
    person_id: PersonId, booking_id: BookingId, slot_id: SlotId,
) -> Booking:  # fmt: skip
    """Take a place in the new slot and give the old one back, in one transaction; owe the person the new hour.

    Until that commits, the old place is theirs: nobody ends with neither. Asking for the slot the booking is in
    changes nothing. Raises BookingNotFound, NotBooked, ReschedulingClosed, SlotNotFound, SlotPast, SlotFull,
    OtherService, TimesOverlap, TooManyChanges.
    """
    async with db.connection() as conn:
        slot = (await select_slots(conn, [slot_id])).get(slot_id)
    if slot is None:
        raise SlotNotFound
    await telling.learn(slot)
    left: set[SlotId] = set()

    async with pace.change(person_id) as change:

        async def attempt() -> Booking | None:
            seen = await changing.read(db, (person_id, booking_id))
            left.add(seen.slot_id)
            return await _move_as_seen(db, clock, telling, change, seen, slot)

        moved = await changing.until_settled(attempt)
    for slot_id_left in left - {moved.slot_id}:
        sold_out.forget(slot_id_left)
    return moved


async def _move_as_seen(
    db: Database, clock: Clock, telling: Telling, change: Change, seen: Booking, slot: Slot
) -> Booking | None:
    """Move a booking that is still as it was seen; None if it is not."""
    now = clock.now()
    if seen.stage is not Stage.BOOKED:
        raise NotBooked
    if seen.slot_id == slot.slot_id:
        return seen
    _refuse_unless_movable(seen, slot, now)
    await change.count()
    try:
        async with db.transaction() as conn:
            place = await _one_place(conn, slot, now=now)
            if place is None:
                raise SlotFull
            if not await changing.lock_as_seen(conn, seen):
                return None
            moved = _moved(seen, slot, place, now)
            await queries.free_place(conn, seen)
            await queries.take_places(conn, slot.slot_id, [(place, (seen.person_id, seen.booking_id))])
            await queries.move_booking(conn, moved)
            due, due_at = first_due(moved.starts_at, moved.ends_at, now)
            await queries.insert_due(conn, [(moved.person_id, moved.booking_id)], moved.version, due, due_at)
            await telling.moved(conn, seen, moved, now=now)
    except asyncpg.ExclusionViolationError:
        raise TimesOverlap from None
    return moved


def _refuse_unless_movable(seen: Booking, slot: Slot, now: datetime) -> None:
    if slot.service_id != seen.service_id:
        raise OtherService
    if now >= seen.cancellable_until:
        raise ReschedulingClosed
    if now >= slot.starts_at:
        raise SlotPast


async def _one_place(conn: Connection, slot: Slot, *, now: datetime) -> Seq | None:
    """A free place of the slot, locked. The first thing its transaction locks, so it may wait for others."""
    places = await queries.claim_places(conn, slot.slot_id, 1, now=now)
    if not places:
        places = await queries.recheck_places(conn, slot.slot_id, 1, now=now)
    return places[0] if places else None


def _moved(seen: Booking, slot: Slot, place: Seq, now: datetime) -> Booking:
    return replace(
        seen,
        slot_id=slot.slot_id,
        seq=place,
        office_id=slot.office_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        version=seen.version + 1,
        cancellable_until=cancellable_until(slot.starts_at, now),
        remind_at=remind_at(slot.starts_at, now),
        changed_at=now,
    )
