"""A person has one id, whoever issues to them first, and nothing in the database names them."""

import asyncio
import random
from typing import Any

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.people import MINTED_MAX, Identity, People
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


def a_crowd(size: int) -> list[Identity]:
    return [Identity(f"31010119900101{n:03d}X", f"人{n}") for n in range(size)]


async def test_many_are_minted_together_each_under_their_own_name(
    db: Database, keys: Keys, clock: StoppedClock
) -> None:
    people, crowd = people_of(keys), a_crowd(MINTED_MAX)
    async with db.transaction() as conn:
        alone = await people.mint(conn, crowd[7], now=clock.now())
        minted = await people.mint_many(conn, [*crowd, *crowd[:20]][: MINTED_MAX + 20], now=clock.now())
        assert minted.keys() == {identity.id_number for identity in crowd}
        assert len(set(minted.values())) == len(crowd)
        assert minted[crowd[7].id_number] == alone
        assert await people.mint_many(conn, crowd[::-1], now=clock.now()) == minted
        for identity in (crowd[0], crowd[7], crowd[-1]):
            assert await people.identity(conn, minted[identity.id_number]) == identity
            assert await people.find(conn, identity.id_number) == minted[identity.id_number]
        assert await people.mint_many(conn, [], now=clock.now()) == {}
    assert await db.fetchval("SELECT count(*) FROM kernel.person") == MINTED_MAX
    assert await db.fetchval("SELECT count(*) FROM kernel.person_digest") == MINTED_MAX


async def test_of_two_names_told_together_the_first_stands(db: Database, keys: Keys, clock: StoppedClock) -> None:
    people, other = people_of(keys), a_crowd(1)[0]
    async with db.transaction() as conn:
        told = [SOMEBODY, other, Identity(SOMEBODY.id_number, "某丙")]
        minted = await people.mint_many(conn, told, now=clock.now())
        assert await people.identity(conn, minted[SOMEBODY.id_number]) == SOMEBODY
        assert len(minted) == 2


async def test_however_many_are_minted_it_takes_a_few_statements(db: Database, keys: Keys, clock: StoppedClock) -> None:
    asked: list[str] = []
    async with db.transaction() as conn:
        logged: Any = conn
        with logged.query_logger(lambda record: asked.append(record.query)):
            await people_of(keys).mint_many(conn, a_crowd(MINTED_MAX), now=clock.now())
    assert 1 <= len(asked) <= 4


async def test_groups_that_mint_the_same_people_agree_and_never_wait_in_a_circle(
    db: Database, keys: Keys, clock: StoppedClock
) -> None:
    people, crowd, chance = people_of(keys), a_crowd(200), random.Random(7)

    async def mint_some() -> dict[str, PersonId]:
        async with db.transaction() as conn:
            return await people.mint_many(conn, chance.sample(crowd, 150), now=clock.now())

    of_each = await asyncio.gather(*(mint_some() for _ in range(12)))
    agreed: dict[str, PersonId] = {}
    for minted in of_each:
        for number, person_id in minted.items():
            assert agreed.setdefault(number, person_id) == person_id
    assert await db.fetchval("SELECT count(*) FROM kernel.person") == len(agreed)


@pytest.mark.parametrize("known", [0, 1, 30])
async def test_a_crowd_is_found_while_the_digest_key_is_rotated(db: Database, clock: StoppedClock, known: int) -> None:
    old, new, crowd = fresh_key(), fresh_key(), a_crowd(30)
    async with db.transaction() as conn:
        minted = await people_of(Keys(KeyFile([old], [old]))).mint_many(conn, crowd[:known], now=clock.now())
    rotated = people_of(Keys(KeyFile([new, old], [new, old])))
    async with db.transaction() as conn:
        everybody = await rotated.mint_many(conn, crowd, now=clock.now())
    assert {number: everybody[number] for number in minted} == minted
    assert await db.fetchval("SELECT count(*) FROM kernel.person") == len(crowd)


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
