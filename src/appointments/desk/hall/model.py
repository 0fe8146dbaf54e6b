"""Counters and queue numbers, and the pure rules of what may become of a number."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from appointments.model import Catalogue, Lane
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId, StaffId

COUNTER_NUMBER_MAX: Final = 999
LATER_MINUTES_MAX: Final = 120
"""Who is put back may ask to be called so much later."""
CALLS_MAX: Final = 10
"""A number is called no more often than this at one counter: then it is missed, or put back."""
DIGITS: Final = 3
"""A number is written with at least so many: A007."""

_WALK_IN_LETTERS: Final = "ABCDEFGHKLMNPQRSUVWXZ"
"""Of walk-ins, one for each service of an office. Without I and O, which look like digits, and the three below."""


class TicketLane(StrEnum):
    """How a number came about; above one another as they stand here."""

    SPECIAL = "special"
    """特殊: the elderly, the disabled, who is pregnant or with an infant."""
    URGENT = "urgent"
    """加急"""
    BOOKED = "booked"
    """预约"""
    WALK_IN = "walk_in"
    """现场取号"""


LANE_LETTERS: Final = {TicketLane.SPECIAL: "T", TicketLane.URGENT: "J", TicketLane.BOOKED: "Y"}
"""The series of the lanes above walking in, by their pinyin: 特殊, 加急, 预约."""
assert not set(_WALK_IN_LETTERS) & set(LANE_LETTERS.values())


class TicketStage(StrEnum):
    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    DONE = "done"
    MISSED = "missed"
    """Called, and nobody came."""
    LEFT = "left"
    """Given back before it was called."""
    UNFINISHED = "unfinished"
    """Still waiting, or being served, when its day ended."""


class Act(StrEnum):
    """What is done about a number."""

    RECALL = "recall"
    START = "start"
    FINISH = "finish"
    MISS = "miss"
    PUT_BACK = "put_back"
    TRANSFER = "transfer"
    LEAVE = "leave"


_FROM: Final = {
    Act.RECALL: (TicketStage.CALLED,),
    Act.START: (TicketStage.CALLED,),
    Act.FINISH: (TicketStage.CALLED, TicketStage.SERVING),
    Act.MISS: (TicketStage.CALLED,),
    Act.PUT_BACK: (TicketStage.CALLED, TicketStage.SERVING, TicketStage.MISSED),
    Act.TRANSFER: (TicketStage.WAITING, TicketStage.CALLED, TicketStage.SERVING),
    Act.LEAVE: (TicketStage.WAITING,),
}
_TO: Final = {
    Act.RECALL: TicketStage.CALLED,
    Act.START: TicketStage.SERVING,
    Act.FINISH: TicketStage.DONE,
    Act.MISS: TicketStage.MISSED,
    Act.PUT_BACK: TicketStage.WAITING,
    Act.TRANSFER: TicketStage.WAITING,
    Act.LEAVE: TicketStage.LEFT,
}
AT_A_COUNTER: Final = (TicketStage.CALLED, TicketStage.SERVING)
ENDED: Final = (TicketStage.DONE, TicketStage.MISSED, TicketStage.LEFT, TicketStage.UNFINISHED)


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """A window of an office. `version` counts its calls; `ticket_id` is the last number it called."""

    office_id: OfficeId
    number: int
    service_ids: tuple[ServiceId, ...]
    staff_id: StaffId | None
    opened_at: datetime | None
    ticket_id: UUID | None
    version: int

    @property
    def is_open(self) -> bool:
        return self.staff_id is not None


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A queue number of a day. `rank_at` orders its lane: when it was taken, or the booked hour if that is later.

    `called_at` is the last call, `first_called_at` the first; `version` counts what became of it.
    """

    office_id: OfficeId
    ticket_id: UUID
    day: date
    series: str
    number: int
    lane: TicketLane
    service_id: ServiceId
    person_id: PersonId | None
    booking_id: BookingId | None
    stage: TicketStage
    taken_at: datetime
    rank_at: datetime
    counter: int | None = None
    for_counter: int | None = None
    calls: int = 0
    called_at: datetime | None = None
    first_called_at: datetime | None = None
    served_from: datetime | None = None
    ended_at: datetime | None = None
    version: int = 1

    @property
    def label(self) -> str:
        """As it is printed and called: A007."""
        return f"{self.series}{self.number:0{DIGITS}d}"

    @property
    def turn(self) -> tuple[datetime, datetime, int]:
        """Its place within its lane: of one rank, who took theirs first."""
        return self.rank_at, self.taken_at, self.number


def lane_of_booking(lane: Lane) -> TicketLane:
    """The lane of the number that somebody booked in a slot of `lane` gets at check-in."""
    match lane:
        case Lane.URGENT:
            return TicketLane.URGENT
        case Lane.SPECIAL:
            return TicketLane.SPECIAL
        case _:
            return TicketLane.BOOKED


def series_of(lane: TicketLane, office_id: OfficeId, service_id: ServiceId, catalogue: Catalogue) -> str:
    """The letters a number begins with: the lane's, or for a walk-in those of the service at this office."""
    if lane is not TicketLane.WALK_IN:
        return LANE_LETTERS[lane]
    here = [desk.service_id for desk in catalogue.desks if desk.office_id == office_id]
    here.sort(key=lambda one: catalogue.services[one].slug)
    return _letters(here.index(service_id))


def _letters(ordinal: int) -> str:
    """A, B, …, then AA, AB, …: as many as an office ever has services."""
    first, second = divmod(ordinal, len(_WALK_IN_LETTERS))
    assert first <= len(_WALK_IN_LETTERS)
    return (_WALK_IN_LETTERS[first - 1] if first else "") + _WALK_IN_LETTERS[second]


def is_possible(ticket: Ticket, act: Act) -> bool:
    """Whether a number is where this can be done about it."""
    return ticket.stage in _FROM[act] and not (act is Act.RECALL and ticket.calls >= CALLS_MAX)


def is_done_already(ticket: Ticket, act: Act, expected: int) -> bool:
    """Whether `act`, asked for when the number was at version `expected`, is the last thing that became of it."""
    return ticket.version == expected + 1 and ticket.stage is _TO[act]


def called(ticket: Ticket, counter: int, now: datetime) -> Ticket:
    """A waiting number, called to a counter."""
    assert ticket.stage is TicketStage.WAITING
    return replace(
        ticket,
        stage=TicketStage.CALLED,
        counter=counter,
        calls=ticket.calls + 1,
        called_at=now,
        first_called_at=ticket.first_called_at or now,
        version=ticket.version + 1,
    )


def after(ticket: Ticket, act: Act, now: datetime) -> Ticket:
    """The number after `act`, which must be possible. Whoever waits again keeps their rank."""
    assert is_possible(ticket, act)
    moved = replace(ticket, stage=_TO[act], version=ticket.version + 1)
    match act:
        case Act.RECALL:
            return replace(moved, calls=ticket.calls + 1, called_at=now)
        case Act.START:
            return replace(moved, served_from=now)
        case Act.FINISH:
            return replace(moved, served_from=ticket.served_from or ticket.called_at, ended_at=now)
        case Act.MISS | Act.LEAVE:
            return replace(moved, ended_at=now)
        case Act.PUT_BACK | Act.TRANSFER:
            return replace(moved, counter=None, served_from=None, ended_at=None)


def ended_with_its_day(ticket: Ticket, now: datetime) -> Ticket:
    """A number that nobody ended while its day lasted: who was called did not come, the others were not finished."""
    assert ticket.stage not in ENDED
    stage = TicketStage.MISSED if ticket.stage is TicketStage.CALLED else TicketStage.UNFINISHED
    return replace(ticket, stage=stage, ended_at=now, version=ticket.version + 1)


def not_before(ticket: Ticket, later_minutes: int, now: datetime) -> Ticket:
    """The number, to be called in its lane's turn so much later; 0 leaves it its rank."""
    return replace(ticket, rank_at=now + timedelta(minutes=later_minutes)) if later_minutes else ticket
