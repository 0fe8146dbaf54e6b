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


async def claim_abandoned(conn: Connection, bucket: int, *, now: datetime, limit: int) -> list[Abandoned]:
    rows = await conn.fetch(
        """
        -- notifications.claim_abandoned
        SELECT message_id, channel, fence, lane, expires_at FROM notifications.delivery
         WHERE bucket = $1 AND stage = 'sending' AND next_at <= $2
         ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        bucket, now, limit,
    )  # fmt: skip
    return [Abandoned(row[0], row[1], row[2], Lane(row[3]), row[4]) for row in rows]


async def expire_waiting(conn: Connection, bucket: int, *, now: datetime) -> None:
    """End what could not be sent in time."""
    await conn.execute(
        """
        -- notifications.expire_waiting
        UPDATE notifications.delivery SET stage = 'expired', next_at = NULL, ended_at = $2
         WHERE bucket = $1 AND stage = 'waiting' AND next_at <= $2 AND expires_at <= $2
        """,
        bucket, now,
    )  # fmt: skip


async def give_up_receipts(conn: Connection, bucket: int, *, now: datetime) -> None:
    """Say of what was accepted and never confirmed that nobody knows."""
    await conn.execute(
        """
        -- notifications.give_up_receipts
        UPDATE notifications.delivery SET stage = 'unknown', next_at = NULL, ended_at = $2, reason = 'no receipt'
         WHERE bucket = $1 AND stage = 'accepted' AND next_at <= $2
        """,
        bucket, now,
    )  # fmt: skip


class Count(msgspec.Struct, frozen=True):
    stage: str
    lane: Lane
    count: int


async def count_alerts(conn: Connection, *, since: datetime) -> list[Count]:
    """How many deliveries ended badly since, by stage and lane."""
    rows = await conn.fetch(
        """
        -- notifications.count_alerts
        SELECT stage, lane, count(*) FROM notifications.delivery
         WHERE stage IN ('undeliverable', 'unknown') AND ended_at > $1
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
    """The newest deliveries that ended badly."""
    rows = await conn.fetch(
        """
        -- notifications.select_alerted
        SELECT message_id, channel, stage, lane, reason, ended_at FROM notifications.delivery
         WHERE stage IN ('undeliverable', 'unknown') AND ended_at > $1
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
