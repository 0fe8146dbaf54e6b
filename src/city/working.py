"""`worker`: the worker process alone. SIGTERM and Ctrl-C end it after what it has in hand."""

import argparse
import asyncio
import signal

import uvloop

from city.locating import demand_servers
from city.reading_settings import read_settings
from city.settling import settle
from gateway import worker
from kernel.log import configure
from kernel.settings import Settings

LET_GO_AFTER_SECONDS = 6.0
"""What is in hand is committed long before; what is not is claimed again when its lease ends."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`worker` takes no options: everything is in its environment."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Work until asked to stop. Exit 0."""
    demand_servers(args.environ)
    settings = read_settings(args.environ)
    configure(settings.log_level, process="worker")
    settle()
    uvloop.run(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    working = asyncio.ensure_future(worker.run(settings))
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    asking = asyncio.ensure_future(asked.wait())
    await asyncio.wait({working, asking}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        working.cancel()
        await asyncio.wait({working}, timeout=LET_GO_AFTER_SECONDS)
    asking.cancel()
    if working.done() and not working.cancelled():
        working.result()
