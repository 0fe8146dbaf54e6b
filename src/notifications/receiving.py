"""What providers say comes in: stored as it came, first; joined to its attempt afterwards.

A receipt may be doubled, late, out of order, or here before the answer to the very submission it speaks of.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BUCKETS, bucket_of, uuid7
from notifications.channels import queries
from notifications.channels.provider import RawReceipt, fit_to_file
from notifications.model import MAY_REPEAT, RECEIPT_PATIENCE, DeliveryStage, Reading
from notifications.routing import Carriers
from notifications.seals import Seals

TAKEN_TOGETHER_MAX = 500
JOINED_TOGETHER_MAX = 200
NO_REFERENCE = "-"
"""What a receipt is filed under that names no reference; it speaks of nothing, and is kept."""
JOINED_WITHIN = RECEIPT_PATIENCE + timedelta(hours=24)
"""How long a receipt waits for its attempt; one that speaks of nothing of ours is kept, and no longer looked at."""


class Receiving:
    """Stores receipts and joins them."""

    def __init__(self, db: Database, clock: Clock, seals: Seals, carriers: Carriers) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._carriers = carriers
        self.arrived = asyncio.Event()
        """Set when receipts were stored by this process: a hint to join them now."""

    async def take(self, provider: str, receipts: Sequence[RawReceipt]) -> None:
        """Store receipts; they are durable when this returns."""
        now = self._clock.now()
        rows = []
        for receipt in receipts:
            receipt_id = uuid7(now)
            raw = self._seals.receipt(receipt_id, receipt.raw)
            reference = fit_to_file(receipt.provider_ref) or NO_REFERENCE
            bucket = bucket_of(provider, reference)
            rows.append(queries.NewReceipt(bucket, receipt_id, provider, reference, receipt.reading, raw, now))
        for start in range(0, len(rows), TAKEN_TOGETHER_MAX):
            async with self._db.transaction() as conn:
                await queries.insert_receipts(conn, rows[start : start + TAKEN_TOGETHER_MAX])
        self.arrived.set()

    async def join_arrived(self) -> int:
        """Join what can be joined by now, in every bucket; return how many receipts that was."""
        self.arrived.clear()
        async with self._db.connection() as conn:
            since = self._clock.now() - JOINED_WITHIN
            buckets = await queries.select_unjoined(conn, range(BUCKETS), since=since)
        joined = 0
        for bucket in buckets:
            while (count := await self.join(bucket)) == JOINED_TOGETHER_MAX:
                joined += count
            joined += count
        return joined

    async def join(self, bucket: int) -> int:
        """Apply receipts of one bucket whose attempt is known; return how many."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            found = await queries.claim_receipts(conn, bucket, since=now - JOINED_WITHIN, limit=JOINED_TOGETHER_MAX)
            if not found:
                return 0
            told = {(one.message_bucket, one.message_id) for one in found if one.reading is Reading.DELIVERED}
            missed = {
                (one.message_bucket, one.message_id, one.fence): one.lane
                for one in found
                if one.reading is Reading.UNDELIVERED and (one.message_bucket, one.message_id) not in told
            }
            is_another = len(self._carriers.providers) > 1
            await queries.mark_delivered(conn, sorted(told), now=now)
            await queries.mark_undelivered(
                conn,
                [
                    (*place, DeliveryStage.WAITING, now, None)
                    if lane in MAY_REPEAT and is_another
                    else (*place, DeliveryStage.UNDELIVERABLE, None, now)
                    for place, lane in sorted(missed.items())
                ],
            )
            await queries.mark_joined(conn, bucket, [one.receipt_id for one in found], now=now)
        return len(found)
