"""Every route names its audience, is listed, and stands under the path of whom it is for."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from inspect import signature

from litestar import Litestar, get
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from gateway import routes
from gateway.parts import PART_NAMES
from kernel.audience import OPEN, PROGRAM_PATHS, router_of
from kernel.principal import Audience
from notifications.notify_v2.http import HANDLERS as PROGRAM_HANDLERS
from tests.shape.tree import Source, sources

ROUTE_DECORATORS = {"get", "post", "put", "patch", "delete", "head", "route"}
PRINCIPALS = {
    Audience.RESIDENT: {"resident", "citizen"},
    Audience.MINI: {"resident", "citizen"},
    Audience.VENUE: {"device"},
    Audience.DEPARTMENT: {"department", "staff", "keeper"},
    Audience.OPERATOR: {"operator"},
}
"""By asking for which of these a handler of an audience admits only those who have proved who they are."""
BEFORE_SIGN_IN = {
    "askForCode", "signIn", "refreshSession", "signInFromChat", "askForStaffCode", "signInStaff", "refreshStaffSession",
    "giveMachineToken", "listOffices", "listServices",
}  # fmt: skip
"""Everything that an audience may do before anybody has signed in: whoever opens one more operation says so here."""


def handlers_of(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Every handler with its path, without the answers to OPTIONS that the framework adds."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else []:
            if handler.http_methods != {"OPTIONS"}:
                yield route.path, handler


def without_audience(app: Litestar) -> list[str]:
    """Routes that do not say for whom they are, stand elsewhere than their audience does, or admit anybody."""
    found = []
    for path, handler in handlers_of(app):
        audience = handler.opt.get("audience")
        if not isinstance(audience, Audience):
            found.append(f"{path}: for nobody in particular")
        elif audience is not Audience.PUBLIC:
            asks = PRINCIPALS[audience] & set(signature(handler.fn).parameters)
            if not path.startswith(f"/{audience}/"):
                found.append(f"{path}: for {audience}, and not under /{audience}")
            if not asks and handler.operation_id not in BEFORE_SIGN_IN:
                found.append(f"{path}: for {audience}, and open to everybody")
    return found


def declared(source: Source) -> set[str]:
    """The functions of a module that are decorated as handlers, as `module.function`."""
    return {
        f"{source.module}.{function.name}"
        for function in source.functions()
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] in ROUTE_DECORATORS
    }


def listed(handlers: Iterable[HTTPRouteHandler]) -> set[str]:
    return {f"{handler.fn.__module__}.{handler.fn.__name__}" for handler in handlers}


def the_city() -> Litestar:
    routers = [router_of(audience, routes.handlers_of(audience, demo=True)) for audience in Audience]
    parts = {name: Provide(lambda: None, sync_to_thread=False) for name in PART_NAMES}
    return Litestar(routers, dependencies=parts, openapi_config=None, logging_config=None)


def test_every_route_names_its_audience() -> None:
    assert without_audience(the_city()) == []


def test_only_what_comes_before_sign_in_is_open() -> None:
    opened = {str(handler.operation_id) for _, handler in handlers_of(the_city()) if handler.opt.get(OPEN)}
    assert opened == BEFORE_SIGN_IN


def test_every_handler_is_listed_for_an_audience() -> None:
    written = {name for source in sources("src") if source.package != "city" for name in declared(source)}
    served = {name for audience in Audience for name in listed(routes.handlers_of(audience, demo=True))}
    assert written - served - listed(PROGRAM_HANDLERS) == set()
    assert len(served) > 40


def test_no_audience_stands_where_programs_enter() -> None:
    assert [path for path, _ in handlers_of(the_city()) if path.startswith(PROGRAM_PATHS)] == []
    assert all(path.startswith(PROGRAM_PATHS) for handler in PROGRAM_HANDLERS for path in handler.paths)


def test_a_route_for_nobody_is_noticed() -> None:
    def complaints(path: str, opt: Mapping[str, object]) -> list[str]:
        async def loose() -> None:
            """Nobody's."""

        return without_audience(Litestar([get(path, opt=dict(opt))(loose)], openapi_config=None))

    venue = {"audience": Audience.VENUE}
    assert complaints("/loose", {}) == ["/loose: for nobody in particular"]
    assert complaints("/venue/a", venue) == ["/venue/a: for venue, and open to everybody"]
    assert complaints("/venue/a", {**venue, OPEN: True}) == ["/venue/a: for venue, and open to everybody"]
    assert "/elsewhere: for venue, and not under /venue" in complaints("/elsewhere", venue)
    assert complaints("/a", {"audience": Audience.PUBLIC}) == []


def test_a_handler_that_nobody_lists_is_noticed() -> None:
    source = Source("src/wallet/http.py", '@get("/a")\nasync def lonely(): ...\n\n@cache\ndef other(): ...\n')
    assert declared(source) == {"wallet.http.lonely"}
