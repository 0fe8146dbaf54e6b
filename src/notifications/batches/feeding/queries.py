"""Every statement that makes messages of rows, holds them back, and takes them back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection
from kernel.ids import DepartmentId, MessageId
from notifications.batches.model import Plan
from notifications.model import Channel, DeliveryStage


async def select_feedable(conn: Connection, *, now: datetime, limit: int) -> list[UUID]:
    """Batches whose hour has come, those first that began first."""
    rows = await conn.fetch(
        """
        -- notifications.select_feedable
        SELECT batch_id FROM notifications.batch WHERE state = 'started' AND starts_at <= $1
         ORDER BY starts_at, batch_id LIMIT $2
        """,
        now, limit,
    )  # fmt: skip
    return [row["batch_id"] for row in rows]


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


async def hold_messages(conn: Connection, bucket: int, batch_id: UUID, *, due_at: datetime) -> None:
    """Make those that wait due at an hour that will not come before they are released."""
    await conn.execute(
        """
        -- notifications.hold_messages
        UPDATE notifications.message SET due_at = $3 WHERE bucket = $1 AND batch_id = $2 AND stage = 'owed'
        """,
        bucket, batch_id, due_at,
    )  # fmt: skip


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
