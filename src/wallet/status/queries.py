"""Every statement on status lists."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import CertificateId, PersonId

_INSERT_ENTRIES = Many(
    """
    -- wallet.insert_entries
    INSERT INTO wallet.status_entry (list_id, idx, certificate_id, value) VALUES {rows}
    """,
    columns=4,
    sizes=(1, 8),
)
COPIED_FROM = 64
"""Rows from which on a COPY costs less than a statement."""


class Taken(Struct, frozen=True):
    """How many indexes of a list are taken, and the sealed seed of their order."""

    taken: int
    seed: bytes


class Publication(Struct, frozen=True):
    """A list as it is published, in both forms. `edition` counts how often it was."""

    list_id: int
    edition: int
    built_at: datetime
    expires_at: datetime
    key_id: str
    jwt: str
    cwt: bytes


async def lock_list(conn: Connection, list_id: int) -> Taken | None:
    """The counter of a list, held until the transaction ends."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_list
        SELECT taken, seed FROM wallet.status_list WHERE list_id = $1 FOR UPDATE
        """,
        list_id,
    )
    return None if row is None else Taken(row["taken"], row["seed"])


async def insert_list(conn: Connection, list_id: int, seed: bytes, *, now: datetime) -> None:
    """Open a list, unless somebody did."""
    await conn.execute(
        """
        -- wallet.insert_list
        INSERT INTO wallet.status_list (list_id, taken, seed, opened_at) VALUES ($1, 0, $2, $3) ON CONFLICT DO NOTHING
        """,
        list_id, seed, now,
    )  # fmt: skip


async def select_newest(conn: Connection, lanes: int) -> list[tuple[int, int]]:
    """The newest list of each lane, and how many of its indexes are taken."""
    rows = await conn.fetch(
        """
        -- wallet.select_newest
        SELECT DISTINCT ON (list_id % $1) list_id, taken FROM wallet.status_list ORDER BY list_id % $1, list_id DESC
        """,
        lanes,
    )
    return [(row["list_id"], row["taken"]) for row in rows]


async def set_taken(conn: Connection, list_id: int, taken: int) -> None:
    await conn.execute(
        """
        -- wallet.set_taken
        UPDATE wallet.status_list SET taken = $2 WHERE list_id = $1
        """,
        list_id, taken,
    )  # fmt: skip


async def insert_entries(conn: Connection, entries: Sequence[tuple[int, int, CertificateId, int]]) -> None:
    """List, index, certificate and value of each. An index that is taken is an error, and ends the transaction."""
    if len(entries) < COPIED_FROM:
        await _INSERT_ENTRIES.fetch(conn, entries)
        return
    columns = ("list_id", "idx", "certificate_id", "value")
    await conn.copy_records_to_table("status_entry", schema_name="wallet", columns=columns, records=entries)


async def set_value(conn: Connection, list_id: int, idx: int, value: int) -> None:
    await conn.execute(
        """
        -- wallet.set_value
        UPDATE wallet.status_entry SET value = $3 WHERE list_id = $1 AND idx = $2
        """,
        list_id, idx, value,
    )  # fmt: skip


async def insert_change(conn: Connection, list_id: int, change_id: UUID) -> None:
    await conn.execute(
        """
        -- wallet.insert_change
        INSERT INTO wallet.status_change (list_id, change_id) VALUES ($1, $2)
        """,
        list_id, change_id,
    )  # fmt: skip


async def lock_place(
    conn: Connection, person_id: PersonId, certificate_id: CertificateId
) -> tuple[int | None, int | None, str] | None:
    """Where a certificate stands in the status lists, and its state; held until the transaction ends."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_place
        SELECT status_list, status_index, state FROM wallet.certificate
         WHERE person_id = $1 AND certificate_id = $2 FOR UPDATE
        """,
        person_id, certificate_id,
    )  # fmt: skip
    return None if row is None else (row["status_list"], row["status_index"], row["state"])


async def set_place(
    conn: Connection, person_id: PersonId, certificate_id: CertificateId, list_id: int, idx: int
) -> None:
    """Write on a certificate where it stands, if that was not written yet."""
    await conn.execute(
        """
        -- wallet.set_place
        UPDATE wallet.certificate SET status_list = $3, status_index = $4
         WHERE person_id = $1 AND certificate_id = $2 AND status_list IS NULL
        """,
        person_id, certificate_id, list_id, idx,
    )  # fmt: skip


async def select_lists_to_build(conn: Connection, key_id: str, *, expiring_before: datetime, limit: int) -> list[int]:
    """Lists with changes nobody published, never published, soon to expire, or signed by another key than `key_id`.

    Those that say something wrong come first.
    """
    rows = await conn.fetch(
        """
        -- wallet.select_lists_to_build
        SELECT due.list_id
          FROM (SELECT l.list_id, p.edition, p.expires_at, p.key_id,
                       EXISTS (SELECT 1 FROM wallet.status_change AS c WHERE c.list_id = l.list_id) AS is_changed
                  FROM wallet.status_list AS l
                  LEFT JOIN wallet.status_publication AS p ON p.list_id = l.list_id) AS due
         WHERE due.edition IS NULL OR due.expires_at < $2 OR due.key_id <> $1 OR due.is_changed
         ORDER BY due.is_changed DESC, due.list_id LIMIT $3
        """,
        key_id, expiring_before, limit,
    )  # fmt: skip
    return [row["list_id"] for row in rows]


async def select_edition(conn: Connection, list_id: int) -> int:
    """Which edition of a list is published; 0 if none is."""
    edition = await conn.fetchval(
        """
        -- wallet.select_edition
        SELECT edition FROM wallet.status_publication WHERE list_id = $1
        """,
        list_id,
    )
    return edition or 0


async def select_changes_of_list(conn: Connection, list_id: int, *, limit: int) -> list[UUID]:
    """Changes of a list that no publication shows yet."""
    rows = await conn.fetch(
        """
        -- wallet.select_changes_of_list
        SELECT change_id FROM wallet.status_change WHERE list_id = $1 ORDER BY change_id LIMIT $2
        """,
        list_id, limit,
    )  # fmt: skip
    return [row["change_id"] for row in rows]


async def delete_changes(conn: Connection, list_id: int, change_ids: Sequence[UUID]) -> None:
    await conn.execute(
        """
        -- wallet.delete_changes
        DELETE FROM wallet.status_change WHERE list_id = $1 AND change_id = ANY ($2::uuid[])
        """,
        list_id, list(change_ids),
    )  # fmt: skip


async def select_not_valid(conn: Connection, list_id: int) -> list[tuple[int, int]]:
    """Index and value of every entry of a list that is not 0."""
    rows = await conn.fetch(
        """
        -- wallet.select_not_valid
        SELECT idx, value FROM wallet.status_entry WHERE list_id = $1 AND value <> 0
        """,
        list_id,
    )
    return [(row["idx"], row["value"]) for row in rows]


async def put_publication(conn: Connection, made: Publication) -> bool:
    """Publish an edition of a list, if it is the next one after what is published; whether it is."""
    put = await conn.fetchval(
        """
        -- wallet.put_publication
        INSERT INTO wallet.status_publication AS p (list_id, edition, built_at, expires_at, key_id, jwt, cwt)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (list_id) DO UPDATE
           SET edition = EXCLUDED.edition, built_at = EXCLUDED.built_at, expires_at = EXCLUDED.expires_at,
               key_id = EXCLUDED.key_id, jwt = EXCLUDED.jwt, cwt = EXCLUDED.cwt
         WHERE p.edition = EXCLUDED.edition - 1
        RETURNING true
        """,
        made.list_id, made.edition, made.built_at, made.expires_at, made.key_id, made.jwt, made.cwt,
    )  # fmt: skip
    return bool(put)


async def select_publication(conn: Connection, list_id: int) -> Publication | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_publication
        SELECT list_id, edition, built_at, expires_at, key_id, jwt, cwt
          FROM wallet.status_publication WHERE list_id = $1
        """,
        list_id,
    )
    return None if row is None else Publication(*row)


async def select_publication_head(conn: Connection, list_id: int) -> tuple[int, datetime] | None:
    """Which edition of a list is published, and when it was built."""
    row = await conn.fetchrow(
        """
        -- wallet.select_publication_head
        SELECT edition, built_at FROM wallet.status_publication WHERE list_id = $1
        """,
        list_id,
    )
    return None if row is None else (row["edition"], row["built_at"])


async def select_published(conn: Connection, *, limit: int) -> list[int]:
    rows = await conn.fetch(
        """
        -- wallet.select_published
        SELECT list_id FROM wallet.status_publication ORDER BY list_id LIMIT $1
        """,
        limit,
    )
    return [row["list_id"] for row in rows]
