"""A resident looks at what they have printed: how each paper stands now, and how often it was checked."""

from collections.abc import Callable

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import CertificateId, PersonId
from wallet import queries as wallet_queries
from wallet.catalogue import Catalogue
from wallet.model import Kind, Standing, how_it_stands, today_in_city
from wallet.paging import cursor_after, read_cursor
from wallet.proof_page import Finding
from wallet.proofs import queries
from wallet.proofs.model import finding_of
from wallet.proofs.queries import PrintedProof


class Listed(Struct, frozen=True):
    """A printed proof, and what whoever checks it now is told of its certificate."""

    proof: PrintedProof
    finding: Finding
    kind: Kind
    standing: Standing


class Page(Struct, frozen=True):
    """Some proofs, newest first, and where the next page begins; None: there is no more."""

    proofs: list[Listed]
    next_cursor: str | None


class Papers:
    """Reads what people have printed. The codes on the papers are nowhere to be read."""

    def __init__(self, db: Database, clock: Clock, catalogue: Callable[[], Catalogue]) -> None:
        self._db = db
        self._clock = clock
        self._catalogue = catalogue

    async def printed_by(
        self, person_id: PersonId, only: CertificateId | None, *, cursor: str | None, limit: int
    ) -> Page:
        """One page of what a person has printed, of all certificates or of one. Raises CursorRefused."""
        before = None if cursor is None else read_cursor(cursor)
        async with self._db.connection() as conn:
            found = await queries.select_proofs_printed(conn, person_id, only, before=before, limit=limit + 1)
            keys = sorted({(person_id, proof.certificate_id) for proof in found})
            standings = await wallet_queries.select_standings(conn, keys) if keys else {}
        kinds, today = self._catalogue().kinds, today_in_city(self._clock.now())
        listed = []
        for proof in found[:limit]:
            standing = standings[person_id, proof.certificate_id]
            finding = finding_of(how_it_stands(standing, today=today))
            listed.append(Listed(proof, finding, kinds[standing.kind_code], standing))
        last = found[limit - 1] if len(found) > limit else None
        return Page(listed, None if last is None else cursor_after((last.printed_at, last.proof_hash)))
