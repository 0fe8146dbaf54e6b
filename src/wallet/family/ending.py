"""A mandate ends: by its holder, by its agent, or by the department that registered it. One call, and it is over."""

from uuid import UUID

from msgspec import structs

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import PersonId
from notifications import templates
from notifications.outbox import Outbox, Owed, ToNobody
from wallet.errors import MandateNotFound, MandateNotYoursToEnd
from wallet.family import queries
from wallet.family.acting import Acting
from wallet.family.queries import Filed, Key
from wallet.mandates import Basis


class Ending:
    """Ends mandates, and tells both sides."""

    def __init__(self, db: Database, clock: Clock, outbox: Outbox, acting: Acting) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._acting = acting

    async def revoke(self, caller: PersonId, mandate_id: UUID) -> Filed:
        """End a mandate that the caller gave or holds: from this moment nothing is shown or redeemed under it.

        Ending again changes nothing. Raises MandateNotFound; MandateNotYoursToEnd for the ward of a guardianship.
        """
        async with self._db.transaction() as conn:
            filed = await queries.lock_mandate(conn, caller, mandate_id)
            if filed is None:
                held = await self._acting.held_by(conn, caller, mandate_id)
                filed = await queries.lock_mandate(conn, held.mandate.person_id, mandate_id)
                assert filed is not None  # mandates end, they do not go away
            elif filed.mandate.basis is Basis.GUARDIAN:
                raise MandateNotYoursToEnd
            return await self._end(conn, filed, actor=f"person:{caller}")

    async def end(self, conn: Connection, key: Key, *, actor: str) -> Filed:
        """End a mandate in the caller's transaction. Raises MandateNotFound."""
        filed = await queries.lock_mandate(conn, *key)
        if filed is None:
            raise MandateNotFound
        return await self._end(conn, filed, actor=actor)

    async def _end(self, conn: Connection, filed: Filed, *, actor: str) -> Filed:
        """The mandate as it stands then. The moment is told once it is locked: nobody used it after that."""
        mandate = filed.mandate
        if mandate.revoked_at is not None:
            return filed
        now = self._clock.now()
        await queries.end_mandate(conn, (mandate.person_id, mandate.mandate_id), actor=actor, now=now)
        subject = f"mandate:{mandate.mandate_id}"
        await audit.record(conn, actor=actor, act="wallet.end_mandate", subject=subject, now=now)
        between = await self._acting.between(conn, filed)
        agent = mandate.agent_person_id if await self._acting.is_meant(conn, filed) else ToNobody()
        key = f"mandate:{mandate.person_id}:{mandate.mandate_id}"
        ended, lost, basis = templates.MANDATE_ENDED, templates.MANDATE_LOST, mandate.basis.value
        told = [
            (f"{key}:ended", mandate.person_id, ended, between.agent),
            (f"{key}:lost", agent, lost, between.holder),
        ]
        owed = [
            Owed(
                caller="wallet", key=key, to=to, template=template, values={"other": other, "basis": basis}, due_at=now
            )
            for key, to, template, other in told
        ]
        await self._outbox.owe_many(conn, owed, now=now)
        return structs.replace(filed, mandate=structs.replace(mandate, revoked_at=now))
