"""Every statement that makes messages of rows, holds them back, and takes them back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection
from kernel.ids import BUCKETS, DepartmentId, MessageId
from notifications.batches.model import Plan
from notifications.model import Channel, DeliveryStage, Lane
from notifications.services.model import KeyKind


class Feedable(Struct, frozen=True):
    """A batch that has rows to be fed."""

    batch_id: UUID
    department_id: DepartmentId
    text_id: str
    version: int
    lane: Lane
    kind: KeyKind


async def select_feedable(conn: Connection, *, now: datetime, limit: int) -> list[Feedable]:
    """Batches whose hour has come and that have rows left: the first of each department, the second of each …"""
    rows = await conn.fetch(
        """
        -- notifications.select_feedable
        SELECT batch_id, department_id, text_id, version, lane, kind
          FROM (SELECT batch_id, department_id, text_id, version, lane, kind, starts_at,
                       row_number() OVER (PARTITION BY department_id ORDER BY starts_at, batch_id) AS turn
                  FROM notifications.batch
                 WHERE state = 'started' AND starts_at <= $1 AND fed < received - refused) AS due
         ORDER BY turn, starts_at, batch_id LIMIT $2
        """,
        now, limit,
    )  # fmt: skip
    return [Feedable(row[0], row[1], str(row[2]), row[3], Lane(row[4]), row[5]) for row in rows]


async def select_fed(conn: Connection, *, now: datetime, after: UUID, limit: int) -> list[UUID]:
    """Batches of which every row was fed and that are not finished, after the given one in the order of ids."""
    rows = await conn.fetch(
        """
        -- notifications.select_fed
        SELECT batch_id FROM notifications.batch
         WHERE state = 'started' AND starts_at <= $1 AND fed >= received - refused AND batch_id > $2
         ORDER BY batch_id LIMIT $3
        """,
        now, after, limit,
    )  # fmt: skip
    return [row["batch_id"] for row in rows]


async def select_buckets_in_hand(conn: Connection, batch_id: UUID) -> list[int]:
    """Buckets in which something of a batch is not over: owed, waiting for another try, or being sent just now."""
    rows = await conn.fetch(
        """
        -- notifications.select_buckets_in_hand
        SELECT bucket FROM notifications.message WHERE batch_id = $1 AND stage = 'owed'
        UNION
        SELECT bucket FROM notifications.delivery WHERE batch_id = $1 AND stage = 'waiting'
        UNION
        SELECT bucket FROM notifications.delivery
         WHERE bucket = ANY($2::integer[]) AND stage = 'sending' AND next_at IS NOT NULL AND batch_id = $1
         ORDER BY bucket
        """,
        batch_id, range(BUCKETS),
    )  # fmt: skip
    return [row["bucket"] for row in rows]


async def has_uncounted(conn: Connection, batch_id: UUID) -> bool:
    """Whether a delivery of a batch was taken back that is not counted yet."""
    found = await conn.fetchval(
        """
        -- notifications.has_uncounted
        SELECT EXISTS (SELECT 1 FROM notifications.delivery
                        WHERE bucket = ANY($2::integer[]) AND ended_at IS NOT NULL AND counted IS DISTINCT FROM stage
                          AND stage = 'withdrawn' AND batch_id = $1)
        """,
        batch_id, range(BUCKETS),
    )  # fmt: skip
    return bool(found)


async def count_waiting(conn: Connection, batch_id: UUID) -> int:
    """How many messages of a batch to numbers and addresses wait for another try, or for the morning."""
    found = await conn.fetchval(
        """
        -- notifications.count_waiting
        SELECT count(*) FROM notifications.delivery AS d
          JOIN notifications.message AS m ON m.bucket = d.bucket AND m.message_id = d.message_id
         WHERE d.batch_id = $1 AND d.stage = 'waiting' AND m.address IS NOT NULL
        """,
        batch_id,
    )
    return int(found)


async def select_texts_of_started(conn: Connection) -> list[tuple[str, int]]:
    """The texts, with their versions, of batches that are started."""
    rows = await conn.fetch(
        """
        -- notifications.select_texts_of_started
        SELECT DISTINCT text_id, version FROM notifications.batch WHERE state = 'started'
        """
    )
    return [(str(row[0]), row[1]) for row in rows]


async def select_started_with(
    conn: Connection, text_id: UUID, version: int, *, limit: int
) -> list[tuple[DepartmentId, UUID]]:
    """Started batches of a text: whose, and their ids."""
    rows = await conn.fetch(
        """
        -- notifications.select_started_with
        SELECT department_id, batch_id FROM notifications.batch
         WHERE state = 'started' AND text_id = $1 AND version = $2 ORDER BY batch_id LIMIT $3
        """,
        text_id, version, limit,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


async def count_owed(conn: Connection, batch_id: UUID) -> dict[int, int]:
    """How many messages of a batch wait to be sent, by bucket."""
    rows = await conn.fetch(
        """
        -- notifications.count_owed
        SELECT bucket, count(*) FROM notifications.message
         WHERE batch_id = $1 AND stage = 'owed' GROUP BY bucket
        """,
        batch_id,
    )
    return {row[0]: row[1] for row in rows}


class Moved(Struct, frozen=True):
    """A row that became a message. `ending`: how it is rehearsed, where no carrier is given it."""

    message_id: MessageId
    reference: str | None
    ending: DeliveryStage | None
    is_direct: bool


async def move_rows(
    conn: Connection,
    bucket: int,
    batch_id: UUID,
    plan: Plan,
    *,
    caller: str,
    channel: Channel,
    now: datetime,
    expires_at: datetime,
    limit: int,
) -> list[Moved]:
    """Make messages of the first rows of a batch that stand in a bucket; the rows are gone with the same statement."""
    rows = await conn.fetch(
        """
        -- notifications.move_rows
        WITH moved AS (
            DELETE FROM notifications.batch_row
             WHERE bucket = $1 AND batch_id = $2 AND number IN (
                SELECT number FROM notifications.batch_row WHERE bucket = $1 AND batch_id = $2 ORDER BY number LIMIT $3)
            RETURNING number, message_id, person_id, address, sealed_values, reference, ending),
        filed AS (
            INSERT INTO notifications.message (bucket, message_id, caller, key, person_id, address, template, version,
                                               lane, sealed_values, owed_at, due_at, expires_at, stage, batch_id)
            SELECT $1, message_id, $4, 'batch/' || ($2::uuid)::text || '/' || number, person_id, address, $5, $6, $7,
                   sealed_values, $8, $8, $9, CASE WHEN ending IS NULL THEN 'owed' ELSE 'routed' END, $2
              FROM moved
            ON CONFLICT (bucket, caller, key) DO NOTHING RETURNING message_id),
        rehearsed AS (
            INSERT INTO notifications.rehearsal (bucket, message_id, caller, channel, ending, due_at)
            SELECT $1, moved.message_id, $4, $10, moved.ending, $8
              FROM moved JOIN filed ON filed.message_id = moved.message_id WHERE moved.ending IS NOT NULL)
        SELECT moved.message_id, moved.reference, moved.ending, moved.address IS NOT NULL
          FROM moved JOIN filed ON filed.message_id = moved.message_id ORDER BY moved.number
        """,
        bucket, batch_id, limit, caller, plan.text_id, plan.version, plan.lane, now, expires_at, channel,
    )  # fmt: skip
    return [Moved(row[0], row[1], None if row[2] is None else DeliveryStage(row[2]), row[3]) for row in rows]


_REQUEST_COLUMNS = (
    "service_id", "message_id", "channel", "template", "version", "reference", "kind", "created_at", "send_at",
    "batch_id",
)  # fmt: skip


async def insert_requests_of_batch(
    conn: Connection,
    service_id: DepartmentId,
    batch_id: UUID,
    plan: Plan,
    moved: Sequence[Moved],
    *,
    channel: Channel,
    now: datetime,
) -> None:
    """File which messages the department asked for, so that it finds them one by one."""
    records: list[tuple[Any, ...]] = [
        (
            service_id,
            one.message_id,
            channel,
            plan.text_id,
            plan.version,
            one.reference,
            plan.kind,
            now,
            now,
            batch_id,
        )
        for one in moved
    ]
    await conn.copy_records_to_table("request", schema_name="notifications", columns=_REQUEST_COLUMNS, records=records)


async def add_fed(conn: Connection, batch_id: UUID, count: int) -> None:
    await conn.execute(
        """
        -- notifications.add_fed
        UPDATE notifications.batch SET fed = fed + $2 WHERE batch_id = $1
        """,
        batch_id, count,
    )  # fmt: skip


# ---- held and taken back


async def select_paused(conn: Connection, *, after: UUID, limit: int) -> list[UUID]:
    """Paused batches after the given one, in the order of ids."""
    rows = await conn.fetch(
        """
        -- notifications.select_paused
        SELECT batch_id FROM notifications.batch WHERE state = 'paused' AND batch_id > $1 ORDER BY batch_id LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [row["batch_id"] for row in rows]


async def hold_messages(
    conn: Connection, bucket: int, batch_id: UUID, *, held_from: datetime, due_at: datetime
) -> None:
    """Make those that wait due at an hour that will not come before they are released."""
    await conn.execute(
        """
        -- notifications.hold_messages
        UPDATE notifications.message SET due_at = $4
         WHERE bucket = $1 AND batch_id = $2 AND stage = 'owed' AND due_at < $3
        """,
        bucket, batch_id, held_from, due_at,
    )  # fmt: skip


async def hold_deliveries(
    conn: Connection, bucket: int, batch_id: UUID, *, held_from: datetime, next_at: datetime, limit: int
) -> int:
    """The same for deliveries that wait for another try, so many at once; how many. Who holds one tries it now."""
    tag = await conn.execute(
        """
        -- notifications.hold_deliveries
        WITH waiting AS MATERIALIZED (
            SELECT message_id, channel FROM notifications.delivery
             WHERE bucket = $1 AND batch_id = $2 AND stage = 'waiting' AND next_at < $3 LIMIT $5 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.delivery AS d SET next_at = $4 FROM waiting
         WHERE d.bucket = $1 AND d.message_id = waiting.message_id AND d.channel = waiting.channel
        """,
        bucket, batch_id, held_from, next_at, limit,
    )  # fmt: skip
    return int(tag.rpartition(" ")[2])


async def release_messages(
    conn: Connection, bucket: int, batch_id: UUID, *, held_from: datetime, now: datetime, expires_at: datetime
) -> None:
    """Make due now what was held."""
    await conn.execute(
        """
        -- notifications.release_messages
        UPDATE notifications.message SET due_at = $4, expires_at = $5
         WHERE bucket = $1 AND batch_id = $2 AND stage = 'owed' AND due_at >= $3
        """,
        bucket, batch_id, held_from, now, expires_at,
    )  # fmt: skip


async def release_deliveries(
    conn: Connection,
    bucket: int,
    batch_id: UUID,
    *,
    held_from: datetime,
    now: datetime,
    expires_at: datetime,
    limit: int,
) -> int:
    """Have deliveries that were held tried now, so many at once; how many."""
    tag = await conn.execute(
        """
        -- notifications.release_deliveries
        WITH held AS MATERIALIZED (
            SELECT message_id, channel FROM notifications.delivery
             WHERE bucket = $1 AND batch_id = $2 AND stage = 'waiting' AND next_at >= $3
             LIMIT $6 FOR UPDATE SKIP LOCKED),
        worth AS (
            UPDATE notifications.message AS m SET expires_at = $5 FROM held
             WHERE m.bucket = $1 AND m.message_id = held.message_id)
        UPDATE notifications.delivery AS d SET next_at = $4, expires_at = $5 FROM held
         WHERE d.bucket = $1 AND d.message_id = held.message_id AND d.channel = held.channel
        """,
        bucket, batch_id, held_from, now, expires_at, limit,
    )  # fmt: skip
    return int(tag.rpartition(" ")[2])


class DeliveryTakenBack(Struct, frozen=True):
    message_id: MessageId
    channel: Channel


async def withdraw_deliveries_of_batch(
    conn: Connection, bucket: int, batch_id: UUID, *, now: datetime, limit: int
) -> list[DeliveryTakenBack]:
    """Take back deliveries that wait for another try, so many at once; which they were."""
    rows = await conn.fetch(
        """
        -- notifications.withdraw_deliveries_of_batch
        WITH waiting AS MATERIALIZED (
            SELECT message_id, channel FROM notifications.delivery
             WHERE bucket = $1 AND batch_id = $2 AND stage = 'waiting' LIMIT $4 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.delivery AS d SET stage = 'withdrawn', next_at = NULL, ended_at = $3 FROM waiting
         WHERE d.bucket = $1 AND d.message_id = waiting.message_id AND d.channel = waiting.channel
        RETURNING d.message_id, d.channel
        """,
        bucket, batch_id, now, limit,
    )  # fmt: skip
    return [DeliveryTakenBack(*row) for row in rows]


async def withdraw_what_is_sent(conn: Connection, bucket: int, batch_id: UUID, *, now: datetime) -> None:
    """Make no further try at what is being sent at this moment."""
    await conn.execute(
        """
        -- notifications.withdraw_what_is_sent
        UPDATE notifications.message AS m SET withdrawn_at = $3 FROM notifications.delivery AS d
         WHERE d.bucket = $1 AND d.stage = 'sending' AND d.next_at IS NOT NULL AND d.batch_id = $2
           AND m.bucket = $1 AND m.message_id = d.message_id AND m.stage = 'routed' AND m.withdrawn_at IS NULL
        """,
        bucket, batch_id, now,
    )  # fmt: skip


class TakenBack(Struct, frozen=True):
    """A message that was taken back. `is_direct`: to a number or an address that the sender named."""

    message_id: MessageId
    is_direct: bool
    owed_at: datetime


async def withdraw_messages(conn: Connection, bucket: int, batch_id: UUID) -> list[TakenBack]:
    """Take back those that wait; which they were."""
    rows = await conn.fetch(
        """
        -- notifications.withdraw_messages
        UPDATE notifications.message SET stage = 'withdrawn'
         WHERE bucket = $1 AND batch_id = $2 AND stage = 'owed'
        RETURNING message_id, address IS NOT NULL, owed_at
        """,
        bucket, batch_id,
    )  # fmt: skip
    return [TakenBack(*row) for row in rows]
