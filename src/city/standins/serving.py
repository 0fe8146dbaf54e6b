"""Serves the stand-ins of the outside world: the `standins` command."""

import argparse
import os
import sys

from aiohttp import web

from city import loopback
from city.standins import announcing, chat_platform, population_registry
from city.standins.chat_platform import ChatPlatform
from city.standins.demo_secrets import DEFAULT_PORT, PORT_VARIABLE
from kernel.clock import Clock, SystemClock
from kernel.log import configure, get_logger

STAND_INS = (chat_platform.STAND_IN, population_registry.STAND_IN)

log = get_logger(__name__)


def app_of(clock: Clock) -> web.Application:
    """Both stand-ins as one application, and a health answer that names them."""
    app = web.Application(client_max_size=announcing.BODY_BYTES_MAX)
    app.add_routes(ChatPlatform(clock).routes())
    app.add_routes(population_registry.routes())
    app.add_routes([web.get("/health/live", _is_live)])
    return app


async def _is_live(_request: web.Request) -> web.Response:
    return announcing.answer(", ".join(STAND_INS), {"status": "ok", "stand_ins": STAND_INS})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command `standins`."""
    parser.add_argument(
        "--port",
        type=loopback.port_number,
        default=os.environ.get(PORT_VARIABLE, str(DEFAULT_PORT)),
        help=f"port on this machine (default: {PORT_VARIABLE} or {DEFAULT_PORT})",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until asked to stop. Exit 0 then, 1 when the port cannot be had."""
    configure("info", process="standins")
    try:
        return loopback.serve(app_of(SystemClock()), args.port, announce=_announce)
    except OSError as problem:
        print(f"standins: port {args.port}: {problem.strerror or problem}; choose another with --port", file=sys.stderr)
        return 1


def _announce(port: int) -> None:
    for stand_in in STAND_INS:
        log.warning("stand-in for the outside world, for demos only", stand_in=stand_in, port=port)
