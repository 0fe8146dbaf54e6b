"""A department sets, changes and removes its endpoints, and changes their secrets without missing a call."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

import msgspec

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId
from kernel.snapshots import announce
from notifications.callbacks import signing
from notifications.callbacks.addresses import Reach
from notifications.callbacks.endpoints import queries
from notifications.callbacks.endpoints.held import NAME, opened
from notifications.callbacks.errors import AddressNotCalled, CallbackIdTaken, CallbackNotFound, TooManyCallbacks
from notifications.callbacks.model import (
    ENDPOINTS_KEPT_MAX,
    ENDPOINTS_MAX,
    DisabledFor,
    Endpoint,
    EndpointId,
    EventType,
    KeptSecret,
    Target,
)
from notifications.callbacks.seals import CallbackSeals

ACT = "callbacks"


class Set(msgspec.Struct, frozen=True):
    """An endpoint as it was set; `secret` where it was made by this, and never again."""

    endpoint: Endpoint
    secret: str | None

    def __repr__(self) -> str:
        return f"Set({self.endpoint.endpoint_id})"


class Setting:
    """Sets endpoints. `draw` makes so many bytes of chance."""

    def __init__(
        self, db: Database, clock: Clock, seals: CallbackSeals, reach: Reach, draw: Callable[[int], bytes]
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._reach = reach
        self._draw = draw

    async def put(
        self, service_id: DepartmentId, endpoint_id: EndpointId, url: str, events: Collection[EventType]
    ) -> Set:
        """Make an endpoint, or say of one that there is what it is told and where; its secrets stay.

        Raises AddressNotCalled, CallbackIdTaken, TooManyCallbacks.
        """
        wrong = self._reach.wrong_with(url)
        if wrong is not None:
            raise AddressNotCalled(wrong)
        wanted = sorted(events)
        now = self._clock.now()
        async with self._db.transaction() as conn:
            row = await queries.lock_endpoint(conn, endpoint_id)
            secret = None
            if row is None:
                secret = self._draw(signing.SECRET_BYTES)
                await self._make(conn, service_id, endpoint_id, Target(url, (KeptSecret(secret, None),)), wanted)
                await self._record(conn, service_id, endpoint_id, "make")
            else:
                if row.service_id != service_id or row.removed_at is not None:
                    raise CallbackIdTaken
                target = msgspec.structs.replace(opened(self._seals, row).target, url=url)
                sealed = self._seals.target(endpoint_id, target)
                await queries.update_endpoint(conn, endpoint_id, wanted, sealed, now=now)
                await self._record(conn, service_id, endpoint_id, "change")
            found = await self._locked(conn, service_id, endpoint_id)
        return Set(found, None if secret is None else signing.written(secret))

    async def _make(
        self, conn: Connection, service_id: DepartmentId, endpoint_id: EndpointId, target: Target, events: Sequence[str]
    ) -> None:
        """File it under the first number that is free; another request may take that number meanwhile."""
        if await queries.count_endpoints(conn, service_id) >= ENDPOINTS_KEPT_MAX:
            raise TooManyCallbacks("too many were removed within a day: change one by its id, or try again tomorrow")
        now = self._clock.now()
        sealed = self._seals.target(endpoint_id, target)
        for _ in range(ENDPOINTS_MAX):
            taken = await queries.select_numbers(conn, service_id)
            free = sorted(set(range(1, ENDPOINTS_MAX + 1)) - taken)
            if not free:
                raise TooManyCallbacks
            row = queries.EndpointRow(
                endpoint_id, service_id, free[0], list(events), sealed, now, None, None, None, None
            )  # fmt: skip
            if await queries.insert_endpoint(conn, row):
                return
            if await queries.lock_endpoint(conn, endpoint_id) is not None:
                raise CallbackIdTaken(
                    "this id was used for another callback at the same moment: read it, then try again"
                )
        raise TooManyCallbacks

    async def rotate(self, service_id: DepartmentId, endpoint_id: EndpointId, overlap: timedelta) -> Set:
        """Sign with a new secret from now on, and with those before it too for `overlap`. Raises CallbackNotFound."""
        now = self._clock.now()
        secret = self._draw(signing.SECRET_BYTES)
        async with self._db.transaction() as conn:
            endpoint = await self._locked(conn, service_id, endpoint_id)
            sealed = self._seals.target(endpoint_id, endpoint.target.rotated(secret, now=now, overlap=overlap))
            await queries.update_endpoint(conn, endpoint_id, sorted(endpoint.events), sealed, now=now)
            await self._record(conn, service_id, endpoint_id, "rotate_secret_of")
        return Set(endpoint, signing.written(secret))

    async def enable(self, service_id: DepartmentId, endpoint_id: EndpointId) -> Endpoint:
        """Call it again. What happened while it was disabled it is not told. Raises CallbackNotFound."""
        async with self._db.transaction() as conn:
            await self._locked(conn, service_id, endpoint_id)
            await queries.enable_endpoint(conn, endpoint_id, now=self._clock.now())
            await self._record(conn, service_id, endpoint_id, "enable")
            return await self._locked(conn, service_id, endpoint_id)

    async def remove(self, service_id: DepartmentId, endpoint_id: EndpointId) -> None:
        """Call it no more; what it was still to be told is forgotten. Raises CallbackNotFound."""
        async with self._db.transaction() as conn:
            await self._locked(conn, service_id, endpoint_id)
            await queries.remove_endpoint(conn, endpoint_id, now=self._clock.now())
            await self._record(conn, service_id, endpoint_id, "remove")

    async def disable(self, endpoint_id: EndpointId, *, actor: str) -> None:
        """An operator has it left alone until its department enables it. Raises CallbackNotFound."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            row = await queries.lock_endpoint(conn, endpoint_id)
            if row is None or row.removed_at is not None:
                raise CallbackNotFound
            if await queries.disable_endpoint(conn, endpoint_id, DisabledFor.OPERATOR, failing_before=None, now=now):
                subject = f"callback:{endpoint_id}"
                await audit.record(conn, actor=actor, act=f"{ACT}.disable", subject=subject, now=now)
                await announce(conn, NAME)

    async def _locked(self, conn: Connection, service_id: DepartmentId, endpoint_id: EndpointId) -> Endpoint:
        row = await queries.lock_endpoint(conn, endpoint_id)
        if row is None or row.service_id != service_id or row.removed_at is not None:
            raise CallbackNotFound
        return opened(self._seals, row)

    async def _record(self, conn: Connection, service_id: DepartmentId, endpoint_id: EndpointId, did: str) -> None:
        await audit.record(
            conn,
            actor=f"department:{service_id}",
            act=f"{ACT}.{did}",
            subject=f"callback:{endpoint_id}",
            now=self._clock.now(),
        )
        await announce(conn, NAME)
