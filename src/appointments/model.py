"""Offices, services, slots and bookings, and the pure rules about their hours."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Annotated, Any, Final, NewType
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from kernel.clock import SHANGHAI, in_shanghai
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId, SlotId
from kernel.plain_text import ONE_LINE

Seq = NewType("Seq", int)
"""The number of a place within its slot, from 1."""

CANCEL_BEFORE: Final = timedelta(hours=2)
SECOND_THOUGHTS: Final = timedelta(minutes=15)
"""Whoever books within CANCEL_BEFORE of the hour can still take it back for this long."""
NOON_HOUR: Final = 12
EVENING_HOUR: Final = 18

_NAMES: Final = UUID("5d0b7f0e-8b4c-5e51-9a4f-3f6d2c1e7a90")
_VERSION: Final = 0x8 << 76
_VARIANT: Final = 0x2 << 62


class Stage(StrEnum):
    """How far a booking has come."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    CHECKED_IN = "checked_in"
    SERVED = "served"
    MISSED = "missed"


class Lane(StrEnum):
    """How a service is done (办理方式): by appointment, beyond the ordinary hours, urgently, or for who needs help."""

    NORMAL = "normal"
    """预约办"""
    DEFERRED = "deferred"
    """延期办: at hours beyond the ordinary ones."""
    URGENT = "urgent"
    """加急办: with a stated reason."""
    SPECIAL = "special"
    """特殊办: for the elderly and the disabled."""


class Channel(StrEnum):
    """Where a booking came from."""

    APP = "app"
    MINI = "mini"
    DESK = "desk"
    WAITING_LIST = "waiting_list"
    MOVED_BY_OFFICE = "moved_by_office"


class EndedBy(StrEnum):
    """Who ended a booking that nobody came for."""

    PERSON = "person"
    OFFICE = "office"
    CLOCK = "clock"


class ServiceSort(StrEnum):
    """What a slot of a service is: an hour at a counter, a trip (班次), a sitting of an exam (考场)."""

    COUNTER = "counter"
    TRIP = "trip"
    SITTING = "sitting"


class DayPart(IntEnum):
    """The part of the Shanghai day a slot begins in: before 12:00, before 18:00, later."""

    MORNING = 0
    AFTERNOON = 1
    EVENING = 2


class QuestionSort(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes_no"
    CHOICE = "choice"


class Choice(msgspec.Struct, frozen=True):
    """One of the answers a question offers."""

    code: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
    label_zh: Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)]
    label_en: Annotated[str, Meta(min_length=1, max_length=160, pattern=ONE_LINE)]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a service asks whoever books it. `choices` are those of a CHOICE, and none of another sort."""

    code: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
    label_zh: Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)]
    label_en: Annotated[str, Meta(min_length=1, max_length=160, pattern=ONE_LINE)]
    sort: QuestionSort
    is_required: bool = True
    choices: Annotated[tuple[Choice, ...], Meta(max_length=20)] = ()


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
    latitude: float | None = None
    longitude: float | None = None
    """Degrees, WGS 84; both or neither."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What people come for. `department` is the slug of the department that answers for it."""

    service_id: ServiceId
    slug: str
    department: str
    name_zh: str
    name_en: str
    bring_zh: str
    bring_en: str
    sort: ServiceSort = ServiceSort.COUNTER
    questions: tuple[Question, ...] = ()
    lead_minutes: int = 0
    """Booking ends so long before a slot begins."""
    horizon_days: int = 14
    """Today and this many days after it can be booked;"""
    release_minute: int = 0
    """the furthest of them from this minute of today on (Shanghai): "two weeks ahead at 08:00" is 14 and 480."""
    cancel_minutes: int = 120
    """Cancelling and moving end so long before the slot begins."""
    is_gated: bool = False
    """Whether its releases stand behind the gate (`appointments.rush`)."""
    is_for_others: bool = True
    """Whether it can be booked for somebody else under a mandate."""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A service at one office: its weekly hours, how long a slot lasts, how many are served side by side."""

    office_id: OfficeId
    service_id: ServiceId
    slot_minutes: int
    places: int
    openings: tuple[Opening, ...]
    offered_until: date | None = None
    lanes: dict[Lane, int] = {}
    """Places beside the normal ones in each slot, by lane."""
    open_on_holidays: bool = False
    rules_version: int = 1
    """Counts the changes of its hours and rules: slots are made again for a version that was not yet planned."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """An hour at a desk, a trip or a sitting. Its hour never changes: another hour is another slot.

    `opens_at` is the release moment, `closes_at` the last moment to book; None: from ever, until it begins.
    `ref` tells slots of one hour apart (a trip's number, a room); `detail` is shown as it is.
    """

    slot_id: SlotId
    office_id: OfficeId
    service_id: ServiceId
    district: str
    starts_at: datetime
    ends_at: datetime
    places: int
    lane: Lane = Lane.NORMAL
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    is_gated: bool = False
    ref: str = ""
    detail: dict[str, Any] | None = None
    withdrawn_at: datetime | None = None
    is_planned: bool = False
    """Whether it follows from hours and rules, and goes when they change; given one by one if not."""

    @property
    def day_part(self) -> DayPart:
        return day_part_of(self.starts_at)

    @property
    def bookable_until(self) -> datetime:
        return self.starts_at if self.closes_at is None else min(self.starts_at, self.closes_at)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A place kept for a person until a moment; `waiting_id` if it was offered from the waiting list."""

    person_id: PersonId
    service_id: ServiceId
    booking_id: BookingId
    slot_id: SlotId
    seq: Seq
    hold_until: datetime
    waiting_id: UUID | None
    held_at: datetime


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
    lane: Lane = Lane.NORMAL
    channel: Channel = Channel.APP
    agent_id: PersonId | None = None
    mandate_id: UUID | None = None
    """Who booked for them, and under which mandate; both or neither."""
    ended_by: EndedBy | None = None
    served_at: datetime | None = None

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


def slot_id_of(
    office_id: OfficeId, service_id: ServiceId, starts_at: datetime, lane: Lane = Lane.NORMAL, ref: str = ""
) -> SlotId:
    """The id of a slot: UUIDv8 (RFC 9562 §5.8), the start in milliseconds and then 74 bits of a SHA-256.

    A pure function, so that offering the same hour twice is offering it once; led by the start, so that the slots of
    one day lie together. Another lane, or another `ref`, is another slot.
    """
    milliseconds = int(starts_at.timestamp() * 1000)
    named = office_id.bytes + service_id.bytes + milliseconds.to_bytes(8)
    if lane is not Lane.NORMAL or ref:
        named += f"{lane}/{ref}".encode()
    digest = int.from_bytes(sha256(named).digest()[:10])
    fold = digest & ((1 << 74) - 1)
    return SlotId(
        UUID(int=milliseconds << 80 | _VERSION | (fold >> 62) << 64 | _VARIANT | fold & 0x3FFF_FFFF_FFFF_FFFF)
    )


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of a day in Shanghai, and of the day after it."""
    start = datetime.combine(day, time(), SHANGHAI)
    return start, start + timedelta(days=1)


def day_part_of(moment: datetime) -> DayPart:
    hour = in_shanghai(moment).hour
    if hour < NOON_HOUR:
        return DayPart.MORNING
    return DayPart.AFTERNOON if hour < EVENING_HOUR else DayPart.EVENING


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


def cancellable_until(starts_at: datetime, booked_at: datetime, before: timedelta = CANCEL_BEFORE) -> datetime:
    """Until when a booking may be cancelled or moved: so long before it begins; never after it has begun."""
    return min(starts_at, max(starts_at - before, booked_at + SECOND_THOUGHTS))


def said_hour(moment: datetime) -> str:
    """An hour as messages say it in either language: `2026-03-02 09:00`, Shanghai time."""
    return in_shanghai(moment).strftime("%Y-%m-%d %H:%M")
