"""Every statement about what was said a moment ago, and about channels that take over from others."""

from collections.abc import Sequence
from datetime import datetime

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import MessageId

SAY_ONCE = Many(
    """
    -- notifications.say_once
    INSERT INTO notifications.said AS s (digest, said_at) VALUES {rows}
    ON CONFLICT (digest) DO UPDATE SET said_at = EXCLUDED.said_at WHERE s.said_at <= $2
    RETURNING digest
    """,
    columns=1,
    shared=2,
    row="({}, $1)",
)


async def say_once(conn: Connection, digests: Sequence[bytes], *, now: datetime, unless_since: datetime) -> set[bytes]:
    """File what is said now, sorted and none twice; those of it that were not said since then."""
    rows = await SAY_ONCE.fetch(conn, [(digest,) for digest in digests], now, unless_since)
    return {row["digest"] for row in rows}


async def forget_said(conn: Connection, *, before: datetime, limit: int) -> int:
    """Forget some of what was said before; how many that was."""
    count = await conn.fetchval(
        """
        -- notifications.forget_said
        WITH old AS MATERIALIZED (
                 SELECT digest FROM notifications.said WHERE said_at <= $1 ORDER BY said_at LIMIT $2),
             gone AS (
                 DELETE FROM notifications.said AS s USING old
                  WHERE s.digest = old.digest AND s.said_at <= $1 RETURNING s.digest)
        SELECT count(*) FROM gone
        """,
        before, limit,
    )  # fmt: skip
    return int(count)


async def fall_back(conn: Connection, bucket: int, message_ids: Sequence[MessageId], *, now: datetime) -> int:
    """Let other channels take over from subscribe messages that name them; how many deliveries were made."""
    rows = await conn.fetch(
        """
        -- notifications.fall_back
        INSERT INTO notifications.delivery (bucket, message_id, channel, lane, stage, fence, next_at, expires_at)
        SELECT d.bucket, d.message_id, other.channel, d.lane, 'waiting', 0, $3, d.expires_at
          FROM notifications.delivery AS d
          JOIN (VALUES ('sms'), ('email')) AS other (channel) ON other.channel = ANY(d.fallback)
         WHERE d.bucket = $1 AND d.message_id = ANY($2) AND d.channel = 'subscribe' AND d.expires_at > $3
            ON CONFLICT (bucket, message_id, channel) DO NOTHING
        RETURNING message_id
        """,
        bucket, message_ids, now,
    )  # fmt: skip
    return len(rows)
