"""Whoever sends a body drop by drop is told so in the end, and holds nothing of the city's meanwhile for ever."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar, post
from litestar.params import JSONBody

from gateway.lean import BODY_SECONDS_MAX, LeanRequest, LeanResponse, give_plainly
from kernel import problems


class Hasty(LeanRequest):
    body_seconds_max = 0.1


class Asked(msgspec.Struct):
    number: int


@post("/")
async def answer(data: JSONBody[Asked]) -> Asked:
    return data


@pytest.fixture
def app() -> Litestar:
    made = Litestar(
        [answer],
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_class=Hasty,
        response_class=LeanResponse,
    )
    give_plainly(made)
    return made


async def drops(pause_seconds: float) -> Any:
    for drop in (b'{"num', b'ber": ', b"1}"):
        yield drop
        await asyncio.sleep(pause_seconds)


class Dropping(httpx.AsyncByteStream):
    """A body that comes in drops, each as long after the one before."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds

    async def __aiter__(self) -> Any:
        async for drop in drops(self._pause_seconds):
            yield drop


async def sent(app: Litestar, pause_seconds: float) -> httpx.Response:
    headers = {"Content-Type": "application/json", "Content-Length": "13"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://city.example") as client:  # type: ignore[arg-type]
        return await asyncio.wait_for(client.post("/", content=Dropping(pause_seconds), headers=headers), 5)


async def test_a_body_that_comes_in_drops_is_waited_for_so_long_and_no_longer(app: Litestar) -> None:
    assert (await sent(app, 0.0)).json() == {"number": 1}
    late = await sent(app, 0.3)
    assert (late.status_code, late.json()["code"]) == (400, "request.malformed")
    assert late.json()["detail"] == "the body did not arrive in time"


def test_a_slow_phone_has_time_for_the_largest_body() -> None:
    """A mebibyte at 35 kB a second: the worst of mobile networks."""
    assert BODY_SECONDS_MAX >= 1024 * 1024 / 35_000
