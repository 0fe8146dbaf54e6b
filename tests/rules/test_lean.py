"""Lean answers are the framework's answers, byte for byte: only cheaper."""

import json
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from gateway.lean import LeanRequest, LeanResponse, give_plainly
from kernel import problems


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    number: int


class Answered(msgspec.Struct):
    text: str


@post("/{name:str}")
async def answer(
    name: FromPath[str], data: JSONBody[Asked], first: NamedDependency[str], second: NamedDependency[int]
) -> Answered:
    return Answered(f"{name} {data.number} {first} {second} 申")


@get("/")
async def read() -> Answered:
    return Answered("读")


@get("/headed")
async def headed() -> Response[Answered]:
    return Response(Answered("x"), status_code=202, headers={"X-Own": "1"})


def app_of(**how: Any) -> Litestar:
    return Litestar(
        [answer, read, headed],
        dependencies={
            "first": Provide(lambda: "one", sync_to_thread=False),
            "second": Provide(lambda: 2, sync_to_thread=False),
        },
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=20_000,
        **how,
    )


REQUESTS: dict[str, dict[str, Any]] = {
    "a good body": {"method": "POST", "url": "/a", "content": b'{"number": 1}'},
    "a body that does not decode": {"method": "POST", "url": "/a", "content": b"{"},
    "a body of the wrong form": {"method": "POST", "url": "/a", "content": b'{"number": "one"}'},
    "an unknown field": {"method": "POST", "url": "/a", "content": b'{"number": 1, "more": 2}'},
    "no body": {"method": "POST", "url": "/a"},
    "a body too large": {"method": "POST", "url": "/a", "content": b"[" * 30_000},
    "an answer with headers of its own": {"method": "GET", "url": "/headed"},
    "a read": {"method": "GET", "url": "/"},
    "no such path": {"method": "GET", "url": "/a/b"},
    "another method": {"method": "DELETE", "url": "/"},
}


async def ask(app: Litestar, request: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://city") as client:
        got = await client.request(**request)
        return got.status_code, got.content, dict(got.headers)


async def test_a_body_is_taken_as_its_types_say_and_nothing_is_guessed() -> None:
    lean = app_of(request_class=LeanRequest, response_class=LeanResponse)
    give_plainly(lean)
    guessed = (b'{"number": "1"}', b'{"number": true}', b'{"number": 1.5}', b'{"number": null}', b"null", b"[" * 10_000)
    for body in guessed:
        status, said, _ = await ask(lean, {"method": "POST", "url": "/a", "content": body})
        assert (status, json.loads(said)["code"]) == (400, "request.malformed"), body


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_lean_answer_is_the_frameworks_own(request_: dict[str, Any]) -> None:
    lean = app_of(request_class=LeanRequest, response_class=LeanResponse)
    give_plainly(lean)
    assert await ask(lean, request_) == await ask(app_of(), request_)


async def test_a_body_sent_in_parts_is_read_whole() -> None:
    async def parts() -> Any:
        for part in (b'{"num', b'ber": ', b"1}"):
            yield part

    lean = app_of(request_class=LeanRequest, response_class=LeanResponse)
    give_plainly(lean)
    status, body, _ = await ask(lean, {"method": "POST", "url": "/a", "content": parts()})
    assert (status, body) == (201, '{"text":"a 1 one 2 申"}'.encode())
