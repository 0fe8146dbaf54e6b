"""What a crowd is told to do, and what it tells afterwards: the crowd is a process of its own."""

from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

CONNECTIONS_MAX: Final = 1_000
"""What the issue allows a rush to come in over."""
ISSUED_WITHIN_SECONDS: Final = 1.0
"""From the release moment on, everybody's first request leaves within so long."""


class Sort(StrEnum):
    """How people come: one after the other to one slot, all at once to open slots, all at once through the gate."""

    QUEUE = "queue"
    OPEN = "open"
    GATED = "gated"


class Somebody(msgspec.Struct, frozen=True):
    """A resident with a real-name checked person, signed in; `address` is where their phone calls from."""

    person_id: UUID
    booking_id: UUID
    token: str
    address: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`opens_at` and `ends_at` in seconds since 1970; who has no final answer by `ends_at` gives up, and that is told.

    The first `early` people get in line before the release.
    """

    sort: Sort
    port: int
    connections: int
    people: list[Somebody]
    service_id: UUID
    slot_ids: list[UUID]
    day: str
    opens_at: float
    ends_at: float
    release_id: UUID | None = None
    early: int = 0
    web_pid: int = 0
    """The process whose CPU time is taken from the first request to the last answer; 0: nobody's."""


class Told(msgspec.Struct):
    """What one person was told in the end, by which request. Moments in seconds since 1970; 0.0: never.

    `outcome` is `booked`, a permanent code, a state of the gate, or `gave_up`. `issued_at` is when the first request
    after the release left; `position` the first place in line that was told after it.
    """

    outcome: str = "gave_up"
    slot_id: UUID | None = None
    asked: int = 0
    issued_at: float = 0.0
    ended_at: float = 0.0
    joined_at: float = 0.0
    position: int | None = None
    admitted_at: float = 0.0
    ticket: str | None = None


class Heard(msgspec.Struct, kw_only=True):
    """What the whole crowd heard, people in the order of the plan. Latencies of bookings, in milliseconds."""

    told: list[Told]
    statuses: dict[int, int]
    codes: dict[str, int]
    lost: int
    began_at: float
    ended_at: float
    book_ms: list[float]
    cpu_seconds: float = 0.0


def write(path: Path, what: Plan | Heard) -> None:
    path.write_bytes(msgspec.msgpack.encode(what))


def read_plan(path: Path) -> Plan:
    return msgspec.msgpack.decode(path.read_bytes(), type=Plan)


def read_heard(path: Path) -> Heard:
    return msgspec.msgpack.decode(path.read_bytes(), type=Heard)
