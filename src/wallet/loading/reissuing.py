"""A department issues a certificate anew, on demand: the same values and holder, a new version and a new validity."""

from collections.abc import Callable
from datetime import date

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import CertificateId, DepartmentId
from kernel.people import People
from wallet import identifier, queries
from wallet.catalogue import Catalogue
from wallet.departments.issue_policy import IssueRequest
from wallet.departments.issuing import Issuing
from wallet.departments.revoking import Reason, Revoking
from wallet.errors import CertificateNotFound, ReferenceReused, StepNotAllowed
from wallet.model import Certificate, State, today_in_city
from wallet.seals import Seals


class Renewal(Struct, frozen=True, kw_only=True):
    """What is asked for. Without `valid_from` it is good from today, without `valid_until` for as long as its kind is.

    `reference` is the department's own for the new version, or made of its idempotency key.
    """

    reference: str
    reason: Reason
    valid_from: date | None
    valid_until: date | None


class Reissuing:
    """Issues certificates anew."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
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

    async def reissue(
        self, department_id: DepartmentId, certificate_id: CertificateId, wanted: Renewal, *, actor: str
    ) -> Certificate:
        """The next version of a certificate, which it supersedes; asked again under the same reference, the same one.

        Raises CertificateNotFound, StepNotAllowed for one that has ended, ReferenceReused, VersionsExhausted, and what
        issuing raises.
        """
        now = self._clock.now()
        try:
            async with self._db.transaction() as conn:
                old = await self._revoking.lock(conn, department_id, certificate_id)
                if old.state not in (State.ISSUED, State.SUSPENDED):
                    raise StepNotAllowed(f"it is {old.state}", state=old.state)
                request = IssueRequest(
                    reference=wanted.reference,
                    kind_code=old.kind_code,
                    holder=await self._people.identity(conn, old.person_id),
                    values=self._seals.open_certificate(old).attributes.values,
                    valid_from=wanted.valid_from or today_in_city(now),
                    valid_until=wanted.valid_until,
                )
                return await self._revoking.replace(conn, old, request, reason=wanted.reason, actor=actor, now=now)
        except StepNotAllowed:
            again = await self._issued_before(department_id, certificate_id, wanted)
            if again is None:
                raise
            return again

    async def _issued_before(
        self, department_id: DepartmentId, certificate_id: CertificateId, wanted: Renewal
    ) -> Certificate | None:
        """What was issued in place of this certificate under this reference, or None.

        Raises ReferenceReused when the reference is another certificate's, or came with other dates.
        """
        async with self._db.connection() as conn:
            held = await queries.select_holder(conn, certificate_id)
            row = None if held is None else await queries.select_certificate(conn, held[1], certificate_id)
        issuer = None if row is None else self._catalogue().issuers.get(row.issuer_code)
        if row is None or issuer is None or issuer.department_id != department_id:
            return None
        try:
            found = await self._issuing.find(self._db, issuer, wanted.reference)
        except CertificateNotFound:
            return None
        old, new = (identifier.read(one.attributes.identifier) for one in (self._seals.open_certificate(row), found))
        is_next = (new.kind_code, new.serial, new.version) == (old.kind_code, old.serial, old.version + 1)
        starts = wanted.valid_from in (None, found.standing.valid_from)
        ends = wanted.valid_until in (None, found.standing.valid_until)
        if not (is_next and starts and ends):
            raise ReferenceReused
        return found
