"""`wallet-scale`: showing and verifying do not get slower as the city grows.

Three cities, of 100,000, a million and ten million certificates, stand in one PostgreSQL, each with a web process of
its own. They are loaded on the path by which departments load their registers, without fsync, which is back before
anything is measured. Then short turns are taken, one city after the other, round after round: at a moderate rate, for
the latency of an answer on a machine that is not full, and as fast as it goes. Certificates are drawn from the whole
city. Figures are warm (PostgreSQL was made to read every certificate before) but for those that say cold.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

import msgspec

from city import embedded
from city.accounts import server_account
from city.bench import measuring, wrk
from city.bench.queries import count_valid_uses
from city.bench.scale import caches, databases, results, room
from city.bench.scale.databases import City, Do
from city.bench.scale.population import CERTIFICATES_MAX, people_of
from city.bench.scale.queries import Good, Relation
from city.bench.scale.results import Figures, Loading, Result, Size
from city.bench.scale.turns import OPERATIONS, PER_SECOND, SHOW, VERIFY, Actors
from city.bench.wrk import Load
from city.data_directory import CityRecord, DataDirectory, claimed
from city.embedded import Running
from city.errors import CannotStart
from city.progress import Progress
from kernel.clock import SystemClock
from kernel.sealing import make_key_file
from wallet.model import today_in_city

SIZES = "100000,1000000,10000000"
SIZES_MAX = 4
"""Each has a web process and its connections."""
SECONDS = 180
SECONDS_MIN, SECONDS_MAX = 1, 3_600
TURN_SECONDS = 2
FAST_EVERY = 4
"""Every so many rounds, and in the last, turns are taken as fast as it goes."""


class Kept(msgspec.Struct):
    """What is written in a data directory of ours, by which it is known."""

    wallet_scale: date
    """The day as of which its certificates are issued."""
    loads: dict[str, tuple[int, float]] = {}
    """By the name of the database: how many certificates were issued in loads that ended, in how many seconds."""


class _Side:
    """One city and all that was seen of it."""

    def __init__(self, city: City, actors: Actors, relations: list[Relation]) -> None:
        self.city = city
        self.actors = actors
        self.relations = relations
        self.paced: dict[str, list[Load]] = {operation: [] for operation in OPERATIONS}
        self.fast: dict[str, list[Load]] = {operation: [] for operation in OPERATIONS}
        self.cold: dict[str, Load] = {}
        self.seen: list[Load] = []
        self.verified = 0
        self.buffer_bytes = 0

    def turn(self, operation: str, folder: Path, *, seconds: int, is_paced: bool) -> Load:
        load = self.actors.turn(operation, folder, seconds=seconds, is_paced=is_paced)
        self.seen.append(load)
        if operation == VERIFY:
            self.verified += load.said["yes"]
        return load


def add_arguments(parser: "argparse._ArgumentGroup") -> None:
    """The options of `wallet-scale` alone."""
    parser.add_argument("--sizes", default=SIZES, help=f"certificates of each city, by commas (default: {SIZES})")
    parser.add_argument("--data", metavar="DIR", help="where to load; a load that was broken off there goes on")
    parser.add_argument("--keep", action="store_true", help="keep the loaded cities for another run")


def run(args: argparse.Namespace) -> int:
    """Load what is missing, measure, and clear away. Exit 0 when the bounds hold and no promise was broken."""
    sizes = _sizes_of(args.sizes)
    wrk.find()
    progress = Progress(sys.stderr if args.json else sys.stdout)
    with _directory(args, progress) as directory:
        room.check(directory, sizes)
        found = _measured(directory, sizes, args.seconds, progress)
    if not args.json:
        sys.stdout.write(results.table(found) + "\n")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0 if found.holds and not found.violations else 1


def _sizes_of(text: str) -> list[int]:
    words = text.split(",")
    sizes = [int(word) for word in words if word.isdecimal() and 1 <= int(word) <= CERTIFICATES_MAX]
    if len(sizes) < len(words) or len(sizes) > SIZES_MAX or sorted(set(sizes)) != sizes:
        raise CannotStart(
            f"{text} are no sizes.",
            f"Name up to {SIZES_MAX}, rising, from 1 to {CERTIFICATES_MAX}: --sizes {SIZES}",
        )
    return sizes


@contextmanager
def _directory(args: argparse.Namespace, progress: Progress) -> Iterator[DataDirectory]:
    """The data directory, ours alone. It is cleared away unless it shall be kept, or was named and not finished."""
    account = server_account(None, os.environ)
    directory = DataDirectory(Path(args.data).absolute() if args.data else embedded.throwaway_folder(account))
    is_finished = False
    try:
        with claimed(directory):
            _make_ours(directory)
            yield directory
            is_finished = True
    finally:
        if args.keep or (args.data and not is_finished):
            progress.say(f"  kept in {directory.path}")
        elif _kept_file(directory).exists():
            _remove(directory)


def _make_ours(directory: DataDirectory) -> None:
    """Refuse the data of somebody's city. Raises CannotStart."""
    if directory.record() is None:
        directory.write_record(CityRecord(uid=os.geteuid()))
        _write_kept(directory, Kept(today_in_city(SystemClock().now())))
        make_key_file(directory.key_file)
    elif not _kept_file(directory).exists():
        raise CannotStart(
            f"{directory.path} holds a city that this benchmark did not make.",
            "Choose another folder with --data: an empty one, or one that does not exist yet.",
        )


def _write_kept(directory: DataDirectory, kept: Kept) -> None:
    _kept_file(directory).write_bytes(msgspec.json.encode(kept))


def _kept_file(directory: DataDirectory) -> Path:
    return directory.path / "wallet-scale.json"


def _remove(directory: DataDirectory) -> None:
    embedded.clear_sockets(directory)
    shutil.rmtree(directory.path, ignore_errors=True)


class _Prepared(msgspec.Struct, frozen=True):
    """What is known of a loaded city before turns are taken."""

    loading: Loading
    goods: list[Good]
    relations: list[Relation]
    room: room.Room
    kinds: int


def _measured(directory: DataDirectory, sizes: Sequence[int], seconds: int, progress: Progress) -> Result:
    with databases.loop_beside() as do:
        with embedded.servers(directory.path, durable=False) as running:
            prepared = [_prepare(City(size, running, directory.key_file), running, do, progress) for size in sizes]
        with progress.step("writing everything to disk, with fsync from here on"):
            os.sync()
        web_core, other_core = measuring.cores()
        if other_core:
            os.sched_setaffinity(0, other_core)  # PostgreSQL, Redis and wrk inherit it
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            running = stack.enter_context(embedded.servers(directory.path, durable=True))
            sides = []
            for size, known in zip(sizes, prepared, strict=True):
                city = City(size, running, directory.key_file)
                stack.enter_context(databases.serving(city, running, web_core))
                parts = stack.enter_context(databases.opened(city, do))
                actors = Actors(city.url, parts.settings, parts, known.goods, do)
                sides.append(_Side(city, actors, known.relations))
            before = [do(_standing(side)) for side in sides]
            _take_turns(sides, folder, directory, do, seconds=seconds, progress=progress)
            after = [do(_standing(side)) for side in sides]
    return _result(sides, prepared, before, after)


def _prepare(city: City, running: Running, do: Do, progress: Progress) -> _Prepared:
    """Make one city, load it, tidy it up, and draw the certificates that will be shown."""
    directory = running.directory
    kept = msgspec.json.decode(_kept_file(directory).read_bytes(), type=Kept)
    do(databases.make(city, running))
    with progress.step(f"loading {city.certificates:,}, without fsync") as step:
        loaded = databases.load_whole(city, running, kept.wallet_scale, step.tick)
        step.outcome = f"{loaded.issued:,} issued, {loaded.found:,} there already"
    issued, seconds = kept.loads.get(city.name, (0, 0.0))
    if loaded.issued:
        issued, seconds = issued + loaded.issued, seconds + loaded.seconds
        kept.loads[city.name] = issued, seconds
        _write_kept(directory, kept)
    with progress.step("vacuum, checkpoint, and drawing certificates to show"):
        do(databases.tidy_up(city))
        goods = do(databases.some_good(city, today_in_city(SystemClock().now())))
    relations, kinds = do(databases.room_of(city))
    rate = round(issued / seconds, 1) if issued else None
    loading = Loading(loaded.found, loaded.issued, round(loaded.seconds, 1), rate)
    return _Prepared(loading, goods, relations, room.room_of(relations, city.certificates), kinds)


class _Standing(msgspec.Struct, frozen=True):
    """What a city holds before or after the turns."""

    relations: list[Relation]
    valid_uses: int


async def _standing(side: _Side) -> _Standing:
    relations, _ = await databases.room_of(side.city)
    async with side.actors.parts.db.connection() as conn:
        return _Standing(relations, await count_valid_uses(conn))


def _take_turns(
    sides: Sequence[_Side], folder: Path, directory: DataDirectory, do: Do, *, seconds: int, progress: Progress
) -> None:
    """Cold turns, one to warm up, then rounds: every city takes its turn at each operation, never in the same order."""
    each = min(TURN_SECONDS, seconds)
    if caches.can_let_go():
        with progress.step("turns in the cold"):
            caches.let_go(directory.postgres)
            for side in sides:
                side.cold[SHOW] = side.turn(SHOW, folder, seconds=each, is_paced=True)
    with progress.step("reading in what calls read, and a turn to warm up"):
        for side in sides:
            for relation in room.read_by_calls(side.relations):
                caches.read_in(directory.postgres / relation.path)
            side.buffer_bytes = do(databases.read_through(side.city))
            for operation in OPERATIONS:
                side.turn(operation, folder, seconds=each, is_paced=True)
    rounds = max(2, seconds // (each * len(sides) * len(OPERATIONS)))
    with progress.step("turns") as step:
        for number in range(rounds):
            is_paced = number % FAST_EVERY != FAST_EVERY - 1 and number != rounds - 1
            for operation in OPERATIONS:
                for place in range(len(sides)):
                    side = sides[(place + number) % len(sides)]
                    load = side.turn(operation, folder, seconds=each, is_paced=is_paced)
                    (side.paced if is_paced else side.fast)[operation].append(load)
                    step.tick(f"round {number + 1} of {rounds}")
        step.outcome = f"{rounds} rounds"


def _result(
    sides: Sequence[_Side], prepared: Sequence[_Prepared], before: Sequence[_Standing], after: Sequence[_Standing]
) -> Result:
    sizes = [_size(*each) for each in zip(sides, prepared, before, after, strict=True)]
    largest, its_after, largest_side = sizes[-1], after[-1], sides[-1]
    ratios = {name: results.ratio_of([size.operations[name].latency for size in sizes]) for name in OPERATIONS}
    refused = sum(load.said["refused"] + load.broken for side in sides for load in side.seen)
    recorded = sum(late.valid_uses - early.valid_uses for early, late in zip(before, after, strict=True))
    verified = sum(side.verified for side in sides)
    return Result(
        name="wallet-scale",
        sizes=sizes,
        ratios=ratios,
        p50_ratio_max=results.P50_RATIO_MAX,
        p99_ratio_max=results.P99_RATIO_MAX,
        holds=results.holds(ratios.values()),
        violations=refused + max(0, verified - recorded),
        checked=[
            "everybody was given a code, and every code was good",
            f"no yes without a record ({verified:,} yeses, {recorded:,} records)",
        ],
        moderate_per_second=PER_SECOND,
        fits_in_memory=sum(one.bytes for side in sides for one in room.read_by_calls(side.relations))
        < largest_side.buffer_bytes,
        whole_city=room.whole_city(
            largest.room,
            its_after.relations,
            kinds=largest.kinds,
            bytes_of_a_call=largest.bytes_of_a_call,
            rates=[largest.operations[name].per_second for name in OPERATIONS],
            loaded_per_second=largest.loading.per_second,
        ),
    )


def _size(side: _Side, known: _Prepared, before: _Standing, after: _Standing) -> Size:
    written = room.written_by_calls(after.relations) - room.written_by_calls(before.relations)
    return Size(
        certificates=side.city.certificates,
        people=people_of(side.city.certificates),
        kinds=known.kinds,
        loading=known.loading,
        room=known.room,
        bytes_of_a_call=round(written / side.verified, 1) if side.verified else 0.0,
        operations={name: _figures(side, name) for name in OPERATIONS},
    )


def _figures(side: _Side, operation: str) -> Figures:
    cold = side.cold.get(operation)
    return Figures(
        latency=results.latency_of(side.paced[operation]),
        per_second=round(statistics.median(load.n / load.seconds for load in side.fast[operation]), 1),
        cold=None if cold is None else results.latency_of([cold]),
    )
