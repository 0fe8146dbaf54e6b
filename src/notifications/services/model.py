"""Services, their keys, what they may send to, and what is said of a message's state. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

import msgspec

from kernel.ids import DepartmentId, MessageId
from notifications.model import Channel, DeliveryStage, MessageStage

KeyKind = Literal["live", "team", "test"]
"""`live` reaches anybody, `team` those of the service's own list, `test` nobody: what it sends is rehearsed."""

KEYS_MAX: Final = 10
"""Keys of a service that are good at one time (`ten_keys_of_a_service`)."""
TEAM_MAX: Final = 100
PER_MINUTE: Final = 3_000
"""Messages a minute with each kind of key, as GOV.UK Notify allows (its documentation, "Rate limits")."""
PER_DAY: Final = 250_000
"""Messages a day, as GOV.UK Notify allows (its documentation, "Daily limits")."""
SCHEDULED_AHEAD_MAX: Final = timedelta(days=30)
REFERENCE_MAX: Final = 200
REFERENCE_BYTES_MAX: Final = 1_000
"""Of programs written for GOV.UK Notify, which gives no bound (`request_reference_check`)."""


class ApiKey(msgspec.Struct, frozen=True):
    """A key of a service, without its secret."""

    key_id: UUID
    service_id: DepartmentId
    name: str
    kind: KeyKind
    made_at: datetime
    revoked_at: datetime | None


def text_of(name: str, service_id: DepartmentId, secret: UUID) -> str:
    """A key as its programs are given it: its name, its service's id and its secret, as GOV.UK Notify writes one."""
    return f"{name}-{service_id}-{secret}"


class Allowance(msgspec.Struct, frozen=True):
    """How much a service may send: a minute with each kind of key, and a day altogether."""

    per_minute: int = PER_MINUTE
    per_day: int = PER_DAY


class State(StrEnum):
    """How far a message is, as its sender is told."""

    SCHEDULED = "scheduled"
    """It is not yet the time it was to be sent at."""
    CREATED = "created"
    """Waits to be sent."""
    SENDING = "sending"
    """Given to a carrier, or about to be; whether it arrives is not known yet."""
    DELIVERED = "delivered"
    HANDLED = "handled"
    """To a person named by ID number: told by every way they chose, or closed untold, without saying which."""
    TEMPORARY_FAILURE = "temporary_failure"
    """Could not be delivered within the time it was worth it; may be sent anew."""
    PERMANENT_FAILURE = "permanent_failure"
    """The number or address does not take it."""
    TECHNICAL_FAILURE = "technical_failure"
    """Nobody knows whether it arrived, or no message could be made of it."""
    WITHDRAWN = "withdrawn"


FINAL: Final = frozenset(State) - {State.SCHEDULED, State.CREATED, State.SENDING}


class Rehearsal(msgspec.Struct, frozen=True):
    """How a message ends that no carrier is given, and when it did."""

    ending: DeliveryStage
    ended_at: datetime | None
    is_withdrawn: bool


class Seen(msgspec.Struct, frozen=True):
    """What the pipeline knows of one message: the one channel its sender asked for, and its last attempt there."""

    message_id: MessageId
    stage: MessageStage
    is_direct: bool
    """Whether to a number or an address that its sender named, not to a person."""
    delivery: DeliveryStage | None = None
    sent_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    rehearsal: Rehearsal | None = None


_OF_DELIVERY: Final = {
    DeliveryStage.WAITING: State.SENDING,
    DeliveryStage.SENDING: State.SENDING,
    DeliveryStage.ACCEPTED: State.SENDING,
    DeliveryStage.DELIVERED: State.DELIVERED,
    DeliveryStage.EXPIRED: State.TEMPORARY_FAILURE,
    DeliveryStage.WITHDRAWN: State.WITHDRAWN,
    DeliveryStage.UNDELIVERABLE: State.PERMANENT_FAILURE,
    DeliveryStage.UNKNOWN: State.TECHNICAL_FAILURE,
}
assert _OF_DELIVERY.keys() == set(DeliveryStage)


def state_of(seen: Seen, *, send_at: datetime, now: datetime) -> State:
    """How far a message is. Of one to a person it is never said whether they are known, or how they were told."""
    if seen.stage is MessageStage.WITHDRAWN or (seen.rehearsal is not None and seen.rehearsal.is_withdrawn):
        return State.WITHDRAWN
    is_waiting = seen.stage is MessageStage.OWED or (seen.rehearsal is not None and seen.rehearsal.ended_at is None)
    if is_waiting:
        return State.SCHEDULED if send_at > now else State.CREATED
    if not seen.is_direct:
        return State.HANDLED
    if seen.stage is MessageStage.UNSENDABLE:
        return State.TECHNICAL_FAILURE
    if seen.rehearsal is not None:
        return _OF_DELIVERY[seen.rehearsal.ending]
    return State.SENDING if seen.delivery is None else _OF_DELIVERY[seen.delivery]


class Request(msgspec.Struct, frozen=True):
    """One message that a service asked for."""

    message_id: MessageId
    channel: Channel
    template: str
    version: int
    reference: str | None
    kind: KeyKind
    created_at: datetime
    send_at: datetime
    batch_id: UUID | None
