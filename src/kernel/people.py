"""One person, one id: minted at the first certificate by the keyed digest of the ID number; accounts attach later."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kernel import queries
from kernel.db import Connection
from kernel.ids import PersonId, uuid7
from kernel.sealing import Digester, Sealer

MINTED_MAX = 500
"""How many people are minted at once: a group holds every one of them until it commits."""
_PACK = msgspec.msgpack.Encoder()


class Identity(msgspec.Struct, frozen=True):
    """Who a person is to the authorities: the resident identity number (GB 11643) and the name on it."""

    id_number: str
    name: str

    def __repr__(self) -> str:
        return "Identity(…)"


class People:
    """Finds and mints persons. Values are sealed under `sealer`, found through `digester`."""

    def __init__(self, sealer: Sealer, digester: Digester) -> None:
        self._sealer = sealer
        self._digester = digester

    async def mint(self, conn: Connection, identity: Identity, *, now: datetime) -> PersonId:
        """The person of this ID number, made now if nobody knew them. The first name told stands until `confirm`."""
        found = await self.find(conn, identity.id_number)
        if found is not None:
            return found
        person_id = uuid7(now)
        if await queries.file_person_digest(conn, self._digester.digest(identity.id_number), person_id):
            sealed = self._sealer.seal_struct(identity, person_id.bytes)
            await queries.insert_person(conn, person_id, sealed, now=now)
            return PersonId(person_id)
        known = await self.find(conn, identity.id_number)
        assert known is not None  # filed by the one we lost to, which has committed
        return known

    async def mint_many(
        self, conn: Connection, identities: Sequence[Identity], *, now: datetime
    ) -> dict[str, PersonId]:
        """The person of each ID number, those made now whom nobody knew; the first name told stands.

        At most `MINTED_MAX` numbers, in a few statements however many they are. Digests are filed in their own order,
        so that groups that mint the same people wait for one another and never in a circle: whoever mints more than
        one person in a transaction does it here, and once.
        """
        told: dict[str, Identity] = {}
        for identity in identities:
            told.setdefault(identity.id_number, identity)
        assert len(told) <= MINTED_MAX
        if len(told) == 1:
            return {number: await self.mint(conn, identity, now=now) for number, identity in told.items()}
        digests = {number: self._digester.every_digest(number) for number in told}
        persons = await self._known(conn, {older: number for number, each in digests.items() for older in each[1:]})
        number_of = {each[0]: number for number, each in digests.items() if number not in persons}
        minted = {digest: PersonId(uuid7(now)) for digest in sorted(number_of)}
        filed = await queries.file_person_digests(conn, list(minted.items()))
        fresh = [(minted[digest], told[number_of[digest]]) for digest in filed]
        await queries.insert_persons(
            conn,
            [
                (person_id, self._sealer.seal(_PACK.encode(identity), person_id.bytes), now)
                for person_id, identity in fresh
            ],
        )
        persons |= {identity.id_number: person_id for person_id, identity in fresh}
        if len(persons) < len(told):  # filed long ago, or by one we waited for, which has committed
            persons |= await self._known(conn, {d: number for d, number in number_of.items() if number not in persons})
        assert len(persons) == len(told)
        return persons

    async def _known(self, conn: Connection, number_of: dict[bytes, str]) -> dict[str, PersonId]:
        """The persons that are filed under these digests, by number."""
        found = await queries.select_persons_by_digest(conn, list(number_of)) if number_of else []
        return {number_of[digest]: PersonId(person_id) for digest, person_id in found}

    async def confirm(self, conn: Connection, person_id: PersonId, identity: Identity) -> None:
        """File the name that was checked, in place of whatever was told before."""
        if await self.identity(conn, person_id) != identity:
            sealed = self._sealer.seal_struct(identity, person_id.bytes)
            await queries.update_identity(conn, person_id, sealed)

    async def find(self, conn: Connection, id_number: str) -> PersonId | None:
        """The person of an ID number, under any digest key still kept."""
        for digest in self._digester.every_digest(id_number):
            person_id = await queries.select_person_by_digest(conn, digest)
            if person_id is not None:
                return PersonId(person_id)
        return None

    async def identity(self, conn: Connection, person_id: PersonId) -> Identity:
        """Who a known person is."""
        sealed = await queries.select_identity(conn, person_id)
        assert sealed is not None
        return msgspec.msgpack.decode(self._sealer.unseal(sealed, person_id.bytes), type=Identity)
