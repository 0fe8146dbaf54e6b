"""A department joins: its manifest is checked, filed, shown to residents, taken away again. Every act is recorded."""

from collections.abc import Mapping
from pathlib import Path

import aiohttp

from gateway.departments import conforming, queries
from gateway.departments.errors import AppUnknown, DepartmentUnknown, SlugTaken
from gateway.departments.manifest import Manifest, ManifestRefused, read
from gateway.departments.model import Registered, State
from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId
from kernel.snapshots import announce

SNAPSHOT = "gateway.department_apps"


def read_file(path: Path, *, variables: Mapping[str, str]) -> Manifest:
    """The manifest in a file. Raises ManifestRefused, whose text begins with the file."""
    try:
        return read(path.read_text(encoding="utf-8"), variables=variables)
    except (OSError, UnicodeDecodeError) as problem:
        raise ManifestRefused(f"{path}: cannot be read: {type(problem).__name__}") from None
    except ManifestRefused as refused:
        raise ManifestRefused(f"{path}: {refused}") from None


async def put_department(
    conn: Connection, department_id: DepartmentId, *, slug: str, name_zh: str, name_en: str
) -> None:
    """File a department, or its new name."""
    await queries.put_department(conn, department_id, slug=slug, name_zh=name_zh, name_en=name_en)


async def register(db: Database, clock: Clock, manifest: Manifest, *, actor: str) -> Registered:
    """File a manifest, the first or a new version; one that is live stays live and is called by its new routes.

    Raises DepartmentUnknown, SlugTaken.
    """
    now = clock.now()
    async with db.transaction() as conn:
        department_id = await queries.select_department(conn, manifest.department)
        if department_id is None:
            known = ", ".join(await queries.select_department_slugs(conn))
            raise DepartmentUnknown(f"`department` is none of: {known}")
        registered = await queries.put_app(conn, department_id, manifest, now=now)
        if registered is None:
            raise SlugTaken
        await audit.record(
            conn,
            actor=actor,
            act="departments.register",
            subject=f"app:{manifest.slug}",
            now=now,
            detail={"version": registered.version, "routes": len(manifest.routes)},
        )
        await announce(conn, SNAPSHOT)
    return registered


async def go_live(
    db: Database, clock: Clock, slug: str, *, actor: str, http: aiohttp.ClientSession | None = None
) -> Registered:
    """Show an app to residents. With `http`, its server is asked first whether it is there.

    Raises AppUnknown, ServerNotReady.
    """
    if http is not None:
        async with db.connection() as conn:
            registered = next((one for one in await queries.select_apps(conn) if one.manifest.slug == slug), None)
        if registered is None:
            raise AppUnknown
        await conforming.check_server(http, registered.manifest)
    return await _change(db, clock, slug, State.LIVE, act="departments.go_live", actor=actor)


async def suspend(db: Database, clock: Clock, slug: str, *, actor: str) -> Registered:
    """Take an app away from residents within a second; go_live brings it back. Raises AppUnknown."""
    return await _change(db, clock, slug, State.SUSPENDED, act="departments.suspend", actor=actor)


async def _change(db: Database, clock: Clock, slug: str, state: State, *, act: str, actor: str) -> Registered:
    now = clock.now()
    async with db.transaction() as conn:
        registered = await queries.lock_app(conn, slug)
        if registered is None:
            raise AppUnknown
        await queries.change_app_state(conn, slug, state, now=now)
        await audit.record(conn, actor=actor, act=act, subject=f"app:{slug}", now=now)
        await announce(conn, SNAPSHOT)
    return Registered(registered.department_id, registered.manifest, state, registered.version)


async def every_app(db: Database) -> list[Registered]:
    """Every app of the city, whatever its state, by slug."""
    async with db.connection() as conn:
        return await queries.select_apps(conn)
