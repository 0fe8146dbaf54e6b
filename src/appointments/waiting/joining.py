"""A person joins the line for a service that is sold out, sees how far it is, and leaves it."""

from datetime import date
from typing import Final

import msgspec

from appointments import changing
from appointments.absence.queries import select_suspended
from appointments.errors import AlreadyBooked, DaysOutOfRange, OfficeNotFound, ServiceNotFound, Suspended
from appointments.model import Stage
from appointments.offices.catalogue import Catalogues
from appointments.queries import select_bookings_in_the_way
from appointments.telling import Telling
from appointments.waiting import queries
from appointments.waiting.errors import (
    AlreadyWaiting,
    TooManyWaits,
    WaitingEnded,
    WaitingIdTaken,
    WaitingNotFound,
    WaitingTaken,
)
from appointments.waiting.model import AHEAD_MAX, DAYS_AWAY_MAX, DAYS_MAX, WAITS_MAX, Waiting, WaitingId, Waits, Wish
from appointments.waiting.passing_on import end_offer
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import PersonId

SHOWN_MAX: Final = 50
_OPEN: Final = (Waits.WAITING, Waits.OFFERED)


class InLine(msgspec.Struct, frozen=True):
    """A wait, and at most how many are asked before: None once it no longer waits.

    `ahead` counts those who wait now, joined earlier and whose wishes share a day with this one and leave no part of it
    out; a place may suit this wish and none of theirs, so it is a bound, and AHEAD_MAX stands for that or more.
    """

    waiting: Waiting
    ahead: int | None


class Joining:
    """Keeps who waits for what."""

    def __init__(self, db: Database, clock: Clock, telling: Telling, catalogues: Catalogues) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._catalogues = catalogues

    async def join(self, person_id: PersonId, waiting_id: WaitingId, wish: Wish) -> InLine:
        """Wait for a place that fits the wish. A retry gets the wait as it is, whatever became of it.

        Raises ServiceNotFound, OfficeNotFound, DaysOutOfRange, WaitingIdTaken, AlreadyWaiting, TooManyWaits,
        AlreadyBooked, Suspended.
        """
        now = self._clock.now()
        fresh = Waiting(
            waiting_id=waiting_id, person_id=person_id, wish=wish, stage=Waits.WAITING, joined_at=now, offers=0,
            slot_id=None, seq=None, booking_id=None, offered_until=None, changed_at=now,
        )  # fmt: skip
        async with self._db.transaction() as conn:
            found = await queries.select_waiting_of_person(conn, person_id, waiting_id)
            if found is None:
                self._refuse_unsound(wish, in_shanghai(now).date())
                await self._refuse_unless_entitled(conn, fresh)
                if not await queries.insert_waiting(conn, fresh):
                    found = await queries.select_waiting_of_person(conn, person_id, waiting_id)  # asked twice at once
                    if found is None:
                        raise await self._why_taken(conn, fresh)
            if found is not None and found.wish != wish:
                raise WaitingIdTaken
            return await _in_line(conn, found or fresh)

    async def waits_of(self, person_id: PersonId) -> list[InLine]:
        """A person's waits, open ones first, then the newest SHOWN_MAX."""
        async with self._db.connection() as conn:
            waits = await queries.select_waits_of_person(conn, person_id, SHOWN_MAX)
            return [await _in_line(conn, waiting) for waiting in waits]

    async def leave(self, person_id: PersonId, waiting_id: WaitingId) -> Waiting:
        """Wait no more; what is offered goes to the next in the same transaction. Leaving twice is leaving once.

        Raises WaitingNotFound, WaitingTaken for one whose place was taken, WaitingEnded for one that lapsed.
        """

        async def attempt() -> Waiting | None:
            now = self._clock.now()
            async with self._db.transaction() as conn:
                seen = await queries.select_waiting_of_person(conn, person_id, waiting_id)
                if seen is None:
                    raise WaitingNotFound
                if seen.stage is Waits.OFFERED:
                    return await end_offer(conn, self._telling, seen, now=now, ends=Waits.LEFT)
                if seen.stage is Waits.WAITING:
                    if await queries.lock_waiting(conn, seen.wish.service_id, waiting_id) != seen:
                        return None
                    left = seen.ended(Waits.LEFT, now=now)
                    await queries.update_waiting(conn, left)
                    return left
                return seen

        left = await changing.until_settled(attempt)
        if left.stage is Waits.TAKEN:
            raise WaitingTaken(booking_id=str(left.booking_id))
        if left.stage is not Waits.LEFT:
            raise WaitingEnded
        return left

    def _refuse_unsound(self, wish: Wish, today: date) -> None:
        catalogue = self._catalogues.current
        if wish.service_id not in catalogue.services:
            raise ServiceNotFound
        if wish.office_id is not None and wish.office_id not in catalogue.offices:
            raise OfficeNotFound
        if not 0 <= (wish.last_day - wish.first_day).days < DAYS_MAX:
            raise DaysOutOfRange(f"`last_day` must lie within {DAYS_MAX} days from `first_day`")
        if wish.last_day < today:
            raise DaysOutOfRange("these days are over: `last_day` lies before today")
        if (wish.last_day - today).days > DAYS_AWAY_MAX:
            raise DaysOutOfRange(f"`last_day` must lie within {DAYS_AWAY_MAX} days from today")

    async def _refuse_unless_entitled(self, conn: Connection, fresh: Waiting) -> None:
        person_id = fresh.person_id
        suspended = await select_suspended(conn, [person_id], now=fresh.joined_at)
        if person_id in suspended:
            raise Suspended(until=in_shanghai(suspended[person_id]).isoformat())
        for booking in await select_bookings_in_the_way(conn, [person_id], []):
            if booking.stage is Stage.BOOKED and booking.service_id == fresh.wish.service_id:
                raise AlreadyBooked(booking_id=str(booking.booking_id))
        waits = await queries.select_waits_of_person(conn, person_id, WAITS_MAX)
        if len([one for one in waits if one.stage in _OPEN]) >= WAITS_MAX:
            raise TooManyWaits(most=WAITS_MAX)

    async def _why_taken(self, conn: Connection, fresh: Waiting) -> AlreadyWaiting | WaitingIdTaken:
        for one in await queries.select_waits_of_person(conn, fresh.person_id, WAITS_MAX):
            if one.stage in _OPEN and one.wish.service_id == fresh.wish.service_id:
                return AlreadyWaiting(waiting_id=str(one.waiting_id))
        return WaitingIdTaken()


async def _in_line(conn: Connection, waiting: Waiting) -> InLine:
    ahead = await queries.count_ahead(conn, waiting, AHEAD_MAX) if waiting.stage is Waits.WAITING else None
    return InLine(waiting, ahead)
