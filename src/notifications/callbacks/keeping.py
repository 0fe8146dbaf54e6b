"""What was not heard in time is dead; what is dead can be told again; and what is old is forgotten."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId, uuid7
from notifications.callbacks import queries
from notifications.callbacks.endpoints import queries as endpoint_queries
from notifications.callbacks.endpoints.held import HeldEndpoints
from notifications.callbacks.endpoints.setting import ACT
from notifications.callbacks.errors import CallbackDisabled, CallbackEventNotFound, CallbackNotFound
from notifications.callbacks.model import (
    DEAD_KEPT_FOR,
    GIVEN_UP_AFTER,
    REMOVED_KEPT_FOR,
    TOLD_KEPT_FOR,
    Endpoint,
    EndpointId,
    EventId,
    EventStage,
    EventType,
)
from notifications.callbacks.noting import Happened, Noting
from notifications.callbacks.telling import disable_if_dead

STEP_MAX: Final = 1_000
"""Events that one transaction gives up, replays or forgets."""
STEPS_MAX: Final = 100
"""Such steps in one beat for one endpoint, or one request."""
COUNTED_MAX: Final = 10_000
EVENTS_PAGE_MAX: Final = 100
FORGOTTEN_EVERY: Final = timedelta(minutes=10)
GIVEN_UP_EVERY: Final = timedelta(minutes=1)


class Tested(msgspec.Struct, frozen=True):
    """`data` of a test."""

    callback_id: EndpointId


class Keeping:
    """Looks after events that were not heard."""

    def __init__(self, db: Database, clock: Clock, endpoints: HeldEndpoints, noting: Noting) -> None:
        self._db = db
        self._clock = clock
        self._endpoints = endpoints
        self._noting = noting

    def of(self, service_id: DepartmentId) -> list[Endpoint]:
        """A department's endpoints, as they are known here."""
        return [one for one in self._endpoints.current.by_id.values() if one.service_id == service_id]

    async def found(self, service_id: DepartmentId, endpoint_id: EndpointId) -> Endpoint:
        """One of them. Raises CallbackNotFound."""
        if endpoint_id not in self._endpoints.current.by_id:
            await self._endpoints.snapshot.refresh()  # perhaps it was made a moment ago, by another process
        endpoint = self._endpoints.current.by_id.get(endpoint_id)
        if endpoint is None or endpoint.service_id != service_id:
            raise CallbackNotFound
        return endpoint

    async def give_up_overdue(self) -> int:
        """Bury what was not heard in time; how many events."""
        now, buried = self._clock.now(), 0
        async with self._db.connection() as conn:
            every = await endpoint_queries.select_all_endpoint_ids(conn)
            kept = [one for one, removed_at in every if removed_at is None]
            overdue = await queries.select_overdue_endpoints(conn, kept, now=now)
        for endpoint_id in overdue:
            for _ in range(STEPS_MAX):
                async with self._db.transaction() as conn:
                    count = await queries.give_up_events(conn, endpoint_id, now=now, limit=STEP_MAX)
                    if count:
                        await disable_if_dead(conn, endpoint_id, is_gone=False, now=now)
                buried += count
                if count < STEP_MAX:
                    break
        return buried

    async def forget_ended(self) -> int:
        """Forget events that were told, or died, long ago, and all of endpoints that were removed; how many.

        A removed endpoint itself is forgotten a day later.
        """
        now, forgotten = self._clock.now(), 0
        async with self._db.connection() as conn:
            every = await endpoint_queries.select_all_endpoint_ids(conn)
        for endpoint_id, removed_at in every:
            for _ in range(STEPS_MAX):
                count = await self._forget_some(endpoint_id, is_removed=removed_at is not None, now=now)
                forgotten += count
                if count < STEP_MAX:
                    break
            if removed_at is not None and count == 0:
                async with self._db.transaction() as conn:
                    await endpoint_queries.delete_endpoint(conn, endpoint_id, removed_before=now - REMOVED_KEPT_FOR)
        return forgotten

    async def _forget_some(self, endpoint_id: EndpointId, *, is_removed: bool, now: datetime) -> int:
        async with self._db.transaction() as conn:
            if is_removed:
                return await queries.delete_events_of_removed(conn, endpoint_id, limit=STEP_MAX)
            told_before, dead_before = now - TOLD_KEPT_FOR, now - DEAD_KEPT_FOR
            return await queries.delete_old_events(
                conn, endpoint_id, told_before=told_before, dead_before=dead_before, limit=STEP_MAX
            )

    async def test(self, service_id: DepartmentId, endpoint_id: EndpointId) -> EventId:
        """Tell an endpoint that this is a test; the id of that event. Raises CallbackNotFound, CallbackDisabled."""
        endpoint = await self.found(service_id, endpoint_id)
        if endpoint.disabled_at is not None:
            raise CallbackDisabled
        now = self._clock.now()
        happened = Happened(service_id, EventType.TEST, uuid7(now), Tested(endpoint_id))
        async with self._db.transaction() as conn:
            event_id = await self._noting.note_at(conn, endpoint, happened, now=now)
            await self._record(conn, "test", endpoint, now, {"event_id": str(event_id)})
        return event_id

    async def replay(self, service_id: DepartmentId, endpoint_id: EndpointId, event_id: EventId) -> queries.EventRow:
        """Tell one event again, for a day from now if need be. Raises CallbackNotFound, CallbackEventNotFound."""
        endpoint = await self.found(service_id, endpoint_id)
        now = self._clock.now()
        async with self._db.transaction() as conn:
            row = await queries.replay_event(conn, endpoint_id, event_id, now=now, give_up_at=now + GIVEN_UP_AFTER)
            if row is None:
                raise CallbackEventNotFound
            await self._record(conn, "replay", endpoint, now, {"event_id": str(event_id)})
        return row

    async def replay_since(
        self, service_id: DepartmentId, endpoint_id: EndpointId, since: datetime
    ) -> tuple[int, bool]:
        """Tell every dead event again that happened since then; how many, and whether there are more to replay.

        Raises CallbackNotFound.
        """
        endpoint = await self.found(service_id, endpoint_id)
        now, replayed = self._clock.now(), 0
        give_up_at = now + GIVEN_UP_AFTER
        is_more = True
        for _ in range(STEPS_MAX):
            async with self._db.transaction() as conn:
                count = await queries.replay_dead(
                    conn, endpoint_id, since=since, now=now, give_up_at=give_up_at, limit=STEP_MAX
                )
            replayed += count
            if count < STEP_MAX:
                is_more = False
                break
        async with self._db.transaction() as conn:
            await self._record(conn, "replay", endpoint, now, {"events": replayed})
        return replayed, is_more

    async def _record(
        self, conn: Connection, did: str, endpoint: Endpoint, now: datetime, detail: dict[str, str | int | bool]
    ) -> None:
        """What a department did to its endpoint."""
        actor, subject = f"department:{endpoint.service_id}", f"callback:{endpoint.endpoint_id}"
        await audit.record(conn, actor=actor, act=f"{ACT}.{did}", subject=subject, now=now, detail=detail)

    async def events(
        self,
        endpoint_ids: list[EndpointId],
        stage: EventStage | None,
        *,
        before: tuple[datetime, EventId, EndpointId],
        limit: int,
    ) -> list[queries.EventRow]:
        """Events of endpoints, newest first."""
        async with self._db.connection() as conn:
            return await queries.select_events(conn, endpoint_ids, stage, before=before, limit=limit)

    async def counted(self, endpoints: list[Endpoint]) -> dict[EndpointId, queries.Counted]:
        """How much each still waits for, and has dead, counted up to COUNTED_MAX."""
        async with self._db.connection() as conn:
            return {
                one.endpoint_id: await queries.count_events(conn, one.endpoint_id, most=COUNTED_MAX)
                for one in endpoints
            }
