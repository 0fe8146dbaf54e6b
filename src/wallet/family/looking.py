"""People see who may act for them and for whom they may act; an agent sees what they may show."""

from uuid import UUID

from msgspec import Struct

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.people import People
from wallet import queries as wallet_queries
from wallet.family import queries
from wallet.family.acting import Acting
from wallet.family.queries import Filed
from wallet.mandates import Mandate
from wallet.model import Certificate
from wallet.residents.holding import CERTIFICATES_MAX
from wallet.seals import Seals

LISTED_MAX = 200
"""Of each sort, newest first: more than anybody looks through."""


class Seen(Struct, frozen=True):
    """A mandate as one of its two sides sees it; `other` is the masked name of the other side."""

    mandate: Mandate
    is_agent: bool
    other: str


class Looking:
    """Shows mandates to both their sides, and certificates to agents."""

    def __init__(self, db: Database, clock: Clock, seals: Seals, people: People, acting: Acting) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._people = people
        self._acting = acting

    async def given(self, person_id: PersonId) -> list[Seen]:
        """The mandates by which others may act for this person, newest first, ended ones too."""
        async with self._db.connection() as conn:
            found = await queries.select_mandates_given(conn, person_id, limit=LISTED_MAX)
        return [self.as_holder(filed) for filed in found]

    async def held(self, agent: PersonId) -> list[Seen]:
        """The mandates by which this person may act for others, newest first, ended ones too."""
        async with self._db.connection() as conn:
            keys = await queries.select_mandates_held(conn, agent, limit=LISTED_MAX)
            if not keys:
                return []
            name = await self._people.name(conn, agent)
            filed = await queries.select_mandates(conn, keys)
            mine = [one for one in filed.values() if self._acting.agent_name(one) == name]
            holders = sorted({one.mandate.person_id for one in mine})
            names = {holder: await self._acting.holder_name(conn, holder) for holder in holders}
        seen = [Seen(one.mandate, True, names[one.mandate.person_id]) for one in mine]
        return sorted(seen, key=lambda one: (one.mandate.made_at, one.mandate.mandate_id), reverse=True)

    async def as_seen_by(self, person_id: PersonId, filed: Filed) -> Seen:
        """A mandate as this side of it sees it."""
        if person_id == filed.mandate.person_id:
            return self.as_holder(filed)
        async with self._db.connection() as conn:
            return Seen(filed.mandate, True, await self._acting.holder_name(conn, filed.mandate.person_id))

    def as_holder(self, filed: Filed) -> Seen:
        return Seen(filed.mandate, False, self._acting.masked_agent_name(filed))

    async def certificates(self, agent: PersonId, mandate_id: UUID) -> list[Certificate]:
        """What the agent may show under a mandate, newest first, in every state.

        Raises MandateNotFound, MandateEnded.
        """
        mandate = await self._acting.mandate_of(agent, mandate_id, now=self._clock.now())
        async with self._db.connection() as conn:
            rows = await wallet_queries.select_certificates_of_person(conn, mandate.person_id, limit=CERTIFICATES_MAX)
        return [
            self._seals.open_certificate(row)
            for row in rows
            if mandate.kind_codes is None or row.kind_code in mandate.kind_codes
        ]
