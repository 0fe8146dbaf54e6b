"""Measuring "of bare": our answers per CPU-second of the web process, over a bare application's, in one run.

Same server, same machine, same minutes: rounds of ours and of the yardstick take turns, the web process has one core to
itself, and the load, PostgreSQL and Redis share the other. What a neighbour on the same hardware does only adds to what
an answer costs, and adds more to an application than to a bare one, which stays in a core's own cache; so of each side
the turn that was disturbed least counts, and the medians stand beside it.
"""

import os
import statistics
from collections.abc import Callable, Sequence

import msgspec

from city.bench.wrk import Load

ROUNDS = 9
"""Short turns, so that each side has some that nobody disturbed."""
CORES_MIN = 2


class Round(msgspec.Struct, frozen=True):
    """One turn of one side."""

    load: Load
    cpu_seconds: float

    @property
    def answers_per_cpu_second(self) -> float:
        return self.load.n / self.cpu_seconds


class Result(msgspec.Struct, frozen=True):
    """The JSON line of a benchmark. `ours` and `yardstick` are answers per CPU-second of the web process, at best."""

    name: str
    ours: float
    yardstick: float
    ratio: float
    ratio_of_medians: float
    unit: str
    p50_ms: float
    p99_ms: float
    n: int
    violations: int
    checked: list[str]
    rate_per_second: float
    yardstick_rate_per_second: float
    cpu_microseconds: float
    floor: dict[str, float]
    """What the operations it cannot do without cost, each in microseconds of this process's CPU."""


def cores() -> tuple[set[int], set[int]]:
    """Which core the web process gets, and which everybody else."""
    found = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(found) < CORES_MIN:
        return set(found), set(found)
    return {found[0]}, {found[1]}


def cpu_seconds(pid: int) -> float:
    """CPU time one process and its threads have used so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 -- not a file of ours
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(pid: int, load: Callable[[], Load]) -> Round:
    """One round of load against the process `pid`."""
    before = cpu_seconds(pid)
    seen = load()
    return Round(seen, cpu_seconds(pid) - before)


def result(
    name: str,
    ours: Sequence[Round],
    bare: Sequence[Round],
    *,
    violations: int,
    checked: list[str],
    floor: dict[str, float],
) -> Result:
    """The headline figure: the ratio of the turns that were disturbed least."""
    our_rates = [turn.answers_per_cpu_second for turn in ours]
    bare_rates = [turn.answers_per_cpu_second for turn in bare]
    our_rate, bare_rate = max(our_rates), max(bare_rates)
    return Result(
        name=name,
        ours=round(our_rate, 1),
        yardstick=round(bare_rate, 1),
        ratio=round(our_rate / bare_rate, 4),
        ratio_of_medians=round(statistics.median(our_rates) / statistics.median(bare_rates), 4),
        unit="answers per CPU-second of the web process",
        p50_ms=round(statistics.median(turn.load.p50_ms for turn in ours), 3),
        p99_ms=round(max(turn.load.p99_ms for turn in ours), 3),
        n=sum(turn.load.n for turn in ours),
        violations=violations,
        checked=checked,
        rate_per_second=round(statistics.median(turn.load.n / turn.load.seconds for turn in ours), 1),
        yardstick_rate_per_second=round(statistics.median(turn.load.n / turn.load.seconds for turn in bare), 1),
        cpu_microseconds=round(1e6 / our_rate, 1),
        floor={what: round(cost, 1) for what, cost in floor.items()},
    )


def table(found: Result) -> str:
    """The same for people."""
    lines = [
        f"{found.name}: {found.ratio:.3f} of bare, each at its best; {found.ratio_of_medians:.3f} by the medians",
        f"  ours       {found.ours:>10,.0f} answers per CPU-second  ({found.cpu_microseconds:.0f} µs each)",
        f"  bare       {found.yardstick:>10,.0f} answers per CPU-second",
        f"  rates      {found.rate_per_second:>10,.0f}/s against {found.yardstick_rate_per_second:,.0f}/s by the wall",
        f"  latency    {found.p50_ms:>10} ms p50, {found.p99_ms} ms p99, over {found.n:,} answers",
    ]
    lines += [f"  floor      {cost:>10.1f} µs  {what}" for what, cost in found.floor.items()]
    lines += [f"  violations {found.violations:>10}  ({'; '.join(found.checked)})"]
    return "\n".join(lines)
