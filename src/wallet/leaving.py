"""A person closes their account: nobody acts for them any more by what they alone had granted.

Certificates, guardianships and the records of uses stay: they are the departments', and what happened.
"""

from kernel.clock import Clock
from kernel.db import Connection
from kernel.ids import PersonId
from wallet.family import queries
from wallet.family.ending import Ending
from wallet.family.granting import STANDING_MAX


class Leaving:
    """Ends what rests on an account being kept."""

    def __init__(self, clock: Clock, ending: Ending) -> None:
        self._clock = clock
        self._ending = ending

    async def leave(self, conn: Connection, person_id: PersonId) -> None:
        """End every mandate that this person granted, in the caller's transaction; both sides are told."""
        granted = await queries.select_mandates_granted(conn, person_id, now=self._clock.now(), limit=STANDING_MAX)
        for mandate_id in granted:
            await self._ending.end(conn, (person_id, mandate_id), actor=f"person:{person_id}")
