"""One person, one id: minted at the first certificate by the keyed digest of the ID number; accounts attach later."""

from datetime import datetime

import msgspec

from kernel import queries
from kernel.db import Connection
from kernel.ids import PersonId, uuid7
from kernel.sealing import Digester, Sealer


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
