"""The composition root of the web process: opens every part, then serves all audiences behind one edge."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp

from gateway import describing, routes
from gateway.access import Edge, ProgramCheck, TokenCheck
from gateway.demo.cast import Cast
from gateway.express import Express
from gateway.home.home import Home
from gateway.lean import SHORT_BYTES_MAX, LeanRequest, LeanResponse, give_plainly
from gateway.parts import CityParts
from kernel import problems, snapshots
from kernel.audience import router_of, router_of_programs
from kernel.errors import NoSuchPath
from kernel.log import get_logger
from kernel.principal import Audience
from kernel.settings import Settings
from notifications.notify_v2 import http as notify_v2

BODY_BYTES_MAX = 1024 * 1024
"""The largest request body taken; the largest we expect is a certificate of a few kilobytes."""
assert BODY_BYTES_MAX >= SHORT_BYTES_MAX
STATIC = Path(__file__).parent / "static"
STATIC_NAME = re.compile(r"/?[A-Za-z0-9._/-]{1,200}")
"""What our files are called; any other name is not even looked for."""

log = get_logger(__name__)


def build_app(parts: CityParts, settings: Settings, cast: Cast | None = None) -> ASGIApp:
    """The web application over parts that are already open. `cast` is who can be played, in a demo."""
    home = Home(
        needed={"database": parts.ask_database, "cache": parts.ask_redis},
        useful={"worker": parts.ask_worker, "departments": parts.ask_departments, "outside world": parts.ask_outside},
        cast=cast,
        telemetry=parts.telemetry,
        describe=describing.every_document,
    )
    app = Litestar(
        [router_of(audience, routes.handlers_of(audience, demo=settings.demo)) for audience in Audience]
        + [router_of_programs(notify_v2.HANDLERS)]
        + [create_static_files_router("/static", [STATIC], cache_control=None, guards=[_only_names_of_ours])],
        dependencies=_provide({**parts.by_name(), "home": home, "cast": cast}),
        exception_handlers=notify_v2.by_entrance(problems.HANDLERS),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=BODY_BYTES_MAX,
        request_class=LeanRequest,
        response_class=LeanResponse,
        debug=False,
        pdb_on_exception=False,
    )
    needs = give_plainly(app)
    check = TokenCheck(
        parts.signing_keys, parts.clock, issuer=settings.public_origin, ended=lambda: parts.ended_sessions.current
    )
    return Edge(
        Express(app, needs),
        check,
        parts.limits,
        parts.telemetry,
        parts.tracing,
        parts.clock,
        requests_per_minute=settings.requests_per_minute,
        proxies=settings.proxies,
        programs=ProgramCheck(parts.services.proving),
    )


def _only_names_of_ours(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises NoSuchPath for what the file system would choke on: a zero byte, a name that is too long."""
    if STATIC_NAME.fullmatch(str(connection.path_params.get("file_path", ""))) is None:
        raise NoSuchPath


def _provide(parts: Mapping[str, Any]) -> dict[str, Provide]:
    return {name: Provide(_giver(part), sync_to_thread=False) for name, part in parts.items()}


def _giver(part: Any) -> Any:
    def give() -> Any:
        return part

    return give


Build = Callable[[CityParts, Settings, Cast | None], ASGIApp]


class City:
    """The web process as an ASGI application: opens the parts at its startup and closes them at its shutdown."""

    def __init__(self, settings: Settings, cast: Cast | None, build: Build = build_app) -> None:
        self._settings = settings
        self._cast = cast
        self._build = build
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert self._app is not None, "served before its startup"
        await self._app(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["type"] == "lifespan.startup"
        try:
            parts = await self._open()
        except Exception as failure:
            log.exception("the web process cannot start")
            await send({"type": "lifespan.startup.failed", "message": type(failure).__name__})
            return
        fresh = [
            asyncio.create_task(parts.snapshots.keep_fresh()),
            asyncio.create_task(snapshots.listen(self._settings.database_url.reveal(), parts.snapshots)),
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in fresh:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await parts.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self) -> CityParts:
        """Open the parts and build the application over them; parts that nothing can be built over are closed again."""
        parts = await CityParts.open(self._settings, process="web")
        try:
            self._app = self._build(parts, self._settings, self._cast)
        except BaseException:
            await parts.close()
            raise
        return parts


def create_app(settings: Settings, *, cast: Cast | None = None) -> City:
    """The web process of a city."""
    return City(settings, cast)
