"""What planning makes of a batch: flights to be made, deliveries to be written, ends to be told.

What is made for every message of a batch holds no cycles, so the garbage collector is told to leave it alone
(`gc=False`), here and wherever a message passes: it took a twentieth of a worker's time.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec

from kernel.ids import MessageId
from notifications import queries
from notifications.carrying.queries import Moved, NewDelivery
from notifications.channels.inbox import Item
from notifications.channels.provider import Parcel
from notifications.composing import Tries
from notifications.ending.endings import Ended
from notifications.model import Channel, Step
from notifications.reaching.grants import Granted


class Flight(msgspec.Struct, frozen=True, gc=False):
    """One attempt: once its intent is committed it may be made, once. A hand of its provider's is taken for it."""

    message_id: MessageId
    channel: Channel
    fence: int
    expires_at: datetime
    provider: str
    group: str
    caller: str
    template: str
    tried: Tries
    tries: int
    parcel: Parcel
    granted: Granted | None = None
    kept_by: Collection[str] = ()
    """Providers that keep its text, of those that take no other."""
    has_stand_in: bool = False
    """Whether other channels take over when this one certainly fails."""


class Plan(msgspec.Struct):
    """What becomes of the messages of one batch."""

    items: list[Item] = []
    deliveries: list[NewDelivery] = []
    moved: list[Moved] = []
    flights: list[Flight] = []
    unsendable: list[MessageId] = []
    postponed: list[MessageId] = []
    without_key: int = 0
    """Messages put back that are sealed under a key which this worker does not have."""
    unknown: set[tuple[str, int]] = set()
    """Departments' texts, by name and version, that this worker does not know yet."""
    ended: list[Ended] = []
    ungranted: list[Granted] = []
    """Grants that were taken, and nothing goes out under."""


class Loaded(msgspec.Struct, frozen=True, gc=False):
    """A provider with a hand taken, and what it is given."""

    provider: str
    parcel: Parcel


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What becomes of one delivery that does not go out now."""

    step: Step
    reason: str | None = None


def move(plan: Plan, bucket: int, delivery: queries.DueDelivery, decided: Decision, now: datetime) -> None:
    """Write what becomes of a delivery that was begun before, and does not go out now."""
    message, step = delivery.message, decided.step
    ended_at = now if step.next_at is None else None
    plan.moved.append(
        Moved(message.message_id, delivery.channel, delivery.fence, step.stage, step.next_at, ended_at, decided.reason)
    )
    if ended_at is not None:
        plan.ended.append(
            Ended(
                bucket, message.message_id, delivery.channel, step.stage, message.caller, decided.reason, message.lane
            )
        )
