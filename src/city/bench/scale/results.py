"""What `bench wallet-scale` found, as JSON and for people."""

import statistics
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct

from city.bench.scale.room import GIBIBYTE, Room, WholeCity
from city.bench.wrk import Load

P50_RATIO_MAX: Final = 1.25
P99_RATIO_MAX: Final = 1.5
"""What the largest city may take of the smallest one's time (issue 3, "Must show": Scale)."""
SHOWN_MAX: Final = 14


class Latency(Struct, frozen=True):
    """How long answers took: the medians, over the turns, of each turn's own median and 99th percentile.

    So that a turn in which a neighbour was busy does not decide. `all_p99_ms` is over the answers of all turns.
    """

    p50_ms: float
    p99_ms: float
    all_p99_ms: float
    n: int


class Figures(Struct, frozen=True):
    """One operation in one city. `latency` at a moderate rate; `per_second` as fast as it goes, by the wall.

    `cold`: the first answers after everything was forgotten, each read from the disk; None where that cannot be asked.
    """

    latency: Latency
    per_second: float
    cold: Latency | None


class Loading(Struct, frozen=True):
    """How a city was loaded: what this run found and issued; `per_second` over all loads of it that ended, if any."""

    found: int
    issued: int
    seconds: float
    per_second: float | None


class Size(Struct, frozen=True):
    """One city."""

    certificates: int
    people: int
    kinds: int
    loading: Loading
    room: Room
    bytes_of_a_call: float
    """What a verification writes: records and notices owed, before the worker sends any."""
    operations: dict[str, Figures]


class Ratio(Struct, frozen=True):
    """The worst of the larger cities against the smallest."""

    p50: float
    p99: float


class Result(Struct, frozen=True):
    """The JSON line."""

    name: str
    sizes: list[Size]
    ratios: dict[str, Ratio]
    p50_ratio_max: float
    p99_ratio_max: float
    holds: bool
    violations: int
    checked: list[str]
    moderate_per_second: int
    fits_in_memory: bool
    """Whether all that calls read fits into PostgreSQL's own memory: if so, nothing is read from disk."""
    whole_city: WholeCity


def latency_of(loads: Sequence[Load]) -> Latency:
    """What several turns saw."""
    together: dict[int, int] = {}
    for load in loads:
        for microseconds, times in load.latencies:
            together[microseconds] = together.get(microseconds, 0) + times
    total = sum(together.values())
    running = accumulate(together[one] for one in sorted(together))
    reached = (one for one, upto in zip(sorted(together), running, strict=True) if upto >= 0.99 * total)
    return Latency(
        round(statistics.median(load.p50_ms for load in loads), 3),
        round(statistics.median(load.p99_ms for load in loads), 3),
        next(reached, 0) / 1000,
        total,
    )


def ratio_of(latencies: Sequence[Latency]) -> Ratio:
    """The first is the smallest city's."""
    first, *larger = latencies
    return Ratio(
        round(max((one.p50_ms / first.p50_ms for one in larger), default=1.0), 3),
        round(max((one.p99_ms / first.p99_ms for one in larger), default=1.0), 3),
    )


def holds(ratios: Iterable[Ratio]) -> bool:
    return all(one.p50 <= P50_RATIO_MAX and one.p99 <= P99_RATIO_MAX for one in ratios)


def table(found: Result) -> str:
    """The same for people."""
    lines = [f"{found.name}: {'holds' if found.holds else 'does NOT hold'}"]
    for operation, ratio in found.ratios.items():
        bounds = f"(at most {found.p50_ratio_max}x and {found.p99_ratio_max}x)"
        rate = f"at {found.moderate_per_second}/s"
        lines += [
            f"  {operation:<7} p50 {ratio.p50:.2f}x, p99 {ratio.p99:.2f}x of the smallest city's {bounds}, {rate}"
        ]
        lines += [_figures(size, operation) for size in found.sizes]
    lines += ["  loading"]
    for size in found.sizes:
        rate = f"{size.loading.per_second:,.0f}/s" if size.loading.per_second else "there already"
        disk = f"{size.room.total / GIBIBYTE:.2f} GiB, {size.room.bytes_of_a_certificate:,.0f} bytes a certificate"
        lines += [f"    {size.certificates:>11,}  {rate:>14}  {size.people:>10,} people  {disk}"]
    shown = list(found.sizes[-1].room.by_relation.items())
    lines += ["  bytes a certificate in the largest"]
    lines += [f"    {share:>8.1f}  {name}" for name, share in shown[:SHOWN_MAX]]
    lines += [*_whole_city(found.whole_city), f"  violations {found.violations}  ({'; '.join(found.checked)})"]
    return "\n".join(lines)


def _figures(size: Size, operation: str) -> str:
    figures = size.operations[operation]
    cold = f", cold {figures.cold.p50_ms:.2f} / {figures.cold.p99_ms:.2f}" if figures.cold else ""
    latency = figures.latency
    took = f"p50 {latency.p50_ms:>7.3f} ms  p99 {latency.p99_ms:>7.3f} ms ({latency.all_p99_ms:.1f} over all)"
    return f"    {size.certificates:>11,}  {took}  n {latency.n:>7,}  up to {figures.per_second:>6,.0f}/s{cold}"


def _whole_city(city: WholeCity) -> list[str]:
    loaded = f"{city.hours_to_load:,.1f} hours to load, " if city.hours_to_load else ""
    disk = f"{city.disk_gib:,.0f} GiB of disk, {city.uses_gib_a_year:,.0f} GiB more a year for its uses"
    return [
        f"  a city of {city.certificates:,} certificates, {city.kinds} kinds, {city.calls_a_day:,} calls a day",
        f"    {disk}; {city.memory_gib:,.0f} GiB hold all that calls read",
        f"    {loaded}{city.status_lists} status lists, {city.catalogue_mib} MiB of catalogue",
        f"    a day's calls take this machine {city.seconds_for_a_days_calls:,.0f} s",
    ]
