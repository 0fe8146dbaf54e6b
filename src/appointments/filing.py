"""Bookings are written: those no constraint refuses, their places, what is due to them, what was told, what is owed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from appointments import queries
from appointments.acting import Mandates
from appointments.asking import Asked
from appointments.due import first_due, remind_at
from appointments.entitling import Standing
from appointments.errors import AlreadyBooked, BookingIdTaken, SlotFull, TimesOverlap
from appointments.model import Booking, Hold, Seq, Service, Slot, Stage, cancellable_until
from appointments.queries import BookingKey
from appointments.telling import Telling
from kernel.db import Connection
from kernel.errors import Refusal
from kernel.ids import PersonId, ServiceId


class MandateGone(msgspec.Struct, frozen=True):
    """The mandate does not stand, or does not let the agent book: whoever keeps it says why."""


MANDATE_GONE: Final = MandateGone()
Answer = Booking | Hold | Refusal | MandateGone | None
"""The booking; what the person holds, to be seen to first; why not; or nothing yet: somebody was faster just now."""


class Filing:
    """Writes bookings in the caller's transaction, which has the places locked."""

    def __init__(self, telling: Telling, mandates: Mandates) -> None:
        self._telling = telling
        self._mandates = mandates

    async def standing(
        self, conn: Connection, asked: Sequence[Asked], service_id: ServiceId, now: datetime
    ) -> Standing:
        """What is known of those who ask: one statement for all of them."""
        people = list({one.person_id for one in asked})
        standing = Standing({}, {}, {})
        for row in await queries.select_standing(conn, people, service_id, now=now):
            person_id: PersonId = row["person_id"]
            match row["what"]:
                case "booked":
                    standing.active.setdefault(person_id, []).append(row["seq"])
                case "suspended":
                    standing.suspended[person_id] = row["until"]
                case "held":
                    standing.holds[person_id] = Hold(
                        person_id=person_id, service_id=service_id, booking_id=row["booking_id"],
                        slot_id=row["slot_id"], seq=row["seq"], hold_until=row["until"],
                        waiting_id=row["waiting_id"], held_at=row["held_at"],
                    )  # fmt: skip
        return standing

    async def without_mandate(self, conn: Connection, asked: Sequence[Asked], *, now: datetime) -> set[BookingKey]:
        """Those who ask for others under a mandate that does not stand. One that stands is kept so until the end."""
        mandates = {mandate for one in asked if (mandate := one.mandate) is not None}
        if not mandates:
            return set()
        stand = await self._mandates.standing(conn, mandates, now=now)
        return {
            one.key for one in asked if (mandate := one.mandate) is not None and (mandate[1], mandate[2]) not in stand
        }

    async def book(
        self, conn: Connection, slot: Slot, service: Service, given: Sequence[tuple[Asked, Seq]],
        standing: Standing, *, now: datetime,
    ) -> dict[BookingKey, Booking]:  # fmt: skip
        """The bookings that no constraint refused, written with all that belongs to them."""
        if not given:
            return {}
        drafts = [(draft_of(slot, service, one, seq, now), standing.number_for(one.person_id)) for one, seq in given]
        drafts.sort(key=lambda draft: (draft[0].person_id, draft[0].booking_id))
        kept = await queries.insert_bookings(conn, drafts)
        booked = {key: draft for draft, _ in drafts if (key := (draft.person_id, draft.booking_id)) in kept}
        if booked:
            await queries.take_places(conn, slot.slot_id, [(booking.seq, key) for key, booking in booked.items()])
            await queries.insert_due(conn, list(booked), 1, *first_due(slot.starts_at, slot.ends_at, now))
            told = [(one.key, one.sealed) for one, _ in given if one.sealed is not None and one.key in booked]
            if told:
                await queries.insert_answers(conn, sorted(told))
            await self._telling.confirmed(conn, list(booked.values()), now=now)
        return booked

    async def why_not(
        self, conn: Connection, slot: Slot, left: Sequence[Asked], standing: Standing, *, is_full: bool
    ) -> dict[BookingKey, Answer]:
        """What those hear who were given no place."""
        theirs: dict[PersonId, list[Booking]] = {}
        people, ids = [one.person_id for one in left], [one.booking_id for one in left]
        for booking in await queries.select_bookings_in_the_way(conn, people, ids):
            theirs.setdefault(booking.person_id, []).append(booking)
        return {
            one.key: answer_without_a_place(slot, one, theirs.get(one.person_id, ()), standing, is_full=is_full)
            for one in left
        }


def answer_without_a_place(
    slot: Slot, asked: Asked, bookings: Sequence[Booking], standing: Standing, *, is_full: bool
) -> Answer:
    """The booking itself if this is a retry; else what is in the way, and last of all that the slot is full.

    None when nothing explains it, so that asking again may help.
    """
    for booking in bookings:
        if booking.booking_id == asked.booking_id:
            return booking if booking.answers(slot.slot_id) else BookingIdTaken()
    for booking in bookings:
        if booking.stage is Stage.BOOKED and booking.service_id == slot.service_id:
            return AlreadyBooked(booking_id=str(booking.booking_id))
    for booking in bookings:
        if booking.stage in (Stage.BOOKED, Stage.CHECKED_IN) and booking.overlaps(slot):
            return TimesOverlap(booking_id=str(booking.booking_id))
    refusal = standing.refusal(asked.person_id)
    if refusal is not None:
        return refusal
    hold = standing.holds.get(asked.person_id)
    if hold is not None and (not is_full or hold.slot_id == slot.slot_id):
        return hold
    return SlotFull() if is_full else None


def is_for(hold: Hold, asked: Asked, slot: Slot) -> bool:
    """Whether a hold is of this very place: to book it is to confirm it."""
    return hold.slot_id == slot.slot_id and hold.booking_id == asked.booking_id


def draft_of(slot: Slot, service: Service, asked: Asked, seq: Seq, now: datetime) -> Booking:
    """A booking as it is when it is made."""
    return Booking(
        person_id=asked.person_id,
        booking_id=asked.booking_id,
        asked_slot_id=slot.slot_id,
        slot_id=slot.slot_id,
        seq=seq,
        service_id=slot.service_id,
        office_id=slot.office_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        stage=Stage.BOOKED,
        version=1,
        cancellable_until=cancellable_until(slot.starts_at, now, cancel_before(service)),
        remind_at=remind_at(slot.starts_at, now),
        reminded_version=0,
        booked_at=now,
        changed_at=now,
        checked_in_at=None,
        lane=slot.lane,
        channel=asked.particulars.channel,
        agent_id=asked.particulars.agent_id,
        mandate_id=asked.particulars.mandate_id,
    )


def cancel_before(service: Service) -> timedelta:
    return timedelta(minutes=service.cancel_minutes)
