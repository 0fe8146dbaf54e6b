"""What providers say comes in: stored as it came, first; joined to its attempt afterwards.

A receipt may be doubled, late, out of order, or here before the answer to the very submission it speaks of. Of a long
text each part has one: the text is there when every part is, and did not arrive when any part did not.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BUCKETS, MessageId, bucket_of, uuid7
from notifications.carrying import queries as carrying
from notifications.channels import queries
from notifications.channels.provider import Provider, RawReceipt, ReceivedText, TakeTexts, fit_to_file
from notifications.ending.endings import Ended, Endings
from notifications.ending.reasons import Reason
from notifications.finding import message_named
from notifications.isolating import Isolating
from notifications.model import MAY_REPEAT, RECEIPT_PATIENCE, Channel, DeliveryStage, Lane, Reading
from notifications.routing.carriers import Carriers
from notifications.seals import Seals

TAKEN_TOGETHER_MAX: Final = 1_000
JOINED_TOGETHER_MAX: Final = 500
NO_REFERENCE: Final = "-"
"""What a receipt is filed under that names no reference; it speaks of nothing, and is kept."""
JOINED_WITHIN: Final = RECEIPT_PATIENCE + timedelta(hours=24)
"""How long a receipt waits for its attempt; one that speaks of nothing of ours is kept, and no longer looked at."""

Place = tuple[int, MessageId, Channel]
"""Bucket, message and channel: one delivery."""


class Receiving:
    """Stores receipts and joins them."""

    def __init__(self, db: Database, clock: Clock, seals: Seals, carriers: Carriers, endings: Endings) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._carriers = carriers
        self._endings = endings
        self._isolating = Isolating("join receipts")
        self.arrived = asyncio.Event()
        """Set when receipts were stored by this process: a hint to join them now."""
        self.texts: TakeTexts | None = None
        """Who keeps texts from people; set once, when the parts are wired."""

    async def listen(self, provider: Provider) -> None:
        """Take whatever a provider says, for as long as the process runs."""
        await provider.receipts(partial(self.take, provider.name), self.hear)

    async def hear(self, texts: Sequence[ReceivedText]) -> None:
        """Pass on what people wrote to our numbers; durable when this returns."""
        if self.texts is None:
            raise LookupError("nobody keeps texts from people here")
        await self.texts(texts)

    async def take(self, provider: str, receipts: Sequence[RawReceipt]) -> None:
        """Store receipts; they are durable when this returns."""
        for start in range(0, len(receipts), TAKEN_TOGETHER_MAX):
            rows = [self._row(provider, receipt) for receipt in receipts[start : start + TAKEN_TOGETHER_MAX]]
            async with self._db.transaction() as conn:
                await queries.insert_receipts(conn, rows)
            self.arrived.set()

    def _row(self, provider: str, receipt: RawReceipt) -> queries.NewReceipt:
        now = self._clock.now()
        receipt_id = uuid7(now)
        raw = self._seals.receipt(receipt_id, receipt.raw)
        reference = fit_to_file(receipt.provider_ref) or NO_REFERENCE
        message_id, user_reference, digest = message_named(receipt.reference), receipt.user_reference, None
        if message_id is None:
            if user_reference is not None and receipt.phone is not None:
                digest = self._seals.phone_digest(receipt.phone)
            else:
                user_reference = None  # so few bits say nothing alone
        return queries.NewReceipt(
            bucket_of(provider, reference), receipt_id, provider, reference, receipt.reading, raw, now,
            message_id, user_reference, digest,
        )  # fmt: skip

    async def join_arrived(self) -> int:
        """Join what can be joined by now, in every bucket; return how many receipts that was."""
        self.arrived.clear()
        async with self._db.connection() as conn:
            since = self._clock.now() - JOINED_WITHIN
            buckets = await queries.select_unjoined(conn, range(BUCKETS), since=since)
        joined = 0
        for bucket in buckets:
            with self._isolating.one(bucket):
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
            there = await _arrived(conn, found)
            missed = {
                (one.message_bucket, one.message_id, one.channel, one.fence): one.lane
                for one in found
                if one.reading is Reading.UNDELIVERED and (one.message_bucket, one.message_id, one.channel) not in there
            }
            told = await queries.mark_delivered(conn, there, now=now)
            overtaken = sorted((one.bucket, one.message_id, one.channel) for one in told if one.lane in MAY_REPEAT)
            if overtaken:  # another try may be in the hands of a worker that will never come back
                await carrying.end_overtaken(conn, overtaken, now=now)
            ended = [_ended(one, DeliveryStage.DELIVERED) for one in told]
            if missed:
                lost = await queries.mark_undelivered(
                    conn, [self._missed(*pair, now) for pair in sorted(missed.items())]
                )
                ended += [_ended(one, DeliveryStage.UNDELIVERABLE, Reason.RECEIPT) for one in lost]
            await queries.mark_joined(conn, bucket, [one.receipt_id for one in found], now=now)
            await self._endings.tell(conn, ended, now)
        return len(found)

    def _missed(self, place: tuple[int, MessageId, Channel, int], lane: Lane, now: datetime) -> queries.Missed:
        """Where a delivery goes whose newest attempt did not arrive: to another provider, on critical lanes."""
        if lane in MAY_REPEAT and self._carriers.has_several(place[2]):
            return (*place, DeliveryStage.WAITING, now, None)
        return (*place, DeliveryStage.UNDELIVERABLE, None, now)


async def _arrived(conn: Connection, found: Sequence[queries.Joined]) -> list[Place]:
    """The deliveries that are there with what these receipts say, sorted, each once."""
    there: set[Place] = set()
    parts: dict[tuple[int, MessageId, Channel, int], int] = {}
    wholes: dict[tuple[int, MessageId, Channel, int], int] = {}
    for one in found:
        if one.reading is not Reading.DELIVERED:
            continue
        place = (one.message_bucket, one.message_id, one.channel)
        if one.parts == 1:
            there.add(place)
        else:
            key = (*place, one.fence)
            parts[key] = parts.get(key, 0) | 1 << one.part
            wholes[key] = (1 << one.parts) - 1
    if parts:
        told = await queries.tell_parts(conn, [(*key, bits, wholes[key]) for key, bits in sorted(parts.items())])
        there |= {key[:3] for key, bits in told.items() if bits == wholes[key]}
    return sorted(there)


def _ended(one: queries.Told, stage: DeliveryStage, reason: str | None = None) -> Ended:
    return Ended(one.bucket, one.message_id, one.channel, stage, one.caller, reason, one.lane)
