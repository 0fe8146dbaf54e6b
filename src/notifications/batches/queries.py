"""Every statement about batches, their rows until they are fed, and rows that were refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import DepartmentId, MessageId, PersonId
from notifications.batches.model import Batch, BatchState, Plan, RefusedRow, Span
from notifications.model import DeliveryStage, Lane

# ---- batches


async def insert_batch(
    conn: Connection, batch_id: UUID, department_id: DepartmentId, plan: Plan, *, now: datetime
) -> bool:
    """Open a batch; whether it is new."""
    inserted = await conn.fetchval(
        """
        -- notifications.insert_batch
        INSERT INTO notifications.batch (batch_id, department_id, name, text_id, version, lane, kind, language, rows,
                                         send_at, state, is_settled, opened_at, touched_at, spans, received, refused,
                                         fed, fed_before, withdrawn)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', true, $11, $11, '{}', 0, 0, 0, 0, 0)
        ON CONFLICT (batch_id) DO NOTHING RETURNING true
        """,
        batch_id, department_id, plan.name, UUID(plan.text_id), plan.version, plan.lane, plan.kind, plan.language,
        plan.rows, plan.send_at, now,
    )  # fmt: skip
    return bool(inserted)


async def select_batch(conn: Connection, batch_id: UUID) -> Batch | None:
    row = await conn.fetchrow(
        """
        -- notifications.select_batch
        SELECT batch_id, department_id, name, text_id, version, lane, kind, language, rows, send_at, state, opened_at,
               touched_at, starts_at, resumed_at, ended_at, paused_for, spans, received, refused, fed, fed_before,
               withdrawn
          FROM notifications.batch WHERE batch_id = $1
        """,
        batch_id,
    )
    return None if row is None else _batch_of(row)


async def lock_batch(conn: Connection, batch_id: UUID) -> Batch | None:
    """The same, held until the transaction ends: one step at a time."""
    row = await conn.fetchrow(
        """
        -- notifications.lock_batch
        SELECT batch_id, department_id, name, text_id, version, lane, kind, language, rows, send_at, state, opened_at,
               touched_at, starts_at, resumed_at, ended_at, paused_for, spans, received, refused, fed, fed_before,
               withdrawn
          FROM notifications.batch WHERE batch_id = $1 FOR UPDATE
        """,
        batch_id,
    )
    return None if row is None else _batch_of(row)


async def lock_free_batch(conn: Connection, batch_id: UUID) -> Batch | None:
    """The same, unless somebody else holds it."""
    row = await conn.fetchrow(
        """
        -- notifications.lock_free_batch
        SELECT batch_id, department_id, name, text_id, version, lane, kind, language, rows, send_at, state, opened_at,
               touched_at, starts_at, resumed_at, ended_at, paused_for, spans, received, refused, fed, fed_before,
               withdrawn
          FROM notifications.batch WHERE batch_id = $1 FOR UPDATE SKIP LOCKED
        """,
        batch_id,
    )
    return None if row is None else _batch_of(row)


async def select_batches(
    conn: Connection, department_id: DepartmentId, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[Batch]:
    """A department's batches, those opened last first."""
    rows = await conn.fetch(
        """
        -- notifications.select_batches
        SELECT batch_id, department_id, name, text_id, version, lane, kind, language, rows, send_at, state, opened_at,
               touched_at, starts_at, resumed_at, ended_at, paused_for, spans, received, refused, fed, fed_before,
               withdrawn
          FROM notifications.batch
         WHERE department_id = $1 AND ($2::timestamptz IS NULL OR (opened_at, batch_id) < ($2, $3::uuid))
         ORDER BY opened_at DESC, batch_id DESC LIMIT $4
        """,
        department_id, *(before or (None, None)), limit,
    )  # fmt: skip
    return [_batch_of(row) for row in rows]


async def select_everybodys(conn: Connection, *, before: tuple[datetime, UUID] | None, limit: int) -> list[Batch]:
    """Batches of all departments, those opened last first."""
    rows = await conn.fetch(
        """
        -- notifications.select_everybodys
        SELECT batch_id, department_id, name, text_id, version, lane, kind, language, rows, send_at, state, opened_at,
               touched_at, starts_at, resumed_at, ended_at, paused_for, spans, received, refused, fed, fed_before,
               withdrawn
          FROM notifications.batch
         WHERE $1::timestamptz IS NULL OR (opened_at, batch_id) < ($1, $2::uuid)
         ORDER BY opened_at DESC, batch_id DESC LIMIT $3
        """,
        *(before or (None, None)), limit,
    )  # fmt: skip
    return [_batch_of(row) for row in rows]


async def count_unended(conn: Connection, department_id: DepartmentId) -> tuple[int, int]:
    """How many batches of a department have not ended, and how many of their rows no message was made of yet."""
    row = await conn.fetchrow(
        """
        -- notifications.count_unended
        SELECT count(*), coalesce(sum(received - refused - fed), 0)::bigint FROM notifications.batch
         WHERE department_id = $1 AND state IN ('open', 'started', 'paused')
        """,
        department_id,
    )
    return (0, 0) if row is None else (row[0], row[1])


async def update_received(conn: Connection, batch: Batch) -> None:
    """Write down which rows have come."""
    await conn.execute(
        """
        -- notifications.update_received
        UPDATE notifications.batch SET spans = $2, received = $3, refused = $4, touched_at = $5 WHERE batch_id = $1
        """,
        batch.batch_id, [end for span in batch.spans for end in (span.first, span.last)], batch.received,
        batch.refused, batch.touched_at,
    )  # fmt: skip


async def update_state(conn: Connection, batch: Batch, *, is_settled: bool) -> None:
    """Write down where a batch is, and whether that is carried out already in every bucket."""
    await conn.execute(
        """
        -- notifications.update_state
        UPDATE notifications.batch
           SET state = $2, is_settled = $3, touched_at = $4, starts_at = $5, resumed_at = $6, ended_at = $7,
               fed_before = $8, paused_for = $9
         WHERE batch_id = $1
        """,
        batch.batch_id, batch.state, is_settled, batch.touched_at, batch.starts_at, batch.resumed_at, batch.ended_at,
        batch.fed_before, batch.paused_for,
    )  # fmt: skip


async def settle_batch(conn: Connection, batch_id: UUID, state: BatchState) -> Batch | None:
    """Say that the state of a batch was carried out, if it is that still and nobody said so: the batch by then."""
    row = await conn.fetchrow(
        """
        -- notifications.settle_batch
        UPDATE notifications.batch SET is_settled = true WHERE batch_id = $1 AND state = $2 AND NOT is_settled
        RETURNING batch_id, department_id, name, text_id, version, lane, kind, language, rows, send_at, state,
                  opened_at, touched_at, starts_at, resumed_at, ended_at, paused_for, spans, received, refused, fed,
                  fed_before, withdrawn
        """,
        batch_id, state,
    )  # fmt: skip
    return None if row is None else _batch_of(row)


async def add_withdrawn(conn: Connection, batch_id: UUID, count: int) -> None:
    await conn.execute(
        """
        -- notifications.add_withdrawn
        UPDATE notifications.batch SET withdrawn = withdrawn + $2 WHERE batch_id = $1
        """,
        batch_id, count,
    )  # fmt: skip


async def select_unsettled_batches(conn: Connection, *, limit: int) -> list[UUID]:
    """Batches whose state is not carried out everywhere, those changed first first."""
    rows = await conn.fetch(
        """
        -- notifications.select_unsettled_batches
        SELECT batch_id FROM notifications.batch WHERE NOT is_settled ORDER BY touched_at LIMIT $1
        """,
        limit,
    )
    return [row["batch_id"] for row in rows]


async def select_left(conn: Connection, *, before: datetime, limit: int) -> list[UUID]:
    """Batches that wait for their sender, of which nothing was heard since."""
    rows = await conn.fetch(
        """
        -- notifications.select_left
        SELECT batch_id FROM notifications.batch WHERE state IN ('open', 'paused') AND touched_at < $1
         ORDER BY touched_at LIMIT $2
        """,
        before, limit,
    )  # fmt: skip
    return [row["batch_id"] for row in rows]


def _batch_of(row: Row) -> Batch:
    (
        batch_id, department_id, name, text_id, version, lane, kind, language, rows, send_at, state, opened_at,
        touched_at, starts_at, resumed_at, ended_at, paused_for, spans, received, refused, fed, fed_before, withdrawn,
    ) = row  # fmt: skip
    return Batch(
        batch_id=batch_id,
        department_id=department_id,
        plan=Plan(name, str(text_id), version, Lane(lane), kind, language, rows, send_at),
        state=BatchState(state),
        opened_at=opened_at,
        touched_at=touched_at,
        starts_at=starts_at,
        resumed_at=resumed_at,
        ended_at=ended_at,
        paused_for=paused_for,
        spans=tuple(Span(first, last) for first, last in zip(spans[::2], spans[1::2], strict=True)),
        received=received,
        refused=refused,
        fed=fed,
        fed_before=fed_before,
        withdrawn=withdrawn,
    )


# ---- rows


class NewRow(NamedTuple):
    """A row of `notifications.batch_row`, its columns in order."""

    bucket: int
    batch_id: UUID
    number: int
    message_id: MessageId
    person_id: PersonId | None
    address: bytes | None
    sealed_values: bytes
    reference: str | None
    ending: DeliveryStage | None


_ROW_COLUMNS = NewRow._fields
COPIED_FROM = 32
"""So many rows are worth the COPY protocol."""

INSERT_ROWS = Many(
    """
    -- notifications.insert_rows
    INSERT INTO notifications.batch_row
           (bucket, batch_id, number, message_id, person_id, address, sealed_values, reference, ending)
    VALUES {rows}
    """,
    columns=9,
)


async def insert_rows(conn: Connection, rows: Sequence[NewRow]) -> None:
    """Keep rows of a batch that is held, none of which is kept already."""
    if len(rows) < COPIED_FROM:
        await INSERT_ROWS.fetch(conn, rows)
    else:
        await conn.copy_records_to_table("batch_row", schema_name="notifications", columns=_ROW_COLUMNS, records=rows)


async def delete_rows(conn: Connection, bucket: int, batch_id: UUID, *, limit: int) -> int:
    """Forget rows that will not be fed; how many."""
    tag = await conn.execute(
        """
        -- notifications.delete_rows
        DELETE FROM notifications.batch_row
         WHERE bucket = $1 AND batch_id = $2 AND number IN (
            SELECT number FROM notifications.batch_row WHERE bucket = $1 AND batch_id = $2 ORDER BY number LIMIT $3)
        """,
        bucket, batch_id, limit,
    )  # fmt: skip
    return int(tag.rpartition(" ")[2])


# ---- refusals


UPSERT_REFUSALS = Many(
    """
    -- notifications.upsert_refusals
    INSERT INTO notifications.batch_refusal (batch_id, number, code, detail, field, reference) VALUES {rows}
    ON CONFLICT (batch_id, number) DO UPDATE
       SET code = EXCLUDED.code, detail = EXCLUDED.detail, field = EXCLUDED.field, reference = EXCLUDED.reference
    """,
    columns=6,
    sizes=(1, 8, 64),
)


async def upsert_refusals(conn: Connection, batch_id: UUID, rows: Sequence[RefusedRow]) -> None:
    await UPSERT_REFUSALS.fetch(conn, [(batch_id, *msgspec.structs.astuple(row)) for row in rows])


async def select_refusals(conn: Connection, batch_id: UUID, *, after: int, limit: int) -> list[RefusedRow]:
    """Refused rows of a batch after a row, in order."""
    rows = await conn.fetch(
        """
        -- notifications.select_refusals
        SELECT number, code, detail, field, reference FROM notifications.batch_refusal
         WHERE batch_id = $1 AND number > $2 ORDER BY number LIMIT $3
        """,
        batch_id, after, limit,
    )  # fmt: skip
    return [RefusedRow(*row) for row in rows]


async def select_refused_numbers(conn: Connection, batch_id: UUID, first: int, last: int) -> set[int]:
    """Which rows from `first` to `last` were refused."""
    rows = await conn.fetch(
        """
        -- notifications.select_refused_numbers
        SELECT number FROM notifications.batch_refusal WHERE batch_id = $1 AND number BETWEEN $2 AND $3
        """,
        batch_id, first, last,
    )  # fmt: skip
    return {row["number"] for row in rows}


async def delete_refusals_of(conn: Connection, batch_id: UUID, numbers: Sequence[int]) -> None:
    """Forget refusals of rows that were sent again and are fit now."""
    await conn.execute(
        """
        -- notifications.delete_refusals_of
        DELETE FROM notifications.batch_refusal WHERE batch_id = $1 AND number = ANY($2::bigint[])
        """,
        batch_id, numbers,
    )  # fmt: skip


async def count_refusals(conn: Connection, batch_id: UUID) -> list[tuple[str, int]]:
    """How many rows were refused for what."""
    rows = await conn.fetch(
        """
        -- notifications.count_refusals
        SELECT code, count(*) FROM notifications.batch_refusal WHERE batch_id = $1 GROUP BY code ORDER BY code
        """,
        batch_id,
    )
    return [(row[0], row[1]) for row in rows]


async def count_by_batch(conn: Connection, bucket: int, message_ids: Sequence[MessageId]) -> list[tuple[UUID, int]]:
    """Of which batches messages of a bucket are, and how many of each; of those to numbers and addresses alone."""
    rows = await conn.fetch(
        """
        -- notifications.count_by_batch
        SELECT batch_id, count(*) FROM notifications.message
         WHERE bucket = $1 AND message_id = ANY($2) AND batch_id IS NOT NULL AND address IS NOT NULL
         GROUP BY batch_id ORDER BY batch_id
        """,
        bucket, message_ids,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


class Tally(Struct, frozen=True):
    """What became of the messages of a batch, as counted up to now.

    `withdrawn`: taken back one by one, or held back by our own rules; with the batch, `Batch.withdrawn`.
    """

    delivered: int = 0
    failed: int = 0
    unknown: int = 0
    withdrawn: int = 0


async def select_tally(conn: Connection, batch_id: UUID) -> Tally:
    row = await conn.fetchrow(
        """
        -- notifications.select_tally
        SELECT delivered, failed, unknown, withdrawn FROM notifications.batch_tally WHERE batch_id = $1
        """,
        batch_id,
    )
    return Tally() if row is None else Tally(*row)
