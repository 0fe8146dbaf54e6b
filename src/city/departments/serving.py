"""Serves the demo departments: the `departments` command."""

import argparse
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from city import loopback
from city.departments import parks
from city.departments.parks import Parks
from city.departments.token_checking import TokenChecker
from kernel.clock import Clock, SystemClock
from kernel.log import configure, get_logger

PORT_VARIABLE: Final = "SUISHENBAN_DEMO_DEPARTMENT_PORT"
DEFAULT_PORT: Final = 8702
ORIGIN_VARIABLE: Final = "SUISHENBAN_PUBLIC_ORIGIN"
ENTRANCE_PORT_VARIABLE: Final = "SUISHENBAN_PORT"
ENTRANCE_DEFAULT_PORT: Final = "8700"
JWKS_PATH: Final = "/.well-known/jwks.json"
JWKS_BYTES_MAX: Final = 64 * 1024
FETCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=2.0)

MANIFEST: Final = Path(__file__).with_name("parks.toml")
"""What the parks department is registered with."""

log = get_logger(__name__)


class EntranceKeys:
    """Gets the entrance's public keys over HTTP; one connection pool for as long as the server runs."""

    def __init__(self, issuer: str) -> None:
        self._url = issuer.rstrip("/") + JWKS_PATH
        self._client: aiohttp.ClientSession | None = None

    async def fetch(self) -> bytes:
        """The JWK set as it stands. Raises OSError when it cannot be had."""
        try:
            return await self._get()
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise OSError("the entrance cannot be reached") from problem

    async def _get(self) -> bytes:
        assert self._client is not None
        async with self._client.get(self._url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise OSError(f"the entrance answered {answer.status}")
            body = await answer.content.read(JWKS_BYTES_MAX + 1)
            while len(body) <= JWKS_BYTES_MAX and (more := await answer.content.read(JWKS_BYTES_MAX)):
                body += more
        if len(body) > JWKS_BYTES_MAX:
            raise OSError("the JWK set is too long")
        return body

    async def opened(self, _app: web.Application) -> AsyncIterator[None]:
        """Keep the pool open while the application runs."""
        async with aiohttp.ClientSession(timeout=FETCH_TIMEOUT) as self._client:
            yield


def app_of(issuer: str, clock: Clock) -> web.Application:
    """The parks department's server, trusting the tokens of one entrance."""
    keys = EntranceKeys(issuer)
    checker = TokenChecker(issuer=issuer, audience=parks.SLUG, clock=clock, fetch_keys=keys.fetch)
    app = Parks(checker, clock).app()
    app.cleanup_ctx.append(keys.opened)
    return app


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command `departments`."""
    entrance = f"http://127.0.0.1:{os.environ.get(ENTRANCE_PORT_VARIABLE, ENTRANCE_DEFAULT_PORT)}"
    parser.add_argument(
        "--port",
        type=loopback.port_number,
        default=os.environ.get(PORT_VARIABLE, str(DEFAULT_PORT)),
        help=f"port on this machine (default: {PORT_VARIABLE} or {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--entrance",
        type=_origin,
        default=os.environ.get(ORIGIN_VARIABLE, entrance),
        help=f"origin of the entrance whose tokens are trusted (default: {ORIGIN_VARIABLE} or {entrance})",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until asked to stop. Exit 0 then, 1 when the port cannot be had."""
    configure("info", process="departments")
    try:
        return loopback.serve(app_of(args.entrance, SystemClock()), args.port, announce=_announce)
    except OSError as problem:
        said = problem.strerror or problem
        print(f"departments: port {args.port}: {said}; choose another with --port", file=sys.stderr)
        return 1


def _announce(port: int) -> None:
    log.info("demo department is open", slug=parks.SLUG, port=port)


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise argparse.ArgumentTypeError(f"{text!r} is not an origin such as http://127.0.0.1:8700")
    return text.rstrip("/")
