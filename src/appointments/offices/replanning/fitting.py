"""One slot is made to fit: it grows, shrinks, is withdrawn or comes back, whatever people do there meanwhile.

`slot.places` is at every commit the number of its place rows. Whoever changes them locks all the slot's places first,
as everybody does, and then writes the slot only if it still says as many as were locked. A booking that commits before
that lock is seen by it; one that comes later finds no free place in a withdrawn slot, because the free ones were
deleted in the same transaction as `withdrawn_at` was set, and giving a place back there deletes it (`freeing`).
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from appointments import changing
from appointments.model import Seq, Slot
from appointments.offices.replanning import queries
from appointments.offices.replanning.queries import Place
from appointments.waiting import queries as waiting
from appointments.waiting.model import Waits
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import SlotId


class Fitted(msgspec.Struct, frozen=True):
    """A slot as it was written, how many free places it gained, and how many bookings are more than was wanted."""

    slot: Slot
    grown: int
    over: int


async def fit(db: Database, clock: Clock, wanted: Slot) -> Fitted:
    """Give a slot the places, moments and end that are wanted; one that was withdrawn comes back.

    Free places go first, the highest number first. A held place is left until its minutes are over, a booked one for
    as long as it is booked: the slot then keeps more places than wanted, none of them free. Raises PartAway.
    """

    async def attempt() -> Fitted | None:
        now = clock.now()
        async with db.transaction() as conn:
            places = await queries.lock_places(conn, wanted.slot_id)
            booked = sum(place.is_booked for place in places)
            staying = [place for place in places if place.is_booked or place.is_held(now)]
            fitted = await _write(conn, replace(wanted, withdrawn_at=None), places, staying, max(wanted.places, 1))
        return None if fitted is None else Fitted(fitted, fitted.places - len(places), max(0, booked - wanted.places))

    return await changing.until_settled(attempt)


async def withdraw(db: Database, clock: Clock, slot: Slot) -> Fitted:
    """Let nobody book a slot any more. Places that are booked stay, those that are held or free are gone.

    Whoever holds one and confirms it hears that the slot was withdrawn; whoever was offered it from the waiting list
    waits on where they stood. Raises PartAway.
    """

    async def attempt() -> Fitted | None:
        now = clock.now()
        async with db.transaction() as conn:
            places = await queries.lock_places(conn, slot.slot_id)
            staying = [place for place in places if place.is_booked]
            fitted = await _write(conn, replace(slot, withdrawn_at=slot.withdrawn_at or now), places, staying, 0)
            if fitted is None:
                return None
            await _end_holds(conn, slot, [place for place in places if place.is_held(now)], now=now)
        return Fitted(fitted, 0, len(staying))

    return await changing.until_settled(attempt)


async def _end_holds(conn: Connection, slot: Slot, held: list[Place], *, now: datetime) -> None:
    """Let go of what was held in a slot that goes: the waiting rows first, then what the persons have."""
    keys = [(one.person_id, one.booking_id) for one in held if one.person_id is not None and one.booking_id is not None]
    for person_id, booking_id in keys:
        offered = await waiting.lock_offered(conn, slot.service_id, person_id, booking_id)
        if offered is not None:
            back = replace(offered, stage=Waits.WAITING, offered_until=None, offers=offered.offers - 1, changed_at=now)
            await waiting.update_waiting(conn, back)
    for key in keys:
        await queries.delete_hold(conn, key)


async def drop(conn: Connection, slot_id: SlotId, seq: Seq) -> None:
    """Take a place that the caller has locked out of its slot, booked or not."""
    await queries.delete_places(conn, slot_id, [seq])
    await queries.lower_places(conn, slot_id)


async def _write(
    conn: Connection, wanted: Slot, places: list[Place], staying: list[Place], places_wanted: int
) -> Slot | None:
    """Delete or add places until the slot has as many as wanted and who stays has one; None if it changed meanwhile."""
    count = max(places_wanted, len(staying))
    slot = replace(wanted, places=count)
    if not await queries.fit_slot(conn, slot, len(places)):
        return None
    kept = {place.seq for place in staying}
    free = [place.seq for place in places if place.seq not in kept]
    surplus = len(places) - count
    if surplus > 0:
        await queries.delete_places(conn, slot.slot_id, free[-surplus:])
    elif surplus < 0:
        taken = {int(place.seq) for place in places}
        unused = [seq for seq in range(1, len(taken) - surplus + 1) if seq not in taken]
        await queries.insert_places(conn, slot.slot_id, unused[:-surplus])
    return slot
