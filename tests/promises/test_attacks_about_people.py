"""What somebody could do to other people by what they typed, and cannot any more: each was red before it was green."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace

from city.demo.people import PEOPLE
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.people import Identity
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_family import CHILD, STRANGER, a_wish, another, given, put, said, the_kind
from tests.builders_gateway import an_entrance
from tests.builders_loading import a_line, ndjson, opened, sent, somebody
from tests.builders_people import an_entry, guardianship, the_card_of
from tests.builders_wallet import (
    ID_CARD,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    an_id_card,
    issued,
)
from tests.wire_wallet import Wire
from wallet.family.granting import STANDING_MAX
from wallet.model import Certificate
from wallet.parts import Wallet

SLANDER = "骗子"
"""What somebody who wishes others ill types as their name."""


# ---- names that somebody else typed ----------------------------------------------------------------------------------


async def named(wallet: Wallet, who: Identity) -> Identity:
    """Who the city takes the person of an ID number for."""
    async with wallet.db.connection() as conn:
        person_id = await wallet.people.find(conn, who.id_number)
        assert person_id is not None
        return await wallet.people.identity(conn, person_id)


async def issue(police: httpx.AsyncClient, who: Identity) -> httpx.Response:
    return await police.post("/certificates", json=the_card_of(who))


async def push(police: httpx.AsyncClient, who: Identity) -> httpx.Response:
    return await police.put("/register/R-true", json=an_entry(1, who))


async def load(police: httpx.AsyncClient, who: Identity) -> httpx.Response:
    lines = [the_card_of(who), *(a_line(number) for number in range(3))]
    answer = await sent(police, await opened(police), ndjson(lines))
    assert answer.json()["issued"] == len(lines), answer.text
    return answer


async def say_whose_ward(police: httpx.AsyncClient, who: Identity) -> httpx.Response:
    return await police.put("/guardianships/JH-1", json=guardianship(SOMEBODY, who))


async def say_whose_guardian(police: httpx.AsyncClient, who: Identity) -> httpx.Response:
    return await police.put("/guardianships/JH-1", json=guardianship(who, CHILD))


@pytest.mark.parametrize("honest_word", [issue, push, load, say_whose_ward, say_whose_guardian])
async def test_the_first_word_of_a_department_stands_whatever_somebody_else_typed_before(
    wallet: Wallet, wire: Wire, card: Certificate, police: httpx.AsyncClient, clock: StoppedClock, honest_word: Any
) -> None:
    await put(wallet, the_kind(ID_CARD, proves_guardianship=True))
    await given(wire, card, Identity(STRANGER.id_number, SLANDER), clock.now())
    answer = await honest_word(police, STRANGER)
    assert answer.status_code in (200, 201), answer.text
    assert await named(wallet, STRANGER) == STRANGER
    await given(wire, card, Identity(STRANGER.id_number, SLANDER), clock.now())
    later = the_card_of(Identity(STRANGER.id_number, "某丁丁")) | {"reference": "R-later"}
    assert (await police.post("/certificates", json=later)).status_code == 201
    assert await named(wallet, STRANGER) == STRANGER, "the first word of a department stands until it is checked"


async def test_a_name_that_somebody_typed_is_shown_to_nobody_as_the_name_of_whose_number_it_is(
    wallet: Wallet, wire: Wire, card: Certificate, police: httpx.AsyncClient, clock: StoppedClock
) -> None:
    await put(wallet, the_kind(ID_CARD, proves_guardianship=True))
    guardian = wire.resident((await another(wallet)).person_id)
    await given(wire, card, Identity(STRANGER.id_number, SLANDER), clock.now())
    for told in (guardianship(SOMEBODY_ELSE, STRANGER), guardianship(STRANGER, CHILD)):
        assert (await police.put(f"/guardianships/{uuid4()}", json=told)).status_code == 200
    [mandate] = (await guardian.get("/mandates")).json()["held"]
    assert mandate["other"] == "某＊"
    guardian_too = wire.resident((await issued(wallet, an_id_card("R-true", STRANGER))).person_id)
    [mandate] = (await guardian_too.get("/mandates")).json()["held"]
    assert (mandate["other"], mandate["basis"]) == ("某＊＊", "guardian")


async def test_nobody_is_told_of_a_mandate_before_it_is_known_that_they_are_meant(
    wallet: Wallet, wire: Wire, card: Certificate, db: Database, redis: Redis, keys: Keys, clock: StoppedClock
) -> None:
    meant, number = next(one for one in PEOPLE if one.phone), next(one for one in PEOPLE if one.phone).id_number
    await given(wire, card, Identity(number, SLANDER), clock.now())
    waiting = await given(wire, card, Identity(number, meant.name), clock.now())
    person_id = await db.fetchval("SELECT DISTINCT agent_person_id FROM wallet.mandate")
    assert await db.fetchval("SELECT count(*) FROM notifications.message WHERE person_id = $1", person_id) == 0
    assert (await wire.resident(person_id).get("/mandates")).json()["held"] == []
    async with an_entrance(db, redis, keys, clock) as entrance:
        tokens = await entrance.a_citizen(meant)
        me = (await entrance.ask("GET", "/resident/me", tokens["access_token"])).json()["real_name"]
    assert (me["name"], me["person_id"]) == (meant.name, str(person_id))
    [held] = (await wire.resident(person_id).get("/mandates")).json()["held"]
    assert (held["mandate_id"], held["state"]) == (waiting, "standing")


async def test_a_name_that_somebody_typed_lies_with_their_mandate_and_nowhere_else(
    wallet: Wallet, wire: Wire, card: Certificate, keys: Keys, clock: StoppedClock
) -> None:
    await given(wire, card, Identity(STRANGER.id_number, SLANDER), clock.now())
    sealer = keys.sealer("kernel.person")
    rows = await wallet.db.fetch("SELECT person_id, identity FROM kernel.person")
    known = b"".join(sealer.unseal(row["identity"], row["person_id"].bytes) for row in rows)
    assert SOMEBODY.name.encode() in known
    assert STRANGER.id_number.encode() in known
    assert SLANDER.encode() not in known


async def test_departments_that_name_the_same_people_at_once_agree_and_never_wait_in_a_circle(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    crowd = [somebody(number) for number in range(40)]
    for who in crowd:
        await given(wire, card, Identity(who.id_number, SLANDER), clock.now())
    chance = random.Random(11)

    async def register(nth: int) -> None:
        lines = [an_id_card(f"{nth}-{who.id_number}", who) for who in chance.sample(crowd, 30)]
        catalogue = wallet.catalogue()
        requests = [replace(line, serial=f"{nth}X{line.holder.id_number}") for line in lines]
        await wallet.issuing.issue_many(wallet.db, wallet.clock, catalogue, POLICE_ID, requests, actor="system:test")

    await asyncio.gather(*(register(nth) for nth in range(8)))
    assert [await named(wallet, who) for who in crowd] == crowd


# ---- more mandates than one person may give --------------------------------------------------------------------------


async def test_of_twenty_mandates_given_at_once_only_as_many_stand_as_may(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    for _ in range(STANDING_MAX - 1):
        await given(wire, card, STRANGER, clock.now())
    holder, wish = wire.resident(card.person_id), a_wish(STRANGER, clock.now())
    async with wallet.db.transaction() as conn:
        await conn.execute("LOCK TABLE wallet.mandate IN SHARE MODE")  # all that can, wait to file theirs at once
        giving = [asyncio.create_task(holder.put(f"/mandates/{uuid4()}", json=wish)) for _ in range(20)]
        await asyncio.sleep(0.5)
    answers = await asyncio.gather(*giving)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert {said(answer)[1] for answer in answers if answer.status_code == 409} == {"wallet.too_many_mandates"}
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.mandate") == STANDING_MAX


async def test_people_who_give_each_other_mandates_at_once_never_wait_in_a_circle(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    other = await another(wallet)
    both = ((card, SOMEBODY_ELSE), (other, SOMEBODY))
    await asyncio.gather(*(given(wire, holder, agent, clock.now()) for holder, agent in both * 15))
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.mandate") == 30
