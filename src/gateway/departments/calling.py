"""Passing a resident's request on to a department's server, and its answer back.

Nothing of the resident's own reaches the department but what they wrote: a few headers, the query and the body. Nothing
of the department's reaches the resident's session: no cookies, no redirects, and no page that acts in our name.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack

import aiohttp
import msgspec
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from gateway import outside
from gateway.departments.errors import (
    AppFailed,
    AppLate,
    AppSuspended,
    AppUnknown,
    AppUnreachable,
    RouteUnknown,
)
from gateway.departments.guarding import Guard, Permit
from gateway.departments.model import App, Apps, Found, State, query_of, segments_of
from gateway.departments.vouching import Vouching
from kernel.clock import Clock
from kernel.errors import BodyTooLarge, MalformedRequest, MethodNotAllowed, RealNameNeeded, UnsupportedMedia
from kernel.log import get_logger
from kernel.principal import Audience, Resident

HELD_BYTES_MAX = 256 * 1024
"""Of an answer, held before any of it is passed on; what is no longer can still be refused whole."""
JSON_BYTES_MAX = 1024 * 1024
"""JSON is always held and checked, so its bound is higher."""
STREAM_SECONDS_MAX = 60.0
HEADER_CHARACTERS_MAX = 1_024
ANSWER_HEADER_CHARACTERS_MAX = 2_048

PASSED_ON = frozenset(
    {
        b"accept",
        b"accept-language",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"range",
    }
)
PASSED_BACK = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Language",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Expires",
    "Last-Modified",
    "Retry-After",
)
"""Everything else stays out: hop-by-hop headers, cookies, and whatever speaks for an origin that is ours."""
OURS = ((b"content-security-policy", b"sandbox; default-src 'none'"),)
"""A page of theirs, opened under our origin, is nobody's and does nothing."""
_VISIBLE = re.compile(rb"[\x20-\x7e]*")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_BODILESS = frozenset({204, 304})

RawHeaders = Iterable[tuple[bytes, bytes]]

log = get_logger(__name__)
_trace_context = TraceContextTextMapPropagator()


class Call(msgspec.Struct, frozen=True):
    """A resident's request for a department, as it arrived."""

    audience: Audience
    slug: str
    method: str
    raw_path: bytes
    raw_query: bytes
    headers: RawHeaders


class Admitted(msgspec.Struct, frozen=True):
    """A call that a route was found for; its body is read next, up to the route's bound."""

    call: Call
    app: App
    found: Found
    query: str

    @property
    def body_bytes_max(self) -> int:
        return self.found.route.body_bytes_max


class Answer:
    """A department's answer. `start` is held already; `rest` is what is still to come. Release it in the end."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], start: bytes) -> None:
        self.status = status
        self.headers = headers
        self.start = start
        self.is_whole = True
        self.holds: AsyncExitStack | None = None
        """What must be let go once the answer has been passed on: the connection, and the permit to call."""
        self._response: aiohttp.ClientResponse | None = None
        self._bytes_max = 0
        self._seconds = 0.0

    def continues(self, response: aiohttp.ClientResponse, *, bytes_max: int, seconds: float) -> None:
        """There is more to come, within these bounds."""
        self.is_whole = False
        self._response = response
        self._bytes_max = bytes_max
        self._seconds = seconds

    async def rest(self) -> AsyncGenerator[bytes]:
        """What is still to come. Raises AppFailed when it breaks off, is too long or takes too long."""
        assert self._response is not None
        length = len(self.start)
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in self._response.content.iter_any():
                    length += len(chunk)
                    if length > self._bytes_max:
                        raise AppFailed("the answer is longer than its route allows")
                    yield chunk
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            raise AppFailed("the answer broke off") from problem

    async def release(self) -> None:
        if self.holds is not None:
            await self.holds.aclose()


class Calling:
    """Calls departments. One client for all of them, one guard for each."""

    def __init__(self, http: aiohttp.ClientSession, clock: Clock, vouching: Vouching, apps: Callable[[], Apps]) -> None:
        self._http = http
        self._clock = clock
        self._vouching = vouching
        self._apps = apps
        self._guards: dict[str, Guard] = {}

    def find(self, call: Call, resident: Resident) -> Admitted:
        """The route that a call is for.

        Raises AppUnknown, AppSuspended, RouteUnknown, MethodNotAllowed, RealNameNeeded, MalformedRequest.
        """
        app = self._apps().by_slug.get(call.slug)
        if app is None or app.state is State.REGISTERED or not app.serves(call.audience):
            raise AppUnknown
        if app.state is State.SUSPENDED:
            raise AppSuspended(retry_after_seconds=60)
        segments = segments_of(call.raw_path, above=(call.audience.value, "apps", call.slug))
        if segments is None:
            raise RouteUnknown
        found = app.find(call.method, segments, call.audience)
        if not isinstance(found, Found):
            raise MethodNotAllowed(allowed=list(found.allowed)) if found.allowed else RouteUnknown
        if found.route.needs == "real_name" and resident.person_id is None:
            raise RealNameNeeded
        query = query_of(call.raw_query)
        if query is None:
            raise MalformedRequest("the query is too long or not percent-encoded")
        return Admitted(call, app, found, query)

    async def call(self, admitted: Admitted, resident: Resident, body: bytes) -> Answer:
        """The department's answer; release it once it has been passed on.

        Raises BodyTooLarge, UnsupportedMedia, AppBusy, AppAway, AppUnreachable, AppFailed, AppLate.
        """
        if len(body) > admitted.body_bytes_max:
            raise BodyTooLarge
        headers = self._headers(admitted, resident)
        if body and "content-type" not in headers:
            raise UnsupportedMedia("a body needs a Content-Type")
        if not body:
            headers.pop("content-type", None)
        async with AsyncExitStack() as stack:
            permit = stack.enter_context(self._guard(admitted.app).admit(resident.account_id))
            answer = await self._ask(admitted, headers, body, stack, permit)
            if not answer.is_whole:
                answer.holds = stack.pop_all()
        return answer

    def _guard(self, app: App) -> Guard:
        guard = self._guards.get(app.slug)
        if guard is None:
            guard = Guard(app.manifest.concurrency_max, lambda: self._clock.now().timestamp())
            self._guards[app.slug] = guard
        guard.concurrency_max = app.manifest.concurrency_max
        return guard

    def resting(self) -> frozenset[str]:
        """The apps that are left alone for a while, as this process sees them."""
        return frozenset(slug for slug, guard in self._guards.items() if guard.is_resting)

    def _headers(self, admitted: Admitted, resident: Resident) -> dict[str, str]:
        headers: dict[str, str] = {}
        traceparent = b""
        for name, value in admitted.call.headers:
            if name in PASSED_ON:
                if len(value) > HEADER_CHARACTERS_MAX or not _VISIBLE.fullmatch(value):
                    raise MalformedRequest(f"the header {name.decode()} is too long or not plain ASCII")
                headers.setdefault(name.decode(), value.decode())
            elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
                traceparent = value
        _trace_context.inject(headers)
        headers.setdefault("traceparent", traceparent.decode() or _fresh_traceparent())
        token = self._vouching.token(
            admitted.app, resident, admitted.call.audience, admitted.call.method, now=self._clock.now()
        )
        return headers | {"authorization": f"Bearer {token}", "accept-encoding": "identity"}

    async def _ask(
        self, admitted: Admitted, headers: dict[str, str], body: bytes, stack: AsyncExitStack, permit: Permit
    ) -> Answer:
        timeouts, route = admitted.app.manifest.timeouts, admitted.found.route
        url = admitted.app.home + admitted.found.path + (f"?{admitted.query}" if admitted.query else "")
        slug = admitted.app.slug
        try:
            async with asyncio.timeout(route.timeout_seconds or timeouts.request_seconds):
                response = await stack.enter_async_context(
                    self._http.request(
                        admitted.call.method,
                        URL(url, encoded=True),
                        headers=headers,
                        data=body or None,
                        allow_redirects=False,
                        timeout=aiohttp.ClientTimeout(total=None, connect=timeouts.connect_seconds),
                    )
                )
                answer = await self._received(response, admitted)
        except (TimeoutError, aiohttp.ConnectionTimeoutError):
            permit.failed()
            log.warning("a department's app was late", app=slug, route=route.path)
            raise AppLate(app=slug) from None
        except aiohttp.ClientConnectorError as problem:
            permit.failed()
            log.warning("a department's server cannot be reached", app=slug, error=type(problem).__name__)
            raise AppUnreachable(app=slug) from None
        except (AppFailed, aiohttp.ClientError, OSError, ValueError) as problem:
            permit.failed()
            log.warning("a department's app failed", app=slug, route=route.path, error=type(problem).__name__)
            detail = problem.detail if isinstance(problem, AppFailed) else "the answer cannot be read"
            raise AppFailed(detail, app=slug) from None
        permit.succeeded()
        return answer

    async def _received(self, response: aiohttp.ClientResponse, admitted: Admitted) -> Answer:
        route = admitted.found.route
        _check_status(response.status)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise AppFailed("the answer is compressed, which was not asked for")
        if (response.content_length or 0) > route.answer_bytes_max:
            raise AppFailed("the answer is longer than its route allows")
        is_json = _is_json(response.content_type)
        held_max = min(JSON_BYTES_MAX if is_json else HELD_BYTES_MAX, route.answer_bytes_max)
        start, is_whole = await outside.read_start(response, held_max)
        if not is_whole and (is_json or len(start) > route.answer_bytes_max):
            raise AppFailed("the answer is longer than its route allows")
        if is_json and response.status not in _BODILESS:
            _check_json(start)
        answer = Answer(response.status, _passed_back(response), start)
        if not is_whole:
            answer.continues(response, bytes_max=route.answer_bytes_max, seconds=STREAM_SECONDS_MAX)
        return answer


def _check_status(status: int) -> None:
    """Raises AppFailed for what is no answer to a resident: redirects, a token of ours refused, faults."""
    if status >= 500:
        raise AppFailed(f"the app answered {status}")
    if 300 <= status < 400 and status != 304:
        raise AppFailed("the app answered with a redirect, and none is followed")
    if status in (401, 407) or status < 200:
        raise AppFailed(f"the app answered {status} to a call that the entrance vouched for")


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


def _check_json(body: bytes) -> None:
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise AppFailed("the answer is not the JSON it says it is") from None
    except RecursionError:
        raise AppFailed("the answer is nested too deeply") from None


def _passed_back(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    headers = list(OURS)
    for name in PASSED_BACK:
        value = response.headers.get(name)
        if value is not None and len(value) <= ANSWER_HEADER_CHARACTERS_MAX and value.isprintable() and value.isascii():
            headers.append((name.lower().encode(), value.encode()))
    return headers


def _fresh_traceparent() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
