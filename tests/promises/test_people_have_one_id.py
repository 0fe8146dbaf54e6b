"""A person has one id, whoever issues to them first, and nothing in the database names them."""

import asyncio

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.people import Identity, People
from kernel.sealing import KeyFile, Keys, fresh_key

SOMEBODY = Identity(id_number="310101199001019961", name="某甲")


def people_of(keys: Keys) -> People:
    return People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))


async def test_twenty_issuers_at_once_mint_one_person(db: Database, keys: Keys, clock: StoppedClock) -> None:
    people = people_of(keys)

    async def mint() -> PersonId:
        async with db.transaction() as conn:
            return await people.mint(conn, SOMEBODY, now=clock.now())

    assert len(set(await asyncio.gather(*(mint() for _ in range(20))))) == 1
    assert await db.fetchval("SELECT count(*) FROM kernel.person") == 1


async def test_a_person_is_found_while_the_digest_key_is_rotated(db: Database, clock: StoppedClock) -> None:
    old, new = fresh_key(), fresh_key()
    async with db.transaction() as conn:
        minted = await people_of(Keys(KeyFile([old], [old]))).mint(conn, SOMEBODY, now=clock.now())
    rotated = people_of(Keys(KeyFile([new, old], [new, old])))
    async with db.transaction() as conn:
        assert await rotated.mint(conn, SOMEBODY, now=clock.now()) == minted
        assert await rotated.identity(conn, minted) == SOMEBODY


async def test_the_number_and_the_name_are_in_no_column(db: Database, keys: Keys, clock: StoppedClock) -> None:
    async with db.transaction() as conn:
        await people_of(keys).mint(conn, SOMEBODY, now=clock.now())
    rows = await db.fetch(
        "SELECT person::text AS row FROM kernel.person UNION SELECT d::text FROM kernel.person_digest d"
    )
    stored = " ".join(row["row"] for row in rows)
    assert SOMEBODY.id_number.encode().hex() not in stored
    assert SOMEBODY.name.encode().hex() not in stored
