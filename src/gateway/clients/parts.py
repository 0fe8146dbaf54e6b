"""The machines' part of the entrance, wired from values."""

from gateway import tokens
from gateway.clients import proving, queries
from gateway.sessions.keeping import end_tokens
from gateway.tokens import AccessToken
from kernel import audit
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import uuid7
from kernel.principal import Audience
from kernel.snapshots import Refreshable


class Clients:
    """Machines at the entrance."""

    def __init__(self, db: Database, clock: Clock, signing_keys: tokens.Signs, *, issuer: str) -> None:
        self._db = db
        self._clock = clock
        self._signing_keys = signing_keys
        self._issuer = issuer
        self.snapshots: list[Refreshable] = []

    async def token(self, audience: Audience, assertion: str, client_id: str | None) -> AccessToken:
        """An access token for whoever signed the assertion. Raises ClientNotProved."""
        now = self._clock.now()
        client = await proving.prove_itself(self._db, audience, assertion, client_id, issuer=self._issuer, now=now)
        return tokens.mint(
            self._signing_keys,
            client.principal(),
            issuer=self._issuer,
            audience=audience,
            session_id=client.grant_id,
            now=now,
            client_id=client.client_id,
        )

    async def disable(self, client_id: str, *, actor: str) -> bool:
        """A key leaked, or a device was lost: no new token, and the old ones end. False when that was so already."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            ended = await queries.disable_client(conn, client_id, fresh_grant_id=uuid7(now), now=now)
            if ended is None:
                return False
            await end_tokens(conn, ended, now=now)
            await audit.record(conn, actor=actor, act="clients.disable", subject=f"client:{client_id}", now=now)
        return True

    async def forget_expired(self) -> None:
        """Delete assertions that could not be used again anyway; run by the worker now and then."""
        async with self._db.transaction() as conn:
            await queries.delete_expired_assertions(conn, before=self._clock.now())
