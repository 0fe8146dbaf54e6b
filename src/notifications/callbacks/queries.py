"""Every statement about what departments are told at their endpoints."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import DepartmentId, MessageId
from notifications.callbacks.model import EndpointId, EventId, EventStage, EventType

# ---- what happened


class NewEvent(msgspec.Struct, frozen=True):
    endpoint_id: EndpointId
    event_id: EventId
    type: EventType
    sealed_body: bytes
    made_at: datetime
    next_at: datetime
    give_up_at: datetime


INSERT_EVENTS = Many(
    """
    -- notifications.insert_events
    INSERT INTO notifications.callback_event
           (endpoint_id, event_id, type, sealed_body, made_at, stage, tries, fence, next_at, give_up_at)
    VALUES {rows}
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
    """,
    columns=7,
    row="({}, {}, {}, {}, {}, 'waiting', 0, 0, {}, {})",
)


async def insert_events(conn: Connection, rows: Sequence[NewEvent]) -> None:
    """File events, sorted by the caller; one that was filed before stays as it is."""
    await INSERT_EVENTS.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


SELECT_ADDRESSED = Many(
    """
    -- notifications.select_addressed
    SELECT m.message_id
      FROM (VALUES {rows}) AS v (bucket, message_id)
      JOIN notifications.message AS m ON m.bucket = v.bucket AND m.message_id = v.message_id
     WHERE m.address IS NOT NULL
    """,
    columns=2,
    row="({}::integer, {}::uuid)",
)


async def select_addressed(conn: Connection, places: Sequence[tuple[int, MessageId]]) -> set[MessageId]:
    """Which messages go to a number or an address that their caller named, not to a person it asked us to find."""
    return {row["message_id"] for row in await SELECT_ADDRESSED.fetch(conn, places)}


class Reference(msgspec.Struct, frozen=True):
    """What a department calls a message, and the batch it came in."""

    message_id: MessageId
    reference: str | None
    batch_id: UUID | None


SELECT_REFERENCES = Many(
    """
    -- notifications.select_references
    SELECT r.message_id, r.reference, r.batch_id
      FROM (VALUES {rows}) AS v (service_id, message_id)
      JOIN notifications.request AS r ON r.service_id = v.service_id AND r.message_id = v.message_id
    """,
    columns=2,
    row="({}::uuid, {}::uuid)",
)


async def select_references(
    conn: Connection, places: Sequence[tuple[DepartmentId, MessageId]]
) -> dict[MessageId, Reference]:
    return {row["message_id"]: Reference(*row) for row in await SELECT_REFERENCES.fetch(conn, places)}


# ---- telling

SELECT_DUE_ENDPOINTS = """
    -- notifications.select_due_endpoints
    SELECT $1::uuid AS endpoint_id
     WHERE EXISTS (SELECT 1 FROM notifications.callback_event
                    WHERE endpoint_id = $1 AND next_at <= $2 AND give_up_at > $2)
    """


async def select_due_endpoints(
    conn: Connection, endpoint_ids: Sequence[EndpointId], *, now: datetime
) -> list[EndpointId]:
    """Which of these endpoints are to be told something."""
    rows = await conn.fetchmany(SELECT_DUE_ENDPOINTS, [(endpoint_id, now) for endpoint_id in endpoint_ids])
    return [row["endpoint_id"] for row in rows]


class DueEvent(msgspec.Struct, frozen=True):
    """An event claimed for a try, under its new fence. `tries` counts this one."""

    event_id: EventId
    type: EventType
    sealed_body: bytes
    fence: int
    tries: int


async def claim_events(
    conn: Connection, endpoint_id: EndpointId, *, now: datetime, lease_until: datetime, limit: int
) -> list[DueEvent]:
    """Take events that are due, those included whose teller did not come back within its lease."""
    rows = await conn.fetch(
        """
        -- notifications.claim_events
        WITH due AS MATERIALIZED (
            SELECT event_id FROM notifications.callback_event
             WHERE endpoint_id = $1 AND next_at <= $2 AND give_up_at > $2
             ORDER BY next_at LIMIT $4 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.callback_event AS e
           SET stage = 'sending', fence = e.fence + 1, tries = e.tries + 1, next_at = $3
          FROM due WHERE e.endpoint_id = $1 AND e.event_id = due.event_id
        RETURNING e.event_id, e.type, e.sealed_body, e.fence, e.tries
        """,
        endpoint_id, now, lease_until, limit,
    )  # fmt: skip
    return [DueEvent(row[0], EventType(row[1]), row[2], row[3], row[4]) for row in rows]


class Moved(msgspec.Struct, frozen=True):
    """Where an event goes after its try `fence`."""

    event_id: EventId
    fence: int
    stage: EventStage
    next_at: datetime | None
    ended_at: datetime | None
    reason: str | None


MOVE_EVENTS = Many(
    """
    -- notifications.move_events
    UPDATE notifications.callback_event AS e
       SET stage = v.stage, next_at = v.next_at, ended_at = v.ended_at, reason = v.reason
      FROM (VALUES {rows}) AS v (event_id, fence, stage, next_at, ended_at, reason)
     WHERE e.endpoint_id = $1 AND e.event_id = v.event_id AND e.fence = v.fence AND e.stage = 'sending'
    """,
    columns=6,
    shared=1,
    row="({}::uuid, {}::integer, {}::text, {}::timestamptz, {}::timestamptz, {}::text)",
)


async def move_events(conn: Connection, endpoint_id: EndpointId, moved: Sequence[Moved]) -> None:
    """Move events on, except those that another try has begun of meanwhile; sorted by the caller."""
    await MOVE_EVENTS.fetch(conn, [msgspec.structs.astuple(one) for one in moved], endpoint_id)


# ---- what was not heard, and what is kept

SELECT_OVERDUE_ENDPOINTS = """
    -- notifications.select_overdue_endpoints
    SELECT $1::uuid AS endpoint_id
     WHERE EXISTS (SELECT 1 FROM notifications.callback_event
                    WHERE endpoint_id = $1 AND next_at IS NOT NULL AND give_up_at <= $2)
    """


async def select_overdue_endpoints(
    conn: Connection, endpoint_ids: Sequence[EndpointId], *, now: datetime
) -> list[EndpointId]:
    """Which of these endpoints have events whose time is over."""
    rows = await conn.fetchmany(SELECT_OVERDUE_ENDPOINTS, [(endpoint_id, now) for endpoint_id in endpoint_ids])
    return [row["endpoint_id"] for row in rows]


async def give_up_events(conn: Connection, endpoint_id: EndpointId, *, now: datetime, limit: int) -> int:
    """Say of events whose time is over, and that nobody is telling at this moment, that they are dead; how many."""
    rows = await conn.fetch(
        """
        -- notifications.give_up_events
        WITH over AS MATERIALIZED (
            SELECT event_id FROM notifications.callback_event
             WHERE endpoint_id = $1 AND give_up_at <= $2 AND next_at IS NOT NULL
               AND (stage = 'waiting' OR next_at <= $2)
             LIMIT $3 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.callback_event AS e
           SET stage = 'dead', next_at = NULL, ended_at = $2, reason = COALESCE(e.reason, 'not told in time')
          FROM over WHERE e.endpoint_id = $1 AND e.event_id = over.event_id
        RETURNING e.event_id
        """,
        endpoint_id, now, limit,
    )  # fmt: skip
    return len(rows)


async def delete_old_events(
    conn: Connection, endpoint_id: EndpointId, *, told_before: datetime, dead_before: datetime, limit: int
) -> int:
    """Forget events that ended long ago; how many. None ended before it was made, and by that hour they are found."""
    rows = await conn.fetch(
        """
        -- notifications.delete_old_events
        WITH old AS MATERIALIZED (
            SELECT event_id FROM notifications.callback_event
             WHERE endpoint_id = $1 AND ((stage = 'told' AND made_at < $2 AND ended_at < $2)
                                      OR (stage = 'dead' AND made_at < $3 AND ended_at < $3))
             LIMIT $4)
        DELETE FROM notifications.callback_event AS e USING old
         WHERE e.endpoint_id = $1 AND e.event_id = old.event_id RETURNING e.event_id
        """,
        endpoint_id, told_before, dead_before, limit,
    )  # fmt: skip
    return len(rows)


async def delete_events_of_removed(conn: Connection, endpoint_id: EndpointId, *, limit: int) -> int:
    """Forget whatever a removed endpoint was to be told; how many."""
    rows = await conn.fetch(
        """
        -- notifications.delete_events_of_removed
        WITH theirs AS MATERIALIZED (
            SELECT event_id FROM notifications.callback_event WHERE endpoint_id = $1 LIMIT $2)
        DELETE FROM notifications.callback_event AS e USING theirs
         WHERE e.endpoint_id = $1 AND e.event_id = theirs.event_id RETURNING e.event_id
        """,
        endpoint_id, limit,
    )  # fmt: skip
    return len(rows)


async def delete_events(conn: Connection, endpoint_id: EndpointId, event_ids: Sequence[EventId]) -> None:
    """Forget events, however far they are."""
    await conn.execute(
        """
        -- notifications.delete_events
        DELETE FROM notifications.callback_event WHERE endpoint_id = $1 AND event_id = ANY($2::uuid[])
        """,
        endpoint_id, event_ids,
    )  # fmt: skip


class EventRow(msgspec.Struct, frozen=True):
    """An event, as the department sees it."""

    endpoint_id: EndpointId
    event_id: EventId
    type: EventType
    made_at: datetime
    stage: EventStage
    tries: int
    next_at: datetime | None
    ended_at: datetime | None
    reason: str | None


def _event_of(row: Row) -> EventRow:
    return EventRow(row[0], row[1], EventType(row[2]), row[3], EventStage(row[4]), row[5], row[6], row[7], row[8])


async def select_events(
    conn: Connection,
    endpoint_ids: Sequence[EndpointId],
    stage: EventStage | None,
    *,
    before: tuple[datetime, UUID, UUID],
    limit: int,
) -> list[EventRow]:
    """Events of some endpoints from a place backwards, newest first."""
    rows = await conn.fetch(
        """
        -- notifications.select_events
        SELECT endpoint_id, event_id, type, made_at, stage, tries, next_at, ended_at, reason
          FROM notifications.callback_event
         WHERE endpoint_id = ANY($1) AND ($2::text IS NULL OR stage = $2)
           AND (made_at, event_id, endpoint_id) < ($3, $4, $5)
         ORDER BY made_at DESC, event_id DESC, endpoint_id DESC LIMIT $6
        """,
        endpoint_ids, stage, *before, limit,
    )  # fmt: skip
    return [_event_of(row) for row in rows]


async def replay_event(
    conn: Connection, endpoint_id: EndpointId, event_id: EventId, *, now: datetime, give_up_at: datetime
) -> EventRow | None:
    """Tell an event again from now on, one that is being told at this moment excepted; None if it is not kept."""
    row = await conn.fetchrow(
        """
        -- notifications.replay_event
        UPDATE notifications.callback_event
           SET stage = CASE stage WHEN 'sending' THEN stage ELSE 'waiting' END,
               tries = CASE stage WHEN 'sending' THEN tries ELSE 0 END,
               next_at = CASE stage WHEN 'sending' THEN next_at ELSE $3 END,
               give_up_at = $4, ended_at = NULL, reason = NULL
         WHERE endpoint_id = $1 AND event_id = $2
        RETURNING endpoint_id, event_id, type, made_at, stage, tries, next_at, ended_at, reason
        """,
        endpoint_id, event_id, now, give_up_at,
    )  # fmt: skip
    return None if row is None else _event_of(row)


async def replay_dead(
    conn: Connection, endpoint_id: EndpointId, *, since: datetime, now: datetime, give_up_at: datetime, limit: int
) -> int:
    """Tell dead events that were made since then again from now on; how many."""
    rows = await conn.fetch(
        """
        -- notifications.replay_dead
        WITH dead AS MATERIALIZED (
            SELECT event_id FROM notifications.callback_event
             WHERE endpoint_id = $1 AND stage = 'dead' AND made_at >= $2
             ORDER BY made_at LIMIT $5 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.callback_event AS e
           SET stage = 'waiting', tries = 0, next_at = $3, give_up_at = $4, ended_at = NULL, reason = NULL
          FROM dead WHERE e.endpoint_id = $1 AND e.event_id = dead.event_id
        RETURNING e.event_id
        """,
        endpoint_id, since, now, give_up_at, limit,
    )  # fmt: skip
    return len(rows)


class Counted(msgspec.Struct, frozen=True):
    """How many events of an endpoint wait, up to a bound, and how many are dead."""

    waiting: int
    dead: int


async def count_events(conn: Connection, endpoint_id: EndpointId, *, most: int) -> Counted:
    row = await conn.fetchrow(
        """
        -- notifications.count_events
        SELECT (SELECT count(*) FROM (SELECT FROM notifications.callback_event
                                       WHERE endpoint_id = $1 AND next_at IS NOT NULL LIMIT $2) AS open),
               (SELECT count(*) FROM (SELECT FROM notifications.callback_event
                                       WHERE endpoint_id = $1 AND stage = 'dead' LIMIT $2) AS dead)
        """,
        endpoint_id, most,
    )  # fmt: skip
    assert row is not None
    return Counted(row[0], row[1])
