"""A department's own server, what it is called back with, and messages of the department that end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from aiohttp import web

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId, MessageId
from kernel.sealing import Keys
from notifications import templates
from notifications.callbacks.addresses import Reach
from notifications.callbacks.endpoints.setting import Set
from notifications.callbacks.model import EndpointId, EventType
from notifications.callbacks.parts import Callbacks
from notifications.ending.endings import Ended
from notifications.model import DeliveryStage, Lane
from notifications.outbox import Outbox, ToNobody, ToPhone, bucket_in
from tests.builders_gateway import served
from tests.builders_notifications import PHONE, a_promise

SERVICE = DepartmentId(uuid4())
"""The department that is called back."""
IN_A_DEMO = Reach(has_loopback=True)
EVERYTHING = tuple(kind for kind in EventType if kind is not EventType.TEST)


class OwnServer:
    """A department's server. Answers `status`, after `pause_seconds`; remembers what it was told."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.pause_seconds = 0.0
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.at_once = 0
        self.at_once_max = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/calls", self._called)])
        return app

    async def _called(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            self.told.append((dict(request.headers), await request.read()))
            await asyncio.sleep(self.pause_seconds)
        finally:
            self.at_once -= 1
        return web.Response(status=self.status, headers=self.headers)

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of every call."""
        return [{name.lower(): value for name, value in headers.items()}["webhook-id"] for headers, _ in self.told]


@asynccontextmanager
async def own_server() -> AsyncIterator[tuple[OwnServer, str]]:
    """A server and the address it is to be called back at."""
    server = OwnServer()
    async with served(server.app()) as origin:
        yield server, f"{origin}/calls"


@asynccontextmanager
async def callbacks_over(db: Database, clock: Clock, keys: Keys) -> AsyncIterator[Callbacks]:
    opened = Callbacks(db, clock, keys, IN_A_DEMO, chance=lambda: 0.0)
    await opened.endpoints.snapshot.refresh()
    yield opened
    await opened.telling.finish(within_seconds=1.0)
    await opened.close()


async def a_callback(
    callbacks: Callbacks, url: str, service_id: DepartmentId, events: Sequence[EventType] = EVERYTHING
) -> Set:
    made = await callbacks.setting.put(service_id, EndpointId(uuid4()), url, events)
    await callbacks.endpoints.snapshot.refresh()
    return made


async def messages_of(
    db: Database, clock: Clock, keys: Keys, service_id: UUID, count: int = 1, *, to: ToPhone | ToNobody | None = None
) -> list[MessageId]:
    """Messages that a department owes to a number that it named, or to `to`."""
    outbox, found = Outbox(keys), []
    now = clock.now()
    async with db.transaction() as conn:
        for _ in range(count):
            promise = a_promise(templates.CERTIFICATE_ISSUED, to=to or ToPhone(PHONE), due_at=now)
            owed = type(promise)(
                caller=f"department:{service_id}", key=promise.key, to=promise.to, template=promise.template,
                values=promise.values, due_at=now,
            )  # fmt: skip
            found.append(await outbox.owe(conn, owed, now=now))
    return found


def ends_of(
    service_id: UUID, message_ids: Sequence[MessageId], stage: DeliveryStage = DeliveryStage.DELIVERED
) -> list[Ended]:
    caller = f"department:{service_id}"
    return [Ended(bucket_in(one), one, "sms", stage, caller, None, Lane.RESULT) for one in message_ids]


async def end(
    callbacks: Callbacks,
    service_id: UUID,
    message_ids: Sequence[MessageId],
    stage: DeliveryStage = DeliveryStage.DELIVERED,
) -> None:
    """End messages, as whoever ends something tells it."""
    async with callbacks.db.transaction() as conn:
        await callbacks.noting.ended(conn, ends_of(service_id, message_ids, stage), callbacks.clock.now())


async def something_ended(
    callbacks: Callbacks, db: Database, clock: Clock, keys: Keys, count: int = 1, service_id: DepartmentId = SERVICE
) -> list[MessageId]:
    """So many messages of a department are delivered."""
    message_ids = await messages_of(db, clock, keys, service_id, count)
    await end(callbacks, service_id, message_ids)
    return message_ids


async def events(db: Database) -> dict[str, int]:
    """How many events are kept in each stage."""
    rows = await db.fetch("SELECT stage, count(*) FROM notifications.callback_event GROUP BY stage")
    return {row[0]: row[1] for row in rows}
