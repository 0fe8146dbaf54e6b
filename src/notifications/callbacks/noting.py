"""What happened is noted for the departments that asked to hear of it, in the transaction in which it happened."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.ids import DepartmentId, MessageId
from notifications.callbacks import queries
from notifications.callbacks.endpoints.held import HeldEndpoints
from notifications.callbacks.model import (
    GIVEN_UP_AFTER,
    Endpoint,
    EndpointId,
    EventId,
    EventType,
    event_id_of,
)
from notifications.callbacks.seals import CallbackSeals
from notifications.ending.endings import Ended
from notifications.model import DeliveryStage, MessageStage
from notifications.notifying import CALLER_PREFIX

CALLERS_REMEMBERED_MAX: Final = 10_000

EVENT_OF: Final[Mapping[str, EventType]] = {
    DeliveryStage.DELIVERED: EventType.DELIVERED,
    DeliveryStage.EXPIRED: EventType.FAILED,
    DeliveryStage.WITHDRAWN: EventType.FAILED,
    DeliveryStage.UNDELIVERABLE: EventType.FAILED,
    DeliveryStage.UNKNOWN: EventType.UNKNOWN,
    MessageStage.UNSENDABLE: EventType.FAILED,
}
"""Which event an end is; `state` in the event says the end itself."""


class MessageEnded(msgspec.Struct, frozen=True):
    """`data` of an event about a message: its id, what the department calls it, and how it ended."""

    message_id: MessageId
    reference: str | None
    batch_id: UUID | None
    channel: str | None
    state: str
    reason: str | None


class Happened(msgspec.Struct, frozen=True):
    """Something a department may hear of. With `about` and `detail` the same, it is the same event."""

    service_id: DepartmentId
    type: EventType
    about: UUID
    data: msgspec.Struct
    detail: str = ""

    def __repr__(self) -> str:
        return f"Happened({self.type}, {self.about})"

    @property
    def event_id(self) -> EventId:
        return event_id_of(self.type, self.about, self.detail)


class _Body(msgspec.Struct, frozen=True):
    """A callback's body (Standard Webhooks, "Payload structure")."""

    type: EventType
    timestamp: datetime
    data: msgspec.Struct


class Noting:
    """Files events for endpoints that want them. A listener of endings (`ending.endings`)."""

    def __init__(self, endpoints: HeldEndpoints, seals: CallbackSeals) -> None:
        self._endpoints = endpoints
        self._seals = seals
        self._services: dict[str, DepartmentId | None] = {}

    def hears(self, service_id: DepartmentId, kind: EventType) -> bool:
        """Whether anybody is to be told, so that what nobody hears need not be put together."""
        return bool(self._endpoints.current.wanting(service_id, kind))

    async def ended(self, conn: Connection, rows: Sequence[Ended], now: datetime) -> None:
        """Note the ends of departments' messages to numbers and addresses that they named themselves.

        Of a message to a person whom they asked us to find by an ID number they hear nothing: whether it ended, and by
        which way, would tell whether that person is known.
        """
        listening = self._endpoints.current.services
        if not listening:
            return
        heard: dict[MessageId, list[tuple[DepartmentId, EventType, Ended]]] = {}
        places: set[tuple[int, MessageId]] = set()
        for row in rows:
            service_id = self._service_of(row.caller)
            kind = EVENT_OF.get(row.stage)
            if service_id in listening and kind is not None and self.hears(service_id, kind):
                heard.setdefault(row.message_id, []).append((service_id, kind, row))
                places.add((row.bucket, row.message_id))
        if heard:
            await self._note_ends(conn, heard, sorted(places), now)

    async def _note_ends(
        self,
        conn: Connection,
        heard: Mapping[MessageId, Sequence[tuple[DepartmentId, EventType, Ended]]],
        places: Sequence[tuple[int, MessageId]],
        now: datetime,
    ) -> None:
        addressed = await queries.select_addressed(conn, places)
        ends = [end for message_id in sorted(addressed) for end in heard[message_id]]
        named = sorted({(service_id, row.message_id) for service_id, _, row in ends})
        references = await queries.select_references(conn, named) if named else {}
        happened = []
        for service_id, kind, row in ends:
            known = references.get(row.message_id)
            data = MessageEnded(
                message_id=row.message_id,
                reference=None if known is None else known.reference,
                batch_id=None if known is None else known.batch_id,
                channel=row.channel,
                state=str(row.stage),
                reason=row.reason,
            )
            happened.append(Happened(service_id, kind, row.message_id, data, row.channel or ""))
        await self.note(conn, happened, now=now)

    async def note(self, conn: Connection, happened: Sequence[Happened], *, now: datetime) -> None:
        """File what happened for every endpoint that wants it; it commits with the caller's transaction or not at all.

        What was noted before is not noted again.
        """
        current = self._endpoints.current
        wanted = [(endpoint, one) for one in happened for endpoint in current.wanting(one.service_id, one.type)]
        await self._file(conn, wanted, now)

    async def note_at(self, conn: Connection, endpoint: Endpoint, happened: Happened, *, now: datetime) -> EventId:
        """File something for one endpoint, whatever it wants: a test."""
        await self._file(conn, [(endpoint, happened)], now)
        return happened.event_id

    async def _file(self, conn: Connection, wanted: Sequence[tuple[Endpoint, Happened]], now: datetime) -> None:
        if not wanted:
            return
        rows: dict[tuple[EndpointId, EventId], queries.NewEvent] = {}
        for endpoint, one in wanted:
            endpoint_id, event_id = endpoint.endpoint_id, one.event_id
            body = msgspec.json.encode(_Body(one.type, now, one.data))
            sealed = self._seals.body(endpoint_id, event_id, body)
            rows[endpoint_id, event_id] = queries.NewEvent(
                endpoint_id, event_id, one.type, sealed, now, now, now + GIVEN_UP_AFTER
            )
        await queries.insert_events(conn, [rows[place] for place in sorted(rows)])

    def _service_of(self, caller: str) -> DepartmentId | None:
        """The department that owed a message; None for the city's own parts."""
        if not caller.startswith(CALLER_PREFIX):
            return None
        if caller not in self._services:
            if len(self._services) >= CALLERS_REMEMBERED_MAX:
                self._services.clear()
            self._services[caller] = service_of(caller)
        return self._services[caller]


def service_of(caller: str) -> DepartmentId | None:
    """The department in `department:{id}`; None for whoever else owes messages."""
    if not caller.startswith(CALLER_PREFIX):
        return None
    try:
        return DepartmentId(UUID(caller.removeprefix(CALLER_PREFIX)))
    except ValueError:
        return None
