"""What callbacks were told, over HTTP: departments try them, and replay what they missed."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

import notifications.callbacks.endpoints.http
from kernel.audience import Handlers, merged
from kernel.clock import within_calendar
from kernel.errors import RoleMissing
from kernel.principal import Audience, DepartmentSystem
from kernel.problems import refuses
from notifications.callbacks.errors import (
    CallbackCursorUnknown,
    CallbackDisabled,
    CallbackEventNotFound,
    CallbackNotFound,
)
from notifications.callbacks.keeping import EVENTS_PAGE_MAX
from notifications.callbacks.model import EndpointId, EventId, EventStage, EventType
from notifications.callbacks.parts import Callbacks
from notifications.callbacks.queries import EventRow
from notifications.callbacks.signing import webhook_id
from notifications.paging import cursor_of, place_of

_LAST_ID = UUID(int=2**128 - 1)
_LAST = (datetime(9999, 1, 1, tzinfo=UTC), EventId(_LAST_ID), EndpointId(_LAST_ID))


class EventIdView(msgspec.Struct):
    """The event, and the `webhook-id` it is told under."""

    event_id: UUID
    webhook_id: str


@post(
    "/callbacks/{callback_id:uuid}/test",
    operation_id="testCallback",
    summary="Try a callback",
    status_code=202,
    responses=refuses(RoleMissing, CallbackNotFound, CallbackDisabled),
)
async def test_callback(
    callback_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
) -> EventIdView:
    """Have an event `callback.test` told to it; its end stands among the callback's events."""
    event_id = await callbacks.keeping.test(department.department_id, EndpointId(callback_id))
    callbacks.telling.look_now.set()
    return EventIdView(event_id, webhook_id(event_id))


class EventView(msgspec.Struct):
    """An event. `waiting` for a try at `next_at`, `sending`, `told`, or `dead` after a day of tries.

    `reason` says what the last try came to. What the event holds is told to the callback alone.
    """

    callback_id: UUID
    event_id: UUID
    webhook_id: str
    type: EventType
    made_at: datetime
    state: EventStage
    tries: int
    next_at: datetime | None
    ended_at: datetime | None
    reason: str | None

    @classmethod
    def of(cls, row: EventRow) -> "EventView":
        return cls(
            row.endpoint_id, row.event_id, webhook_id(row.event_id), row.type, row.made_at, row.stage, row.tries,
            row.next_at, row.ended_at, row.reason,
        )  # fmt: skip


class EventsView(msgspec.Struct):
    events: list[EventView]
    next_cursor: str | None


@get(
    "/callbacks/events",
    operation_id="listCallbackEvents",
    summary="What you were told, or could not be",
    responses=refuses(RoleMissing, CallbackNotFound, CallbackCursorUnknown),
)
async def list_callback_events(
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
    stage: Annotated[EventStage | None, QueryParameter(name="state", description="Only events so far.")] = None,
    callback_id: Annotated[UUID | None, QueryParameter(description="Only events of this callback.")] = None,
    cursor: Annotated[str | None, QueryParameter(max_length=60, description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=EVENTS_PAGE_MAX)] = 50,
) -> EventsView:
    """Events of your callbacks, newest first: what was told is listed for 3 days, what is dead for 30."""
    keeping = callbacks.keeping
    if callback_id is None:
        endpoint_ids = [one.endpoint_id for one in keeping.of(department.department_id)]
    else:
        endpoint_ids = [(await keeping.found(department.department_id, EndpointId(callback_id))).endpoint_id]
    before = _LAST if cursor is None else _place(cursor)
    rows = await keeping.events(endpoint_ids, stage, before=before, limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    more = None if last is None else cursor_of(last.made_at, last.event_id, last.endpoint_id)
    return EventsView([EventView.of(row) for row in rows[:limit]], more)


@post(
    "/callbacks/{callback_id:uuid}/events/{event_id:uuid}/replay",
    operation_id="replayCallbackEvent",
    summary="Be told one event again",
    status_code=202,
    responses=refuses(RoleMissing, CallbackNotFound, CallbackEventNotFound),
)
async def replay_callback_event(
    callback_id: FromPath[UUID],
    event_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
) -> EventView:
    """Have an event told again, dead or told, under the `webhook-id` it always had, for a day from now if need be."""
    row = await callbacks.keeping.replay(department.department_id, EndpointId(callback_id), EventId(event_id))
    callbacks.telling.look_now.set()
    return EventView.of(row)


class ReplayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """From when on: dead events that happened since then, with an offset (RFC 3339)."""

    since: Annotated[datetime, Meta(tz=True)]


class ReplayView(msgspec.Struct):
    """How many dead events are told again. With `is_more`, ask again for the rest."""

    replayed: int
    is_more: bool


@post(
    "/callbacks/{callback_id:uuid}/replay",
    operation_id="replayCallbackEvents",
    summary="Be told again what you missed",
    status_code=202,
    responses=refuses(RoleMissing, CallbackNotFound),
)
async def replay_callback_events(
    callback_id: FromPath[UUID],
    data: JSONBody[ReplayRequest],
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
) -> ReplayView:
    """Have every dead event since a moment told again, for a day from now if need be; 100,000 at once at most."""
    keeping = callbacks.keeping
    since = within_calendar(data.since)
    replayed, is_more = await keeping.replay_since(department.department_id, EndpointId(callback_id), since)
    callbacks.telling.look_now.set()
    return ReplayView(replayed, is_more)


def _place(cursor: str) -> tuple[datetime, EventId, EndpointId]:
    """Where a cursor points. Raises CallbackCursorUnknown for anything but what we made."""
    try:
        at, [event_id, endpoint_id] = place_of(cursor, ids=2)
    except ValueError:
        raise CallbackCursorUnknown from None
    return at, EventId(event_id), EndpointId(endpoint_id)


_OF_EVENTS: Handlers = {
    Audience.DEPARTMENT: [test_callback, list_callback_events, replay_callback_event, replay_callback_events]
}
HANDLERS: Handlers = merged(notifications.callbacks.endpoints.http.HANDLERS, _OF_EVENTS)
