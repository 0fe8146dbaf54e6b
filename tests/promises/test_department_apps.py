"""A department's own app is reached through the entrance and learns only who somebody is to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import jwt
import msgspec
import pytest
from jwt.algorithms import ECAlgorithm

from city.demo.people import PEOPLE
from city.departments import serving as demo_departments
from city.departments.parks import Parks
from city.departments.token_checking import TokenChecker
from gateway.departments import onboarding
from gateway.departments.errors import DepartmentUnknown, ServerNotReady, SlugTaken
from gateway.staff.model import StaffRole
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import (
    ORIGIN,
    Entrance,
    a_department,
    a_live_app,
    a_manifest,
    a_staff_member,
    an_entrance,
    served,
)
from tests.fakes import DepartmentServer

WHO, OTHER = [one for one in PEOPLE if one.phone][:2]
ROUTES = (
    ("GET", "/parks", 'needs = "phone"'),
    ("GET", "/me/visits", ""),
    ("POST", "/me/visits", "body_bytes_max = 100"),
    ("PUT", "/me/visits/{visit_id}", 'audience = ["resident"]'),
    ("GET", "/fail/{how}", ""),
)


@pytest.fixture
async def department() -> DepartmentServer:
    return DepartmentServer()


@pytest.fixture
async def entrance(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock, department: DepartmentServer
) -> AsyncIterator[Entrance]:
    async with served(department.app()) as home, an_entrance(db, redis, keys, clock) as opened:
        await a_department(db)
        await a_live_app(opened, home, *ROUTES)
        yield opened


@pytest.fixture
async def token(entrance: Entrance) -> str:
    return str((await entrance.a_citizen(WHO))["access_token"])


async def ask(entrance: Entrance, token: str, path: str, method: str = "GET", **how: Any) -> Any:
    return await entrance.ask(method, f"/resident/apps/parks{path}", token, **how)


def told_to(department: DepartmentServer, entrance: Entrance, at: int = -1) -> dict[str, Any]:
    """What the token said that the department was called with."""
    keys = {key["kid"]: ECAlgorithm.from_jwk(key) for key in entrance.signing_keys.jwks("department")["keys"]}
    text = department.seen[at].headers["Authorization"].removeprefix("Bearer ")
    key: Any = keys[jwt.get_unverified_header(text)["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(text, key, ["ES256"], audience="parks", options=options)
    return claims


async def test_residents_see_the_apps_that_are_live(entrance: Entrance, token: str) -> None:
    listed = await entrance.ask("GET", "/resident/apps", token)
    assert [one["slug"] for one in listed.json()["apps"]] == ["parks"]
    same = await entrance.ask("GET", "/resident/apps", token, headers={"If-None-Match": listed.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    detail = (await entrance.ask("GET", "/resident/apps/parks", token)).json()
    assert len(detail["routes"]) == len(ROUTES)
    mini = await entrance.ask("GET", "/mini/apps", token)
    assert mini.json()["code"] == "access.wrong_audience"


async def test_a_call_carries_a_token_made_for_the_department_and_never_the_residents_own(
    entrance: Entrance, department: DepartmentServer, token: str
) -> None:
    answer = await ask(
        entrance, token, "/me/visits?from=2026&x=%2F", headers={"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4"}
    )
    assert answer.status_code == 200
    assert answer.json()["path"] == "/me/visits?from=2026&x=%2F"
    request = department.seen[-1]
    assert token not in str(request.headers)
    assert "Cookie" not in request.headers
    assert "X-Forwarded-For" not in request.headers
    claims = told_to(department, entrance)
    assert claims["exp"] - claims["iat"] <= 60
    assert claims["iss"] == "http://entrance.example"
    assert claims["assurance"] == "real_name"
    assert request.headers["traceparent"].startswith("00-")
    me = (await entrance.ask("GET", "/resident/me", token)).json()
    assert me["account_id"] not in str(claims)
    assert me["real_name"]["person_id"] not in str(claims)


async def test_a_department_knows_a_person_again_and_no_two_departments_can_compare(
    entrance: Entrance, department: DepartmentServer, token: str, db: Database
) -> None:
    again = str((await entrance.sign_in(str(WHO.phone)))["access_token"])
    other = str((await entrance.a_citizen(OTHER))["access_token"])
    for one in (token, again, other):
        await ask(entrance, one, "/parks")
    subjects = [told_to(department, entrance, at)["sub"] for at in range(3)]
    assert subjects[0] == subjects[1] != subjects[2]
    jtis = {told_to(department, entrance, at)["jti"] for at in range(3)}
    assert len(jtis) == 3


async def test_headers_that_speak_for_our_origin_do_not_come_back(entrance: Entrance, token: str) -> None:
    answer = await ask(entrance, token, "/parks")
    assert answer.headers["ETag"] == '"1"'
    for name in ("Set-Cookie", "X-Theirs", "Access-Control-Allow-Origin"):
        assert name not in answer.headers
    page = await ask(entrance, token, "/fail/page")
    assert page.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert page.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_body_is_passed_on_within_its_bound(
    entrance: Entrance, department: DepartmentServer, token: str
) -> None:
    sent = await ask(entrance, token, "/me/visits", "POST", json={"park": "x"}, headers={"Idempotency-Key": "k1"})
    assert sent.status_code == 200
    assert json.loads(department.bodies[-1]) == {"park": "x"}
    assert department.seen[-1].headers["Idempotency-Key"] == "k1"
    too_long = await ask(entrance, token, "/me/visits", "POST", content=b"x" * 101, headers={"Content-Type": "a/b"})
    assert (too_long.status_code, too_long.json()["code"]) == (413, "request.body_too_large")

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 50

    chunked = await ask(entrance, token, "/me/visits", "POST", content=unannounced(), headers={"Content-Type": "a/b"})
    assert chunked.status_code == 413
    assert len(department.bodies) == 1


async def test_only_what_the_manifest_declares_is_passed_on(
    entrance: Entrance, department: DepartmentServer, token: str
) -> None:
    undeclared = await ask(entrance, token, "/admin")
    assert (undeclared.status_code, undeclared.json()["code"]) == (404, "departments.route_unknown")
    wrong_method = await ask(entrance, token, "/parks", "DELETE")
    assert (wrong_method.status_code, wrong_method.json()["allowed"]) == (405, ["GET"])
    assert (await entrance.ask("GET", "/resident/apps/nowhere/parks", token)).json()[
        "code"
    ] == "departments.app_unknown"
    assert department.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e/suishenban/health",
        "/..%2fsuishenban/health",
        "/me%2fvisits",
        "/me/visits/..",
        "/me/visits/%2e%2e",
        "/me/visits/%252e%252e",
        "/me/visits/a%5cb",
        "/me/visits/a%00b",
        "/me/visits/%ff",
        "/me//visits",
        "//elsewhere.example/parks",
        "/parks/",
        "/http:%2f%2felsewhere.example",
        "/fail/" + "x" * 201,
    ],
)
async def test_a_path_in_disguise_reaches_nobody(
    entrance: Entrance, department: DepartmentServer, token: str, path: str
) -> None:
    for method in ("GET", "PUT"):
        answer = await raw(entrance, method, f"/resident/apps/parks{path}", token)
        assert answer == 404, (method, path)
    assert department.seen == []


async def raw(entrance: Entrance, method: str, path: str, token: str, query: bytes = b"") -> int:
    """Ask with exactly these bytes, which a client library would tidy up; the status."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path, errors="replace"), "raw_path": path.encode(), "query_string": query, "root_path": "",
        "headers": [(b"host", b"entrance.example"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1), "server": ("entrance.example", 80), "state": {}, "extensions": {},
    }  # fmt: skip
    transport: Any = entrance.http._transport
    await transport.app(scope, receive, send)
    return int(sent[0]["status"])


async def test_a_query_that_is_not_encoded_is_refused(
    entrance: Entrance, department: DepartmentServer, token: str
) -> None:
    for query in (b"a=\xff", b"a=b c", b"a=<x>", b"a=b#c", b"x" * 4_097):
        assert await raw(entrance, "GET", "/resident/apps/parks/parks", token, query) == 400
    assert department.seen == []


async def test_who_is_not_checked_reaches_only_what_needs_a_phone(
    entrance: Entrance, department: DepartmentServer
) -> None:
    tokens = await entrance.sign_in("+8613490000009")
    assert (await ask(entrance, tokens["access_token"], "/parks")).status_code == 200
    assert told_to(department, entrance)["assurance"] == "phone"
    refused = await ask(entrance, tokens["access_token"], "/me/visits")
    assert refused.json()["code"] == "access.real_name_needed"
    assert (await ask(entrance, "nobody", "/parks")).status_code == 401


async def test_an_operator_takes_an_app_away_and_brings_it_back(entrance: Entrance, token: str) -> None:
    await a_staff_member(entrance, "+8613490009001", StaffRole.OPERATOR)
    operator = (await entrance.sign_in("+8613490009001", at="operator"))["access_token"]
    suspended = await entrance.ask("POST", "/operator/apps/parks/suspend", operator)
    assert (suspended.status_code, suspended.json()["state"]) == (200, "suspended")
    await entrance.refresh()
    assert (await ask(entrance, token, "/parks")).json()["code"] == "departments.app_suspended"
    assert (await entrance.ask("GET", "/resident/apps", token)).json()["apps"] == []
    assert (await entrance.ask("POST", "/operator/apps/parks/go-live", operator)).status_code == 200
    await entrance.refresh()
    assert (await ask(entrance, token, "/parks")).status_code == 200
    assert (await entrance.ask("GET", "/operator/apps", operator)).json()["apps"][0]["state"] == "live"
    acts = await entrance.db.fetch("SELECT act FROM kernel.audit WHERE subject = 'app:parks' ORDER BY entry_id")
    assert len(acts) == 4
    assert (await entrance.ask("POST", "/operator/apps/nowhere/suspend", operator)).status_code == 404


async def test_an_app_goes_live_only_when_its_server_is_the_one_it_says(entrance: Entrance, db: Database) -> None:
    async with served(DepartmentServer().app()) as home:  # its health names the slug parks
        await onboarding.register(db, entrance.clock, a_manifest(home, *ROUTES, slug="ponds"), actor="operator:test")
        with pytest.raises(ServerNotReady):
            await entrance.departments.go_live("ponds", actor="operator:test")
    with pytest.raises(ServerNotReady):
        await entrance.departments.go_live("ponds", actor="operator:test")
    assert await entrance.departments.ask_all() == {"parks": True}


async def test_a_registered_app_is_seen_by_nobody_and_a_new_version_takes_over_whole(
    entrance: Entrance, department: DepartmentServer, token: str, db: Database
) -> None:
    parks = entrance.departments.apps.by_slug["parks"].home
    await onboarding.register(db, entrance.clock, a_manifest(parks, *ROUTES, slug="ponds"), actor="operator:test")
    await entrance.refresh()
    assert (await entrance.ask("GET", "/resident/apps/ponds/parks", token)).status_code == 404
    second = a_manifest(parks, ("GET", "/gardens", ""))
    registered = await onboarding.register(db, entrance.clock, second, actor="operator:test")
    assert (registered.version, registered.state.value) == (2, "live")
    await entrance.refresh()
    assert (await ask(entrance, token, "/gardens")).status_code == 200
    assert (await ask(entrance, token, "/parks")).status_code == 404


async def test_nobody_takes_anothers_name_or_joins_for_a_department_there_is_not(
    entrance: Entrance, db: Database
) -> None:
    mine = a_manifest("http://127.0.0.1:1", *ROUTES)
    with pytest.raises(DepartmentUnknown):
        await onboarding.register(
            db, entrance.clock, msgspec.structs.replace(mine, department="nobody"), actor="operator:test"
        )
    await a_department(db, "transport")
    with pytest.raises(SlugTaken):
        await onboarding.register(
            db, entrance.clock, msgspec.structs.replace(mine, department="transport"), actor="operator:test"
        )


async def test_the_demo_department_takes_our_token_and_keeps_visits(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock
) -> None:
    async with an_entrance(db, redis, keys, clock) as entrance:

        async def published() -> bytes:
            return (await entrance.http.get("/.well-known/jwks.json")).content

        checker = TokenChecker(issuer=ORIGIN, audience="parks", clock=clock, fetch_keys=published)
        async with served(Parks(checker, clock).app()) as home:
            await a_department(db)
            variables = {demo_departments.PORT_VARIABLE: home.rpartition(":")[2]}
            manifest = onboarding.read_file(demo_departments.MANIFEST, variables=variables)
            await onboarding.register(db, clock, manifest, actor="operator:test")
            await entrance.departments.go_live("parks", actor="operator:test")
            await entrance.refresh()
            token = str((await entrance.a_citizen(WHO))["access_token"])
            noted = await ask(entrance, token, "/me/visits", "POST", json={"park": "tingyu-ancient-garden"})
            assert noted.status_code == 201, noted.text
            visits = (await ask(entrance, token, "/me/visits")).json()["visits"]
            assert [one["park"] for one in visits] == ["tingyu-ancient-garden"]


async def test_one_resident_with_many_slow_requests_leaves_room_for_everybody_else(
    entrance: Entrance, department: DepartmentServer, token: str
) -> None:
    async with served(department.app()) as home:
        told = a_manifest(home, ("GET", "/slow", ""), ("GET", "/parks", ""), slug="snails")
        wide = msgspec.structs.replace(told, concurrency_max=16)
        await onboarding.register(entrance.db, entrance.clock, wide, actor="operator:test")
        await onboarding.go_live(entrance.db, entrance.clock, "snails", actor="operator:test")
        await entrance.refresh()
        other = (await entrance.a_citizen(OTHER))["access_token"]
        slow = [asyncio.ensure_future(entrance.ask("GET", "/resident/apps/snails/slow", token)) for _ in range(40)]
        await asyncio.sleep(0.15)
        answer = await entrance.ask("GET", "/resident/apps/snails/parks", other)
        assert answer.status_code == 200, answer.text
        answers = await asyncio.gather(*slow)
    assert {one.json()["code"] for one in answers} == {"departments.app_busy", "departments.app_late"}
