"""Department apps over HTTP: the list of them, calls to them, the keys they trust, and the operators' hand on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post, route
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.params import HeaderParameter, PathParameter
from litestar.types import ASGIApp

from gateway.departments.calling import Call
from gateway.departments.errors import (
    AppAway,
    AppBusy,
    AppFailed,
    AppLate,
    AppSuspended,
    AppUnknown,
    AppUnreachable,
    RouteUnknown,
    ServerNotReady,
)
from gateway.departments.manifest import BODY_BYTES_MAX, Named, Route
from gateway.departments.model import App, Registered
from gateway.departments.parts import Departments
from gateway.departments.relaying import Relayed
from gateway.sessions.http import audience_of
from kernel.errors import BodyTooLarge, MalformedRequest, MethodNotAllowed, RealNameNeeded, UnsupportedMedia
from kernel.principal import Audience, Operator, Resident
from kernel.problems import refuses

KEYS_CACHED_SECONDS = 300
"""Shorter than the hour for which a key is announced before it signs."""

Slug = Annotated[
    str,
    PathParameter(
        description="The app's name, as in the list of apps.",
        pattern=r"^[a-z][a-z0-9-]{1,39}$(?!\n)",
        examples=[Example(value="parks")],
    ),
]


IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", max_length=200, description="The `ETag` you have.")
]


_NOT_MODIFIED = ResponseSpec(data_container=None, generate_examples=False, description="You have this list already.")


class RouteView(msgspec.Struct):
    """One thing the app does. `needs` says whether the real name must have been checked."""

    method: str
    path: str
    name: Named
    needs: Literal["real_name", "phone"]

    @classmethod
    def of(cls, declared: Route) -> "RouteView":
        return cls(declared.method, declared.path, Named(declared.zh, declared.en), declared.needs)


class AppView(msgspec.Struct):
    """A department's app behind the entrance."""

    slug: str
    name: Named
    about: Named

    @classmethod
    def of(cls, app: App) -> "AppView":
        return cls(app.slug, app.manifest.name, app.manifest.about)


class AppsView(msgspec.Struct):
    apps: list[AppView]


class AppDetailView(msgspec.Struct):
    """A department's app and what it does; call its routes under `/apps/{slug}`."""

    slug: str
    name: Named
    about: Named
    routes: list[RouteView]


class RegisteredView(msgspec.Struct):
    """An app as operators see it."""

    slug: str
    department: str
    contact: str
    state: Literal["registered", "live", "suspended"]
    version: int
    is_resting: bool
    """Whether this process leaves it alone for a while, because it went wrong several times."""

    @classmethod
    def of(cls, registered: Registered, departments: Departments) -> "RegisteredView":
        manifest = registered.manifest
        return cls(
            slug=manifest.slug,
            department=manifest.department,
            contact=manifest.contact,
            state=registered.state.value,
            version=registered.version,
            is_resting=manifest.slug in departments.calling.resting(),
        )


class RegisteredAppsView(msgspec.Struct):
    apps: list[RegisteredView]


class PublicKey(msgspec.Struct):
    """A public key (RFC 7517) that tokens for departments are signed with."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str


class PublicKeys(msgspec.Struct):
    keys: list[PublicKey]


@get(
    "/.well-known/jwks.json",
    operation_id="readPublicKeys",
    summary="The keys that tokens for departments are signed with",
    status_code=200,
)
async def read_public_keys(departments: NamedDependency[Departments]) -> Response[PublicKeys]:
    """A JWK set. Ask again when a token names a key you do not know."""
    found = msgspec.convert(departments.public_keys(), PublicKeys)
    return Response(found, headers={"Cache-Control": f"public, max-age={KEYS_CACHED_SECONDS}"})


@get(
    "/apps",
    operation_id="listApps",
    summary="The departments' apps",
    status_code=200,
    responses=refuses(MalformedRequest) | {304: _NOT_MODIFIED},
)
async def list_apps(
    request: Request[Any, Any, Any],
    resident: NamedDependency[Resident],
    departments: NamedDependency[Departments],
    if_none_match: IfNoneMatch = None,
) -> Response[AppsView]:
    """Those that are live for this audience. Answers 304 while the list is the one whose `ETag` you have."""
    apps = departments.apps
    headers = {"ETag": apps.etag, "Cache-Control": "private, no-cache"}
    if if_none_match == apps.etag:
        return Response(None, status_code=304, headers=headers)  # type: ignore[arg-type]
    return Response(AppsView([AppView.of(app) for app in apps.live(audience_of(request))]), headers=headers)


@get(
    "/apps/{slug:str}",
    operation_id="readApp",
    summary="One department's app and what it does",
    status_code=200,
    responses=refuses(MalformedRequest, AppUnknown),
)
async def read_app(
    slug: Slug,
    request: Request[Any, Any, Any],
    resident: NamedDependency[Resident],
    departments: NamedDependency[Departments],
) -> AppDetailView:
    """Its routes for this audience, as its department declared them."""
    audience = audience_of(request)
    app = next((one for one in departments.apps.live(audience) if one.slug == slug), None)
    if app is None:
        raise AppUnknown
    routes = [RouteView.of(declared) for declared in app.manifest.routes if app.serves(audience, declared)]
    return AppDetailView(app.slug, app.manifest.name, app.manifest.about, routes)


_ANSWER = OpenAPIResponse(
    description="What the department's app answers, 4xx included.", content={"*/*": OpenAPIMediaType(schema=Schema())}
)


@dataclass
class _PassedOn(Operation):
    """The answer of an app is described by its department."""

    def __post_init__(self) -> None:
        answers = {status: said for status, said in (self.responses or {}).items() if status != "200"}
        self.responses = {**answers, "2XX": _ANSWER, "4XX": _ANSWER}


@dataclass
class _PassedOnWithBody(_PassedOn):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.request_body = RequestBody(
            content={"application/json": OpenAPIMediaType(schema=Schema()), "*/*": OpenAPIMediaType(schema=Schema())},
            description="Whatever the app's route takes, up to the bound it declares.",
        )


_REFUSED = refuses(
    MalformedRequest,
    RealNameNeeded,
    AppUnknown,
    RouteUnknown,
    MethodNotAllowed,
    BodyTooLarge,
    UnsupportedMedia,
    AppSuspended,
    AppBusy,
    AppAway,
    AppUnreachable,
    AppFailed,
    AppLate,
)


async def _pass_on(request: Request[Any, Any, Any], slug: str, resident: Resident, departments: Departments) -> ASGIApp:
    scope = request.scope
    call = Call(
        audience=audience_of(request),
        slug=slug,
        method=scope["method"],
        raw_path=scope["raw_path"],
        raw_query=scope["query_string"],
        headers=scope["headers"],
    )
    admitted = departments.calling.find(call, resident)
    if _declared_length(request) > admitted.body_bytes_max:
        raise BodyTooLarge
    return Relayed(await departments.calling.call(admitted, resident, await request.body()))


def _declared_length(request: Request[Any, Any, Any]) -> int:
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) <= 12 else BODY_BYTES_MAX + 1


_NAMES = {HttpMethod.PUT: "replaceInApp", HttpMethod.PATCH: "changeInApp", HttpMethod.DELETE: "deleteFromApp"}


def _named_after_method(_: HTTPRouteHandler, method: Any, __: Sequence[Any]) -> str:
    return _NAMES[HttpMethod(method)]


@get(
    "/apps/{slug:str}/{rest:path}",
    operation_id="readFromApp",
    operation_class=_PassedOn,
    summary="Ask a department's app",
    status_code=200,
    responses=_REFUSED,
)
async def read_from_app(
    slug: Slug,
    rest: Annotated[str, PathParameter(description="A path the app declares.", examples=[Example(value="parks")])],
    request: Request[Any, Any, Any],
    resident: NamedDependency[Resident],
    departments: NamedDependency[Departments],
) -> ASGIApp:
    """Passed on with a token made for that department alone: it learns who you are to it, and nothing else."""
    return await _pass_on(request, slug, resident, departments)


@post(
    "/apps/{slug:str}/{rest:path}",
    operation_id="writeToApp",
    operation_class=_PassedOnWithBody,
    summary="Send something to a department's app",
    status_code=200,
    responses=_REFUSED,
)
async def write_to_app(
    slug: Slug,
    rest: Annotated[str, PathParameter(description="A path the app declares.", examples=[Example(value="me/visits")])],
    request: Request[Any, Any, Any],
    resident: NamedDependency[Resident],
    departments: NamedDependency[Departments],
) -> ASGIApp:
    """Passed on like a read; the answer is the app's. Send `Idempotency-Key` to retry."""
    return await _pass_on(request, slug, resident, departments)


@route(
    "/apps/{slug:str}/{rest:path}",
    http_method=list(_NAMES),
    operation_id=_named_after_method,
    operation_class=_PassedOnWithBody,
    summary="Change something in a department's app",
    status_code=200,
    responses=_REFUSED,
)
async def change_in_app(
    slug: Slug,
    rest: Annotated[str, PathParameter(description="A path the app declares.", examples=[Example(value="me/visits")])],
    request: Request[Any, Any, Any],
    resident: NamedDependency[Resident],
    departments: NamedDependency[Departments],
) -> ASGIApp:
    """Passed on like any other, where the app declares this method. Send `Idempotency-Key` to retry."""
    return await _pass_on(request, slug, resident, departments)


@get("/apps", operation_id="listRegisteredApps", summary="Every department app, whatever its state", status_code=200)
async def list_registered_apps(
    operator: NamedDependency[Operator], departments: NamedDependency[Departments]
) -> RegisteredAppsView:
    """By name, as they lie in the database."""
    return RegisteredAppsView([RegisteredView.of(one, departments) for one in await departments.every_app()])


@post(
    "/apps/{slug:str}/go-live",
    operation_id="takeAppLive",
    summary="Show a department's app to residents",
    status_code=200,
    responses=refuses(MalformedRequest, AppUnknown, ServerNotReady),
)
async def take_app_live(
    slug: Slug, operator: NamedDependency[Operator], departments: NamedDependency[Departments]
) -> RegisteredView:
    """Its server is asked first whether it is there. Recorded."""
    registered = await departments.go_live(slug, actor=f"staff:{operator.staff_id}")
    return RegisteredView.of(registered, departments)


@post(
    "/apps/{slug:str}/suspend",
    operation_id="suspendApp",
    summary="Take a department's app away from residents",
    status_code=200,
    responses=refuses(MalformedRequest, AppUnknown),
)
async def suspend_app(
    slug: Slug, operator: NamedDependency[Operator], departments: NamedDependency[Departments]
) -> RegisteredView:
    """Within a second, everywhere; go-live brings it back. Recorded."""
    registered = await departments.suspend(slug, actor=f"staff:{operator.staff_id}")
    return RegisteredView.of(registered, departments)


_FOR_RESIDENTS: list[HTTPRouteHandler] = [list_apps, read_app, read_from_app, write_to_app, change_in_app]

HANDLERS: dict[Audience, list[HTTPRouteHandler]] = {
    Audience.PUBLIC: [read_public_keys],
    Audience.RESIDENT: _FOR_RESIDENTS,
    Audience.MINI: _FOR_RESIDENTS,
    Audience.OPERATOR: [list_registered_apps, take_app_live, suspend_app],
}
