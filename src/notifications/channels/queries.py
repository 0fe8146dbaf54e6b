"""Every statement about what providers say, and about what the demo carrier shows."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import MessageId
from notifications.model import DeliveryStage, Lane, Reading


class Carried(msgspec.Struct, frozen=True):
    """What a provider accepted, by its own reference; `bucket` is that of provider and reference."""

    bucket: int
    provider: str
    provider_ref: str
    message_bucket: int
    message_id: MessageId
    fence: int
    lane: Lane
    accepted_at: datetime


INSERT_CARRIED = Many(
    """
    -- notifications.insert_carried
    INSERT INTO notifications.carried
           (bucket, provider, provider_ref, message_bucket, message_id, fence, lane, accepted_at)
    VALUES {rows}
    ON CONFLICT (bucket, provider, provider_ref) DO UPDATE
       SET message_bucket = EXCLUDED.message_bucket, message_id = EXCLUDED.message_id, fence = EXCLUDED.fence,
           lane = EXCLUDED.lane, accepted_at = EXCLUDED.accepted_at
    """,
    columns=8,
)


async def insert_carried(conn: Connection, rows: Sequence[Carried]) -> None:
    """File references, sorted by the caller and none twice; a provider that uses one again means the newest."""
    await INSERT_CARRIED.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


# ---- receipts


class NewReceipt(msgspec.Struct, frozen=True):
    bucket: int
    receipt_id: UUID
    provider: str
    provider_ref: str
    reading: Reading
    raw: bytes
    received_at: datetime


INSERT_RECEIPTS = Many(
    """
    -- notifications.insert_receipts
    INSERT INTO notifications.receipt (bucket, receipt_id, provider, provider_ref, reading, raw, received_at)
    VALUES {rows}
    """,
    columns=7,
)


async def insert_receipts(conn: Connection, rows: Sequence[NewReceipt]) -> None:
    await INSERT_RECEIPTS.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


class Joined(msgspec.Struct, frozen=True):
    """A receipt and the attempt it speaks of."""

    receipt_id: UUID
    reading: Reading
    message_bucket: int
    message_id: MessageId
    fence: int
    lane: Lane


async def claim_receipts(conn: Connection, bucket: int, *, since: datetime, limit: int) -> list[Joined]:
    """Lock receipts that are not joined yet and whose attempt is known by now, earliest first."""
    rows = await conn.fetch(
        """
        -- notifications.claim_receipts
        SELECT r.receipt_id, r.reading, c.message_bucket, c.message_id, c.fence, c.lane
          FROM notifications.receipt AS r
          JOIN notifications.carried AS c
            ON c.bucket = r.bucket AND c.provider = r.provider AND c.provider_ref = r.provider_ref
         WHERE r.bucket = $1 AND r.joined_at IS NULL AND r.received_at > $2
         ORDER BY r.received_at LIMIT $3 FOR UPDATE OF r SKIP LOCKED
        """,
        bucket, since, limit,
    )  # fmt: skip
    return [Joined(row[0], Reading(row[1]), row[2], row[3], row[4], Lane(row[5])) for row in rows]


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


MARK_DELIVERED = Many(
    """
    -- notifications.mark_delivered
    UPDATE notifications.delivery AS d SET stage = 'delivered', next_at = NULL, ended_at = $1, reason = NULL
      FROM (VALUES {rows}) AS v (bucket, message_id)
     WHERE d.bucket = v.bucket AND d.message_id = v.message_id AND d.channel = 'sms' AND d.stage <> 'delivered'
    """,
    columns=2,
    shared=1,
    row="({}::integer, {}::uuid)",
)


async def mark_delivered(conn: Connection, told: Sequence[tuple[int, MessageId]], *, now: datetime) -> None:
    """The person has it, by whichever attempt: that is the end, whatever was thought before."""
    await MARK_DELIVERED.fetch(conn, told, now)


MARK_UNDELIVERED = Many(
    """
    -- notifications.mark_undelivered
    UPDATE notifications.delivery AS d
       SET stage = v.stage, next_at = v.next_at, ended_at = v.ended_at, reason = 'receipt'
      FROM (VALUES {rows}) AS v (bucket, message_id, fence, stage, next_at, ended_at)
     WHERE d.bucket = v.bucket AND d.message_id = v.message_id AND d.channel = 'sms' AND d.fence = v.fence
       AND d.stage IN ('sending', 'accepted', 'unknown')
    """,
    columns=6,
    row="({}::integer, {}::uuid, {}::integer, {}::text, {}::timestamptz, {}::timestamptz)",
)


async def mark_undelivered(
    conn: Connection, missed: Sequence[tuple[int, MessageId, int, DeliveryStage, datetime | None, datetime | None]]
) -> None:
    """The newest attempt did not reach the person."""
    await MARK_UNDELIVERED.fetch(conn, missed)


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
