"""The residents' part of the entrance, wired from values."""

from typing import Self

import aiohttp

from appointments.parts import Appointments
from gateway import outside, tokens
from gateway.residents import closing
from gateway.residents.accounts import Accounts
from gateway.residents.challenging import Bounds, Challenges
from gateway.residents.checking_real_name import RealNames
from gateway.residents.real_name_checker import RealNameChecker
from gateway.residents.showing_account import ShowingAccount
from gateway.residents.signing_in import SigningIn
from gateway.sessions.keeping import Sessions
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import AccountId
from kernel.limits import Limits
from kernel.people import People
from kernel.sealing import Keys
from kernel.snapshots import Refreshable
from notifications.contacts import Contacts
from notifications.outbox import Outbox
from notifications.reaching.parts import Reaching
from wallet.parts import Wallet

CONNECTIONS_MAX = 20


class Residents:
    """What residents do at the entrance. `sessions` is shared with staff and the mini-program."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        outbox: Outbox,
        people: People,
        contacts: Contacts,
        sessions: Sessions,
        http: aiohttp.ClientSession,
        *,
        real_name_url: str,
        bounds: Bounds,
        wallet: Wallet | None = None,
        appointments: Appointments | None = None,
        reaching: Reaching | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._http = http
        self.sessions = sessions
        self.accounts = Accounts(keys)
        self.challenges = Challenges(db, clock, keys, limits, outbox, self.accounts, bounds)
        self.signing_in = SigningIn(db, clock, self.accounts, self.challenges, sessions, outbox)
        checker = RealNameChecker(http, real_name_url)
        self.real_names = RealNames(db, clock, limits, people, contacts, self.accounts, sessions, checker)
        export = None if wallet is None else wallet.exporting.everything_of
        export_bookings = None if appointments is None else appointments.exporting.everything_of
        export_told = None if reaching is None else reaching.exporting.everything_of
        self.showing = ShowingAccount(db, clock, people, self.accounts, sessions, export, export_bookings, export_told)
        self._leave = [part.leaving.leave for part in (appointments, wallet, reaching) if part is not None]
        self.snapshots: list[Refreshable] = [sessions.ended]

    @classmethod
    async def open(
        cls,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        outbox: Outbox,
        people: People,
        contacts: Contacts,
        signing_keys: tokens.Signs,
        *,
        issuer: str,
        real_name_url: str,
        bounds: Bounds | None = None,
        wallet: Wallet | None = None,
        appointments: Appointments | None = None,
        reaching: Reaching | None = None,
    ) -> Self:
        """Wire the part inside the running event loop; `close` it at the end.

        With wallet, appointments and `reaching`, an export holds what those hold, and closing an account tells them.
        """
        sessions = Sessions(db, clock, signing_keys, keys, issuer=issuer)
        http = outside.open_client(connections_max=CONNECTIONS_MAX)
        return cls(
            db,
            clock,
            keys,
            limits,
            outbox,
            people,
            contacts,
            sessions,
            http,
            real_name_url=real_name_url,
            bounds=bounds or Bounds(),
            wallet=wallet,
            appointments=appointments,
            reaching=reaching,
        )

    async def close_account(self, account_id: AccountId) -> None:
        await closing.close(self._db, self._clock, self.sessions, account_id, self._leave)

    async def forget_expired(self) -> None:
        """Delete expired challenges and sessions; run by the worker now and then."""
        await self.challenges.forget_expired()
        await self.sessions.forget_expired()

    async def close(self) -> None:
        await self._http.close()
