"""A resident moves a booking to another slot of the same service."""

from datetime import datetime

import asyncpg
from msgspec.structs import replace

from appointments import answering, changing, queries
from appointments.asking import NOTHING_MORE, Particulars
from appointments.due import first_due, remind_at
from appointments.entitling import Entitling, why_closed
from appointments.errors import NotBooked, OtherService, ReschedulingClosed, SlotFull, SlotNotFound, TimesOverlap
from appointments.filing import cancel_before
from appointments.freeing import give_back
from appointments.model import Booking, Lane, Seq, Service, Slot, Stage, cancellable_until
from appointments.offices.queries import select_slots
from appointments.pacing import Change, Pace
from appointments.rush.admission import Admits
from appointments.seals import Seals
from appointments.sold_out import SoldOut
from appointments.telling import Telling
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BookingId, PersonId, SlotId


class Rescheduling:
    """Moves bookings."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        telling: Telling,
        entitling: Entitling,
        admits: Admits,
        seals: Seals,
        sold_out: SoldOut,
        pace: Pace,
    ) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._entitling = entitling
        self._admits = admits
        self._seals = seals
        self._sold_out = sold_out
        self._pace = pace

    async def reschedule(
        self, person_id: PersonId, booking_id: BookingId, slot_id: SlotId, particulars: Particulars = NOTHING_MORE
    ) -> Booking:
        """Take a place in the new slot and give the old one back, in one transaction; owe the person the new hour.

        Until that commits, the old place is theirs: nobody ends with neither. Asking for the slot the booking is in
        changes nothing. What was answered stays; another lane asks for what it needs. Raises BookingNotFound,
        NotBooked, ReschedulingClosed, SlotNotFound, SlotWithdrawn, NotReleased, SlotPast, SlotFull, OtherService,
        TimesOverlap, TooManyChanges, AdmissionNeeded, ReasonNeeded, GroundNeeded.
        """
        async with self._db.connection() as conn:
            slot = (await select_slots(conn, [slot_id])).get(slot_id)
        if slot is None:
            raise SlotNotFound
        await self._telling.learn(slot)
        left: set[SlotId] = set()
        async with self._pace.change(person_id) as change:

            async def attempt() -> Booking | None:
                seen = await changing.read(self._db, (person_id, booking_id))
                left.add(seen.slot_id)
                return await self._move_as_seen(change, seen, slot, particulars)

            moved = await changing.until_settled(attempt)
        for slot_id_left in left - {moved.slot_id}:
            self._sold_out.forget(slot_id_left)
        return moved

    async def _move_as_seen(
        self, change: Change, seen: Booking, slot: Slot, particulars: Particulars
    ) -> Booking | None:
        """Move a booking that is still as it was seen; None if it is not."""
        now = self._clock.now()
        if seen.stage is not Stage.BOOKED:
            raise NotBooked
        if seen.slot_id == slot.slot_id:
            return seen
        _refuse_unless_movable(seen, slot, now)
        if slot.lane is not seen.lane:
            await self._entitling.check_lane(slot.lane, seen.person_id, particulars, now=now)
        admission = await self._admits.check(slot, seen.person_id, particulars.admission)
        try:
            await change.count()
            moved = await self._exchange(seen, slot, particulars, now)
        except Exception as why:
            if admission is not None:
                await self._admits.give_back(admission, why)
            if isinstance(why, asyncpg.ExclusionViolationError):
                raise TimesOverlap from None
            raise
        if admission is not None and moved is not None:
            await self._admits.spent(admission)
        return moved

    async def _exchange(self, seen: Booking, slot: Slot, particulars: Particulars, now: datetime) -> Booking | None:
        service = await self._entitling.service_of(slot)
        async with self._db.transaction() as conn:
            place = await changing.one_place(conn, slot, now=now)
            if place is None:
                raise SlotFull
            if not await changing.lock_as_seen(conn, seen):
                return None
            moved = _moved(seen, slot, service, place, now)
            await give_back(
                conn, self._telling, seen.slot_id, seen.seq, service_id=seen.service_id,
                person_id=seen.person_id, booking_id=seen.booking_id, now=now,
            )  # fmt: skip
            await queries.take_places(conn, slot.slot_id, [(place, (seen.person_id, seen.booking_id))])
            await queries.move_booking(conn, moved)
            if slot.lane is not seen.lane:
                await self._keep_why(conn, moved, particulars)
            due, due_at = first_due(moved.starts_at, moved.ends_at, now)
            await queries.insert_due(conn, [(moved.person_id, moved.booking_id)], moved.version, due, due_at)
            await self._telling.moved(conn, seen, moved, now=now)
        return moved

    async def _keep_why(self, conn: Connection, moved: Booking, particulars: Particulars) -> None:
        """Why the new lane is needed, beside what was answered when booking."""
        key = moved.person_id, moved.booking_id
        told = (await answering.told_with(conn, self._seals, [key])).get(key, answering.NOTHING_TOLD)
        reason = particulars.reason if moved.lane is Lane.URGENT else None
        now_told = replace(told, reason=reason, ground=particulars.ground)
        if now_told != told:
            await queries.insert_answers(conn, [(key, answering.seal(self._seals, key, now_told))])


def _refuse_unless_movable(seen: Booking, slot: Slot, now: datetime) -> None:
    if slot.service_id != seen.service_id:
        raise OtherService
    if now >= seen.cancellable_until:
        raise ReschedulingClosed
    closed = why_closed(slot, now)
    if closed is not None:
        raise closed


def _moved(seen: Booking, slot: Slot, service: Service, place: Seq, now: datetime) -> Booking:
    return replace(
        seen,
        slot_id=slot.slot_id,
        seq=place,
        office_id=slot.office_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        version=seen.version + 1,
        cancellable_until=cancellable_until(slot.starts_at, now, cancel_before(service)),
        remind_at=remind_at(slot.starts_at, now),
        changed_at=now,
        lane=slot.lane,
    )
