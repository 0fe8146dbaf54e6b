"""Refusals as problem documents (RFC 9457), on the wire and in OpenAPI."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import ParameterKwarg

from kernel import errors
from kernel.db import DatabaseAway, OutcomeUnknown, RolledBack
from kernel.errors import Refusal
from kernel.grouping import TooManyWaiting
from kernel.log import get_logger, redact
from kernel.reading import TooManyReading
from kernel.redis import RedisAway

PROBLEM_MEDIA = "application/problem+json"
AWAY_RETRY_SECONDS = 1

log = get_logger(__name__)


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Why a request was refused. `code` is permanent: programs may rely on it; `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None


def document(refusal: Refusal) -> dict[str, Any]:
    """The members of a refusal's problem document."""
    members: dict[str, Any] = {
        "type": f"urn:suishenban:problem:{refusal.code}",
        "title": refusal.title(),
        "status": refusal.status,
        "code": refusal.code,
    }
    if refusal.detail:
        members["detail"] = refusal.detail
    return members | refusal.members


def headers(refusal: Refusal) -> dict[str, str]:
    found = {"Cache-Control": "no-store"}
    if refusal.retry_after_seconds is not None:
        found["Retry-After"] = str(refusal.retry_after_seconds)
    if refusal.status == 401:
        found["WWW-Authenticate"] = 'Bearer realm="suishenban"'
    return found


def encode(refusal: Refusal) -> bytes:
    return msgspec.json.encode(document(refusal))


def answer(refusal: Refusal) -> Response[bytes]:
    return Response(encode(refusal), status_code=refusal.status, media_type=PROBLEM_MEDIA, headers=headers(refusal))


_OF_STATUS: dict[int, type[Refusal]] = {
    400: errors.MalformedRequest,
    401: errors.NotSignedIn,
    404: errors.NoSuchPath,
    405: errors.MethodNotAllowed,
    406: errors.NotAcceptable,
    413: errors.BodyTooLarge,
    415: errors.UnsupportedMedia,
}


def of_refusal(_: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    return answer(refusal)


def of_framework(request: Request[Any, Any, Any], problem: HTTPException) -> Response[bytes]:
    """What the framework refuses by itself: a path nobody serves, a body that does not decode."""
    kind = _OF_STATUS.get(
        problem.status_code, errors.MalformedRequest if problem.status_code < 500 else errors.Unexpected
    )
    if kind is errors.Unexpected:
        return of_surprise(request, problem)
    if kind is errors.MalformedRequest:
        return answer(kind(redact(_what_is_wrong(request, problem))))
    refused = answer(kind())
    if problem.headers and "allow" in problem.headers:
        refused.headers["Allow"] = problem.headers["allow"]
    return refused


def _what_is_wrong(request: Request[Any, Any, Any], problem: HTTPException) -> str:
    extra = problem.extra
    if isinstance(extra, list) and extra:
        said = [f"{_as_sent(request, item)}: {item.get('message', '')}" for item in extra if isinstance(item, dict)]
        return "; ".join(said)[:500]
    return str(problem.detail)[:500]


def _as_sent(request: Request[Any, Any, Any], item: dict[str, Any]) -> str:
    """What is wrong by the name that the caller gave it: `date` or `If-None-Match`, not our own name for it."""
    key = str(item.get("key", "body"))
    handler: Any = request.scope.get("route_handler")
    if handler is None or item.get("source") == "body":
        return key
    parameter = handler.parsed_fn_signature.parameters.get(key)
    told_as = None if parameter is None else parameter.kwarg_definition
    return told_as.name or key if isinstance(told_as, ParameterKwarg) else key


def of_too_deep(_: Request[Any, Any, Any], __: RecursionError) -> Response[bytes]:
    """A body nested deeper than anything we take: the decoder gives up, and that is the caller's fault."""
    return answer(errors.MalformedRequest("the body is nested too deep"))


def of_absence(_: Request[Any, Any, Any], away: Exception) -> Response[bytes]:
    log.warning("a part is away", error=type(away).__name__)
    return answer(errors.PartAway(retry_after_seconds=AWAY_RETRY_SECONDS))


def of_surprise(request: Request[Any, Any, Any], surprise: Exception) -> Response[bytes]:
    """A fault of ours: recorded once, here, with its trace; the caller learns nothing of it."""
    log.error("unexpected failure", route=str(request.scope.get("path_template", "")), exc_info=surprise)
    return answer(errors.Unexpected())


Speakers = Mapping[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[bytes]]]
HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[bytes]]] = {
    Refusal: of_refusal,
    HTTPException: of_framework,
    DatabaseAway: of_absence,
    RedisAway: of_absence,
    TooManyWaiting: of_absence,
    TooManyReading: of_absence,
    OutcomeUnknown: of_absence,
    RolledBack: of_absence,
    RecursionError: of_too_deep,
    Exception: of_surprise,
}


def handler_of(
    surprise: Exception, speakers: Speakers = HANDLERS
) -> Callable[[Request[Any, Any, Any], Any], Response[bytes]]:
    """Who answers for an exception: the nearest of its classes that is spoken for."""
    return next(speakers[kind] for kind in type(surprise).__mro__ if kind in speakers)


def refuses(*refusals: type[Refusal]) -> dict[int, ResponseSpec]:
    """Declare in OpenAPI what an operation may refuse; refusals of one status share an entry."""
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            media_type=PROBLEM_MEDIA,
            description=" ".join(f"`{refusal.code}`: {refusal.title()}" for refusal in together),
        )
        for status, together in sorted(by_status.items())
    }
