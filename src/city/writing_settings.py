"""`settings`: writes docs/SETTINGS.md, every variable the city reads; `make settings` and the drift test use it."""

import argparse
import ast
import inspect
import sys
from itertools import pairwise
from pathlib import Path

import msgspec

from city import locating
from kernel import settings
from kernel.settings import PREFIX, Secret, Settings

PREAMBLE = f"""\
# Settings

Written by `make settings` from `src/kernel/settings.py`. Each is one environment variable, read once at start; a
variable beginning with `{PREFIX}` that is not listed here stops the start, so that a misspelt one is noticed.

| variable | default | what it says |
|---|---|---|
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `settings`."""
    default = (locating.checkout() or Path.cwd()) / "docs" / "SETTINGS.md"
    parser.add_argument(
        "--into", metavar="FILE", type=Path, default=default, help="where to write (default: docs/SETTINGS.md)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the list. Exit 0."""
    args.into.write_text(describe(), encoding="utf-8")
    sys.stdout.write(f"written: {args.into}\n")
    return 0


def said(source: str) -> dict[str, str]:
    """What stands under each field of `Settings` in the text of its module; a field nobody explained is left out."""
    (kind,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    found = {}
    for field, below in pairwise(kind.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def describe() -> str:
    """The settings as a document, in the order they are written in."""
    texts = said(inspect.getsource(settings))
    rows = []
    for field in msgspec.structs.fields(Settings):
        variable = PREFIX + field.name.upper()
        rows.append(f"| `{variable}` | {_default(field)} | {texts.get(field.name, '').replace('|', '&#124;')} |")
    return PREAMBLE + "\n".join(rows) + "\n"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "none: must be set"
    value = field.default
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, bool):
        value = str(value).lower()
    return "unset" if value in (None, "") else f"`{value}`"
