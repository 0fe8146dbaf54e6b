"""What everybody meets at the entrance: a page, health, refusals in one form, and tokens that prove one audience."""

import pytest

from kernel.ids import DeviceId, VenueId, uuid7
from kernel.principal import Audience
from tests.whole_city import TestCity, advance, code_of


async def test_a_browser_gets_a_page_that_loads_nothing_from_elsewhere(city: TestCity) -> None:
    page = await city.as_nobody().get("/")
    assert page.status_code == 200
    assert "随申办" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in ("/static/first-page.css", "/static/first-page.js", "/static/reference/swagger-ui-bundle.js"):
        assert (await city.as_nobody().get(path)).status_code == 200


@pytest.mark.parametrize("audience", list(Audience))
async def test_every_audience_has_its_api_reference_on_this_machine(city: TestCity, audience: Audience) -> None:
    page = await city.as_nobody().get(f"/reference/{audience}")
    assert page.status_code == 200
    assert "//cdn" not in page.text
    description = (await city.as_nobody().get(f"/openapi/{audience}.json")).json()
    assert description["openapi"].startswith("3.1")
    assert description["paths"]


async def test_health_names_each_part(city: TestCity) -> None:
    assert (await city.as_nobody().get("/health/live")).json() == {"state": "live"}
    ready = (await city.as_nobody().get("/health/ready")).json()
    assert ready["ready"]
    assert {part["name"]: part["state"] for part in ready["parts"]}["database"] == "up"


async def test_what_is_not_there_is_refused_in_the_one_form(city: TestCity) -> None:
    assert code_of(await city.as_nobody().get("/nothing/here")) == "request.no_such_path"
    assert code_of(await city.as_nobody().get("/openapi/nobody.json")) == "home.no_such_description"
    refused = await city.as_nobody().post("/health/live")
    assert (refused.status_code, code_of(refused)) == (405, "request.method_not_allowed")
    assert "GET" in refused.headers["allow"]


async def test_a_device_learns_that_its_token_works(city: TestCity) -> None:
    now = city.clock.now()
    device_id, venue_id = DeviceId(uuid7(now)), VenueId(uuid7(now))
    answer = await city.as_device(device_id, venue_id).get("/me")
    assert answer.json() == {"device_id": str(device_id), "venue_id": str(venue_id)}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_token_is_good_for_its_own_audience_alone(city: TestCity) -> None:
    now = city.clock.now()
    token = city.as_device(DeviceId(uuid7(now)), VenueId(uuid7(now))).headers
    for audience, path in (("resident", "/me"), ("mini", "/me"), ("operator", "/audit"), ("department", "/kinds")):
        refused = await city.client.get(f"/{audience}{path}", headers=token)
        assert (refused.status_code, code_of(refused)) == (403, "access.wrong_audience")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer a.b.c", "Basic eDp5", "Bearer " + "x" * 9_000])
async def test_a_token_that_proves_nothing_is_refused(city: TestCity, header: str) -> None:
    refused = await city.client.get("/venue/me", headers={"Authorization": header})
    assert (refused.status_code, code_of(refused)) == (401, "access.not_signed_in")
    assert refused.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_ends_with_its_quarter_of_an_hour(city: TestCity) -> None:
    device = city.as_device(DeviceId(uuid7(city.clock.now())), VenueId(uuid7(city.clock.now())))
    assert (await device.get("/me")).status_code == 200
    advance(city, minutes=16)
    assert code_of(await device.get("/me")) == "access.token_expired"


async def test_when_a_signing_key_leaked_its_tokens_are_refused_at_once(city: TestCity) -> None:
    device = city.as_device(DeviceId(uuid7(city.clock.now())), VenueId(uuid7(city.clock.now())))
    assert (await device.get("/me")).status_code == 200
    leaked = city.parts.signing_keys.signer("access").key_id
    advance(city, seconds=1)
    operator = city.as_operator()
    assert (await operator.post(f"/signing-keys/{leaked}/revoke")).status_code == 200
    assert code_of(await device.get("/me")) == "access.not_signed_in"
    again = city.as_operator()
    acts = (await again.get("/audit")).json()["entries"]
    assert "kernel.revoke_signing_key" in {act["act"] for act in acts}
    assert code_of(await again.post(f"/signing-keys/{leaked}/revoke")) == "operators.no_such_key"


async def test_too_many_requests_are_told_when_to_come_back(city: TestCity) -> None:
    city.app._limit = type(city.app._limit)("edge", 5, 60)  # type: ignore[union-attr]
    answers = [await city.as_nobody().get("/health/live") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert code_of(answers[-1]) == "limits.rate_limited"
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_behind_a_proxy_of_ours_each_caller_has_a_limit_of_their_own(city: TestCity) -> None:
    city.app._limit = type(city.app._limit)("edge", 2, 60)  # type: ignore[union-attr]
    city.app._proxies = 1  # type: ignore[union-attr]

    async def ask(forwarded: str) -> int:
        answer = await city.client.get("/health/live", headers={"X-Forwarded-For": forwarded})
        return answer.status_code

    assert [await ask("192.0.2.1") for _ in range(3)] == [200, 200, 429]
    assert await ask("192.0.2.2") == 200
    forged = [await ask(f"203.0.113.{number}, 192.0.2.1") for number in range(3)]
    assert forged == [429] * 3  # what the caller wrote is not believed, what our proxy added is


async def test_without_a_proxy_nobody_chooses_the_address_they_are_limited_by(city: TestCity) -> None:
    city.app._limit = type(city.app._limit)("edge", 2, 60)  # type: ignore[union-attr]
    answers = [
        await city.client.get("/health/live", headers={"X-Forwarded-For": f"192.0.2.{number}"}) for number in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]


async def test_an_answer_that_asks_for_too_much_is_refused_before_it_is_read(city: TestCity) -> None:
    refused = await city.as_nobody().post("/demo/outbox/search", content=b"[" * 2_000_000)
    assert (refused.status_code, code_of(refused)) == (413, "request.body_too_large")
