"""Accounts found and made by phone. A phone is sealed to its account and found through its keyed digest."""

from datetime import datetime
from uuid import UUID

from gateway.residents import queries
from gateway.residents.model import Account, Language, Phone
from kernel.db import Connection
from kernel.ids import AccountId, SessionId, uuid7
from kernel.principal import Resident
from kernel.sealing import Keys


class Accounts:
    """The residents' accounts, and the digests by which phones are told apart."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer("gateway.phone")
        self._digester = keys.digester("gateway.phone")

    def digest(self, phone: Phone) -> bytes:
        return self._digester.digest(phone.e164)

    def every_digest(self, phone: Phone) -> list[bytes]:
        return self._digester.every_digest(phone.e164)

    async def find(self, conn: Connection, phone: Phone) -> AccountId | None:
        """The account of a phone, under any digest key still kept; it stays open while the transaction lasts."""
        for digest in self.every_digest(phone):
            account_id = await queries.lock_account_of_phone(conn, digest)
            if account_id is not None:
                return account_id
        return None

    async def open(self, conn: Connection, phone: Phone, language: Language, *, now: datetime) -> tuple[Account, bool]:
        """The account of a phone, made now if there was none, and whether it was made now.

        Only for whoever proved that the phone is theirs.
        """
        found = await self.find(conn, phone)
        if found is None:
            account_id = AccountId(uuid7(now))
            digest = self.digest(phone)
            if await queries.file_phone(conn, digest, account_id):
                sealed = self._sealer.seal(phone.e164.encode(), account_id.bytes)
                await queries.insert_account(
                    conn, account_id, sealed_phone=sealed, phone_digest=digest, language=language, now=now
                )
                return Account(account_id, sealed, language, None, None, now), True
            found = await self.find(conn, phone)
        assert found is not None  # filed by the one we lost to, which has committed
        account = await queries.select_account(conn, found)
        assert account is not None  # the phone is locked, and closing an account takes it first
        return account, False

    def phone_of(self, account: Account) -> Phone:
        return Phone(self._sealer.unseal(account.sealed_phone, account.account_id.bytes).decode())


def proved(account: Account, session_id: SessionId) -> Resident:
    """Whom a session of an account proves."""
    return Resident(account.account_id, session_id, account.person_id)


async def find_principal(conn: Connection, subject_id: UUID, session_id: SessionId) -> Resident | None:
    """Whom a resident's session proves now, or None when the account was closed."""
    account = await queries.select_account(conn, AccountId(subject_id))
    return None if account is None else proved(account, session_id)
