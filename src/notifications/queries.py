"""Every statement about messages, deliveries and attempts.

What providers say: `channels/queries.py`. Contacts and inboxes: `residents/queries.py`.
"""

from collections.abc import Sequence
from datetime import datetime

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


async def withdraw_message(conn: Connection, bucket: int, caller: str, key: str) -> MessageId | None:
    """Take a message back unless it became deliveries; its id if it may have open ones."""
    found = await conn.fetchval(
        """
        -- notifications.withdraw_message
        UPDATE notifications.message SET stage = CASE stage WHEN 'owed' THEN 'withdrawn' ELSE stage END
         WHERE bucket = $1 AND caller = $2 AND key = $3 AND stage IN ('owed', 'routed')
        RETURNING message_id
        """,
        bucket, caller, key,
    )  # fmt: skip
    return None if found is None else MessageId(found)


async def withdraw_deliveries(conn: Connection, bucket: int, message_id: MessageId, *, now: datetime) -> None:
    """Take back the deliveries nobody is sending at this moment."""
    await conn.execute(
        """
        -- notifications.withdraw_deliveries
        UPDATE notifications.delivery SET stage = 'withdrawn', next_at = NULL, ended_at = $3
         WHERE bucket = $1 AND message_id = $2 AND stage = 'waiting'
        """,
        bucket, message_id, now,
    )  # fmt: skip


# ---- claiming


class DueMessage(msgspec.Struct, frozen=True):
    """A message claimed for routing: nobody else will have it."""

    message_id: MessageId
    person_id: PersonId | None
    address: bytes | None
    template: str
    version: int
    lane: Lane
    sealed_values: bytes
    expires_at: datetime


class DueDelivery(msgspec.Struct, frozen=True):
    """A delivery claimed for another attempt, under its new fence."""

    message: DueMessage
    channel: Channel
    fence: int


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
        RETURNING m.message_id, m.person_id, m.address, m.template, m.version, m.lane, m.sealed_values, m.expires_at
        """,
        bucket, lane, now, limit,
    )  # fmt: skip
    return [DueMessage(*row) for row in rows]


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
    conn: Connection, bucket: int, lane: Lane, *, now: datetime, lease_until: datetime, limit: int
) -> list[DueDelivery]:
    """Take up to `limit` deliveries whose next try is due, each under a new fence."""
    rows = await conn.fetch(
        """
        -- notifications.claim_deliveries
        WITH due AS MATERIALIZED (
            SELECT message_id, channel FROM notifications.delivery
             WHERE bucket = $1 AND stage = 'waiting' AND next_at <= $3 AND lane = $2 AND expires_at > $3
             ORDER BY next_at LIMIT $5 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.delivery AS d SET stage = 'sending', fence = d.fence + 1, next_at = $4
          FROM due, notifications.message AS m
         WHERE d.bucket = $1 AND d.message_id = due.message_id AND d.channel = due.channel
           AND m.bucket = $1 AND m.message_id = due.message_id
        RETURNING m.message_id, m.person_id, m.address, m.template, m.version, m.lane, m.sealed_values, m.expires_at,
                  d.channel, d.fence
        """,
        bucket, lane, now, lease_until, limit,
    )  # fmt: skip
    return [DueDelivery(DueMessage(*list(row)[:8]), row["channel"], row["fence"]) for row in rows]


class Tried(msgspec.Struct, frozen=True):
    message_id: MessageId
    provider: str
    outcome: Outcome | None


async def select_tries(conn: Connection, bucket: int, message_ids: Sequence[MessageId]) -> list[Tried]:
    """Every attempt at some messages, oldest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_tries
        SELECT message_id, provider, outcome FROM notifications.attempt
         WHERE bucket = $1 AND message_id = ANY($2) ORDER BY message_id, fence
        """,
        bucket, message_ids,
    )  # fmt: skip
    return [Tried(row["message_id"], row["provider"], row["outcome"] and Outcome(row["outcome"])) for row in rows]


# ---- deliveries and attempts


class NewDelivery(msgspec.Struct, frozen=True):
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


INSERT_DELIVERIES = Many(
    """
    -- notifications.insert_deliveries
    INSERT INTO notifications.delivery
           (bucket, message_id, channel, lane, stage, fence, next_at, expires_at, ended_at, reason)
    VALUES {rows}
    """,
    columns=10,
)


async def insert_deliveries(conn: Connection, rows: Sequence[NewDelivery]) -> None:
    await INSERT_DELIVERIES.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


class Intent(msgspec.Struct, frozen=True):
    """An attempt about to be made; committed before anything is sent."""

    bucket: int
    message_id: MessageId
    channel: Channel
    fence: int
    provider: str
    may_repeat: bool
    intended_at: datetime


INSERT_INTENTS = Many(
    """
    -- notifications.insert_intents
    INSERT INTO notifications.attempt (bucket, message_id, channel, fence, provider, may_repeat, intended_at)
    VALUES {rows}
    """,
    columns=7,
)


async def insert_intents(conn: Connection, rows: Sequence[Intent]) -> None:
    await INSERT_INTENTS.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


class Ended(msgspec.Struct, frozen=True):
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


async def record_outcomes(conn: Connection, bucket: int, ended: Sequence[Ended], *, now: datetime) -> None:
    """Write what attempts came to; what was unknown may become known, never the other way."""
    await RECORD_OUTCOMES.fetch(conn, [msgspec.structs.astuple(one) for one in ended], bucket, now)


class Moved(msgspec.Struct, frozen=True):
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
    """,
    columns=7,
    shared=1,
    row="({}::uuid, {}::text, {}::integer, {}::text, {}::timestamptz, {}::timestamptz, {}::text)",
)


async def move_deliveries(conn: Connection, bucket: int, moved: Sequence[Moved]) -> None:
    """Move deliveries on, except those another attempt has begun of, or a receipt has closed meanwhile."""
    await MOVE_DELIVERIES.fetch(conn, [msgspec.structs.astuple(one) for one in moved], bucket)
