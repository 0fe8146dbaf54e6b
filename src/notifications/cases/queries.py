"""Every statement about what departments told people of their cases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from kernel.db import Connection
from kernel.ids import MessageId
from notifications.cases.model import CaseKind
from notifications.model import MessageStage


class NoticeRow(Struct, frozen=True):
    """One notice about a case. `sealed_content` is empty once it was forgotten.

    `told_number` is the notice that the person had been told when this one was written, if it takes that one's place.
    """

    kind: CaseKind
    number: int
    revision: int
    content_digest: bytes
    message_id: MessageId
    sealed_content: bytes
    told_number: int | None
    is_current: bool
    told_at: datetime

    def __repr__(self) -> str:
        return f"NoticeRow({self.kind}, {self.number})"


async def insert_case(conn: Connection, case_digest: bytes, holder_digest: bytes, *, now: datetime) -> None:
    """File a case, unless it is filed."""
    await conn.execute(
        """
        -- notifications.cases.insert_case
        INSERT INTO notifications.told_case (case_digest, holder_digest, told_at) VALUES ($1, $2, $3)
        ON CONFLICT (case_digest) DO NOTHING
        """,
        case_digest, holder_digest, now,
    )  # fmt: skip


async def select_case(conn: Connection, case_digests: Sequence[bytes]) -> bytes | None:
    """Under which of these digests a case is filed."""
    found: bytes | None = await conn.fetchval(
        """
        -- notifications.cases.select_case
        SELECT case_digest FROM notifications.told_case WHERE case_digest = ANY($1::bytea[]) LIMIT 1
        """,
        case_digests,
    )
    return found


async def lock_case(conn: Connection, case_digest: bytes) -> tuple[bytes, datetime] | None:
    """Whose case it is, as a digest, and when something was told last; held until the transaction ends."""
    row = await conn.fetchrow(
        """
        -- notifications.cases.lock_case
        SELECT holder_digest, told_at FROM notifications.told_case WHERE case_digest = $1 FOR UPDATE
        """,
        case_digest,
    )
    return None if row is None else (row["holder_digest"], row["told_at"])


async def touch_case(conn: Connection, case_digest: bytes, *, now: datetime) -> None:
    await conn.execute(
        """
        -- notifications.cases.touch_case
        UPDATE notifications.told_case SET told_at = $2 WHERE case_digest = $1
        """,
        case_digest, now,
    )  # fmt: skip


async def select_notices(conn: Connection, case_digest: bytes) -> list[NoticeRow]:
    """Everything told of a case, in the order it was told within each kind."""
    rows = await conn.fetch(
        """
        -- notifications.cases.select_notices
        SELECT kind, number, revision, content_digest, message_id, sealed_content, told_number, is_current, told_at
          FROM notifications.case_notice WHERE case_digest = $1 ORDER BY kind, number
        """,
        case_digest,
    )
    return [_notice_of(*row) for row in rows]


def _notice_of(kind: str, *others: Any) -> NoticeRow:
    return NoticeRow(CaseKind(kind), *others)


async def insert_notice(conn: Connection, case_digest: bytes, row: NoticeRow) -> None:
    await conn.execute(
        """
        -- notifications.cases.insert_notice
        INSERT INTO notifications.case_notice (case_digest, kind, number, revision, content_digest, message_id,
                                               sealed_content, told_number, is_current, told_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        case_digest, row.kind, row.number, row.revision, row.content_digest, row.message_id, row.sealed_content,
        row.told_number, row.is_current, row.told_at,
    )  # fmt: skip


async def end_notice(conn: Connection, case_digest: bytes, kind: CaseKind, number: int) -> None:
    """Another notice takes its place."""
    await conn.execute(
        """
        -- notifications.cases.end_notice
        UPDATE notifications.case_notice SET is_current = FALSE WHERE case_digest = $1 AND kind = $2 AND number = $3
        """,
        case_digest, kind, number,
    )  # fmt: skip


async def select_stages(
    conn: Connection, buckets: Sequence[int], message_ids: Sequence[MessageId], caller: str
) -> dict[MessageId, MessageStage]:
    """How far messages of a caller are."""
    rows = await conn.fetch(
        """
        -- notifications.cases.select_stages
        SELECT message_id, stage FROM notifications.message
         WHERE bucket = ANY($1::integer[]) AND message_id = ANY($2::uuid[]) AND caller = $3
        """,
        buckets, message_ids, caller,
    )  # fmt: skip
    return {row["message_id"]: MessageStage(row["stage"]) for row in rows}


# ---- forgetting


async def forget_contents(conn: Connection, message_ids: Sequence[MessageId]) -> None:
    """Empty what these messages said of cases."""
    await conn.execute(
        r"""
        -- notifications.cases.forget_contents
        UPDATE notifications.case_notice SET sealed_content = '\x'
         WHERE message_id = ANY($1::uuid[]) AND sealed_content <> '\x'
        """,
        message_ids,
    )


async def select_old_cases(conn: Connection, *, before: datetime, limit: int) -> list[bytes]:
    """Cases of which nothing was told since."""
    rows = await conn.fetch(
        """
        -- notifications.cases.select_old_cases
        SELECT case_digest FROM notifications.told_case WHERE told_at < $1 ORDER BY told_at LIMIT $2
        """,
        before, limit,
    )  # fmt: skip
    return [row["case_digest"] for row in rows]


async def delete_notices(conn: Connection, case_digest: bytes) -> None:
    await conn.execute(
        """
        -- notifications.cases.delete_notices
        DELETE FROM notifications.case_notice WHERE case_digest = $1
        """,
        case_digest,
    )


async def delete_case(conn: Connection, case_digest: bytes) -> None:
    await conn.execute(
        """
        -- notifications.cases.delete_case
        DELETE FROM notifications.told_case WHERE case_digest = $1
        """,
        case_digest,
    )
