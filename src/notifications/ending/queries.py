"""Every statement that closes what nobody answered for, and that counts what ended badly."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.model import Channel, DeliveryStage, Lane

SELECT_CLOSABLE = """
    -- notifications.select_closable
    SELECT $1::integer AS bucket
     WHERE EXISTS (SELECT 1 FROM notifications.delivery
                    WHERE bucket = $1 AND next_at <= $2 AND stage IN ('sending', 'accepted'))
        OR EXISTS (SELECT 1 FROM notifications.delivery
                    WHERE bucket = $1 AND next_at <= $2 AND stage = 'waiting' AND expires_at <= $2)
    """


async def select_closable(conn: Connection, buckets: Sequence[int], *, now: datetime) -> list[int]:
    """Which buckets hold a delivery whose lease, patience or time is over."""
    rows = await conn.fetchmany(SELECT_CLOSABLE, [(bucket, now) for bucket in buckets])
    return [row["bucket"] for row in rows]


class Abandoned(msgspec.Struct, frozen=True):
    """A delivery whose sender did not come back within its lease."""

    message_id: MessageId
    channel: Channel
    fence: int
    lane: Lane
    expires_at: datetime
    caller: str


async def claim_abandoned(conn: Connection, bucket: int, *, now: datetime, limit: int) -> list[Abandoned]:
    rows = await conn.fetch(
        """
        -- notifications.claim_abandoned
        SELECT d.message_id, d.channel, d.fence, d.lane, d.expires_at, m.caller
          FROM notifications.delivery AS d
          JOIN notifications.message AS m ON m.bucket = d.bucket AND m.message_id = d.message_id
         WHERE d.bucket = $1 AND d.stage = 'sending' AND d.next_at <= $2
         ORDER BY d.next_at LIMIT $3 FOR UPDATE OF d SKIP LOCKED
        """,
        bucket, now, limit,
    )  # fmt: skip
    return [Abandoned(row[0], row[1], row[2], Lane(row[3]), row[4], row[5]) for row in rows]


class Closed(msgspec.Struct, frozen=True):
    """A delivery that its hour ended, as what, and who owed it."""

    message_id: MessageId
    channel: Channel
    lane: Lane
    caller: str
    stage: DeliveryStage
    reason: str | None


async def expire_waiting(conn: Connection, bucket: int, *, now: datetime, limit: int) -> list[Closed]:
    """End what could not be sent in time, so many at once: unknown, where an attempt may be in somebody's hand."""
    rows = await conn.fetch(
        """
        -- notifications.expire_waiting
        WITH late AS MATERIALIZED (
            SELECT w.message_id, w.channel,
                   EXISTS (SELECT 1 FROM notifications.attempt AS a
                            WHERE a.bucket = $1 AND a.message_id = w.message_id AND a.channel = w.channel
                              AND a.outcome IS DISTINCT FROM 'rejected' AND NOT a.missed) AS may_be_there
              FROM notifications.delivery AS w
             WHERE w.bucket = $1 AND w.stage = 'waiting' AND w.next_at <= $2 AND w.expires_at <= $2
             ORDER BY w.next_at LIMIT $3 FOR UPDATE OF w SKIP LOCKED)
        UPDATE notifications.delivery AS d
           SET next_at = NULL, ended_at = $2, reason = CASE WHEN late.may_be_there THEN 'too late' ELSE d.reason END,
               stage = CASE WHEN late.may_be_there THEN 'unknown' ELSE 'expired' END
          FROM late JOIN notifications.message AS m ON m.bucket = $1 AND m.message_id = late.message_id
         WHERE d.bucket = $1 AND d.message_id = late.message_id AND d.channel = late.channel
        RETURNING d.message_id, d.channel, d.lane, m.caller, d.stage, d.reason
        """,
        bucket, now, limit,
    )  # fmt: skip
    return [Closed(row[0], row[1], Lane(row[2]), row[3], DeliveryStage(row[4]), row[5]) for row in rows]


async def give_up_receipts(conn: Connection, bucket: int, *, now: datetime, limit: int) -> list[Closed]:
    """Say of what was accepted and never confirmed that nobody knows, so many at once."""
    rows = await conn.fetch(
        """
        -- notifications.give_up_receipts
        WITH late AS MATERIALIZED (
            SELECT message_id, channel FROM notifications.delivery
             WHERE bucket = $1 AND stage = 'accepted' AND next_at <= $2
             ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.delivery AS d SET stage = 'unknown', next_at = NULL, ended_at = $2, reason = 'no receipt'
          FROM late JOIN notifications.message AS m ON m.bucket = $1 AND m.message_id = late.message_id
         WHERE d.bucket = $1 AND d.message_id = late.message_id AND d.channel = late.channel
        RETURNING d.message_id, d.channel, d.lane, m.caller, d.stage, d.reason
        """,
        bucket, now, limit,
    )  # fmt: skip
    return [Closed(row[0], row[1], Lane(row[2]), row[3], DeliveryStage(row[4]), row[5]) for row in rows]


class Count(msgspec.Struct, frozen=True):
    stage: str
    lane: Lane
    count: int


async def count_alerts(conn: Connection, *, since: datetime) -> list[Count]:
    """How many deliveries ended badly since, by stage and lane; not those another channel has taken over."""
    rows = await conn.fetch(
        """
        -- notifications.count_alerts
        SELECT stage, lane, count(*) FROM notifications.delivery
         WHERE stage IN ('undeliverable', 'unknown') AND ended_at > $1
           AND (fallback IS NULL OR stage = 'unknown')
         GROUP BY stage, lane ORDER BY stage, lane
        """,
        since,
    )
    return [Count(row[0], Lane(row[1]), row[2]) for row in rows]


async def count_unsendable(conn: Connection, *, since: datetime) -> list[Count]:
    """How many messages of which no delivery could be made were owed since."""
    rows = await conn.fetch(
        """
        -- notifications.count_unsendable
        SELECT stage, lane, count(*) FROM notifications.message
         WHERE stage = 'unsendable' AND owed_at > $1
         GROUP BY stage, lane ORDER BY stage, lane
        """,
        since,
    )
    return [Count(row[0], Lane(row[1]), row[2]) for row in rows]


class Alerted(msgspec.Struct, frozen=True):
    message_id: MessageId
    channel: Channel
    stage: DeliveryStage
    lane: Lane
    reason: str | None
    ended_at: datetime


async def select_alerted(conn: Connection, *, since: datetime, limit: int) -> list[Alerted]:
    """The newest deliveries that ended badly; not those another channel has taken over."""
    rows = await conn.fetch(
        """
        -- notifications.select_alerted
        SELECT message_id, channel, stage, lane, reason, ended_at FROM notifications.delivery
         WHERE stage IN ('undeliverable', 'unknown') AND ended_at > $1
           AND (fallback IS NULL OR stage = 'unknown')
         ORDER BY ended_at DESC LIMIT $2
        """,
        since, limit,
    )  # fmt: skip
    return [Alerted(row[0], row[1], DeliveryStage(row[2]), Lane(row[3]), row[4], row[5]) for row in rows]


async def select_unsendable(conn: Connection, *, since: datetime, limit: int) -> list[MessageId]:
    """The newest messages of which no delivery could be made."""
    rows = await conn.fetch(
        """
        -- notifications.select_unsendable
        SELECT message_id FROM notifications.message
         WHERE stage = 'unsendable' AND owed_at > $1 ORDER BY owed_at DESC LIMIT $2
        """,
        since, limit,
    )  # fmt: skip
    return [row["message_id"] for row in rows]
