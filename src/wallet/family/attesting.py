"""A department tells us who is whose guardian (监护关系), and when that ends."""

from collections.abc import Callable
from datetime import date, datetime

import msgspec
from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId, uuid7
from kernel.people import Identity, People
from kernel.sealing import Keys
from wallet.catalogue import Catalogue, is_accredited
from wallet.departments.issue_policy import is_id_number
from wallet.errors import (
    AgentRefused,
    GuardianshipNotEntitled,
    GuardianshipNotFound,
    HolderRefused,
    MandateToOneself,
    ReferenceReused,
)
from wallet.family import queries
from wallet.family.ending import Ending
from wallet.family.granting import Granting
from wallet.family.periods import guardian_period
from wallet.family.queries import Filed, Reference
from wallet.mandates import Basis, Mandate
from wallet.model import today_in_city
from wallet.seals import Seals


class Guardianship(Struct, frozen=True):
    """Who is whose guardian; `until` is the day on which it ends, None: when the ward comes of age."""

    guardian: Identity
    ward: Identity
    until: date | None


class Attesting:
    """Registers and ends guardianships in the name of departments entitled to."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        seals: Seals,
        people: People,
        granting: Granting,
        ending: Ending,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._people = people
        self._granting = granting
        self._ending = ending
        self._catalogue = catalogue
        self._references = keys.digester("wallet.mandate_reference")
        self._bodies = keys.digester("wallet.mandate_body")

    async def register(self, department_id: DepartmentId, reference: str, told: Guardianship) -> Filed:
        """Let a guardian show all certificates of the ward; both are told. The same under a reference changes nothing.

        Raises GuardianshipNotEntitled, AgentRefused, HolderRefused, MandateToOneself, MandatePeriodRefused, and
        ReferenceReused for another guardianship under a known reference.
        """
        now = self._clock.now()
        self._admit(department_id, now)
        if not is_id_number(told.guardian.id_number):
            raise AgentRefused
        if not is_id_number(told.ward.id_number):
            raise HolderRefused
        async with self._db.transaction() as conn:
            known = await self._find(conn, department_id, reference)
            if known is None:
                filed = await self._draft(conn, department_id, told, now)
                known = mine = self._reference_of(department_id, reference, told, filed.mandate)
                if await queries.insert_mandate_reference(conn, mine):
                    await queries.insert_mandate(conn, filed)
                    await self._granting.begin(conn, filed)
                    return filed
                known = await self._find(conn, department_id, reference)
                assert known is not None  # filed by the one we lost to, which has committed
            if known.body_digest not in self._bodies.every_digest(_body_of(told)):
                raise ReferenceReused
            key = known.person_id, known.mandate_id
            return (await queries.select_mandates(conn, [key]))[key]

    async def end(self, department_id: DepartmentId, reference: str) -> Filed:
        """The guardian may show nothing of the ward's any more. Ending again changes nothing.

        Raises GuardianshipNotFound, also for another department's.
        """
        async with self._db.transaction() as conn:
            known = await self._find(conn, department_id, reference)
            if known is None:
                raise GuardianshipNotFound
            actor = f"department:{department_id}"
            return await self._ending.end(conn, (known.person_id, known.mandate_id), actor=actor)

    def _admit(self, department_id: DepartmentId, now: datetime) -> None:
        """Whether it may issue a kind that proves guardianship now. Raises GuardianshipNotEntitled."""
        catalogue, today = self._catalogue(), today_in_city(now)
        proving = {kind.kind_code for kind in catalogue.kinds.values() if kind.proves_guardianship}
        if not any(
            issuer.department_id == department_id and is_accredited(issuer, today) and issuer.kind_codes & proving
            for issuer in catalogue.issuers.values()
        ):
            raise GuardianshipNotEntitled

    async def _find(self, conn: Connection, department_id: DepartmentId, reference: str) -> Reference | None:
        for digest in self._references.every_digest(_place(department_id, reference)):
            found = await queries.select_mandate_reference(conn, digest)
            if found is not None:
                return found
        return None

    async def _draft(self, conn: Connection, department_id: DepartmentId, told: Guardianship, now: datetime) -> Filed:
        """A new mandate of the guardian. Raises MandateToOneself, MandatePeriodRefused."""
        if told.guardian.id_number == told.ward.id_number:
            raise MandateToOneself
        period = guardian_period(told.ward.id_number, told.until, now=now)
        persons = await self._people.mint_many(conn, [told.guardian, told.ward], now=now)
        ward, mandate_id = persons[told.ward.id_number], uuid7(now)
        mandate = Mandate(
            person_id=ward,
            mandate_id=mandate_id,
            agent_person_id=persons[told.guardian.id_number],
            basis=Basis.GUARDIAN,
            kind_codes=None,
            scenario_codes=None,
            starts_at=period.starts_at,
            expires_at=period.expires_at,
            made_at=now,
            made_by=f"department:{department_id}",
            may_book=True,
        )
        return Filed(mandate, self._seals.agent_name(ward, mandate_id, told.guardian.name))

    def _reference_of(
        self, department_id: DepartmentId, reference: str, told: Guardianship, mandate: Mandate
    ) -> Reference:
        return Reference(
            self._references.digest(_place(department_id, reference)),
            self._bodies.digest(_body_of(told)),
            mandate.person_id,
            mandate.mandate_id,
        )


def _place(department_id: DepartmentId, reference: str) -> str:
    return f"{department_id}\0{reference}"


def _body_of(told: Guardianship) -> str:
    """All that was told, in one way of writing it."""
    return msgspec.json.encode(told, order="deterministic").decode()
