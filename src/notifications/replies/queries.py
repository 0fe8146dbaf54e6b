"""Every statement about what people write to us, what it may answer, and what they want no more of."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import DepartmentId, MessageId, PersonId
from notifications.replies.model import Meaning, OptSource, Outcome, TextId

# ---- what was told last


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a caller told a number last, of what may be answered."""

    phone_digest: bytes
    caller: str
    message_bucket: int
    message_id: MessageId
    template: str
    told_at: datetime


PUT_LAST_TOLD = Many(
    """
    -- notifications.put_last_told
    INSERT INTO notifications.last_told AS t (phone_digest, caller, message_bucket, message_id, template, told_at)
    VALUES {rows}
    ON CONFLICT (phone_digest, caller) DO UPDATE
       SET message_bucket = EXCLUDED.message_bucket, message_id = EXCLUDED.message_id, template = EXCLUDED.template,
           told_at = EXCLUDED.told_at
     WHERE t.told_at <= EXCLUDED.told_at
    """,
    columns=6,
)


async def put_last_told(conn: Connection, rows: Sequence[Told]) -> None:
    """File what was told, one row for each number and caller, sorted by them; what was told later stays."""
    await PUT_LAST_TOLD.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


async def select_last_told(conn: Connection, phone_digests: Sequence[bytes], *, since: datetime) -> list[Told]:
    """What a number was told since then, by each caller, newest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_last_told
        SELECT phone_digest, caller, message_bucket, message_id, template, told_at FROM notifications.last_told
         WHERE phone_digest = ANY($1) AND told_at > $2 ORDER BY told_at DESC, message_id DESC
        """,
        phone_digests, since,
    )  # fmt: skip
    return [Told(*row) for row in rows]


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
            SELECT phone_digest, caller FROM notifications.last_told WHERE told_at < $1 LIMIT $2)
        DELETE FROM notifications.last_told AS t USING old
         WHERE t.phone_digest = old.phone_digest AND t.caller = old.caller AND t.told_at < $1
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


async def select_waiting_numbers(conn: Connection, *, limit: int) -> list[bytes]:
    """Numbers of which a text waits, longest first; a hint, since nothing is locked."""
    rows = await conn.fetch(
        """
        -- notifications.select_waiting_numbers
        SELECT phone_digest, min(received_at) AS since FROM notifications.received_text
         WHERE stage = 'waiting' GROUP BY phone_digest ORDER BY since LIMIT $1
        """,
        limit,
    )
    return [row["phone_digest"] for row in rows]


class WaitingText(msgspec.Struct, frozen=True):
    text_id: TextId
    provider: str
    sealed_text: bytes
    received_at: datetime


async def select_next_text(conn: Connection, phone_digest: bytes) -> WaitingText | None:
    """The first text of a number that waits."""
    row = await conn.fetchrow(
        """
        -- notifications.select_next_text
        SELECT text_id, provider, sealed_text, received_at FROM notifications.received_text
         WHERE phone_digest = $1 AND stage = 'waiting' ORDER BY received_at, text_id LIMIT 1
        """,
        phone_digest,
    )
    return None if row is None else WaitingText(*row)


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


# ---- what people want no more of


class OptOutRow(msgspec.Struct, frozen=True):
    place_digest: bytes
    caller: str
    since: datetime


async def select_opt_outs(conn: Connection, place_digests: Sequence[bytes]) -> list[OptOutRow]:
    """What some numbers or addresses want no more of."""
    rows = await conn.fetch(
        """
        -- notifications.select_opt_outs
        SELECT place_digest, caller, since FROM notifications.opt_out WHERE place_digest = ANY($1)
         ORDER BY since, caller
        """,
        place_digests,
    )
    return [OptOutRow(*row) for row in rows]


async def insert_opt_out(conn: Connection, place_digest: bytes, caller: str, *, now: datetime) -> bool:
    """Want no more of a caller; whether that is new."""
    found = await conn.fetchval(
        """
        -- notifications.insert_opt_out
        INSERT INTO notifications.opt_out (place_digest, caller, since) VALUES ($1, $2, $3)
        ON CONFLICT (place_digest, caller) DO NOTHING RETURNING TRUE
        """,
        place_digest, caller, now,
    )  # fmt: skip
    return found is True


async def delete_opt_outs(conn: Connection, place_digests: Sequence[bytes], caller: str | None) -> list[str]:
    """Want a caller's again, or (None) everybody's; of whom nothing was wanted."""
    rows = await conn.fetch(
        """
        -- notifications.delete_opt_outs
        DELETE FROM notifications.opt_out
         WHERE place_digest = ANY($1) AND ($2::text IS NULL OR caller = $2) RETURNING caller
        """,
        place_digests, caller,
    )  # fmt: skip
    return [row["caller"] for row in rows]


async def insert_opt_out_change(
    conn: Connection,
    place_digest: bytes,
    change_id: UUID,
    caller: str,
    *,
    is_out: bool,
    source: OptSource,
    now: datetime,
) -> None:
    """Write down that somebody changed what they want; never changed, never deleted."""
    await conn.execute(
        """
        -- notifications.insert_opt_out_change
        INSERT INTO notifications.opt_out_change (place_digest, change_id, caller, is_out, source, at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        place_digest, change_id, caller, is_out, source, now,
    )  # fmt: skip
