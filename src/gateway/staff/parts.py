"""The staff's part of the entrance: signing in by phone, by the same challenges and sessions as residents."""

from uuid import UUID

from gateway.residents.challenging import phone_of
from gateway.residents.errors import CodeNotAccepted
from gateway.residents.model import Challenge, Language, Phone
from gateway.residents.parts import Residents
from gateway.sessions.model import SignedIn
from gateway.staff import queries, staffing
from gateway.staff.staffing import StaffIdentity
from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import SessionId, StaffId
from kernel.principal import Audience
from kernel.sealing import Keys
from kernel.snapshots import Refreshable

DEVICE = "desk"
"""Staff share devices; what tells their sessions apart is who they are."""


class Workforce:
    """What staff do at the entrance. `residents` lends its challenges and sessions."""

    def __init__(self, db: Database, clock: Clock, keys: Keys, residents: Residents) -> None:
        self._db = db
        self._clock = clock
        self._keys = keys
        self._accounts = residents.accounts
        self._challenges = residents.challenges
        self._sessions = residents.sessions
        self.snapshots: list[Refreshable] = []

    async def ask(self, audience: Audience, phone_text: str, *, language: Language, address: str) -> Challenge:
        """Owe a code to somebody who works here; anybody else is told the same and sent nothing.

        Raises PhoneNotValid, TooManyCodes.
        """

        async def welcomes(conn: Connection, phone: Phone) -> bool:
            return await staffing.find_by_phone(conn, self._accounts, phone, audience) is not None

        return await self._challenges.ask(audience, phone_text, language=language, address=address, welcomes=welcomes)

    async def sign_in(
        self, audience: Audience, challenge_id: UUID, phone_text: str, code: str, *, address: str
    ) -> SignedIn:
        """Sign in with a code; recorded. Raises PhoneNotValid, TooManyCodes, CodeNotAccepted."""
        phone = phone_of(phone_text)
        await self._challenges.admit_answer(address)
        signed_in = None
        async with self._db.transaction() as conn:
            if await self._challenges.answer(conn, audience, challenge_id, phone, code) is not None:
                signed_in = await self._admit(conn, audience, phone)
        if signed_in is None:  # after the commit, which holds the spent attempt
            raise CodeNotAccepted
        return signed_in

    async def _admit(self, conn: Connection, audience: Audience, phone: Phone) -> SignedIn | None:
        member = await staffing.find_by_phone(conn, self._accounts, phone, audience)
        if member is None:
            return None
        now = self._clock.now()
        signed_in = await self._sessions.open(
            conn,
            member.staff_id,
            audience,
            lambda session_id: staffing.proved(member, session_id),
            device=DEVICE,
            now=now,
        )
        actor, subject = f"staff:{member.staff_id}", f"session:{signed_in.session_id}"
        await audit.record(conn, actor=actor, act="staff.sign_in", subject=subject, now=now)
        return signed_in

    async def refresh(self, refresh_token: str, audience: Audience) -> SignedIn:
        """New tokens for a refresh token. Raises SessionOver."""
        return await self._sessions.refresh(refresh_token, audience, staffing.find_principal)

    async def sign_out(self, staff_id: StaffId, session_id: SessionId) -> None:
        await self._sessions.leave(staff_id, session_id)

    async def identity(self, staff_id: StaffId) -> StaffIdentity:
        """Who is signed in, for their own screen."""
        async with self._db.connection() as conn:
            return await staffing.read_identity(conn, self._keys, staff_id)

    async def disable(self, staff_id: StaffId, *, actor: str) -> bool:
        """Somebody works here no longer: every session of theirs ends. False when that was so already."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            if not await queries.disable_staff(conn, staff_id, now=now):
                return False
            await self._sessions.end_all(conn, staff_id, now=now)
            await audit.record(conn, actor=actor, act="staff.disable", subject=f"staff:{staff_id}", now=now)
        return True
