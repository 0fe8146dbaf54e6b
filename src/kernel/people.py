"""One person, one id: minted at the first certificate by the keyed digest of the ID number; accounts attach later.

A person's name is what a department said first, and then what a real-name check (实名认证) found: never what somebody
else typed. Whoever was only told of by somebody else has a number, and no name yet.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from kernel import queries
from kernel.db import Connection
from kernel.ids import PersonId, uuid7
from kernel.sealing import Digester, Sealer

MINTED_MAX = 500
"""How many people are minted at once: a group holds every one of them until it commits."""
_PACK = msgspec.msgpack.Encoder()
_NO_NAME = ""


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
        """The person of this ID number, made now if nobody knew them, as whoever answers for names calls them.

        The first name told so stands until `confirm`.
        """
        assert identity.name != _NO_NAME
        person_id, is_new = await self._mint(conn, identity, now)
        if not is_new:
            await queries.name_person(conn, person_id, self._sealer.seal_struct(identity, person_id.bytes))
        return person_id

    async def mint_unnamed(self, conn: Connection, id_number: str, *, now: datetime) -> PersonId:
        """The person of this ID number, made now if nobody knew them, of whom somebody tells who need not know them."""
        return (await self._mint(conn, Identity(id_number, _NO_NAME), now))[0]

    async def _mint(self, conn: Connection, identity: Identity, now: datetime) -> tuple[PersonId, bool]:
        """The person, and whether they were made now, under the name that was told."""
        found = await self.find(conn, identity.id_number)
        if found is not None:
            return found, False
        person_id = PersonId(uuid7(now))
        if await queries.file_person_digest(conn, self._digester.digest(identity.id_number), person_id):
            sealed, is_named = self._sealer.seal_struct(identity, person_id.bytes), identity.name != _NO_NAME
            await queries.insert_person(conn, person_id, sealed, is_named=is_named, now=now)
            return person_id, True
        known = await self.find(conn, identity.id_number)
        assert known is not None  # filed by the one we lost to, which has committed
        return known, False

    async def mint_many(
        self, conn: Connection, identities: Sequence[Identity], *, now: datetime
    ) -> dict[str, PersonId]:
        """The person of each ID number, those made now whom nobody knew, as whoever answers for names calls them.

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
        made = {identity.id_number: person_id for person_id, identity in fresh}
        if len(persons) + len(made) < len(told):  # filed long ago, or by one we waited for, which has committed
            persons |= await self._known(conn, {d: number for d, number in number_of.items() if number not in made})
        await self._name(conn, [(person_id, told[number]) for number, person_id in persons.items()])
        persons |= made
        assert len(persons) == len(told)
        return persons

    async def _name(self, conn: Connection, told: Iterable[tuple[PersonId, Identity]]) -> None:
        """Say what those are called who have no name yet, in the order of their ids: nobody waits in a circle."""
        identities = dict(told)
        for person_id in sorted(await queries.select_unnamed(conn, list(identities))):
            identity = identities[PersonId(person_id)]
            await queries.name_person(conn, person_id, self._sealer.seal_struct(identity, person_id.bytes))

    async def _known(self, conn: Connection, number_of: dict[bytes, str]) -> dict[str, PersonId]:
        """The persons that are filed under these digests, by number."""
        found = await queries.select_persons_by_digest(conn, list(number_of)) if number_of else []
        return {number_of[digest]: PersonId(person_id) for digest, person_id in found}

    async def confirm(self, conn: Connection, person_id: PersonId, identity: Identity) -> None:
        """File the name that was checked, in place of whatever was told before."""
        assert identity.name != _NO_NAME
        if await self._told(conn, person_id) != identity:
            sealed = self._sealer.seal_struct(identity, person_id.bytes)
            await queries.update_identity(conn, person_id, sealed)

    async def find(self, conn: Connection, id_number: str) -> PersonId | None:
        """The person of an ID number, under any digest key still kept."""
        for digest in self._digester.every_digest(id_number):
            person_id = await queries.select_person_by_digest(conn, digest)
            if person_id is not None:
                return PersonId(person_id)
        return None

    async def find_many(self, conn: Connection, id_numbers: Sequence[str]) -> dict[str, PersonId]:
        """The persons of ID numbers, of those that anybody is known by, in one statement."""
        return await self._known(
            conn, {d: number for number in id_numbers for d in self._digester.every_digest(number)}
        )

    async def hold(self, conn: Connection, person_id: PersonId) -> None:
        """Let nobody else hold this person until the transaction ends: what is counted of theirs stays as counted."""
        is_known = await queries.lock_person(conn, person_id)
        assert is_known

    async def identity(self, conn: Connection, person_id: PersonId) -> Identity:
        """Who a person is who has a name: whoever signed in under it, or was issued to, or is somebody's ward."""
        identity = await self._told(conn, person_id)
        assert identity.name != _NO_NAME
        return identity

    async def name(self, conn: Connection, person_id: PersonId) -> str | None:
        """What a known person is called; None while nobody who answers for names has said."""
        name = (await self._told(conn, person_id)).name
        return None if name == _NO_NAME else name

    async def _told(self, conn: Connection, person_id: PersonId) -> Identity:
        """What is filed of a known person."""
        sealed = await queries.select_identity(conn, person_id)
        assert sealed is not None
        return msgspec.msgpack.decode(self._sealer.unseal(sealed, person_id.bytes), type=Identity)
