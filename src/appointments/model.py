"""Offices, services, slots and bookings, and the pure rules about their hours."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final, NewType
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from kernel.clock import SHANGHAI, in_shanghai
from kernel.ids import BUCKETS, BookingId, OfficeId, PersonId, ServiceId, SlotId

Seq = NewType("Seq", int)
"""The number of a place within its slot, from 1."""

CANCEL_BEFORE: Final = timedelta(hours=2)
SECOND_THOUGHTS: Final = timedelta(minutes=15)
"""Whoever books within CANCEL_BEFORE of the hour can still take it back for this long."""
REMIND_BEFORE: Final = timedelta(hours=24)
REMIND_LATE_BEFORE: Final = timedelta(hours=2)
REMIND_APART: Final = timedelta(hours=1)
"""No reminder comes sooner than this after the booking itself was confirmed."""

_NAMES: Final = UUID("5d0b7f0e-8b4c-5e51-9a4f-3f6d2c1e7a90")
_VERSION: Final = 0x8 << 76
_VARIANT: Final = 0x2 << 62


class Stage(StrEnum):
    """How far a booking has come."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    CHECKED_IN = "checked_in"
    MISSED = "missed"


class Due(StrEnum):
    """What a booking still has before it: a reminder, then the end of its day."""

    REMIND = "remind"
    CLOSE = "close"


class Opening(msgspec.Struct, frozen=True, order=True):
    """Hours on one weekday (0 is Monday), Shanghai time. A lunch break is two openings of one day."""

    weekday: Annotated[int, Meta(ge=0, le=6)]
    opens: time
    closes: time


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """Where people come to. `district` is the six-digit code of GB/T 2260."""

    office_id: OfficeId
    slug: str
    name_zh: str
    name_en: str
    district: str
    address: str
    phone: str


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What people come for. `department` is the slug of the department that answers for it."""

    service_id: ServiceId
    slug: str
    department: str
    name_zh: str
    name_en: str
    bring_zh: str
    bring_en: str


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A service at one office: its weekly hours, how long a slot lasts, how many are served side by side."""

    office_id: OfficeId
    service_id: ServiceId
    slot_minutes: int
    places: int
    openings: tuple[Opening, ...]
    offered_until: date | None = None


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """An hour at a desk. It never changes: another hour is another slot."""

    slot_id: SlotId
    office_id: OfficeId
    service_id: ServiceId
    district: str
    starts_at: datetime
    ends_at: datetime
    places: int


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A person's place in a slot. `version` counts the hours it has had; a reminder belongs to one version."""

    person_id: PersonId
    booking_id: BookingId
    asked_slot_id: SlotId
    slot_id: SlotId
    seq: Seq
    service_id: ServiceId
    office_id: OfficeId
    starts_at: datetime
    ends_at: datetime
    stage: Stage
    version: int
    cancellable_until: datetime
    remind_at: datetime | None
    reminded_version: int
    booked_at: datetime
    changed_at: datetime
    checked_in_at: datetime | None

    def answers(self, slot_id: SlotId) -> bool:
        """Whether asking for `slot_id` under this booking's id is asking for this booking again."""
        return slot_id in (self.asked_slot_id, self.slot_id)

    def overlaps(self, slot: Slot) -> bool:
        return self.starts_at < slot.ends_at and slot.starts_at < self.ends_at


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Every office, service and desk, as of one moment. `etag` names this content."""

    offices: dict[OfficeId, Office]
    services: dict[ServiceId, Service]
    desks: tuple[Desk, ...]
    etag: str

    def knows(self, office_id: OfficeId, service_id: ServiceId) -> bool:
        return office_id in self.offices and service_id in self.services


def office_id_of(slug: str) -> OfficeId:
    """The id of the office with this slug, the same in every city brought up from the same catalogue."""
    return OfficeId(uuid5(_NAMES, f"office/{slug}"))


def service_id_of(slug: str) -> ServiceId:
    """The id of the service with this slug."""
    return ServiceId(uuid5(_NAMES, f"service/{slug}"))


def slot_id_of(office_id: OfficeId, service_id: ServiceId, starts_at: datetime) -> SlotId:
    """The id of a slot: UUIDv8 (RFC 9562 §5.8), the start in milliseconds and then 74 bits of a SHA-256.

    A pure function, so that offering the same hour twice is offering it once; led by the start, so that the slots of
    one day lie together.
    """
    milliseconds = int(starts_at.timestamp() * 1000)
    digest = int.from_bytes(sha256(office_id.bytes + service_id.bytes + milliseconds.to_bytes(8)).digest()[:10])
    fold = digest & ((1 << 74) - 1)
    return SlotId(
        UUID(int=milliseconds << 80 | _VERSION | (fold >> 62) << 64 | _VARIANT | fold & 0x3FFF_FFFF_FFFF_FFFF)
    )


def due_bucket(person_id: PersonId) -> int:
    """The bucket of what is due to a person: the low bits of their id, which are random."""
    return person_id.int % BUCKETS


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of a day in Shanghai, and of the day after it."""
    start = datetime.combine(day, time(), SHANGHAI)
    return start, start + timedelta(days=1)


def slots_of(desk: Desk, district: str, day: date) -> Iterator[Slot]:
    """The slots of a desk on one day: whole slots only, back to back from each opening."""
    length = timedelta(minutes=desk.slot_minutes)
    for opening in sorted(desk.openings):
        if opening.weekday != day.weekday():
            continue
        starts_at = datetime.combine(day, opening.opens, SHANGHAI)
        closes_at = datetime.combine(day, opening.closes, SHANGHAI)
        while starts_at + length <= closes_at:
            yield Slot(
                slot_id=slot_id_of(desk.office_id, desk.service_id, starts_at),
                office_id=desk.office_id,
                service_id=desk.service_id,
                district=district,
                starts_at=starts_at,
                ends_at=starts_at + length,
                places=desk.places,
            )
            starts_at += length


def cancellable_until(starts_at: datetime, booked_at: datetime) -> datetime:
    """Until when a booking may be cancelled or moved; never after it has begun."""
    return min(starts_at, max(starts_at - CANCEL_BEFORE, booked_at + SECOND_THOUGHTS))


def remind_at(starts_at: datetime, booked_at: datetime) -> datetime | None:
    """When to remind: a day before; for who books later than that, two hours before; later still, not at all."""
    for before in (REMIND_BEFORE, REMIND_LATE_BEFORE):
        if booked_at + REMIND_APART <= starts_at - before:
            return starts_at - before
    return None


def closes_at(ends_at: datetime) -> datetime:
    """When a booking that nobody checked in counts as missed: the end of its day."""
    return day_bounds(in_shanghai(ends_at).date())[1]


def first_due(starts_at: datetime, ends_at: datetime, booked_at: datetime) -> tuple[Due, datetime]:
    """What a fresh booking, or one with a new hour, has before it first."""
    remind = remind_at(starts_at, booked_at)
    return (Due.REMIND, remind) if remind is not None else (Due.CLOSE, closes_at(ends_at))


def said_hour(moment: datetime) -> str:
    """An hour as messages say it in either language: `2026-03-02 09:00`, Shanghai time."""
    return in_shanghai(moment).strftime("%Y-%m-%d %H:%M")
