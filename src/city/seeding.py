"""`seed`: plants the demo city. Planting what is planted already changes nothing."""

import argparse
import asyncio
import sys

from city import locating, seeds
from city.reading_settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `seed`."""
    locating.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Plant the demo city. Exit 0 when it is there."""
    with locating.environ_of_city(args) as environ:
        asyncio.run(seeds.plant(read_settings(environ)))
    sys.stdout.write("the demo city is planted\n")
    return 0
