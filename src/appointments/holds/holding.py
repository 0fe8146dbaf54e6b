"""A resident keeps a place for some minutes while filling in the rest, then confirms it or gives it back."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, TypeVar

import asyncpg

from appointments import changing, queries
from appointments.acting import Mandates
from appointments.asking import Asked
from appointments.changing import one_place
from appointments.entitling import Entitling, Standing, why_closed
from appointments.errors import AlreadyBooked, BookingIdTaken, HoldNotFound, SlotFull, SlotNotFound
from appointments.filing import Filing, is_for
from appointments.freeing import give_back
from appointments.holds import queries as holds
from appointments.model import Booking, Hold, Seq, Slot
from appointments.pacing import Pace
from appointments.rush.admission import Admits
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from appointments.waiting import queries as waiting
from appointments.waiting.model import Waits
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import Refusal
from kernel.grouping import PASSING
from kernel.ids import BookingId, PersonId

HOLD_FOR: Final = timedelta(minutes=10)
"""A held place is free again after this, and in any case when booking ends."""
FORGOTTEN_TOGETHER_MAX: Final = 100
"""Holds looked at together, and"""
FORGOTTEN_ROUNDS_MAX: Final = 20
"""so often in one beat."""

Made = TypeVar("Made")
Make = Callable[[Connection, Asked, Slot, Seq, Standing, datetime], Awaitable[Made]]


class Holding:
    """Holds places and confirms them, each in a transaction of its own."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        telling: Telling,
        entitling: Entitling,
        filing: Filing,
        mandates: Mandates,
        admits: Admits,
        sold_out: SoldOut,
        pace: Pace,
    ) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._entitling = entitling
        self._filing = filing
        self._mandates = mandates
        self._admits = admits
        self._sold_out = sold_out
        self._pace = pace

    async def hold(self, asked: Asked, slot: Slot | None) -> Hold:
        """Keep a place for `HOLD_FOR`. One person has one hold of a service: what they held before is given back.

        Asking again answers the same, for the minutes that are left. Raises SlotNotFound, SlotWithdrawn, NotReleased,
        SlotPast, SlotFull, AlreadyBooked, TimesOverlap, BookingIdTaken, Suspended, TooManyActive, TooManyChanges,
        AdmissionNeeded, NotForOthers, and MandateRefused.
        """
        if slot is None:
            raise SlotNotFound
        closed = why_closed(slot, self._clock.now())
        if closed is not None:
            raise closed
        await self._entitling.check_for_others(slot, asked.particulars)
        mine = await self._mine(asked, slot)
        if mine is not None:
            return mine
        if self._sold_out.remembers(slot.slot_id):
            raise SlotFull
        admission = await self._admits.check(slot, asked.person_id, asked.particulars.admission)
        try:
            async with self._pace.change(asked.person_id) as change:
                if not self._pace.is_first(asked.person_id):
                    await change.count()
                hold = await changing.until_settled(lambda: self._exchange(asked, slot, self._keep))
        except Exception as failure:
            if admission is not None:
                await self._admits.give_back(admission, failure)
            if isinstance(failure, _Booked):  # by another phone, a moment ago
                raise AlreadyBooked(booking_id=str(failure.booking.booking_id)) from None
            raise
        if admission is not None:
            await self._admits.spent(admission)
        return hold

    async def confirm(self, asked: Asked, slot: Slot, seen: Hold) -> Booking | None:
        """Book for a person who holds a place of this service: that very place, or another, and the old one goes back.

        None if the hold is no longer as it was seen. A hold whose minutes are over still is theirs while nobody has
        taken the place; after that, any free place will do. Raises what `Booker.book` raises.
        """
        del seen  # read again, locked
        try:
            return await self._exchange(asked, slot, self._book)
        except _Booked as before:
            return before.booking
        except PASSING:
            return None

    async def release(self, person_id: PersonId, booking_id: BookingId) -> None:
        """Give a held place back. Raises HoldNotFound."""

        async def attempt() -> bool | None:
            mine = [hold for hold in await self.of(person_id) if hold.booking_id == booking_id]
            if not mine:
                raise HoldNotFound
            return await self._end(mine[0]) or None

        await changing.until_settled(attempt)

    async def of(self, person_id: PersonId) -> list[Hold]:
        """What is held for a person now, chosen or offered."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            return [hold for hold in await holds.select_holds(conn, [person_id]) if now < hold.hold_until]

    async def forget_ended(self) -> int:
        """A beat of the worker: holds whose minutes are over go, and their places to who waits; how many went.

        Nothing rests on it: the places are free without it. Offers of the waiting list are looked after there.
        """
        gone = 0
        for _ in range(FORGOTTEN_ROUNDS_MAX):
            async with self._db.connection() as conn:
                ended = await holds.select_holds_ended(conn, FORGOTTEN_TOGETHER_MAX, now=self._clock.now())
            for hold in ended:
                with suppress(*PASSING):  # the next round finds it again
                    gone += await self._end(hold)
            if len(ended) < FORGOTTEN_TOGETHER_MAX:
                break
        return gone

    async def _end(self, seen: Hold) -> bool:
        """Whether a hold was still as it was seen; then it is no more, and its place is given back."""
        async with self._db.transaction() as conn:
            is_theirs = await self._lock(conn, seen)
            if await holds.lock_hold(conn, seen.person_id, seen.service_id) != seen:
                return False
            await self._give_up(conn, seen, is_theirs=is_theirs)
        self._sold_out.forget(seen.slot_id)
        return True

    async def _lock(self, conn: Connection, hold: Hold) -> bool:
        """Lock the place of a hold, and the wait it was offered to; whether the place still is theirs."""
        is_theirs = await queries.lock_held_place(conn, hold)
        if hold.waiting_id is not None:
            await waiting.lock_offered(conn, hold.service_id, hold.person_id, hold.booking_id)
        return is_theirs

    async def _give_up(self, conn: Connection, hold: Hold, *, is_theirs: bool) -> None:
        """End a locked hold; its place, locked too, goes to who waits, or is free."""
        await holds.end_hold(conn, hold)
        if is_theirs:
            await give_back(
                conn, self._telling, hold.slot_id, hold.seq, service_id=hold.service_id,
                person_id=hold.person_id, booking_id=hold.booking_id, now=self._clock.now(),
            )  # fmt: skip

    async def _mine(self, asked: Asked, slot: Slot) -> Hold | None:
        """What this very request was answered before, if it still stands. Raises AlreadyBooked, BookingIdTaken."""
        async with self._db.connection() as conn:
            booked = (await queries.select_bookings(conn, [asked.key])).get(asked.key)
        if booked is not None:
            raise AlreadyBooked(booking_id=str(booked.booking_id)) if booked.answers(slot.slot_id) else BookingIdTaken()
        return next((hold for hold in await self.of(asked.person_id) if is_for(hold, asked, slot)), None)

    async def _exchange(self, asked: Asked, slot: Slot, make: Make[Made]) -> Made | None:
        """Give up what the person holds of the service, if anything, for what `make` makes of a place of `slot`.

        None if somebody changed something meanwhile. The place they hold will do if it is of this slot. Places are
        locked first, then the person's rows; two places may be locked in either order, so this may meet a deadlock.
        """
        async with self._db.connection() as conn:
            found = await holds.select_holds(conn, [asked.person_id])
        seen = next((hold for hold in found if hold.service_id == slot.service_id), None)
        try:
            async with self._db.transaction() as conn:
                made = await self._make_of(conn, asked, slot, seen, make)
        except (_Changed, asyncpg.UniqueViolationError):
            return None
        except _MandateGone:
            agent, mandate_id = asked.particulars.agent_id, asked.particulars.mandate_id
            assert agent is not None
            assert mandate_id is not None
            await self._mandates.holder_of(agent, mandate_id, now=self._clock.now())
            return None
        if seen is not None:
            self._sold_out.forget(seen.slot_id)
        return made

    async def _make_of(self, conn: Connection, asked: Asked, slot: Slot, seen: Hold | None, make: Make[Made]) -> Made:
        now = self._clock.now()
        is_theirs = seen is not None and await self._lock(conn, seen)
        is_here = is_theirs and seen is not None and seen.slot_id == slot.slot_id
        place = seen.seq if is_here and seen is not None else await one_place(conn, slot, now=now)
        if await holds.lock_hold(conn, asked.person_id, slot.service_id) != seen:
            raise _Changed
        standing = await self._filing.standing(conn, [asked], slot.service_id, now)
        free_to = Standing(standing.suspended, {}, standing.active)
        refused = (await self._filing.why_not(conn, slot, [asked], free_to, is_full=place is None))[asked.key]
        if isinstance(refused, Booking):
            raise _Booked(refused)
        if isinstance(refused, Refusal):
            raise refused
        assert place is not None
        if await self._filing.without_mandate(conn, [asked], now=now):
            raise _MandateGone
        if seen is not None:
            await self._take_over(conn, seen, asked, is_here=is_here, is_theirs=is_theirs, now=now)
        return await make(conn, asked, slot, place, standing, now)

    async def _take_over(
        self, conn: Connection, seen: Hold, asked: Asked, *, is_here: bool, is_theirs: bool, now: datetime
    ) -> None:
        """End what was held: its place is passed on, or becomes what is made now."""
        if not is_here:
            await self._give_up(conn, seen, is_theirs=is_theirs)
            return
        await holds.end_hold(conn, seen)
        offered = None
        if seen.waiting_id is not None:
            offered = await waiting.lock_offered(conn, seen.service_id, seen.person_id, seen.booking_id)
        if offered is not None:
            stage = Waits.TAKEN if seen.booking_id == asked.booking_id else Waits.LEFT
            await waiting.update_waiting(conn, offered.ended(stage, now=now))

    async def _keep(
        self, conn: Connection, asked: Asked, slot: Slot, place: Seq, standing: Standing, now: datetime
    ) -> Hold:
        del standing
        hold = Hold(
            person_id=asked.person_id, service_id=slot.service_id, booking_id=asked.booking_id, slot_id=slot.slot_id,
            seq=place, hold_until=min(now + HOLD_FOR, slot.bookable_until), waiting_id=None, held_at=now,
        )  # fmt: skip
        await queries.hold_place(conn, hold)
        if not await holds.insert_hold(conn, hold):
            raise _Changed
        return hold

    async def _book(
        self, conn: Connection, asked: Asked, slot: Slot, place: Seq, standing: Standing, now: datetime
    ) -> Booking:
        service = await self._entitling.service_of(slot)
        booked = await self._filing.book(conn, slot, service, [(asked, place)], standing, now=now)
        if asked.key not in booked:
            raise _Changed
        return booked[asked.key]


class _Changed(Exception):  # rolls back; the next try sees it
    """Somebody changed what this rests on."""


class _Booked(Exception):  # the first try was answered yes, and this is a retry
    def __init__(self, booking: Booking) -> None:
        super().__init__("booked before")
        self.booking = booking


class _MandateGone(Exception):  # rolls back, so that whoever keeps the mandate can say why
    """The mandate does not stand."""
