"""`bench`: headline figures, each a ratio against a yardstick in the same run.

Every name is a module of this package with `prepare(rig) -> Case`.
"""

import argparse
import importlib
import sys

import msgspec

from city.bench import measuring, wrk
from city.bench.rig import open_rig
from city.errors import CannotStart

NAMES = ("hello", "show", "verify")
SECONDS = 30
SECONDS_MIN, SECONDS_MAX = 10, 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bench`."""
    parser.add_argument("name", choices=NAMES, help="which figure")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help=f"how long to load, both sides together (default: {SECONDS})"
    )


def run(args: argparse.Namespace) -> int:
    """Measure one figure. Exit 0 when no promise was broken while measuring, 1 otherwise."""
    if not SECONDS_MIN <= args.seconds <= SECONDS_MAX:
        raise CannotStart(
            f"{args.seconds} seconds is out of bounds.", f"Choose from {SECONDS_MIN} to {SECONDS_MAX} with --seconds."
        )
    wrk.find()
    say = _quiet if args.json else _say
    case_module = importlib.import_module(f"city.bench.{args.name}")
    each = max(1, args.seconds // (2 * measuring.ROUNDS))
    with open_rig(say) as rig:
        case = case_module.prepare(rig)
        ours, bare = [], []
        for turn in range(measuring.ROUNDS):
            say(f"  round {turn + 1} of {measuring.ROUNDS}: ours, then bare, {each} s each")
            ours.append(case.round(each))
            bare.append(rig.bare_round(each))
        violations, checked = case.broken(ours)
        found = measuring.result(args.name, ours, bare, violations=violations, checked=checked, floor=case.floor())
    if not args.json:
        sys.stdout.write(measuring.table(found) + "\n")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 1 if found.violations else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _quiet(line: str) -> None:
    del line
