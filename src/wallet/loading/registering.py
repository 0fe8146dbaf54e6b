"""A department's register keeps the wallet up to date: whatever its entry is now, the certificate follows.

An entry is told with its revision, which grows with every change. An older one that comes late does nothing, so they
may come twice and in any order. One entry is one transaction, which holds the entry's row: revisions never overtake.

An entry's first certificate is issued under the department's own reference, so that a register which was loaded before
is taken over as it stands; the versions after it under the reference and what made them, with a space between, which no
reference of a department has.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId, PersonId
from kernel.people import People
from kernel.sealing import Keys
from wallet import identifier
from wallet.catalogue import Catalogue
from wallet.departments.issue_policy import IssueRequest, may_issue, place_of_reference, valid_until_of
from wallet.departments.issuing import FIRST_VERSION, Draft, Issuing
from wallet.departments.queries import select_references
from wallet.departments.revoking import Reason, Revoking
from wallet.errors import (
    KindNotEntitled,
    KindNotFound,
    ReferenceReused,
    RevisionReused,
    ValueRefused,
    VersionsExhausted,
)
from wallet.loading import queries
from wallet.loading.queries import EntryRow
from wallet.model import Attributes, Certificate, Issuer, Kind, State, today_in_city
from wallet.queries import CertificateRow, lock_certificate, select_certificates_of_person
from wallet.residents.holding import CERTIFICATES_MAX
from wallet.seals import Seals

REVISION_MAX = 2**53 - 1
"""Every number that JSON readers agree on (RFC 8259 §6)."""
_REASONS = {
    State.SUSPENDED: Reason.UNDER_INVESTIGATION,
    State.ISSUED: Reason.CLEARED,
    State.REVOKED: Reason.NO_LONGER_ENTITLED,
}
"""Why a state changes, where the register does not say."""
_FINAL = frozenset({State.REVOKED, State.SUPERSEDED})


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a register as it is now. Without `request` it is not in the register any more."""

    reference: str
    kind_code: str
    revision: int
    state: State
    request: IssueRequest | None
    reason: Reason | None = None


class Outcome(StrEnum):
    """What an entry led to. `outdated`: a later revision was told before; `unchanged`: nothing had to be done."""

    ISSUED = "issued"
    SUPERSEDED = "superseded"
    SUSPENDED = "suspended"
    RESTORED = "restored"
    REVOKED = "revoked"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"


_OUTCOMES = {State.SUSPENDED: Outcome.SUSPENDED, State.ISSUED: Outcome.RESTORED, State.REVOKED: Outcome.REVOKED}


class Entered(msgspec.Struct, frozen=True):
    """What became of an entry, the revision that stands, and the certificate that stands for it, if any."""

    outcome: Outcome
    revision: int
    certificate: Certificate | None


class _Entry(msgspec.Struct, frozen=True):
    """What an entry is about, in whose name."""

    issuer: Issuer
    kind: Kind
    reference: str
    actor: str
    now: datetime


class Registering:
    """Follows departments' registers."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        people: People,
        seals: Seals,
        issuing: Issuing,
        revoking: Revoking,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._people = people
        self._seals = seals
        self._issuing = issuing
        self._revoking = revoking
        self._catalogue = catalogue
        self._entries = keys.digester("wallet.register_entry")
        self._bodies = keys.digester("wallet.register_body")
        self._references = keys.digester("wallet.issuer_reference")

    async def put(self, department_id: DepartmentId, told: Told, *, actor: str) -> Entered:
        """Bring the certificate of an entry to what the entry is now.

        Raises KindNotFound, KindNotEntitled, ValueRefused for an entry that contradicts itself too, RevisionReused,
        ReferenceReused for an entry that stands for a certificate of another kind, VersionsExhausted, and what issuing
        raises.
        """
        issuer, kind = self._entitled(department_id, told)
        now = self._clock.now()
        async with self._db.transaction() as conn:
            entry = _Entry(issuer, kind, told.reference, actor, now)
            filed = await self._lock(conn, entry)
            standing = await self._standing(conn, entry, filed)
            if told.revision <= filed.revision:
                self._check_again(told, filed)
                outcome = Outcome.UNCHANGED if told.revision == filed.revision else Outcome.OUTDATED
                return Entered(outcome, filed.revision, self._opened(standing))
            outcome, standing = await self._bring(conn, entry, told, standing)
            fresh = msgspec.structs.replace(
                filed,
                body_digest=self._bodies.digest(_body_of(told)),
                person_id=None if standing is None else standing.person_id,
                certificate_id=None if standing is None else standing.certificate_id,
                revision=told.revision,
            )
            await queries.update_entry(conn, fresh, now=now)
        return Entered(outcome, told.revision, self._opened(standing))

    async def bring_in(
        self, conn: Connection, fit: tuple[Issuer, Kind], request: IssueRequest, *, actor: str, now: datetime
    ) -> bool:
        """Issue what a register answered when it was asked; whether anything was issued. Joins the transaction.

        A register that tells its changes by itself has the word; what was suspended or ended stays so. Raises what
        issuing raises.
        """
        entry = _Entry(*fit, request.reference, actor, now)
        if await queries.select_entry(conn, self._entries.every_digest(_place(entry))) is not None:
            return False
        standing = await self._standing(conn, entry, None)
        if standing is None:
            await self._issue(conn, entry, request, None)
            return True
        is_theirs = await self._people.find(conn, request.holder.id_number) == standing.person_id
        if standing.state != State.ISSUED or not is_theirs or self._is_same(standing, request, entry.kind):
            return False
        version = self._attributes(standing)[1].version + 1
        await self._replace(conn, entry, standing, request, f"version {version}")
        return True

    def _entitled(self, department_id: DepartmentId, told: Told) -> tuple[Issuer, Kind]:
        """In whose name an entry is told; one that ends needs nobody who may still issue."""
        if told.request is None and told.state is not State.REVOKED:
            raise ValueRefused("an entry without a certificate is revoked", field="state")
        catalogue = self._catalogue()
        kind = catalogue.kinds.get(told.kind_code)
        if told.request is not None and told.state is not State.REVOKED:
            today = today_in_city(self._clock.now())
            return may_issue(catalogue.issuer_of(department_id, told.kind_code, today), kind, told.request)
        issuer = catalogue.issuer_of(department_id, told.kind_code)
        if kind is None:
            raise KindNotFound
        if issuer is None:
            raise KindNotEntitled
        return issuer, kind

    async def _lock(self, conn: Connection, entry: _Entry) -> EntryRow:
        """The entry's row, made now if it is new, held until the transaction ends."""
        digests = self._entries.every_digest(_place(entry))
        known = await queries.select_entry(conn, digests)
        digest = digests[0] if known is None else known.entry_digest
        if known is None:
            await queries.insert_entry(conn, digest, entry.issuer.issuer_code, now=entry.now)
        row = await queries.lock_entry(conn, digest)
        assert row is not None, "entries are never deleted"
        return row

    def _check_again(self, told: Told, filed: EntryRow) -> None:
        """Raises RevisionReused when this very revision was told with other data."""
        is_same = filed.body_digest in self._bodies.every_digest(_body_of(told))
        if told.revision == filed.revision and not is_same:
            raise RevisionReused

    async def _standing(self, conn: Connection, entry: _Entry, filed: EntryRow | None) -> CertificateRow | None:
        """The certificate that stands for an entry, held; the newest of its versions, whoever made them.

        Raises ReferenceReused for one of another kind: no entry ends or follows what it does not name.
        """
        if filed is not None and filed.person_id is not None and filed.certificate_id is not None:
            row = await lock_certificate(conn, filed.person_id, filed.certificate_id)
        else:
            found = await select_references(conn, self._references.every_digest(_place(entry)))
            if not found:
                return None
            reference = next(iter(found.values()))
            row = await lock_certificate(conn, reference.person_id, reference.certificate_id)
        assert row is not None, "what is filed was issued"
        if row.kind_code != entry.kind.kind_code:
            raise ReferenceReused
        return row if row.state != State.SUPERSEDED else await self._newest(conn, row)

    async def _newest(self, conn: Connection, row: CertificateRow) -> CertificateRow:
        """The last version under the serial of a certificate that was superseded."""
        serial = self._attributes(row)[1].serial
        of_person = await select_certificates_of_person(conn, row.person_id, limit=CERTIFICATES_MAX)
        alike = [
            one
            for one in of_person
            if (one.issuer_code, one.kind_code) == (row.issuer_code, row.kind_code)
            and self._attributes(one)[1].serial == serial
        ]
        newest = max(alike, key=lambda one: one.version, default=row)
        return await lock_certificate(conn, newest.person_id, newest.certificate_id) or row

    async def _bring(
        self, conn: Connection, entry: _Entry, told: Told, standing: CertificateRow | None
    ) -> tuple[Outcome, CertificateRow | None]:
        if told.request is None or told.state is State.REVOKED:
            if standing is None or standing.state in _FINAL:
                return Outcome.UNCHANGED, standing
            return await self._step(conn, entry, standing, State.REVOKED, told.reason)
        outcome, fresh = await self._bring_data(conn, entry, told, standing)
        if fresh.state == told.state:
            return outcome, fresh
        stepped, fresh = await self._step(conn, entry, fresh, told.state, told.reason)
        return (stepped if outcome is Outcome.UNCHANGED else outcome), fresh

    async def _bring_data(
        self, conn: Connection, entry: _Entry, told: Told, standing: CertificateRow | None
    ) -> tuple[Outcome, CertificateRow]:
        """A certificate with the entry's data, good or suspended as it was."""
        request, made_by = told.request, f"revision {told.revision}"
        assert request is not None
        if standing is None:
            return Outcome.ISSUED, await self._issue(conn, entry, request, None)
        is_theirs = await self._people.find(conn, request.holder.id_number) == standing.person_id
        if standing.state in _FINAL or not is_theirs:
            if standing.state not in _FINAL:
                await self._step(conn, entry, standing, State.REVOKED, told.reason)
            later = msgspec.structs.replace(request, reference=f"{told.reference} {made_by}")
            return Outcome.ISSUED, await self._issue(conn, entry, later, standing)
        if self._is_same(standing, request, entry.kind):
            return Outcome.UNCHANGED, standing
        return Outcome.SUPERSEDED, await self._replace(conn, entry, standing, request, made_by)

    async def _step(
        self, conn: Connection, entry: _Entry, row: CertificateRow, to_state: State, reason: Reason | None
    ) -> tuple[Outcome, CertificateRow]:
        why = reason or _REASONS[to_state]
        changed = await self._revoking.step(conn, row, to_state, why, actor=entry.actor, now=entry.now)
        return _OUTCOMES[to_state], changed

    async def _issue(
        self, conn: Connection, entry: _Entry, request: IssueRequest, after: CertificateRow | None
    ) -> CertificateRow:
        """A certificate of its own; after one that has ended, the next version under its serial, whoever holds it."""
        version, serial = FIRST_VERSION, request.serial
        if after is not None:
            was = self._attributes(after)[1]
            version, serial = was.version + 1, was.serial
            if version > identifier.VERSION_MAX:
                raise VersionsExhausted
        person_id = await self._people.mint(conn, request.holder, now=entry.now)
        draft = Draft(request, entry.issuer, entry.kind, person_id, version, serial)
        [issued] = await self._issuing.write(conn, [draft], actor=entry.actor, is_told=True, now=entry.now)
        return await self._row_of(conn, issued)

    async def _replace(
        self, conn: Connection, entry: _Entry, standing: CertificateRow, request: IssueRequest, made_by: str
    ) -> CertificateRow:
        later = msgspec.structs.replace(request, reference=f"{entry.reference} {made_by}")
        new = await self._revoking.replace(
            conn, standing, later, reason=Reason.DATA_CHANGED, actor=entry.actor, now=entry.now
        )
        return await self._row_of(conn, new)

    async def _row_of(self, conn: Connection, certificate: Certificate) -> CertificateRow:
        row = await lock_certificate(conn, PersonId(certificate.person_id), certificate.certificate_id)
        assert row is not None, "it was written in this transaction"
        return row

    def _is_same(self, row: CertificateRow, request: IssueRequest, kind: Kind) -> bool:
        """Whether a certificate says what is asked for; its serial is the first version's for ever."""
        until = valid_until_of(kind, request)
        dates = (row.valid_from, row.valid_until) == (request.valid_from, until)
        return dates and self._attributes(row)[0].values == request.values

    def _attributes(self, row: CertificateRow) -> tuple[Attributes, identifier.Identifier]:
        attributes = self._seals.open_attributes(row.person_id, row.certificate_id, row.attributes)
        return attributes, identifier.read(attributes.identifier)

    def _opened(self, row: CertificateRow | None) -> Certificate | None:
        return None if row is None else self._seals.open_certificate(row)


def _place(entry: _Entry) -> str:
    return place_of_reference(entry.issuer.issuer_code, entry.reference)


def _body_of(told: Told) -> str:
    return msgspec.json.encode(told, order="deterministic").decode()
