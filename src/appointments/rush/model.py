"""Releases, places in line, and the pure rules of the gate: who comes first, how long it takes, when to ask again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Final, NewType
from uuid import UUID, uuid5

import msgspec

from appointments.model import Slot
from kernel.ids import ServiceId, SlotId

ReleaseId = NewType("ReleaseId", UUID)
Score = NewType("Score", int)
"""Where somebody stands: lowest first. Below `POOL_SCORES` drawn for who came before the release, above it by when they
came; exact as a double, which is what Redis sorts by."""

ADMISSION: Final = timedelta(seconds=120)
"""How long somebody let through may choose and book before the next is let through instead."""
USED: Final = timedelta(minutes=10)
"""Who took a place with an admission may get in line again after so long: by then a place held was booked or lost."""
POOL_SCORES: Final = 1 << 52
ADMITTED_AT_ONCE_MAX: Final = 1_000
ADMIT_EVERY: Final = timedelta(milliseconds=250)
POLL_SECONDS_MIN: Final = 0.5
POLL_SECONDS_MAX: Final = 15.0
POOL_POLL_SECONDS_MAX: Final = 60.0
JITTER: Final = 0.25
"""Who was told the same moment asks up to this share of it earlier or later."""
PLACES_A_SECOND: Final = 200.0
"""Somebody who waits asks again after the seconds it takes to count their position at this rate: 20,000 who wait come
to some 2,000 questions a second."""
FIRST_ASKED_A_SECOND: Final = 2_000.0
"""Those whose turn is now, or who hear for the first time, come back at this rate."""
STEADY_SECONDS: Final = 30
"""The rate of admissions is taken from the last one to two of these."""
STEADY_MIN: Final = 3
"""Fewer admissions than this are no rate."""

_NAMES: Final = UUID("0c1b6f1e-2a57-5a0c-8d53-61f0b2a4c9d7")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
assert POLL_SECONDS_MIN < POLL_SECONDS_MAX < ADMISSION.total_seconds(), "who is let through hears of it in time"


class State(StrEnum):
    """How somebody stands in a release."""

    POOLED = "pooled"
    """Before the release: everybody in the pool has the same chance, whenever they came."""
    WAITING = "waiting"
    ADMITTED = "admitted"
    USED = "used"
    """A place was taken with the admission."""
    SOLD_OUT = "sold_out"
    """No place is free at this moment; the place in line is kept, for places that come back."""
    CLOSED = "closed"
    """There is nothing left to book."""


FINAL: Final = frozenset({State.USED, State.CLOSED})
"""Nothing follows these."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The gated slots of one service that open at one moment; from `closes_at` on none of them can be booked.

    `slot_ids` are those that can be booked now or later; `places` are those of all that were not withdrawn.
    """

    release_id: ReleaseId
    service_id: ServiceId
    opens_at: datetime
    closes_at: datetime
    slot_ids: tuple[SlotId, ...]
    places: int

    def is_closed(self, now: datetime) -> bool:
        return now >= self.closes_at or not self.slot_ids

    def is_open(self, now: datetime) -> bool:
        return self.opens_at <= now and not self.is_closed(now)


class InLine(StrEnum):
    """What the line knows of somebody."""

    NOBODY = "nobody"
    WAITING = "waiting"
    ADMITTED = "admitted"
    USED = "used"
    LAPSED = "lapsed"
    """Was let through and did not book, or left."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in the line of a release, and how the line goes, as of one moment.

    `free` places were free in the database at `looked_at`, `left` of them for who is next; None before the first look.
    """

    known: InLine
    rank: int = 0
    score: Score | None = None
    admitted_until: datetime | None = None
    mark: bytes | None = None
    people: int = 0
    free: int | None = None
    left: int | None = None
    looked_at: datetime | None = None
    steady_per_second: float | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is told. `free` is None before the release; `admission` and `expires_at` belong together."""

    release_id: ReleaseId
    state: State
    position: int | None = None
    people: int | None = None
    free: int | None = None
    wait_seconds: int | None = None
    poll_after_seconds: float
    admission: str | None = None
    expires_at: datetime | None = None
    ticket: str | None = None


def release_id_of(service_id: ServiceId, opens_at: datetime) -> ReleaseId:
    """The id of a release: UUIDv5 (RFC 9562 §5.5) of the service and the moment, in microseconds since 1970."""
    return ReleaseId(uuid5(_NAMES, f"release/{service_id}/{microseconds(opens_at)}"))


def release_of(slot: Slot) -> ReleaseId | None:
    """The release a slot belongs to; None where no gate stands before it."""
    if not slot.is_gated or slot.opens_at is None:
        return None
    return release_id_of(slot.service_id, slot.opens_at)


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def late_score(opens_at: datetime, now: datetime) -> Score:
    """Who comes after the release stands behind the pool, by when they came."""
    return Score(POOL_SCORES + max(0, microseconds(now) - microseconds(opens_at)))


def allowed(*, free: int, outstanding: int, used_meanwhile: int) -> int:
    """How many more may be let through: never more are out than places are free.

    `free` was counted in the database before the others; who took a place in between is in both `free` and
    `used_meanwhile`, and must not be counted twice.
    """
    return max(0, free - outstanding - used_meanwhile)


def wait_seconds(rank: int, *, left: int | None, steady_per_second: float | None) -> int | None:
    """The honest waiting time: None when nothing was measured that it could be said from.

    For who is among the first `left`, the rounds until their turn. For the others the rate at which people were let
    through since the first places were given out: as admissions lapse and places come back, and not faster.
    """
    if left is not None and rank < left:
        return ceil((rank // ADMITTED_AT_ONCE_MAX + 1) * ADMIT_EVERY.total_seconds())
    if not steady_per_second:
        return None
    return ceil((rank - (left or 0) + 1) / steady_per_second)


def steady_rate(*, before: int, current: int, elapsed_seconds: float) -> float | None:
    """Admissions per second over the window before and the one that began `elapsed_seconds` ago; None: too few."""
    if before + current < STEADY_MIN:
        return None
    return (before + current) / (STEADY_SECONDS + min(max(elapsed_seconds, 0.0), STEADY_SECONDS))


def poll_after_seconds(rank: int, *, left: int | None, chance: Callable[[], float]) -> float:
    """When somebody who waits is to ask again: the further back, the later, and never all at one moment.

    Who is to be let through now, and who waits for the first count of places, asks soon.
    """
    is_soon = left is None or rank < left
    seconds = rank / (FIRST_ASKED_A_SECOND if is_soon else PLACES_A_SECOND)
    return _jittered(min(max(seconds, POLL_SECONDS_MIN), POLL_SECONDS_MAX), chance)


def pool_poll_seconds(opens_in_seconds: float, rank: int, *, chance: Callable[[], float]) -> float:
    """When somebody in the pool is to ask again: now and then, and after the release one after the other."""
    if opens_in_seconds > POOL_POLL_SECONDS_MAX:
        return _jittered(min(opens_in_seconds / 2, POOL_POLL_SECONDS_MAX), chance)
    after = min(POLL_SECONDS_MIN + rank / FIRST_ASKED_A_SECOND, POLL_SECONDS_MAX)
    return round(opens_in_seconds + _jittered(after, chance), 3)


def sold_out_poll_seconds(chance: Callable[[], float]) -> float:
    return _jittered(POLL_SECONDS_MAX, chance)


def without_a_line_poll_seconds(chance: Callable[[], float]) -> float:
    """From 5 to 10 seconds: soon enough to be in line again when there is one."""
    return round(POLL_SECONDS_MAX / 3 * (1 + chance()), 3)


def _jittered(seconds: float, chance: Callable[[], float]) -> float:
    return round(seconds * (1 - JITTER + 2 * JITTER * chance()), 3)
