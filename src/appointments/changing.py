"""What cancelling and rescheduling share: a booking that may be moving under our hands."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

from appointments import queries
from appointments.errors import BookingNotFound
from appointments.model import Booking, Seq, Slot
from appointments.queries import BookingKey
from kernel.db import Connection, Database
from kernel.errors import PartAway
from kernel.grouping import PASSING

TRIES_MAX: Final = 8

Done = TypeVar("Done")


async def until_settled(attempt: Callable[[], Awaitable[Done | None]]) -> Done:
    """What `attempt` came to, tried again while it says None or meets a deadlock: somebody else changed it meanwhile.

    Raises PartAway after `TRIES_MAX`: then somebody keeps changing it.
    """
    for _ in range(TRIES_MAX):
        try:
            done = await attempt()
        except PASSING:
            continue
        if done is not None:
            return done
    raise PartAway(retry_after_seconds=1)


async def read(db: Database, key: BookingKey) -> Booking:
    """The booking as it is now, unlocked. Raises BookingNotFound."""
    async with db.connection() as conn:
        found = await queries.select_bookings(conn, [key])
    if key not in found:
        raise BookingNotFound
    return found[key]


async def one_place(conn: Connection, slot: Slot, *, now: datetime) -> Seq | None:
    """A free place of the slot, locked; None if it is full. It may wait for those others are taking."""
    places = await queries.claim_places(conn, slot.slot_id, 1, now=now)
    if not places:
        places = await queries.recheck_places(conn, slot.slot_id, 1, now=now)
    return places[0] if places else None


async def lock_as_seen(conn: Connection, seen: Booking) -> bool:
    """Lock a booking and its place, the place first as everybody does; whether it still is as it was seen."""
    await queries.lock_place(conn, seen.slot_id, seen.seq)
    return await queries.lock_bookings(conn, [(seen.person_id, seen.booking_id)]) == [seen]
