"""Somebody books for somebody else: whether a mandate lets them (`appointments.acting.Mandates`)."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from kernel.db import Connection
from kernel.ids import PersonId
from wallet.errors import MandateNotForBooking
from wallet.family.acting import Acting
from wallet.family.queries import Key


class BookingFor:
    """Reads mandates for those who book under them."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def holder_of(self, agent: PersonId, mandate_id: UUID, *, now: datetime) -> PersonId:
        """For whom this agent may book now. Raises MandateNotFound, MandateEnded, MandateNotForBooking."""
        mandate = await self._acting.mandate_of(agent, mandate_id, now=now)
        if not mandate.may_book:
            raise MandateNotForBooking
        return mandate.person_id

    async def standing(
        self, conn: Connection, asked: Collection[tuple[PersonId, PersonId, UUID]], *, now: datetime
    ) -> set[Key]:
        """Of (agent, holder, mandate), those that stand and let the agent book, by holder and mandate.

        Each is kept as it is until the transaction ends: ending it waits for what is being booked, and nothing is
        booked after it has ended.
        """
        agents = {(holder, mandate_id): agent for agent, holder, mandate_id in asked}
        filed = await self._acting.hold(conn, agents)
        return {
            key
            for key, one in filed.items()
            if one.mandate.agent_person_id == agents[key] and one.mandate.may_book and one.mandate.is_good(now)
        }
