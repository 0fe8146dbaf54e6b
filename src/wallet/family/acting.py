"""Somebody shows the certificates of somebody else: whether a mandate lets them, and who acts for whom.

A mandate is never remembered: it is read when a code is minted, and held as it is by the transaction that redeems it,
so that ending it waits for what is being recorded, and nothing is recorded after it has ended.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from kernel.db import Connection, Database
from kernel.ids import PersonId
from kernel.people import People
from wallet.errors import MandateEnded, MandateNotFound
from wallet.family import queries
from wallet.family.queries import Filed, Key
from wallet.mandates import Mandate
from wallet.residents.holding import masked_name
from wallet.seals import Seals
from wallet.telling import Between


class Acting:
    """Reads mandates for those who act under them."""

    def __init__(self, db: Database, people: People, seals: Seals) -> None:
        self._db = db
        self._people = people
        self._seals = seals

    async def mandate_of(self, agent: PersonId, mandate_id: UUID, *, now: datetime) -> Mandate:
        """A mandate that this agent holds and that stands now. Raises MandateNotFound, MandateEnded."""
        async with self._db.connection() as conn:
            filed = await self.held_by(conn, agent, mandate_id)
        return _standing(filed, now)

    async def hold_for(self, conn: Connection, agent: PersonId, mandate_id: UUID, *, now: datetime) -> Filed:
        """The same, kept as it is until the transaction ends. Raises MandateNotFound, MandateEnded."""
        held = (await self.held_by(conn, agent, mandate_id)).mandate
        filed = await queries.hold_mandate(conn, held.person_id, mandate_id)
        assert filed is not None  # mandates end, they do not go away
        _standing(filed, now)
        return filed

    async def held_by(self, conn: Connection, agent: PersonId, mandate_id: UUID) -> Filed:
        """A mandate that this agent holds, whether it stands or not.

        Raises MandateNotFound, also where its agent was told of by another name than this person has.
        """
        holder = await queries.select_holder_of(conn, agent, mandate_id)
        if holder is None:
            raise MandateNotFound
        [filed] = (await queries.select_mandates(conn, [(holder, mandate_id)])).values()
        if not await self.is_meant(conn, filed):
            raise MandateNotFound
        return filed

    async def is_meant(self, conn: Connection, filed: Filed) -> bool:
        """Whether the person with the agent's ID number has the name by which the agent was told of.

        Of whom nobody has said what they are called, nobody is meant yet: what was given to them waits for their name.
        """
        return await self._people.name(conn, filed.mandate.agent_person_id) == self.agent_name(filed)

    def agent_name(self, filed: Filed) -> str:
        """The name by which the agent was told of: all that the holder may learn of them."""
        return self._seals.open_agent_name(filed.mandate.person_id, filed.mandate.mandate_id, filed.agent_name)

    async def hold(self, conn: Connection, keys: Iterable[Key]) -> dict[Key, Filed]:
        """These mandates, kept as they are until the transaction ends; taken in one order, so that nobody deadlocks."""
        found = {key: await queries.hold_mandate(conn, *key) for key in sorted(set(keys))}
        return {key: filed for key, filed in found.items() if filed is not None}

    def masked_agent_name(self, filed: Filed) -> str:
        return masked_name(self.agent_name(filed))

    async def holder_name(self, conn: Connection, holder: PersonId) -> str:
        """A holder's name, masked, as an agent is told of it."""
        return masked_name((await self._people.identity(conn, holder)).name)

    async def between(self, conn: Connection, filed: Filed) -> Between:
        """The names of agent and holder, masked, as each is told of the other."""
        return Between(self.masked_agent_name(filed), await self.holder_name(conn, filed.mandate.person_id))


def _standing(filed: Filed, now: datetime) -> Mandate:
    if not filed.mandate.is_good(now):
        raise MandateEnded
    return filed.mandate
