"""A department says whom its team keys may send to: numbers and addresses of its own people, sealed."""

from kernel import audit
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.sealing import Keys
from notifications.services.errors import TeamFull
from notifications.services.keys import queries
from notifications.services.model import TEAM_MAX, Allowance


class Teams:
    """Keeps the lists. A recipient is what `recipients.read_phone` or `read_email` made."""

    def __init__(self, db: Database, clock: Clock, keys: Keys) -> None:
        self._db = db
        self._clock = clock
        self._sealer = keys.sealer("notifications.team_member")
        self._digester = keys.digester("notifications.team_member")

    async def every(self, service_id: DepartmentId) -> list[str]:
        """Everybody on the list, in the order they were added."""
        async with self._db.connection() as conn:
            rows = await queries.select_team(conn, service_id)
        return [self._sealer.unseal(sealed, service_id.bytes + digest).decode() for digest, sealed in rows]

    async def add(self, service_id: DepartmentId, recipient: str, *, actor: str) -> None:
        """Put a number or an address on the list; one that is on it stays once. Raises TeamFull."""
        now = self._clock.now()
        digest = self._digester.digest(recipient)
        async with self._db.transaction() as conn:
            await queries.ensure_service(conn, service_id, Allowance(), now=now)
            await queries.lock_service(conn, service_id)
            if await queries.is_in_team(conn, service_id, self._digester.every_digest(recipient)):
                return
            if await queries.count_team(conn, service_id) >= TEAM_MAX:
                raise TeamFull
            sealed = self._sealer.seal(recipient.encode(), service_id.bytes + digest)
            await queries.insert_team_member(conn, service_id, digest, sealed, now=now)
            subject = f"service:{service_id}"
            await audit.record(conn, actor=actor, act="services.add_to_team", subject=subject, now=now)

    async def remove(self, service_id: DepartmentId, recipient: str, *, actor: str) -> None:
        """Take a number or an address off the list; one that is not on it is off already."""
        async with self._db.transaction() as conn:
            await queries.delete_team_member(conn, service_id, self._digester.every_digest(recipient))
            now, subject = self._clock.now(), f"service:{service_id}"
            await audit.record(conn, actor=actor, act="services.take_off_team", subject=subject, now=now)

    async def has(self, service_id: DepartmentId, recipient: str) -> bool:
        async with self._db.connection() as conn:
            return await queries.is_in_team(conn, service_id, self._digester.every_digest(recipient))
