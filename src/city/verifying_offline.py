"""`verify`: what a venue installs as suishenban-verify, run from a checkout; every word goes on to it."""

import argparse
import time
import uuid

from city import cli
from suishenban_verify import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: the command behind it has its own, and its own help."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Exit 0 when every code was good, 1 when one was not, 2 when one cannot be told."""
    return command.main(
        args.rest, prog=f"{cli.called()} verify", clock=lambda: int(time.time()), fresh_id=lambda: str(uuid.uuid4())
    )
