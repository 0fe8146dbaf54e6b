"""Every statement about what people want no more of."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from notifications.replies.model import OptSource


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


async def count_opt_out_changes(
    conn: Connection, place_digests: Sequence[bytes], source: OptSource, *, since: UUID
) -> int:
    """How often somebody changed what they want in this way, from the given change on: ids begin with their time."""
    count: int = await conn.fetchval(
        """
        -- notifications.count_opt_out_changes
        SELECT count(*) FROM notifications.opt_out_change
         WHERE place_digest = ANY($1) AND change_id >= $2 AND source = $3
        """,
        place_digests, since, source,
    )  # fmt: skip
    return count
