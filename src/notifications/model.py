"""Lanes, stages and outcomes of a message. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Literal

import msgspec

Language = Literal["zh", "en"]
Channel = Literal["inbox", "sms", "email", "subscribe"]
"""`subscribe` is a subscribe message (订阅消息) of the mini-program."""
OUTSIDE: tuple[Channel, ...] = ("sms", "email", "subscribe")
"""The channels that somebody else carries."""

CALLER_PREFIX = "department:"
"""How the callers are called that are departments; their id follows."""

SEGMENTS_MAX = 10
"""The longest text a template may make; carriers refuse or cut more."""


class Lane(IntEnum):
    """What goes first. The number is stored: lower leaves earlier."""

    OTP = 0
    CHANGE = 1
    RESULT = 2
    REMINDER = 3
    BULK = 4

    __hash__ = int.__hash__  # an Enum's own is written in Python, and lanes are looked up a dozen times a message


MAY_REPEAT = frozenset({Lane.OTP, Lane.CHANGE})
"""Critical lanes: where not being told is worse than being told twice, so an unknown outcome is tried elsewhere."""


class MessageStage(StrEnum):
    """Where a message is before it becomes deliveries."""

    OWED = "owed"
    ROUTED = "routed"
    WITHDRAWN = "withdrawn"
    UNSENDABLE = "unsendable"


class DeliveryStage(StrEnum):
    """Where a delivery is. `waiting`, `sending` and `accepted` are open: an hour is set at which we look again."""

    WAITING = "waiting"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    UNDELIVERABLE = "undeliverable"
    UNKNOWN = "unknown"


ALERTED = frozenset({DeliveryStage.UNDELIVERABLE, DeliveryStage.UNKNOWN})


class Outcome(StrEnum):
    """What an attempt came to. `unknown` is not "failed": the text may be in somebody's hand."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Reading(StrEnum):
    """What a provider's receipt says."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNDERWAY = "underway"


def has_surely_failed(tried: Iterable[Outcome | Reading | None]) -> bool:
    """Whether attempts certainly reached nobody: each was refused, or a receipt says so (`Reading.UNDELIVERED`)."""
    return all(one is Outcome.REJECTED or one is Reading.UNDELIVERED for one in tried)


TRIES_MAX = 20
"""Attempts at one delivery; what a provider is too busy for alone goes on, ever less often, while it is good."""
RECEIPT_PATIENCE = timedelta(hours=72)
"""How long a receipt is awaited: GSM carriers keep trying a phone that is off for up to three days."""
BUSY_PAUSE = timedelta(seconds=1)
BUSY_PAUSE_MAX = timedelta(minutes=10)
STAND_IN_AFTER = 7
"""Attempts at a busy provider, in about a minute, after which the channels take over that stand in for its own."""
UNKNOWN_PAUSE = {Lane.OTP: timedelta(seconds=3), Lane.CHANGE: timedelta(minutes=1)}
"""How long a receipt may still answer before a critical message goes out through another provider."""
assert UNKNOWN_PAUSE.keys() == MAY_REPEAT


class Step(msgspec.Struct, frozen=True):
    """Where a delivery goes after an attempt; `next_at` only while it stays open."""

    stage: DeliveryStage
    next_at: datetime | None = None


RefusalKind = Literal["busy", "later", "provider", "message", "recipient"]
"""How a provider says no (`channels.provider.Refused`)."""


def next_step(
    outcome: Outcome,
    refusal: RefusalKind | None,
    *,
    lane: Lane,
    tries: int,
    is_another_left: bool,
    now: datetime,
    expires_at: datetime,
    has_stand_in: bool = False,
) -> Step:
    """What follows from the outcome of attempt number `tries`; `is_another_left`: some provider was never tried, or
    may be asked again after an unknown outcome; `has_stand_in`: other channels take over from what is undeliverable.

    Unknown is never "failed": only a critical lane tries elsewhere, after a pause in which a receipt may still come;
    on the others it ends, alerted. A certain no doubles nothing and may be tried again until the message expires.
    """
    if outcome is Outcome.ACCEPTED:
        return Step(DeliveryStage.ACCEPTED, now + RECEIPT_PATIENCE)
    if outcome is Outcome.UNKNOWN:
        again_at = now + UNKNOWN_PAUSE[lane] if lane in MAY_REPEAT and is_another_left else None
        end = DeliveryStage.UNKNOWN
    else:
        again_at = _after_refusal(refusal, tries, is_another_left=is_another_left, now=now)
        end = DeliveryStage.UNDELIVERABLE
    tries_max = TRIES_MAX if refusal not in ("busy", "later") else STAND_IN_AFTER if has_stand_in else None
    if again_at is None or (tries_max is not None and tries >= tries_max):
        return Step(end)
    if again_at >= expires_at:
        return Step(end if outcome is Outcome.UNKNOWN else DeliveryStage.EXPIRED)
    return Step(DeliveryStage.WAITING, again_at)


def _after_refusal(refusal: RefusalKind | None, tries: int, *, is_another_left: bool, now: datetime) -> datetime | None:
    if refusal == "recipient":
        return None
    if is_another_left:
        return now
    if refusal in ("provider", "message"):
        return None
    doubled: int = 2 ** min(tries - 1, 10)
    return now + min(BUSY_PAUSE * doubled, BUSY_PAUSE_MAX)
