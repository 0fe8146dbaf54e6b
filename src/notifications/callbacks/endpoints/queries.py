"""Every statement about where departments are called back."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kernel.db import Connection
from kernel.ids import DepartmentId
from notifications.callbacks.model import DisabledFor, EndpointId


class EndpointRow(msgspec.Struct, frozen=True):
    """An endpoint, its address and secrets sealed. `number` is one of ENDPOINTS_MAX of its department."""

    endpoint_id: EndpointId
    service_id: DepartmentId
    number: int
    events: list[str]
    sealed_target: bytes
    made_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: str | None
    removed_at: datetime | None


async def select_endpoints(conn: Connection) -> list[EndpointRow]:
    """Every endpoint that was not removed."""
    rows = await conn.fetch(
        """
        -- notifications.select_endpoints
        SELECT endpoint_id, service_id, number, events, sealed_target, made_at, failing_since, disabled_at,
               disabled_for, removed_at
          FROM notifications.callback_endpoint WHERE removed_at IS NULL ORDER BY service_id, number
        """
    )
    return [EndpointRow(*row) for row in rows]


async def lock_endpoint(conn: Connection, endpoint_id: EndpointId) -> EndpointRow | None:
    row = await conn.fetchrow(
        """
        -- notifications.lock_endpoint
        SELECT endpoint_id, service_id, number, events, sealed_target, made_at, failing_since, disabled_at,
               disabled_for, removed_at
          FROM notifications.callback_endpoint WHERE endpoint_id = $1 FOR UPDATE
        """,
        endpoint_id,
    )
    return None if row is None else EndpointRow(*row)


async def select_numbers(conn: Connection, service_id: DepartmentId) -> set[int]:
    """The numbers that a department's endpoints have."""
    rows = await conn.fetch(
        """
        -- notifications.select_numbers
        SELECT number FROM notifications.callback_endpoint WHERE service_id = $1 AND removed_at IS NULL
        """,
        service_id,
    )
    return {row["number"] for row in rows}


async def insert_endpoint(conn: Connection, row: EndpointRow) -> bool:
    """File an endpoint; False if its id or its number is taken."""
    found = await conn.fetchval(
        """
        -- notifications.insert_endpoint
        INSERT INTO notifications.callback_endpoint
               (endpoint_id, service_id, number, events, sealed_target, made_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT DO NOTHING RETURNING TRUE
        """,
        row.endpoint_id, row.service_id, row.number, row.events, row.sealed_target, row.made_at,
    )  # fmt: skip
    return found is True


async def update_endpoint(
    conn: Connection, endpoint_id: EndpointId, events: Sequence[str], sealed_target: bytes, *, now: datetime
) -> None:
    """Write what a locked endpoint is told, where, and what signs."""
    await conn.execute(
        """
        -- notifications.update_endpoint
        UPDATE notifications.callback_endpoint SET events = $2, sealed_target = $3, changed_at = $4
         WHERE endpoint_id = $1
        """,
        endpoint_id, events, sealed_target, now,
    )  # fmt: skip


async def enable_endpoint(conn: Connection, endpoint_id: EndpointId, *, now: datetime) -> None:
    """Call it again, and forget how long it took nothing."""
    await conn.execute(
        """
        -- notifications.enable_endpoint
        UPDATE notifications.callback_endpoint
           SET failing_since = NULL, disabled_at = NULL, disabled_for = NULL, changed_at = $2
         WHERE endpoint_id = $1
        """,
        endpoint_id, now,
    )  # fmt: skip


async def remove_endpoint(conn: Connection, endpoint_id: EndpointId, *, now: datetime) -> None:
    await conn.execute(
        """
        -- notifications.remove_endpoint
        UPDATE notifications.callback_endpoint SET removed_at = $2, sealed_target = ''
         WHERE endpoint_id = $1 AND removed_at IS NULL
        """,
        endpoint_id, now,
    )  # fmt: skip


async def mark_failing(conn: Connection, endpoint_id: EndpointId, *, now: datetime) -> None:
    """Since when it takes nothing; what was written first stays."""
    await conn.execute(
        """
        -- notifications.mark_failing
        UPDATE notifications.callback_endpoint SET failing_since = $2
         WHERE endpoint_id = $1 AND failing_since IS NULL
        """,
        endpoint_id, now,
    )  # fmt: skip


async def mark_well(conn: Connection, endpoint_id: EndpointId) -> None:
    await conn.execute(
        """
        -- notifications.mark_well
        UPDATE notifications.callback_endpoint SET failing_since = NULL
         WHERE endpoint_id = $1 AND failing_since IS NOT NULL
        """,
        endpoint_id,
    )


async def disable_endpoint(
    conn: Connection, endpoint_id: EndpointId, why: DisabledFor, *, failing_before: datetime | None, now: datetime
) -> bool:
    """Call it no more, if it took nothing since `failing_before` (None: whatever it did); whether that is new."""
    found = await conn.fetchval(
        """
        -- notifications.disable_endpoint
        UPDATE notifications.callback_endpoint SET disabled_at = $3, disabled_for = $2
         WHERE endpoint_id = $1 AND disabled_at IS NULL AND removed_at IS NULL
           AND ($4::timestamptz IS NULL OR failing_since <= $4)
        RETURNING TRUE
        """,
        endpoint_id, why, now, failing_before,
    )  # fmt: skip
    return found is True


async def select_all_endpoint_ids(conn: Connection) -> list[tuple[EndpointId, datetime | None]]:
    """Every endpoint that is kept, and when it was removed."""
    rows = await conn.fetch(
        """
        -- notifications.select_all_endpoint_ids
        SELECT endpoint_id, removed_at FROM notifications.callback_endpoint ORDER BY endpoint_id
        """
    )
    return [(row[0], row[1]) for row in rows]


async def count_endpoints(conn: Connection, service_id: DepartmentId) -> int:
    """How many endpoints of a department are kept, with those it removed."""
    found: int = await conn.fetchval(
        """
        -- notifications.count_endpoints
        SELECT count(*) FROM notifications.callback_endpoint WHERE service_id = $1
        """,
        service_id,
    )
    return found


async def delete_endpoint(conn: Connection, endpoint_id: EndpointId, *, removed_before: datetime) -> bool:
    """Forget an endpoint that was removed long ago."""
    found = await conn.fetchval(
        """
        -- notifications.delete_endpoint
        DELETE FROM notifications.callback_endpoint WHERE endpoint_id = $1 AND removed_at < $2 RETURNING TRUE
        """,
        endpoint_id, removed_before,
    )  # fmt: skip
    return found is True


async def select_endpoints_of(
    conn: Connection, service_ids: Sequence[DepartmentId]
) -> list[tuple[EndpointId, DepartmentId]]:
    """Every endpoint that is kept of some departments, and whose it is, in the order of their ids."""
    rows = await conn.fetch(
        """
        -- notifications.select_endpoints_of
        SELECT endpoint_id, service_id FROM notifications.callback_endpoint WHERE service_id = ANY($1::uuid[])
         ORDER BY endpoint_id
        """,
        service_ids,
    )
    return [(row[0], row[1]) for row in rows]
