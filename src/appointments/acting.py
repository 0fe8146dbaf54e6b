"""Somebody books for somebody else: what appointments ask of whoever keeps the mandates (授权)."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol
from uuid import UUID

from appointments.errors import MandateRefused
from kernel.db import Connection
from kernel.errors import Refusal
from kernel.ids import PersonId

MandateKey = tuple[PersonId, UUID]
"""The holder, for whom is booked, and the mandate."""


class Mandates(Protocol):
    """Kept by the wallet."""

    async def holder_of(self, agent: PersonId, mandate_id: UUID, *, now: datetime) -> PersonId:
        """For whom this agent may book now. Raises the wallet's MandateNotFound, MandateEnded, MandateNotForBooking."""
        ...

    async def standing(
        self, conn: Connection, asked: Collection[tuple[PersonId, PersonId, UUID]], *, now: datetime
    ) -> set[MandateKey]:
        """Of (agent, holder, mandate), those that stand and let the agent book; kept as they are until the end of the
        transaction, so that ending one waits for what is being booked."""
        ...


class NoMandates:
    """Nobody books for anybody else; for where nobody keeps mandates."""

    async def holder_of(self, agent: PersonId, mandate_id: UUID, *, now: datetime) -> PersonId:
        del agent, mandate_id, now
        raise MandateRefused

    async def standing(
        self, conn: Connection, asked: Collection[tuple[PersonId, PersonId, UUID]], *, now: datetime
    ) -> set[MandateKey]:
        del conn, asked, now
        return set()


class Acting:
    """Mandates with one refusal of ours for every reason of whoever keeps them."""

    def __init__(self, kept: Mandates) -> None:
        self._kept = kept

    async def holder_of(self, agent: PersonId, mandate_id: UUID, *, now: datetime) -> PersonId:
        """For whom this agent may book now. Raises MandateRefused."""
        try:
            return await self._kept.holder_of(agent, mandate_id, now=now)
        except MandateRefused:
            raise
        except Refusal as refused:
            raise MandateRefused(why=refused.code) from None

    async def standing(
        self, conn: Connection, asked: Collection[tuple[PersonId, PersonId, UUID]], *, now: datetime
    ) -> set[MandateKey]:
        """See `Mandates.standing`."""
        return await self._kept.standing(conn, asked, now=now)
