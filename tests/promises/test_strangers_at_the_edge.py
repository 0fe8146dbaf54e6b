"""What a stranger sends is refused in the one form, leaves no words of theirs behind, and costs others little."""

import asyncio

import pytest
from aiohttp import web

from gateway.departments import onboarding
from tests.builders_gateway import a_department, a_manifest, served
from tests.whole_city import TestCity, code_of

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("body", [b'{"phone": "\xff"}', b"\xff", b'{"phone": "\xed\xa0\x80"}'])
async def test_a_body_that_is_no_text_is_the_callers_mistake(city: TestCity, body: bytes) -> None:
    refused = await city.client.post("/resident/sign-in/codes", content=body, headers=JSON)
    assert (refused.status_code, code_of(refused)) == (400, "request.malformed")


@pytest.mark.parametrize(
    "name", ["first-page.css%00", "%00", "a" * 5_000, "a/" * 2_000, "..%2fapp.py", "%2e%2e/app.py"]
)
async def test_no_name_of_a_file_is_a_fault_of_ours(city: TestCity, name: str) -> None:
    refused = await city.client.get(f"/static/{name}")
    assert (refused.status_code, code_of(refused)) == (404, "request.no_such_path")


async def test_a_request_with_two_tokens_proves_nobody(city: TestCity) -> None:
    one, other = city.as_operator().headers, city.as_resident(None).headers
    for first, second in ((one, other), (other, one), (one, one)):
        both = [("Authorization", first["Authorization"]), ("Authorization", second["Authorization"])]
        refused = await city.client.get("/operator/audit", headers=both)
        assert (refused.status_code, code_of(refused)) == (401, "access.not_signed_in")


async def test_a_stranger_writes_no_words_of_their_own_into_the_metrics(city: TestCity) -> None:
    await city.client.request("13800138000", "/13800138000/13800138000")
    await city.client.request("13800138000", "/resident/me", headers={"traceparent": "13800138000"})
    await city.client.get("/Q/13800138000")
    told = (await city.as_nobody().get("/metrics")).text
    assert 'method="other"' in told
    assert "13800138000" not in told


async def test_however_many_ask_how_the_city_is_a_department_is_asked_once(city: TestCity) -> None:
    asked = 0

    async def health(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"status": "ok", "slug": "parks"})

    app = web.Application()
    app.router.add_get("/suishenban/health", health)
    async with served(app) as home:
        await a_department(city.parts.db)
        told = a_manifest(home, ("GET", "/parks", ""))
        await onboarding.register(city.parts.db, city.clock, told, actor="operator:test")
        await onboarding.go_live(city.parts.db, city.clock, "parks", actor="operator:test")
        await city.renew()
        answers = await asyncio.gather(*(city.as_nobody().get(path) for path in ("/health/ready", "/") * 20))
        assert {answer.status_code for answer in answers} == {200}
        assert (await city.as_nobody().get("/health/ready")).json()["ready"]
    assert asked == 1
