"""What Schemathesis does not send: requests that are hardly any, refused as described, and never a fault of ours."""

import re
import socket
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest
import requests

from gateway import describing
from gateway.app import BODY_BYTES_MAX
from gateway.clients.http import JWT
from kernel.principal import Audience
from kernel.problems import PROBLEM_MEDIA, Problem
from tests.clients.calling import as_everybody
from tests.clients.described import Described, Operation, is_open
from tests.clients.everybody import Everybody

JSON: Final = "application/json"
PAGE: Final = "text/html"
BODIES: Final[tuple[tuple[bytes, str | None], ...]] = (
    (b'{"a":"' + b"x" * BODY_BYTES_MAX + b'"}', JSON),
    (b'{"a":"\xff\xfe"}', JSON),
    ("{}".encode("utf-16"), "application/json; charset=utf-16"),
    (b"[" * 100_000, JSON),
    (b'{"a":' * 100_000, JSON),
    (b"9" * 5_000, JSON),
    (b"1e999", JSON),
    (b'{"phone":"\\ud800"}', JSON),
    (b"", JSON),
    (b"{}", None),
    (b"{}", ";;;"),
    (b"hello", "text/plain"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"--x\r\n", "multipart/form-data"),
    (b"a=b&%ff=%00", "application/x-www-form-urlencoded"),
)
DISCARDED_MAX: Final = 16_384
"""Of a body that is refused unread: with more to come, the server ends the connection, and not always says so."""
QUERIES: Final = ("?%ff=%ff", "?limit=%00", "?limit=1&limit=2", "?" + "a=b&" * 2_000, "?date=2026-02-30", "?cursor=%00")
WORDS: Final = ("%00", "%ff", "..%2f..", "%2e%2e", "a" * 5_000, "%F0%9F%98%80", "%0d%0aX: y", "-1", " ", "%25")
HEADERS: Final = (
    {"Accept": "\x80"},
    {"Accept": "image/png;q=abc"},
    {"Accept": "," * 3_000},
    {"If-None-Match": 'W/"a",' * 100},
    {"Idempotency-Key": "\xff"},
    {"Authorization": "Bearer \xff"},
    {"Authorization": "Bearer"},
    {"traceparent": "00-zz"},
    {"Cookie": "a=b; =;;\xff"},
    {"Content-Encoding": "gzip"},
    {"X-HTTP-Method-Override": "DELETE"},
)
FILLED: Final = {
    "slug": "parks", "rest": "me", "token": "X", "key_id": "a", "kind_code": "0" * 21, "issuer_code": "0" * 18,
    "scenario_code": "a.b", "region_code": "330100", "list_id": "0", "size": "1", "look": "A" * 43, "reference": "a",
}  # fmt: skip
SOME_ID: Final = "e3e70682-c209-4cac-a29f-6fbed82c07cd"
PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")
NO_REQUESTS: Final = {
    "no length": b"GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    "less than no length": b"POST /venue/token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST /venue/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk that is none": b"POST /venue/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a zero byte": b"GET /Q/\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an old form": b"GET /\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00",
    "a tunnel": b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "everything's options": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
}

Sent = tuple[str, dict[str, str], bytes | None]
"""The path with its query, headers, a body."""


def odd_requests(operation: Operation) -> Iterator[Sent]:
    """All that can be wrong with a request to an operation, one thing at a time."""
    path = PARAMETER.sub(lambda found: FILLED.get(found[1], SOME_ID), operation.path)
    if operation.definition.raw.get("requestBody"):
        for body, media in BODIES:
            yield path, {} if media is None else {"Content-Type": media}, body
    for query in QUERIES:
        yield path + query, {}, None
    for word in WORDS if path != operation.path else ():
        yield PARAMETER.sub(word, operation.path), {}, None
    for headers in HEADERS:
        yield path, headers, None


def wrong_with(operation: Operation, answer: requests.Response) -> list[str]:
    """How an answer differs from what its operation's description promises."""
    documented = operation.definition.raw["responses"].keys() | {"404", "405"}  # an odd path is perhaps nobody's
    status = str(answer.status_code)
    found = []
    if not {status, f"{status[0]}XX"} & documented or answer.status_code >= 500:
        found.append(f"{status} is not described")
    if answer.status_code >= 400 and not is_described_page(operation, answer):
        if answer.headers.get("Content-Type") != PROBLEM_MEDIA:
            found.append(f"{status} is not a problem: {answer.headers.get('Content-Type')}")
        elif msgspec.json.decode(answer.content, type=Problem).status != answer.status_code:
            found.append(f"{status} and its problem differ")
    return found


def is_described_page(operation: Operation, answer: requests.Response) -> bool:
    """Whether it is a page for people, where the description says that the refusal may be one."""
    described = operation.definition.raw["responses"].get(str(answer.status_code), {}).get("content", {})
    media = answer.headers.get("Content-Type", "").partition(";")[0]
    return media == PAGE and media in described


@pytest.mark.parametrize("audience", list(Audience))
def test_requests_that_are_hardly_any_are_refused_as_described(audience: Audience, everybody: Everybody) -> None:
    identify = as_everybody(everybody)
    wrong: list[str] = []
    with requests.Session() as session:
        session.trust_env = False
        for operation in Described(describing.documents()[audience]).operations():
            for path, odd, body in odd_requests(operation):
                proof = {} if is_open(operation) else {"Authorization": f"Bearer {identify(operation)}"}
                headers: Any = {name: text.encode("latin-1") for name, text in {**proof, **odd}.items()}
                if body is not None and len(body) > DISCARDED_MAX:
                    headers["Connection"] = "close"  # what is refused unread cannot be followed by another request
                answer = session.request(
                    operation.method.upper(), everybody.city.url + path, headers=headers, data=body, timeout=20
                )
                wrong += [f"{operation.label} {path[:80]} {odd}: {said}" for said in wrong_with(operation, answer)]
    assert wrong == []


@pytest.mark.parametrize("raw", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_at_all_is_refused_too(raw: bytes, everybody: Everybody) -> None:
    at = urlsplit(everybody.city.url)
    with socket.create_connection((at.hostname, at.port), timeout=10) as connection:
        connection.sendall(raw)
        status = connection.recv(64).split(b" ", 2)[1]
    assert status in (b"400", b"404", b"405")
    assert everybody.city.http.get("/health/ready").status_code == 200


def patterns_of(described: Any) -> Iterator[str]:
    """Every pattern in a description."""
    if isinstance(described, dict):
        if isinstance(described.get("pattern"), str):
            yield described["pattern"]
        for one in described.values():
            yield from patterns_of(one)
    elif isinstance(described, list):
        for one in described:
            yield from patterns_of(one)


def lets_a_line_feed_pass(pattern: str) -> bool:
    """Whether it ends in `$`, which in Python also stands before a last line feed, and takes none by itself."""
    return pattern.endswith("$") and re.fullmatch(pattern.removesuffix("$"), "a\n") is None


def test_no_form_lets_a_line_feed_pass_at_its_end() -> None:
    found = {pattern for document in describing.documents().values() for pattern in patterns_of(document)}
    assert len(found) > 15
    assert [pattern for pattern in found if lets_a_line_feed_pass(pattern)] == [JWT]  # which is described, not checked
    assert lets_a_line_feed_pass("^[0-9]{2}$")
    assert not lets_a_line_feed_pass(r"^[0-9]{2}$(?!\n)")
    assert not lets_a_line_feed_pass(r"^[a-z\n]+$")
