"""Every statement about deliveries and attempts: their intent, their outcome, where they go next.

What is of the same shape for hundreds of rows is written as columns, what is rare as rows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import MessageId
from notifications.model import Channel, DeliveryStage, Lane, Outcome

COPIED_FROM: Final = 8
"""From so many rows on a COPY is faster than a statement, for all its round trips."""


class NewDelivery(msgspec.Struct, frozen=True, gc=False):
    bucket: int
    message_id: MessageId
    channel: Channel
    lane: Lane
    stage: DeliveryStage
    fence: int
    next_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None
    reason: str | None
    fallback: list[Channel] | None = None
    batch_id: UUID | None = None


_DELIVERY: Final = NewDelivery.__struct_fields__
INSERT_DELIVERIES = Many(
    """
    -- notifications.insert_deliveries
    INSERT INTO notifications.delivery
           (bucket, message_id, channel, lane, stage, fence, next_at, expires_at, ended_at, reason, fallback, batch_id)
    VALUES {rows}
    """,
    columns=12,
    sizes=(1, 4),
)


async def insert_deliveries(conn: Connection, rows: Sequence[NewDelivery]) -> None:
    records = [msgspec.structs.astuple(row) for row in rows]
    if len(records) >= COPIED_FROM:
        await conn.copy_records_to_table("delivery", schema_name="notifications", columns=_DELIVERY, records=records)
    else:
        await INSERT_DELIVERIES.fetch(conn, records)


class Intent(msgspec.Struct, frozen=True, gc=False):
    """An attempt about to be made; committed before anything is sent. `parts`: SMS that its text comes to."""

    bucket: int
    message_id: MessageId
    channel: Channel
    fence: int
    provider: str
    may_repeat: bool
    intended_at: datetime
    parts: int = 1


_INTENT: Final = Intent.__struct_fields__
INSERT_INTENTS = Many(
    """
    -- notifications.insert_intents
    INSERT INTO notifications.attempt (bucket, message_id, channel, fence, provider, may_repeat, intended_at, parts)
    VALUES {rows}
    """,
    columns=8,
    sizes=(1, 4),
)


async def insert_intents(conn: Connection, rows: Sequence[Intent]) -> None:
    records = [msgspec.structs.astuple(row) for row in rows]
    if len(records) >= COPIED_FROM:
        await conn.copy_records_to_table("attempt", schema_name="notifications", columns=_INTENT, records=records)
    else:
        await INSERT_INTENTS.fetch(conn, records)


class Try(msgspec.Struct, frozen=True, gc=False):
    """What an attempt came to."""

    message_id: MessageId
    channel: Channel
    fence: int
    outcome: Outcome
    provider_ref: str | None
    reason: str | None


RECORD_OUTCOMES = Many(
    """
    -- notifications.record_outcomes
    UPDATE notifications.attempt AS a
       SET outcome = v.outcome, ended_at = $2, provider_ref = v.provider_ref, reason = v.reason
      FROM (VALUES {rows}) AS v (message_id, channel, fence, outcome, provider_ref, reason)
     WHERE a.bucket = $1 AND a.message_id = v.message_id AND a.channel = v.channel AND a.fence = v.fence
       AND (a.outcome IS NULL OR a.outcome = 'unknown')
    """,
    columns=6,
    shared=2,
    row="({}::uuid, {}::text, {}::integer, {}::text, {}::text, {}::text)",
)


async def record_outcomes(conn: Connection, bucket: int, tries: Sequence[Try], *, now: datetime) -> None:
    """Write what attempts came to; what was unknown may become known, never the other way."""
    await RECORD_OUTCOMES.fetch(conn, [msgspec.structs.astuple(one) for one in tries], bucket, now)


class Moved(msgspec.Struct, frozen=True, gc=False):
    """Where a delivery goes after its attempt `fence`."""

    message_id: MessageId
    channel: Channel
    fence: int
    stage: DeliveryStage
    next_at: datetime | None
    ended_at: datetime | None
    reason: str | None


MOVE_DELIVERIES = Many(
    """
    -- notifications.move_deliveries
    UPDATE notifications.delivery AS d
       SET stage = v.stage, next_at = v.next_at, ended_at = v.ended_at, reason = v.reason
      FROM (VALUES {rows}) AS v (message_id, channel, fence, stage, next_at, ended_at, reason)
     WHERE d.bucket = $1 AND d.message_id = v.message_id AND d.channel = v.channel AND d.fence = v.fence
       AND d.stage IN ('sending', 'waiting', 'unknown')
    RETURNING d.message_id, d.channel
    """,
    columns=7,
    shared=1,
    row="({}::uuid, {}::text, {}::integer, {}::text, {}::timestamptz, {}::timestamptz, {}::text)",
)


async def move_deliveries(conn: Connection, bucket: int, moved: Sequence[Moved]) -> set[tuple[MessageId, Channel]]:
    """Move deliveries on, except those another attempt has begun of, or a receipt has closed meanwhile; those moved."""
    rows = await MOVE_DELIVERIES.fetch(conn, [msgspec.structs.astuple(one) for one in moved], bucket)
    return {(row["message_id"], row["channel"]) for row in rows}


async def accept(
    conn: Connection,
    bucket: int,
    channel: Channel,
    message_ids: Sequence[MessageId],
    fences: Sequence[int],
    provider_refs: Sequence[str | None],
    *,
    now: datetime,
    next_at: datetime,
) -> None:
    """Say of attempts, column by column, that they were accepted and that receipts are awaited until `next_at`."""
    await conn.execute(
        """
        -- notifications.accept
        WITH v AS MATERIALIZED (
                 SELECT v.message_id, v.fence, v.provider_ref
                   FROM unnest($3::uuid[], $4::integer[], $5::text[]) AS v (message_id, fence, provider_ref)),
             tried AS (
                 UPDATE notifications.attempt AS a
                    SET outcome = 'accepted', ended_at = $6, provider_ref = v.provider_ref, reason = NULL
                   FROM v
                  WHERE a.bucket = $1 AND a.message_id = v.message_id AND a.channel = $2 AND a.fence = v.fence
                    AND (a.outcome IS NULL OR a.outcome = 'unknown'))
        UPDATE notifications.delivery AS d SET stage = 'accepted', next_at = $7, ended_at = NULL, reason = NULL
          FROM v
         WHERE d.bucket = $1 AND d.message_id = v.message_id AND d.channel = $2 AND d.fence = v.fence
           AND d.stage IN ('sending', 'waiting', 'unknown')
        """,
        bucket, channel, message_ids, fences, provider_refs, now, next_at,
    )  # fmt: skip


async def end_overtaken(conn: Connection, there: Sequence[tuple[int, MessageId, Channel]], *, now: datetime) -> None:
    """Say of attempts under way at what arrived by another that nobody knows; who made one may know more, later."""
    buckets, message_ids, channels = zip(*there, strict=True)
    await conn.execute(
        """
        -- notifications.end_overtaken
        UPDATE notifications.attempt AS a SET outcome = 'unknown', ended_at = $1, reason = 'delivered meanwhile'
          FROM unnest($2::integer[], $3::uuid[], $4::text[]) AS v (bucket, message_id, channel)
         WHERE a.bucket = v.bucket AND a.message_id = v.message_id AND a.channel = v.channel AND a.outcome IS NULL
        """,
        now, buckets, message_ids, channels,
    )  # fmt: skip
