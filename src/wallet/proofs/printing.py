"""A resident prints a certificate as a proof, whose code is good as long as the certificate is.

Drawing a page takes a tenth of a second of one core, and the process has one to draw with and to answer everybody else:
so few are drawn at once, few more wait, and the next are asked to come again.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime

from msgspec import Struct

from kernel import audit
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import RateLimited
from kernel.ids import CertificateId, PersonId
from kernel.limits import Limit, Limits
from kernel.people import People
from wallet import queries as wallet_queries
from wallet.catalogue import Catalogue
from wallet.errors import CertificateNotFound, CertificateNotGood, KindNotPrintable, ProofsBusy
from wallet.model import Certificate, Kind, Outcome, Value, Words, how_it_stands, today_in_city
from wallet.online_code import Texts, Written
from wallet.proof_document import ProofContent, ProofField, draw
from wallet.proofs import queries
from wallet.proofs.model import PROOF_PATH, Proof, text_of
from wallet.seals import Seals

PRINTED_A_DAY = Limit("wallet.proofs", 20, 86_400)
"""So often a person prints: for a round of applications, and not for the exercise."""
DRAWN_AT_ONCE_MAX = 1
"""Threads share one core in Python: two pages at once are drawn in twice the time, and everybody else waits longer."""
WAITING_MAX = 8
"""For a second or so, with the one that is being drawn."""
BUSY_RETRY_SECONDS = 2
HOLDER: Words = Words("持有人", "Holder")


class Printed(Struct, frozen=True):
    """A proof that was printed: the text in its QR, the same address to open or type, since when, and until when."""

    text: str
    check_url: str
    printed_at: datetime
    valid_until: date | None


class Page(Struct, frozen=True):
    """A proof as a file to print, and what the certificate is called."""

    printed: Printed
    kind: Words
    pdf: bytes


class _Ready(Struct, frozen=True):
    """What there is to print, and under which code."""

    certificate: Certificate
    kind: Kind
    written: Written
    printed: Printed


class Printer:
    """Prints proofs. Printing again makes another code; each is good, and each is its own in the ledger."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        people: People,
        limits: Limits,
        catalogue: Callable[[], Catalogue],
        *,
        public_host: str,
        public_origin: str,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._people = people
        self._limits = limits
        self._catalogue = catalogue
        self._texts = Texts(public_host, PROOF_PATH)
        self._addresses = f"{public_origin}/{PROOF_PATH}/"
        self._drawing = ThreadPoolExecutor(DRAWN_AT_ONCE_MAX, thread_name_prefix="proofs")
        self._under_way = 0

    async def write(self, person_id: PersonId, certificate_id: CertificateId) -> Printed:
        """A proof for whoever draws it themselves.

        Raises CertificateNotFound, KindNotPrintable, CertificateNotGood, RateLimited.
        """
        ready = await self._prepare(person_id, certificate_id)
        await self._file(ready)
        return ready.printed

    async def draw(self, person_id: PersonId, certificate_id: CertificateId) -> Page:
        """A proof as a page. Raises what `write` raises, and ProofsBusy."""
        with self._place():
            ready = await self._prepare(person_id, certificate_id)
            content = await self._content(ready)
            pdf = await asyncio.get_running_loop().run_in_executor(self._drawing, draw, content)
        await self._file(ready)
        return Page(ready.printed, ready.kind.name, pdf)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the few pages that are under way at once. Raises ProofsBusy."""
        if self._under_way >= WAITING_MAX:
            raise ProofsBusy(retry_after_seconds=BUSY_RETRY_SECONDS)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _prepare(self, person_id: PersonId, certificate_id: CertificateId) -> _Ready:
        async with self._db.connection() as conn:
            row = await wallet_queries.select_certificate(conn, person_id, certificate_id)
        if row is None:
            raise CertificateNotFound
        certificate = self._seals.open_certificate(row)
        kind = self._catalogue().kinds[row.kind_code]
        if not kind.is_printable:
            raise KindNotPrintable
        now = self._clock.now()
        stands = how_it_stands(certificate.standing, today=today_in_city(now))
        if stands is not Outcome.VALID:
            raise CertificateNotGood(state=stands.value)
        wait_seconds = await self._limits.allow(PRINTED_A_DAY, str(person_id))
        if wait_seconds is not None:
            raise RateLimited(retry_after_seconds=int(wait_seconds) + 1)
        written = self._texts.fresh()
        check_url = self._addresses + written.text.rpartition("/")[2]
        printed = Printed(written.text, check_url, now, certificate.standing.valid_until)
        return _Ready(certificate, kind, written, printed)

    async def _content(self, ready: _Ready) -> ProofContent:
        certificate, kind = ready.certificate, ready.kind
        async with self._db.connection() as conn:
            holder = (await self._people.identity(conn, certificate.person_id)).name
        return ProofContent(
            title=kind.name,
            organ=self._catalogue().issuers[certificate.issuer_code].name,
            fields=_lines(kind, certificate.attributes.values, holder),
            number=certificate.attributes.identifier,
            issued_at=ready.printed.printed_at,
            valid_until=ready.printed.valid_until,
            verify_text=ready.printed.text,
            verify_url_readable=ready.printed.check_url,
        )

    async def _file(self, ready: _Ready) -> None:
        """From now on the code leads to its certificate; nothing was given out before."""
        certificate, printed = ready.certificate, ready.printed
        proof = Proof(certificate.person_id, certificate.certificate_id, printed.printed_at)
        async with self._db.transaction() as conn:
            await queries.insert_proof(conn, ready.written.code_hash, proof)
            await queries.insert_proof_printed(conn, ready.written.code_hash, proof)
            await audit.record(
                conn,
                actor=f"person:{certificate.person_id}",
                act="wallet.print_proof",
                subject=f"certificate:{certificate.certificate_id}",
                now=printed.printed_at,
                detail={"kind_code": ready.kind.kind_code},
            )


def _lines(kind: Kind, values: dict[str, Value], holder: str) -> tuple[ProofField, ...]:
    """Everything the certificate says, in the order of its kind; before it the holder, where it does not name them.

    A check asks for the holder's name, so it stands on the paper in any case.
    """
    lines = [
        ProofField(Words(field.label_zh, field.label_en), text_of(values[field.name]))
        for field in kind.fields
        if field.name in values
    ]
    is_named = any(line.value == holder for line in lines)
    return tuple(lines if is_named else [ProofField(HOLDER, holder), *lines])
