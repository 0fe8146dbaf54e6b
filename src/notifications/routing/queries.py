"""Every statement about what was said a moment ago, and about channels that take over from others."""

from collections.abc import Sequence
from datetime import datetime

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import MessageId

SAY_ONCE = Many(
    """
    -- notifications.say_once
    INSERT INTO notifications.said AS s (digest, said_at, message_id) VALUES {rows}
    ON CONFLICT (digest) DO UPDATE SET said_at = EXCLUDED.said_at, message_id = EXCLUDED.message_id
     WHERE s.said_at <= $2 OR s.message_id = EXCLUDED.message_id
    RETURNING digest
    """,
    columns=2,
    shared=2,
    row="({}, $1, {})",
)

Said = tuple[bytes, MessageId]
"""The digest of what is said, and in which message."""


async def say_once(conn: Connection, said: Sequence[Said], *, now: datetime, unless_since: datetime) -> set[bytes]:
    """File what is said now, sorted and none twice; those of it that no other message said since then."""
    rows = await SAY_ONCE.fetch(conn, said, now, unless_since)
    return {row["digest"] for row in rows}


async def select_said(conn: Connection, digests: Sequence[bytes]) -> list[Said]:
    """In which messages these were said."""
    rows = await conn.fetch(
        """
        -- notifications.select_said
        SELECT digest, message_id FROM notifications.said WHERE digest = ANY($1) AND message_id IS NOT NULL
        """,
        digests,
    )
    return [(row["digest"], MessageId(row["message_id"])) for row in rows]


async def select_unheard(conn: Connection, places: Sequence[tuple[int, MessageId]]) -> set[MessageId]:
    """Those of some messages, by bucket and id, that surely reached nobody by SMS and will not any more."""
    buckets, message_ids = zip(*places, strict=True)
    rows = await conn.fetch(
        """
        -- notifications.select_unheard
        SELECT m.message_id
          FROM unnest($1::integer[], $2::uuid[]) AS v (bucket, message_id)
          JOIN notifications.message AS m ON m.bucket = v.bucket AND m.message_id = v.message_id
          LEFT JOIN notifications.delivery AS d
            ON d.bucket = v.bucket AND d.message_id = v.message_id AND d.channel = 'sms'
         WHERE d.stage IN ('undeliverable', 'expired', 'withdrawn') OR m.stage IN ('withdrawn', 'unsendable')
        """,
        buckets, message_ids,
    )  # fmt: skip
    return {MessageId(row["message_id"]) for row in rows}


SAY_INSTEAD = Many(
    """
    -- notifications.say_instead
    UPDATE notifications.said AS s SET said_at = $1, message_id = v.message_id
      FROM (VALUES {rows}) AS v (digest, message_id, before)
     WHERE s.digest = v.digest AND s.message_id = v.before
    RETURNING s.digest
    """,
    columns=3,
    shared=1,
    row="({}::bytea, {}::uuid, {}::uuid)",
)


async def say_instead(
    conn: Connection, said: Sequence[tuple[bytes, MessageId, MessageId]], *, now: datetime
) -> set[bytes]:
    """Say in a message what another said before, sorted; those of it that nobody else has said again meanwhile."""
    rows = await SAY_INSTEAD.fetch(conn, said, now)
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
    """Let other channels take over from subscribe messages that name them, unless they were taken back.

    How many deliveries were made.
    """
    rows = await conn.fetch(
        """
        -- notifications.fall_back
        INSERT INTO notifications.delivery (bucket, message_id, channel, lane, stage, fence, next_at, expires_at,
                                            batch_id)
        SELECT d.bucket, d.message_id, other.channel, d.lane, 'waiting', 0, $3, d.expires_at, d.batch_id
          FROM notifications.delivery AS d
          JOIN notifications.message AS m ON m.bucket = d.bucket AND m.message_id = d.message_id
          JOIN (VALUES ('sms'), ('email')) AS other (channel) ON other.channel = ANY(d.fallback)
         WHERE d.bucket = $1 AND d.message_id = ANY($2) AND d.channel = 'subscribe' AND d.expires_at > $3
           AND m.withdrawn_at IS NULL
            ON CONFLICT (bucket, message_id, channel) DO NOTHING
        RETURNING message_id
        """,
        bucket, message_ids, now,
    )  # fmt: skip
    return len(rows)
