"""A resident signs in by phone, stays signed in, signs out; nobody learns whose phone is known."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import PHONE, Entrance, an_entrance, owed


@pytest.fixture
async def entrance(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Entrance]:
    async with an_entrance(db, redis, keys, clock, outside_url="") as opened:
        yield opened


async def answer_with(entrance: Entrance, challenge: dict[str, Any], code: str, phone: str = PHONE) -> Any:
    told = {"challenge_id": challenge["challenge_id"], "phone": phone, "code": code}
    return await entrance.ask("POST", "/resident/sign-in", json=told)


async def refresh(entrance: Entrance, token: str, at: str = "resident") -> Any:
    return await entrance.ask("POST", f"/{at}/sign-in/refresh", json={"refresh_token": token})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_a_resident_signs_in_with_the_code_of_an_sms(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    me = await entrance.ask("GET", "/resident/me", tokens["access_token"])
    assert me.status_code == 200
    assert me.json()["phone_masked"] == "+86*******0001"
    assert me.json()["real_name"] is None


async def test_the_same_phone_is_the_same_account_however_it_is_written(entrance: Entrance) -> None:
    accounts = set()
    for written in (PHONE, "134 9000 0001", "13490000001"):
        tokens = await entrance.sign_in(written)
        accounts.add((await entrance.ask("GET", "/resident/me", tokens["access_token"])).json()["account_id"])
    assert len(accounts) == 1


async def test_two_first_sign_ins_at_once_make_one_account(entrance: Entrance) -> None:
    challenges = [await entrance.challenge(PHONE) for _ in range(4)]
    codes = [await entrance.code_of(one["challenge_id"]) for one in challenges]
    answers = await asyncio.gather(*(answer_with(entrance, c, str(k)) for c, k in zip(challenges, codes, strict=True)))
    assert [one.status_code for one in answers] == [200] * 4
    assert await entrance.db.fetchval("SELECT count(*) FROM gateway.account") == 1


async def test_a_wrong_code_a_wrong_phone_and_a_code_nobody_asked_for_get_one_answer(entrance: Entrance) -> None:
    challenge = await entrance.challenge(PHONE)
    code = await entrance.code_of(challenge["challenge_id"])
    assert code is not None
    answers = [
        await answer_with(entrance, challenge, wrong(code)),
        await answer_with(entrance, challenge, code, phone="+8613490000002"),
        await answer_with(entrance, {"challenge_id": str(uuid4())}, code),
    ]
    assert {one.status_code for one in answers} == {422}
    assert len({one.content for one in answers}) == 1


async def test_five_guesses_spend_a_code_also_when_made_at_once(entrance: Entrance) -> None:
    challenge = await entrance.challenge(PHONE)
    code = await entrance.code_of(challenge["challenge_id"])
    assert code is not None
    answers = await asyncio.gather(*(answer_with(entrance, challenge, wrong(code)) for _ in range(8)))
    assert {one.status_code for one in answers} == {422}
    assert await entrance.db.fetchval("SELECT attempts FROM gateway.challenge") == 5
    assert (await answer_with(entrance, challenge, code)).status_code == 422


async def test_a_code_is_good_once_also_when_used_at_once(entrance: Entrance) -> None:
    challenge = await entrance.challenge(PHONE)
    code = str(await entrance.code_of(challenge["challenge_id"]))
    answers = await asyncio.gather(*(answer_with(entrance, challenge, code) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 422, 422, 422]


async def test_a_code_is_good_for_five_minutes(entrance: Entrance) -> None:
    challenge = await entrance.challenge(PHONE)
    code = str(await entrance.code_of(challenge["challenge_id"]))
    entrance.clock.advance(timedelta(minutes=5))
    assert (await answer_with(entrance, challenge, code)).status_code == 422


async def test_codes_for_one_phone_are_bounded_and_the_answer_says_when_to_come_again(entrance: Entrance) -> None:
    for _ in range(12):
        await entrance.challenge(PHONE)
    refused = await entrance.ask("POST", "/resident/sign-in/codes", json={"phone": PHONE})
    assert refused.status_code == 429
    assert refused.json()["code"] == "residents.too_many_codes"
    assert int(refused.headers["Retry-After"]) > 0
    await entrance.challenge("+8613490000002")
    assert await owed(entrance.db, "sign_in_code") == 13


@pytest.mark.parametrize("phone", ["+8612345678901", "021 6323 1234", "110", "+1", "++8613490000001", "0" * 24])
async def test_what_no_sms_can_reach_is_refused(entrance: Entrance, phone: str) -> None:
    refused = await entrance.ask("POST", "/resident/sign-in/codes", json={"phone": phone})
    assert refused.status_code in (400, 422)
    assert refused.json()["code"] in ("residents.phone_not_valid", "request.malformed")


async def test_a_device_stays_signed_in_by_refreshing(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    for _ in range(3):
        entrance.clock.advance(timedelta(days=20))
        await entrance.refresh()
        answer = await refresh(entrance, tokens["refresh_token"])
        assert answer.status_code == 200
        tokens = answer.json()
    assert (await entrance.ask("GET", "/resident/me", tokens["access_token"])).status_code == 200


async def test_a_refresh_whose_answer_was_lost_can_be_asked_for_again(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    first = (await refresh(entrance, tokens["refresh_token"])).json()
    again = (await refresh(entrance, tokens["refresh_token"])).json()
    assert again["refresh_token"] == first["refresh_token"]
    assert (await refresh(entrance, again["refresh_token"])).status_code == 200


async def test_a_spent_refresh_token_ends_the_session_for_whoever_has_a_copy(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    following = (await refresh(entrance, tokens["refresh_token"])).json()
    latest = (await refresh(entrance, following["refresh_token"])).json()
    assert (await refresh(entrance, tokens["refresh_token"])).json()["code"] == "sessions.over"
    assert (await refresh(entrance, latest["refresh_token"])).status_code == 401
    await entrance.refresh()
    ended = await entrance.ask("GET", "/resident/me", latest["access_token"])
    assert ended.json()["code"] == "access.token_revoked"


async def test_a_lost_answer_is_given_again_for_half_a_minute_only(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    await refresh(entrance, tokens["refresh_token"])
    entrance.clock.advance(timedelta(seconds=31))
    assert (await refresh(entrance, tokens["refresh_token"])).status_code == 401


async def test_a_made_up_refresh_token_ends_nobodys_session(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    real = tokens["refresh_token"]
    for made_up in (real[:60] + "A" * 47, real[:50] + ("A" if real[50] != "A" else "B") + real[51:], "A" * 107):
        assert (await refresh(entrance, made_up)).status_code == 401
    assert (await refresh(entrance, real)).status_code == 200


async def test_a_refresh_token_is_good_at_its_own_entrance_only(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    for other in ("mini", "department", "operator"):
        assert (await refresh(entrance, tokens["refresh_token"], at=other)).status_code == 401
    assert (await refresh(entrance, tokens["refresh_token"])).status_code == 200


async def test_signing_out_ends_the_access_token_too(entrance: Entrance) -> None:
    tokens, other = await entrance.sign_in(), await entrance.sign_in()
    assert (await entrance.ask("POST", "/resident/sign-out", tokens["access_token"])).status_code == 204
    await entrance.refresh()
    assert (await entrance.ask("GET", "/resident/me", tokens["access_token"])).status_code == 401
    assert (await refresh(entrance, tokens["refresh_token"])).status_code == 401
    assert (await entrance.ask("GET", "/resident/me", other["access_token"])).status_code == 200


async def test_a_device_can_be_signed_out_from_another(entrance: Entrance) -> None:
    lost = await entrance.sign_in()
    entrance.clock.advance(timedelta(seconds=1))
    here = await entrance.sign_in()
    listed = (await entrance.ask("GET", "/resident/sessions", here["access_token"])).json()["sessions"]
    assert [one["is_this"] for one in listed] == [True, False]
    gone = await entrance.ask("DELETE", f"/resident/sessions/{listed[1]['session_id']}", here["access_token"])
    assert gone.status_code == 204
    assert (await refresh(entrance, lost["refresh_token"])).status_code == 401
    stranger = await entrance.sign_in("+8613490000002")
    await entrance.ask("DELETE", f"/resident/sessions/{listed[0]['session_id']}", stranger["access_token"])
    assert (await refresh(entrance, here["refresh_token"])).status_code == 200


async def test_the_oldest_device_gives_way_when_there_are_too_many(entrance: Entrance) -> None:
    first = await entrance.sign_in()
    for _ in range(20):
        entrance.clock.advance(timedelta(minutes=50))
        last = await entrance.sign_in()
    assert (await refresh(entrance, first["refresh_token"])).status_code == 401
    listed = (await entrance.ask("GET", "/resident/sessions", last["access_token"])).json()["sessions"]
    assert len(listed) == 20


async def test_no_phone_code_or_token_lies_in_the_database_in_clear(entrance: Entrance) -> None:
    tokens = await entrance.sign_in()
    for table in ("account", "phone_account", "challenge", "session", "ended_session"):
        for row in await entrance.db.fetch(f"SELECT to_jsonb(t)::text AS whole FROM gateway.{table} AS t"):
            for secret in ("13490000001", tokens["refresh_token"], tokens["access_token"]):
                assert secret not in row["whole"]
                assert secret.encode().hex() not in row["whole"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/resident/sign-in/codes", {"phone": "1349\x000000001"}),
        ("/resident/sign-in/codes", {"phone": PHONE, "language": "fr"}),
        ("/resident/sign-in/codes", {"phone": PHONE, "more": 1}),
        ("/resident/sign-in/codes", {"phone": ["x"]}),
        ("/resident/sign-in/codes", []),
        ("/resident/sign-in", {"challenge_id": "x", "phone": PHONE, "code": "123456"}),
        ("/resident/sign-in", {"challenge_id": str(uuid4()), "phone": PHONE, "code": "12345６"}),
        ("/resident/sign-in", {"challenge_id": str(uuid4()), "phone": PHONE, "code": "123456", "device": "a\x00b"}),
        ("/resident/sign-in/refresh", {"refresh_token": "x" * 106}),
        ("/resident/sign-in/refresh", {"refresh_token": "x" * 106 + "="}),
    ],
)
async def test_malformed_requests_are_refused_and_say_so(entrance: Entrance, path: str, body: Any) -> None:
    refused = await entrance.ask("POST", path, json=body)
    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "request.malformed"
