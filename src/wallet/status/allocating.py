"""Each certificate gets an index in a status list when it is issued: none twice, none lost, none that tells anything.

A list's counter is a row that whoever takes indexes holds until their transaction ends: it commits with the
certificates or not at all. So that issuers do not queue behind one another, the city keeps several lists open, one to
a lane; lane `n` has the lists n, n + LANES, n + 2·LANES …, each opened when the one before it is full.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from kernel.db import Connection, Database
from kernel.ids import CertificateId, uuid7
from kernel.sealing import Keys
from wallet.model import State
from wallet.status import queries
from wallet.status.permutation import SEED_BYTES, SIZE, Permutation

LANES = 8
OPENED_AT = 0.9
"""How full a list is when the next one of its lane is opened: 100,000 certificates ahead."""
ORDERS_MAX = 64
"""Permutations kept in memory: more than are ever open at once."""
VALUES = {State.ISSUED: 0, State.SUSPENDED: 2, State.REVOKED: 1, State.SUPERSEDED: 1}
"""What a state is in a list: valid, suspended or invalid (draft-ietf-oauth-status-list, "Status Types Values")."""


class Place(Struct, frozen=True):
    """Where a certificate stands: which list, which index."""

    list_id: int
    idx: int


class Statuses:
    """Gives out places, and writes down what changes. `size_max`: how many places of a list are given out."""

    def __init__(self, keys: Keys, *, size_max: int = SIZE) -> None:
        assert 1 <= size_max <= SIZE
        self._sealer = keys.sealer("wallet.status_seed")
        self._size_max = size_max
        self._open: dict[int, int] = {}
        self._orders: dict[bytes, Permutation] = {}

    async def allocate(
        self,
        conn: Connection,
        certificate_ids: Sequence[CertificateId],
        *,
        state: State = State.ISSUED,
        now: datetime,
    ) -> list[Place]:
        """A place for each certificate, in order. Joins the caller's transaction, and holds a counter until its end.

        To be called when nothing is left for which the caller might have to wait: others wait for the counter.
        """
        lane = secrets.randbelow(LANES)
        list_id = self._open.get(lane, lane)
        places: list[Place] = []
        while len(places) < len(certificate_ids):
            counter = await queries.lock_list(conn, list_id)
            if counter is None:
                await self._open_list(conn, list_id, now)
                continue
            count = min(self._size_max - counter.taken, len(certificate_ids) - len(places))
            if count <= 0:
                list_id += LANES
                self._open[lane] = list_id
                continue
            order = self._order_of(list_id, counter.seed)
            places += [Place(list_id, order[nth]) for nth in range(counter.taken, counter.taken + count)]
            await queries.set_taken(conn, list_id, counter.taken + count)
        entries = [
            (place.list_id, place.idx, certificate_id, VALUES[state])
            for place, certificate_id in zip(places, certificate_ids, strict=True)
        ]
        await queries.insert_entries(conn, entries)
        if VALUES[state]:  # an index that nobody has reads as valid until the next list is published
            for taken in sorted({place.list_id for place in places}):
                await queries.insert_change(conn, taken, uuid7(now))
        return places

    async def open_ahead(self, db: Database, *, now: datetime) -> None:
        """Have a list open in every lane, and the next one well before it is full.

        So it is published before anybody stands in it, and a device that fetched the lists yesterday has it too.
        """
        async with db.transaction() as conn:
            newest = {list_id % LANES: (list_id, taken) for list_id, taken in await queries.select_newest(conn, LANES)}
            for lane in range(LANES):
                list_id, taken = newest.get(lane, (lane - LANES, self._size_max))
                if taken >= self._size_max * OPENED_AT:
                    await self._open_list(conn, list_id + LANES, now)

    async def _open_list(self, conn: Connection, list_id: int, now: datetime) -> None:
        seed = self._sealer.seal(secrets.token_bytes(SEED_BYTES), _bound(list_id))
        await queries.insert_list(conn, list_id, seed, now=now)

    async def write(self, conn: Connection, place: Place, state: State, *, now: datetime) -> None:
        """A certificate's state has changed: the next list that is published says so. Joins the transaction."""
        await queries.set_value(conn, place.list_id, place.idx, VALUES[state])
        await queries.insert_change(conn, place.list_id, uuid7(now))

    def _order_of(self, list_id: int, sealed: bytes) -> Permutation:
        """The order of a list, by its seed: a list opened in a transaction that broke is opened again with another."""
        order = self._orders.get(sealed)
        if order is None:
            if len(self._orders) >= ORDERS_MAX:
                self._orders.clear()
            order = self._orders[sealed] = Permutation(self._sealer.unseal(sealed, _bound(list_id)))
        return order


def _bound(list_id: int) -> bytes:
    return list_id.to_bytes(4, "big")
