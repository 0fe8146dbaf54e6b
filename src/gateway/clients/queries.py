"""Every statement about machine clients."""

from datetime import datetime
from uuid import UUID

import msgspec

from gateway.clients.model import Client, PublicKey
from kernel.db import Connection
from kernel.ids import DeviceId, VenueId
from kernel.principal import Audience


async def put_client(conn: Connection, client: Client) -> None:
    await conn.execute(
        """
        -- gateway.put_client
        INSERT INTO gateway.client (client_id, audience, subject_id, venue_id, public_keys, grant_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (client_id) DO UPDATE
           SET audience = EXCLUDED.audience, subject_id = EXCLUDED.subject_id, venue_id = EXCLUDED.venue_id,
               public_keys = EXCLUDED.public_keys, disabled_at = NULL
        """,
        client.client_id,
        client.audience.value,
        client.subject_id,
        client.venue_id,
        msgspec.json.encode(client.public_keys).decode(),
        client.grant_id,
    )


async def select_client(conn: Connection, client_id: str, audience: Audience) -> Client | None:
    """A client that is not disabled."""
    row = await conn.fetchrow(
        """
        -- gateway.select_client
        SELECT client.client_id, client.audience, client.subject_id, client.venue_id, client.public_keys,
               client.grant_id, department.slug AS department_slug, department.name_zh AS department_name
          FROM gateway.client LEFT JOIN gateway.department
            ON client.audience = 'department' AND department.department_id = client.subject_id
         WHERE client.client_id = $1 AND client.audience = $2 AND client.disabled_at IS NULL
        """,
        client_id,
        audience.value,
    )
    if row is None:
        return None
    venue_id = row["venue_id"]
    return Client(
        client_id=row["client_id"],
        audience=Audience(row["audience"]),
        subject_id=row["subject_id"],
        venue_id=None if venue_id is None else VenueId(venue_id),
        department_slug=row["department_slug"],
        department_name=row["department_name"],
        public_keys=msgspec.json.decode(row["public_keys"], type=list[PublicKey]),
        grant_id=row["grant_id"],
    )


async def select_clients_of_device(conn: Connection, device_id: DeviceId) -> list[str]:
    """The clients, not disabled, that a venue's device proves itself as."""
    rows = await conn.fetch(
        """
        -- gateway.select_clients_of_device
        SELECT client_id FROM gateway.client
         WHERE subject_id = $1 AND audience = 'venue' AND disabled_at IS NULL ORDER BY client_id
        """,
        device_id,
    )
    return [client_id for (client_id,) in rows]


async def disable_client(conn: Connection, client_id: str, *, fresh_grant_id: UUID, now: datetime) -> UUID | None:
    """Disable a client; what its tokens named as their session until now."""
    ended = await conn.fetchrow(
        """
        -- gateway.disable_client
        UPDATE gateway.client SET disabled_at = $3, grant_id = $2
          FROM (SELECT grant_id AS was FROM gateway.client WHERE client_id = $1 AND disabled_at IS NULL) AS before
         WHERE client_id = $1 AND disabled_at IS NULL
        RETURNING before.was
        """,
        client_id,
        fresh_grant_id,
        now,
    )
    return None if ended is None else UUID(bytes=ended["was"].bytes)


async def file_assertion(conn: Connection, client_id: str, jti_digest: bytes, *, expires_at: datetime) -> bool:
    """Whether the assertion was never used before."""
    filed = await conn.fetchval(
        """
        -- gateway.file_assertion
        INSERT INTO gateway.assertion (client_id, jti_digest, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (client_id, jti_digest) DO NOTHING RETURNING TRUE
        """,
        client_id,
        jti_digest,
        expires_at,
    )
    return bool(filed)


async def delete_expired_assertions(conn: Connection, *, before: datetime) -> None:
    await conn.execute(
        """
        -- gateway.delete_expired_assertions
        DELETE FROM gateway.assertion WHERE expires_at < $1
        """,
        before,
    )
