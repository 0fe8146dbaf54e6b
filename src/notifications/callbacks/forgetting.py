"""What departments were to be told of a message or of a text is forgotten with it, heard or not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, get_args
from uuid import UUID

from kernel.db import Connection
from kernel.ids import DepartmentId
from notifications.callbacks import queries
from notifications.callbacks.endpoints import queries as endpoint_queries
from notifications.callbacks.model import EventId, EventType, event_id_of
from notifications.callbacks.noting import service_of
from notifications.model import Channel
from notifications.retention.model import Forgotten

ENDS: Final = (EventType.DELIVERED, EventType.FAILED, EventType.UNKNOWN)
WAYS: Final = ("", *get_args(Channel))
"""What an event of a message names besides: the channel that ended, or nothing where the whole message did."""


class ForgettingEvents:
    """A listener of `retention.forgetting`. Events are found by their ids, which are of what they are about."""

    async def forgotten(self, conn: Connection, rows: Sequence[Forgotten], _now: datetime) -> None:
        """Forget every event about these messages."""
        events: dict[DepartmentId, list[EventId]] = defaultdict(list)
        for row in rows:
            service_id = service_of(row.caller)
            if service_id is not None:
                events[service_id] += (event_id_of(kind, row.message_id, way) for kind in ENDS for way in WAYS)
        await _forget(conn, events)


async def forget_received(conn: Connection, texts: Iterable[tuple[DepartmentId, UUID]]) -> None:
    """Forget every event about texts that were passed on to departments."""
    events: dict[DepartmentId, list[EventId]] = defaultdict(list)
    for service_id, text_id in texts:
        events[service_id].append(event_id_of(EventType.RECEIVED, text_id))
    await _forget(conn, events)


async def _forget(conn: Connection, events: Mapping[DepartmentId, Sequence[EventId]]) -> None:
    if not events:
        return
    for endpoint_id, service_id in await endpoint_queries.select_endpoints_of(conn, sorted(events)):
        await queries.delete_events(conn, endpoint_id, sorted(events[service_id]))
