"""What people wait for (候补), and how far each wait has come."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

import msgspec
from msgspec.structs import replace

from appointments.model import DayPart, Lane, Seq, Slot
from kernel.clock import in_shanghai
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId, SlotId

WaitingId = NewType("WaitingId", UUID)

OFFER_MINUTES: Final = 30
"""How long an offered place is kept for whoever it is offered to, if the slot can be booked so long."""
OFFER_MINUTES_MIN: Final = 5
"""A place that can be booked for less than this is not offered: nobody would see it in time."""
PASSED_ON_SECONDS: Final = 60
"""An offer not taken is kept from everybody else for so long, so that it goes to the next in turn; with no worker to
pass it on, it is free for everybody then."""
OFFERS_MAX: Final = 3
"""Whoever let so many offers pass waits no more."""
WAITS_MAX: Final = 8
"""How many services one person waits for at once."""
DAYS_MAX: Final = 62
DAYS_AWAY_MAX: Final = 366
AHEAD_MAX: Final = 1_000
"""How far somebody's turn is counted."""


class Waits(StrEnum):
    """How far a wait has come; the last three are its ends."""

    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"
    LEFT = "left"
    LAPSED = "lapsed"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What would do: any slot of the service that is like this. Both days count, in Shanghai; None is any."""

    service_id: ServiceId
    office_id: OfficeId | None = None
    district: str | None = None
    lane: Lane = Lane.NORMAL
    first_day: date
    last_day: date
    day_part: DayPart | None = None

    def fits(self, slot: Slot) -> bool:
        return (
            self.service_id == slot.service_id
            and self.lane is slot.lane
            and self.office_id in (None, slot.office_id)
            and self.district in (None, slot.district)
            and self.day_part in (None, slot.day_part)
            and self.first_day <= in_shanghai(slot.starts_at).date() <= self.last_day
        )


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A person's place in the line of a service. What was offered last is kept while they wait and once taken."""

    waiting_id: WaitingId
    person_id: PersonId
    wish: Wish
    stage: Waits
    joined_at: datetime
    """Their turn: when they joined, or when an offer passed them by and they went to the end."""
    offers: int
    slot_id: SlotId | None
    seq: Seq | None
    booking_id: BookingId | None
    offered_until: datetime | None
    changed_at: datetime

    @property
    def offered(self) -> "Offered | None":
        """The place that is offered, or was taken."""
        if self.stage not in (Waits.OFFERED, Waits.TAKEN):
            return None
        if self.slot_id is None or self.seq is None or self.booking_id is None:
            return None
        return Offered(self.slot_id, self.seq, self.booking_id)

    def offered_a_place(self, place: "Offered", *, until: datetime, now: datetime) -> "Waiting":
        return replace(
            self, stage=Waits.OFFERED, offers=self.offers + 1, slot_id=place.slot_id, seq=place.seq,
            booking_id=place.booking_id, offered_until=until, changed_at=now,
        )  # fmt: skip

    def passed_by(self, *, now: datetime) -> "Waiting":
        """After an offer that was not taken: at the end of the line, or out of it."""
        is_over = self.offers >= OFFERS_MAX or self.wish.last_day < in_shanghai(now).date()
        if is_over:
            return self.ended(Waits.LAPSED, now=now)
        return replace(self, stage=Waits.WAITING, joined_at=now, offered_until=None, changed_at=now)

    def ended(self, stage: Waits, *, now: datetime) -> "Waiting":
        """Taken with its place; left or lapsed without one."""
        ended = replace(self, stage=stage, offered_until=None, changed_at=now)
        return ended if stage is Waits.TAKEN else replace(ended, slot_id=None, seq=None, booking_id=None)


class Offered(msgspec.Struct, frozen=True):
    """A place kept for somebody who waits, and the id their booking will have."""

    slot_id: SlotId
    seq: Seq
    booking_id: BookingId


def offered_until(slot: Slot, now: datetime) -> datetime | None:
    """Until when a place of this slot can be offered; None if it cannot be, or not for long enough.

    Nothing is offered before its release, in a slot that was withdrawn, or beyond the last moment to book.
    """
    if slot.withdrawn_at is not None or (slot.opens_at is not None and now < slot.opens_at):
        return None
    until = min(now + timedelta(minutes=OFFER_MINUTES), slot.bookable_until)
    return until if until - now >= timedelta(minutes=OFFER_MINUTES_MIN) else None
