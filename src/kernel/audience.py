"""One router per audience: its path, its guard, its security scheme, and the principal handlers may ask for by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Request, Router
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.spec import Components, SecurityScheme

from kernel import errors
from kernel.principal import (
    Audience,
    Citizen,
    DepartmentSystem,
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
        )
    }
)

_WHY: dict[str, type[errors.Refusal]] = {
    "absent": errors.NotSignedIn,
    "invalid": errors.NotSignedIn,
    "expired": errors.TokenExpired,
    "revoked": errors.TokenRevoked,
}


class Signed:
    """What the edge found out about a request: the principal, and the audience its token was made for."""

    __slots__ = ("audience", "principal")

    def __init__(self, principal: Principal | NotProved, audience: Audience | None) -> None:
        self.principal = principal
        self.audience = audience


def _guard_of(audience: Audience) -> Any:
    def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        signed: Signed = connection.scope["user"]
        if signed.audience is not audience and not handler.opt.get(OPEN):
            if isinstance(signed.principal, NotProved):
                raise _WHY[signed.principal.why]
            raise errors.WrongAudience

    return admit


def _principal(request: Request[Any, Any, Any]) -> Any:
    return request.scope["user"].principal


def resident_of(request: Request[Any, Any, Any]) -> Resident:
    found = _principal(request)
    assert isinstance(found, Resident)
    return found


def citizen_of(request: Request[Any, Any, Any]) -> Citizen:
    found = resident_of(request)
    if found.person_id is None:
        raise errors.RealNameNeeded
    return Citizen(found.account_id, found.session_id, found.person_id)


def device_of(request: Request[Any, Any, Any]) -> VenueDevice:
    found = _principal(request)
    assert isinstance(found, VenueDevice)
    return found


def department_of(request: Request[Any, Any, Any]) -> DepartmentSystem:
    found = _principal(request)
    if not isinstance(found, DepartmentSystem):
        raise errors.RoleMissing("this is for a department's own system, not for its staff")
    return found


def staff_of(request: Request[Any, Any, Any]) -> Staff:
    found = _principal(request)
    if not isinstance(found, Staff):
        raise errors.RoleMissing("this is for staff at a desk, not for a department's system")
    return found


def operator_of(request: Request[Any, Any, Any]) -> Operator:
    found = _principal(request)
    assert isinstance(found, Operator)
    return found


_PROVIDERS: dict[Audience, dict[str, Any]] = {
    Audience.PUBLIC: {},
    Audience.RESIDENT: {"resident": resident_of, "citizen": citizen_of},
    Audience.MINI: {"resident": resident_of, "citizen": citizen_of},
    Audience.VENUE: {"device": device_of},
    Audience.DEPARTMENT: {"department": department_of, "staff": staff_of},
    Audience.OPERATOR: {"operator": operator_of},
}


def router_of(audience: Audience, handlers: Sequence[HTTPRouteHandler]) -> Router:
    """All routes of one audience, under `/<audience>` (the public ones at the root)."""
    public = audience is Audience.PUBLIC
    return Router(
        path="/" if public else f"/{audience}",
        route_handlers=list(handlers),
        guards=[] if public else [_guard_of(audience)],
        security=[] if public else [{"accessToken": []}],
        dependencies={name: Provide(give, sync_to_thread=False) for name, give in _PROVIDERS[audience].items()},
        opt={"audience": audience},
    )
