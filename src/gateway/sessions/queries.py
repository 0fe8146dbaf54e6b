"""Every statement about sessions."""

from datetime import datetime
from uuid import UUID

from gateway.sessions.model import Session
from kernel.db import Connection, Row
from kernel.ids import SessionId
from kernel.principal import Audience


async def insert_session(conn: Connection, session: Session) -> None:
    await conn.execute(
        """
        -- gateway.insert_session
        INSERT INTO gateway.session (subject_id, session_id, audience, device, family_digest, refresh_digest,
                                     refreshed_at, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        session.subject_id,
        session.session_id,
        session.audience.value,
        session.sealed_device,
        session.family_digest,
        session.refresh_digest,
        session.refreshed_at,
        session.created_at,
        session.expires_at,
    )


async def lock_session(conn: Connection, subject_id: UUID, session_id: SessionId) -> Session | None:
    row = await conn.fetchrow(
        """
        -- gateway.lock_session
        SELECT subject_id, session_id, audience, device, family_digest, refresh_digest, previous_digest, refreshed_at,
               created_at, expires_at, ended_at
          FROM gateway.session WHERE subject_id = $1 AND session_id = $2 FOR UPDATE
        """,
        subject_id,
        session_id,
    )
    return None if row is None else _session(row)


async def select_open_sessions(conn: Connection, subject_id: UUID, *, now: datetime) -> list[Session]:
    """The open sessions of an account or member of staff, newest first."""
    rows = await conn.fetch(
        """
        -- gateway.select_open_sessions
        SELECT subject_id, session_id, audience, device, family_digest, refresh_digest, previous_digest, refreshed_at,
               created_at, expires_at, ended_at
          FROM gateway.session WHERE subject_id = $1 AND ended_at IS NULL AND expires_at > $2
         ORDER BY created_at DESC, session_id DESC LIMIT 100
        """,
        subject_id,
        now,
    )
    return [_session(row) for row in rows]


def _session(row: Row) -> Session:
    return Session(
        subject_id=row["subject_id"],
        session_id=SessionId(row["session_id"]),
        audience=Audience(row["audience"]),
        sealed_device=row["device"],
        family_digest=row["family_digest"],
        refresh_digest=row["refresh_digest"],
        previous_digest=row["previous_digest"],
        refreshed_at=row["refreshed_at"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
    )


async def rotate_refresh(
    conn: Connection, session: Session, *, refresh_digest: bytes, expires_at: datetime, now: datetime
) -> None:
    await conn.execute(
        """
        -- gateway.rotate_refresh
        UPDATE gateway.session
           SET previous_digest = refresh_digest, refresh_digest = $3, refreshed_at = $4, expires_at = $5
         WHERE subject_id = $1 AND session_id = $2
        """,
        session.subject_id,
        session.session_id,
        refresh_digest,
        now,
        expires_at,
    )


async def shorten_session(
    conn: Connection, subject_id: UUID, session_id: SessionId, *, expires_at: datetime
) -> bytes | None:
    """The sealed name of the session's device; None when there is no such session, or it was ended."""
    sealed_device: bytes | None = await conn.fetchval(
        """
        -- gateway.shorten_session
        UPDATE gateway.session SET expires_at = LEAST(expires_at, $3)
         WHERE subject_id = $1 AND session_id = $2 AND ended_at IS NULL
        RETURNING device
        """,
        subject_id,
        session_id,
        expires_at,
    )
    return sealed_device


async def end_session(conn: Connection, subject_id: UUID, session_id: SessionId, *, now: datetime) -> bool:
    """Whether the session was open until now."""
    ended = await conn.fetchval(
        """
        -- gateway.end_session
        UPDATE gateway.session SET ended_at = $3 WHERE subject_id = $1 AND session_id = $2 AND ended_at IS NULL
        RETURNING TRUE
        """,
        subject_id,
        session_id,
        now,
    )
    return bool(ended)


async def insert_ended(conn: Connection, session_id: UUID, *, until: datetime) -> None:
    await conn.execute(
        """
        -- gateway.insert_ended
        INSERT INTO gateway.ended_session (session_id, until) VALUES ($1, $2)
        ON CONFLICT (session_id) DO UPDATE SET until = EXCLUDED.until
        """,
        session_id,
        until,
    )


async def select_ended(conn: Connection, *, now: datetime) -> frozenset[UUID]:
    rows = await conn.fetch(
        """
        -- gateway.select_ended
        SELECT session_id FROM gateway.ended_session WHERE until > $1
        """,
        now,
    )
    return frozenset(UUID(bytes=row["session_id"].bytes) for row in rows)


async def delete_expired_sessions(conn: Connection, *, before: datetime) -> None:
    await conn.execute(
        """
        -- gateway.delete_expired_sessions
        DELETE FROM gateway.session WHERE expires_at < $1
        """,
        before,
    )


async def delete_forgotten_ended(conn: Connection, *, before: datetime) -> None:
    await conn.execute(
        """
        -- gateway.delete_forgotten_ended
        DELETE FROM gateway.ended_session WHERE until < $1
        """,
        before,
    )
