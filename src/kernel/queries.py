"""Every statement on the kernel's own tables."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kernel.db import Connection, Row
from kernel.grouping import Many

_SIZES = (1, 8, 64, 500)
"""The largest is that of a whole batch of a register, so that such a one is one statement."""
_FILE_PERSON_DIGESTS = Many(
    """
    -- kernel.file_person_digests
    INSERT INTO kernel.person_digest (id_digest, person_id) VALUES {rows}
    ON CONFLICT (id_digest) DO NOTHING RETURNING id_digest
    """,
    columns=2,
    sizes=_SIZES,
)
_SELECT_PERSONS_BY_DIGEST = Many(
    """
    -- kernel.select_persons_by_digest
    SELECT d.id_digest, d.person_id
      FROM (VALUES {rows}) AS wanted (id_digest) JOIN kernel.person_digest AS d ON d.id_digest = wanted.id_digest
    """,
    columns=1,
    row="({}::bytea)",
    sizes=_SIZES,
)
_SELECT_UNNAMED = Many(
    """
    -- kernel.select_unnamed
    SELECT p.person_id
      FROM (VALUES {rows}) AS wanted (person_id) JOIN kernel.person AS p ON p.person_id = wanted.person_id
     WHERE NOT p.is_named
    """,
    columns=1,
    row="({}::uuid)",
    sizes=_SIZES,
)


async def announce(conn: Connection, name: str) -> None:
    await conn.execute(
        """
        -- kernel.announce
        SELECT pg_notify('suishenban_changed', $1)
        """,
        name,
    )


async def insert_audit(
    conn: Connection, bucket: int, entry_id: UUID, at: datetime, actor: str, act: str, subject: str, detail: str
) -> None:
    await conn.execute(
        """
        -- kernel.insert_audit
        INSERT INTO kernel.audit (bucket, entry_id, at, actor, act, subject, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        bucket, entry_id, at, actor, act, subject, detail,
    )  # fmt: skip


async def select_newest_audit(conn: Connection, limit: int) -> list[Row]:
    return await conn.fetch(
        """
        -- kernel.select_newest_audit
        SELECT at, actor, act, subject, detail::text AS detail
          FROM kernel.audit ORDER BY at DESC, entry_id DESC LIMIT $1
        """,
        limit,
    )


async def claim_idempotency_key(
    conn: Connection, bucket: int, caller: str, key: str, body_digest: bytes, *, expires_at: datetime, now: datetime
) -> bool:
    """Whether the key is ours to answer. A second try at the same moment waits here for the first to commit."""
    claimed = await conn.fetchval(
        """
        -- kernel.claim_idempotency_key
        INSERT INTO kernel.idempotency AS kept (bucket, caller, key, body_digest, expires_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (bucket, caller, key) DO UPDATE
           SET body_digest = EXCLUDED.body_digest, expires_at = EXCLUDED.expires_at, answer = NULL
         WHERE kept.expires_at < $6
        RETURNING TRUE
        """,
        bucket, caller, key, body_digest, expires_at, now,
    )  # fmt: skip
    return bool(claimed)


async def keep_first_answer(conn: Connection, bucket: int, caller: str, key: str, answer: bytes) -> None:
    await conn.execute(
        """
        -- kernel.keep_first_answer
        UPDATE kernel.idempotency SET answer = $4 WHERE bucket = $1 AND caller = $2 AND key = $3
        """,
        bucket, caller, key, answer,
    )  # fmt: skip


async def select_first_answer(conn: Connection, bucket: int, caller: str, key: str) -> Row | None:
    return await conn.fetchrow(
        """
        -- kernel.select_first_answer
        SELECT body_digest, answer FROM kernel.idempotency WHERE bucket = $1 AND caller = $2 AND key = $3
        """,
        bucket, caller, key,
    )  # fmt: skip


async def delete_expired_answers(conn: Connection, bucket: int, *, now: datetime) -> None:
    await conn.execute(
        """
        -- kernel.delete_expired_answers
        DELETE FROM kernel.idempotency WHERE bucket = $1 AND expires_at < $2
        """,
        bucket, now,
    )  # fmt: skip


async def file_person_digest(conn: Connection, id_digest: bytes, person_id: UUID) -> bool:
    """Whether the digest was unknown and now names this person."""
    filed = await conn.fetchval(
        """
        -- kernel.file_person_digest
        INSERT INTO kernel.person_digest (id_digest, person_id) VALUES ($1, $2)
        ON CONFLICT (id_digest) DO NOTHING RETURNING TRUE
        """,
        id_digest, person_id,
    )  # fmt: skip
    return bool(filed)


async def select_person_by_digest(conn: Connection, id_digest: bytes) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        """
        -- kernel.select_person_by_digest
        SELECT person_id FROM kernel.person_digest WHERE id_digest = $1
        """,
        id_digest,
    )
    return found


async def insert_person(conn: Connection, person_id: UUID, identity: bytes, *, is_named: bool, now: datetime) -> None:
    await conn.execute(
        """
        -- kernel.insert_person
        INSERT INTO kernel.person (person_id, identity, is_named, created_at) VALUES ($1, $2, $3, $4)
        """,
        person_id, identity, is_named, now,
    )  # fmt: skip


async def file_person_digests(conn: Connection, digests: Sequence[tuple[bytes, UUID]]) -> list[bytes]:
    """Digests in order, and whom each shall name. Those that were unknown and now do."""
    return [digest for (digest,) in await _FILE_PERSON_DIGESTS.fetch(conn, digests)]


async def select_persons_by_digest(conn: Connection, digests: Sequence[bytes]) -> list[tuple[bytes, UUID]]:
    """Digests that name somebody, with whom."""
    rows = await _SELECT_PERSONS_BY_DIGEST.fetch(conn, [(digest,) for digest in digests])
    return [(digest, person_id) for digest, person_id in rows]


async def insert_persons(conn: Connection, persons: Sequence[tuple[UUID, bytes, datetime]]) -> None:
    """Write persons nobody knew, and what they are called: id, sealed identity, when made."""
    if persons:
        await conn.copy_records_to_table(
            "person", schema_name="kernel", columns=("person_id", "identity", "created_at"), records=persons
        )


async def update_identity(conn: Connection, person_id: UUID, identity: bytes) -> None:
    await conn.execute(
        """
        -- kernel.update_identity
        UPDATE kernel.person SET identity = $2, is_named = true WHERE person_id = $1
        """,
        person_id, identity,
    )  # fmt: skip


async def select_unnamed(conn: Connection, person_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these persons of whom nobody who knows has said what they are called."""
    return [person_id for (person_id,) in await _SELECT_UNNAMED.fetch(conn, [(one,) for one in person_ids])]


async def name_person(conn: Connection, person_id: UUID, identity: bytes) -> None:
    """Say what a person is called, if nobody has."""
    await conn.execute(
        """
        -- kernel.name_person
        UPDATE kernel.person SET identity = $2, is_named = true WHERE person_id = $1 AND NOT is_named
        """,
        person_id, identity,
    )  # fmt: skip


async def lock_person(conn: Connection, person_id: UUID) -> bool:
    """Whether there is such a person, held by this transaction alone."""
    held = await conn.fetchval(
        """
        -- kernel.lock_person
        SELECT true FROM kernel.person WHERE person_id = $1 FOR UPDATE
        """,
        person_id,
    )
    return bool(held)


async def select_identity(conn: Connection, person_id: UUID) -> bytes | None:
    sealed: bytes | None = await conn.fetchval(
        """
        -- kernel.select_identity
        SELECT identity FROM kernel.person WHERE person_id = $1
        """,
        person_id,
    )
    return sealed


async def select_signing_keys(conn: Connection) -> list[Row]:
    return await conn.fetch(
        """
        -- kernel.select_signing_keys
        SELECT key_id, purpose, algorithm, private_key, announced_at, signs_from, signs_until, trusted_until, revoked_at
          FROM kernel.signing_key ORDER BY purpose, signs_from, key_id
        """
    )


async def insert_signing_key(
    conn: Connection, key_id: str, purpose: str, generation: int, algorithm: str, public_jwk: str, private_key: bytes,
    *, announced_at: datetime, signs_from: datetime, signs_until: datetime, trusted_until: datetime,
) -> bool:  # fmt: skip
    """Whether the key was filed; false when another process filed one of this purpose and generation first."""
    filed = await conn.fetchval(
        """
        -- kernel.insert_signing_key
        INSERT INTO kernel.signing_key
               (key_id, purpose, generation, algorithm, public_jwk, private_key,
                announced_at, signs_from, signs_until, trusted_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING TRUE
        """,
        key_id, purpose, generation, algorithm, public_jwk, private_key,
        announced_at, signs_from, signs_until, trusted_until,
    )  # fmt: skip
    return bool(filed)


async def begin_signing_key(
    conn: Connection, key_id: str, *, signs_from: datetime, signs_until: datetime, trusted_until: datetime
) -> None:
    """Let an announced key begin earlier than it was to; one that has begun, or was revoked, is left as it is."""
    await conn.execute(
        """
        -- kernel.begin_signing_key
        UPDATE kernel.signing_key SET signs_from = $2, signs_until = $3, trusted_until = $4
         WHERE key_id = $1 AND revoked_at IS NULL AND signs_from > $2
        """,
        key_id, signs_from, signs_until, trusted_until,
    )  # fmt: skip


async def revoke_signing_key(conn: Connection, key_id: str, *, now: datetime) -> str | None:
    """The purpose of the key that was revoked now; None when there is none, or it was revoked before."""
    purpose: str | None = await conn.fetchval(
        """
        -- kernel.revoke_signing_key
        UPDATE kernel.signing_key SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL RETURNING purpose
        """,
        key_id, now,
    )  # fmt: skip
    return purpose


async def select_server_version(conn: Connection) -> str:
    """The version the server says it has, e.g. `18.6`."""
    version: str = await conn.fetchval(
        """
        -- kernel.select_server_version
        SELECT current_setting('server_version')
        """
    )
    return version
