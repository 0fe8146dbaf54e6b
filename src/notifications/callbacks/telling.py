"""The worker tells endpoints what happened: each on its own, some calls at once, again and again until it is heard.

Claimed under a lease and a fence. Killed between a call and its record, an event is told again once its lease has
ended, under the same id: a receiver may hear of a thing twice, and knows it by `webhook-id`. Events come in no order.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.log import get_logger
from kernel.sealing import NotSealedHere
from kernel.snapshots import announce
from notifications.callbacks import queries
from notifications.callbacks.calling import Answer, Calls
from notifications.callbacks.endpoints import queries as endpoint_queries
from notifications.callbacks.endpoints.held import NAME, HeldEndpoints
from notifications.callbacks.model import DISABLED_AFTER, DisabledFor, Endpoint, EndpointId, EventStage, next_try
from notifications.callbacks.resting import Rest
from notifications.callbacks.seals import CallbackSeals
from notifications.callbacks.signing import signed_headers

CALLS_AT_ONCE_MAX: Final = 16
"""To one endpoint, from one process."""
ENDPOINTS_AT_ONCE_MAX: Final = 256
"""Endpoints that one process calls at once: those that are slow take up no more than their own place."""
LEASE: Final = timedelta(minutes=1)
"""Outlasts a call, and the record of what it came to."""
POLL_SECONDS: Final = 1.0
"""How long something that happened waits at most before it is told."""

log = get_logger(__name__)


class Told(msgspec.Struct, frozen=True):
    """An event that was tried, and what came of it."""

    event: queries.DueEvent
    answer: Answer


class Telling:
    """Calls endpoints. `chance` is of [0, 1)."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: CallbackSeals,
        endpoints: HeldEndpoints,
        calls: Calls,
        chance: Callable[[], float],
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._endpoints = endpoints
        self._calls = calls
        self._chance = chance
        self._rests: dict[EndpointId, Rest] = {}
        self._under_way: dict[EndpointId, asyncio.Task[None]] = {}
        self.look_now = asyncio.Event()
        """Set when something was noted in this process: a hint."""

    async def keep_telling(self) -> None:
        """Find what is to be told, every second, for as long as the process runs; `finish` waits for what is begun."""
        while True:
            self.look_now.clear()
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self.look_now.wait()

    async def look(self) -> int:
        """Begin to tell every endpoint that has something due, may be called, and is not being told; how many."""
        now = self._clock.now()
        ready = [
            one.endpoint_id
            for one in self._endpoints.current.enabled
            if one.endpoint_id not in self._under_way and not self._rest(one.endpoint_id).is_resting(now)
        ]
        if not ready:
            return 0
        async with self._db.connection() as conn:
            due = await queries.select_due_endpoints(conn, ready, now=now)
        room = ENDPOINTS_AT_ONCE_MAX - len(self._under_way)
        for endpoint_id in due[: max(room, 0)]:
            self._begin(endpoint_id)
        return len(due)

    def _begin(self, endpoint_id: EndpointId) -> None:
        task = asyncio.create_task(self._tell_all(endpoint_id), name=f"call back {endpoint_id}")
        self._under_way[endpoint_id] = task
        task.add_done_callback(lambda _: self._under_way.pop(endpoint_id, None))

    async def _tell_all(self, endpoint_id: EndpointId) -> None:
        """Tell an endpoint whatever is due to it, until nothing is or it is left alone."""
        try:
            while await self._tell_some(endpoint_id):
                if self._rest(endpoint_id).is_resting(self._clock.now()):
                    return
        except Exception as failure:  # noqa: BLE001 -- leases end, and the next look finds it again
            log.warning("callbacks were held up", callback_id=str(endpoint_id), error=type(failure).__name__)

    async def _tell_some(self, endpoint_id: EndpointId) -> bool:
        """Claim what is due, tell it side by side, and record it; whether there may be more."""
        endpoint = self._endpoints.current.by_id.get(endpoint_id)
        if endpoint is None or endpoint.disabled_at is not None:
            return False
        now = self._clock.now()
        limit = 1 if self._rest(endpoint_id).is_probing else CALLS_AT_ONCE_MAX
        async with self._db.transaction() as conn:
            claimed = await queries.claim_events(conn, endpoint_id, now=now, lease_until=now + LEASE, limit=limit)
        if not claimed:
            return False
        told = await asyncio.gather(*(self._tell(endpoint, event) for event in claimed))
        await self._record(endpoint, told)
        return len(claimed) == limit

    async def _tell(self, endpoint: Endpoint, event: queries.DueEvent) -> Told:
        try:
            body = self._seals.open_body(endpoint.endpoint_id, event.event_id, event.sealed_body)
        except NotSealedHere:
            log.warning("an event cannot be read", event_id=str(event.event_id))
            return Told(event, Answer(is_taken=False, reason="cannot be read"))
        now = self._clock.now()
        headers = signed_headers(event.event_id, body, endpoint.target.signing(now), now=now)
        return Told(event, await self._calls.call(endpoint.service_id, endpoint.target.url, headers, body))

    async def _record(self, endpoint: Endpoint, told: Sequence[Told]) -> None:
        """Write what became of each, and of the endpoint. Should this fail, the leases end and all is told again."""
        now = self._clock.now()
        endpoint_id, rest = endpoint.endpoint_id, self._rest(endpoint.endpoint_id)
        moved = sorted((self._moved(one, now) for one in told), key=lambda one: one.event_id)
        for one in told:
            rest.note(is_taken=one.answer.is_taken, now=now)
        async with self._db.transaction() as conn:
            await queries.move_events(conn, endpoint_id, moved)
            if any(one.answer.is_taken for one in told):
                if endpoint.failing_since is not None or rest.was_failing:
                    await endpoint_queries.mark_well(conn, endpoint_id)
                rest.was_failing = False
            elif rest.is_probing:
                await endpoint_queries.mark_failing(conn, endpoint_id, now=now)
                rest.was_failing = True
            is_gone = any(one.answer.is_gone for one in told)
            if is_gone or any(one.stage is EventStage.DEAD for one in moved):
                await disable_if_dead(conn, endpoint_id, is_gone=is_gone, now=now)

    def _moved(self, one: Told, now: datetime) -> queries.Moved:
        event, answer = one.event, one.answer
        if answer.is_taken:
            return queries.Moved(event.event_id, event.fence, EventStage.TOLD, None, now, answer.reason)
        next_at = next_try(event.tries, now=now, chance=self._chance(), asked=answer.asked)
        if next_at is None:
            return queries.Moved(event.event_id, event.fence, EventStage.DEAD, None, now, answer.reason)
        return queries.Moved(event.event_id, event.fence, EventStage.WAITING, next_at, None, answer.reason)

    def _rest(self, endpoint_id: EndpointId) -> Rest:
        found = self._rests.get(endpoint_id)
        if found is None:
            known = self._endpoints.current.by_id
            self._rests = {kept: rest for kept, rest in self._rests.items() if kept in known}
            found = self._rests[endpoint_id] = Rest()
        return found

    async def finish(self, *, within_seconds: float) -> None:
        """Wait for the calls that are out, so that stopping tells nothing twice; then leave them to their leases."""
        tasks = list(self._under_way.values())
        if tasks:
            await asyncio.wait(tasks, timeout=within_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def tell_everything(self) -> int:
        """Tell until nothing is due by the clock: for tests, and to show a beat without waiting; how many rounds."""
        rounds = 0
        while await self.look() or self._under_way:
            await asyncio.gather(*self._under_way.values())
            rounds += 1
        return rounds


async def disable_if_dead(conn: Connection, endpoint_id: EndpointId, *, is_gone: bool, now: datetime) -> None:
    """Leave an endpoint alone that wants no more, or took nothing for days. Operators find it, and its department."""
    why = DisabledFor.GONE if is_gone else DisabledFor.FAILING
    before = None if is_gone else now - DISABLED_AFTER
    if not await endpoint_queries.disable_endpoint(conn, endpoint_id, why, failing_before=before, now=now):
        return
    subject = f"callback:{endpoint_id}"
    detail: dict[str, str | int | bool] = {"why": str(why)}
    await audit.record(conn, actor="system:callbacks", act="callbacks.disable", subject=subject, now=now, detail=detail)
    await announce(conn, NAME)
    log.error("a department is called back no more", callback_id=str(endpoint_id), why=str(why))
