"""A resident's real name is checked once; a person has one account; an account can be taken along and closed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from city.demo.people import PEOPLE
from gateway import outside
from gateway.residents.errors import RealNameLate
from gateway.residents.model import Phone
from gateway.residents.real_name_checker import RealNameChecker
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.people import Identity, People
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import Entrance, an_entrance, owed, served

WHO, OTHER = [one for one in PEOPLE if one.phone][:2]
assert WHO.phone is not None
assert OTHER.phone is not None


@pytest.fixture
async def entrance(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Entrance]:
    async with an_entrance(db, redis, keys, clock) as opened:
        yield opened


async def check(entrance: Entrance, token: str, who: Any = WHO, **instead: str) -> Any:
    told = {"name": who.name, "id_number": who.id_number} | instead
    return await entrance.ask("POST", "/resident/real-name", token, json=told)


async def test_a_checked_resident_is_a_person_in_the_tokens_they_get(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(str(WHO.phone))
    checked = await check(entrance, tokens["access_token"])
    assert checked.status_code == 200
    me = (await entrance.ask("GET", "/resident/me", checked.json()["access_token"])).json()
    assert me["real_name"]["name"] == WHO.name
    masked = me["real_name"]["id_number_masked"]
    assert masked[1:-1] == "*" * 16
    assert (masked[0], masked[-1]) == (WHO.id_number[0], WHO.id_number[-1])
    claims = entrance.signing_keys.claims_of(
        "access", checked.json()["access_token"], audience="resident", issuer="http://entrance.example"
    )
    assert claims["per"] == me["real_name"]["person_id"]


async def test_a_lost_answer_can_be_asked_for_again_in_the_old_session(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(str(WHO.phone))
    answers = [await check(entrance, tokens["access_token"]) for _ in range(12)]
    assert {one.status_code for one in answers} == {200}


async def test_whoever_signs_in_later_is_that_person_at_once_and_is_told_of_it(entrance: Entrance) -> None:
    await entrance.a_citizen(WHO)
    before = await owed(entrance.db, "new_sign_in")
    tokens = await entrance.sign_in(str(WHO.phone))
    me = (await entrance.ask("GET", "/resident/me", tokens["access_token"])).json()
    assert me["real_name"]["name"] == WHO.name
    assert await owed(entrance.db, "new_sign_in") == before + 1


async def test_name_number_and_phone_must_belong_together(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(str(WHO.phone))
    for instead in ({"name": OTHER.name}, {"id_number": OTHER.id_number}):
        refused = await check(entrance, tokens["access_token"], WHO, **instead)
        assert (refused.status_code, refused.json()["code"]) == (422, "residents.real_name_mismatch")


async def test_a_wrong_check_digit_or_day_of_birth_is_refused_without_asking_anybody(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(str(WHO.phone))
    number = WHO.id_number
    wrong_digit = number[:-1] + ("0" if number[-1] != "0" else "1")
    for id_number in (wrong_digit, number[:10] + "1399" + number[14:]):
        refused = await check(entrance, tokens["access_token"], WHO, id_number=id_number)
        assert refused.json()["code"] == "residents.id_number_not_valid"


async def test_a_settled_real_name_is_not_changed(entrance: Entrance) -> None:
    tokens = await entrance.a_citizen(WHO)
    refused = await check(entrance, tokens["access_token"], OTHER)
    assert (refused.status_code, refused.json()["code"]) == (409, "residents.real_name_settled")


async def test_another_name_does_not_pass_for_whoever_is_settled_either(entrance: Entrance) -> None:
    tokens = await entrance.a_citizen(WHO)
    refused = await check(entrance, tokens["access_token"], WHO, name=OTHER.name)
    assert (refused.status_code, refused.json()["code"]) == (422, "residents.real_name_mismatch")


async def test_a_person_has_one_account_also_when_two_phones_ask_at_once(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock
) -> None:
    async def agree(_: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.json_response({"match": True, "serial": "S1"})

    app = web.Application()
    app.add_routes([web.post("/real-name", agree)])
    async with served(app) as url, an_entrance(db, redis, keys, clock, outside_url=url) as entrance:
        tokens = [await entrance.sign_in(phone) for phone in (str(WHO.phone), str(OTHER.phone))]
        answers = await asyncio.gather(*(check(entrance, one["access_token"]) for one in tokens))
        assert sorted(one.status_code for one in answers) == [200, 409]
        [refused] = [one for one in answers if one.status_code == 409]
        assert refused.json()["code"] == "residents.person_has_account"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (200, b"<html>"),
        (200, b'{"match": "yes"}'),
        (200, b'{"match": true, "serial": "' + b"x" * 40_000 + b'"}'),
        (302, b""),
    ],
)
async def test_a_check_that_goes_wrong_is_refused_and_changes_nothing(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock, status: int, body: bytes
) -> None:
    async def go_wrong(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Location": "http://127.0.0.1:1/"})

    app = web.Application()
    app.add_routes([web.post("/real-name", go_wrong)])
    async with served(app) as url, an_entrance(db, redis, keys, clock, outside_url=url) as entrance:
        tokens = await entrance.sign_in(str(WHO.phone))
        refused = await check(entrance, tokens["access_token"])
        assert (refused.status_code, refused.json()["code"]) == (502, "residents.real_name_away")
        assert await db.fetchval("SELECT count(*) FROM gateway.person_account") == 0


async def test_a_check_that_takes_too_long_is_not_waited_for() -> None:
    async def dawdle(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.json_response({"match": True, "serial": "S1"})

    app = web.Application()
    app.add_routes([web.post("/real-name", dawdle)])
    async with served(app) as url, outside.open_client(connections_max=1) as http:
        checker = RealNameChecker(http, url, timeout_seconds=0.1)
        with pytest.raises(RealNameLate):
            await checker.check(Identity(WHO.id_number, WHO.name), Phone(str(WHO.phone)))


async def test_nobody_there_to_check_is_said_so(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> None:
    async with an_entrance(db, redis, keys, clock, outside_url="http://127.0.0.1:1") as entrance:
        tokens = await entrance.sign_in(str(WHO.phone))
        assert (await check(entrance, tokens["access_token"])).status_code == 502
    async with an_entrance(db, redis, keys, clock, outside_url="") as entrance:
        assert (await check(entrance, tokens["access_token"])).status_code == 503


async def test_checks_of_one_account_are_bounded(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(str(WHO.phone))
    answers = [await check(entrance, tokens["access_token"], WHO, name=OTHER.name) for _ in range(11)]
    assert [one.status_code for one in answers] == [422] * 10 + [429]


async def test_everything_held_can_be_taken_along(entrance: Entrance) -> None:
    tokens = await entrance.a_citizen(WHO)
    held = (await entrance.ask("GET", "/resident/export", tokens["access_token"])).json()
    assert (held["phone"], held["real_name"], held["id_number"]) == (WHO.phone, WHO.name, WHO.id_number)
    assert len(held["sessions"]) == 2


async def test_a_closed_account_is_gone_and_its_person_free_for_another(entrance: Entrance) -> None:
    tokens = await entrance.a_citizen(WHO)
    assert (await entrance.ask("DELETE", "/resident/account", tokens["access_token"])).status_code == 204
    for table in ("account", "phone_account", "person_account"):
        assert await entrance.db.fetchval(f"SELECT count(*) FROM gateway.{table}") == 0
    me = await entrance.ask("GET", "/resident/me", tokens["access_token"])
    assert me.json()["code"] == "access.token_revoked"
    assert (await entrance.ask("DELETE", "/resident/account", tokens["access_token"])).status_code == 204
    await entrance.refresh()
    assert (await entrance.ask("GET", "/resident/me", tokens["access_token"])).status_code == 401
    again = await entrance.a_citizen(WHO)
    assert (await entrance.ask("GET", "/resident/me", again["access_token"])).status_code == 200


async def test_closing_while_others_sign_in_leaves_nothing_half(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(str(WHO.phone))
    challenges = [await entrance.challenge(str(WHO.phone)) for _ in range(4)]
    told = [
        {"challenge_id": one["challenge_id"], "phone": WHO.phone, "code": await entrance.code_of(one["challenge_id"])}
        for one in challenges
    ]
    signing_in = [entrance.ask("POST", "/resident/sign-in", json=one) for one in told]
    closing = entrance.ask("DELETE", "/resident/account", tokens["access_token"])
    answers = await asyncio.gather(*signing_in[:2], closing, *signing_in[2:])
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 200, 204]
    open_accounts = await entrance.db.fetch("SELECT account_id FROM gateway.phone_account")
    assert len(open_accounts) <= 1
    orphans = await entrance.db.fetchval(
        "SELECT count(*) FROM gateway.session WHERE ended_at IS NULL"
        " AND subject_id NOT IN (SELECT account_id FROM gateway.account)"
    )
    assert orphans == 0


async def test_the_name_that_was_checked_stands_whatever_a_department_wrote_before(entrance: Entrance) -> None:
    people = People(entrance.keys.sealer("kernel.person"), entrance.keys.digester("kernel.id_number"))
    async with entrance.db.transaction() as conn:
        person_id = await people.mint(conn, Identity(WHO.id_number, "张冠李戴"), now=entrance.clock.now())
    tokens = await entrance.a_citizen(WHO)
    me = (await entrance.ask("GET", "/resident/me", tokens["access_token"])).json()
    assert (me["real_name"]["person_id"], me["real_name"]["name"]) == (str(person_id), WHO.name)
    async with entrance.db.transaction() as conn:
        await people.mint(conn, Identity(WHO.id_number, "张冠李戴"), now=entrance.clock.now())
    held = (await entrance.ask("GET", "/resident/export", tokens["access_token"])).json()
    assert held["real_name"] == WHO.name
