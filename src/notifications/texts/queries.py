"""Every statement about departments' texts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection, Row
from kernel.ids import DepartmentId
from notifications.template import ProviderIds
from notifications.texts.model import Content, TextSort, TextState, Version

_CONTENT = msgspec.json.Decoder(Content)
_PROVIDER_IDS = msgspec.json.Decoder(dict[str, ProviderIds])


class TextRow(msgspec.Struct, frozen=True):
    """A text without its words."""

    text_id: UUID
    department_id: DepartmentId
    sort: TextSort
    created_at: datetime
    archived_at: datetime | None


class Listed(msgspec.Struct, frozen=True):
    """A text with what its newest version is called and how far that has come, and which version is in use."""

    text_id: UUID
    sort: TextSort
    created_at: datetime
    archived_at: datetime | None
    name: str
    version: int
    state: TextState
    in_use: int | None


class Revision(msgspec.Struct, frozen=True):
    """A version that was approved once, and what a process must read again to know it."""

    text_id: UUID
    version: int
    revision: int
    is_archived: bool


async def insert_text(
    conn: Connection, text_id: UUID, department_id: DepartmentId, sort: TextSort, *, now: datetime
) -> bool:
    """Whether no text of this id was there."""
    return bool(
        await conn.fetchval(
            """
            -- notifications.insert_text
            INSERT INTO notifications.department_text (text_id, department_id, sort, created_at)
            VALUES ($1, $2, $3, $4) ON CONFLICT (text_id) DO NOTHING RETURNING true
            """,
            text_id, department_id, sort.value, now,
        )
    )  # fmt: skip


async def count_texts(conn: Connection, department_id: DepartmentId) -> int:
    return int(
        await conn.fetchval(
            """
            -- notifications.count_texts
            SELECT count(*) FROM notifications.department_text WHERE department_id = $1
            """,
            department_id,
        )
    )


async def lock_text(conn: Connection, text_id: UUID) -> TextRow | None:
    """A text, held until the transaction ends: whoever changes one of its versions holds it."""
    row = await conn.fetchrow(
        """
        -- notifications.lock_text
        SELECT text_id, department_id, sort, created_at, archived_at
          FROM notifications.department_text WHERE text_id = $1 FOR UPDATE
        """,
        text_id,
    )
    return None if row is None else _text_of(row)


async def select_text(conn: Connection, text_id: UUID) -> TextRow | None:
    row = await conn.fetchrow(
        """
        -- notifications.select_text
        SELECT text_id, department_id, sort, created_at, archived_at
          FROM notifications.department_text WHERE text_id = $1
        """,
        text_id,
    )
    return None if row is None else _text_of(row)


async def archive_text(conn: Connection, text_id: UUID, archived_at: datetime | None) -> None:
    await conn.execute(
        """
        -- notifications.archive_text
        UPDATE notifications.department_text SET archived_at = $2 WHERE text_id = $1
        """,
        text_id, archived_at,
    )  # fmt: skip


async def select_texts(
    conn: Connection, department_id: DepartmentId, *, is_archived: bool, after: UUID, limit: int
) -> list[Listed]:
    """A department's texts, those written first first."""
    rows = await conn.fetch(
        """
        -- notifications.select_texts
        SELECT t.text_id, t.sort, t.created_at, t.archived_at, v.content ->> 'name' AS name, v.version, v.state,
               (SELECT max(a.version) FROM notifications.department_text_version AS a
                 WHERE a.text_id = t.text_id AND a.state = 'approved') AS in_use
          FROM notifications.department_text AS t
          JOIN notifications.department_text_version AS v ON v.text_id = t.text_id
         WHERE t.department_id = $1 AND (t.archived_at IS NOT NULL) = $2 AND t.text_id > $3
           AND v.version = (SELECT max(n.version) FROM notifications.department_text_version AS n
                             WHERE n.text_id = t.text_id)
         ORDER BY t.text_id LIMIT $4
        """,
        department_id, is_archived, after, limit,
    )  # fmt: skip
    return [
        Listed(
            row["text_id"],
            TextSort(row["sort"]),
            row["created_at"],
            row["archived_at"],
            row["name"],
            row["version"],
            TextState(row["state"]),
            row["in_use"],
        )
        for row in rows
    ]


async def insert_version(conn: Connection, text_id: UUID, version: int, content: Content, *, now: datetime) -> None:
    await conn.execute(
        """
        -- notifications.insert_version
        INSERT INTO notifications.department_text_version
               (text_id, version, revision, content, provider_ids, state, written_at)
        VALUES ($1, $2, 1, $3::text::json, '{}', 'draft', $4)
        """,
        text_id, version, _json(content), now,
    )  # fmt: skip


async def rewrite_draft(conn: Connection, text_id: UUID, version: int, content: Content, *, now: datetime) -> None:
    await conn.execute(
        """
        -- notifications.rewrite_draft
        UPDATE notifications.department_text_version
           SET content = $3::text::json, written_at = $4, revision = revision + 1
         WHERE text_id = $1 AND version = $2 AND state = 'draft'
        """,
        text_id, version, _json(content), now,
    )  # fmt: skip


async def move_version(conn: Connection, moved: Version, *, before: TextState) -> bool:
    """Write down how far a version has come; its words stay. Whether it was still where it is moved from."""
    return bool(
        await conn.fetchval(
            """
            -- notifications.move_version
            UPDATE notifications.department_text_version
               SET state = $3, submitted_at = $4, approved_at = $5, ended_at = $6, decided_by = $7, reason = $8,
                   revision = revision + 1
             WHERE text_id = $1 AND version = $2 AND state = $9
            RETURNING true
            """,
            moved.text_id, moved.version, moved.state.value, moved.submitted_at, moved.approved_at, moved.ended_at,
            moved.decided_by, moved.reason, before.value,
        )
    )  # fmt: skip


async def put_provider_ids(conn: Connection, text_id: UUID, version: int, ids: Mapping[str, ProviderIds]) -> None:
    await conn.execute(
        """
        -- notifications.put_provider_ids
        UPDATE notifications.department_text_version
           SET provider_ids = $3::text::json, revision = revision + 1
         WHERE text_id = $1 AND version = $2
        """,
        text_id, version, _json(ids),
    )  # fmt: skip


async def select_version(conn: Connection, text_id: UUID, version: int) -> Version | None:
    row = await conn.fetchrow(
        """
        -- notifications.select_version
        SELECT t.text_id, t.department_id, t.sort, v.version, v.revision, v.content::text AS content,
               v.provider_ids::text AS provider_ids, v.state, v.written_at, v.submitted_at, v.approved_at, v.ended_at,
               v.decided_by, v.reason
          FROM notifications.department_text AS t
          JOIN notifications.department_text_version AS v ON v.text_id = t.text_id
         WHERE t.text_id = $1 AND v.version = $2
        """,
        text_id, version,
    )  # fmt: skip
    return None if row is None else version_of(row)


async def select_newest_version(conn: Connection, text_id: UUID) -> Version:
    """The newest version of a text that there is: it has one from the beginning."""
    row = await conn.fetchrow(
        """
        -- notifications.select_newest_version
        SELECT t.text_id, t.department_id, t.sort, v.version, v.revision, v.content::text AS content,
               v.provider_ids::text AS provider_ids, v.state, v.written_at, v.submitted_at, v.approved_at, v.ended_at,
               v.decided_by, v.reason
          FROM notifications.department_text AS t
          JOIN notifications.department_text_version AS v ON v.text_id = t.text_id
         WHERE t.text_id = $1 ORDER BY v.version DESC LIMIT 1
        """,
        text_id,
    )
    assert row is not None, "a text begins with a version"
    return version_of(row)


async def select_versions_of(conn: Connection, text_id: UUID) -> list[Version]:
    """Every version of a text, newest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_versions_of
        SELECT t.text_id, t.department_id, t.sort, v.version, v.revision, v.content::text AS content,
               v.provider_ids::text AS provider_ids, v.state, v.written_at, v.submitted_at, v.approved_at, v.ended_at,
               v.decided_by, v.reason
          FROM notifications.department_text AS t
          JOIN notifications.department_text_version AS v ON v.text_id = t.text_id
         WHERE t.text_id = $1 ORDER BY v.version DESC
        """,
        text_id,
    )
    return [version_of(row) for row in rows]


async def select_in_state(conn: Connection, state: TextState, *, after: UUID, limit: int) -> list[Version]:
    """For each text that has a version in a state, the newest such, those of the texts written first first."""
    rows = await conn.fetch(
        """
        -- notifications.select_in_state
        SELECT DISTINCT ON (t.text_id)
               t.text_id, t.department_id, t.sort, v.version, v.revision, v.content::text AS content,
               v.provider_ids::text AS provider_ids, v.state, v.written_at, v.submitted_at, v.approved_at, v.ended_at,
               v.decided_by, v.reason
          FROM notifications.department_text AS t
          JOIN notifications.department_text_version AS v ON v.text_id = t.text_id
         WHERE v.state = $1 AND t.text_id > $2
         ORDER BY t.text_id, v.version DESC LIMIT $3
        """,
        state.value, after, limit,
    )  # fmt: skip
    return [version_of(row) for row in rows]


async def select_revisions(conn: Connection) -> list[Revision]:
    """Every version that was approved once."""
    rows = await conn.fetch(
        """
        -- notifications.select_revisions
        SELECT v.text_id, v.version, v.revision, t.archived_at IS NOT NULL AS is_archived
          FROM notifications.department_text_version AS v
          JOIN notifications.department_text AS t ON t.text_id = v.text_id
         WHERE v.approved_at IS NOT NULL
        """
    )
    return [Revision(*row) for row in rows]


async def select_approved(conn: Connection, text_ids: Sequence[UUID]) -> list[Row]:
    """The versions of some texts that were approved once, as they lie."""
    return await conn.fetch(
        """
        -- notifications.select_approved
        SELECT t.text_id, t.department_id, t.sort, v.version, v.revision, v.content::text AS content,
               v.provider_ids::text AS provider_ids, v.state, v.written_at, v.submitted_at, v.approved_at, v.ended_at,
               v.decided_by, v.reason
          FROM notifications.department_text AS t
          JOIN notifications.department_text_version AS v ON v.text_id = t.text_id
         WHERE t.text_id = ANY($1) AND v.approved_at IS NOT NULL
        """,
        text_ids,
    )


def version_of(row: Row) -> Version:
    """A version as it lies. Raises msgspec.MsgspecError for one this code cannot read."""
    return Version(
        text_id=row["text_id"],
        department_id=DepartmentId(row["department_id"]),
        sort=TextSort(row["sort"]),
        version=row["version"],
        revision=row["revision"],
        content=_CONTENT.decode(row["content"]),
        provider_ids=_PROVIDER_IDS.decode(row["provider_ids"]),
        state=TextState(row["state"]),
        written_at=row["written_at"],
        submitted_at=row["submitted_at"],
        approved_at=row["approved_at"],
        ended_at=row["ended_at"],
        decided_by=row["decided_by"],
        reason=row["reason"],
    )


def _text_of(row: Row) -> TextRow:
    department_id = DepartmentId(row["department_id"])
    return TextRow(row["text_id"], department_id, TextSort(row["sort"]), row["created_at"], row["archived_at"])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
