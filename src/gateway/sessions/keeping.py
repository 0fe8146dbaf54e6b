"""Opening, refreshing and ending sessions."""

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from gateway import tokens
from gateway.sessions import queries, refresh_token
from gateway.sessions.errors import SessionOver
from gateway.sessions.model import (
    REFRESH_RETRY,
    SESSION_AGE_MAX,
    SESSION_LIFETIME,
    SESSIONS_MAX,
    STAFF_SESSION_LIFETIME,
    Session,
    SignedIn,
)
from gateway.sessions.refresh_token import NotARefreshToken, RefreshToken
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import SessionId, uuid7
from kernel.log import get_logger
from kernel.principal import Audience, Principal
from kernel.sealing import Digester, Keys
from kernel.snapshots import Snapshot, announce

log = get_logger(__name__)

Proves = Callable[[SessionId], Principal]
"""Makes the principal of a session from its id."""
FindsPrincipal = Callable[[Connection, UUID, SessionId], Awaitable[Principal | None]]
"""Finds whom a session of a subject proves now; None when the subject is gone or was disabled."""

ENDED = "gateway.ended_sessions"
"""The snapshot of what ended before its last token did."""
KEPT_AFTER = timedelta(days=1)
"""How long what expired is kept before it is deleted."""


class Sessions:
    """The sessions of residents and staff. `ended` is what the edge looks into at every request."""

    def __init__(self, db: Database, clock: Clock, signing_keys: tokens.Signs, keys: Keys, *, issuer: str) -> None:
        self._db = db
        self._clock = clock
        self._signing_keys = signing_keys
        self._digester: Digester = keys.digester("gateway.refresh")
        self._device_sealer = keys.sealer("gateway.device")
        self._successor_key = keys.derived("gateway.refresh successor")
        self._issuer = issuer
        self.ended: Snapshot[frozenset[UUID]] = Snapshot(ENDED, self._read_ended)

    async def _read_ended(self) -> frozenset[UUID]:
        async with self._db.connection() as conn:
            return await queries.select_ended(conn, now=self._clock.now())

    async def open(
        self, conn: Connection, subject_id: UUID, audience: Audience, proves: Proves, *, device: str, now: datetime
    ) -> SignedIn:
        """Open a session of a device; it is signed in once the caller's transaction commits."""
        session_id = SessionId(uuid7(now))
        token = refresh_token.fresh(subject_id, session_id)
        session = Session(
            subject_id=subject_id,
            session_id=session_id,
            audience=audience,
            sealed_device=self._device_sealer.seal(device.encode(), session_id.bytes),
            family_digest=self._digester.digest(token.family_value()),
            refresh_digest=self._digester.digest(token.secret_value()),
            previous_digest=None,
            refreshed_at=now,
            created_at=now,
            expires_at=_expiry(audience, created_at=now, now=now),
            ended_at=None,
        )
        await queries.insert_session(conn, session)
        opened = await queries.select_open_sessions(conn, subject_id, now=now)
        for oldest in [one for one in opened if one.audience is audience][SESSIONS_MAX:]:
            await self.end(conn, oldest.subject_id, oldest.session_id, now=now)
        return self._handed(proves(session_id), audience, token, session.expires_at, now=now)

    def _handed(
        self, principal: Principal, audience: Audience, token: RefreshToken, expires_at: datetime, *, now: datetime
    ) -> SignedIn:
        access = tokens.mint(
            self._signing_keys, principal, issuer=self._issuer, audience=audience, session_id=token.session_id, now=now
        )
        return SignedIn(
            token.session_id, access.text, access.expires_at, access.lifetime_seconds, token.text(), expires_at
        )

    async def refresh(self, text: str, audience: Audience, find: FindsPrincipal) -> SignedIn:
        """New tokens for a refresh token; the old one is spent.

        The one before the current gets the same answer again within REFRESH_RETRY, so that a lost answer signs nobody
        out. Any other spent token ends the session, since somebody has a copy. Raises SessionOver.
        """
        try:
            token = refresh_token.read(text)
        except NotARefreshToken:
            raise SessionOver from None
        async with self._db.transaction() as conn:
            signed_in = await self._turn(conn, token, audience, find)
        if signed_in is None:  # after the commit, which may have ended the session
            raise SessionOver
        return signed_in

    async def _turn(
        self, conn: Connection, token: RefreshToken, audience: Audience, find: FindsPrincipal
    ) -> SignedIn | None:
        now = self._clock.now()
        session = await queries.lock_session(conn, token.subject_id, token.session_id)
        if session is None or session.audience is not audience or not self._is_of_family(session, token):
            return None
        if session.ended_at is not None or session.expires_at <= now:
            return None
        following = token.successor(self._successor_key)
        is_current = self._is(token, session.refresh_digest)
        if not is_current and not self._may_retry(session, token, following, now):
            await self.end(conn, session.subject_id, session.session_id, now=now)
            log.warning("a spent refresh token came again: session ended", session_id=str(session.session_id))
            return None
        principal = await find(conn, session.subject_id, session.session_id)
        if principal is None:
            await self.end(conn, session.subject_id, session.session_id, now=now)
            return None
        if is_current:
            expires_at = _expiry(audience, created_at=session.created_at, now=now)
            expires_at = expires_at if _slides(session, now) else session.expires_at
            digest = self._digester.digest(following.secret_value())
            await queries.rotate_refresh(conn, session, refresh_digest=digest, expires_at=expires_at, now=now)
        else:
            expires_at = session.expires_at
        return self._handed(principal, audience, following, expires_at, now=now)

    def _is_of_family(self, session: Session, token: RefreshToken) -> bool:
        return self._same(session.family_digest, token.family_value())

    def _is(self, token: RefreshToken, stored: bytes) -> bool:
        return self._same(stored, token.secret_value())

    def _same(self, stored: bytes, value: str) -> bool:
        return any(hmac.compare_digest(stored, digest) for digest in self._digester.every_digest(value))

    def _may_retry(self, session: Session, token: RefreshToken, following: RefreshToken, now: datetime) -> bool:
        """Whether this is the token before the current one, whose answer was given a moment ago and never used."""
        return (
            session.previous_digest is not None
            and self._is(token, session.previous_digest)
            and self._is(following, session.refresh_digest)
            and now - session.refreshed_at <= REFRESH_RETRY
        )

    async def leave(self, subject_id: UUID, session_id: SessionId) -> None:
        """End a session because its owner says so. Doing it twice is doing it once."""
        async with self._db.transaction() as conn:
            await self.end(conn, subject_id, session_id, now=self._clock.now())

    async def end(self, conn: Connection, subject_id: UUID, session_id: SessionId, *, now: datetime) -> None:
        """End a session, and with it, within a second, every access token it was given."""
        if await queries.end_session(conn, subject_id, session_id, now=now):
            await end_tokens(conn, session_id, now=now)

    async def end_all(self, conn: Connection, subject_id: UUID, *, now: datetime) -> None:
        """End every session of an account or member of staff."""
        for session in await queries.select_open_sessions(conn, subject_id, now=now):
            await self.end(conn, subject_id, session.session_id, now=now)

    async def replace(
        self,
        conn: Connection,
        subject_id: UUID,
        session_id: SessionId,
        audience: Audience,
        proves: Proves,
        *,
        now: datetime,
    ) -> SignedIn:
        """Open a session in the place of one, on the same device.

        The old one ends when its last access token does, so that a lost answer can be asked for again with it. Raises
        SessionOver: one that was ended brings forth no other.
        """
        expires_at = now + tokens.PERSON_LIFETIME
        sealed = await queries.shorten_session(conn, subject_id, session_id, expires_at=expires_at)
        if sealed is None:  # ended or deleted, while its last token lives on for a moment
            raise SessionOver
        device = self._device_sealer.unseal(sealed, session_id.bytes).decode()
        return await self.open(conn, subject_id, audience, proves, device=device, now=now)

    async def opened(self, conn: Connection, subject_id: UUID, *, now: datetime) -> list[tuple[Session, str]]:
        """The open sessions of a subject with the names of their devices, newest first."""
        sessions = await queries.select_open_sessions(conn, subject_id, now=now)
        return [(session, self._device_of(session)) for session in sessions]

    def _device_of(self, session: Session) -> str:
        return self._device_sealer.unseal(session.sealed_device, session.session_id.bytes).decode()

    async def forget_expired(self) -> None:
        """Delete what expired a day ago; run by the worker now and then."""
        before = self._clock.now() - KEPT_AFTER
        async with self._db.transaction() as conn:
            await queries.delete_expired_sessions(conn, before=before)
        async with self._db.transaction() as conn:
            await queries.delete_forgotten_ended(conn, before=before)


async def end_tokens(conn: Connection, session_id: UUID, *, now: datetime) -> None:
    """Refuse every access token of a session, or of a machine's grant, from now on."""
    await queries.insert_ended(conn, session_id, until=now + tokens.LIFETIME_MAX)
    await announce(conn, ENDED)


def _expiry(audience: Audience, *, created_at: datetime, now: datetime) -> datetime:
    if audience in tokens.RESIDENTS:
        return min(now + SESSION_LIFETIME, created_at + SESSION_AGE_MAX)
    return created_at + STAFF_SESSION_LIFETIME


def _slides(session: Session, now: datetime) -> bool:
    """Whether using the session keeps it alive: not once it was shortened, because another took its place."""
    return session.expires_at - now > tokens.PERSON_LIFETIME
