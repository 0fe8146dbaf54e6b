"""Serves a small demo server on this machine only, until it is asked to stop."""

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 0.5
"""How long requests under way are waited for: a supervisor that stops us gets its answer in under a second."""


def port_number(text: str) -> int:
    """A port for `argparse`, which says what is wrong with one that is none."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[int]:
    """Answer on a port of 127.0.0.1 (0: any free one) for as long as the block runs; yields the port.

    No access log: query strings here carry codes and secrets. Whoever hangs up stops the work they asked for.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def serve(app: web.Application, port: int, *, announce: Callable[[int], None]) -> int:
    """Serve until SIGTERM or Ctrl-C. Exit 0 when asked to stop; raises OSError when the port cannot be had."""
    asyncio.run(_until_asked(app, port, announce))
    return 0


async def _until_asked(app: web.Application, port: int, announce: Callable[[int], None]) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    async with serving(app, port) as bound:
        announce(bound)
        await asked.wait()
