"""A resident's real name is checked (实名认证), and the account gets its person."""

from datetime import datetime
from functools import partial

from gateway.residents import queries
from gateway.residents.accounts import Accounts, proved
from gateway.residents.errors import (
    IdNumberNotValid,
    NameNotValid,
    PersonHasAccount,
    RealNameBusy,
    RealNameMismatch,
    RealNameSettled,
)
from gateway.residents.model import (
    Account,
    NotAName,
    NotAnIdNumber,
    Phone,
    read_id_number,
    read_name,
    today_in_shanghai,
)
from gateway.residents.real_name_checker import RealNameChecker
from gateway.sessions.keeping import Sessions
from gateway.sessions.model import SignedIn
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import TokenRevoked
from kernel.ids import PersonId
from kernel.limits import Limit, Limits
from kernel.people import Identity, People
from kernel.principal import Audience, Resident
from notifications.contacts import Contacts

CHECKS_A_DAY = Limit("real_name", 10, 86_400)
"""Checks of one account: enough for mistakes, too few to find out whose number is whose."""


class RealNames:
    """Attaches persons to accounts."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        limits: Limits,
        people: People,
        contacts: Contacts,
        accounts: Accounts,
        sessions: Sessions,
        checker: RealNameChecker,
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._people = people
        self._contacts = contacts
        self._accounts = accounts
        self._sessions = sessions
        self._checker = checker

    async def check(self, resident: Resident, name_text: str, id_number_text: str, audience: Audience) -> SignedIn:
        """Check who somebody is; the account gets its person, and the device a session that proves it.

        Asked again, because the answer was lost, it answers again without asking outside. No transaction is open
        while the service outside is asked. Raises NameNotValid, IdNumberNotValid, RealNameBusy,
        RealNameMismatch, RealNameOff, RealNameAway, RealNameLate, RealNameSettled, PersonHasAccount.
        """
        identity = self._identity(name_text, id_number_text)
        async with self._db.connection() as conn:
            account = await self._account(conn, resident)
            known = None if account.person_id is None else await self._people.identity(conn, account.person_id)
        if known == identity:
            async with self._db.transaction() as conn:
                return await self._reopen(conn, account, resident, audience)
        await self._admit(account)
        if known is not None and known.id_number != identity.id_number:
            raise RealNameSettled
        phone = self._accounts.phone_of(account)
        answer = await self._checker.check(identity, phone)
        if not answer.match:
            raise RealNameMismatch
        async with self._db.transaction() as conn:
            account = await self._attach(conn, resident, identity, phone, serial=answer.serial, now=self._clock.now())
            return await self._reopen(conn, account, resident, audience)

    async def _reopen(self, conn: Connection, account: Account, resident: Resident, audience: Audience) -> SignedIn:
        return await self._sessions.replace(
            conn, account.account_id, resident.session_id, audience, partial(proved, account), now=self._clock.now()
        )

    def _identity(self, name_text: str, id_number_text: str) -> Identity:
        try:
            id_number = read_id_number(id_number_text, today=today_in_shanghai(self._clock.now()))
            return Identity(id_number, read_name(name_text))
        except NotAnIdNumber:
            raise IdNumberNotValid from None
        except NotAName:
            raise NameNotValid from None

    async def _admit(self, account: Account) -> None:
        wait_seconds = await self._limits.allow(CHECKS_A_DAY, str(account.account_id))
        if wait_seconds is not None:
            raise RealNameBusy(retry_after_seconds=int(wait_seconds) + 1)

    async def _account(self, conn: Connection, resident: Resident) -> Account:
        account = await queries.select_account(conn, resident.account_id)
        if account is None:  # closed a moment ago
            raise TokenRevoked
        return account

    async def _attach(
        self, conn: Connection, resident: Resident, identity: Identity, phone: Phone, *, serial: str, now: datetime
    ) -> Account:
        account = await queries.lock_account(conn, resident.account_id)
        if account is None:
            raise TokenRevoked
        person_id = await self._people.mint(conn, identity, now=now)
        if account.person_id is not None:
            if account.person_id != person_id:
                raise RealNameSettled
            await self._people.confirm(conn, person_id, identity)
            return account
        if not await queries.file_person(conn, person_id, account.account_id):
            raise PersonHasAccount
        await self._people.confirm(conn, person_id, identity)
        await queries.attach_person(conn, account.account_id, person_id, serial=serial, now=now)
        await self._contacts.remember(conn, person_id, phone.e164, account.language, now)
        return _with_person(account, person_id, now)


def _with_person(account: Account, person_id: PersonId, now: datetime) -> Account:
    return Account(account.account_id, account.sealed_phone, account.language, person_id, now, account.created_at)
