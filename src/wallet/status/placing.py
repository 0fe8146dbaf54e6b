"""Where a certificate stands in the status lists: as it was issued, or for one older than the lists, as of now.

Whatever is signed about a certificate and outlives the moment names its place, so that it can be called back.
"""

from datetime import datetime

from kernel.db import Database
from kernel.ids import CertificateId, PersonId
from wallet.model import State
from wallet.status import queries
from wallet.status.allocating import Place, Statuses


class Placing:
    """Finds places, and gives one to a certificate that has none."""

    def __init__(self, db: Database, statuses: Statuses) -> None:
        self._db = db
        self._statuses = statuses

    async def place_of(
        self,
        person_id: PersonId,
        certificate_id: CertificateId,
        held: tuple[int | None, int | None],
        *,
        now: datetime,
    ) -> Place:
        """The place of a certificate that exists; `held` are list and index as its row was read."""
        list_id, idx = held
        if list_id is not None and idx is not None:
            return Place(list_id, idx)
        async with self._db.transaction() as conn:
            row = await queries.lock_place(conn, person_id, certificate_id)
            assert row is not None, "certificates do not go away"
            list_id, idx, state = row
            if list_id is not None and idx is not None:
                return Place(list_id, idx)
            [place] = await self._statuses.allocate(conn, [certificate_id], state=State(state), now=now)
            await queries.set_place(conn, person_id, certificate_id, place.list_id, place.idx)
        return place
