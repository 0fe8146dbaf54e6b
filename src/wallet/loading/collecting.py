"""A resident collects a certificate that is in a department's register and not yet in the wallet (归集).

The wallet asks the register about the one person who asks, and issues what it answers as if the department had sent it.
The department is asked before the transaction, and never inside one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import RateLimited, Refusal
from kernel.ids import DepartmentId
from kernel.limits import Limit, Limits
from kernel.people import Identity, People
from kernel.principal import Audience, Resident
from wallet import queries
from wallet.catalogue import Catalogue
from wallet.departments.issue_policy import IssueRequest, may_issue
from wallet.errors import KindNotCollected, KindNotFound, RegisterAnswerRefused, RegisterAway
from wallet.loading.registering import Registering
from wallet.model import Certificate, Issuer, Kind, today_in_city
from wallet.residents.holding import CERTIFICATES_MAX
from wallet.seals import Seals

FOUND_MAX = 20
"""Certificates of one kind that a register answers with for one person."""
COLLECTIONS = Limit("wallet.collections", 10, 600)
"""A person asks this often: a department's register is not ours to wear out."""
RETRY_SECONDS = 5


class Asked(Struct, frozen=True):
    """Who asks a department's register for what: the resident, the audience they came by, and who they are."""

    department_id: DepartmentId
    kind_code: str
    resident: Resident
    audience: Audience
    identity: Identity


class Away(Struct, frozen=True):
    """The register could not be asked; how long to leave it alone, in seconds."""

    retry_after_seconds: int = RETRY_SECONDS


class Garbled(Struct, frozen=True):
    """The register answered, and not as the contract says."""


class Registers(Protocol):
    """The departments' registers, wherever they are."""

    def offered(self) -> frozenset[tuple[DepartmentId, str]]:
        """Which departments can be asked for which kinds now."""
        ...

    async def look_up(self, asked: Asked) -> Sequence[IssueRequest] | Away | Garbled:
        """What the register has about this person, as it answered; nothing found is an answer too."""
        ...


class NoRegisters:
    """Where no department has joined."""

    def offered(self) -> frozenset[tuple[DepartmentId, str]]:
        return frozenset()

    async def look_up(self, asked: Asked) -> Sequence[IssueRequest] | Away | Garbled:
        del asked
        return Away()


class Collected(Struct, frozen=True):
    """Whether the register knew of anything, how many were issued now, and all that the person holds of this kind."""

    is_found: bool
    issued: int
    certificates: list[Certificate]


class Collecting:
    """Asks registers for residents, and issues what they answer."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        people: People,
        seals: Seals,
        limits: Limits,
        registering: Registering,
        catalogue: Callable[[], Catalogue],
        registers: Callable[[], Registers],
    ) -> None:
        self._db = db
        self._clock = clock
        self._people = people
        self._seals = seals
        self._limits = limits
        self._registering = registering
        self._catalogue = catalogue
        self._registers = registers

    def kinds(self) -> list[Kind]:
        """The kinds that can be collected now, by code."""
        catalogue, today = self._catalogue(), today_in_city(self._clock.now())
        offered = {code for one, code in self._registers().offered() if catalogue.issuer_of(one, code, today)}
        return [catalogue.kinds[code] for code in sorted(offered) if code in catalogue.kinds]

    async def collect(self, resident: Resident, audience: Audience, kind_code: str) -> Collected:
        """Ask the register that has this kind, issue what it knows of this person, say what they hold of it now.

        Raises KindNotFound, KindNotCollected, RateLimited, RegisterAway, RegisterAnswerRefused.
        """
        assert resident.person_id is not None, "only whose real name was checked collects"
        issuer, kind = self._issuer_of(kind_code)
        wait_seconds = await self._limits.allow(COLLECTIONS, str(resident.person_id))
        if wait_seconds is not None:
            raise RateLimited(retry_after_seconds=int(wait_seconds) + 1)
        async with self._db.connection() as conn:
            identity = await self._people.identity(conn, resident.person_id)
        asked = Asked(issuer.department_id, kind_code, resident, audience, identity)
        answer = await self._registers().look_up(asked)
        if isinstance(answer, Away):
            await self._record(asked, "away", 0)
            raise RegisterAway(retry_after_seconds=answer.retry_after_seconds)
        if isinstance(answer, Garbled) or not _is_about(asked, answer):
            await self._record(asked, "refused", 0)
            raise RegisterAnswerRefused
        issued = await self._issue(asked, answer)
        async with self._db.connection() as conn:
            rows = await queries.select_certificates_of_person(conn, resident.person_id, limit=CERTIFICATES_MAX)
        held = [self._seals.open_certificate(row) for row in rows if row.kind_code == kind.kind_code]
        return Collected(bool(answer), issued, held)

    def _issuer_of(self, kind_code: str) -> tuple[Issuer, Kind]:
        """In whose name this kind is collected. Raises KindNotFound, KindNotCollected."""
        catalogue, today = self._catalogue(), today_in_city(self._clock.now())
        kind = catalogue.kinds.get(kind_code)
        if kind is None:
            raise KindNotFound
        asked = sorted(department_id for department_id, code in self._registers().offered() if code == kind_code)
        for department_id in asked:
            issuer = catalogue.issuer_of(department_id, kind_code, today)
            if issuer is not None:
                return issuer, kind
        raise KindNotCollected

    async def _issue(self, asked: Asked, answer: Sequence[IssueRequest]) -> int:
        """Issue what was found, all or nothing; how many are new. Raises RegisterAnswerRefused."""
        now, actor = self._clock.now(), f"department:{asked.department_id}"
        catalogue = self._catalogue()
        try:
            issuer = catalogue.issuer_of(asked.department_id, asked.kind_code, today_in_city(now))
            kind = catalogue.kinds.get(asked.kind_code)
            fit = [(may_issue(issuer, kind, request), request) for request in answer]
            issued = 0
            async with self._db.transaction() as conn:
                for entitled, request in sorted(fit, key=lambda one: one[1].reference):
                    issued += await self._registering.bring_in(conn, entitled, request, actor=actor, now=now)
                await self._write_down(conn, asked, "found" if answer else "nothing_found", issued, now=now)
        except Refusal as refusal:
            await self._record(asked, refusal.code, 0)
            raise RegisterAnswerRefused from refusal
        return issued

    async def _record(self, asked: Asked, outcome: str, issued: int) -> None:
        async with self._db.transaction() as conn:
            await self._write_down(conn, asked, outcome, issued, now=self._clock.now())

    async def _write_down(self, conn: Connection, asked: Asked, outcome: str, issued: int, *, now: datetime) -> None:
        """That a person had a department asked about them, and how that went."""
        detail: dict[str, str | int | bool] = {
            "kind_code": asked.kind_code,
            "department_id": str(asked.department_id),
            "outcome": outcome,
            "issued": issued,
        }
        await audit.record(
            conn,
            actor=f"account:{asked.resident.account_id}",
            act="wallet.collect",
            subject=f"person:{asked.resident.person_id}",
            now=now,
            detail=detail,
        )


def _is_about(asked: Asked, answer: Sequence[IssueRequest]) -> bool:
    """Whether an answer is about the person and the kind that were asked about, and nobody and nothing else."""
    ours = all(
        request.holder.id_number == asked.identity.id_number and request.kind_code == asked.kind_code
        for request in answer
    )
    return ours and len(answer) <= FOUND_MAX
