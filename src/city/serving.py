"""`serve`: the web process alone, one process with one event loop, on Granian and uvloop.

Granian's server with worker processes was measured beside the one embedded here: the same rate, but a kill -9 of its
first process leaves a worker that holds the port. One process has nothing to leave behind.
"""

import argparse
import asyncio
import resource
import signal
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from city.asking import is_free
from city.errors import CannotStart
from city.locating import demand_servers
from city.reading_settings import read_settings
from city.settling import settle
from kernel.log import configure

FINISHED_WITHIN_SECONDS = 2.0
"""How long answers under way are waited for. An answer takes milliseconds; a stream of events ends when told to."""
CLOSED_WITHIN_SECONDS = 4.0
"""How long the application may take to close what it opened, after that."""
WAITING_CONNECTIONS_MAX = 2048
REQUESTS_AT_ONCE_MAX = 4096
OPEN_FILES_WANTED = 16384

EVENTS = "/events"
"""How the paths of streams of events end. One of another path is cut off with the other requests."""
EVENT_STREAM = b"text/event-stream"
END_OF_BODY = {"type": "http.response.body", "body": b"", "more_body": False}

Application = Callable[..., Awaitable[None]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`serve` takes no options: everything is in its environment."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Serve until asked to stop. Exit 0, or 1 if the application does not open."""
    demand_servers(args.environ)
    settings = read_settings(args.environ)
    configure(settings.log_level, process="web")
    from gateway.app import create_app  # here, so that a wrong environment is refused before the whole roof is loaded

    if not settings.demo:
        return serve(create_app(settings), settings.host, settings.port)
    from city.casting import cast

    return serve(create_app(settings, cast=cast(settings)), settings.host, settings.port)


def serve(application: Application, host: str, port: int) -> int:
    """Serve an ASGI application until SIGTERM or Ctrl-C. Exit 0 when asked to stop, 1 when it did not open.

    Raises CannotStart when the port is taken: the server itself would share it with whoever is there.
    """
    if not is_free(host, port):
        raise CannotStart(f"Port {port} is taken by another program.", "Choose another with SUISHENBAN_PORT.")
    _allow_many_files()
    settle()
    return uvloop.run(_serve(UnderWay(application), host, port))


class UnderWay:
    """An application that knows which of its requests are under way, so that they can be ended each in its way."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._tasks: set[asyncio.Task[Any]] = set()
        self._streams: set[asyncio.Task[Any]] = set()
        self._is_finishing = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if scope["path"].endswith(EVENTS):
                await self._stream(task, scope, receive, send)
            else:
                await self._application(scope, receive, send)
        finally:
            self._tasks.discard(task)

    async def _stream(self, task: asyncio.Task[Any], scope: dict[str, Any], receive: Any, send: Any) -> None:
        """A stream of events, if that is what is answered, which ends as a whole answer when it is told to."""

        def heard(message: dict[str, Any]) -> Awaitable[None]:
            if message["type"] == "http.response.start" and _is_of_events(message["headers"]):
                self._streams.add(task)
            sent: Awaitable[None] = send(message)
            return sent

        try:
            await self._application(scope, receive, heard)
        except asyncio.CancelledError:
            if not self._is_finishing or task not in self._streams:
                raise
            await send(END_OF_BODY)
        finally:
            self._streams.discard(task)

    async def finish(self, within_seconds: float) -> None:
        """End streams of events where they are, for their readers connect again; wait for the other requests under way,
        then cancel those that are left."""
        self._is_finishing = True
        for task in set(self._streams):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=within_seconds)
        for task in set(self._tasks):
            task.cancel()


def _is_of_events(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(EVENT_STREAM) for name, value in headers)


async def _serve(application: UnderWay, host: str, port: int) -> int:
    server = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=WAITING_CONNECTIONS_MAX,
        backpressure=REQUESTS_AT_ONCE_MAX,
        log_enabled=False,
    )
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    serving = asyncio.ensure_future(server.serve())
    asking = asyncio.ensure_future(asked.wait())
    await asyncio.wait({serving, asking}, return_when=asyncio.FIRST_COMPLETED)
    asking.cancel()
    if serving.done():
        serving.exception()  # looked at, so that it is not told twice: the application has said why
        return 1
    server.stop()  # type: ignore[no-untyped-call]
    await application.finish(FINISHED_WITHIN_SECONDS)
    await asyncio.wait({serving}, timeout=CLOSED_WITHIN_SECONDS)
    return 0


def _allow_many_files() -> None:
    """A connection is an open file, and the usual bound of 1024 is soft."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_WANTED)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
