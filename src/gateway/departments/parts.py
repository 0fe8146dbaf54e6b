"""The departments' part of the entrance, wired from values."""

import asyncio
from typing import Any, Self

import aiohttp

from gateway import outside, tokens
from gateway.departments import conforming, onboarding, queries
from gateway.departments.calling import Calling
from gateway.departments.model import Apps, Registered, State
from gateway.departments.registers import DepartmentRegisters
from gateway.departments.vehicles import DepartmentsForAppointments
from gateway.departments.vouching import Vouching
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.keys import SigningKeys
from kernel.sealing import Keys
from kernel.snapshots import Refreshable, Snapshot

CONNECTIONS_MAX = 1_000
"""To all departments together; each app has its own, much lower bound (Manifest.concurrency_max)."""
ASKED_MAX = 50
"""Servers asked for their health at once."""


class Departments:
    """What the entrance does with the departments' apps."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        signing_keys: SigningKeys,
        http: aiohttp.ClientSession,
        *,
        issuer: str,
    ) -> None:
        self._db = db
        self._clock = clock
        self._http = http
        self._signing_keys = signing_keys
        self._apps: Snapshot[Apps] = Snapshot(onboarding.SNAPSHOT, self._read)
        vouching = Vouching(signing_keys, keys.derived("gateway.pairwise"), issuer=issuer)
        self.calling = Calling(http, clock, vouching, lambda: self._apps.current)
        self.registers = DepartmentRegisters(self.calling, lambda: self._apps.current)
        self.for_appointments = DepartmentsForAppointments(db, self.calling, lambda: self._apps.current)
        self.snapshots: list[Refreshable] = [self._apps]

    @classmethod
    async def open(cls, db: Database, clock: Clock, keys: Keys, signing_keys: SigningKeys, *, issuer: str) -> Self:
        """Wire the part inside the running event loop; `close` it at the end."""
        http = outside.open_client(connections_max=CONNECTIONS_MAX)
        return cls(db, clock, keys, signing_keys, http, issuer=issuer)

    @property
    def apps(self) -> Apps:
        """Every app as this process knows it."""
        return self._apps.current

    def public_keys(self) -> dict[str, Any]:
        """The keys that tokens for departments are checked with, as a JWK set (RFC 7517)."""
        return self._signing_keys.jwks(tokens.DEPARTMENT_PURPOSE)

    async def _read(self) -> Apps:
        return Apps(await onboarding.every_app(self._db))

    async def every_app(self) -> list[Registered]:
        """Every app as it lies in the database."""
        return await onboarding.every_app(self._db)

    async def is_known(self, department_id: DepartmentId) -> bool:
        """Whether the city has a department of this id."""
        async with self._db.connection() as conn:
            return await queries.select_slug_of_department(conn, department_id) is not None

    async def go_live(self, slug: str, *, actor: str) -> Registered:
        """Show an app to residents, once its server answers. Raises AppUnknown, ServerNotReady."""
        return await onboarding.go_live(self._db, self._clock, slug, actor=actor, http=self._http)

    async def suspend(self, slug: str, *, actor: str) -> Registered:
        """Take an app away from residents. Raises AppUnknown."""
        return await onboarding.suspend(self._db, self._clock, slug, actor=actor)

    async def ask_all(self) -> dict[str, bool]:
        """For each live app, whether its server says that it is well."""
        live = [app for app in self.apps.by_slug.values() if app.state is State.LIVE][:ASKED_MAX]
        answers = await asyncio.gather(*(conforming.is_ready(self._http, app.manifest) for app in live))
        return {app.slug: is_ready for app, is_ready in zip(live, answers, strict=True)}

    async def close(self) -> None:
        await self._http.close()
