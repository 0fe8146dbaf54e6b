"""Of a row no message could be made: no delivery of it will ever end, so it is counted when that is found."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.batches import queries
from notifications.ending.endings import Ended
from notifications.model import DeliveryStage, MessageStage
from notifications.statistics.tallying import tally_batch


class CountingUnsendable:
    """Counts them as failed, with what became of the others of their batch; a listener of endings."""

    async def ended(self, conn: Connection, rows: Sequence[Ended], now: datetime) -> None:
        unsendable: dict[int, list[MessageId]] = defaultdict(list)
        for one in rows:
            if one.channel is None and one.stage is MessageStage.UNSENDABLE:
                unsendable[one.bucket].append(one.message_id)
        for bucket, message_ids in sorted(unsendable.items()):
            for batch_id, count in await queries.count_by_batch(conn, bucket, message_ids):
                await tally_batch(conn, batch_id, {DeliveryStage.UNDELIVERABLE: count})
