"""What is reached the short way is answered as the framework answers it, whatever is sent."""

import copy
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.express import Express
from kernel.ids import DepartmentId, DeviceId, PersonId, VenueId
from kernel.principal import Audience
from tests.whole_city import ORIGIN, TestCity

TEMPLATES_MIN = 60
"""So many operations at least are reached the short way: a change that made none would not be seen otherwise."""

BODIES = (
    b"{}", b"{", b'{"unknown": 1}', b"[1]", b"null", b"\xff\xfe", b"[" * 5_000, b'{"a": "' + b"x" * 20_000 + b'"}',
)  # fmt: skip


@pytest.fixture
async def ways(city: TestCity) -> AsyncIterator[tuple[Express, httpx.AsyncClient, httpx.AsyncClient]]:
    """The short way, a client of the city as it is, and one of the same city without the short way."""
    edge: Any = city.app
    express: Express = edge._app
    long_way = copy.copy(edge)
    long_way._app = express._app
    clients = [httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) for app in (edge, long_way)]
    yield express, *clients
    for client in clients:
        await client.aclose()


def tokens(city: TestCity) -> dict[str, dict[str, str]]:
    """A token of somebody for each audience, by the first segment of its paths."""
    callers = {
        Audience.RESIDENT: city.as_resident(PersonId(uuid4())),
        Audience.MINI: city.as_resident(PersonId(uuid4()), audience=Audience.MINI),
        Audience.VENUE: city.as_device(DeviceId(uuid4()), VenueId(uuid4())),
        Audience.DEPARTMENT: city.as_department(DepartmentId(uuid4()), "somebody"),
        Audience.OPERATOR: city.as_nobody(Audience.OPERATOR),  # whoever has a token is known, and would have to be made
    }
    return {str(audience): caller.headers for audience, caller in callers.items()}


async def in_pieces() -> AsyncIterator[bytes]:
    yield b'{"slot_id":'
    yield b'"x"}'


def requests(
    method: str, path: str, token: dict[str, str], identifier: str, *, takes_a_body: bool
) -> list[dict[str, Any]]:
    """One operation, asked well and badly."""
    there = path.replace("{", "\0").split("\0")
    good = there[0] + "".join(identifier + rest.split("}", 1)[1] for rest in there[1:])
    bad = there[0] + "".join("not-one" + rest.split("}", 1)[1] for rest in there[1:])
    ways: list[dict[str, Any]] = [
        {"url": good},
        {"url": good, "headers": {"Authorization": "Bearer nothing"}},
        {"url": good, "headers": token},
        {"url": good, "headers": {**token, "Host": "no host at all"}},
        {"url": good + "/", "headers": token},
        {"url": good + "?unasked=1", "headers": token},
        {"url": bad, "headers": token},
    ]
    if takes_a_body:
        ways += [{"url": good, "headers": token, "content": body} for body in BODIES]
        ways.append({"url": good, "headers": {**token, "Content-Length": "7"}, "content": b"{}"})
        ways.append({"url": good, "headers": token, "content": in_pieces})
    return [{"method": method, **way} for way in ways] + [{"method": "HEAD", "url": good, "headers": token}]


async def asked(client: httpx.AsyncClient, how: dict[str, Any]) -> tuple[int, Any, bytes | None]:
    content = how.get("content")
    answer = await client.request(**{**how, "content": content() if callable(content) else content})
    headers = sorted((name, value) for name, value in answer.headers.items() if name != "date")
    if answer.is_success:  # what is made has an id of its own
        return answer.status_code, [name for name, _ in headers], None
    return answer.status_code, headers, answer.content


async def test_every_answer_is_the_frameworks(city: TestCity, ways: Any) -> None:
    express, short, long = ways
    sides = [(short, tokens(city)), (long, tokens(city))]  # people of their own, who have done the same
    different = []
    for method, path in sorted(express.templates):
        of_path = path.split("/")[1]
        takes_a_body = (method, path) in express.bodied
        theirs = [
            requests(method, path, of_audience.get(of_path, {}), str(uuid4()), takes_a_body=takes_a_body)
            for _, of_audience in sides
        ]
        for hows in zip(*theirs, strict=True):
            answers = [await asked(client, how) for (client, _), how in zip(sides, hows, strict=True)]
            if answers[0] != answers[1]:
                different.append((method, hows[0]["url"], str(hows[0].get("content"))[:40], *answers))
    assert different == []


async def test_most_of_what_is_asked_often_is_reached_the_short_way(ways: Any) -> None:
    express, _, _ = ways
    assert len(express.templates) >= TEMPLATES_MIN
    assert {
        ("GET", "/venue/me"),
        ("POST", "/venue/verifications"),
        ("PUT", "/resident/bookings/{booking_id:uuid}"),
        ("PUT", "/resident/holds/{booking_id:uuid}"),
        ("POST", "/resident/certificates/{certificate_id:uuid}/codes"),
    } <= express.templates
