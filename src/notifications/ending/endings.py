"""What has ended is told to whoever listens, in the transaction that ended it, so that nothing ends unheard."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.model import Channel, DeliveryStage, Lane, MessageStage


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The end of a delivery, or of a whole message of which no delivery was made (`channel` is None then).

    A delivery may end twice: `unknown` becomes `delivered` when a late receipt says so. `caller` is who owed it; `lane`
    is None where whoever tells does not know it.
    """

    bucket: int
    message_id: MessageId
    channel: Channel | None
    stage: DeliveryStage | MessageStage
    caller: str
    reason: str | None
    lane: Lane | None = None


class Listener(Protocol):
    async def ended(self, conn: Connection, rows: Sequence[Ended], now: datetime) -> None:
        """Hear what ended, inside the transaction that ended it. What this raises undoes the ending: raise nothing.

        No network, no lock but on rows of one's own, taken in the order of their keys.
        """
        ...


class Endings:
    """Whoever ends something tells it here."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    async def tell(self, conn: Connection, ended: Sequence[Ended], now: datetime) -> None:
        """Tell every listener, in the order they were added."""
        if ended:
            for listener in self.listeners:
                await listener.ended(conn, ended, now)
