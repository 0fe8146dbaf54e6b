"""A free place is offered to who waits first.

The rule of fairness: a place is offered, in the transaction that frees it, to whoever joined first among those it
would suit and who may book it now. While it is offered it is theirs alone, for OFFER_MINUTES and never past the last
moment to book; then it goes to the next, and they to the end of the line, to be offered another slot next. Passed over
without losing their turn are those who are suspended, are booked elsewhere at that hour, hold a place of the service or
have as many bookings as one may have; who has booked the service meanwhile waits no more. A place that suits nobody who
waits is free for everybody, also for those who join later: nothing is taken from who books it first.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from appointments.absence.queries import select_suspended
from appointments.entitling import ACTIVE_MAX
from appointments.model import Booking, Seq, Slot, Stage
from appointments.queries import select_bookings_in_the_way
from appointments.telling import CALLER, Telling
from appointments.waiting import queries
from appointments.waiting.model import PASSED_ON_SECONDS, Offered, Waiting, WaitingId, Waits, offered_until
from kernel.clock import in_shanghai
from kernel.db import Connection
from kernel.ids import BookingId, PersonId, uuid7
from notifications import templates
from notifications.outbox import Owed

CANDIDATES_MAX: Final = 32
"""How many who wait are looked at together,"""
CANDIDATES_IN_ALL_MAX: Final = 256
"""and in all, before a place counts as suiting nobody who waits; whoever comes later is found by the beat."""
assert CANDIDATES_IN_ALL_MAX % CANDIDATES_MAX == 0
_FIRST: Final = (datetime(2000, 1, 1, tzinfo=UTC), WaitingId(UUID(int=0)))


async def offer_place(
    conn: Connection, telling: Telling, slot: Slot, seq: Seq, *, now: datetime, passed_over: PersonId | None = None
) -> Waiting | None:
    """Offer a place to who waits first, and owe them the message; None if it suits nobody who waits.

    The place is locked by the caller and free, or held by nobody's leave any more. `passed_over` gave it back and is
    not offered it again at once. Place, hold, wait and message commit with the caller's transaction or not at all.
    """
    until = offered_until(slot, now)
    if until is None:
        return None
    after = _FIRST
    for _ in range(CANDIDATES_IN_ALL_MAX // CANDIDATES_MAX):
        candidates = await queries.select_candidates(conn, slot, after, CANDIDATES_MAX)
        others = [one for one in candidates if one.person_id != passed_over]
        for candidate in await _who_may_book(conn, slot, others, now=now):
            offered = await _offer_to(conn, telling, slot, seq, candidate, until=until, now=now)
            if offered is not None:
                return offered
        if len(candidates) < CANDIDATES_MAX:
            break
        after = candidates[-1].joined_at, candidates[-1].waiting_id
    return None


async def offer_places(conn: Connection, telling: Telling, slot: Slot, seqs: Sequence[Seq], *, now: datetime) -> int:
    """Offer locked free places one after the other, until one suits nobody; return how many were offered."""
    for nth, seq in enumerate(seqs):
        if await offer_place(conn, telling, slot, seq, now=now) is None:
            return nth
    return len(seqs)


async def write_after(conn: Connection, telling: Telling, after: Waiting, *, now: datetime) -> None:
    """Write what became of a locked wait, and tell whoever waits no more without having left."""
    await queries.update_waiting(conn, after)
    if after.stage is not Waits.LAPSED:
        return
    owed = Owed(
        caller=CALLER,
        key=f"{templates.WAITING_LAPSED.id}/{after.wish.service_id}/{after.waiting_id}",
        to=after.person_id,
        template=templates.WAITING_LAPSED,
        values={"service": await telling.name_of(after.wish.service_id)},
        due_at=now,
    )
    await telling.owe(conn, [owed], now=now)


async def _offer_to(
    conn: Connection, telling: Telling, slot: Slot, seq: Seq, candidate: Waiting, *, until: datetime, now: datetime
) -> Waiting | None:
    """Offer the place to this one; None if they left, or were offered another, a moment ago."""
    claimed = await queries.claim_waiting(conn, slot.service_id, candidate.waiting_id)
    if claimed is None or claimed != candidate:
        return None
    booking_id = BookingId(uuid7(now))
    offered = claimed.offered_a_place(Offered(slot.slot_id, seq, booking_id), until=until, now=now)
    if not await queries.put_offered_hold(conn, offered, now=now):
        return None
    kept_until = until + timedelta(seconds=PASSED_ON_SECONDS)
    await queries.keep_place(conn, slot.slot_id, seq, offered.person_id, booking_id, kept_until)
    await queries.update_waiting(conn, offered)
    await _tell_of_offer(conn, telling, slot, offered, until=until, now=now)
    return offered


async def _tell_of_offer(
    conn: Connection, telling: Telling, slot: Slot, offered: Waiting, *, until: datetime, now: datetime
) -> None:
    values = await telling.about(slot.office_id, slot.service_id, slot.starts_at)
    owed = Owed(
        caller=CALLER,
        key=f"{templates.WAITING_OFFER.id}/{offered.person_id}/{offered.booking_id}",
        to=offered.person_id,
        template=templates.WAITING_OFFER,
        values=values | {"ends": in_shanghai(until).isoformat()},
        due_at=now,
        expires_at=until,
    )
    await telling.owe(conn, [owed], now=now)


async def _who_may_book(conn: Connection, slot: Slot, candidates: Sequence[Waiting], *, now: datetime) -> list[Waiting]:
    """Of those who wait, in turn, who could book the slot now. Whoever has the service booked waits no more."""
    people = [one.person_id for one in candidates]
    if not people:
        return []
    suspended = await select_suspended(conn, people, now=now)
    holding = await queries.select_holding(conn, slot.service_id, people, now=now)
    theirs: dict[PersonId, list[Booking]] = {}
    for booking in await select_bookings_in_the_way(conn, people, []):
        theirs.setdefault(booking.person_id, []).append(booking)
    able = []
    for one in candidates:
        bookings = theirs.get(one.person_id, [])
        if any(booking.stage is Stage.BOOKED and booking.service_id == slot.service_id for booking in bookings):
            await _end_if_waiting(conn, one, now=now)
        elif (
            one.person_id not in suspended
            and one.person_id not in holding
            and len(bookings) < ACTIVE_MAX
            and not any(booking.overlaps(slot) for booking in bookings)
        ):
            able.append(one)
    return able


async def _end_if_waiting(conn: Connection, waiting: Waiting, *, now: datetime) -> None:
    claimed = await queries.claim_waiting(conn, waiting.wish.service_id, waiting.waiting_id)
    if claimed is not None:
        await queries.update_waiting(conn, claimed.ended(Waits.LEFT, now=now))
