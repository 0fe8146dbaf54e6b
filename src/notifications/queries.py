"""Every statement about messages, and about claiming what is due.

What becomes of each delivery and attempt: `carrying/queries.py`. What providers say: `channels/queries.py`. Contacts
and inboxes: `residents/queries.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import MessageId, PersonId
from notifications.model import Channel, DeliveryStage, Lane, MessageStage, Outcome

# ---- what is owed


class NewMessage(msgspec.Struct, frozen=True):
    bucket: int
    message_id: MessageId
    caller: str
    key: str
    person_id: PersonId | None
    address: bytes | None
    template: str
    version: int
    lane: Lane
    sealed_values: bytes
    owed_at: datetime
    due_at: datetime
    expires_at: datetime


INSERT_MESSAGES = Many(
    """
    -- notifications.insert_messages
    INSERT INTO notifications.message (bucket, message_id, caller, key, person_id, address, template, version, lane,
                                       sealed_values, owed_at, due_at, expires_at, stage)
    VALUES {rows}
    ON CONFLICT (bucket, caller, key) DO NOTHING
    """,
    columns=13,
    row="({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, 'owed')",
)


async def insert_messages(conn: Connection, rows: Sequence[NewMessage]) -> None:
    """Owe messages; one whose promise was made before stays as it is."""
    await INSERT_MESSAGES.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


async def select_message_id(conn: Connection, bucket: int, caller: str, key: str) -> MessageId:
    found = await conn.fetchval(
        """
        -- notifications.select_message_id
        SELECT message_id FROM notifications.message WHERE bucket = $1 AND caller = $2 AND key = $3
        """,
        bucket, caller, key,
    )  # fmt: skip
    return MessageId(found)


async def select_message_state(
    conn: Connection, bucket: int, message_id: MessageId, caller: str
) -> tuple[MessageStage, datetime] | None:
    """The stage of a caller's message, and when it was owed."""
    row = await conn.fetchrow(
        """
        -- notifications.select_message_state
        SELECT stage, owed_at FROM notifications.message WHERE bucket = $1 AND message_id = $2 AND caller = $3
        """,
        bucket, message_id, caller,
    )  # fmt: skip
    return None if row is None else (MessageStage(row["stage"]), row["owed_at"])


async def hint(conn: Connection, payload: str) -> None:
    await conn.execute(
        """
        -- notifications.hint
        SELECT pg_notify('suishenban_owed', $1)
        """,
        payload,
    )


async def hasten(conn: Connection, bucket: int, lane: Lane, *, until: datetime, now: datetime) -> None:
    """Make due now what one lane of a bucket would send until then."""
    await conn.execute(
        """
        -- notifications.hasten
        UPDATE notifications.message SET due_at = $4
         WHERE bucket = $1 AND lane = $2 AND stage = 'owed' AND due_at > $4 AND due_at <= $3
        """,
        bucket, lane, until, now,
    )  # fmt: skip


class Withdrawn(msgspec.Struct, frozen=True):
    """A message taken back, or one that became deliveries (`routed`), of which some may be taken back still."""

    message_id: MessageId
    stage: MessageStage
    lane: Lane


async def withdraw_message(conn: Connection, bucket: int, caller: str, key: str, *, now: datetime) -> Withdrawn | None:
    """Take a message back; if it became deliveries, remember that no further try is made at any of them.

    None if there is none, or nothing of it is left to take.
    """
    row = await conn.fetchrow(
        """
        -- notifications.withdraw_message
        UPDATE notifications.message
           SET stage = CASE stage WHEN 'owed' THEN 'withdrawn' ELSE stage END,
               withdrawn_at = CASE stage WHEN 'routed' THEN coalesce(withdrawn_at, $4) END
         WHERE bucket = $1 AND caller = $2 AND key = $3 AND stage IN ('owed', 'routed')
        RETURNING message_id, stage, lane
        """,
        bucket, caller, key, now,
    )  # fmt: skip
    return None if row is None else Withdrawn(row[0], MessageStage(row[1]), Lane(row[2]))


async def remember_withdrawn(
    conn: Connection, bucket: int, message_id: MessageId, caller: str, *, now: datetime
) -> None:
    """Make no further try at a caller's message that became deliveries."""
    await conn.execute(
        """
        -- notifications.remember_withdrawn
        UPDATE notifications.message SET withdrawn_at = $4
         WHERE bucket = $1 AND message_id = $2 AND caller = $3 AND stage = 'routed' AND withdrawn_at IS NULL
        """,
        bucket, message_id, caller, now,
    )  # fmt: skip


async def select_withdrawn(conn: Connection, bucket: int, message_ids: Sequence[MessageId]) -> set[MessageId]:
    """Those of some messages that were taken back after they had become deliveries."""
    rows = await conn.fetch(
        """
        -- notifications.select_withdrawn
        SELECT message_id FROM notifications.message
         WHERE bucket = $1 AND message_id = ANY($2) AND withdrawn_at IS NOT NULL
        """,
        bucket, message_ids,
    )  # fmt: skip
    return {row["message_id"] for row in rows}


async def withdraw_deliveries(
    conn: Connection, bucket: int, message_id: MessageId, *, now: datetime
) -> list[tuple[Channel, DeliveryStage]]:
    """Take back the deliveries nobody is sending at this moment: their channels, and as what each ends.

    Unknown, where an attempt may be in somebody's hand.
    """
    rows = await conn.fetch(
        """
        -- notifications.withdraw_deliveries
        UPDATE notifications.delivery AS d
           SET next_at = NULL, ended_at = $3, reason = 'taken back',
               stage = CASE WHEN EXISTS (
                   SELECT 1 FROM notifications.attempt AS a
                    WHERE a.bucket = $1 AND a.message_id = d.message_id AND a.channel = d.channel
                      AND a.outcome IS DISTINCT FROM 'rejected' AND NOT a.missed) THEN 'unknown' ELSE 'withdrawn' END
         WHERE d.bucket = $1 AND d.message_id = $2 AND d.stage = 'waiting' RETURNING d.channel, d.stage
        """,
        bucket, message_id, now,
    )  # fmt: skip
    return [(row["channel"], DeliveryStage(row["stage"])) for row in rows]


# ---- claiming


class DueMessage(msgspec.Struct, frozen=True, gc=False):
    """A message claimed for routing: nobody else will have it."""

    lane: Lane
    message_id: MessageId
    caller: str
    person_id: PersonId | None
    address: bytes | None
    template: str
    version: int
    sealed_values: bytes
    expires_at: datetime
    batch_id: UUID | None = None


class DueDelivery(msgspec.Struct, frozen=True, gc=False):
    """A delivery claimed for another attempt, under its new fence.

    `is_withdrawn`: whoever owed the message took it back meanwhile. `has_stand_in`: others take over when it fails.
    """

    message: DueMessage
    channel: Channel
    fence: int
    is_withdrawn: bool = False
    has_stand_in: bool = False


class Due(msgspec.Struct, frozen=True):
    bucket: int
    lane: Lane


SELECT_DUE = """
    -- notifications.select_due
    SELECT $1::integer AS bucket, line.lane
      FROM (VALUES (0), (1), (2), (3), (4)) AS line (lane)
     WHERE EXISTS (SELECT 1 FROM notifications.message
                    WHERE bucket = $1 AND lane = line.lane AND stage = 'owed' AND due_at <= $2)
        OR EXISTS (SELECT 1 FROM notifications.delivery
                    WHERE bucket = $1 AND lane = line.lane AND stage = 'waiting' AND next_at <= $2)
    """


async def select_due(conn: Connection, buckets: Sequence[int], *, now: datetime) -> list[Due]:
    """Which lanes of which buckets have something to send."""
    rows = await conn.fetchmany(SELECT_DUE, [(bucket, now) for bucket in buckets])
    return [Due(row["bucket"], Lane(row["lane"])) for row in rows]


async def claim_messages(conn: Connection, bucket: int, lane: Lane, *, now: datetime, limit: int) -> list[DueMessage]:
    """Take up to `limit` due messages of a lane, earliest first, skipping those others are taking."""
    rows = await conn.fetch(
        """
        -- notifications.claim_messages
        WITH due AS MATERIALIZED (
            SELECT message_id FROM notifications.message
             WHERE bucket = $1 AND lane = $2 AND stage = 'owed' AND due_at <= $3
             ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.message AS m SET stage = 'routed' FROM due
         WHERE m.bucket = $1 AND m.message_id = due.message_id
        RETURNING m.message_id, m.caller, m.person_id, m.address, m.template, m.version, m.sealed_values, m.expires_at,
                  m.batch_id
        """,
        bucket, lane, now, limit,
    )  # fmt: skip
    return [DueMessage(lane, *row) for row in rows]


async def set_aside(conn: Connection, bucket: int, message_ids: Sequence[MessageId], stage: MessageStage) -> None:
    """Say of messages claimed in this transaction that no delivery can be made of them."""
    await conn.execute(
        """
        -- notifications.set_aside
        UPDATE notifications.message SET stage = $3 WHERE bucket = $1 AND message_id = ANY($2)
        """,
        bucket, message_ids, stage,
    )  # fmt: skip


async def postpone(conn: Connection, bucket: int, message_ids: Sequence[MessageId], *, due_at: datetime) -> None:
    """Put messages claimed in this transaction back for a worker that knows their wording."""
    await conn.execute(
        """
        -- notifications.postpone
        UPDATE notifications.message SET stage = 'owed', due_at = $3 WHERE bucket = $1 AND message_id = ANY($2)
        """,
        bucket, message_ids, due_at,
    )  # fmt: skip


async def claim_deliveries(
    conn: Connection,
    bucket: int,
    lane: Lane,
    *,
    channels: Sequence[Channel],
    now: datetime,
    lease_until: datetime,
    limit: int,
) -> list[DueDelivery]:
    """Take up to `limit` deliveries by some channels whose next try is due, each under a new fence."""
    rows = await conn.fetch(
        """
        -- notifications.claim_deliveries
        WITH due AS MATERIALIZED (
            SELECT message_id, channel FROM notifications.delivery
             WHERE bucket = $1 AND stage = 'waiting' AND next_at <= $3 AND lane = $2 AND expires_at > $3
               AND channel = ANY($6)
             ORDER BY next_at LIMIT $5 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.delivery AS d SET stage = 'sending', fence = d.fence + 1, next_at = $4
          FROM due, notifications.message AS m
         WHERE d.bucket = $1 AND d.message_id = due.message_id AND d.channel = due.channel
           AND m.bucket = $1 AND m.message_id = due.message_id
        RETURNING d.channel, d.fence, m.withdrawn_at IS NOT NULL, d.fallback IS NOT NULL,
                  m.message_id, m.caller, m.person_id, m.address, m.template, m.version, m.sealed_values, m.expires_at
        """,
        bucket, lane, now, lease_until, limit, channels,
    )  # fmt: skip
    return [
        DueDelivery(DueMessage(lane, *whose), channel, fence, is_withdrawn, has_stand_in)
        for channel, fence, is_withdrawn, has_stand_in, *whose in rows
    ]


class Tried(msgspec.Struct, frozen=True):
    message_id: MessageId
    channel: Channel
    provider: str
    outcome: Outcome | None
    missed: bool


async def select_tries(conn: Connection, bucket: int, message_ids: Sequence[MessageId]) -> list[Tried]:
    """Every attempt at some messages, oldest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_tries
        SELECT message_id, channel, provider, outcome, missed FROM notifications.attempt
         WHERE bucket = $1 AND message_id = ANY($2) ORDER BY message_id, channel, fence
        """,
        bucket, message_ids,
    )  # fmt: skip
    return [Tried(row[0], row[1], row[2], row[3] and Outcome(row[3]), row[4]) for row in rows]
