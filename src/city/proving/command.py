"""`prove-delivery`: nothing that is owed is lost, shown against other people's servers whose logs are the judge."""

import argparse
import sys
from pathlib import Path
from typing import Final

import msgspec

from city.errors import CannotStart
from city.proving.breaking import size_of
from city.proving.model import MESSAGES_MOST
from city.proving.proof import prove
from city.proving.telling import table
from kernel.log import configure

MESSAGES: Final = 100_000
MESSAGES_LEAST: Final = 1_000
SEED: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `prove-delivery`."""
    parser.add_argument("--messages", type=int, default=MESSAGES, help=f"how many are owed (default: {MESSAGES:,})")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    parser.add_argument("--seed", type=int, default=SEED, help="for what breaks when")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the peers' logs in this empty folder")


def run(args: argparse.Namespace) -> int:
    """Prove and tell. Exit 0 when every promise was kept, 1 otherwise."""
    if not MESSAGES_LEAST <= args.messages <= MESSAGES_MOST:
        raise CannotStart(
            f"{args.messages} messages prove nothing here.",
            f"Say with --messages how many, from {MESSAGES_LEAST:,} to {MESSAGES_MOST:,}.",
        )
    if args.keep is not None and args.keep.exists() and any(args.keep.iterdir()):
        raise CannotStart(f"{args.keep} is not empty.", "Choose another folder with --keep.")
    configure("error", process="proof")
    proof = prove(size_of(args.messages), _quiet if args.json else _say, seed=args.seed, keep=args.keep)
    if not args.json:
        sys.stdout.write(table(proof) + "\n")
    sys.stdout.write(msgspec.json.encode(proof).decode() + "\n")
    return 1 if proof.verdict.violations else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _quiet(line: str) -> None:
    del line
