"""What came free by the clock, a new capacity or a release goes to who waits; what was offered and not taken goes on.

Each place is passed on in a transaction of its own, so that a worker that dies leaves it as it was: offered, held or
free. What is held and expired is free for everybody without anybody's doing, so no place is lost while no worker runs.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from appointments import freeing
from appointments.model import Slot, day_bounds
from appointments.offices.queries import count_free, select_slots
from appointments.queries import claim_places
from appointments.telling import Telling
from appointments.waiting import queries
from appointments.waiting.model import Waiting, Waits, offered_until
from appointments.waiting.offering import offer_places, write_after
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.grouping import PASSING
from kernel.ids import ServiceId, SlotId

OFFERS_TOGETHER_MAX: Final = 100
SLOTS_TOGETHER_MAX: Final = 256
SLOTS_PER_BEAT_MAX: Final = 4_096
"""How many slots of a service one beat looks at; the next goes on from there."""
WISHES_MAX: Final = 200
"""How many different wishes of a service are looked at, those of who joined first."""
PLACES_TOGETHER_MAX: Final = 16
GATED_MINUTES: Final = 10
"""A gated slot is the gate's alone for so long after its release: those who wait are not let past those in line."""
TRIED_SECONDS: Final = 30
"""A slot whose free places suited nobody who may book is not tried again for so long, unless somebody joined since."""
assert SLOTS_PER_BEAT_MAX % SLOTS_TOGETHER_MAX == 0
_LAST_ID: Final = UUID(int=2**128 - 1)


class PassingOn:
    """The beat that looks after waiting lists. How far it has looked is only remembered: another one begins anew."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        telling: Telling,
        *,
        slots_max: int = SLOTS_PER_BEAT_MAX,
        slots_together: int = SLOTS_TOGETHER_MAX,
    ) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._slots_max = slots_max
        self._slots_together = slots_together
        self._seen_until: dict[ServiceId, tuple[datetime, UUID]] = {}
        self._tried_at: dict[SlotId, datetime] = {}

    async def offer_freed(self) -> int:
        """Pass on what was offered and not taken, end waits whose days are over, and offer what is free to who waits.

        Returns how many waits and places changed hands.
        """
        changed = await self._pass_on_offers() + await self._end_old_wishes()
        async with self._db.connection() as conn:
            services = await queries.select_services_waited_for(conn)
        long_ago = self._clock.now() - timedelta(seconds=TRIED_SECONDS)
        self._tried_at = {slot_id: tried for slot_id, tried in self._tried_at.items() if tried > long_ago}
        for service_id in services:
            changed += await self._offer_free_places(service_id)
        self._seen_until = {service_id: seen for service_id, seen in self._seen_until.items() if service_id in services}
        return changed

    async def _pass_on_offers(self) -> int:
        async with self._db.connection() as conn:
            over = await queries.select_offers_over(conn, OFFERS_TOGETHER_MAX, now=self._clock.now())
        passed = 0
        for seen in over:
            try:
                passed += await self._end_offer(seen)
            except PASSING:
                continue  # the next beat finds it again
        return passed

    async def _end_offer(self, seen: Waiting) -> bool:
        async with self._db.transaction() as conn:
            return await end_offer(conn, self._telling, seen, now=self._clock.now()) is not None

    async def _end_old_wishes(self) -> int:
        now = self._clock.now()
        async with self._db.connection() as conn:
            over = await queries.select_wishes_over(conn, in_shanghai(now).date(), OFFERS_TOGETHER_MAX)
        ended = 0
        for seen in over:
            async with self._db.transaction() as conn:
                claimed = await queries.claim_waiting(conn, seen.wish.service_id, seen.waiting_id)
                if claimed is not None:
                    await write_after(conn, self._telling, claimed.ended(Waits.LAPSED, now=now), now=now)
                    ended += 1
        return ended

    async def _offer_free_places(self, service_id: ServiceId) -> int:
        """Offer the free places of a service that suit somebody who waits, from where the beat before stopped."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            wishes = await queries.select_wishes(conn, service_id, WISHES_MAX)
            newest = await queries.select_newest_wait(conn, service_id)
        if not wishes or newest is None:
            return 0
        start = max(day_bounds(min(wish.first_day for wish in wishes))[0], now), _LAST_ID
        until = day_bounds(max(wish.last_day for wish in wishes))[1]
        after = max(start, self._seen_until.pop(service_id, start))
        offered = 0
        for _ in range(self._slots_max // self._slots_together):
            async with self._db.connection() as conn:
                slots = await queries.select_slots_to_offer(conn, service_id, after, until, self._slots_together)
                ready = [slot for slot in slots if self._may_be_tried(slot, newest, now)]
                free = await count_free(conn, [slot.slot_id for slot in ready], now=now) if ready else {}
            for slot in ready:
                if slot.slot_id in free and any(wish.fits(slot) for wish in wishes):
                    offered += await self._offer_in(slot.slot_id)
            if len(slots) < self._slots_together:
                return offered
            after = slots[-1].starts_at, slots[-1].slot_id
        self._seen_until[service_id] = after
        return offered

    def _may_be_tried(self, slot: Slot, newest: datetime, now: datetime) -> bool:
        """Whether it was not tried lately with all who wait now, and may be offered at all."""
        tried_at = self._tried_at.get(slot.slot_id)
        return (tried_at is None or tried_at <= newest) and _may_be_offered(slot, now)

    async def _offer_in(self, slot_id: SlotId) -> int:
        """Offer the free places of one slot, a few in each transaction, until one suits nobody."""
        offered = 0
        while True:
            now = self._clock.now()
            try:
                async with self._db.transaction() as conn:
                    slot = (await select_slots(conn, [slot_id])).get(slot_id)
                    if slot is None or not _may_be_offered(slot, now):
                        return offered
                    places = await claim_places(conn, slot_id, PLACES_TOGETHER_MAX, now=now)
                    given = await offer_places(conn, self._telling, slot, places, now=now)
            except PASSING:
                return offered
            offered += given
            if given < len(places):
                self._tried_at[slot_id] = now
            if given < PLACES_TOGETHER_MAX:
                return offered


async def end_offer(
    conn: Connection, telling: Telling, seen: Waiting, *, now: datetime, ends: Waits | None = None
) -> Waiting | None:
    """End an offer that is still as it was seen, and give its place to the next; None if it is not.

    With `ends` the wait ends so; else whoever let it pass goes to the end of the line, or out of it after OFFERS_MAX.
    If the place was booked with the offer's id, it was taken.
    """
    was = seen.offered
    assert seen.stage is Waits.OFFERED
    assert was is not None
    place = await queries.lock_place_to_see(conn, was.slot_id, was.seq)
    if await queries.lock_waiting(conn, seen.wish.service_id, seen.waiting_id) != seen:
        return None
    is_theirs = place is not None and place[:2] == (seen.person_id, was.booking_id)
    if is_theirs and place is not None and place[2] is None:
        taken = seen.ended(Waits.TAKEN, now=now)
        await queries.update_waiting(conn, taken)
        return taken
    after = seen.passed_by(now=now) if ends is None else seen.ended(ends, now=now)
    await write_after(conn, telling, after, now=now)
    await queries.delete_offered_hold(conn, seen.wish.service_id, seen.person_id, was.booking_id)
    if is_theirs:
        [slot] = (await select_slots(conn, [was.slot_id])).values()
        await freeing.pass_on(
            conn, telling, slot, was.seq, person_id=seen.person_id, booking_id=was.booking_id, now=now
        )
    return after


def _may_be_offered(slot: Slot, now: datetime) -> bool:
    if offered_until(slot, now) is None:
        return False
    return not slot.is_gated or slot.opens_at is None or now >= slot.opens_at + timedelta(minutes=GATED_MINUTES)
