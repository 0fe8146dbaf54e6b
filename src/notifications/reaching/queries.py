"""Every statement about e-mail addresses that wait to be confirmed, consents, and grants of subscribe messages."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import MessageId, PersonId

# ---- contacts, locked


async def lock_contact(conn: Connection, person_id: PersonId) -> bool:
    """Hold a person's contact until the transaction ends; whether there is one."""
    found = await conn.fetchval(
        """
        -- notifications.lock_contact
        SELECT TRUE FROM notifications.contact WHERE person_id = $1 FOR UPDATE
        """,
        person_id,
    )
    return bool(found)


async def ensure_contact(conn: Connection, person_id: PersonId, *, now: datetime) -> None:
    """See to it that a person has a contact, as everybody's is before they choose."""
    await conn.execute(
        """
        -- notifications.ensure_contact
        INSERT INTO notifications.contact
               (person_id, phone, language, sms_results, sms_reminders, sms_notices, updated_at)
        VALUES ($1, NULL, 'zh', TRUE, TRUE, TRUE, $2)
        ON CONFLICT (person_id) DO NOTHING
        """,
        person_id, now,
    )  # fmt: skip


async def file_email(conn: Connection, person_id: PersonId, email: bytes | None, *, now: datetime) -> None:
    """File a confirmed address, or none."""
    await conn.execute(
        """
        -- notifications.file_email
        UPDATE notifications.contact
           SET email = $2, email_confirmed_at = CASE WHEN $2::bytea IS NULL THEN NULL ELSE $3::timestamptz END,
               updated_at = $3
         WHERE person_id = $1
        """,
        person_id, email, now,
    )  # fmt: skip


async def delete_contact(conn: Connection, person_id: PersonId) -> None:
    await conn.execute(
        """
        -- notifications.delete_contact
        DELETE FROM notifications.contact WHERE person_id = $1
        """,
        person_id,
    )


async def select_email_confirmed_at(conn: Connection, person_id: PersonId) -> datetime | None:
    found: datetime | None = await conn.fetchval(
        """
        -- notifications.select_email_confirmed_at
        SELECT email_confirmed_at FROM notifications.contact WHERE person_id = $1
        """,
        person_id,
    )
    return found


# ---- addresses that wait to be confirmed


class Challenged(msgspec.Struct, frozen=True):
    """A challenge of which one try has been spent."""

    challenge_id: UUID
    email: bytes
    code_digest: bytes


async def put_email_challenge(
    conn: Connection, person_id: PersonId, challenge_id: UUID, *, email: bytes, code_digest: bytes, expires_at: datetime
) -> None:
    """Let an address wait to be confirmed; one that waited before does so no more."""
    await conn.execute(
        """
        -- notifications.put_email_challenge
        INSERT INTO notifications.email_challenge
               (person_id, challenge_id, email, code_digest, attempts, expires_at)
        VALUES ($1, $2, $3, $4, 0, $5)
        ON CONFLICT (person_id) DO UPDATE
           SET challenge_id = EXCLUDED.challenge_id, email = EXCLUDED.email, code_digest = EXCLUDED.code_digest,
               attempts = 0, expires_at = EXCLUDED.expires_at
        """,
        person_id, challenge_id, email, code_digest, expires_at,
    )  # fmt: skip


async def spend_email_attempt(
    conn: Connection, person_id: PersonId, challenge_id: UUID, *, attempts_max: int, now: datetime
) -> Challenged | None:
    """Count one guess, or None when there is nothing left to guess at."""
    row = await conn.fetchrow(
        """
        -- notifications.spend_email_attempt
        UPDATE notifications.email_challenge SET attempts = attempts + 1
         WHERE person_id = $1 AND challenge_id = $2 AND attempts < $3 AND expires_at > $4
        RETURNING challenge_id, email, code_digest
        """,
        person_id, challenge_id, attempts_max, now,
    )  # fmt: skip
    return None if row is None else Challenged(*row)


async def delete_email_challenge(conn: Connection, person_id: PersonId) -> None:
    await conn.execute(
        """
        -- notifications.delete_email_challenge
        DELETE FROM notifications.email_challenge WHERE person_id = $1
        """,
        person_id,
    )


async def delete_old_email_challenges(conn: Connection, *, before: datetime) -> None:
    await conn.execute(
        """
        -- notifications.delete_old_email_challenges
        DELETE FROM notifications.email_challenge WHERE expires_at < $1
        """,
        before,
    )


# ---- consents


class NewConsent(msgspec.Struct, frozen=True):
    """Something agreed to or taken back; `wording` is the version of the words, for what is given."""

    person_id: PersonId
    consent_id: UUID
    sort: str
    channel: str
    is_given: bool
    wording: int | None
    told_by: str
    at: datetime


INSERT_CONSENTS = Many(
    """
    -- notifications.insert_consents
    INSERT INTO notifications.consent (person_id, consent_id, sort, channel, is_given, wording, told_by, at)
    VALUES {rows}
    """,
    columns=8,
)


async def insert_consents(conn: Connection, rows: Sequence[NewConsent]) -> None:
    await INSERT_CONSENTS.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


async def select_consents(conn: Connection, person_id: PersonId, *, limit: int) -> list[Row]:
    """What a person agreed to and took back, newest first."""
    return await conn.fetch(
        """
        -- notifications.select_consents
        SELECT sort, channel, is_given, wording, told_by, at FROM notifications.consent
         WHERE person_id = $1 ORDER BY consent_id DESC LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


# ---- grants of subscribe messages


class NewGrant(msgspec.Struct, frozen=True):
    person_id: PersonId
    tap_id: UUID
    provider_template: str
    openid: bytes
    is_long_term: bool
    granted_at: datetime


async def insert_grant(conn: Connection, grant: NewGrant) -> None:
    """File a tap; the same tap told again is the same grant, used or not."""
    await conn.execute(
        """
        -- notifications.insert_grant
        INSERT INTO notifications.subscribe_grant
               (person_id, tap_id, provider_template, openid, is_long_term, granted_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (person_id, tap_id, provider_template) DO NOTHING
        """,
        *msgspec.structs.astuple(grant),
    )


TAKE_GRANT = """
    -- notifications.take_grant
    WITH lasting AS MATERIALIZED (
        SELECT tap_id, openid FROM notifications.subscribe_grant
         WHERE person_id = $1 AND provider_template = $2 AND is_long_term AND voided_at IS NULL
         ORDER BY granted_at DESC LIMIT 1),
    free AS MATERIALIZED (
        SELECT tap_id FROM notifications.subscribe_grant
         WHERE person_id = $1 AND provider_template = $2 AND used_by IS NULL AND voided_at IS NULL
           AND NOT EXISTS (SELECT FROM lasting)
         ORDER BY granted_at, tap_id LIMIT 1 FOR UPDATE SKIP LOCKED),
    used AS (
        UPDATE notifications.subscribe_grant AS g SET used_by = $3, used_at = $4 FROM free
         WHERE g.person_id = $1 AND g.tap_id = free.tap_id AND g.provider_template = $2
        RETURNING g.tap_id, g.openid)
    SELECT $1::uuid AS person_id, $3::uuid AS message_id, tap_id, $2::text AS provider_template, openid
      FROM (SELECT tap_id, openid FROM lasting UNION ALL SELECT tap_id, openid FROM used) AS one
    """


class Taken(msgspec.Struct, frozen=True):
    """A grant a message goes out under. One that is good once is nobody else's from now on."""

    person_id: PersonId
    message_id: MessageId
    tap_id: UUID
    provider_template: str
    openid: bytes


async def take_grants(
    conn: Connection, wants: Sequence[tuple[PersonId, str, MessageId]], *, now: datetime
) -> list[Taken]:
    """Take a grant for each (person, template, message), where one is left that nobody else is taking."""
    rows = await conn.fetchmany(TAKE_GRANT, [(*want, now) for want in wants])
    return [Taken(*row) for row in rows]


GIVE_GRANTS_BACK = Many(
    """
    -- notifications.give_grants_back
    UPDATE notifications.subscribe_grant AS g SET used_by = NULL, used_at = NULL
      FROM (VALUES {rows}) AS v (person_id, tap_id, provider_template, message_id)
     WHERE g.person_id = v.person_id AND g.tap_id = v.tap_id AND g.provider_template = v.provider_template
       AND g.used_by = v.message_id
    """,
    columns=4,
    row="({}::uuid, {}::uuid, {}::text, {}::uuid)",
)


async def give_grants_back(conn: Connection, grants: Sequence[tuple[PersonId, UUID, str, MessageId]]) -> None:
    """Let others use grants that a message was refused under without using them."""
    await GIVE_GRANTS_BACK.fetch(conn, grants)


VOID_GRANTS = Many(
    """
    -- notifications.void_grants
    UPDATE notifications.subscribe_grant AS g SET voided_at = $1
      FROM (VALUES {rows}) AS v (person_id, tap_id, provider_template)
     WHERE g.person_id = v.person_id AND g.tap_id = v.tap_id AND g.provider_template = v.provider_template
       AND g.voided_at IS NULL
    """,
    columns=3,
    shared=1,
    row="({}::uuid, {}::uuid, {}::text)",
)


async def void_grants(conn: Connection, grants: Sequence[tuple[PersonId, UUID, str]], *, now: datetime) -> None:
    """Say of grants that the platform knows nothing of them, or no more."""
    await VOID_GRANTS.fetch(conn, grants, now)


async def void_grants_of(conn: Connection, person_id: PersonId, provider_template: str, *, now: datetime) -> None:
    """Say of a person's unused grants of one template that they took them back."""
    await conn.execute(
        """
        -- notifications.void_grants_of
        UPDATE notifications.subscribe_grant SET voided_at = $3
         WHERE person_id = $1 AND provider_template = $2 AND used_by IS NULL AND voided_at IS NULL
        """,
        person_id, provider_template, now,
    )  # fmt: skip


async def count_grants_left(conn: Connection, person_id: PersonId) -> dict[str, int]:
    """By template of the platform's: how many grants are left."""
    rows = await conn.fetch(
        """
        -- notifications.count_grants_left
        SELECT provider_template, count(*) FROM notifications.subscribe_grant
         WHERE person_id = $1 AND used_by IS NULL AND voided_at IS NULL GROUP BY provider_template
        """,
        person_id,
    )
    return {row[0]: row[1] for row in rows}


async def select_grants(conn: Connection, person_id: PersonId, *, limit: int) -> list[Row]:
    """Grants of a person and what became of each, newest first."""
    return await conn.fetch(
        """
        -- notifications.select_grants
        SELECT provider_template, is_long_term, granted_at, used_by, used_at, voided_at
          FROM notifications.subscribe_grant WHERE person_id = $1 ORDER BY granted_at DESC, tap_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip


async def delete_grants(conn: Connection, person_id: PersonId) -> None:
    await conn.execute(
        """
        -- notifications.delete_grants
        DELETE FROM notifications.subscribe_grant WHERE person_id = $1
        """,
        person_id,
    )


async def delete_old_grants(conn: Connection, *, before: datetime) -> None:
    """Forget grants that were used up or taken back long ago."""
    await conn.execute(
        """
        -- notifications.delete_old_grants
        DELETE FROM notifications.subscribe_grant WHERE used_at < $1 OR voided_at < $1
        """,
        before,
    )


# ---- inboxes, for whoever takes theirs along or leaves


async def delete_inbox(conn: Connection, person_id: PersonId) -> None:
    await conn.execute(
        """
        -- notifications.delete_inbox
        DELETE FROM notifications.inbox_item WHERE person_id = $1
        """,
        person_id,
    )


async def select_recipient(conn: Connection, bucket: int, message_id: MessageId) -> Row | None:
    """Who owed a message, and to which person, if it was to one."""
    return await conn.fetchrow(
        """
        -- notifications.select_recipient
        SELECT caller, person_id FROM notifications.message WHERE bucket = $1 AND message_id = $2
        """,
        bucket, message_id,
    )  # fmt: skip
