"""Every statement about services, what they may send, their keys and their teams."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kernel.db import Connection
from kernel.ids import DepartmentId
from notifications.services.model import Allowance, ApiKey


async def ensure_service(conn: Connection, service_id: DepartmentId, allowed: Allowance, *, now: datetime) -> None:
    """File a service that has nothing yet; one that was filed stays as it is."""
    await conn.execute(
        """
        -- notifications.ensure_service
        INSERT INTO notifications.service (service_id, per_minute, per_day, changed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (service_id) DO NOTHING
        """,
        service_id, allowed.per_minute, allowed.per_day, now,
    )  # fmt: skip


async def lock_service(conn: Connection, service_id: DepartmentId) -> None:
    """Let nobody else add a key or a member of the team until the transaction ends."""
    await conn.execute(
        """
        -- notifications.lock_service
        SELECT service_id FROM notifications.service WHERE service_id = $1 FOR UPDATE
        """,
        service_id,
    )


async def put_allowance(conn: Connection, service_id: DepartmentId, allowed: Allowance, *, now: datetime) -> None:
    await conn.execute(
        """
        -- notifications.put_allowance
        INSERT INTO notifications.service (service_id, per_minute, per_day, changed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (service_id) DO UPDATE
           SET per_minute = EXCLUDED.per_minute, per_day = EXCLUDED.per_day, changed_at = EXCLUDED.changed_at
        """,
        service_id, allowed.per_minute, allowed.per_day, now,
    )  # fmt: skip


async def select_allowances(conn: Connection) -> dict[DepartmentId, Allowance]:
    rows = await conn.fetch(
        """
        -- notifications.select_allowances
        SELECT service_id, per_minute, per_day FROM notifications.service ORDER BY service_id
        """
    )
    return {row[0]: Allowance(row[1], row[2]) for row in rows}


async def select_key_numbers(conn: Connection, service_id: DepartmentId) -> list[tuple[int, str]]:
    """Number and name of each key that is good."""
    rows = await conn.fetch(
        """
        -- notifications.select_key_numbers
        SELECT number, name FROM notifications.api_key WHERE service_id = $1 AND revoked_at IS NULL ORDER BY number
        """,
        service_id,
    )
    return [(row[0], row[1]) for row in rows]


async def insert_api_key(conn: Connection, key: ApiKey, number: int, secret: bytes) -> None:
    await conn.execute(
        """
        -- notifications.insert_api_key
        INSERT INTO notifications.api_key (key_id, service_id, number, name, kind, secret, made_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        key.key_id, key.service_id, number, key.name, key.kind, secret, key.made_at,
    )  # fmt: skip


async def select_keys_of_service(conn: Connection, service_id: DepartmentId) -> list[ApiKey]:
    """The keys that are good, in the order they were made."""
    rows = await conn.fetch(
        """
        -- notifications.select_keys_of_service
        SELECT key_id, service_id, name, kind, made_at, revoked_at FROM notifications.api_key
         WHERE service_id = $1 AND revoked_at IS NULL ORDER BY made_at, key_id
        """,
        service_id,
    )
    return [ApiKey(*row) for row in rows]


async def revoke_api_key(conn: Connection, service_id: DepartmentId, key_id: UUID, *, now: datetime) -> bool:
    """Whether the key was good until now."""
    revoked = await conn.fetchval(
        """
        -- notifications.revoke_api_key
        UPDATE notifications.api_key SET revoked_at = $3
         WHERE key_id = $2 AND service_id = $1 AND revoked_at IS NULL RETURNING TRUE
        """,
        service_id, key_id, now,
    )  # fmt: skip
    return bool(revoked)


async def select_every_key(conn: Connection, *, revoked_since: datetime, most: int) -> list[tuple[ApiKey, bytes]]:
    """Every key that is good, and the last `most` of each service that were revoked lately, with its sealed secret."""
    rows = await conn.fetch(
        """
        -- notifications.select_every_key
        SELECT key_id, service_id, name, kind, made_at, revoked_at, secret
          FROM (SELECT key_id, service_id, name, kind, made_at, revoked_at, secret,
                       row_number() OVER (PARTITION BY service_id, revoked_at IS NULL
                                          ORDER BY revoked_at DESC, key_id DESC) AS nth
                  FROM notifications.api_key WHERE revoked_at IS NULL OR revoked_at > $1) AS one
         WHERE revoked_at IS NULL OR nth <= $2 ORDER BY service_id, made_at, key_id
        """,
        revoked_since, most,
    )  # fmt: skip
    return [(ApiKey(*list(row)[:6]), row[6]) for row in rows]


async def count_team(conn: Connection, service_id: DepartmentId) -> int:
    count = await conn.fetchval(
        """
        -- notifications.count_team
        SELECT count(*) FROM notifications.team_member WHERE service_id = $1
        """,
        service_id,
    )
    return int(count)


async def insert_team_member(
    conn: Connection, service_id: DepartmentId, digest: bytes, recipient: bytes, *, now: datetime
) -> None:
    """Put somebody on the list; one who is on it stays once."""
    await conn.execute(
        """
        -- notifications.insert_team_member
        INSERT INTO notifications.team_member (service_id, recipient_digest, recipient, added_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (service_id, recipient_digest) DO NOTHING
        """,
        service_id, digest, recipient, now,
    )  # fmt: skip


async def select_team(conn: Connection, service_id: DepartmentId) -> list[tuple[bytes, bytes]]:
    """Digest and sealed number or address of each, as they were added."""
    rows = await conn.fetch(
        """
        -- notifications.select_team
        SELECT recipient_digest, recipient FROM notifications.team_member
         WHERE service_id = $1 ORDER BY added_at, recipient_digest
        """,
        service_id,
    )
    return [(row[0], row[1]) for row in rows]


async def delete_team_member(conn: Connection, service_id: DepartmentId, digests: Sequence[bytes]) -> None:
    await conn.execute(
        """
        -- notifications.delete_team_member
        DELETE FROM notifications.team_member WHERE service_id = $1 AND recipient_digest = ANY($2)
        """,
        service_id, digests,
    )  # fmt: skip


async def is_in_team(conn: Connection, service_id: DepartmentId, digests: Sequence[bytes]) -> bool:
    found = await conn.fetchval(
        """
        -- notifications.is_in_team
        SELECT TRUE FROM notifications.team_member WHERE service_id = $1 AND recipient_digest = ANY($2) LIMIT 1
        """,
        service_id, digests,
    )  # fmt: skip
    return bool(found)
