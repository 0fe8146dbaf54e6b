"""The demo's short cuts show what a city does without waiting, and a real city has none of them."""

import httpx
import msgspec

from gateway.app import build_app
from gateway.demo.ageing import AGED_MAX
from gateway.demo.cast import Cast, PlayedPerson
from tests.whole_city import ORIGIN, TestCity, code_of

SHORT_CUTS = (
    ("GET", "/demo/cast", None),
    ("GET", "/demo/outbox", None),
    ("POST", "/demo/outbox/search", {"phone": "+8613490000003"}),
    ("POST", "/demo/reminders", {"as_of": "2026-03-03T09:00:00+08:00"}),
    ("POST", "/demo/codes/age", {"code_text": "HTTPS://127.0.0.1:8700/Q/" + "A" * 26, "seconds": 60}),
)
NOBODY = Cast([], ORIGIN, [PlayedPerson("某甲", "310107198110069973", "+8613490000003")], [], [], "", [])


async def test_a_real_city_has_no_short_cut(city: TestCity):
    real = build_app(city.parts, msgspec.structs.replace(city.settings, demo=False), NOBODY)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=real), base_url=ORIGIN) as client:
        for method, path, body in SHORT_CUTS:
            answer = await client.request(method, path, json=body)
            assert (answer.status_code, code_of(answer)) == (404, "request.no_such_path"), path


async def test_a_demo_tells_who_can_be_played(city: TestCity):
    played = build_app(city.parts, city.settings, NOBODY)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=played), base_url=ORIGIN) as client:
        answer = await client.get("/demo/cast")
    assert msgspec.json.decode(answer.content, type=Cast) == NOBODY
    assert answer.headers["cache-control"] == "no-store"


async def test_a_demo_without_a_cast_says_so(city: TestCity):
    answer = await city.as_nobody().get("/demo/cast")
    assert (answer.status_code, code_of(answer)) == (404, "demo.nobody_to_play")


async def test_only_a_code_of_ours_can_be_made_older(city: TestCity):
    for text in (
        "HTTPS://127.0.0.1:8700/Q/" + "A" * 26,
        "HTTPS://127.0.0.1:8700/Q/" + "B" * 26,
        "https://example.org/",
    ):
        answer = await city.as_nobody().post("/demo/codes/age", {"code_text": text, "seconds": 100})
        assert (answer.status_code, code_of(answer)) == (422, "demo.code_unknown")


async def test_a_code_is_never_made_younger_or_forgotten(city: TestCity):
    text = "HTTPS://127.0.0.1:8700/Q/" + "A" * 26
    for seconds in (-1, 0, int(AGED_MAX.total_seconds()) + 1):
        answer = await city.as_nobody().post("/demo/codes/age", {"code_text": text, "seconds": seconds})
        assert (answer.status_code, code_of(answer)) == (400, "request.malformed")
