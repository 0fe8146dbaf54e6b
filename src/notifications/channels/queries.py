"""Every statement about what providers say, and about what the demo carrier shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import MessageId
from notifications.model import Channel, DeliveryStage, Lane, Reading
from notifications.queries import DueMessage

LANES: Final = {lane.value: lane for lane in Lane}
READINGS: Final = {reading.value: reading for reading in Reading}
"""Looked up: to make one of its value takes several times as long."""


Together = tuple[str, int, Lane, datetime, Channel]
"""What a provider accepted at once has in common: provider, bucket of the messages, lane, when, by which channel."""
Carried = tuple[int, str, MessageId, int, int, int]
"""The bucket of provider and reference, the reference, the message, the attempt's fence, part, and of how many."""

INSERT_CARRIED = Many(
    """
    -- notifications.insert_carried
    INSERT INTO notifications.carried
           (provider, message_bucket, lane, accepted_at, channel, bucket, provider_ref, message_id, fence, part, parts)
    VALUES {rows}
    ON CONFLICT (bucket, provider, provider_ref) DO UPDATE
       SET message_bucket = EXCLUDED.message_bucket, message_id = EXCLUDED.message_id, fence = EXCLUDED.fence,
           lane = EXCLUDED.lane, accepted_at = EXCLUDED.accepted_at, channel = EXCLUDED.channel, part = EXCLUDED.part,
           parts = EXCLUDED.parts
    """,
    columns=6,
    shared=5,
    row="($1, $2, $3, $4, $5, {}, {}, {}, {}, {}, {})",
)


async def insert_carried(conn: Connection, together: Together, rows: Sequence[Carried]) -> None:
    """File references, sorted by the caller and none twice; a provider that uses one again means the newest."""
    await INSERT_CARRIED.fetch(conn, rows, *together)


# ---- receipts


class NewReceipt(msgspec.Struct, frozen=True, gc=False):
    bucket: int
    receipt_id: UUID
    provider: str
    provider_ref: str
    reading: Reading
    raw: bytes
    received_at: datetime
    message_id: MessageId | None = None
    user_reference: int | None = None
    number_digest: bytes | None = None


async def insert_receipts(conn: Connection, rows: Sequence[NewReceipt]) -> None:
    await conn.copy_records_to_table(
        "receipt",
        schema_name="notifications",
        columns=NewReceipt.__struct_fields__,
        records=[msgspec.structs.astuple(row) for row in rows],
    )


class Joined(msgspec.Struct, frozen=True, gc=False):
    """A receipt and the attempt it speaks of; of a long text, which part."""

    receipt_id: UUID
    reading: Reading
    message_bucket: int
    message_id: MessageId
    fence: int
    lane: Lane
    channel: Channel
    part: int
    parts: int


async def claim_receipts(conn: Connection, bucket: int, *, since: datetime, limit: int) -> list[Joined]:
    """Lock receipts that are not joined yet and whose attempt is known by now, earliest first."""
    rows = await conn.fetch(
        """
        -- notifications.claim_receipts
        SELECT r.receipt_id, r.reading, c.message_bucket, c.message_id, c.fence, c.lane, c.channel, c.part, c.parts
          FROM notifications.receipt AS r
          JOIN notifications.carried AS c
            ON c.bucket = r.bucket AND c.provider = r.provider AND c.provider_ref = r.provider_ref
         WHERE r.bucket = $1 AND r.joined_at IS NULL AND r.received_at > $2
         ORDER BY r.received_at LIMIT $3 FOR UPDATE OF r SKIP LOCKED
        """,
        bucket, since, limit,
    )  # fmt: skip
    return [
        Joined(receipt_id, READINGS[reading], at, message_id, fence, LANES[lane], channel, part, parts)
        for receipt_id, reading, at, message_id, fence, lane, channel, part, parts in rows
    ]


SELECT_UNJOINED = """
    -- notifications.select_unjoined
    SELECT $1::integer AS bucket
     WHERE EXISTS (SELECT 1 FROM notifications.receipt WHERE bucket = $1 AND joined_at IS NULL AND received_at > $2)
    """


async def select_unjoined(conn: Connection, buckets: Sequence[int], *, since: datetime) -> list[int]:
    """Which buckets hold receipts that are not joined yet."""
    rows = await conn.fetchmany(SELECT_UNJOINED, [(bucket, since) for bucket in buckets])
    return [row["bucket"] for row in rows]


async def mark_joined(conn: Connection, bucket: int, receipt_ids: Sequence[UUID], *, now: datetime) -> None:
    await conn.execute(
        """
        -- notifications.mark_joined
        UPDATE notifications.receipt SET joined_at = $3 WHERE bucket = $1 AND receipt_id = ANY($2)
        """,
        bucket, receipt_ids, now,
    )  # fmt: skip


class Told(msgspec.Struct, frozen=True, gc=False):
    """A delivery that a receipt ended, and who owed it."""

    lane: Lane
    bucket: int
    message_id: MessageId
    channel: Channel
    caller: str


async def mark_delivered(
    conn: Connection, told: Sequence[tuple[int, MessageId, Channel]], *, now: datetime
) -> list[Told]:
    """The person has it, by whichever attempt: that is the end, whatever was thought before. Those that now end."""
    if not told:
        return []
    buckets, message_ids, channels = zip(*told, strict=True)
    rows = await conn.fetch(
        """
        -- notifications.mark_delivered
        UPDATE notifications.delivery AS d SET stage = 'delivered', next_at = NULL, ended_at = $1, reason = NULL
          FROM unnest($2::integer[], $3::uuid[], $4::text[]) AS v (bucket, message_id, channel)
          JOIN notifications.message AS m ON m.bucket = v.bucket AND m.message_id = v.message_id
         WHERE d.bucket = v.bucket AND d.message_id = v.message_id AND d.channel = v.channel AND d.stage <> 'delivered'
        RETURNING d.lane, d.bucket, d.message_id, d.channel, m.caller
        """,
        now, buckets, message_ids, channels,
    )  # fmt: skip
    return [Told(LANES[lane], *whose) for lane, *whose in rows]


TELL_PARTS = Many(
    """
    -- notifications.tell_parts
    UPDATE notifications.attempt AS a
       SET told = a.told | v.bits,
           outcome = CASE WHEN a.outcome = 'unknown' AND a.told | v.bits = v.whole THEN 'accepted' ELSE a.outcome END
      FROM (VALUES {rows}) AS v (bucket, message_id, channel, fence, bits, whole)
     WHERE a.bucket = v.bucket AND a.message_id = v.message_id AND a.channel = v.channel AND a.fence = v.fence
    RETURNING a.bucket, a.message_id, a.channel, a.fence, a.told
    """,
    columns=6,
    row="({}::integer, {}::uuid, {}::text, {}::integer, {}::integer, {}::integer)",
)


async def tell_parts(
    conn: Connection, parts: Sequence[tuple[int, MessageId, Channel, int, int, int]]
) -> dict[tuple[int, MessageId, Channel, int], int]:
    """Add arrived parts (bits, of so many) to attempts, each once and sorted; which parts of each are there now.

    One without answer of which every part arrived was accepted after all.
    """
    rows = await TELL_PARTS.fetch(conn, parts)
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}


MARK_UNDELIVERED = Many(
    """
    -- notifications.mark_undelivered
    WITH v (bucket, message_id, channel, fence, stage, next_at, ended_at) AS MATERIALIZED (VALUES {rows}),
         tried AS (
             UPDATE notifications.attempt AS a SET missed = TRUE FROM v
              WHERE a.bucket = v.bucket AND a.message_id = v.message_id AND a.channel = v.channel AND a.fence = v.fence)
    UPDATE notifications.delivery AS d
       SET stage = v.stage, next_at = v.next_at, ended_at = v.ended_at, reason = 'receipt'
      FROM v
      JOIN notifications.message AS m ON m.bucket = v.bucket AND m.message_id = v.message_id
     WHERE d.bucket = v.bucket AND d.message_id = v.message_id AND d.channel = v.channel AND d.fence = v.fence
       AND d.stage IN ('sending', 'accepted', 'unknown')
    RETURNING d.stage, d.lane, d.bucket, d.message_id, d.channel, m.caller
    """,
    columns=7,
    row="({}::integer, {}::uuid, {}::text, {}::integer, {}::text, {}::timestamptz, {}::timestamptz)",
)

Missed = tuple[int, MessageId, Channel, int, DeliveryStage, datetime | None, datetime | None]


async def mark_undelivered(conn: Connection, missed: Sequence[Missed]) -> list[Told]:
    """These attempts did not reach the person; where they are the newest, where it goes. Those that end by that."""
    rows = await MARK_UNDELIVERED.fetch(conn, missed)
    ends = DeliveryStage.UNDELIVERABLE.value
    return [Told(LANES[lane], *whose) for stage, lane, *whose in rows if stage == ends]


# ---- receipts whose submission was never answered


class Unanswered(msgspec.Struct, frozen=True):
    """An attempt of unknown outcome, and the message it was of."""

    message: DueMessage
    channel: Channel
    fence: int
    provider: str
    parts: int


SELECT_UNANSWERED = """
    -- notifications.select_unanswered
    SELECT a.channel, a.fence, a.provider, a.parts, m.lane,
           m.message_id, m.caller, m.person_id, m.address, m.template, m.version, m.sealed_values, m.expires_at
      FROM notifications.attempt AS a
      JOIN notifications.message AS m ON m.bucket = a.bucket AND m.message_id = a.message_id
     WHERE a.bucket = $1 AND a.outcome = 'unknown' AND a.intended_at > $2
       AND ($4::uuid[] IS NULL OR a.message_id = ANY($4)) ORDER BY a.intended_at DESC LIMIT $3
    """
Named = Mapping[int, Sequence[MessageId] | None]
"""Messages by their bucket; None: whichever there are."""


async def select_unanswered(conn: Connection, named: Named, *, since: datetime, limit: int) -> list[Unanswered]:
    """Attempts since then of which nobody knows what they came to; in each bucket at most `limit`, newest first."""
    rows = await conn.fetchmany(SELECT_UNANSWERED, [(bucket, since, limit, ids) for bucket, ids in named.items()])
    return [
        Unanswered(DueMessage(LANES[lane], *whose), channel, fence, provider, parts)
        for channel, fence, provider, parts, lane, *whose in rows
    ]


class Unmatched(msgspec.Struct, frozen=True):
    """A receipt under a reference that was never told us, and what it repeats of our own."""

    bucket: int
    provider: str
    provider_ref: str
    message_id: MessageId | None
    user_reference: int | None
    number_digest: bytes | None
    received_at: datetime
    receipt_id: UUID


SELECT_UNMATCHED = """
    -- notifications.select_unmatched
    SELECT r.bucket, r.provider, r.provider_ref, r.message_id, r.user_reference, r.number_digest, r.received_at,
           r.receipt_id
      FROM notifications.receipt AS r
     WHERE r.bucket = $1 AND r.joined_at IS NULL AND (r.received_at, r.receipt_id) > ($2, $3::uuid)
       AND r.received_at <= $4
       AND (r.message_id IS NOT NULL OR r.user_reference IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM notifications.carried AS c
                        WHERE c.bucket = $1 AND c.provider = r.provider AND c.provider_ref = r.provider_ref)
     ORDER BY r.received_at, r.receipt_id LIMIT $5
    """


async def select_unmatched(
    conn: Connection, after: Sequence[tuple[int, datetime, UUID]], *, until: datetime, limit: int
) -> list[Unmatched]:
    """What receipts repeat of ours, under references we were never told: in each bucket the first after one."""
    rows = await conn.fetchmany(SELECT_UNMATCHED, [(*where, until, limit) for where in after])
    return [Unmatched(*row) for row in rows]


# ---- the demo carrier


class NewShown(msgspec.Struct, frozen=True):
    """An SMS for the demo carrier to show."""

    phone_digest: bytes
    sms_id: UUID
    reference: str
    shown: bytes
    shown_at: datetime


INSERT_SHOWN = Many(
    """
    -- notifications.insert_shown
    INSERT INTO notifications.demo_sms (phone_digest, sms_id, reference, shown, shown_at)
    VALUES {rows}
    ON CONFLICT (phone_digest, reference) DO NOTHING
    """,
    columns=5,
)


async def insert_shown(conn: Connection, rows: Sequence[NewShown]) -> None:
    """Show SMS; a reference shown before is not shown again."""
    await INSERT_SHOWN.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


class Shown(msgspec.Struct, frozen=True):
    phone_digest: bytes
    sms_id: UUID
    shown: bytes
    shown_at: datetime


async def select_shown_to(conn: Connection, phone_digests: Sequence[bytes], *, limit: int) -> list[Shown]:
    """What was shown to a number, newest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_shown_to
        SELECT phone_digest, sms_id, shown, shown_at FROM notifications.demo_sms
         WHERE phone_digest = ANY($1) ORDER BY shown_at DESC, sms_id DESC LIMIT $2
        """,
        phone_digests, limit,
    )  # fmt: skip
    return [Shown(*row) for row in rows]


async def select_shown(conn: Connection, *, limit: int) -> list[Shown]:
    """What was shown to anybody, newest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_shown
        SELECT phone_digest, sms_id, shown, shown_at FROM notifications.demo_sms
         ORDER BY shown_at DESC, sms_id DESC LIMIT $1
        """,
        limit,
    )
    return [Shown(*row) for row in rows]


class Unreceipted(msgspec.Struct, frozen=True):
    phone_digest: bytes
    sms_id: UUID
    reference: str


async def select_unreceipted(conn: Connection, *, limit: int) -> list[Unreceipted]:
    """What was shown and has no receipt yet, oldest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_unreceipted
        SELECT phone_digest, sms_id, reference FROM notifications.demo_sms
         WHERE receipted_at IS NULL ORDER BY shown_at LIMIT $1
        """,
        limit,
    )
    return [Unreceipted(*row) for row in rows]


MARK_RECEIPTED = Many(
    """
    -- notifications.mark_receipted
    UPDATE notifications.demo_sms AS s SET receipted_at = $1
      FROM (VALUES {rows}) AS v (phone_digest, sms_id)
     WHERE s.phone_digest = v.phone_digest AND s.sms_id = v.sms_id
    """,
    columns=2,
    shared=1,
    row="({}::bytea, {}::uuid)",
)


async def mark_receipted(conn: Connection, rows: Sequence[Unreceipted], *, now: datetime) -> None:
    await MARK_RECEIPTED.fetch(conn, [(row.phone_digest, row.sms_id) for row in rows], now)


async def forget_shown(conn: Connection, *, keep: int) -> None:
    """Keep the newest `keep`, and of the rest what has no receipt yet."""
    await conn.execute(
        """
        -- notifications.forget_shown
        DELETE FROM notifications.demo_sms WHERE receipted_at IS NOT NULL AND shown_at < (
            SELECT shown_at FROM notifications.demo_sms ORDER BY shown_at DESC, sms_id DESC OFFSET $1 LIMIT 1)
        """,
        keep,
    )
