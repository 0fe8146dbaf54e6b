"""What there is to say of sending at one moment. Names of providers and networks, and numbers; nothing about people."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from kernel.ids import BUCKETS
from notifications.model import Channel, Lane

COUNTED_MAX: Final = 10_000
"""Whatever there is more of is not counted further: whether ten thousand wait or a million, the line is long."""
OF_BUCKET_MAX: Final = 2 * COUNTED_MAX // BUCKETS
"""Rows counted of one bucket: twice its part, since what waits is spread over the buckets evenly and not exactly."""
PATIENCE: Final = {lane: timedelta(minutes=5) for lane in Lane} | {Lane.OTP: timedelta(seconds=10)}
"""What has been due for longer is late: an operator should look. Of a batch no more is due than leaves in seconds."""


class Counted(Struct, frozen=True):
    """How many; `is_more` when there are more than were counted."""

    count: int
    is_more: bool

    @classmethod
    def of(cls, in_buckets: Collection[int]) -> "Counted":
        """The sum over buckets, in each of which `OF_BUCKET_MAX` and one more are counted at most."""
        total = sum(in_buckets)
        is_more = total > COUNTED_MAX or any(count > OF_BUCKET_MAX for count in in_buckets)
        return cls(min(total, COUNTED_MAX), is_more)


class LaneStanding(Struct, frozen=True):
    """One lane: codes are `otp`, then come `change`, `result`, `reminder` and `bulk`.

    `due`: messages whose hour has come and that nobody has begun; rows of a batch that are not fed to their lane are no
    messages yet. `waiting`: deliveries begun that wait for another try, for a free hand, or for the morning.
    `awaiting_receipt`: those that a provider took and has not confirmed; null where over all lanes there are more than
    are counted. `oldest_seconds`: for how long the oldest has been due, of messages and of tries whose hour has come;
    null when none is. `is_late`: for longer than ten seconds of codes, or five minutes of all else.
    """

    lane: str
    due: Counted
    waiting: Counted
    awaiting_receipt: Counted | None
    oldest_seconds: int | None
    is_late: bool


class Lanes(Struct, frozen=True):
    """Every lane, in the order in which they leave; `awaiting_receipt` of all of them together."""

    lanes: list[LaneStanding]
    awaiting_receipt: Counted


class NetworkStanding(Struct, frozen=True):
    """How a provider does on one network (`group`).

    `share`: how much it gets there of what would be its own, 0 to 1; 1 when it is well. `failures`: among the last
    hundred attempts; counted anew once it gets less.
    """

    group: str
    share: float
    failures: int


class ProviderStanding(Struct, frozen=True):
    """How one worker sees a provider. The wire says what each is (`http.ProviderView`)."""

    name: str
    channel: Channel
    is_stand_in: bool
    is_connected: bool | None
    hands_in_use: int
    hands_max: int
    networks: list[NetworkStanding]


class WorkerTold(Struct, frozen=True):
    """What one worker last said of its providers."""

    worker: str
    told_at: datetime
    providers: list[ProviderStanding]
