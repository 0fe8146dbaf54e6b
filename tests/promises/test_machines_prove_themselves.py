"""Devices of venues and systems of departments get tokens for assertions signed with their own keys, each good once."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import tokens
from gateway.clients import proving
from gateway.departments import onboarding
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DeviceId, VenueId
from kernel.principal import DepartmentSystem, VenueDevice
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import (
    ORIGIN,
    Entrance,
    a_department,
    a_key,
    a_token_request,
    an_assertion,
    an_entrance,
)

ENDPOINT = f"{ORIGIN}/venue/token"
CLIENT = "device:gate-1"


class Device:
    def __init__(self, entrance: Entrance, key: ec.EllipticCurvePrivateKey) -> None:
        self.entrance = entrance
        self.key = key

    def assertion(self, audience: str = ENDPOINT, **claims: Any) -> str:
        return an_assertion(self.key, CLIENT, audience, self.entrance.clock.now(), **claims)

    async def ask(self, assertion: str | None = None, *, at: str = "venue", **others: str) -> Any:
        form = a_token_request(self.assertion() if assertion is None else assertion, **others)
        return await self.entrance.ask("POST", f"/{at}/token", data=form)


@pytest.fixture
async def device(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Device]:
    async with an_entrance(db, redis, keys, clock, outside_url="") as entrance:
        private, public = a_key()
        async with db.transaction() as conn:
            await proving.put_device(conn, clock, CLIENT, DeviceId(uuid4()), VenueId(uuid4()), [public])
        yield Device(entrance, private)


def claims_in(device: Device, token: str) -> dict[str, Any]:
    return device.entrance.signing_keys.claims_of("access", token, audience=None, issuer=ORIGIN)


async def test_a_device_gets_a_token_for_ten_minutes(device: Device) -> None:
    answer = await device.ask()
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
    assert answer.headers["Cache-Control"] == "no-store"
    claims = claims_in(device, answer.json()["access_token"])
    assert claims["cid"] == CLIENT
    assert isinstance(tokens.principal_of(claims), VenueDevice)


async def test_the_origin_is_as_good_an_audience_as_the_endpoint(device: Device) -> None:
    assert (await device.ask(device.assertion(audience=ORIGIN))).status_code == 200


async def test_a_departments_system_gets_a_token_of_its_own(device: Device) -> None:
    private, public = a_key()
    department_id = await a_department(device.entrance.db, "health")
    async with device.entrance.db.transaction() as conn:
        await proving.put_department_system(conn, device.entrance.clock, "department:health", department_id, [public])
    now = device.entrance.clock.now()
    assertion = an_assertion(private, "department:health", f"{ORIGIN}/department/token", now)
    answer = await device.ask(assertion, at="department")
    principal = tokens.principal_of(claims_in(device, answer.json()["access_token"]))
    assert principal == DepartmentSystem(department_id, "health", "公园")


async def test_a_departments_token_says_the_name_it_is_registered_under_now(device: Device) -> None:
    private, public = a_key()
    db, clock = device.entrance.db, device.entrance.clock
    department_id = await a_department(db, "health")
    async with db.transaction() as conn:
        await proving.put_department_system(conn, clock, "department:health", department_id, [public])
    seen = []
    for name_zh in ("卫生局", "卫生健康委员会"):
        async with db.transaction() as conn:
            await onboarding.put_department(conn, department_id, slug="health", name_zh=name_zh, name_en="Health")
        assertion = an_assertion(private, "department:health", f"{ORIGIN}/department/token", clock.now())
        answer = await device.ask(assertion, at="department")
        principal = tokens.principal_of(claims_in(device, answer.json()["access_token"]))
        assert isinstance(principal, DepartmentSystem)
        seen.append(principal.name)
    assert seen == ["卫生局", "卫生健康委员会"]


async def test_an_assertion_is_good_once_also_when_sent_twice_at_once(device: Device) -> None:
    assertion = device.assertion()
    answers = await asyncio.gather(*(device.ask(assertion) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 401, 401, 401]


async def test_another_signature_of_the_same_numbers_is_no_second_use(device: Device) -> None:
    assertion = device.assertion()
    head, body, signature = assertion.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert (await device.ask(assertion)).status_code == 200
    again = ".".join((head, body, base64.urlsafe_b64encode(twin).rstrip(b"=").decode()))
    assert (await device.ask(again)).json()["error"] == "invalid_client"


def _respelt(assertion: str) -> list[str]:
    last = assertion[-1]
    stray = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = stray[stray.index(last) ^ 1]
    return [assertion + "==", assertion[:-1] + other, assertion + " ", "\n" + assertion]


async def test_an_assertion_has_one_spelling(device: Device) -> None:
    for respelt in _respelt(device.assertion()):
        assert (await device.ask(respelt)).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "http://elsewhere.example/venue/token"},
        {"aud": f"{ORIGIN}/department/token"},
        {"aud": [ENDPOINT, "http://elsewhere.example"]},
        {"aud": None},
        {"sub": "device:gate-2"},
        {"iss": "device:gate-2"},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 129},
        {"jti": 7},
        {"exp": None},
        {"exp": 1_000_000},
        {"exp": 2**50},
        {"exp": "soon"},
        {"exp": True},
        {"nbf": 2_000_000_000},
        {"iat": 2_000_000_000},
    ],
)
async def test_an_assertion_that_says_anything_else_proves_nothing(device: Device, claims: dict[str, Any]) -> None:
    refused = await device.ask(device.assertion(**claims))
    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"
    assert refused.json()["code"] == "clients.invalid_client"


async def test_an_assertion_lives_five_minutes_at_most(device: Device) -> None:
    now = int(device.entrance.clock.now().timestamp())
    assert (await device.ask(device.assertion(exp=now + 300))).status_code == 200
    assert (await device.ask(device.assertion(exp=now + 331))).status_code == 401
    assertion = device.assertion(exp=now + 60)
    device.entrance.clock.advance(timedelta(seconds=91))
    assert (await device.ask(assertion)).status_code == 401


async def test_nobody_elses_key_and_no_other_algorithm_proves_a_device(device: Device) -> None:
    other, _ = a_key()
    said = {
        "iss": CLIENT,
        "sub": CLIENT,
        "aud": ENDPOINT,
        "jti": "1",
        "exp": int(device.entrance.clock.now().timestamp()) + 60,
    }
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    forged = [
        an_assertion(other, CLIENT, ENDPOINT, device.entrance.clock.now()),
        jwt.encode(said, "a secret of more than thirty-two bytes", "HS256"),
        f"{unsigned}.{body}.",
        f"{unsigned}.{body}.{'A' * 86}",
        jwt.encode(said, device.key, "ES256", headers={"crit": ["b64"], "b64": False}),
    ]
    for assertion in forged:
        assert (await device.ask(assertion)).status_code == 401


async def test_an_unknown_client_is_refused_in_the_words_for_a_wrong_key(device: Device) -> None:
    other, _ = a_key()
    now = device.entrance.clock.now()
    wrong_key = await device.ask(an_assertion(other, CLIENT, ENDPOINT, now))
    unknown = await device.ask(an_assertion(other, "device:nobody", ENDPOINT, now))
    assert wrong_key.content == unknown.content


async def test_a_device_is_nobody_at_the_departments_entrance(device: Device) -> None:
    assertion = device.assertion(audience=f"{ORIGIN}/department/token")
    assert (await device.ask(assertion, at="department")).status_code == 401


async def test_a_lost_devices_tokens_end_at_once(device: Device) -> None:
    token = (await device.ask()).json()["access_token"]
    assert await device.entrance.clients.disable(CLIENT, actor="operator:test")
    assert not await device.entrance.clients.disable(CLIENT, actor="operator:test")
    await device.entrance.refresh()
    assert tokens.session_of(claims_in(device, token)) in device.entrance.residents.sessions.ended.current
    assert (await device.ask()).status_code == 401


async def test_a_client_changes_its_key_without_a_gap(device: Device) -> None:
    following, public = a_key()
    async with device.entrance.db.transaction() as conn:
        row = await conn.fetchrow("SELECT subject_id, venue_id, public_keys FROM gateway.client")
        assert row is not None
        both = [*json.loads(row["public_keys"]), {"kty": "EC", "crv": "P-256", "x": public.x, "y": public.y}]
        await conn.execute("UPDATE gateway.client SET public_keys = $1", json.dumps(both))
    assert (await device.ask()).status_code == 200
    device.key = following
    assert (await device.ask()).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"client_assertion_type": "saml"}, "invalid_request"),
        ({"client_id": "device:gate-2"}, "invalid_client"),
        ({"client_assertion": ""}, "invalid_client"),
        ({"client_assertion": "x" * 5_000}, "invalid_request"),
    ],
)
async def test_what_is_wrong_is_said_in_the_words_of_oauth(device: Device, form: dict[str, str], error: str) -> None:
    refused = await device.ask(**form)
    assert refused.status_code in (400, 401)
    assert refused.json()["error"] == error


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "how", [{"data": {}}, {"json": {"grant_type": "x"}}, {"content": b"\xff\xfe=%zz&&&", "headers": FORM}]
)
async def test_a_body_that_is_no_form_is_refused_in_the_words_of_oauth(device: Device, how: dict[str, Any]) -> None:
    refused = await device.entrance.ask("POST", "/venue/token", **how)
    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_request"
