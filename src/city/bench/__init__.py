"""`bench`: headline figures, each a ratio against a yardstick in the same run.

Every name is a module of this package with `prepare(rig) -> Case`, or stands in `ALONE`.
"""

import argparse
import importlib
import sys

import msgspec

from city.bench import headline, measuring, rush, sending, slots, wallet_scale, wrk
from city.bench.rig import open_rig
from city.errors import CannotStart

NAMES = ("hello", "show", "verify", "send", "verify-offline", "wallet-scale", "rush", "slots")
ALONE = {
    "verify-offline": "city.bench.verify_offline",
    "wallet-scale": "city.bench.wallet_scale",
    "rush": "city.bench.rush",
    "slots": "city.bench.slots",
    "send": "city.bench.sending",
}
"""Figures that are no answers a second over bare ones: modules with `run(args)`."""
SECONDS = 30
SECONDS_MIN, SECONDS_MAX = 10, 600
BOUNDS = {
    "wallet-scale": (wallet_scale.SECONDS, wallet_scale.SECONDS_MIN, wallet_scale.SECONDS_MAX),
    "rush": (rush.SECONDS, rush.SECONDS_MIN, rush.SECONDS_MAX),
    "slots": (slots.SECONDS, slots.SECONDS_MIN, slots.SECONDS_MAX),
    "send": (sending.SECONDS, sending.SECONDS_MIN, sending.SECONDS_MAX),
}
"""Where others hold: how long when nobody says, at least, at most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bench`."""
    parser.add_argument("name", choices=NAMES, help="which figure")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    parser.add_argument(
        "--seconds",
        type=int,
        help=f"how long to load, all sides together (default: {SECONDS}; wallet-scale: {wallet_scale.SECONDS};"
        f" rush, for sold-out answers alone: {rush.SECONDS}; slots: {slots.SECONDS};"
        f" send, for single messages alone: {sending.SECONDS})",
    )
    parser.add_argument(
        "--parts",
        help=f"which parts, by commas (default: all; rush: {','.join(rush.PARTS)}; send: {','.join(sending.PARTS)})",
    )
    wallet_scale.add_arguments(parser.add_argument_group("wallet-scale alone"))
    rush.add_arguments(parser.add_argument_group("rush alone"))
    slots.add_arguments(parser.add_argument_group("slots alone"))
    sending.add_arguments(parser.add_argument_group("send alone"))


def run(args: argparse.Namespace) -> int:
    """Measure one figure. Exit 0 when no promise was broken while measuring, 1 otherwise."""
    seconds, least, most = BOUNDS.get(args.name, (SECONDS, SECONDS_MIN, SECONDS_MAX))
    args.seconds = seconds if args.seconds is None else args.seconds
    if not least <= args.seconds <= most:
        raise CannotStart(f"{args.seconds} seconds is out of bounds.", f"Choose from {least} to {most} with --seconds.")
    if args.name in ALONE:
        alone: int = importlib.import_module(ALONE[args.name]).run(args)
        return alone
    wrk.find()
    say = _quiet if args.json else _say
    prepare = importlib.import_module(f"city.bench.{args.name}").prepare
    with open_rig(say) as rig:
        found = headline.measure(rig, args.name, prepare(rig), seconds=args.seconds, say=say)
    if not args.json:
        sys.stdout.write(measuring.table(found) + "\n")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 1 if found.violations else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _quiet(line: str) -> None:
    del line
