"""Where a subscribe message certainly reached nobody, the channels named to stand in for it take over: it failed, its
next try would be too late, or it is not wanted that way any more. Of what was taken back nothing takes over.

A listener of endings, so that the end of one and the beginning of the other commit together. On critical lanes they
take over from an unknown end too: there being told twice is better than not at all.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.ending.endings import Ended
from notifications.ending.reasons import Reason
from notifications.model import MAY_REPEAT, DeliveryStage
from notifications.routing import queries


class FallingBack:
    """Hears of every end, and owes what is to be tried next."""

    async def ended(self, conn: Connection, rows: Sequence[Ended], now: datetime) -> None:
        by_bucket: dict[int, list[MessageId]] = defaultdict(list)
        for one in rows:
            if one.channel == "subscribe" and _takes_over(one):
                by_bucket[one.bucket].append(one.message_id)
        for bucket, message_ids in sorted(by_bucket.items()):
            await queries.fall_back(conn, bucket, sorted(message_ids), now=now)


def _takes_over(one: Ended) -> bool:
    if one.stage in (DeliveryStage.UNDELIVERABLE, DeliveryStage.EXPIRED):
        return True
    if one.stage is DeliveryStage.WITHDRAWN:
        return one.reason == Reason.NOT_WANTED
    return one.stage is DeliveryStage.UNKNOWN and one.lane in MAY_REPEAT
