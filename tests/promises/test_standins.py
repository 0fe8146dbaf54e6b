"""The stand-ins for the outside world speak the real wire format, over real sockets, and say what they are."""

import argparse
import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from city import loopback
from city.demo.people import CAST, PERSON_BY_KEY
from city.standins import serving
from city.standins.demo_secrets import DEMO_APP_ID, DEMO_APP_SECRET
from kernel.clock import StoppedClock

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
RESIDENT = PERSON_BY_KEY[CAST["resident"]]
PHONE = str(RESIDENT.phone)


class Outside(NamedTuple):
    """The stand-ins, running, and the clock they go by."""

    http: aiohttp.ClientSession
    clock: StoppedClock

    async def tap(self, phone: str = PHONE, **more: str) -> dict[str, Any]:
        """Somebody taps "sign in" in the chat app."""
        async with self.http.post("/demo/js-codes", json={"phone": phone, **more}) as answer:
            assert answer.status == 201
            return await answer.json()

    async def session(self, js_code: str, /, **other: str) -> dict[str, Any]:
        """code2Session, as the entrance asks it. An error too comes with HTTP 200, labelled text/plain."""
        asked = {
            "appid": DEMO_APP_ID,
            "secret": DEMO_APP_SECRET,
            "js_code": js_code,
            "grant_type": "authorization_code",
        }
        async with self.http.get("/sns/jscode2session", params=asked | other) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/plain"
            assert answer.headers["Suishenban-Stand-In"] == "chat-platform"
            return await answer.json(content_type=None)

    async def token(self, **other: Any) -> dict[str, Any]:
        asked = {"grant_type": "client_credential", "appid": DEMO_APP_ID, "secret": DEMO_APP_SECRET}
        async with self.http.post("/cgi-bin/stable_token", json=asked | other) as answer:
            assert answer.status == 200
            return await answer.json()

    async def phone(self, token: str, code: str) -> dict[str, Any]:
        params = {"access_token": token}
        async with self.http.post("/wxa/business/getuserphonenumber", params=params, json={"code": code}) as answer:
            assert answer.status == 200
            return await answer.json()

    async def real_name(self, name: str, id_number: str, phone: str) -> dict[str, Any]:
        asked = {"name": name, "id_number": id_number, "phone": phone}
        async with self.http.post("/real-name", json=asked) as answer:
            assert answer.status == 200
            assert answer.headers["Suishenban-Stand-In"] == "population-registry"
            return await answer.json()


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    clock = StoppedClock(NOON)
    async with (
        loopback.serving(serving.app_of(clock), 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        yield Outside(http, clock)


async def test_a_code_from_the_phone_says_who_it_is_and_the_same_person_every_time(outside: Outside):
    first = await outside.session((await outside.tap())["js_code"])
    again = await outside.session((await outside.tap())["js_code"])
    other = await outside.session((await outside.tap("+8613490000004"))["js_code"])
    assert set(first) == {"openid", "session_key", "unionid"}
    assert len(first["openid"]) == 28
    assert first["openid"].startswith("o")
    assert (first["openid"], first["unionid"]) == (again["openid"], again["unionid"])
    assert first["session_key"] != again["session_key"]
    assert other["openid"] != first["openid"]
    assert first["openid"] != first["unionid"]


async def test_a_code_is_good_once(outside: Outside):
    tapped = await outside.tap()
    assert "openid" in await outside.session(tapped["js_code"])
    assert (await outside.session(tapped["js_code"]))["errcode"] == 40163


async def test_of_many_who_use_one_code_at_once_one_succeeds(outside: Outside):
    js_code = (await outside.tap())["js_code"]
    answers = await asyncio.gather(*(outside.session(js_code) for _ in range(20)))
    assert sum("openid" in answer for answer in answers) == 1


async def test_a_code_is_good_for_five_minutes(outside: Outside):
    tapped = await outside.tap()
    assert tapped["expires_in"] == 300
    outside.clock.advance(timedelta(minutes=5))
    assert (await outside.session(tapped["js_code"]))["errcode"] == 40029


@pytest.mark.parametrize(
    "other, errcode, words",
    [
        ({"js_code": "nobody-was-given-this"}, 40029, "invalid code"),
        ({"js_code": ""}, 41008, "missing code"),
        ({"appid": "wx0000000000000000"}, 40013, "invalid appid"),
        ({"appid": ""}, 41002, "appid missing"),
        ({"secret": "guessed"}, 40125, "invalid appsecret"),
        ({"grant_type": "password"}, 40002, "invalid grant_type"),
    ],
)
async def test_what_is_wrong_is_told_by_number_and_words(outside: Outside, other, errcode, words):
    answer = await outside.session((await outside.tap())["js_code"], **other)
    assert answer["errcode"] == errcode
    assert answer["errmsg"].startswith(f"{words}, rid: ")


async def test_a_refused_app_does_not_use_the_code_up(outside: Outside):
    js_code = (await outside.tap())["js_code"]
    await outside.session(js_code, secret="guessed")
    assert "openid" in await outside.session(js_code)


@pytest.mark.parametrize("behave, errcode", [("blocked", 40226), ("busy", -1)])
async def test_the_platform_can_be_made_to_refuse(outside: Outside, behave, errcode):
    assert (await outside.session((await outside.tap(behave=behave))["js_code"]))["errcode"] == errcode


async def test_the_phone_behind_a_code_is_told_once_to_who_holds_the_token(outside: Outside):
    token = (await outside.token())["access_token"]
    code = (await outside.tap())["phone_code"]
    answer = await outside.phone(token, code)
    national = PHONE.removeprefix("+86")
    assert answer == {
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": national,
            "purePhoneNumber": national,
            "countryCode": "86",
            "watermark": {"timestamp": int(NOON.timestamp()), "appid": DEMO_APP_ID},
        },
    }
    assert (await outside.phone(token, code))["errcode"] == 40163
    assert (await outside.phone("forged", code))["errcode"] == 40001
    assert (await outside.phone("", code))["errcode"] == 41001


async def test_a_sign_in_code_is_no_phone_code_and_the_reverse(outside: Outside):
    token, tapped = (await outside.token())["access_token"], await outside.tap()
    assert (await outside.phone(token, tapped["js_code"]))["errcode"] == 40029
    assert (await outside.session(tapped["phone_code"]))["errcode"] == 40029


async def test_a_stable_token_stays_until_five_minutes_before_its_end(outside: Outside):
    first = await outside.token()
    assert first["expires_in"] == 7200
    outside.clock.advance(timedelta(minutes=100))
    assert await outside.token() == {"access_token": first["access_token"], "expires_in": 1200}
    outside.clock.advance(timedelta(minutes=16))
    renewed = await outside.token()
    assert renewed["access_token"] != first["access_token"]
    for token in (first, renewed):
        assert (await outside.phone(token["access_token"], (await outside.tap())["phone_code"]))["errcode"] == 0
    outside.clock.advance(timedelta(minutes=4))
    assert (await outside.phone(first["access_token"], "any"))["errcode"] == 42001


async def test_a_forced_refresh_ends_the_token_before_but_not_twice_in_thirty_seconds(outside: Outside):
    first = await outside.token()
    assert await outside.token(force_refresh=True) == first
    outside.clock.advance(timedelta(seconds=30))
    forced = await outside.token(force_refresh=True)
    assert forced["access_token"] != first["access_token"]
    assert (await outside.phone(first["access_token"], "any"))["errcode"] == 40001


@pytest.mark.parametrize(
    "other, errcode",
    [({"grant_type": "x"}, 40002), ({"appid": "x"}, 40013), ({"secret": "x"}, 40125), ({"secret": 1}, 47001)],
)
async def test_no_token_for_who_cannot_prove_the_app(outside: Outside, other, errcode):
    assert (await outside.token(**other))["errcode"] == errcode


@pytest.mark.parametrize("phone", ["+8613800138000", "13490000003", "+861349000000a", "", "+86134900000031"])
async def test_only_phones_of_the_demo_city_can_be_played(outside: Outside, phone):
    async with outside.http.post("/demo/js-codes", json={"phone": phone}) as answer:
        assert answer.status == 400
        assert answer.content_type == "application/problem+json"


async def test_the_registry_says_yes_only_when_all_three_belong_together(outside: Outside):
    name, number = RESIDENT.name, RESIDENT.id_number
    yes = await outside.real_name(name, number, PHONE)
    assert yes["match"] is True
    assert yes["serial"]
    assert (await outside.real_name(name, number.lower(), PHONE.removeprefix("+86")))["match"] is True
    other = PERSON_BY_KEY[CAST["elder"]]
    for wrong in [(other.name, number, PHONE), (name, other.id_number, PHONE), (name, number, str(other.phone))]:
        no = await outside.real_name(*wrong)
        assert no["match"] is False
        assert set(no) == set(yes)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b'{"name": 1}', b"\xff", b'{"name": null, "id_number": 1, "phone": {}}']
)
async def test_what_cannot_be_read_is_refused_and_never_breaks_them(outside: Outside, body):
    for path in ("/real-name", "/demo/js-codes"):
        async with outside.http.post(path, data=body) as answer:
            assert answer.status == 400
    token = (await outside.token())["access_token"]
    for path in ("/cgi-bin/stable_token", f"/wxa/business/getuserphonenumber?access_token={token}"):
        async with outside.http.post(path, data=body) as answer:
            assert answer.status == 200
            assert (await answer.json())["errcode"] in (40002, 40097, 47001)


async def test_they_name_themselves_when_asked_how_they_are(outside: Outside):
    async with outside.http.get("/health/live") as answer:
        assert (await answer.json())["stand_ins"] == ["chat-platform", "population-registry"]


def test_a_port_that_is_none_is_refused_in_words(capsys: pytest.CaptureFixture[str]):
    parser = argparse.ArgumentParser()
    serving.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--port", "http"])
    assert "'http' is not a port" in capsys.readouterr().err


PROGRAM = """
import argparse
from city.standins import serving
parser = argparse.ArgumentParser()
serving.add_arguments(parser)
raise SystemExit(serving.run(parser.parse_args()))
"""


def started(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--port", str(port)],
        cwd=ROOT / "src",
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin"},
    )


async def test_as_a_process_they_announce_themselves_log_nothing_personal_and_stop_at_once(unused_tcp_port: int):
    process = await asyncio.to_thread(started, unused_tcp_port)
    assert process.stderr is not None
    said = [await asyncio.to_thread(process.stderr.readline) for _ in range(2)]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as http:
        outside = Outside(http, StoppedClock(NOON))
        tapped = await outside.tap()
        await outside.session(tapped["js_code"])
        await outside.session("a-code-that-is-wrong", secret="a-secret-that-is-wrong")
        await outside.real_name(RESIDENT.name, RESIDENT.id_number, PHONE)
        second = await asyncio.to_thread(started, unused_tcp_port)
        complaint = (await asyncio.to_thread(second.communicate, None, 10))[1]
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest = (await asyncio.to_thread(process.communicate, None, 10))[1]
    assert process.returncode == 0
    assert time.monotonic() - began < 1.5
    assert second.returncode == 1
    assert b"choose another with --port" in complaint
    assert b"Traceback" not in complaint
    log = b"".join(said) + rest
    assert b"chat-platform" in log
    assert b"population-registry" in log
    private = [RESIDENT.name, RESIDENT.id_number, PHONE[3:], tapped["js_code"], DEMO_APP_SECRET, "that-is-wrong"]
    assert not any(text.encode() in log for text in private)
