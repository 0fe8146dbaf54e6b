"""The checks of `test_schemathesis.py` can fail: each is shown a server with one fault planted, and reports it."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import AcceptedNegativeData, FailureGroup, ServerError
from schemathesis.openapi import checks

from tests.clients.calling import Calling
from tests.clients.described import Described, Operation

JSON: Final = "application/json"
TOKEN: Final = "good"
VIEW: Final = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
NUMBER: Final = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
    "additionalProperties": False,
}


MADE_UP: Final = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Faulty(BaseHTTPRequestHandler):
    """Does at each path what its description does not say."""

    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # an answer in one piece: two would wait for each other, 40 ms

    def do_GET(self) -> None:
        proved = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        match self.path:
            case "/undocumented":
                self._answer(418, {"id": 1})
            case "/misshapen":
                self._answer(200, {"id": "one"})
            case "/fails":
                self._answer(500, {"id": 1})
            case "/of-another-kind":
                self._answer(200, {"id": 1}, media="text/html")
            case "/waits-soon":
                self._answer(200, {"id": 1}, retry_after="soon")
            case "/closed" if not proved:
                self._answer(401, {"id": 1})
            case _:
                self._answer(200, {"id": 1})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        match self.path:
            case "/fails-below-zero":
                self._answer(500 if b"-" in body else 200, {"id": 1})
            case "/refuses-what-is-good":
                self._answer(400, {"code": "request.malformed"})
            case "/refuses-by-a-rule":
                self._answer(400, {"code": "faulty.too_big"})
            case _:
                self._answer(200, {"id": 1})

    def _answer(self, status: int, content: Any, *, media: str = JSON, retry_after: str = "1") -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        headers = {"Content-Type": media, "Content-Length": str(len(body)), "Retry-After": retry_after}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


def described(path: str, *, method: str, body: Any = None, is_open: bool = True) -> Operation:
    """The one operation of a description that promises a view, and nothing but."""
    answers: dict[str, Any] = {
        "200": {
            "description": "OK",
            "headers": {"Retry-After": {"schema": {"type": "integer"}}},
            "content": {JSON: {"schema": VIEW}},
        }
    }
    answers |= {status: {"description": "Refused"} for status in ("400", "401", "500")}
    operation: dict[str, Any] = {"operationId": "planted", "responses": answers}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    if not is_open:
        operation["security"] = [{"accessToken": []}]
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Faulty", "version": "1"},
        "paths": {path: {method: operation}},
        "components": {"securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer"}}},
    }
    return next(Described(document).operations())


@pytest.fixture(scope="module")
def calling() -> Iterator[Calling]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Faulty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Calling(f"http://127.0.0.1:{server.server_port}", lambda _: TOKEN)
        server.shutdown()


def reported(group: FailureGroup) -> set[type]:
    return {type(failure) for failure in group.exceptions}


@pytest.mark.parametrize(
    ("path", "is_open", "failure"),
    [
        ("/undocumented", True, checks.UndefinedStatusCode),
        ("/misshapen", True, checks.JsonSchemaError),
        ("/fails", True, ServerError),
        ("/of-another-kind", True, checks.UndefinedContentType),
        ("/waits-soon", True, checks.JsonSchemaError),
        ("/open-to-all", False, checks.IgnoredAuth),
    ],
)
def test_an_answer_that_is_not_as_described_is_reported(
    path: str, is_open: bool, failure: type, calling: Calling
) -> None:
    with pytest.raises(FailureGroup) as found:
        calling.send(described(path, method="get", is_open=is_open).Case())
    assert failure in reported(found.value)


def sent(calling: Calling, operation: Operation, mode: GenerationMode) -> None:
    """Send made-up requests to an operation, good ones or bad ones."""

    @MADE_UP
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        calling.send(case)

    send()


@pytest.mark.parametrize(
    ("path", "mode", "failure"),
    [
        ("/fails-below-zero", GenerationMode.POSITIVE, ServerError),
        ("/refuses-what-is-good", GenerationMode.POSITIVE, checks.RejectedPositiveData),
        ("/takes-anything", GenerationMode.NEGATIVE, AcceptedNegativeData),
    ],
)
def test_a_fault_that_only_some_requests_meet_is_found(
    path: str, mode: GenerationMode, failure: type, calling: Calling
) -> None:
    with pytest.raises(FailureGroup) as found:
        sent(calling, described(path, method="post", body=NUMBER), mode)
    assert failure in reported(found.value)


def test_what_is_as_described_is_not_reported(calling: Calling) -> None:
    calling.send(described("/fine", method="get").Case())
    calling.send(described("/closed", method="get", is_open=False).Case())
    sent(calling, described("/fine", method="post", body=NUMBER), GenerationMode.POSITIVE)
    sent(calling, described("/refuses-by-a-rule", method="post", body=NUMBER), GenerationMode.POSITIVE)


def test_an_operation_that_never_succeeds_is_named(calling: Calling) -> None:
    with pytest.raises(FailureGroup):
        calling.send(described("/undocumented", method="get").Case())
    calling.send(described("/fine", method="get").Case())
    named = {line.split(":")[0] for line in calling.never_well()}
    assert "GET /undocumented" in named
    assert "GET /fine" not in named
