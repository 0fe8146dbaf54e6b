"""A department changes the state of what it issued: suspend, restore, revoke, supersede.

Every step is a row of its own, audited, and told to the holder; what the state machine does not allow, the database
refuses as well.
"""

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum

import msgspec

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import CertificateId, DepartmentId
from notifications import templates
from notifications.outbox import Outbox, Owed
from wallet import identifier, queries
from wallet.catalogue import Catalogue, is_accredited
from wallet.departments.issue_policy import IssueRequest, may_issue
from wallet.departments.issuing import Draft, Issuing
from wallet.errors import CertificateNotFound, KindNotEntitled, StepNotAllowed, VersionsExhausted
from wallet.model import ALLOWED_STEPS, Certificate, Issuer, Kind, State, today_in_city
from wallet.queries import CertificateRow
from wallet.seals import Seals
from wallet.status.allocating import Place, Statuses


class Reason(StrEnum):
    """Why a state was changed. A closed list, so that nobody writes about a person where it is kept in clear."""

    HOLDER_ASKED = "holder_asked"
    HOLDER_DIED = "holder_died"
    LOST = "lost"
    UNDER_INVESTIGATION = "under_investigation"
    PENALTY = "penalty"
    PENALTY_SERVED = "penalty_served"
    CLEARED = "cleared"
    ISSUED_IN_ERROR = "issued_in_error"
    OBTAINED_BY_FRAUD = "obtained_by_fraud"
    NO_LONGER_ENTITLED = "no_longer_entitled"
    DATA_CHANGED = "data_changed"


_STEPS = {
    State.SUSPENDED: ("wallet.suspend", "suspended"),
    State.ISSUED: ("wallet.restore", "restored"),
    State.REVOKED: ("wallet.revoke", "revoked"),
}
"""What each step is called on record, and to its holder."""


class Revoking:
    """Changes the state of certificates in the name of the department that issued them."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        outbox: Outbox,
        issuing: Issuing,
        statuses: Statuses,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._outbox = outbox
        self._issuing = issuing
        self._statuses = statuses
        self._catalogue = catalogue

    async def suspend(
        self, department_id: DepartmentId, certificate_id: CertificateId, reason: Reason, *, actor: str
    ) -> Certificate:
        """From now on nobody may rely on it, until it is restored. Raises CertificateNotFound, StepNotAllowed."""
        step = State.SUSPENDED
        return await self._step(department_id, certificate_id, step, reason, actor=actor)

    async def restore(
        self, department_id: DepartmentId, certificate_id: CertificateId, reason: Reason, *, actor: str
    ) -> Certificate:
        """A suspended certificate is good again. Raises CertificateNotFound, StepNotAllowed."""
        step = State.ISSUED
        return await self._step(department_id, certificate_id, step, reason, actor=actor)

    async def revoke(
        self, department_id: DepartmentId, certificate_id: CertificateId, reason: Reason, *, actor: str
    ) -> Certificate:
        """It is not good any more, for ever. Raises CertificateNotFound, StepNotAllowed."""
        step = State.REVOKED
        return await self._step(department_id, certificate_id, step, reason, actor=actor)

    async def supersede(
        self, department_id: DepartmentId, certificate_id: CertificateId, request: IssueRequest, *, actor: str
    ) -> Certificate:
        """Issue the next version under the same serial, and end this one; both or neither. Return the new one.

        Asked again under the same reference, the same one. Raises CertificateNotFound, StepNotAllowed when the
        certificate is of another kind or holder or has ended otherwise, VersionsExhausted, and what issuing raises.
        """
        now = self._clock.now()
        async with self._db.transaction() as conn:
            old = await self.lock(conn, department_id, certificate_id)
            return await self.replace(conn, old, request, reason=Reason.DATA_CHANGED, actor=actor, now=now)

    async def replace(
        self,
        conn: Connection,
        old: CertificateRow,
        request: IssueRequest,
        *,
        reason: Reason,
        actor: str,
        now: datetime,
        is_told: bool = True,
    ) -> Certificate:
        """The same inside the caller's transaction, which has locked `old`; for any reason."""
        issuer, kind = self._entitled(old, request, today_in_city(now))
        was = identifier.read(self._seals.open_certificate(old).attributes.identifier)
        if was.version >= identifier.VERSION_MAX:
            raise VersionsExhausted
        draft = Draft(request, issuer, kind, old.person_id, was.version + 1, was.serial)
        if not await self._issuing.is_holder(conn, request.holder, old.person_id):
            raise StepNotAllowed("a certificate is superseded by one of the same holder")
        if old.state != State.SUPERSEDED:
            await self._take(conn, old, State.SUPERSEDED, reason, actor=actor, now=now)
            await self._record(conn, old, "wallet.supersede", reason, actor=actor, now=now)
        [new] = await self._issuing.write(conn, [draft], actor=actor, is_told=is_told, now=now)
        return new

    def _entitled(self, old: CertificateRow, request: IssueRequest, today: date) -> tuple[Issuer, Kind]:
        """Whether this may be issued in place of `old`, and in whose name.

        Raises what `may_issue` raises, and StepNotAllowed for another kind.
        """
        catalogue = self._catalogue()
        issuer = catalogue.issuers.get(old.issuer_code)
        if issuer is not None and not is_accredited(issuer, today):
            raise KindNotEntitled
        fit = may_issue(issuer, catalogue.kinds.get(old.kind_code), request)
        if request.kind_code != old.kind_code:
            raise StepNotAllowed("a certificate is superseded by one of its own kind")
        return fit

    async def _step(
        self,
        department_id: DepartmentId,
        certificate_id: CertificateId,
        to_state: State,
        reason: Reason,
        *,
        actor: str,
    ) -> Certificate:
        """One step, told to the holder. Asked again when it is done, nothing more happens."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            row = await self.lock(conn, department_id, certificate_id)
            if row.state != to_state:
                row = await self.step(conn, row, to_state, reason, actor=actor, now=now)
        return self._seals.open_certificate(row)

    async def step(
        self, conn: Connection, row: CertificateRow, to_state: State, reason: Reason, *, actor: str, now: datetime
    ) -> CertificateRow:
        """Suspend, restore or revoke inside the caller's transaction, which has locked the row; told to the holder.

        Raises StepNotAllowed.
        """
        act, word = _STEPS[to_state]
        changed = await self._take(conn, row, to_state, reason, actor=actor, now=now)
        await self._record(conn, changed, act, reason, actor=actor, now=now)
        await self._outbox.owe_many(conn, [self._news_of(changed, word, now)], now=now)
        return changed

    async def lock(
        self, conn: Connection, department_id: DepartmentId, certificate_id: CertificateId
    ) -> CertificateRow:
        """A certificate of this department's, held until the transaction ends. Raises CertificateNotFound."""
        held = await queries.select_holder(conn, certificate_id)
        if held is None or held[0] not in self._catalogue().issuer_codes_of(department_id):
            raise CertificateNotFound
        row = await queries.lock_certificate(conn, held[1], certificate_id)
        if row is None:
            raise CertificateNotFound
        return row

    async def _take(
        self, conn: Connection, row: CertificateRow, to_state: State, reason: Reason, *, actor: str, now: datetime
    ) -> CertificateRow:
        from_state = State(row.state)
        if to_state not in ALLOWED_STEPS[from_state]:
            raise StepNotAllowed(f"it is {from_state.value}", state=from_state.value)
        moved = await queries.change_state(
            conn,
            (row.person_id, row.certificate_id),
            row.last_change,
            from_state,
            to_state,
            actor=actor,
            reason=reason.value,
            now=now,
        )
        assert moved, "the row is locked, so it is where we read it"
        if row.status_list is not None and row.status_index is not None:
            await self._statuses.write(conn, Place(row.status_list, row.status_index), to_state, now=now)
        return msgspec.structs.replace(row, state=to_state.value, last_change=row.last_change + 1)

    async def _record(
        self, conn: Connection, row: CertificateRow, act: str, reason: Reason, *, actor: str, now: datetime
    ) -> None:
        subject = f"certificate:{row.certificate_id}"
        await audit.record(conn, actor=actor, act=act, subject=subject, now=now, detail={"reason": reason.value})

    def _news_of(self, row: CertificateRow, word: str, now: datetime) -> Owed:
        return Owed(
            caller="wallet",
            key=f"state:{row.certificate_id}:{row.last_change}",
            to=row.person_id,
            template=templates.CERTIFICATE_STATE_CHANGED,
            values={"kind": self._catalogue().kind_name(row.kind_code).zh, "state": word},
            due_at=now,
        )
