"""One router per audience: its path, its security scheme, and the principal its handlers ask for by name.

Asking for the principal is the admission: nobody gets one without a token made for that audience.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, Router
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Components, SecurityScheme

from kernel import errors
from kernel.ids import DepartmentId
from kernel.principal import (
    Audience,
    Citizen,
    DepartmentSystem,
    Keeper,
    NotProved,
    Operator,
    Principal,
    Resident,
    Staff,
    VenueDevice,
)

Handlers = Mapping[Audience, Sequence[HTTPRouteHandler]]

OPEN = "open_to_all"
"""Set `opt={OPEN: True}` on the few handlers of an audience that come before signing in, such as sign-in itself."""

SECURITY = Components(
    security_schemes={
        "accessToken": SecurityScheme(
            type="http", scheme="bearer", bearer_format="JWT", description="The access token that signing in returned."
        ),
    }
)

PROGRAM_PATHS: Final = ("/v2/", "/service/")
"""Where programs of departments enter that prove themselves by an API key of their service, as GOV.UK Notify has it."""
PROGRAM_SECURITY: Final = Components(
    security_schemes={
        "serviceToken": SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="A JWT (HS256) signed with an API key's secret: `iss` its service, `iat` within 30 seconds.",
        )
    }
)


class Program(msgspec.Struct, frozen=True):
    """A department's program, proved by an API key of its service, which is the department."""

    key_id: UUID
    service_id: DepartmentId
    kind: Literal["live", "team", "test"]


_WHY: dict[str, type[errors.Refusal]] = {
    "absent": errors.NotSignedIn,
    "invalid": errors.NotSignedIn,
    "expired": errors.TokenExpired,
    "revoked": errors.TokenRevoked,
}


class Signed:
    """What the edge found out about a request: the principal, and the audience its token was made for."""

    __slots__ = ("audience", "principal")

    def __init__(self, principal: Principal | Program | NotProved, audience: Audience | None) -> None:
        self.principal = principal
        self.audience = audience


def _signed_for(request: Request[Any, Any, Any], *audiences: Audience) -> Any:
    """The principal of a token made for one of these audiences."""
    signed: Signed = request.scope["user"]
    if signed.audience not in audiences:
        raise _WHY[signed.principal.why] if isinstance(signed.principal, NotProved) else errors.WrongAudience
    return signed.principal


def _resident(request: Request[Any, Any, Any], audience: Audience) -> Resident:
    found = _signed_for(request, audience)
    assert isinstance(found, Resident)
    return found


def _citizen(request: Request[Any, Any, Any], audience: Audience) -> Citizen:
    found = _resident(request, audience)
    if found.person_id is None:
        raise errors.RealNameNeeded
    return Citizen(found.account_id, found.session_id, found.person_id)


def _app_resident(request: Request[Any, Any, Any]) -> Resident:
    return _resident(request, Audience.RESIDENT)


def _app_citizen(request: Request[Any, Any, Any]) -> Citizen:
    return _citizen(request, Audience.RESIDENT)


def _mini_resident(request: Request[Any, Any, Any]) -> Resident:
    return _resident(request, Audience.MINI)


def _mini_citizen(request: Request[Any, Any, Any]) -> Citizen:
    return _citizen(request, Audience.MINI)


def _device(request: Request[Any, Any, Any]) -> VenueDevice:
    found = _signed_for(request, Audience.VENUE)
    assert isinstance(found, VenueDevice)
    return found


def _department(request: Request[Any, Any, Any]) -> DepartmentSystem:
    found = _signed_for(request, Audience.DEPARTMENT)
    if not isinstance(found, DepartmentSystem):
        raise errors.RoleMissing("this is for a department's own system, not for its staff")
    return found


def _staff(request: Request[Any, Any, Any]) -> Staff:
    found = _signed_for(request, Audience.DEPARTMENT)
    if not isinstance(found, Staff):
        raise errors.RoleMissing("this is for staff at a desk, not for a department's system")
    return found


def _keeper(request: Request[Any, Any, Any]) -> Keeper:
    found = _signed_for(request, Audience.DEPARTMENT)
    if isinstance(found, DepartmentSystem):
        return Keeper(found.department_id, found.slug, None, f"department:{found.department_id}")
    assert isinstance(found, Staff)
    if not found.is_supervisor:
        raise errors.RoleMissing("this is for a department's own system and for supervisors")
    return Keeper(found.department_id, None, found.office_id, f"staff:{found.staff_id}")


def _operator(request: Request[Any, Any, Any]) -> Operator:
    found = _signed_for(request, Audience.OPERATOR)
    assert isinstance(found, Operator)
    return found


_PROVIDERS: dict[Audience, dict[str, Any]] = {
    Audience.PUBLIC: {},
    Audience.RESIDENT: {"resident": _app_resident, "citizen": _app_citizen},
    Audience.MINI: {"resident": _mini_resident, "citizen": _mini_citizen},
    Audience.VENUE: {"device": _device},
    Audience.DEPARTMENT: {"department": _department, "staff": _staff, "keeper": _keeper},
    Audience.OPERATOR: {"operator": _operator},
}


def router_of(audience: Audience, handlers: Sequence[HTTPRouteHandler]) -> Router:
    """All routes of one audience, under `/<audience>` (the public ones at the root).

    A handler is admitted to by asking for a principal: only a token made for this audience gives one. One that asks for
    none and is not marked `OPEN` is a mistake of ours, found when the application is built.
    """
    public = audience is Audience.PUBLIC
    for handler in handlers:
        asks = set(signature(handler.fn).parameters) & set(_PROVIDERS[audience])
        assert public or asks or handler.opt.get(OPEN), f"{handler.fn.__name__} admits anybody to {audience}"
    return Router(
        path="/" if public else f"/{audience}",
        route_handlers=[*_answers_to_options(handlers), *handlers],
        security=[] if public else [{"accessToken": []}],
        dependencies={name: Provide(give, sync_to_thread=False) for name, give in _PROVIDERS[audience].items()},
        opt={"audience": audience},
    )


def _program(request: Request[Any, Any, Any]) -> Program:
    """Raises NotSignedIn, TokenExpired, TokenRevoked; why is in `request.scope["user"]`."""
    signed: Signed = request.scope["user"]
    if isinstance(signed.principal, NotProved):
        raise _WHY[signed.principal.why]
    assert isinstance(signed.principal, Program), "the edge proves programs under their paths"
    return signed.principal


def router_of_programs(handlers: Sequence[HTTPRouteHandler]) -> Router:
    """The routes of departments' programs, which are no audience of ours: their paths and errors are another's.

    Each stands under `PROGRAM_PATHS` and asks for a `program`; one that does not is a mistake of ours.
    """
    for handler in handlers:
        assert all(path.startswith(PROGRAM_PATHS) for path in handler.paths), f"{handler.paths} is elsewhere"
        assert "program" in signature(handler.fn).parameters, f"{handler.fn.__name__} admits anybody"
    return Router(
        path="/",
        route_handlers=[*_answers_to_options(handlers), *handlers],
        security=[{"serviceToken": []}],
        dependencies={"program": Provide(_program, sync_to_thread=False)},
    )


def _answers_to_options(handlers: Sequence[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Answers that name every method of an address. They come first: the framework adds its own to a handler that has
    none beside it, which names that handler's methods alone."""
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for handler in handlers:
        for path in handler.paths:
            methods[path] |= handler.http_methods
    for path, taken in methods.items():
        name_methods = _naming(", ".join(sorted({*taken, "OPTIONS"})))
        options = HTTPRouteHandler(path, http_method="OPTIONS", include_in_schema=False, sync_to_thread=False)
        yield options(name_methods)


def _naming(methods: str) -> Callable[[], Response[None]]:
    def name_methods() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": methods})

    return name_methods


def merged(*parts: Handlers) -> Handlers:
    """The handlers of several parts, by audience."""
    together: dict[Audience, list[HTTPRouteHandler]] = {}
    for part in parts:
        for audience, handlers in part.items():
            together.setdefault(audience, []).extend(handlers)
    return together
