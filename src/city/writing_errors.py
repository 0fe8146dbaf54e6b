"""`errors`: writes docs/ERRORS.md, every refusal of the city; `make errors` and the drift test use it."""

import argparse
import importlib
import pkgutil
import sys
from itertools import groupby
from pathlib import Path

from city import locating
from kernel.errors import Refusal, every_refusal

PACKAGES = ("kernel", "notifications", "appointments", "wallet", "gateway")
PREAMBLE = """\
# What the city refuses, and how it says so

Written by `make errors` from the refusals in the code. A refusal is a problem document (RFC 9457) with `type`
`urn:suishenban:problem:CODE`, `title`, `status` and `code`; some have a `detail` for people. A code is permanent:
programs may rely on it, and not on the texts. Which operation may refuse what is in the API descriptions (`openapi/`).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `errors`."""
    default = (locating.checkout() or Path.cwd()) / "docs" / "ERRORS.md"
    parser.add_argument(
        "--into", metavar="FILE", type=Path, default=default, help="where to write (default: docs/ERRORS.md)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the list. Exit 0."""
    args.into.write_text(describe(refusals()), encoding="utf-8")
    sys.stdout.write(f"written: {args.into}\n")
    return 0


def refusals() -> list[type[Refusal]]:
    """Every refusal of the city, by code: those of every `errors` module there is."""
    modules = set()
    for package in PACKAGES:
        folder = importlib.import_module(package).__path__
        names = [module.name for module in pkgutil.walk_packages(folder, f"{package}.")]
        modules |= {name for name in names if name.rsplit(".", 1)[1] == "errors"}
    for name in sorted(modules):
        importlib.import_module(name)
    return sorted(
        {kind for kind in every_refusal() if kind.__module__ in modules}, key=lambda kind: (kind.code, kind.__module__)
    )


def describe(kinds: list[type[Refusal]]) -> str:
    """The list as a document: a table for each first half of the codes."""
    lines = [PREAMBLE]
    for group, members in groupby(kinds, key=lambda kind: kind.code.split(".")[0]):
        lines += [f"## {group}", "", "| code | status | title |", "|---|---|---|"]
        lines += [f"| `{kind.code}` | {kind.status} | {kind.title()} |" for kind in members]
        lines.append("")
    return "\n".join(lines)
