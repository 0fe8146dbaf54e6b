"""Every statement on loads and on the entries of registers."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import CertificateId, DepartmentId, PersonId
from wallet.loading.model import Load, LoadState

_INSERT_REFUSALS = Many(
    """
    -- wallet.insert_refusals
    INSERT INTO wallet.issuing_refusal (load_id, line, reference, code, detail, field) VALUES {rows}
    """,
    columns=6,
    sizes=(1, 8, 64, 512),
)


class RefusalRow(Struct, frozen=True):
    """A row of `wallet.issuing_refusal`; what is the sender's own, sealed."""

    line: int
    reference: bytes | None
    code: str
    detail: str
    field: str | None


class EntryRow(Struct, frozen=True):
    """A row of `wallet.register_entry`."""

    entry_digest: bytes
    body_digest: bytes
    issuer_code: str
    person_id: PersonId | None
    certificate_id: CertificateId | None
    revision: int


async def insert_load(conn: Connection, load_id: UUID, department_id: DepartmentId, *, now: datetime) -> bool:
    """Open a load; whether it is new."""
    inserted = await conn.fetchval(
        """
        -- wallet.insert_load
        INSERT INTO wallet.issuing_load (load_id, department_id, state, opened_at, touched_at, lines_read, issued,
                                         known, refused)
        VALUES ($1, $2, 'open', $3, $3, 0, 0, 0, 0) ON CONFLICT DO NOTHING RETURNING true
        """,
        load_id, department_id, now,
    )  # fmt: skip
    return bool(inserted)


async def select_load(conn: Connection, load_id: UUID) -> Load | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_load
        SELECT load_id, department_id, state, opened_at, touched_at, lines_read, issued, known, refused
          FROM wallet.issuing_load WHERE load_id = $1
        """,
        load_id,
    )
    return None if row is None else _load_of(row)


async def lock_load(conn: Connection, load_id: UUID) -> Load | None:
    """The same, held until the transaction ends: one batch at a time."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_load
        SELECT load_id, department_id, state, opened_at, touched_at, lines_read, issued, known, refused
          FROM wallet.issuing_load WHERE load_id = $1 FOR UPDATE
        """,
        load_id,
    )
    return None if row is None else _load_of(row)


async def update_load(conn: Connection, load: Load) -> None:
    """Write down how far a load has come, and whether it is finished."""
    await conn.execute(
        """
        -- wallet.update_load
        UPDATE wallet.issuing_load
           SET state = $2, touched_at = $3, lines_read = $4, issued = $5, known = $6, refused = $7 WHERE load_id = $1
        """,
        load.load_id, load.state.value, load.touched_at, load.lines_read, load.issued, load.known, load.refused,
    )  # fmt: skip


async def insert_refusals(conn: Connection, load_id: UUID, rows: Sequence[RefusalRow]) -> None:
    await _INSERT_REFUSALS.fetch(conn, [(load_id, r.line, r.reference, r.code, r.detail, r.field) for r in rows])


async def select_refusals(conn: Connection, load_id: UUID, *, after: int, limit: int) -> list[RefusalRow]:
    """Refused lines of a load after a line, in order."""
    rows = await conn.fetch(
        """
        -- wallet.select_refusals
        SELECT line, reference, code, detail, field FROM wallet.issuing_refusal
         WHERE load_id = $1 AND line > $2 ORDER BY line LIMIT $3
        """,
        load_id, after, limit,
    )  # fmt: skip
    return [RefusalRow(*row) for row in rows]


async def select_finished_loads(conn: Connection, *, before: datetime, limit: int) -> list[UUID]:
    """Loads that were finished before a moment, the oldest first."""
    rows = await conn.fetch(
        """
        -- wallet.select_finished_loads
        SELECT load_id FROM wallet.issuing_load WHERE state = 'finished' AND touched_at < $1
         ORDER BY touched_at LIMIT $2
        """,
        before, limit,
    )  # fmt: skip
    return [row["load_id"] for row in rows]


async def delete_refusals(conn: Connection, load_id: UUID) -> None:
    await conn.execute(
        """
        -- wallet.delete_refusals
        DELETE FROM wallet.issuing_refusal WHERE load_id = $1
        """,
        load_id,
    )


async def delete_load(conn: Connection, load_id: UUID) -> None:
    """Forget a load, unless it takes lines."""
    await conn.execute(
        """
        -- wallet.delete_load
        DELETE FROM wallet.issuing_load WHERE load_id = $1 AND state = 'finished'
        """,
        load_id,
    )


async def set_savepoint(conn: Connection) -> None:
    """From here on, what is written can be taken back without the rest of the transaction."""
    await conn.execute(
        """
        -- wallet.set_savepoint
        SAVEPOINT lines
        """
    )


async def return_to_savepoint(conn: Connection) -> None:
    await conn.execute(
        """
        -- wallet.return_to_savepoint
        ROLLBACK TO SAVEPOINT lines
        """
    )


async def release_savepoint(conn: Connection) -> None:
    await conn.execute(
        """
        -- wallet.release_savepoint
        RELEASE SAVEPOINT lines
        """
    )


async def select_entry(conn: Connection, entry_digests: Sequence[bytes]) -> EntryRow | None:
    """The entry filed under any of these digests: one, or while a key is rotated the older."""
    row = await conn.fetchrow(
        """
        -- wallet.select_entry
        SELECT entry_digest, body_digest, issuer_code, person_id, certificate_id, revision
          FROM wallet.register_entry WHERE entry_digest = ANY ($1::bytea[]) LIMIT 1
        """,
        list(entry_digests),
    )
    return None if row is None else EntryRow(*row)


async def insert_entry(conn: Connection, entry_digest: bytes, issuer_code: str, *, now: datetime) -> None:
    """Make an entry that stands for nothing yet, so that it can be held; one that is there is left as it is."""
    await conn.execute(
        """
        -- wallet.insert_entry
        INSERT INTO wallet.register_entry (entry_digest, body_digest, issuer_code, revision, changed_at)
        VALUES ($1, $1, $2, 0, $3) ON CONFLICT DO NOTHING
        """,
        entry_digest, issuer_code, now,
    )  # fmt: skip


async def lock_entry(conn: Connection, entry_digest: bytes) -> EntryRow | None:
    """An entry, held until the transaction ends: one revision at a time."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_entry
        SELECT entry_digest, body_digest, issuer_code, person_id, certificate_id, revision
          FROM wallet.register_entry WHERE entry_digest = $1 FOR UPDATE
        """,
        entry_digest,
    )
    return None if row is None else EntryRow(*row)


async def update_entry(conn: Connection, entry: EntryRow, *, now: datetime) -> None:
    await conn.execute(
        """
        -- wallet.update_entry
        UPDATE wallet.register_entry
           SET body_digest = $2, person_id = $3, certificate_id = $4, revision = $5, changed_at = $6
         WHERE entry_digest = $1
        """,
        entry.entry_digest, entry.body_digest, entry.person_id, entry.certificate_id, entry.revision, now,
    )  # fmt: skip


def _load_of(row: Row) -> Load:
    load_id, department_id, state, *rest = row
    return Load(load_id, department_id, LoadState(state), *rest)
