"""Every statement about departments and their apps."""

from datetime import datetime

import msgspec

from gateway.departments.manifest import Manifest
from gateway.departments.model import Registered, State
from kernel.db import Connection, Row
from kernel.ids import DepartmentId


async def put_department(
    conn: Connection, department_id: DepartmentId, *, slug: str, name_zh: str, name_en: str
) -> None:
    await conn.execute(
        """
        -- gateway.put_department
        INSERT INTO gateway.department (department_id, slug, name_zh, name_en) VALUES ($1, $2, $3, $4)
        ON CONFLICT (department_id) DO UPDATE
           SET slug = EXCLUDED.slug, name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en
        """,
        department_id,
        slug,
        name_zh,
        name_en,
    )


async def select_department(conn: Connection, slug: str) -> DepartmentId | None:
    found = await conn.fetchval(
        """
        -- gateway.select_department
        SELECT department_id FROM gateway.department WHERE slug = $1
        """,
        slug,
    )
    return None if found is None else DepartmentId(found)


async def select_slug_of_department(conn: Connection, department_id: DepartmentId) -> str | None:
    slug: str | None = await conn.fetchval(
        """
        -- gateway.select_slug_of_department
        SELECT slug FROM gateway.department WHERE department_id = $1
        """,
        department_id,
    )
    return slug


async def select_department_slugs(conn: Connection) -> list[str]:
    rows = await conn.fetch(
        """
        -- gateway.select_department_slugs
        SELECT slug FROM gateway.department ORDER BY slug
        """
    )
    return [row["slug"] for row in rows]


async def put_app(
    conn: Connection, department_id: DepartmentId, manifest: Manifest, *, now: datetime
) -> Registered | None:
    """File an app, or a new version of it; None when its name is another department's."""
    row = await conn.fetchrow(
        """
        -- gateway.put_app
        INSERT INTO gateway.department_app (slug, department_id, manifest, state, version, registered_at, changed_at)
        VALUES ($1, $2, $3::text::jsonb, 'registered', 1, $4, $4)
        ON CONFLICT (slug) DO UPDATE
           SET manifest = EXCLUDED.manifest, version = department_app.version + 1, changed_at = EXCLUDED.changed_at
         WHERE department_app.department_id = EXCLUDED.department_id
        RETURNING department_id, manifest::text AS manifest, state, version
        """,
        manifest.slug,
        department_id,
        msgspec.json.encode(manifest).decode(),
        now,
    )
    return None if row is None else _registered(row)


async def lock_app(conn: Connection, slug: str) -> Registered | None:
    row = await conn.fetchrow(
        """
        -- gateway.lock_app
        SELECT department_id, manifest::text AS manifest, state, version
          FROM gateway.department_app WHERE slug = $1 FOR UPDATE
        """,
        slug,
    )
    return None if row is None else _registered(row)


async def change_app_state(conn: Connection, slug: str, state: State, *, now: datetime) -> None:
    await conn.execute(
        """
        -- gateway.change_app_state
        UPDATE gateway.department_app SET state = $2, changed_at = $3 WHERE slug = $1
        """,
        slug,
        state.value,
        now,
    )


async def select_apps(conn: Connection) -> list[Registered]:
    rows = await conn.fetch(
        """
        -- gateway.select_apps
        SELECT department_id, manifest::text AS manifest, state, version FROM gateway.department_app ORDER BY slug
        """
    )
    return [_registered(row) for row in rows]


def _registered(row: Row) -> Registered:
    manifest = msgspec.json.decode(row["manifest"], type=Manifest)
    return Registered(DepartmentId(row["department_id"]), manifest, State(row["state"]), row["version"])
