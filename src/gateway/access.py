"""The edge: one ASGI layer that proves who is calling, once per request, counts, limits and traces.

A verified token is cached by its digest until it expires; a session that ended is looked for at every request, so an
ended one is refused within the same second that the snapshot of ended sessions hears of it.
"""

from collections.abc import Callable
from hashlib import sha256
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import jwt
import msgspec
from litestar.types import ASGIApp, Message, Receive, Send

from gateway import tokens
from kernel import problems
from kernel.audience import PROGRAM_PATHS, Program, Signed
from kernel.clock import Clock
from kernel.errors import RateLimited, Refusal
from kernel.keys import NotOurSignature, SigningKeys
from kernel.limits import Limit, Limits
from kernel.principal import NotProved
from kernel.telemetry import Telemetry, Tracing, stopwatch
from notifications.notify_v2.errors import in_their_words
from notifications.services.keys.proving import Proving

TOKENS_CACHED_MAX = 50_000
"""Verified tokens kept per process; when full, the older half goes (they are verified again, nothing is lost)."""
TOKEN_BYTES_MAX = 4_096

_ABSENT = Signed(NotProved("absent"), None)
_INVALID = Signed(NotProved("invalid"), None)
_EXPIRED = Signed(NotProved("expired"), None)
_REVOKED = Signed(NotProved("revoked"), None)

_NOT_PROVED = {"absent": _ABSENT, "invalid": _INVALID, "expired": _EXPIRED, "revoked": _REVOKED}
PROGRAM_REQUESTS_PER_MINUTE = 12_000
"""Of one service with one kind of key, reads included; what it sends is limited where messages are accepted."""

_TWO_TOKENS = b""
"""In place of two Authorization headers: whatever stood before us may have looked at the other one."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
_NO_STORE = (b"cache-control", b"no-store")


class _Verified(msgspec.Struct, frozen=True):
    signed: Signed
    session_id: UUID
    expires_at: float
    limits_as: str


class TokenCheck:
    """Turns an Authorization header into a `Signed`, from memory where it can."""

    def __init__(
        self, signing_keys: SigningKeys, clock: Clock, *, issuer: str, ended: Callable[[], frozenset[UUID]]
    ) -> None:
        self._signing_keys = signing_keys
        self._clock = clock
        self._issuer = issuer
        self._ended = ended
        self._known: dict[bytes, _Verified] = {}
        self._keys_of: object = None

    def check(self, header: bytes | None, now: float) -> tuple[Signed, str | None]:
        """Who the token proves, and under whose name its requests are limited (None: its address)."""
        if header is None:
            return _ABSENT, None
        if header[:7].lower() != b"bearer " or len(header) > TOKEN_BYTES_MAX:
            return _INVALID, None
        if self._signing_keys.snapshot.current is not self._keys_of:  # a key came or was revoked: prove all anew
            self._keys_of = self._signing_keys.snapshot.current
            self._known.clear()
        digest = sha256(header).digest()
        known = self._known.get(digest)
        if known is None:
            found = self._verify(header[7:])
            if isinstance(found, Signed):
                return found, None
            known = self._remember(digest, found)
        if known.expires_at <= now:
            return _EXPIRED, None
        if known.session_id in self._ended():
            return _REVOKED, None
        return known.signed, known.limits_as

    def _verify(self, token: bytes) -> _Verified | Signed:
        try:
            text = token.decode("ascii").strip()
            claims = self._signing_keys.claims_of(tokens.PURPOSE, text, audience=None, issuer=self._issuer)
            session_id = tokens.session_of(claims)
            signed = Signed(tokens.principal_of(claims), tokens.audience_of(claims))
        except jwt.ExpiredSignatureError:
            return _EXPIRED
        except (NotOurSignature, tokens.NotOurClaims, UnicodeDecodeError):
            return _INVALID
        return _Verified(signed, session_id, float(claims["exp"]), str(session_id))

    def _remember(self, digest: bytes, verified: _Verified) -> _Verified:
        if len(self._known) >= TOKENS_CACHED_MAX:
            for old in list(self._known)[: TOKENS_CACHED_MAX // 2]:
                del self._known[old]
        self._known[digest] = verified
        return verified


class ProgramCheck:
    """Turns the Authorization header of a department's program into a `Signed`, from memory alone."""

    def __init__(self, proving: Proving) -> None:
        self._proving = proving

    def check(self, header: bytes | None, now: float) -> tuple[Signed, str | None]:
        """Whose API key the token was signed with, and under whose name its requests are limited."""
        key = self._proving.prove(header, now)
        if isinstance(key, str):
            return _NOT_PROVED[key], None
        return Signed(Program(key.key_id, key.service_id, key.kind), None), f"service {key.service_id} {key.kind}"


class Edge:
    """Stands before the application. Holds no request up: everything here is in memory."""

    def __init__(
        self,
        app: ASGIApp,
        check: TokenCheck,
        limits: Limits,
        telemetry: Telemetry,
        tracing: Tracing,
        clock: Clock,
        *,
        requests_per_minute: int,
        proxies: int = 0,
        programs: ProgramCheck | None = None,
    ) -> None:
        self._app = app
        self._check = check
        self._limits = limits
        self._telemetry = telemetry
        self._tracing = tracing
        self._clock = clock
        self._limit = Limit("edge", requests_per_minute, 60)
        self._proxies = proxies
        self._programs = programs
        self._program_limit = Limit("programs", max(PROGRAM_REQUESTS_PER_MINUTE, requests_per_minute), 60)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = stopwatch()
        authorization, traceparent, forwarded = _headers(scope["headers"])
        if self._proxies:
            scope["client"] = _client(forwarded, self._proxies, scope.get("client"))
        now, limit = self._clock.now().timestamp(), self._limit
        is_program = self._programs is not None and scope["path"].startswith(PROGRAM_PATHS)
        if self._programs is not None and is_program:
            signed, limits_as = self._programs.check(authorization, now)
            limit = limit if limits_as is None else self._program_limit
        else:
            signed, limits_as = self._check.check(authorization, now)
        scope["user"] = signed
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message["headers"])
                headers += _SAFE_HEADERS
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
                message["headers"] = headers
            await send(message)

        wait = self._limits.allow_locally(limit, limits_as or _address(scope))
        if wait is not None:
            await _refuse(RateLimited(retry_after_seconds=int(wait) + 1), answer, in_their_form=is_program)
        elif self._tracing.is_on:
            await self._traced(scope, receive, answer, traceparent)
        else:
            await self._app(scope, receive, answer)
        self._telemetry.request(_method(scope), _route(scope), status, stopwatch() - started)

    async def _traced(self, scope: Any, receive: Receive, answer: Send, traceparent: bytes | None) -> None:
        span = self._tracing.request_span(traceparent.decode("latin-1") if traceparent else None)
        if span is None:
            await self._app(scope, receive, answer)
            return
        with span as current:
            await self._app(scope, receive, answer)
            current.update_name(f"{_method(scope)} {_route(scope)}")


def _headers(headers: list[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Authorization, traceparent and X-Forwarded-For, each None where it is absent."""
    authorization = traceparent = forwarded = None
    for name, value in headers:
        if name == b"authorization":
            authorization = value if authorization is None else _TWO_TOKENS
        elif name == b"traceparent":
            traceparent = value
        elif name == b"x-forwarded-for":
            forwarded = value if forwarded is None else forwarded + b"," + value
    return authorization, traceparent, forwarded


def _client(forwarded: bytes | None, proxies: int, seen: Any) -> Any:
    """Who called, as the outermost of our own proxies saw it: what stands further left anybody may have written."""
    addresses = [] if forwarded is None else forwarded.decode("latin-1").split(",")
    if len(addresses) < proxies:
        return seen
    try:
        return str(ip_address(addresses[-proxies].strip())), 0
    except ValueError:
        return seen


def _address(scope: Any) -> str:
    client = scope.get("client")
    return f"address {client[0]}" if client else "address unknown"


def _method(scope: Any) -> str:
    """A method there is: any other is a word of the caller's, and stays out of metrics and traces."""
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Any) -> str:
    return scope.get("path_template") or "unknown"


async def _refuse(refusal: Refusal, send: Send, *, in_their_form: bool) -> None:
    media, body = problems.PROBLEM_MEDIA, problems.encode(refusal)
    if in_their_form:
        media, body = "application/json", msgspec.json.encode(in_their_words(refusal, ""))
    headers = [(b"content-type", media.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in problems.headers(refusal).items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
