"""What departments are called back about, how far each call has come, and when it is tried again. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, NewType
from uuid import UUID

import msgspec

from kernel.ids import DepartmentId

EndpointId = NewType("EndpointId", UUID)
EventId = NewType("EventId", UUID)

ENDPOINTS_MAX: Final = 5
"""Addresses that one department is called back at."""
REMOVED_KEPT_FOR: Final = timedelta(days=1)
"""So long the id of a removed endpoint is nobody's: a request that was delayed does not bring it back, and what a
process notes that does not know yet is found and forgotten."""
ENDPOINTS_KEPT_MAX: Final = 50
"""Of one department, with those it removed and that are not forgotten yet."""
assert ENDPOINTS_MAX <= ENDPOINTS_KEPT_MAX
URL_CHARACTERS_MAX: Final = 500
SECRETS_MAX: Final = 3
"""Secrets that sign at once while one gives way to the next."""
OVERLAP: Final = timedelta(hours=24)
"""How long the secret before goes on signing beside a new one, where the department does not say."""
OVERLAP_MAX: Final = timedelta(days=7)

RETRY_AFTER: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=6),
    timedelta(hours=8),
)
"""How long after each failed try the next one is made, before the spread; ten tries in all (Standard Webhooks,
"Deliverability and reliability": some seconds first, then hours, over a day or more)."""
SPREAD: Final = 0.1
"""Each pause is up to a tenth longer, so that what failed together does not come back together."""
GIVEN_UP_AFTER: Final = timedelta(hours=24)
"""An event that nobody took for so long is dead: it is kept, and can be replayed."""
RETRY_AFTER_ASKED_MAX: Final = timedelta(hours=1)
"""How long an endpoint may ask to be left alone (`Retry-After`)."""
assert sum(RETRY_AFTER, timedelta()) * (1 + SPREAD) < GIVEN_UP_AFTER

DISABLED_AFTER: Final = timedelta(days=5)
"""An endpoint that took nothing for so long is not called any more."""
assert DISABLED_AFTER > GIVEN_UP_AFTER
TOLD_KEPT_FOR: Final = timedelta(days=3)
DEAD_KEPT_FOR: Final = timedelta(days=30)
"""How long an event can be replayed after it was told, and after it died."""


class EventType(StrEnum):
    """What happened. `callback.test` comes when the department asks for it."""

    DELIVERED = "message.delivered"
    FAILED = "message.failed"
    UNKNOWN = "message.unknown"
    RECEIVED = "text.received"
    BATCH_FINISHED = "batch.finished"
    TEST = "callback.test"


class EventStage(StrEnum):
    """How far an event is. `waiting` and `sending` are open: an hour is set at which we look again."""

    WAITING = "waiting"
    SENDING = "sending"
    TOLD = "told"
    DEAD = "dead"


class DisabledFor(StrEnum):
    """Why an endpoint is not called: it took nothing for days, it answered 410, or an operator said so."""

    FAILING = "failing"
    GONE = "gone"
    OPERATOR = "operator"


class KeptSecret(msgspec.Struct, frozen=True):
    """A secret that signs, and until when it does (None: until another takes over)."""

    key: bytes
    until: datetime | None

    def __repr__(self) -> str:
        return f"KeptSecret(until={self.until})"


class Target(msgspec.Struct, frozen=True):
    """Where an endpoint is and what signs for it, newest first: what of it is sealed."""

    url: str
    secrets: tuple[KeptSecret, ...]

    def __repr__(self) -> str:
        return "Target(…)"

    def signing(self, now: datetime) -> list[bytes]:
        """The secrets that sign now."""
        return [one.key for one in self.secrets if one.until is None or now < one.until]

    def rotated(self, key: bytes, *, now: datetime, overlap: timedelta) -> "Target":
        """With a new secret, the others signing on for `overlap` at most."""
        until = now + overlap
        kept = [
            KeptSecret(one.key, until if one.until is None else min(one.until, until))
            for one in self.secrets
            if overlap and (one.until is None or now < one.until)
        ]
        return Target(self.url, (KeptSecret(key, None), *kept)[:SECRETS_MAX])


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address that a department is called back at. `failing_since`: when it last began to take nothing."""

    endpoint_id: EndpointId
    service_id: DepartmentId
    events: frozenset[EventType]
    target: Target
    made_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: DisabledFor | None


def event_id_of(kind: EventType, about: UUID, detail: str = "") -> EventId:
    """The id of an event: a pure function of what happened to what, so that nothing is told under two ids.

    UUIDv8 (RFC 9562 §5.8): the first 48 bits of `about`, which for ids of ours are its milliseconds, then 74 bits of a
    SHA-256.
    """
    fold = int.from_bytes(sha256(f"{kind}\0{about}\0{detail}".encode()).digest()[:10]) & ((1 << 74) - 1)
    return EventId(
        UUID(int=about.int >> 80 << 80 | 0x8 << 76 | (fold >> 62) << 64 | 0x2 << 62 | fold & 0x3FFF_FFFF_FFFF_FFFF)
    )


def next_try(tries: int, *, now: datetime, chance: float, asked: timedelta | None = None) -> datetime | None:
    """When to try again after failed try number `tries`; None when that was the last.

    `chance` is of [0, 1). An endpoint that asked for a longer pause gets it, within RETRY_AFTER_ASKED_MAX.
    """
    if tries > len(RETRY_AFTER):
        return None
    pause = RETRY_AFTER[tries - 1] * (1 + SPREAD * chance)
    return now + (pause if asked is None else max(pause, min(asked, RETRY_AFTER_ASKED_MAX)))
