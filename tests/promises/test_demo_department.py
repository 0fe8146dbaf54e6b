"""A department's own server believes the entrance's token and nothing else, and answers as its contract says."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import jsonschema_rs
import jwt
import pytest
import yaml
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from city import loopback
from city.demo.departments import DEPARTMENT_BY_SLUG
from city.demo.kinds import KIND_BY_SLUG
from city.departments import serving
from city.departments.refusing import Refused
from city.departments.token_checking import KEYS_ASKED_EVERY, TokenChecker, keys_of
from kernel.clock import StoppedClock

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "openapi" / "department-app.yaml").read_text(encoding="utf-8"))
MANIFEST: dict[str, Any] = tomllib.loads(serving.MANIFEST.read_text(encoding="utf-8"))
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: ec.EllipticCurvePrivateKey, key_id: str, **other: str) -> dict[str, Any]:
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id, "use": "sig", "alg": "ES256"} | other


class Entrance:
    """What the department knows of the gateway: an origin that publishes keys, and tokens signed by them."""

    def __init__(self) -> None:
        self.origin = ""
        self.keys = [public_jwk(KEY, "k1")]
        self.asked = 0
        self.is_up = True

    async def jwks(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"keys": self.keys}) if self.is_up else web.Response(status=503)

    def claims(self, now: datetime, **other: Any) -> dict[str, Any]:
        at = int(now.timestamp())
        made = {"iss": self.origin, "aud": "parks", "sub": "pairwise-1", "iat": at, "exp": at + 60, "jti": str(uuid4())}
        return {name: value for name, value in (made | other).items() if value is not ...}


class Department:
    """The parks server, running, as the entrance calls it."""

    def __init__(self, http: aiohttp.ClientSession, entrance: Entrance, clock: StoppedClock) -> None:
        self.http = http
        self.entrance = entrance
        self.clock = clock

    def token(self, *, key: ec.EllipticCurvePrivateKey = KEY, key_id: str = "k1", **claims: Any) -> str:
        return jwt.encode(self.entrance.claims(self.clock.now(), **claims), key, "ES256", headers={"kid": key_id})

    async def call(self, method: str, path: str, token: str | None = None, **more: Any) -> tuple[int, Any, Any]:
        """Status, decoded body, headers; every answer is held against the contract."""
        headers = {"Authorization": f"Bearer {token}", "traceparent": TRACE} | more.pop("headers", {})
        if token == "":
            del headers["Authorization"]
        elif token is None:
            headers["Authorization"] = f"Bearer {self.token()}"
        async with self.http.request(method, path, headers=headers, **more) as answer:
            body = await answer.json(content_type=None)
            keeps_contract(method, path, answer.status, answer.content_type, body)
            return answer.status, body, answer.headers


def keeps_contract(method: str, path: str, status: int, media: str, body: Any) -> None:
    operation = CONTRACT["paths"][path.partition("?")[0]][method.lower()]
    response = operation["responses"].get(str(status), operation["responses"]["default"])
    if "$ref" in response:
        response = CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"][media].get("schema", {}) | {"components": CONTRACT["components"]}
    jsonschema_rs.Draft202012Validator(schema).validate(body)


@pytest.fixture
async def department() -> AsyncIterator[Department]:
    entrance, clock = Entrance(), StoppedClock(NOON)
    gateway = web.Application()
    gateway.add_routes([web.get("/.well-known/jwks.json", entrance.jwks)])
    async with loopback.serving(gateway, 0) as gateway_port:
        entrance.origin = f"http://127.0.0.1:{gateway_port}"
        async with (
            loopback.serving(serving.app_of(entrance.origin, clock), 0) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        ):
            yield Department(http, entrance, clock)


async def test_whoever_the_entrance_vouches_for_is_served(department: Department):
    status, body, headers = await department.call("GET", "/parks")
    assert status == 200
    assert len(body["parks"]) >= 3
    assert headers["traceparent"] == TRACE


async def test_its_health_needs_no_token(department: Department):
    status, body, _ = await department.call("GET", "/suishenban/health", "")
    assert (status, body) == (200, {"status": "ok", "slug": "parks"})
    assert department.entrance.asked == 0


async def test_visits_are_kept_by_person_and_seen_by_nobody_else(department: Department):
    mine, yours = department.token(), department.token(sub="pairwise-2")
    status, visit, _ = await department.call("POST", "/me/visits", mine, json={"park": "cloud-hill-park"})
    assert status == 201
    assert (await department.call("GET", "/me/visits"))[1]["visits"] == [visit]
    assert (await department.call("GET", "/me/visits", yours))[1]["visits"] == []


async def test_a_repeated_visit_is_noted_once(department: Department):
    async def note(park: str, sub: str = "pairwise-1") -> tuple[int, Any, Any]:
        token = department.token(sub=sub)
        return await department.call(
            "POST", "/me/visits", token, json={"park": park}, headers={"Idempotency-Key": "one"}
        )

    first, again = await note("cloud-hill-park"), await note("cloud-hill-park")
    assert first[:2] == again[:2]
    assert len((await department.call("GET", "/me/visits"))[1]["visits"]) == 1
    assert (await note("tingyu-ancient-garden"))[1]["code"] == "parks.key_reused"
    assert (await note("tingyu-ancient-garden", sub="pairwise-2"))[0] == 201


async def test_no_other_header_says_who_is_calling(department: Department):
    await department.call("POST", "/me/visits", json={"park": "cloud-hill-park"})
    headers = {"X-Person-Id": "pairwise-1", "X-Forwarded-User": "pairwise-1", "X-User": "pairwise-1"}
    stranger = department.token(sub="pairwise-2")
    assert (await department.call("GET", "/me/visits", stranger, headers=headers))[1]["visits"] == []
    assert (await department.call("GET", "/me/visits", "", headers=headers))[0] == 401


async def test_a_token_is_good_for_one_request(department: Department):
    token = department.token()
    answers = await asyncio.gather(*(department.call("GET", "/parks", token) for _ in range(20)))
    assert sorted(status for status, _, _ in answers) == [200] + [401] * 19
    assert {body["code"] for status, body, _ in answers if status == 401} == {"parks.token_replayed"}


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "visas"},
        {"aud": ["parks"]},
        {"aud": ["parks", "visas"]},
        {"aud": ...},
        {"iss": "https://elsewhere.example"},
        {"iss": ...},
        {"sub": ...},
        {"sub": ""},
        {"sub": "x" * 129},
        {"jti": ...},
        {"jti": ""},
        {"exp": ...},
        {"iat": ...},
        {"iat": int(NOON.timestamp()) + 60},
        {"exp": int(NOON.timestamp()) + 3600},
        {"exp": 1e12},
    ],
)
async def test_a_token_that_was_not_made_for_this_server_now_is_refused(department: Department, claims):
    status, body, headers = await department.call("GET", "/parks", department.token(**claims))
    assert (status, body["code"]) == (401, "parks.token_invalid")
    assert headers["WWW-Authenticate"].startswith("Bearer")


async def test_an_expired_token_is_refused_as_such(department: Department):
    token = department.token()
    department.clock.advance(timedelta(seconds=64))
    assert (await department.call("GET", "/parks", token))[0] == 200
    late = department.token(exp=int(department.clock.now().timestamp()) - 5)
    assert (await department.call("GET", "/parks", late))[1]["code"] == "parks.token_expired"


def twisted(make: Callable[[dict[str, Any], str], str]) -> Callable[[Department], str]:
    return lambda department: make(department.entrance.claims(NOON), department.token())


def segment(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


TWISTS = {
    "no signature": twisted(lambda claims, token: f"{segment({'alg': 'none', 'kid': 'k1'})}.{segment(claims)}."),
    "HMAC over the public key": twisted(
        lambda claims, token: jwt.encode(claims, "k" * 32, "HS256", headers={"kid": "k1"})
    ),
    "somebody else's key": lambda department: department.token(key=OTHER_KEY),
    "a key nobody announced": lambda department: department.token(key=OTHER_KEY, key_id="k2"),
    "no key named": lambda department: jwt.encode(department.entrance.claims(NOON), KEY, "ES256"),
    "padding": lambda department: department.token() + "==",
    "another spelling of the signature": lambda department: respelt(department.token()),
    "a critical header": lambda department: jwt.encode(
        department.entrance.claims(NOON), KEY, "ES256", headers={"kid": "k1", "crit": ["b64"], "b64": True}
    ),
    "too long": lambda department: department.token(extra="x" * 5000),
    "nothing": lambda department: " ",
    "one part": lambda department: "eyJ",
    "other claims under the signature": lambda department: department.token().replace(
        ".", f".{segment({'aud': 'parks'})}.", 1
    ),
}


def respelt(token: str) -> str:
    """The same bytes, with stray bits in the last character of the signature."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


@pytest.mark.parametrize("twist", TWISTS.values(), ids=TWISTS.keys())
async def test_a_forged_or_twisted_token_is_refused(department: Department, twist):
    status, body, _ = await department.call("GET", "/parks", twist(department))
    assert (status, body["code"]) == (401, "parks.token_invalid")


async def test_other_schemes_of_authorization_are_refused(department: Department):
    for text in ("Basic cGFya3M6cGFya3M=", "Bearer", department.token()):
        status, _, _ = await department.call("GET", "/parks", "", headers={"Authorization": text})
        assert status == 401


async def test_a_new_key_of_the_entrance_is_found_and_a_flood_of_unknown_ones_asks_rarely(department: Department):
    await department.call("GET", "/parks")
    department.entrance.keys.append(public_jwk(OTHER_KEY, "k2"))
    department.clock.advance(KEYS_ASKED_EVERY)
    assert (await department.call("GET", "/parks", department.token(key=OTHER_KEY, key_id="k2")))[0] == 200
    asked = department.entrance.asked
    for number in range(20):
        await department.call("GET", "/parks", department.token(key_id=f"unknown-{number}"))
    assert department.entrance.asked <= asked + 1


async def test_known_keys_serve_while_the_entrance_is_away_but_not_for_ever(department: Department):
    await department.call("GET", "/parks")
    department.entrance.is_up = False
    department.clock.advance(timedelta(minutes=30))
    assert (await department.call("GET", "/parks"))[0] == 200
    department.clock.advance(timedelta(minutes=31))
    status, body, headers = await department.call("GET", "/parks")
    assert (status, body["code"]) == (503, "parks.keys_away")
    assert int(headers["Retry-After"]) > 0
    department.entrance.is_up = True
    department.clock.advance(KEYS_ASKED_EVERY)
    assert (await department.call("GET", "/parks"))[0] == 200


async def test_a_key_that_was_taken_back_is_no_longer_believed(department: Department):
    await department.call("GET", "/parks")
    department.entrance.keys = [public_jwk(OTHER_KEY, "k2")]
    department.clock.advance(timedelta(minutes=5))
    assert (await department.call("GET", "/parks"))[0] == 401


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"park": 1}', b'{"park": "cloud-hill-park", "who": "x"}', b"\xff", b"["]
)
async def test_a_body_that_cannot_be_read_is_refused(department: Department, body):
    assert (await department.call("POST", "/me/visits", data=body))[0] == 400


async def test_what_is_not_there_or_too_large_is_refused_as_a_problem(department: Department):
    assert (await department.call("POST", "/me/visits", json={"park": "atlantis"}))[1]["code"] == "parks.park_unknown"
    status, body, _ = await department.call("POST", "/me/visits", data=b"x" * 20_000)
    assert (status, body["status"]) == (413, 413)
    async with department.http.get("/nowhere") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_it_can_be_slow_within_bounds(department: Department):
    assert (await department.call("GET", "/slow?seconds=0.01"))[1] == {"waited_seconds": 0.01}
    assert (await department.call("GET", "/slow?seconds=soon"))[0] == 400
    assert (await department.call("GET", "/slow?seconds=-1"))[1] == {"waited_seconds": 0.0}


async def test_it_can_fail_in_several_ways(department: Department):
    assert (await department.call("GET", "/fail"))[0] == 500
    headers = {"Authorization": f"Bearer {department.token()}"}
    async with department.http.get("/fail?how=garbage", headers=headers) as answer:
        with pytest.raises(json.JSONDecodeError):
            await answer.json()
    headers = {"Authorization": f"Bearer {department.token()}"}
    async with aiohttp.ClientSession() as fresh:  # on a connection that was used before, aiohttp would try again
        with pytest.raises(aiohttp.ClientError):
            await fresh.get(f"{department.http._base_url}fail?how=hang_up", headers=headers)


async def test_a_malformed_trace_is_not_given_back(department: Department):
    for trace in ("00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x"):
        _, _, headers = await department.call("GET", "/parks", headers={"traceparent": trace})
        assert "traceparent" not in headers


def test_the_manifest_and_the_contract_name_the_same_routes():
    routes = {(route["method"].lower(), route["path"]) for route in MANIFEST["routes"]}
    described = {(method, path) for path, item in CONTRACT["paths"].items() for method in item}
    ours = {("get", "/suishenban/health"), ("post", "/suishenban/register"), ("get", "/suishenban/vehicles/{vehicle}")}
    assert described - routes == ours
    assert routes <= described


def test_the_manifest_names_a_department_and_kinds_of_its_own():
    assert MANIFEST["department"] in DEPARTMENT_BY_SLUG
    assert {KIND_BY_SLUG[slug].department for slug in MANIFEST["issues"]} == {MANIFEST["department"]}


def test_every_reference_of_the_contract_leads_somewhere():
    text = json.dumps(CONTRACT)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        found: Any = CONTRACT
        for name in reference.split("/"):
            found = found[name]
        assert found


@given(st.binary() | st.builds(lambda value: json.dumps(value).encode(), st.recursive(st.none() | st.text(), st.lists)))
def test_a_key_set_that_cannot_be_read_is_no_key_set(text):
    with pytest.raises(ValueError, match="JWK"):
        keys_of(text)


def test_keys_for_other_uses_are_passed_over():
    keys = [
        public_jwk(KEY, "encrypts", use="enc"),
        public_jwk(KEY, "other", alg="ES384"),
        {"kty": "oct", "k": "AAAA", "kid": "secret"},
        {"kty": "EC", "crv": "P-384", "kid": "larger"},
        public_jwk(KEY, "k1"),
    ]
    assert set(keys_of(json.dumps({"keys": keys}).encode())) == {"k1"}


@given(st.text())
async def test_any_text_for_a_token_is_refused_and_never_breaks_the_check(text):
    async def keys() -> bytes:
        return json.dumps({"keys": [public_jwk(KEY, "k1")]}).encode()

    checker = TokenChecker(issuer="https://a", audience="parks", clock=StoppedClock(NOON), fetch_keys=keys)
    with pytest.raises(Refused) as refused:
        await checker.caller(f"Bearer {text}")
    assert refused.value.status == 401


PROGRAM = """
import argparse
from city.departments import serving
parser = argparse.ArgumentParser()
serving.add_arguments(parser)
raise SystemExit(serving.run(parser.parse_args([])))
"""


async def test_as_a_process_it_takes_its_port_and_entrance_from_the_environment_and_stops_at_once(unused_tcp_port: int):
    environ = {
        "PATH": os.defpath,
        "SUISHENBAN_DEMO_DEPARTMENT_PORT": str(unused_tcp_port),
        "SUISHENBAN_PUBLIC_ORIGIN": "http://127.0.0.1:9",
    }
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT / "src", stderr=subprocess.PIPE, env=environ)
    assert process.stderr is not None
    assert b"demo department is open" in await asyncio.to_thread(process.stderr.readline)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as http:
        department = Department(http, Entrance(), StoppedClock(datetime.now(UTC)))
        assert (await department.call("GET", "/suishenban/health", ""))[0] == 200
        assert (await department.call("GET", "/parks"))[1]["code"] == "parks.keys_away"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        log = (await asyncio.to_thread(process.communicate, None, 10))[1]
    assert process.returncode == 0
    assert time.monotonic() - began < 1.5
    assert b"Traceback" not in log
