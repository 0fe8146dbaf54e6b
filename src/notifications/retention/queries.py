"""Every statement that forgets, and that says for how long is remembered."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import DepartmentId, MessageId

# ---- for how long


async def select_keepings(conn: Connection) -> dict[str, int]:
    """For how many days the messages of senders who chose are kept."""
    rows = await conn.fetch(
        """
        -- notifications.select_keepings
        SELECT caller, days FROM notifications.keeping ORDER BY caller
        """
    )
    return {row["caller"]: row["days"] for row in rows}


async def select_keeping(conn: Connection, caller: str) -> int | None:
    days: int | None = await conn.fetchval(
        """
        -- notifications.select_keeping
        SELECT days FROM notifications.keeping WHERE caller = $1
        """,
        caller,
    )
    return days


async def upsert_keeping(conn: Connection, caller: str, days: int, *, now: datetime) -> None:
    await conn.execute(
        """
        -- notifications.upsert_keeping
        INSERT INTO notifications.keeping AS k (caller, days, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (caller) DO UPDATE SET days = $2, changed_at = $3
        """,
        caller, days, now,
    )  # fmt: skip


async def begin_anew(conn: Connection, bucket: int, days: int) -> None:
    """Look again from the first message of a bucket at those kept for so many days."""
    await conn.execute(
        """
        -- notifications.begin_anew
        DELETE FROM notifications.forgetting WHERE bucket = $1 AND days = $2
        """,
        bucket, days,
    )  # fmt: skip


# ---- looking


async def lock_reached(conn: Connection, bucket: int, days: int) -> UUID | None:
    """Up to which message was looked, held until the transaction ends; None if somebody else holds it, or none is."""
    found: UUID | None = await conn.fetchval(
        """
        -- notifications.lock_reached
        SELECT reached FROM notifications.forgetting WHERE bucket = $1 AND days = $2 FOR UPDATE SKIP LOCKED
        """,
        bucket, days,
    )  # fmt: skip
    return found


async def ensure_reached(conn: Connection, bucket: int, days: int, reached: UUID) -> None:
    await conn.execute(
        """
        -- notifications.ensure_reached
        INSERT INTO notifications.forgetting (bucket, days, reached) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
        """,
        bucket, days, reached,
    )  # fmt: skip


async def update_reached(conn: Connection, bucket: int, days: int, reached: UUID) -> None:
    await conn.execute(
        """
        -- notifications.update_reached
        UPDATE notifications.forgetting SET reached = $3 WHERE bucket = $1 AND days = $2
        """,
        bucket, days, reached,
    )  # fmt: skip


class Old(Struct, frozen=True):
    """A message whose time may be over. `is_open`: it is owed still, or a delivery of it goes on."""

    message_id: MessageId
    caller: str
    due_at: datetime
    is_open: bool


async def select_old(conn: Connection, bucket: int, *, after: UUID, before: UUID, limit: int) -> list[Old]:
    """Messages made before and not forgotten, in order, those looked at left out."""
    rows = await conn.fetch(
        """
        -- notifications.select_old
        SELECT m.message_id, m.caller, m.due_at,
               m.stage = 'owed' OR EXISTS (SELECT 1 FROM notifications.delivery AS d
                                            WHERE d.bucket = $1 AND d.message_id = m.message_id AND d.ended_at IS NULL)
          FROM notifications.message AS m
         WHERE m.bucket = $1 AND m.message_id > $2 AND m.message_id < $3 AND m.forgotten_at IS NULL
         ORDER BY m.message_id LIMIT $4
        """,
        bucket, after, before, limit,
    )  # fmt: skip
    return [Old(*row) for row in rows]


INSERT_NOT_FORGOTTEN = Many(
    """
    -- notifications.insert_not_forgotten
    INSERT INTO notifications.not_forgotten (bucket, message_id, look_at) VALUES {rows}
    ON CONFLICT (bucket, message_id) DO UPDATE SET look_at = EXCLUDED.look_at
    """,
    columns=3,
)


async def insert_not_forgotten(conn: Connection, bucket: int, rows: Sequence[tuple[MessageId, datetime]]) -> None:
    """Remember to look again at messages, and when."""
    await INSERT_NOT_FORGOTTEN.fetch(conn, [(bucket, message_id, look_at) for message_id, look_at in rows])


async def claim_not_forgotten(conn: Connection, bucket: int, *, now: datetime, limit: int) -> list[Old]:
    """Messages that are to be looked at again, held; those that somebody else holds left out."""
    rows = await conn.fetch(
        """
        -- notifications.claim_not_forgotten
        SELECT m.message_id, m.caller, m.due_at,
               m.stage = 'owed' OR EXISTS (SELECT 1 FROM notifications.delivery AS d
                                            WHERE d.bucket = $1 AND d.message_id = m.message_id AND d.ended_at IS NULL)
          FROM notifications.not_forgotten AS n
          JOIN notifications.message AS m ON m.bucket = $1 AND m.message_id = n.message_id
         WHERE n.bucket = $1 AND n.look_at <= $2
         ORDER BY n.look_at LIMIT $3 FOR UPDATE OF n SKIP LOCKED
        """,
        bucket, now, limit,
    )  # fmt: skip
    return [Old(*row) for row in rows]


async def delete_not_forgotten(conn: Connection, bucket: int, message_ids: Sequence[MessageId]) -> None:
    await conn.execute(
        """
        -- notifications.delete_not_forgotten
        DELETE FROM notifications.not_forgotten WHERE bucket = $1 AND message_id = ANY($2::uuid[])
        """,
        bucket, message_ids,
    )  # fmt: skip


# ---- forgetting


async def forget_messages(conn: Connection, bucket: int, message_ids: Sequence[MessageId], *, now: datetime) -> None:
    """Empty what messages said and where they went. That they went to a number or address at all stays known."""
    await conn.execute(
        r"""
        -- notifications.forget_messages
        UPDATE notifications.message
           SET sealed_values = '\x', address = CASE WHEN address IS NULL THEN NULL ELSE '\x'::bytea END,
               person_id = NULL, forgotten_at = $3
         WHERE bucket = $1 AND message_id = ANY($2::uuid[]) AND forgotten_at IS NULL
        """,
        bucket, message_ids, now,
    )  # fmt: skip


async def delete_attempts(conn: Connection, bucket: int, message_ids: Sequence[MessageId]) -> list[tuple[str, str]]:
    """Forget attempts; under which references their providers spoke of them."""
    rows = await conn.fetch(
        """
        -- notifications.delete_attempts
        DELETE FROM notifications.attempt WHERE bucket = $1 AND message_id = ANY($2::uuid[])
        RETURNING provider, provider_ref
        """,
        bucket, message_ids,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows if row[1] is not None]


async def forget_reasons(conn: Connection, bucket: int, message_ids: Sequence[MessageId]) -> None:
    """Forget in what words deliveries failed: they are a provider's."""
    await conn.execute(
        """
        -- notifications.forget_reasons
        UPDATE notifications.delivery SET reason = NULL
         WHERE bucket = $1 AND message_id = ANY($2::uuid[]) AND reason IS NOT NULL
        """,
        bucket, message_ids,
    )  # fmt: skip


async def forget_references(conn: Connection, service_id: UUID, message_ids: Sequence[MessageId]) -> None:
    """Forget what a department called messages: it may be a number of somebody's."""
    await conn.execute(
        """
        -- notifications.forget_references
        UPDATE notifications.request SET reference = NULL, asked = NULL
         WHERE service_id = $1 AND message_id = ANY($2::uuid[]) AND (reference IS NOT NULL OR asked IS NOT NULL)
        """,
        service_id, message_ids,
    )  # fmt: skip


async def forget_keys(conn: Connection, bucket: int, message_ids: Sequence[MessageId], *, prefix: str) -> None:
    """Forget the keys that a department's programs chose to be retried with: they may name somebody."""
    await conn.execute(
        """
        -- notifications.forget_keys
        UPDATE notifications.message SET key = 'forgotten:' || message_id
         WHERE bucket = $1 AND message_id = ANY($2::uuid[]) AND starts_with(key, $3)
        """,
        bucket, message_ids, prefix,
    )  # fmt: skip


DELETE_CARRIED = Many(
    """
    -- notifications.delete_carried
    DELETE FROM notifications.carried AS c USING (VALUES {rows}) AS v (bucket, provider, provider_ref)
     WHERE c.bucket = v.bucket AND c.provider = v.provider AND c.provider_ref = v.provider_ref
    """,
    columns=3,
    row="({}::integer, {}::text, {}::text)",
)


async def delete_carried(conn: Connection, places: Sequence[tuple[int, str, str]]) -> None:
    """Forget which attempts providers meant by references; each with its bucket."""
    await DELETE_CARRIED.fetch(conn, places)


async def delete_receipts(conn: Connection, bucket: int, *, before: UUID, limit: int) -> int:
    """Forget what providers said before, and what they meant by it; how many receipts that were."""
    rows = await conn.fetch(
        """
        -- notifications.delete_receipts
        WITH gone AS (
            DELETE FROM notifications.receipt WHERE bucket = $1 AND receipt_id IN (
                SELECT receipt_id FROM notifications.receipt WHERE bucket = $1 AND receipt_id < $2
                 ORDER BY receipt_id LIMIT $3)
            RETURNING provider, provider_ref),
        meant AS (
            DELETE FROM notifications.carried AS c USING gone
             WHERE c.bucket = $1 AND c.provider = gone.provider AND c.provider_ref = gone.provider_ref)
        SELECT count(*) FROM gone
        """,
        bucket, before, limit,
    )  # fmt: skip
    return int(rows[0][0])


# ---- what is kept beside messages


async def select_old_carried(conn: Connection, *, before: datetime, limit: int) -> list[tuple[int, str, str]]:
    """References that providers gave before then, each with its bucket: those of parts that no receipt spoke of."""
    rows = await conn.fetch(
        """
        -- notifications.select_old_carried
        SELECT bucket, provider, provider_ref FROM notifications.carried WHERE accepted_at < $1 LIMIT $2
        """,
        before, limit,
    )  # fmt: skip
    return [(row[0], row[1], row[2]) for row in rows]


async def delete_shown(conn: Connection, *, before: datetime, limit: int) -> int:
    """Forget what the demo showed before then; how many."""
    rows = await conn.fetch(
        """
        -- notifications.delete_shown
        WITH old AS MATERIALIZED (
            SELECT phone_digest, sms_id FROM notifications.demo_sms WHERE shown_at < $1 LIMIT $2)
        DELETE FROM notifications.demo_sms AS s USING old
         WHERE s.phone_digest = old.phone_digest AND s.sms_id = old.sms_id RETURNING s.sms_id
        """,
        before, limit,
    )  # fmt: skip
    return len(rows)


async def select_ended_batches(
    conn: Connection, department_id: DepartmentId | None, *, before: datetime, limit: int
) -> list[UUID]:
    """Batches that ended before, of one department or (None) of all, and whose refused rows are still told."""
    rows = await conn.fetch(
        """
        -- notifications.select_ended_batches
        SELECT b.batch_id FROM notifications.batch AS b
         WHERE b.ended_at < $1 AND ($2::uuid IS NULL OR b.department_id = $2)
           AND EXISTS (SELECT 1 FROM notifications.batch_refusal AS r WHERE r.batch_id = b.batch_id)
         ORDER BY b.ended_at LIMIT $3
        """,
        before, department_id, limit,
    )  # fmt: skip
    return [row["batch_id"] for row in rows]


async def delete_refusals_of_batch(conn: Connection, batch_id: UUID, *, limit: int) -> int:
    """Forget refused rows of a batch; how many."""
    rows = await conn.fetch(
        """
        -- notifications.delete_refusals_of_batch
        WITH old AS MATERIALIZED (
            SELECT number FROM notifications.batch_refusal WHERE batch_id = $1 LIMIT $2)
        DELETE FROM notifications.batch_refusal AS r USING old
         WHERE r.batch_id = $1 AND r.number = old.number RETURNING r.number
        """,
        batch_id, limit,
    )  # fmt: skip
    return len(rows)
