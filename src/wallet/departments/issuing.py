"""A department issues certificates, under its own reference: asking again under the same one issues nothing new."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import CertificateId, DepartmentId, PersonId, uuid7
from kernel.people import Identity, People
from kernel.sealing import Keys
from notifications import templates
from notifications.outbox import Outbox, Owed
from wallet import identifier
from wallet.catalogue import Catalogue
from wallet.departments import queries
from wallet.departments.issue_policy import IssueRequest, body_of, may_issue, place_of_reference, valid_until_of
from wallet.departments.queries import NewCertificate, Reference
from wallet.errors import CertificateNotFound, IdentifierTaken, ReferenceReused
from wallet.model import Attributes, Certificate, Issuer, Kind, Standing, State, today_in_city
from wallet.queries import select_certificate
from wallet.seals import Seals
from wallet.status.allocating import Statuses

BATCH_MAX = 500
FIRST_VERSION = 1
ISSUED = "issued"
"""The reason written with the first change of a certificate."""


class Draft(Struct, frozen=True):
    """A request found fit, for whom, and as which version under which serial."""

    request: IssueRequest
    issuer: Issuer
    kind: Kind
    person_id: PersonId
    version: int
    serial: str | None


class Issuing:
    """Issues certificates: one at a time over the wire, many at once when a register is loaded."""

    def __init__(self, keys: Keys, people: People, outbox: Outbox, statuses: Statuses) -> None:
        self._people = people
        self._outbox = outbox
        self._statuses = statuses
        self._seals = Seals(keys)
        self._references = keys.digester("wallet.issuer_reference")
        self._bodies = keys.digester("wallet.issue_body")
        self._identifiers = keys.digester("wallet.identifier")

    async def issue(
        self, db: Database, clock: Clock, issuer: Issuer | None, kind: Kind | None, request: IssueRequest, *, actor: str
    ) -> Certificate:
        """Issue one certificate and owe its holder the news; asked again under the same reference, the same one.

        Raises what `may_issue` raises, ReferenceReused for another certificate under a known reference, and
        IdentifierTaken.
        """
        fit = may_issue(issuer, kind, request)
        now = clock.now()
        async with db.transaction() as conn:
            drafts = await self._drafts(conn, [(*fit, request)], now=now)
            [certificate] = await self.write(conn, drafts, actor=actor, is_told=True, now=now)
        return certificate

    async def issue_many(
        self,
        db: Database,
        clock: Clock,
        catalogue: Catalogue,
        department_id: DepartmentId,
        requests: Sequence[IssueRequest],
        *,
        actor: str,
        is_told: bool = False,
    ) -> list[Certificate]:
        """Load a department's register: batches of `BATCH_MAX`, each whole or not at all; again, nothing new.

        Nobody is told unless `is_told`: what is loaded was issued long ago. Raises what `issue` raises, for the first
        request that is refused; earlier batches stay.
        """
        today = today_in_city(clock.now())
        fit = [
            (*may_issue(catalogue.issuer_of(department_id, r.kind_code, today), catalogue.kinds.get(r.kind_code), r), r)
            for r in requests
        ]
        issued: list[Certificate] = []
        for start in range(0, len(fit), BATCH_MAX):
            now = clock.now()
            async with db.transaction() as conn:
                drafts = await self._drafts(conn, fit[start : start + BATCH_MAX], now=now)
                issued += await self.write(conn, drafts, actor=actor, is_told=is_told, now=now)
        return issued

    async def _drafts(
        self, conn: Connection, fit: Sequence[tuple[Issuer, Kind, IssueRequest]], *, now: datetime
    ) -> list[Draft]:
        persons = await self._people.mint_many(conn, [request.holder for _, _, request in fit], now=now)
        return [
            Draft(request, issuer, kind, persons[request.holder.id_number], FIRST_VERSION, request.serial)
            for issuer, kind, request in fit
        ]

    async def write(
        self, conn: Connection, drafts: Sequence[Draft], *, actor: str, is_told: bool, now: datetime
    ) -> list[Certificate]:
        """The certificates of the drafts, in order: new, or what was issued under the same references before.

        Joins the caller's transaction. Raises ReferenceReused, IdentifierTaken.
        """
        assert len(drafts) <= BATCH_MAX
        filed = await self._file(conn, drafts, now=now)
        fresh = [(draft, mine) for draft, (mine, is_new) in zip(drafts, filed, strict=True) if is_new]
        rows = self._rows_of(fresh, actor=actor, now=now)
        await self._put(conn, rows, now=now)
        kinds = [draft.kind for draft, _ in fresh]
        await self._tell(conn, rows, kinds, actor=actor, is_told=is_told, now=now)
        issued = {row.certificate.certificate_id: row.certificate for row in rows}
        return [issued.get(reference.certificate_id) or await self._read(conn, reference) for reference, _ in filed]

    async def is_holder(self, conn: Connection, holder: Identity, person_id: PersonId) -> bool:
        """Whether this is the person behind `person_id`."""
        return await self._people.find(conn, holder.id_number) == person_id

    async def _file(self, conn: Connection, drafts: Sequence[Draft], *, now: datetime) -> list[tuple[Reference, bool]]:
        """What each draft's reference stands for, and whether that is the draft itself. Raises ReferenceReused."""
        digests = [self._references.every_digest(_place_of(draft)) for draft in drafts]
        wanted = [
            Reference(
                newest,
                self._bodies.digest(_body_of(draft)),
                draft.person_id,
                CertificateId(uuid7(now)),
            )
            for draft, (newest, *_) in zip(drafts, digests, strict=True)
        ]
        known = await self._under_older_keys(conn, digests)
        first = {reference.reference_digest: reference for reference in reversed(wanted)}
        unknown = sorted(digest for digest in first if digest not in known)
        fresh = await queries.insert_references(conn, [first[digest] for digest in unknown])
        known |= {digest: first[digest] for digest in fresh}
        if len(known) < len(first):
            known |= await queries.select_references(conn, [digest for digest in unknown if digest not in fresh])
        filed = []
        for draft, mine in zip(drafts, wanted, strict=True):
            stands = known[mine.reference_digest]
            if stands.body_digest != mine.body_digest:
                self._check_same(draft, stands)
            filed.append((stands, stands is mine))
        return filed

    async def _under_older_keys(self, conn: Connection, digests: Sequence[list[bytes]]) -> dict[bytes, Reference]:
        """References filed before the digest key was rotated, by the digest they have now."""
        older = {digest: newest for newest, *rest in digests for digest in rest}
        found = await queries.select_references(conn, list(older)) if older else {}
        return {older[digest]: reference for digest, reference in found.items()}

    def _check_same(self, draft: Draft, stands: Reference) -> None:
        """Whether the body was digested under an older key, and is the same. Raises ReferenceReused."""
        if stands.body_digest not in self._bodies.every_digest(_body_of(draft)):
            raise ReferenceReused

    def _rows_of(self, fresh: Sequence[tuple[Draft, Reference]], *, actor: str, now: datetime) -> list[NewCertificate]:
        """Drafts that stand for themselves, as the rows they become, in order. Nothing is written."""
        rows = []
        for draft, reference in fresh:
            certificate = self._certificate_of(draft, reference.certificate_id, now)
            attributes = certificate.attributes
            rows.append(
                NewCertificate(
                    certificate,
                    self._seals.attributes(certificate.person_id, certificate.certificate_id, attributes),
                    self._identifiers.digest(attributes.identifier),
                    actor,
                    ISSUED,
                )
            )
        return rows

    async def _put(self, conn: Connection, rows: Sequence[NewCertificate], *, now: datetime) -> None:
        """Write the rows, each with its place in the status lists. Raises IdentifierTaken.

        Places are taken last: once identifiers are claimed nothing waits for anybody but for the counter of a list.
        """
        if not rows:
            return
        if not await queries.claim_identifiers(conn, rows):
            raise IdentifierTaken
        ids = [row.certificate.certificate_id for row in rows]
        places = await self._statuses.allocate(conn, ids, now=now)
        await queries.insert_certificates(conn, rows, places)

    def _certificate_of(self, draft: Draft, certificate_id: CertificateId, now: datetime) -> Certificate:
        request, kind = draft.request, draft.kind
        serial = draft.serial or certificate_id.hex.upper()
        return Certificate(
            person_id=draft.person_id,
            certificate_id=certificate_id,
            issuer_code=draft.issuer.issuer_code,
            version=draft.version,
            last_change=1,
            issued_at=now,
            standing=Standing(kind.kind_code, State.ISSUED, request.valid_from, valid_until_of(kind, request)),
            attributes=Attributes(
                identifier.compose(kind.kind_code, draft.issuer.issuer_code, serial, draft.version), request.values
            ),
        )

    async def _tell(
        self,
        conn: Connection,
        rows: Sequence[NewCertificate],
        kinds: Sequence[Kind],
        *,
        actor: str,
        is_told: bool,
        now: datetime,
    ) -> None:
        """Record the act, and owe the holders the news."""
        if not rows:
            return
        first = rows[0].certificate
        subject = f"certificate:{first.certificate_id}" if len(rows) == 1 else f"issuer:{first.issuer_code}"
        await audit.record(
            conn, actor=actor, act="wallet.issue", subject=subject, now=now, detail={"certificates": len(rows)}
        )
        if is_told:
            news = [_news_of(row.certificate, kind, now) for row, kind in zip(rows, kinds, strict=True)]
            await self._outbox.owe_many(conn, news, now=now)

    async def _read(self, conn: Connection, reference: Reference) -> Certificate:
        row = await select_certificate(conn, reference.person_id, reference.certificate_id)
        assert row is not None, "a reference is filed with its certificate"
        return self._seals.open_certificate(row)

    async def find(self, db: Database, issuer: Issuer, reference: str) -> Certificate:
        """What was issued under an issuer's reference. Raises CertificateNotFound."""
        async with db.connection() as conn:
            digests = self._references.every_digest(place_of_reference(issuer.issuer_code, reference))
            found = await queries.select_references(conn, digests)
            if not found:
                raise CertificateNotFound
            return await self._read(conn, next(iter(found.values())))


def _place_of(draft: Draft) -> str:
    return place_of_reference(draft.issuer.issuer_code, draft.request.reference)


def _body_of(draft: Draft) -> str:
    return body_of(draft.request, draft.version, draft.serial)


def _news_of(certificate: Certificate, kind: Kind, now: datetime) -> Owed:
    return Owed(
        caller="wallet",
        key=f"issued:{certificate.certificate_id}",
        to=certificate.person_id,
        template=templates.CERTIFICATE_ISSUED,
        values={"kind": kind.name.zh},
        due_at=now,
    )
