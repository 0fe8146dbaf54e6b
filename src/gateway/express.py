"""The short way to a handler: what the framework would do for a plain request, worked out once, when the city opens.

A handler is reached this way when it takes no more than a JSON body, identifiers in its path, the request and what is
given to it. The answers are the framework's. Whatever is unusual about a request (a path
that is written otherwise, a body in pieces, an unknown method) goes the framework's long way, as if nobody had looked.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from litestar import Litestar, Request
from litestar._asgi.utils import is_valid_host
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Send

from gateway.lean import SHORT_BYTES_MAX, Dependency, LeanRequest, Needs, decoder_of, first_again
from kernel import problems
from kernel.errors import MalformedRequest, Refusal

HOSTS_MAX: Final = 1_000
"""Host headers that were looked at and found well-formed; there are few, unless somebody makes them up."""
SEGMENTS_MAX: Final = 12
METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", problems.PROBLEM_MEDIA.encode())

Shape = tuple[str | None, ...]
"""A path's segments, None where an identifier stands."""


class Way(NamedTuple):
    """All there is to know about one handler before a request for it comes."""

    handler: HTTPRouteHandler
    call: Callable[..., Any]
    is_sync: bool
    status: int
    template: str
    identifiers: tuple[tuple[int, str], ...]
    """Which segments are identifiers, and what they are called."""
    wanted: frozenset[str]
    """What the handler is called with."""
    decode: Callable[[bytes], Any] | None
    dependencies: tuple[Dependency, ...]
    speaks: problems.Speakers
    """Who answers for exceptions: the city's, or the handler's own."""


class Express:
    """Stands between the edge and the framework."""

    def __init__(self, app: Litestar, needs: Iterable[Needs]) -> None:
        self._app = app
        self._encode = msgspec.json.Encoder().encode
        self._ways: dict[tuple[str, Shape], Way] = {}
        self._patterns: dict[int, tuple[tuple[int, ...], ...]] = {}
        self._hosts: set[bytes] = set()
        for need in needs:
            self._learn(need)

    @property
    def templates(self) -> set[tuple[str, str]]:
        """Method and path of what is reached the short way."""
        return {(method, way.template) for (method, _), way in self._ways.items()}

    @property
    def bodied(self) -> set[tuple[str, str]]:
        """Those of `templates` that take a body."""
        return {(method, way.template) for (method, _), way in self._ways.items() if way.decode is not None}

    def _learn(self, needs: Needs) -> None:
        way = way_of(needs) if needs.method in METHODS else None
        if way is None:
            return
        segments = needs.route.path.split("/")
        places = tuple(place for place, _ in way.identifiers)
        shape = tuple(None if place in places else segment for place, segment in enumerate(segments))
        self._ways[needs.method, shape] = way
        known = self._patterns.get(len(segments), ())
        if places not in known:
            self._patterns[len(segments)] = (*known, places)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        way, values = found
        body = None
        if way.decode is not None:
            try:
                body, receive = await _short_body(scope, receive)
            except MalformedRequest as refusal:
                await _send(send, *_refused(refusal, LeanRequest(scope, receive, send), way.speaks))
                return
            if body is None:
                await self._app(scope, receive, send)
                return
        await self._go(way, values, body, scope, receive, send)

    def _find(self, scope: Any) -> tuple[Way, dict[str, UUID]] | None:
        if scope.get("root_path") or not self._is_host(scope["headers"]):
            return None
        segments = scope["path"].split("/", SEGMENTS_MAX)
        method = scope["method"]
        for places in self._patterns.get(len(segments), ()):
            shape = list(segments)
            for place in places:
                shape[place] = None
            way = self._ways.get((method, tuple(shape)))
            if way is not None:
                try:
                    return way, {name: UUID(segments[place]) for place, name in way.identifiers}
                except ValueError:
                    return None
        return None

    def _is_host(self, headers: list[tuple[bytes, bytes]]) -> bool:
        for name, value in headers:
            if name == b"host":
                if value in self._hosts:
                    return True
                if len(self._hosts) >= HOSTS_MAX or not is_valid_host(value):
                    return False
                self._hosts.add(value)
                return True
        return True

    async def _go(
        self, way: Way, identifiers: dict[str, UUID], body: bytes | None, scope: Any, receive: Receive, send: Send
    ) -> None:
        scope["app"] = scope["litestar_app"] = self._app
        scope["path_template"] = way.template
        scope["path_params"] = identifiers
        scope["route_handler"] = way.handler
        scope.setdefault("state", {})
        request = LeanRequest(scope, receive, send)
        values: dict[str, Any] = {name: value for name, value in identifiers.items() if name in way.wanted}
        try:
            if way.decode is not None:
                values["data"] = way.decode(body)  # type: ignore[arg-type]
            for name, give, wants_request in way.dependencies:
                values[name] = give(request) if wants_request else give()
            if "request" in way.wanted:
                values["request"] = request
            found = way.call(**values) if way.is_sync else await way.call(**values)
            if isinstance(found, msgspec.Struct):
                answered = self._encode(found)
                status, headers = way.status, [_JSON, (b"content-length", b"%d" % len(answered))]
                response = None
            else:
                response = await way.handler.to_response(app=self._app, data=found, request=request)
        except Exception as surprise:  # noqa: BLE001 -- answered as the framework would have it answered
            status, headers, answered = _refused(surprise, request, way.speaks)
            response = None
        if response is None:
            await _send(send, status, headers, answered)
        else:
            await response(scope, receive, send)


def way_of(needs: Needs) -> Way | None:
    """The short way to a handler, or None where only the framework knows all it does."""
    handler = needs.handler
    is_plain = not (
        handler.resolve_guards()
        or handler.resolve_before_request()
        or handler.resolve_after_response()
        or handler.resolve_response_headers()
        or handler.resolve_response_cookies()
        or handler.resolve_middleware()
        or handler.cache
        or handler.background
        or any(layer.after_request for layer in handler.ownership_layers)
    )
    if not is_plain:
        return None
    segments = needs.route.path.split("/")
    identifiers = tuple(
        (place, segment[1 : -len(":uuid}")])
        for place, segment in enumerate(segments)
        if segment.startswith("{") and segment.endswith(":uuid}")
    )
    if sum(segment.startswith("{") for segment in segments) != len(identifiers) or len(segments) > SEGMENTS_MAX:
        return None
    wanted = frozenset(handler.parsed_fn_signature.parameters)
    given = {name for name, _, _ in needs.dependencies} | {name for _, name in identifiers}
    if not wanted <= given | {"request"} | ({"data"} if needs.body is not None else set()):
        return None
    return Way(
        handler=handler,
        call=handler.fn,
        is_sync=handler.has_sync_callable,
        status=handler.status_code,
        template=needs.route.path,
        identifiers=identifiers,
        decode=None if needs.body is None else decoder_of(needs.body),
        dependencies=tuple(one for one in needs.dependencies if one[0] in wanted),
        wanted=wanted,
        speaks={**problems.HANDLERS, **(handler.exception_handlers or {})},
    )


async def _short_body(scope: Any, receive: Receive) -> tuple[bytes | None, Receive]:
    """The whole body, if its first part is that and it is as long as was said; and how to receive it (again).

    Raises MalformedRequest for one that does not come in time.
    """
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    if len(lengths) != 1 or not lengths[0].isdigit() or not 0 < int(lengths[0]) <= SHORT_BYTES_MAX:
        return None, receive
    try:
        async with asyncio.timeout(LeanRequest.body_seconds_max):
            message: Any = await receive()
    except TimeoutError:
        raise MalformedRequest("the body did not arrive in time") from None
    part: bytes = message.get("body", b"")
    return (part if len(part) == int(lengths[0]) else None), first_again(message, receive)


def _refused(
    surprise: Exception, request: Request[Any, Any, Any], speaks: problems.Speakers
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    media = _PROBLEM
    if isinstance(surprise, Refusal) and speaks[Refusal] is problems.of_refusal:
        status, said, body = surprise.status, problems.headers(surprise), problems.encode(surprise)
    else:
        answered = problems.handler_of(surprise, speaks)(request, surprise)
        status, said, body = answered.status_code or 500, dict(answered.headers), answered.content
        media = (b"content-type", str(answered.media_type).encode())
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]
    return status, [*headers, media, (b"content-length", b"%d" % len(body))], body


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
