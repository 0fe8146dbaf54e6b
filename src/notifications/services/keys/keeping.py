"""A department makes keys for its programs, sees which it has, and revokes one that leaked."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import msgspec

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId, uuid7
from kernel.log import get_logger
from kernel.sealing import Keys, NotSealedHere, Sealer
from kernel.snapshots import Snapshot, announce
from notifications.services.errors import KeyNameTaken, KeyNotFound, TooManyKeys
from notifications.services.keys import queries
from notifications.services.model import KEYS_MAX, Allowance, ApiKey, KeyKind, text_of

SNAPSHOT: Final = "notifications.services"
REVOKED_KEPT: Final = timedelta(days=7)
"""How long a program that still uses a revoked key is told that it was revoked, and not that there is no such key."""
REVOKED_KEPT_MAX: Final = 20
"""Of one service, the last ones: every token that no good key signed is held against each."""

log = get_logger(__name__)


class Held(msgspec.Struct, frozen=True):
    """A key as a process holds it, to check what was signed with it."""

    key: ApiKey
    secret: bytes

    def __repr__(self) -> str:
        return f"Held({self.key.key_id})"


class Book(msgspec.Struct, frozen=True):
    """Every service as a process knows it."""

    held: Mapping[UUID, tuple[Held, ...]]
    """The keys of each service, revoked ones last."""
    allowed: Mapping[DepartmentId, Allowance]

    def allowance(self, service_id: DepartmentId) -> Allowance:
        """How much a service may send; what any may, unless an operator said otherwise."""
        return self.allowed.get(service_id, _ANY)


_ANY: Final = Allowance()


class Made(msgspec.Struct, frozen=True):
    """A key that was just made; `text` is shown this once."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"Made({self.key.key_id})"


class KeyBook:
    """Makes, lists and revokes keys, and holds them in memory."""

    def __init__(self, db: Database, clock: Clock, keys: Keys) -> None:
        self._db = db
        self._clock = clock
        self._sealer = keys.sealer("notifications.api_key")
        self.snapshot: Snapshot[Book] = Snapshot(SNAPSHOT, self._read)

    async def make(self, service_id: DepartmentId, name: str, kind: KeyKind, *, actor: str) -> Made:
        """Make a key; other processes know it within a second. Raises TooManyKeys, KeyNameTaken."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            made = await make(conn, self._sealer, service_id, name, kind, actor=actor, now=now)
        await self.snapshot.refresh()
        return made

    async def plant(self, service_id: DepartmentId, name: str, kind: KeyKind, secret: UUID, *, actor: str) -> str:
        """See that a key of this name and secret is there, for a demo: its text, the same at every start."""
        now = self._clock.now()
        with suppress(KeyNameTaken):
            async with self._db.transaction() as conn:
                await make(conn, self._sealer, service_id, name, kind, actor=actor, now=now, secret=secret)
            await self.snapshot.refresh()
        return text_of(name, service_id, secret)

    async def every(self, service_id: DepartmentId) -> list[ApiKey]:
        """The keys of a service that are good, in the order they were made."""
        async with self._db.connection() as conn:
            return await queries.select_keys_of_service(conn, service_id)

    async def revoke(self, service_id: DepartmentId, key_id: UUID, *, actor: str) -> None:
        """End a key; other processes take nothing signed with it within a second. Raises KeyNotFound."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            if not await queries.revoke_api_key(conn, service_id, key_id, now=now):
                raise KeyNotFound
            await audit.record(conn, actor=actor, act="services.revoke_key", subject=f"key:{key_id}", now=now)
            await announce(conn, SNAPSHOT)
        await self.snapshot.refresh()

    async def allow(self, service_id: DepartmentId, allowed: Allowance, *, actor: str) -> None:
        """Say how much a service may send."""
        now = self._clock.now()
        detail: dict[str, str | int | bool] = {"per_minute": allowed.per_minute, "per_day": allowed.per_day}
        async with self._db.transaction() as conn:
            await queries.put_allowance(conn, service_id, allowed, now=now)
            await audit.record(
                conn, actor=actor, act="services.allow", subject=f"service:{service_id}", now=now, detail=detail
            )
            await announce(conn, SNAPSHOT)
        await self.snapshot.refresh()

    async def _read(self) -> Book:
        async with self._db.connection() as conn:
            since = self._clock.now() - REVOKED_KEPT
            rows = await queries.select_every_key(conn, revoked_since=since, most=REVOKED_KEPT_MAX)
            allowed = await queries.select_allowances(conn)
        held: dict[UUID, list[Held]] = {}
        for key, sealed in rows:
            try:
                secret = self._sealer.unseal(sealed, key.key_id.bytes)
            except NotSealedHere:
                log.warning("a service's key cannot be read", key_id=str(key.key_id))
            else:
                held.setdefault(key.service_id, []).append(Held(key, secret))
        in_order = {
            service_id: tuple(sorted(found, key=lambda one: one.key.revoked_at is not None))
            for service_id, found in held.items()
        }
        return Book(in_order, allowed)


async def make(
    conn: Connection,
    sealer: Sealer,
    service_id: DepartmentId,
    name: str,
    kind: KeyKind,
    *,
    actor: str,
    now: datetime,
    secret: UUID | None = None,
) -> Made:
    """Make a key in the caller's transaction, of that secret or a fresh one. Raises TooManyKeys, KeyNameTaken."""
    await queries.ensure_service(conn, service_id, Allowance(), now=now)
    await queries.lock_service(conn, service_id)
    taken = await queries.select_key_numbers(conn, service_id)
    if name in {one for _, one in taken}:
        raise KeyNameTaken
    free = set(range(1, KEYS_MAX + 1)) - {number for number, _ in taken}
    if not free:
        raise TooManyKeys
    key, secret = ApiKey(uuid7(now), service_id, name, kind, now, None), secret or uuid4()
    await queries.insert_api_key(conn, key, min(free), sealer.seal(str(secret).encode(), key.key_id.bytes))
    await audit.record(
        conn, actor=actor, act="services.make_key", subject=f"key:{key.key_id}", now=now, detail={"kind": kind}
    )
    await announce(conn, SNAPSHOT)
    return Made(key, text_of(name, service_id, secret))
