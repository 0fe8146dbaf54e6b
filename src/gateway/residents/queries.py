"""Every statement about accounts and the codes that people sign in with."""

from datetime import datetime
from uuid import UUID

from gateway.residents.model import Account, Language, SpentAttempt
from kernel.db import Connection, Row
from kernel.ids import AccountId, PersonId
from kernel.principal import Audience


async def insert_challenge(
    conn: Connection,
    challenge_id: UUID,
    audience: Audience,
    *,
    phone_digest: bytes,
    code_digest: bytes,
    language: Language,
    now: datetime,
    expires_at: datetime,
) -> None:
    await conn.execute(
        """
        -- gateway.insert_challenge
        INSERT INTO gateway.challenge
            (challenge_id, audience, phone_digest, code_digest, language, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        challenge_id,
        audience.value,
        phone_digest,
        code_digest,
        language,
        now,
        expires_at,
    )


async def spend_attempt(
    conn: Connection, challenge_id: UUID, audience: Audience, *, attempts_max: int, now: datetime
) -> SpentAttempt | None:
    """Count one guess, or None when there is nothing left to guess at."""
    row = await conn.fetchrow(
        """
        -- gateway.spend_attempt
        UPDATE gateway.challenge SET attempts = attempts + 1
         WHERE challenge_id = $1 AND audience = $2 AND attempts < $3 AND used_at IS NULL AND expires_at > $4
        RETURNING phone_digest, code_digest, language
        """,
        challenge_id,
        audience.value,
        attempts_max,
        now,
    )
    return None if row is None else SpentAttempt(row["phone_digest"], row["code_digest"], row["language"])


async def use_challenge(conn: Connection, challenge_id: UUID, *, now: datetime) -> bool:
    """Whether this was the one use of the challenge."""
    used = await conn.fetchval(
        """
        -- gateway.use_challenge
        UPDATE gateway.challenge SET used_at = $2 WHERE challenge_id = $1 AND used_at IS NULL RETURNING TRUE
        """,
        challenge_id,
        now,
    )
    return bool(used)


async def lock_account_of_phone(conn: Connection, phone_digest: bytes) -> AccountId | None:
    """Locked, so that the account is not closed while somebody signs in to it."""
    found = await conn.fetchval(
        """
        -- gateway.lock_account_of_phone
        SELECT account_id FROM gateway.phone_account WHERE phone_digest = $1 FOR UPDATE
        """,
        phone_digest,
    )
    return None if found is None else AccountId(found)


async def file_phone(conn: Connection, phone_digest: bytes, account_id: AccountId) -> bool:
    """Whether the phone was nobody's until now."""
    filed = await conn.fetchval(
        """
        -- gateway.file_phone
        INSERT INTO gateway.phone_account (phone_digest, account_id) VALUES ($1, $2)
        ON CONFLICT (phone_digest) DO NOTHING RETURNING TRUE
        """,
        phone_digest,
        account_id,
    )
    return bool(filed)


async def insert_account(
    conn: Connection,
    account_id: AccountId,
    *,
    sealed_phone: bytes,
    phone_digest: bytes,
    language: Language,
    now: datetime,
) -> None:
    await conn.execute(
        """
        -- gateway.insert_account
        INSERT INTO gateway.account (account_id, phone, phone_digest, language, created_at) VALUES ($1, $2, $3, $4, $5)
        """,
        account_id,
        sealed_phone,
        phone_digest,
        language,
        now,
    )


async def select_account(conn: Connection, account_id: AccountId) -> Account | None:
    row = await conn.fetchrow(
        """
        -- gateway.select_account
        SELECT account_id, phone, language, person_id, real_name_checked_at, created_at
          FROM gateway.account WHERE account_id = $1
        """,
        account_id,
    )
    return None if row is None else _account(row)


async def lock_account(conn: Connection, account_id: AccountId) -> Account | None:
    row = await conn.fetchrow(
        """
        -- gateway.lock_account
        SELECT account_id, phone, language, person_id, real_name_checked_at, created_at
          FROM gateway.account WHERE account_id = $1 FOR UPDATE
        """,
        account_id,
    )
    return None if row is None else _account(row)


def _account(row: Row) -> Account:
    person_id = row["person_id"]
    return Account(
        AccountId(row["account_id"]),
        row["phone"],
        row["language"],
        None if person_id is None else PersonId(person_id),
        row["real_name_checked_at"],
        row["created_at"],
    )


async def attach_person(
    conn: Connection, account_id: AccountId, person_id: PersonId, *, serial: str, now: datetime
) -> None:
    await conn.execute(
        """
        -- gateway.attach_person
        UPDATE gateway.account SET person_id = $2, real_name_serial = $3, real_name_checked_at = $4
         WHERE account_id = $1
        """,
        account_id,
        person_id,
        serial,
        now,
    )


async def file_person(conn: Connection, person_id: PersonId, account_id: AccountId) -> bool:
    """Whether the person had no open account until now."""
    filed = await conn.fetchval(
        """
        -- gateway.file_person
        INSERT INTO gateway.person_account (person_id, account_id) VALUES ($1, $2)
        ON CONFLICT (person_id) DO NOTHING RETURNING TRUE
        """,
        person_id,
        account_id,
    )
    return bool(filed)


async def delete_person_account(conn: Connection, person_id: PersonId, account_id: AccountId) -> None:
    await conn.execute(
        """
        -- gateway.delete_person_account
        DELETE FROM gateway.person_account WHERE person_id = $1 AND account_id = $2
        """,
        person_id,
        account_id,
    )


async def delete_phone_account(conn: Connection, phone_digest: bytes, account_id: AccountId) -> None:
    await conn.execute(
        """
        -- gateway.delete_phone_account
        DELETE FROM gateway.phone_account WHERE phone_digest = $1 AND account_id = $2
        """,
        phone_digest,
        account_id,
    )


async def select_phone_digest(conn: Connection, account_id: AccountId) -> bytes | None:
    """The digest that an account's phone is filed under."""
    digest: bytes | None = await conn.fetchval(
        """
        -- gateway.select_phone_digest
        SELECT phone_digest FROM gateway.account WHERE account_id = $1
        """,
        account_id,
    )
    return digest


async def delete_account(conn: Connection, account_id: AccountId) -> None:
    await conn.execute(
        """
        -- gateway.delete_account
        DELETE FROM gateway.account WHERE account_id = $1
        """,
        account_id,
    )


async def lock_account_of_chat(conn: Connection, openid_digest: bytes) -> AccountId | None:
    """Locked, so that the account is not closed while somebody signs in to it."""
    found = await conn.fetchval(
        """
        -- gateway.lock_account_of_chat
        SELECT account_id FROM gateway.chat_account WHERE openid_digest = $1 FOR UPDATE
        """,
        openid_digest,
    )
    return None if found is None else AccountId(found)


async def file_chat(conn: Connection, openid_digest: bytes, account_id: AccountId) -> bool:
    """Whether the chat platform's user was linked to nobody until now."""
    filed = await conn.fetchval(
        """
        -- gateway.file_chat
        INSERT INTO gateway.chat_account (openid_digest, account_id) VALUES ($1, $2)
        ON CONFLICT (openid_digest) DO NOTHING RETURNING TRUE
        """,
        openid_digest,
        account_id,
    )
    return bool(filed)


async def insert_account_chat(
    conn: Connection, account_id: AccountId, openid_digest: bytes, *, sealed_openid: bytes, now: datetime
) -> None:
    await conn.execute(
        """
        -- gateway.insert_account_chat
        INSERT INTO gateway.account_chat (account_id, openid_digest, openid, linked_at) VALUES ($1, $2, $3, $4)
        """,
        account_id,
        openid_digest,
        sealed_openid,
        now,
    )


async def delete_account_chats(conn: Connection, account_id: AccountId) -> list[bytes]:
    """Unlink every chat user of an account; the digests they are filed under."""
    rows = await conn.fetch(
        """
        -- gateway.delete_account_chats
        DELETE FROM gateway.account_chat WHERE account_id = $1 RETURNING openid_digest
        """,
        account_id,
    )
    return [row["openid_digest"] for row in rows]


async def delete_chat_account(conn: Connection, openid_digest: bytes, account_id: AccountId) -> None:
    await conn.execute(
        """
        -- gateway.delete_chat_account
        DELETE FROM gateway.chat_account WHERE openid_digest = $1 AND account_id = $2
        """,
        openid_digest,
        account_id,
    )


async def select_linked_at(conn: Connection, account_id: AccountId) -> list[datetime]:
    """When each chat user of an account was linked, oldest first."""
    rows = await conn.fetch(
        """
        -- gateway.select_linked_at
        SELECT linked_at FROM gateway.account_chat WHERE account_id = $1 ORDER BY linked_at
        """,
        account_id,
    )
    return [row["linked_at"] for row in rows]


async def select_chat_linked_last(conn: Connection, account_id: AccountId) -> Row | None:
    """The chat user of an account that was linked last, sealed."""
    return await conn.fetchrow(
        """
        -- gateway.select_chat_linked_last
        SELECT openid_digest, openid FROM gateway.account_chat
         WHERE account_id = $1 ORDER BY linked_at DESC, openid_digest LIMIT 1
        """,
        account_id,
    )


async def delete_expired_challenges(conn: Connection, *, before: datetime) -> None:
    await conn.execute(
        """
        -- gateway.delete_expired_challenges
        DELETE FROM gateway.challenge WHERE expires_at < $1
        """,
        before,
    )
