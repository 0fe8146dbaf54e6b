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
    Wanted("Node.js with npm", ("npm",), "tests/faults/smsc", "SMS against another author's SMSC"),
    Wanted("Node.js with npm", ("npm",), "tests/clients/test_notify_node_client.py", "GOV.UK Notify's client for Node"),
)
PROCESSES_MAX = 4
"""Each brings up a database of its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything goes on to pytest."""
    parser.epilog = (
        "Every other argument goes on to pytest, e.g. ./test tests/promises -x; none means the whole suite, in as many "
        f"processes as there are processors, {PROCESSES_MAX} at most."
    )


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
    words = args.rest or whole_suite()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *left_out, *words])  # noqa: S606


def whole_suite() -> list[str]:
    """How all the tests are run: in several processes, a file of tests in one of them (`tests/taking_turns.py`)."""
    processes = min(os.cpu_count() or 1, PROCESSES_MAX)
    return ["--numprocesses", str(processes), "--dist", "loadscope", "--no-loadscope-reorder"]
