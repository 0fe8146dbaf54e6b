"""The fit lines of a batch become certificates; a line that turns out bad while writing takes no other with it.

What can be told by a look, is: references that are known, and references used again. What only writing shows (an
identifier that is taken, a reference filed by somebody else this very moment) is found by halving: n lines, k of them
bad, are written in at most 2k * log2(n) + 1 tries, and never in more than 2n - 1.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from kernel.db import Connection
from kernel.errors import Refusal
from kernel.people import People
from kernel.sealing import Keys
from wallet.departments.issue_policy import body_of, place_of_reference
from wallet.departments.issuing import BATCH_MAX, FIRST_VERSION, Draft, Issuing
from wallet.departments.queries import Reference, select_references
from wallet.errors import IdentifierTaken, ReferenceReused
from wallet.loading import queries
from wallet.loading.judging import Fit
from wallet.loading.lines import BATCH_LINES_MAX
from wallet.loading.model import RefusedLine
from wallet.model import Certificate

assert BATCH_LINES_MAX <= BATCH_MAX, "a batch of lines is written as one"


class Filed(Struct, frozen=True):
    """What became of the fit lines of a batch."""

    issued: int
    known: int
    refused: list[RefusedLine]


class _Drafted(Struct, frozen=True):
    line: int
    draft: Draft


class Filing:
    """Writes fit lines as certificates, inside the caller's transaction."""

    def __init__(self, keys: Keys, people: People, issuing: Issuing) -> None:
        self._people = people
        self._issuing = issuing
        self._references = keys.digester("wallet.issuer_reference")
        self._bodies = keys.digester("wallet.issue_body")

    async def file(self, conn: Connection, lines: Sequence[Fit], *, is_told: bool, actor: str, now: datetime) -> Filed:
        """Issue what is new; what was issued before under the same reference is known, with another body refused."""
        standing = await self._standing(conn, lines)
        fresh: dict[str, Fit] = {}
        refused: list[RefusedLine] = []
        for line in lines:
            place = _place(line)
            first = fresh.get(place)
            if first is None and place not in standing:
                fresh[place] = line
            elif not self._is_same(line, first, standing.get(place)):
                refused.append(_refused(line, ReferenceReused()))
        drafts = await self._drafts(conn, list(fresh.values()), now=now)
        written = await self._write(conn, drafts, is_told=is_told, actor=actor, now=now)
        refused += [one for one in written if isinstance(one, RefusedLine)]
        issued = sum(isinstance(one, Certificate) and one.issued_at == now for one in written)
        known = len(lines) - issued - len(refused)  # those of `written` too that somebody else filed this very moment
        return Filed(issued, known, refused)

    async def _standing(self, conn: Connection, lines: Sequence[Fit]) -> dict[str, Reference]:
        """What the references of these lines stand for already, under any digest key still kept."""
        places = {digest: place for place in map(_place, lines) for digest in self._references.every_digest(place)}
        found = await select_references(conn, sorted(places)) if places else {}
        return {places[digest]: reference for digest, reference in found.items()}

    def _is_same(self, line: Fit, first: Fit | None, standing: Reference | None) -> bool:
        """Whether a line asks for what its reference stands for already, in this batch or from before."""
        if first is not None:
            return first.request == line.request
        assert standing is not None
        body = body_of(line.request, FIRST_VERSION, line.request.serial)
        return standing.body_digest in self._bodies.every_digest(body)

    async def _drafts(self, conn: Connection, lines: Sequence[Fit], *, now: datetime) -> list[_Drafted]:
        if not lines:
            return []
        persons = await self._people.mint_many(conn, [line.request.holder for line in lines], now=now)
        return [
            _Drafted(
                one.line,
                Draft(
                    one.request,
                    one.issuer,
                    one.kind,
                    persons[one.request.holder.id_number],
                    FIRST_VERSION,
                    one.request.serial,
                ),
            )
            for one in lines
        ]

    async def _write(
        self, conn: Connection, drafts: Sequence[_Drafted], *, is_told: bool, actor: str, now: datetime
    ) -> list[Certificate | RefusedLine]:
        """What became of each draft, in any order: a part that is refused is halved until the bad line stands alone."""
        written: list[Certificate | RefusedLine] = []
        parts = [drafts] if drafts else []
        while parts:
            part = parts.pop()
            await queries.set_savepoint(conn)
            try:
                written += await self._issuing.write(
                    conn, [one.draft for one in part], actor=actor, is_told=is_told, now=now
                )
            except (ReferenceReused, IdentifierTaken) as refusal:
                await queries.return_to_savepoint(conn)
                half = len(part) // 2
                if half:
                    parts += [part[half:], part[:half]]
                else:
                    written.append(_refused(part[0], refusal))
            await queries.release_savepoint(conn)
        return written


def _place(line: Fit) -> str:
    return place_of_reference(line.issuer.issuer_code, line.request.reference)


def _refused(line: "Fit | _Drafted", refusal: Refusal) -> RefusedLine:
    request = line.request if isinstance(line, Fit) else line.draft.request
    return RefusedLine(line.line, refusal.code, refusal.title(), reference=request.reference)
