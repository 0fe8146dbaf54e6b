"""Every statement about what people write to us, and what it may answer. What they want no more of: `opting`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import DepartmentId, MessageId, PersonId
from notifications.replies.model import Meaning, Outcome, TextId

# ---- what was told last


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a caller told a number last, of what may be answered; and when it last told something that may be ended."""

    phone_digest: bytes
    caller: str
    message_bucket: int
    message_id: MessageId
    template: str
    told_at: datetime
    optional_at: datetime | None


PUT_LAST_TOLD = Many(
    """
    -- notifications.put_last_told
    INSERT INTO notifications.last_told AS t
           (phone_digest, caller, message_bucket, message_id, template, told_at, optional_at)
    VALUES {rows}
    ON CONFLICT (phone_digest, caller) DO UPDATE
       SET message_bucket = EXCLUDED.message_bucket, message_id = EXCLUDED.message_id, template = EXCLUDED.template,
           told_at = EXCLUDED.told_at, optional_at = coalesce(EXCLUDED.optional_at, t.optional_at)
     WHERE t.told_at <= EXCLUDED.told_at
    """,
    columns=7,
)
PUT_LAST_OPTIONAL = Many(
    """
    -- notifications.put_last_optional
    INSERT INTO notifications.last_told AS t
           (phone_digest, caller, message_bucket, message_id, template, told_at, optional_at)
    VALUES {rows}
    ON CONFLICT (phone_digest, caller) DO UPDATE SET optional_at = EXCLUDED.optional_at
     WHERE t.optional_at IS NULL OR t.optional_at < EXCLUDED.optional_at
    """,
    columns=7,
)


async def put_last_told(conn: Connection, rows: Sequence[Told]) -> None:
    """File what was told, one row for each number and caller, sorted by them; what was told later stays."""
    await PUT_LAST_TOLD.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


async def put_last_optional(conn: Connection, rows: Sequence[Told]) -> None:
    """File when something that may be ended was told, sorted as above; what may be answered stays."""
    await PUT_LAST_OPTIONAL.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


async def select_last_told(conn: Connection, phone_digests: Sequence[bytes], *, since: datetime) -> list[Told]:
    """What a number was told since then, by each caller, newest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_last_told
        SELECT phone_digest, caller, message_bucket, message_id, template, told_at, optional_at
          FROM notifications.last_told
         WHERE phone_digest = ANY($1) AND told_at > $2 ORDER BY told_at DESC, message_id DESC
        """,
        phone_digests, since,
    )  # fmt: skip
    return [Told(*row) for row in rows]


async def select_last_optional(conn: Connection, phone_digests: Sequence[bytes], *, since: datetime) -> str | None:
    """The caller that last told a number something that may be ended, if one did since then."""
    caller: str | None = await conn.fetchval(
        """
        -- notifications.select_last_optional
        SELECT caller FROM notifications.last_told
         WHERE phone_digest = ANY($1) AND optional_at > $2 ORDER BY optional_at DESC, caller LIMIT 1
        """,
        phone_digests, since,
    )  # fmt: skip
    return caller


class Promise(msgspec.Struct, frozen=True):
    """The name of a message's promise, and whom it was made to."""

    caller: str
    key: str
    person_id: PersonId | None
    is_addressed: bool
    """Whether its caller named a number or an address, and no person."""


async def select_promise(conn: Connection, bucket: int, message_id: MessageId) -> Promise | None:
    row = await conn.fetchrow(
        """
        -- notifications.select_promise
        SELECT caller, key, person_id, address IS NOT NULL FROM notifications.message
         WHERE bucket = $1 AND message_id = $2
        """,
        bucket, message_id,
    )  # fmt: skip
    return None if row is None else Promise(*row)


async def delete_last_told(conn: Connection, *, before: datetime, limit: int) -> int:
    """Forget what can be answered no more; how many."""
    rows = await conn.fetch(
        """
        -- notifications.delete_last_told
        WITH old AS MATERIALIZED (
            SELECT phone_digest, caller FROM notifications.last_told
             WHERE told_at < $1 AND (optional_at IS NULL OR optional_at < $1) LIMIT $2)
        DELETE FROM notifications.last_told AS t USING old
         WHERE t.phone_digest = old.phone_digest AND t.caller = old.caller AND t.told_at < $1
           AND (t.optional_at IS NULL OR t.optional_at < $1)
        RETURNING t.caller
        """,
        before, limit,
    )  # fmt: skip
    return len(rows)


# ---- what came


class NewText(msgspec.Struct, frozen=True):
    phone_digest: bytes
    text_id: TextId
    provider: str
    provider_ref: str
    sealed_text: bytes
    received_at: datetime


INSERT_RECEIVED_TEXTS = Many(
    """
    -- notifications.insert_received_texts
    INSERT INTO notifications.received_text
           (phone_digest, text_id, provider, provider_ref, sealed_text, received_at, stage)
    VALUES {rows}
    ON CONFLICT (phone_digest, provider, provider_ref) DO NOTHING
    """,
    columns=6,
    row="({}, {}, {}, {}, {}, {}, 'waiting')",
)


async def insert_received_texts(conn: Connection, rows: Sequence[NewText]) -> None:
    """Keep texts, sorted by the caller; one that its provider says again stays as it is."""
    await INSERT_RECEIVED_TEXTS.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


async def select_newest_references(conn: Connection, phone_digests: Sequence[bytes]) -> dict[bytes, tuple[str, str]]:
    """The provider and reference of the last text of each number that wrote any."""
    rows = await conn.fetch(
        """
        -- notifications.select_newest_references
        SELECT asked.phone_digest, newest.provider, newest.provider_ref
          FROM unnest($1::bytea[]) AS asked (phone_digest)
         CROSS JOIN LATERAL (
            SELECT t.provider, t.provider_ref FROM notifications.received_text AS t
             WHERE t.phone_digest = asked.phone_digest ORDER BY t.text_id DESC LIMIT 1) AS newest
        """,
        phone_digests,
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def select_waiting_numbers(conn: Connection, *, now: datetime, limit: int) -> list[bytes]:
    """Numbers of which a text waits and none was put aside, due the longest first; a hint, for nothing is locked."""
    rows = await conn.fetch(
        """
        -- notifications.select_waiting_numbers
        SELECT phone_digest, coalesce(max(put_aside_until), min(received_at)) AS due
          FROM notifications.received_text
         WHERE stage = 'waiting' GROUP BY phone_digest HAVING coalesce(max(put_aside_until) <= $1, TRUE)
         ORDER BY due LIMIT $2
        """,
        now, limit,
    )  # fmt: skip
    return [row["phone_digest"] for row in rows]


class WaitingText(msgspec.Struct, frozen=True):
    text_id: TextId
    provider: str
    sealed_text: bytes
    received_at: datetime
    failures: int


async def select_next_text(conn: Connection, phone_digest: bytes) -> WaitingText | None:
    """The first text of a number that waits."""
    row = await conn.fetchrow(
        """
        -- notifications.select_next_text
        SELECT text_id, provider, sealed_text, received_at, failures FROM notifications.received_text
         WHERE phone_digest = $1 AND stage = 'waiting' ORDER BY received_at, text_id LIMIT 1
        """,
        phone_digest,
    )
    return None if row is None else WaitingText(*row)


async def put_text_aside(conn: Connection, phone_digest: bytes, text_id: TextId, *, until: datetime) -> None:
    """Leave a text whose handling failed, and those of its number behind it, until then."""
    await conn.execute(
        """
        -- notifications.put_text_aside
        UPDATE notifications.received_text SET failures = failures + 1, put_aside_until = $3
         WHERE phone_digest = $1 AND text_id = $2 AND stage = 'waiting'
        """,
        phone_digest, text_id, until,
    )  # fmt: skip


async def claim_text(conn: Connection, phone_digest: bytes, text_id: TextId) -> bool:
    """Lock a text that still waits; False if somebody else has handled it."""
    found = await conn.fetchval(
        """
        -- notifications.claim_text
        SELECT TRUE FROM notifications.received_text
         WHERE phone_digest = $1 AND text_id = $2 AND stage = 'waiting' FOR UPDATE
        """,
        phone_digest, text_id,
    )  # fmt: skip
    return found is True


async def mark_handled(
    conn: Connection,
    phone_digest: bytes,
    text_id: TextId,
    meaning: Meaning,
    outcome: Outcome,
    service_id: DepartmentId | None,
    *,
    now: datetime,
) -> None:
    """Say what became of a text; its words go with it when it is passed on, and are kept in one place only."""
    await conn.execute(
        """
        -- notifications.mark_handled
        UPDATE notifications.received_text
           SET stage = 'handled', meaning = $3, outcome = $4, service_id = $5, handled_at = $6,
               sealed_text = CASE $4::text WHEN 'passed_on' THEN NULL ELSE sealed_text END
         WHERE phone_digest = $1 AND text_id = $2
        """,
        phone_digest, text_id, meaning, outcome, service_id, now,
    )  # fmt: skip


async def delete_received_texts(conn: Connection, *, before: datetime, limit: int) -> int:
    """Forget what was handled and came before then; how many."""
    rows = await conn.fetch(
        """
        -- notifications.delete_received_texts
        WITH old AS MATERIALIZED (
            SELECT phone_digest, text_id FROM notifications.received_text
             WHERE received_at < $1 AND stage = 'handled' LIMIT $2)
        DELETE FROM notifications.received_text AS t USING old
         WHERE t.phone_digest = old.phone_digest AND t.text_id = old.text_id RETURNING t.text_id
        """,
        before, limit,
    )  # fmt: skip
    return len(rows)


# ---- what departments read


async def insert_service_text(
    conn: Connection, service_id: DepartmentId, text_id: TextId, sealed_text: bytes, *, received_at: datetime
) -> None:
    await conn.execute(
        """
        -- notifications.insert_service_text
        INSERT INTO notifications.service_text (service_id, text_id, sealed_text, received_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT (service_id, text_id) DO NOTHING
        """,
        service_id, text_id, sealed_text, received_at,
    )  # fmt: skip


class ServiceText(msgspec.Struct, frozen=True):
    text_id: TextId
    sealed_text: bytes
    received_at: datetime


async def select_service_texts(
    conn: Connection, service_id: DepartmentId, *, before: UUID, limit: int
) -> list[ServiceText]:
    """Texts passed on to a department before the given one, newest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_service_texts
        SELECT text_id, sealed_text, received_at FROM notifications.service_text
         WHERE service_id = $1 AND text_id < $2 ORDER BY text_id DESC LIMIT $3
        """,
        service_id, before, limit,
    )  # fmt: skip
    return [ServiceText(*row) for row in rows]


async def delete_service_texts(
    conn: Connection, service_id: DepartmentId | None, *, before: datetime, limit: int
) -> list[tuple[DepartmentId, TextId]]:
    """Forget texts passed on to one department, or (None) to any, that came before then; which they were."""
    rows = await conn.fetch(
        """
        -- notifications.delete_service_texts
        WITH old AS MATERIALIZED (
            SELECT service_id, text_id FROM notifications.service_text
             WHERE received_at < $1 AND ($2::uuid IS NULL OR service_id = $2) LIMIT $3)
        DELETE FROM notifications.service_text AS t USING old
         WHERE t.service_id = old.service_id AND t.text_id = old.text_id RETURNING t.service_id, t.text_id
        """,
        before, service_id, limit,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]
