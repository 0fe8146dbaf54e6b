"""`test`: runs the test suite, and says what was left out for want of a program of the system."""

import argparse
import os
import shutil
import sys
from typing import NamedTuple

from city.errors import CannotStart
from city.locating import checkout


class Wanted(NamedTuple):
    """A program of the system, the names it goes by, the tests that need it, and what is not tested without."""

    program: str
    names: tuple[str, ...]
    tests: str
    untested: str


WANTED = (
    Wanted(
        "Chromium",
        ("chromium", "chromium-browser", "google-chrome", "chrome"),
        "tests/browser",
        "the front in a real browser",
    ),
    Wanted("wrk", ("wrk",), "tests/bench", "the headline figures of ./run bench"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything goes on to pytest."""
    parser.epilog = "Every other argument goes on to pytest, e.g. ./test tests/promises -x; none means the whole suite."


def run(args: argparse.Namespace) -> int:
    """Become pytest, in the checkout. Its exit code is ours."""
    root = checkout()
    if root is None:
        raise CannotStart("An installed copy has no tests.", "Run ./test in a checkout.")
    missing = [wanted for wanted in WANTED if not any(map(shutil.which, wanted.names))]
    for wanted in missing:
        sys.stdout.write(f"left out, because {wanted.program} is not installed: {wanted.untested} ({wanted.tests})\n")
    if missing:
        sys.stdout.write("  → .ci/run installs what is missing and leaves nothing out\n")
    sys.stdout.flush()
    os.chdir(root)
    left_out = [f"--ignore={wanted.tests}" for wanted in missing]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *left_out, *args.rest])  # noqa: S606
