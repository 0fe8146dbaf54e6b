"""A resident signs in by phone; the first time makes the account."""

from datetime import datetime
from uuid import UUID

from gateway.residents.accounts import Accounts, find_principal, proved
from gateway.residents.challenging import Challenges, phone_of
from gateway.residents.errors import CodeNotAccepted
from gateway.residents.model import Account, Language, Phone
from gateway.sessions.keeping import Sessions
from gateway.sessions.model import SignedIn
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.principal import Audience
from notifications import templates
from notifications.outbox import Outbox, Owed

CALLER = "gateway.new_sign_in"


class SigningIn:
    """Turns a proof of a phone into a session."""

    def __init__(
        self, db: Database, clock: Clock, accounts: Accounts, challenges: Challenges, sessions: Sessions, outbox: Outbox
    ) -> None:
        self._db = db
        self._clock = clock
        self._accounts = accounts
        self._challenges = challenges
        self._sessions = sessions
        self._outbox = outbox

    async def sign_in(self, challenge_id: UUID, phone_text: str, code: str, *, device: str, address: str) -> SignedIn:
        """Sign in with a code. The code is spent, the account made and the session opened together.

        Raises PhoneNotValid, TooManyCodes, CodeNotAccepted.
        """
        phone = phone_of(phone_text)
        await self._challenges.admit_answer(address)
        signed_in = None
        async with self._db.transaction() as conn:
            language = await self._challenges.answer(conn, Audience.RESIDENT, challenge_id, phone, code)
            if language is not None:
                signed_in = await self.admit(conn, phone, language, Audience.RESIDENT, device=device)
        if signed_in is None:  # after the commit, which holds the spent attempt
            raise CodeNotAccepted
        return signed_in

    async def admit(
        self, conn: Connection, phone: Phone, language: Language, audience: Audience, *, device: str
    ) -> SignedIn:
        """Open a session for whoever proved that the phone is theirs."""
        account, _ = await self._accounts.open(conn, phone, language, now=self._clock.now())
        return await self.open_session(conn, account, audience, device=device)

    async def open_session(
        self, conn: Connection, account: Account, audience: Audience, *, device: str, is_told: bool = True
    ) -> SignedIn:
        """Open a session of an account, and tell its person that a device was signed in."""
        now = self._clock.now()
        signed_in = await self._sessions.open(
            conn, account.account_id, audience, lambda session_id: proved(account, session_id), device=device, now=now
        )
        if is_told and account.person_id is not None:
            await self._tell(conn, account, signed_in, device=device, now=now)
        return signed_in

    async def _tell(
        self, conn: Connection, account: Account, signed_in: SignedIn, *, device: str, now: datetime
    ) -> None:
        assert account.person_id is not None
        owed = Owed(
            caller=CALLER,
            key=str(signed_in.session_id),
            to=account.person_id,
            template=templates.NEW_SIGN_IN,
            values={"device": device, "when": now.isoformat()},
            due_at=now,
        )
        await self._outbox.owe_many(conn, [owed], now=now)

    async def refresh(self, refresh_token: str, audience: Audience) -> SignedIn:
        """New tokens for a resident's refresh token. Raises SessionOver."""
        return await self._sessions.refresh(refresh_token, audience, find_principal)
