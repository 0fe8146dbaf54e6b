"""What the entrance holds about a resident: a short view for the screen, and everything for export."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import msgspec

from appointments.accounts.exporting import AppointmentsExport
from gateway.residents import queries
from gateway.residents.accounts import Accounts
from gateway.residents.model import Account, Language, masked_id_number, masked_phone
from gateway.sessions.keeping import Sessions
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import TokenRevoked
from kernel.ids import AccountId, PersonId
from kernel.people import Identity, People
from notifications.reaching.exporting import NotificationsExport
from wallet.exporting import WalletExport

Export = Callable[[PersonId], Awaitable[WalletExport]]
"""Asks the wallet for everything it holds about a person."""
ExportBookings = Callable[[PersonId], Awaitable[AppointmentsExport]]
"""Asks appointments for the same."""
ExportNotifications = Callable[[PersonId], Awaitable[NotificationsExport]]
"""And notifications."""


class RealName(msgspec.Struct, frozen=True):
    """Who the resident is, as shown on their own screen."""

    person_id: PersonId
    name: str
    id_number_masked: str
    checked_at: datetime


class Me(msgspec.Struct, frozen=True):
    """A resident's own account at a glance."""

    account_id: AccountId
    phone_masked: str
    language: Language
    real_name: RealName | None


class HeldSession(msgspec.Struct, frozen=True):
    session_id: UUID
    device: str
    signed_in_at: datetime
    last_used_at: datetime


class Held(msgspec.Struct, frozen=True):
    """Everything the city holds about a resident, unmasked: theirs to take along."""

    account_id: AccountId
    phone: str
    language: Language
    created_at: datetime
    real_name: str | None
    id_number: str | None
    real_name_checked_at: datetime | None
    chat_linked_at: list[datetime]
    sessions: list[HeldSession]
    wallet: WalletExport | None
    appointments: AppointmentsExport | None
    notifications: NotificationsExport | None


class ShowingAccount:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        people: People,
        accounts: Accounts,
        sessions: Sessions,
        export: Export | None,
        export_bookings: ExportBookings | None = None,
        export_told: ExportNotifications | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._people = people
        self._accounts = accounts
        self._sessions = sessions
        self._export = export
        self._export_bookings = export_bookings
        self._export_told = export_told

    async def me(self, account_id: AccountId) -> Me:
        async with self._db.connection() as conn:
            account = await _find(conn, account_id)
            identity = await self._identity(conn, account)
        phone = masked_phone(self._accounts.phone_of(account))
        if identity is None:
            return Me(account_id, phone, account.language, None)
        assert account.person_id is not None
        assert account.real_name_checked_at is not None
        id_number = masked_id_number(identity.id_number)
        real_name = RealName(account.person_id, identity.name, id_number, account.real_name_checked_at)
        return Me(account_id, phone, account.language, real_name)

    async def sessions(self, account_id: AccountId) -> list[HeldSession]:
        """The devices that are signed in, newest first."""
        async with self._db.connection() as conn:
            return await self._held_sessions(conn, account_id)

    async def _held_sessions(self, conn: Connection, account_id: AccountId) -> list[HeldSession]:
        opened = await self._sessions.opened(conn, account_id, now=self._clock.now())
        return [HeldSession(s.session_id, device, s.created_at, s.refreshed_at) for s, device in opened]

    async def held(self, account_id: AccountId) -> Held:
        async with self._db.connection() as conn:
            account = await _find(conn, account_id)
            identity = await self._identity(conn, account)
            linked_at = await queries.select_linked_at(conn, account_id)
            sessions = await self._held_sessions(conn, account_id)
        return Held(
            account_id=account_id,
            phone=self._accounts.phone_of(account).e164,
            language=account.language,
            created_at=account.created_at,
            real_name=None if identity is None else identity.name,
            id_number=None if identity is None else identity.id_number,
            real_name_checked_at=account.real_name_checked_at,
            chat_linked_at=linked_at,
            sessions=sessions,
            wallet=await self._held_in_wallet(account.person_id),
            appointments=await self._booked(account.person_id),
            notifications=await self._told(account.person_id),
        )

    async def _held_in_wallet(self, person_id: PersonId | None) -> WalletExport | None:
        """None while the real name is not checked: then nobody knows whose certificates they would be."""
        return None if person_id is None or self._export is None else await self._export(person_id)

    async def _booked(self, person_id: PersonId | None) -> AppointmentsExport | None:
        if person_id is None or self._export_bookings is None:
            return None
        return await self._export_bookings(person_id)

    async def _told(self, person_id: PersonId | None) -> NotificationsExport | None:
        return None if person_id is None or self._export_told is None else await self._export_told(person_id)

    async def _identity(self, conn: Connection, account: Account) -> Identity | None:
        return None if account.person_id is None else await self._people.identity(conn, account.person_id)


async def _find(conn: Connection, account_id: AccountId) -> Account:
    account = await queries.select_account(conn, account_id)
    if account is None:  # closed a moment ago
        raise TokenRevoked
    return account
