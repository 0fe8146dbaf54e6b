"""A mini-program user signs in with what the chat platform knows, without a second registration."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web

from city.demo.people import PEOPLE
from city.standins.demo_secrets import DEMO_APP_ID
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import Entrance, an_entrance, served

WHO, OTHER = [one for one in PEOPLE if one.phone][:2]


@pytest.fixture
async def entrance(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Entrance]:
    async with an_entrance(db, redis, keys, clock) as opened:
        yield opened


async def tap(entrance: Entrance, phone: str | None = WHO.phone, **behave: str) -> dict[str, str]:
    """What the chat app hands the mini-program when somebody taps."""
    async with httpx.AsyncClient() as phones:
        played = await phones.post(f"{entrance.platform_url}/demo/js-codes", json={"phone": phone} | behave)
    codes: dict[str, str] = played.json()
    return codes


async def sign_in(entrance: Entrance, codes: dict[str, str], *, with_phone: bool = True) -> Any:
    told = {"js_code": codes["js_code"]} | ({"phone_code": codes["phone_code"]} if with_phone else {})
    return await entrance.ask("POST", "/mini/sign-in", json=told)


async def test_a_residents_account_is_found_by_the_phone_the_platform_tells(entrance: Entrance) -> None:
    resident = await entrance.a_citizen(WHO)
    mini = await sign_in(entrance, await tap(entrance))
    assert mini.status_code == 200
    mine = (await entrance.ask("GET", "/resident/me", resident["access_token"])).json()
    there = (await entrance.ask("GET", "/mini/me", mini.json()["access_token"])).json()
    assert there == mine


async def test_once_linked_a_tap_is_enough(entrance: Entrance) -> None:
    first = await sign_in(entrance, await tap(entrance))
    again = await sign_in(entrance, await tap(entrance), with_phone=False)
    assert again.status_code == 200
    accounts = [(await entrance.ask("GET", "/mini/me", one.json()["access_token"])).json() for one in (first, again)]
    assert accounts[0]["account_id"] == accounts[1]["account_id"]


async def test_somebody_not_linked_is_asked_for_their_phone(entrance: Entrance) -> None:
    refused = await sign_in(entrance, await tap(entrance), with_phone=False)
    assert (refused.status_code, refused.json()["code"]) == (409, "miniapp.phone_needed")


async def test_two_first_taps_at_once_make_one_link_and_one_account(entrance: Entrance) -> None:
    taps = [await tap(entrance) for _ in range(4)]
    answers = await asyncio.gather(*(sign_in(entrance, codes) for codes in taps))
    assert [one.status_code for one in answers] == [200] * 4
    for table in ("account", "chat_account", "account_chat"):
        assert await entrance.db.fetchval(f"SELECT count(*) FROM gateway.{table}") == 1


async def test_real_name_sessions_and_signing_out_are_the_residents_own(entrance: Entrance) -> None:
    mini = (await sign_in(entrance, await tap(entrance))).json()
    told = {"name": WHO.name, "id_number": WHO.id_number}
    checked = await entrance.ask("POST", "/mini/real-name", mini["access_token"], json=told)
    assert checked.status_code == 200
    refreshed = await entrance.ask(
        "POST", "/mini/sign-in/refresh", json={"refresh_token": checked.json()["refresh_token"]}
    )
    token = refreshed.json()["access_token"]
    assert (await entrance.ask("GET", "/mini/me", token)).json()["real_name"]["name"] == WHO.name
    assert (await entrance.ask("GET", "/resident/me", token)).json()["code"] == "access.wrong_audience"
    assert (await entrance.ask("POST", "/mini/sign-out", token)).status_code == 204


async def test_a_code_is_good_once_and_for_five_minutes(entrance: Entrance) -> None:
    codes = await tap(entrance)
    assert (await sign_in(entrance, codes)).status_code == 200
    late = await tap(entrance)
    entrance.clock.advance(timedelta(minutes=5))
    for refused in (await sign_in(entrance, codes), await sign_in(entrance, late)):
        assert (refused.status_code, refused.json()["code"]) == (422, "miniapp.code_refused")


async def test_what_the_platform_refuses_is_told_apart(entrance: Entrance) -> None:
    blocked = await sign_in(entrance, await tap(entrance, behave="blocked"))
    assert (blocked.status_code, blocked.json()["code"]) == (422, "miniapp.user_blocked")
    busy = await sign_in(entrance, await tap(entrance, behave="busy"))
    assert (busy.status_code, busy.json()["code"]) == (503, "miniapp.platform_busy")
    assert int(busy.headers["Retry-After"]) > 0


async def test_the_platforms_token_is_renewed_when_it_ends(entrance: Entrance) -> None:
    for who in (WHO, OTHER):
        assert (await sign_in(entrance, await tap(entrance, who.phone))).status_code == 200
        entrance.clock.advance(timedelta(hours=3))


async def test_a_closed_account_is_unlinked(entrance: Entrance) -> None:
    mini = (await sign_in(entrance, await tap(entrance))).json()
    resident = await entrance.sign_in(str(WHO.phone))
    assert (await entrance.ask("DELETE", "/resident/account", resident["access_token"])).status_code == 204
    await entrance.refresh()
    assert (await entrance.ask("GET", "/mini/me", mini["access_token"])).status_code == 401
    assert (await sign_in(entrance, await tap(entrance), with_phone=False)).status_code == 409


class Platform:
    """A platform that answers whatever a test wants."""

    def __init__(self) -> None:
        self.session: Any = {"openid": "o1", "session_key": "k"}
        self.phones: list[Any] = []
        self.tokens = 0
        self.forced: list[bool] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/sns/jscode2session", self._sign_in),
                web.post("/cgi-bin/stable_token", self._token),
                web.post("/wxa/business/getuserphonenumber", self._phone),
            ]
        )
        return app

    async def _sign_in(self, request: web.Request) -> web.Response:
        assert request.query["appid"] == DEMO_APP_ID
        if isinstance(self.session, bytes):
            return web.Response(body=self.session)
        return web.json_response(self.session, content_type="text/plain")

    async def _token(self, request: web.Request) -> web.Response:
        await asyncio.sleep(0.02)
        self.tokens += 1
        self.forced.append((await request.json())["force_refresh"])
        return web.json_response({"access_token": f"t{self.tokens}", "expires_in": 7200})

    async def _phone(self, _: web.Request) -> web.Response:
        answer = self.phones.pop(0)
        if isinstance(answer, str):
            answer = {"errcode": 0, "phone_info": {"purePhoneNumber": answer, "countryCode": "86"}}
        return web.json_response(answer)


@pytest.fixture
async def platform() -> Platform:
    return Platform()


@pytest.fixture
async def beside(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock, platform: Platform
) -> AsyncIterator[Entrance]:
    async with (
        served(platform.app()) as url,
        an_entrance(db, redis, keys, clock, outside_url=url) as opened,
    ):
        yield opened


CODES = {"js_code": "a", "phone_code": "b"}


async def test_a_token_the_platform_forgot_is_asked_for_anew_once(beside: Entrance, platform: Platform) -> None:
    platform.phones = [{"errcode": 40001}, "13490000001"]
    assert (await sign_in(beside, CODES)).status_code == 200
    assert platform.forced == [False, True]


async def test_many_sign_ins_ask_for_one_platform_token(beside: Entrance, platform: Platform) -> None:
    platform.phones = ["13490000001"] * 5
    answers = await asyncio.gather(*(sign_in(beside, CODES) for _ in range(5)))
    assert {one.status_code for one in answers} == {200}
    assert platform.tokens == 1


@pytest.mark.parametrize(
    ("session", "status"),
    [
        (b"<html>", 502),
        (b'{"openid": "' + b"x" * 50_000 + b'"}', 502),
        ({"errcode": 40125}, 502),
        ({"errcode": 99_999}, 502),
        ({"openid": ""}, 502),
        ({"openid": 7}, 502),
        ({"errcode": 45011}, 503),
    ],
)
async def test_a_platform_that_goes_wrong_is_refused_and_nobody_is_linked(
    beside: Entrance, platform: Platform, session: Any, status: int
) -> None:
    platform.session = session
    assert (await sign_in(beside, CODES)).status_code == status
    assert await beside.db.fetchval("SELECT count(*) FROM gateway.chat_account") == 0


@pytest.mark.parametrize("phone", ["", "110", "2163231234"])
async def test_a_phone_no_sms_can_reach_links_nobody(beside: Entrance, platform: Platform, phone: str) -> None:
    platform.phones = [phone]
    refused = await sign_in(beside, CODES)
    assert (refused.status_code, refused.json()["code"]) == (422, "miniapp.phone_not_usable")


async def test_a_platform_that_is_not_there_is_said_so(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock
) -> None:
    async with an_entrance(db, redis, keys, clock, outside_url="http://127.0.0.1:1") as entrance:
        assert (await sign_in(entrance, CODES)).json()["code"] == "miniapp.platform_away"
