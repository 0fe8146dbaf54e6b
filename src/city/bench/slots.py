"""`slots`: looking for an hour does not get slower as the city grows.

Two cities stand in one PostgreSQL, each with a web process of its own: one with all the offices, one with a tenth of
them, the same hours and the same share sold out. People look in turn, one request at a time, here and there
alternately, so that whatever disturbs the machine disturbs both. Everything is asked over HTTP, as the app does.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from city import embedded
from city.bench import measuring, slots_city
from city.bench.acting import resident_token
from city.bench.rush_hot import share_of
from city.bench.rush_wire import Answer, Line, request
from city.bench.scale import databases
from city.bench.scale.databases import City
from city.bench.slots_city import KINDS, PAGE, SLOTS_A_DAY, WINDOW_DAYS, Loaded, Wished, wished
from city.errors import CannotStart
from city.progress import Progress
from kernel.clock import SHANGHAI, in_shanghai
from kernel.ids import uuid7
from kernel.sealing import make_key_file
from kernel.settings import Settings

OFFICES: Final = 300
DAYS: Final = 60
SMALL_PART: Final = 10
SECONDS: Final = 60
SECONDS_MIN: Final = 1
SECONDS_MAX: Final = 600
"""A token is good for fifteen minutes."""
TURN_REQUESTS: Final = 100
"""Of each kind and city in one turn."""
WARM_REQUESTS: Final = 10
P50_RATIO_MAX: Final = 1.3
P99_RATIO_MAX: Final = 1.6
"""Issue 4, "Must show"."""
SEED: Final = 20260302


class Side(msgspec.Struct, frozen=True):
    """One city: where it answers, and a token that looks."""

    port: int
    token: str


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds: the medians over the turns of each turn's median and 99th percentile, and those of all answers."""

    p50_ms: float
    p99_ms: float
    all_p50_ms: float
    all_p99_ms: float
    n: int


class Kind(msgspec.Struct, frozen=True):
    """One way of looking: in the small city, in the whole one, and how many times as long that takes."""

    small: Latency
    whole: Latency
    p50: float
    p99: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON line. `ratio` is the worst p50 of any way of looking, whole city over a tenth; `p99` likewise."""

    name: str
    ratio: float
    p99: float
    p50_ratio_max: float
    p99_ratio_max: float
    holds: bool
    violations: int
    checked: list[str]
    slots_a_day: int
    cities: list[Loaded]
    kinds: dict[str, Kind]


def add_arguments(parser: "argparse._ArgumentGroup") -> None:
    """The options of `slots` alone."""
    parser.add_argument("--offices", type=int, default=OFFICES, help=f"of the whole city (default: {OFFICES})")
    parser.add_argument("--days", type=int, default=DAYS, help=f"that are offered ahead (default: {DAYS})")


def run(args: argparse.Namespace) -> int:
    """Load two cities, look, and clear away. Exit 0 when the bounds hold and every answer was right, 1 otherwise."""
    if not SMALL_PART <= args.offices <= 10 * OFFICES or not WINDOW_DAYS <= args.days <= DAYS:
        raise CannotStart(
            f"{args.offices} offices for {args.days} days are out of bounds.",
            f"From {SMALL_PART} to {10 * OFFICES} offices, from {WINDOW_DAYS} to {DAYS} days.",
        )
    progress = Progress(sys.stderr if args.json else sys.stdout)
    found = _measured([args.offices // SMALL_PART, args.offices], args.days, args.seconds, progress)
    if not args.json:
        sys.stdout.write(table(found) + "\n")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0 if found.holds and not found.violations else 1


def _measured(sizes: Sequence[int], days: int, seconds: int, progress: Progress) -> Result:
    web_core, other_core = measuring.cores()
    if other_core:
        os.sched_setaffinity(0, other_core)  # PostgreSQL and Redis inherit it
    first_day = in_shanghai(datetime.now(SHANGHAI)).date() + timedelta(days=1)
    with ExitStack() as stack:
        do = stack.enter_context(databases.loop_beside())
        running = stack.enter_context(embedded.servers())
        make_key_file(running.directory.key_file)
        sides: list[Side] = []
        loaded: list[Loaded] = []
        for offices in sizes:
            city = City(offices, running, running.directory.key_file)
            with progress.step(f"loading {offices} offices, {days} days") as step:
                loaded.append(do(slots_city.load(city, running, offices, first_day, days)))
                step.outcome = f"{loaded[-1].slots:,} slots, {loaded[-1].places:,} places"
            stack.enter_context(databases.serving(city, running, web_core))
            parts = stack.enter_context(databases.opened(city, do))
            token = resident_token(_Opened(parts.settings, parts), uuid7(parts.clock.now()))
            sides.append(Side(city.port, token))
        looking = Looking(sides, sizes[0], first_day, days)
        with progress.step("looking") as step:
            asyncio.run(looking.look(seconds, step.tick))
    return looking.result(loaded)


class _Opened(msgspec.Struct, frozen=True):
    settings: Settings
    parts: Any


class Looking:
    """People who look for the same hours in both cities, and how long each answer took."""

    def __init__(self, sides: Sequence[Side], offices: int, first_day: date, days: int) -> None:
        self._sides = sides
        self._offices = offices
        self._first_day = first_day
        self._days = days
        self._draw = random.Random(SEED)
        self._turns: dict[tuple[str, int], list[list[float]]] = {(kind, at): [] for kind in KINDS for at in (0, 1)}
        self._wrong = 0

    async def look(self, seconds: int, tick: Callable[[str], None]) -> None:
        """A round to warm up, then rounds of a turn for each kind until the time is over."""
        lines = [Line(side.port) for side in self._sides]
        for kind in KINDS:
            await self._turn(kind, lines, WARM_REQUESTS)
        end = time.monotonic() + seconds
        rounds = 0
        while rounds == 0 or time.monotonic() < end:
            rounds += 1
            for kind in KINDS:
                for at, turn in enumerate(await self._turn(kind, lines, TURN_REQUESTS)):
                    self._turns[kind, at].append(sorted(turn))
                tick(f"round {rounds}")
        for line in lines:
            line.close()

    async def _turn(self, kind: str, lines: Sequence[Line], requests: int) -> tuple[list[float], list[float]]:
        took: tuple[list[float], list[float]] = ([], [])
        for number in range(requests):
            wish = wished(kind, self._draw, offices=self._offices, first_day=self._first_day, days=self._days)
            for at in (0, 1) if number % 2 else (1, 0):
                side = self._sides[at]
                asked = request("GET", wish.path, port=side.port, token=side.token)
                began = time.perf_counter()
                answer = await lines[at].ask(asked)
                took[at].append((time.perf_counter() - began) * 1000)
                self._wrong += not _is_right(answer, wish)
        return took

    def result(self, loaded: Sequence[Loaded]) -> Result:
        kinds = {kind: _kind(self._turns[kind, 0], self._turns[kind, 1]) for kind in KINDS}
        p50, p99 = max(one.p50 for one in kinds.values()), max(one.p99 for one in kinds.values())
        return Result(
            name="slots",
            ratio=p50,
            p99=p99,
            p50_ratio_max=P50_RATIO_MAX,
            p99_ratio_max=P99_RATIO_MAX,
            holds=p50 <= P50_RATIO_MAX and p99 <= P99_RATIO_MAX,
            violations=self._wrong,
            checked=["every page was full, and each hour on it was what was looked for"],
            slots_a_day=SLOTS_A_DAY,
            cities=list(loaded),
            kinds=kinds,
        )


def _is_right(answer: Answer, wish: Wished) -> bool:
    if answer.status != 200:
        return False
    slots = msgspec.json.decode(answer.body)["slots"]
    return len(slots) == PAGE and all(
        slot["service_id"] == wish.service_id
        and wish.office_id in (None, slot["office_id"])
        and wish.district in (None, slot["district"])
        and (slot["free"] > 0 or not wish.is_free)
        for slot in slots
    )


def _kind(small: Sequence[Sequence[float]], whole: Sequence[Sequence[float]]) -> Kind:
    few, many = _latency(small), _latency(whole)
    return Kind(few, many, round(many.p50_ms / few.p50_ms, 3), round(many.p99_ms / few.p99_ms, 3))


def _latency(turns: Sequence[Sequence[float]]) -> Latency:
    together = sorted(ms for turn in turns for ms in turn)
    return Latency(
        round(statistics.median(share_of(list(turn), 0.5) for turn in turns), 3),
        round(statistics.median(share_of(list(turn), 0.98) for turn in turns), 3),
        share_of(together, 0.5),
        share_of(together, 0.99),
        len(together),
    )


def table(found: Result) -> str:
    """The same for people."""
    bounds = f"at most {found.p50_ratio_max}x and {found.p99_ratio_max}x"
    words = "holds" if found.holds else "does NOT hold"
    lines = [f"slots: {words}: p50 {found.ratio:.2f}x, p99 {found.p99:.2f}x of a tenth of the city's ({bounds})"]
    lines += [f"  {one.offices} offices: {one.slots:,} slots, {one.places:,} places" for one in found.cities]
    for name, kind in found.kinds.items():
        small, whole = (f"{side.p50_ms:.2f} / {side.p99_ms:.2f} ms" for side in (kind.small, kind.whole))
        lines.append(f"  {name:<28} {small} -> {whole}   {kind.p50:.2f}x, {kind.p99:.2f}x   n {kind.whole.n:,}")
    lines.append(f"  violations {found.violations}  ({'; '.join(found.checked)})")
    return "\n".join(lines)
