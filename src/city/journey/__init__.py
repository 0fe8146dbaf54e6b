"""`journey`: a certificate's way from a department to a venue's scanner, an hour's from the office that offers it to
the counter where it is kept, and what comes with them, as strangers play it.

A process of its own that speaks HTTP alone: with a city it was told of, with the one that runs here, or with one that
it brings up and throws away. It knows no database; its SMS it reads through the demo outbox's API.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from city import locating
from city.data_directory import DataDirectory, is_claimed
from city.errors import CannotStart
from city.journey import playing
from city.journey.calling import CityAway
from city.journey.telling import Broken, ForPeople, ForPrograms, Story
from city.journey.throwaway import throwaway_city
from city.progress import Progress


class _Where(msgspec.Struct):
    """All that the journey reads of a running city's record: not where its database is."""

    url: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `journey`."""
    parser.add_argument(
        "--url", help="the city to play in (default: the one that runs here; if none does, one that is thrown away)"
    )
    parser.add_argument("--phone", help="the demo resident who plays it (default: any, another one each time)")
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--quiet", action="store_true", help="print the acts alone, and what broke")
    told.add_argument("--json", action="store_true", help="print one JSON line for each step")
    locating.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Play the journey. Exit 0 when every promise was kept, 1 at the first that was not."""
    story = Story(ForPrograms(sys.stdout) if args.json else ForPeople(sys.stdout, quiet=args.quiet))
    with _city(args) as url:
        began = time.monotonic()
        try:
            asyncio.run(playing.play(url, story, phone=args.phone))
        except Broken as broken:
            _conclude(args, story, time.monotonic() - began, broken)
            return 1
        except CityAway as away:
            raise CannotStart(
                f"The city does not answer: {away}.", "Look with ./run check how it is, or start one with ./run."
            ) from None
        _conclude(args, story, time.monotonic() - began, None)
        return 0


def _conclude(args: argparse.Namespace, story: Story, seconds: float, broken: Broken | None) -> None:
    if args.json:
        line = {
            "steps": story.steps,
            "promises_kept": story.promises,
            "seconds": round(seconds, 2),
            "broken": None if broken is None else broken.promise,
        }
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    elif broken is None:
        sys.stdout.write(f"\nAll {story.promises} promises kept, in {story.steps} steps and {seconds:.1f} s.\n")
    else:
        sys.stdout.write(f"\nA promise was broken, after {story.promises} that were kept: {broken.promise}\n")
    sys.stdout.flush()


@contextmanager
def _city(args: argparse.Namespace) -> Iterator[str]:
    """The address of the city to play in. Raises CannotStart."""
    url = args.url or _running_here(args)
    if url is not None:
        yield url
        return
    progress = Progress(sys.stderr if args.json else sys.stdout)
    brought_up = ExitStack()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was brought up is thrown away
    with progress.step("no city runs here: brought one up to throw away") as step:
        url = brought_up.enter_context(throwaway_city(args.environ, args.user, step.tick))
    try:
        yield url
    finally:
        with progress.step("thrown away"):
            brought_up.close()


def _running_here(args: argparse.Namespace) -> str | None:
    directory: DataDirectory = locating.locate(args).directory
    try:
        where = msgspec.json.decode(directory.address_file.read_bytes(), type=_Where)
    except (OSError, msgspec.MsgspecError):
        return None
    return where.url if is_claimed(directory) else None
