"""A place is given back: to who waits for it first, else to everybody. No place comes free in any other way, save by
the clock, a new capacity or a release, which `waiting.passing_on` looks after."""

from datetime import datetime

from appointments import queries
from appointments.model import Seq, Slot
from appointments.offices.queries import select_slots
from appointments.offices.replanning import fitting
from appointments.telling import Telling
from appointments.waiting import queries as waiting
from appointments.waiting.model import Waiting, Waits
from appointments.waiting.offering import offer_place, offer_places, write_after
from kernel.db import Connection
from kernel.ids import BookingId, PersonId, ServiceId, SlotId


async def give_back(
    conn: Connection,
    telling: Telling,
    slot_id: SlotId,
    seq: Seq,
    *,
    service_id: ServiceId,
    person_id: PersonId,
    booking_id: BookingId,
    now: datetime,
) -> Waiting | None:
    """Give back a place that this booking, hold or offer has: to who waits for it first, else it is free.

    The caller's transaction has locked the place, and everything commits with it. A place of a slot that was withdrawn
    is gone. If it had been offered to them from the waiting list, they go to its end. Returns who was offered it.
    """
    [slot] = (await select_slots(conn, [slot_id])).values()
    declined = await waiting.lock_offered(conn, service_id, person_id, booking_id)
    if declined is not None:
        place = await waiting.lock_place_to_see(conn, slot_id, seq)
        was_taken = place is not None and place[2] is None
        after = declined.ended(Waits.TAKEN, now=now) if was_taken else declined.passed_by(now=now)
        await write_after(conn, telling, after, now=now)
        await waiting.delete_offered_hold(conn, service_id, person_id, booking_id)
    return await pass_on(conn, telling, slot, seq, person_id=person_id, booking_id=booking_id, now=now)


async def pass_on(
    conn: Connection,
    telling: Telling,
    slot: Slot,
    seq: Seq,
    *,
    person_id: PersonId,
    booking_id: BookingId,
    now: datetime,
) -> Waiting | None:
    """Free a locked place that this booking or offer has, and offer it to who waits first."""
    await queries.free_place(conn, slot.slot_id, seq, person_id, booking_id)
    if slot.withdrawn_at is not None:
        await fitting.drop(conn, slot.slot_id, seq)
        return None
    if not await waiting.is_anybody_waiting(conn, slot.service_id):
        return None
    return await offer_place(conn, telling, slot, seq, now=now, passed_over=person_id)


async def offer_new_places(conn: Connection, telling: Telling, slot_id: SlotId, wanted: int, *, now: datetime) -> int:
    """Offer up to `wanted` free places of a slot to those who wait for it; return how many were offered.

    For a transaction that made places: a capacity that grew, an hour added. Holds no lock it has not taken here but
    the places', so it goes before any lock on people's rows.
    """
    slot = (await select_slots(conn, [slot_id])).get(slot_id)
    if slot is None or not await waiting.is_anybody_waiting(conn, slot.service_id):
        return 0
    seqs = await queries.claim_places(conn, slot_id, wanted, now=now)
    return await offer_places(conn, telling, slot, seqs, now=now)
