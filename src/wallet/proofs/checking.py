"""Whoever holds a printed proof finds out whether it is true and how it stands now.

They say whose it is and learn whether that matches, nothing else. A code that nobody printed, a wrong name and a wrong
number get the same answer for the same work, so that no answer tells which of them it was.
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from uuid import uuid4

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import RateLimited
from kernel.ids import CertificateId, PersonId, UseId, uuid7
from kernel.limits import Limit, Limits
from kernel.people import Identity, People
from notifications import templates
from notifications.outbox import Outbox, Owed
from wallet import queries as wallet_queries
from wallet.catalogue import Catalogue
from wallet.model import Certificate, Outcome, Route, Use, how_it_stands, today_in_city
from wallet.proofs import queries
from wallet.proofs.model import (
    CHECK,
    CHECK_EDITION,
    HOLDER_OF_THE_PAPER,
    NO_DEVICE,
    Claim,
    Found,
    Proof,
    agrees,
    finding_of,
    hash_of,
)
from wallet.queries import CertificateRow
from wallet.recording_uses import record_uses
from wallet.residents.holding import masked
from wallet.seals import Seals

TRIES_AN_HOUR = Limit("wallet.proof_checks", 10, 3_600)
"""Of one proof, by all who hold it or its address: the four characters have some ten thousand values."""
TRIES_A_DAY = Limit("wallet.proof_checks_day", 40, 86_400)
"""So that trying them all takes the better part of a year."""
TRIES_OF_ADDRESS = Limit("wallet.proof_checks_address", 300, 3_600)
"""By address, which a whole office or a mobile network may share: what keeps guesses from a proof is the other two."""
CHANCE_BYTES = 16
KEY_BYTES = 16
"""Of the proof's hash, in the name of a notice."""


class Checked(Struct, frozen=True):
    """When a proof was checked, and what was found; None: no match."""

    checked_at: datetime
    found: Found | None


class Checker:
    """Checks printed proofs for anybody."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        people: People,
        limits: Limits,
        outbox: Outbox,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._people = people
        self._limits = limits
        self._outbox = outbox
        self._catalogue = catalogue
        self._nobody = Proof(PersonId(uuid4()), CertificateId(uuid4()), clock.now())
        self._nobodys_name = seals.agent_name(self._nobody.person_id, self._nobody.certificate_id, _NOBODY.name)
        self.no_match_count = 0
        """How often what was typed did not match, in this process; of whose proof it was nothing is kept."""

    async def check(self, token: str, claim: Claim, *, address: str) -> Checked:
        """Check the proof of this token for somebody at `address`. Raises RateLimited.

        A match is a record of its holder's ledger, and its holder is told, once a day for each proof at most.
        """
        proof_hash = hash_of(token)
        await self._allow(proof_hash, address)
        now = self._clock.now()
        async with self._db.connection() as conn:
            known = await queries.select_proof(conn, proof_hash)
            proof = known or self._nobody
            row = await wallet_queries.select_certificate(conn, proof.person_id, proof.certificate_id)
            identity = await self._identity(conn, known)
        is_match = agrees(claim, name=identity.name, id_number=identity.id_number)
        if known is None or row is None or not is_match:
            self.no_match_count += 1
            return Checked(now, None)
        certificate, outcome, found = self._found(row, proof, now)
        await self._record(proof_hash, certificate, outcome, found, now)
        return Checked(now, found)

    async def _allow(self, proof_hash: bytes, address: str) -> None:
        """Count a try. Raises RateLimited."""
        proof = proof_hash.hex()
        for limit, subject in ((TRIES_OF_ADDRESS, address), (TRIES_AN_HOUR, proof), (TRIES_A_DAY, proof)):
            wait_seconds = await self._limits.allow(limit, subject)
            if wait_seconds is not None:
                raise RateLimited(retry_after_seconds=int(wait_seconds) + 1)

    async def _identity(self, conn: Connection, known: Proof | None) -> Identity:
        """Whose proof it is; for none, somebody who is not, by a lookup and an unsealing too."""
        if known is not None:
            return await self._people.identity(conn, known.person_id)
        await self._people.find(conn, _NOBODY.id_number)
        nobody = self._nobody
        name = self._seals.open_agent_name(nobody.person_id, nobody.certificate_id, self._nobodys_name)
        return Identity(_NOBODY.id_number, name)

    def _found(self, row: CertificateRow, proof: Proof, now: datetime) -> tuple[Certificate, Outcome, Found]:
        certificate = self._seals.open_certificate(row)
        standing, values = certificate.standing, certificate.attributes.values
        outcome = how_it_stands(standing, today=today_in_city(now))
        catalogue = self._catalogue()
        kind = catalogue.kinds[standing.kind_code]
        shown = kind.fields if outcome is Outcome.VALID else ()
        found = Found(
            finding=finding_of(outcome),
            kind=kind,
            issuer=catalogue.issuers[certificate.issuer_code].name,
            printed_at=proof.printed_at,
            valid_from=standing.valid_from,
            valid_until=standing.valid_until,
            fields=tuple([(field, masked(field, values[field.name])) for field in shown if field.name in values]),
        )
        return certificate, outcome, found

    async def _record(
        self, proof_hash: bytes, certificate: Certificate, outcome: Outcome, found: Found, now: datetime
    ) -> None:
        """Every check is a record of its own, under a hash by which nobody else can find the proof."""
        use = Use(
            person_id=certificate.person_id,
            code_hash=sha256(proof_hash + secrets.token_bytes(CHANCE_BYTES)).digest(),
            used_at=now,
            use_id=UseId(uuid7(now)),
            device_id=NO_DEVICE,
            venue_id=HOLDER_OF_THE_PAPER,
            scenario_code=CHECK,
            scenario_edition=CHECK_EDITION,
            certificate_id=certificate.certificate_id,
            kind_code=found.kind.kind_code,
            route=Route.PAPER,
            outcome=outcome,
            fields=tuple([field.name for field, _ in found.fields]),
        )
        notice = Owed(
            caller="wallet",
            key=f"proof:{proof_hash[:KEY_BYTES].hex()}:{today_in_city(now).isoformat()}",
            to=certificate.person_id,
            template=templates.PROOF_CHECKED,
            values={"kind": found.kind.name.zh, "when": now.isoformat()},
            due_at=now,
        )
        async with self._db.transaction() as conn:
            await record_uses(conn, [use])
            await queries.update_checked(conn, certificate.person_id, proof_hash, now=now)
            await self._outbox.owe_many(conn, [notice], now=now)


_NOBODY = Identity(id_number="000000000000000000", name="无")
"""Stands where there is nobody to compare with; a claim that happens to agree with it is no match either."""
