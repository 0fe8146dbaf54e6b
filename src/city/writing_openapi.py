"""`openapi`: writes one description per audience from the code; `make openapi` and the drift test use it."""

import argparse
import sys
from pathlib import Path

from city import locating
from gateway.describing import write_openapi


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `openapi`."""
    default = (locating.checkout() or Path.cwd()) / "openapi"
    parser.add_argument("--into", metavar="DIR", type=Path, default=default, help="where to write (default: openapi)")


def run(args: argparse.Namespace) -> int:
    """Write the descriptions. Exit 0."""
    write_openapi(args.into)
    sys.stdout.write(f"written: {args.into}\n")
    return 0
