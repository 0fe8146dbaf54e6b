"""The record of acts: append-only, written inside the transaction that does them."""

from datetime import datetime

import msgspec

from kernel import queries
from kernel.db import Connection
from kernel.ids import bucket_of, uuid7


async def record(
    conn: Connection,
    *,
    actor: str,
    act: str,
    subject: str,
    now: datetime,
    detail: dict[str, str | int | bool] | None = None,
) -> None:
    """Write down that `actor` did `act` to `subject`; commits with the act or not at all.

    `actor` and `subject` are `kind:id` (`department:…`, `certificate:…`), `act` is `package.verb`. `detail` holds ids,
    counts and codes of reasons, never a person's values.
    """
    entry_id = uuid7(now)
    bucket = bucket_of("audit", str(entry_id))
    await queries.insert_audit(
        conn, bucket, entry_id, now, actor, act, subject, msgspec.json.encode(detail or {}).decode()
    )


class Entry(msgspec.Struct, frozen=True):
    """One act, as an operator reads it."""

    at: datetime
    actor: str
    act: str
    subject: str
    detail: dict[str, str | int | bool]


async def newest(conn: Connection, *, limit: int) -> list[Entry]:
    """The newest acts, newest first."""
    rows = await queries.select_newest_audit(conn, limit)
    return [
        Entry(row["at"], row["actor"], row["act"], row["subject"], msgspec.json.decode(row["detail"], type=dict))
        for row in rows
    ]
