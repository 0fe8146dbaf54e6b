"""One hot slot: booked per second with group commit, against the plain form; and what a sold-out answer costs.

Turns of ours and of the plain form alternate; each has a slot of its own with as many places as people, and people who
never booked before. Every token is shown once before a turn, as by people who looked for the hour they now want.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from city import environment
from city.bench import measuring, rush_plan
from city.bench.acting import lua_list
from city.bench.measuring import Round
from city.bench.rig import Rig, await_ready, free_port, process
from city.bench.rush_city import Release, release, residents, wrong_in
from city.bench.rush_plan import Heard, Plan, Somebody, Sort
from city.errors import CannotStart

PLAIN_CONNECTIONS: Final = 16
"""To the database, of the plain form: so many transactions at once."""
CONNECTIONS_OF_CROWD: Final = 512
"""Keep-alive connections of the crowd, on both sides; each carries one request at a time."""
TURNS: Final = 4
PEOPLE_OF_A_TURN: Final = 5_000
PLAIN_PART: Final = 5
"""A turn of the plain form has so many times fewer people, so that both take about as long."""
CROWD_WITHIN_SECONDS: Final = 120
SOLD_OUT_TOKENS: Final = 500

_SOLD_OUT = """
local tokens = %s
local body = '{"slot_id":"%s"}'
refused = 0
other = 0
local turn = 0
function request()
  turn = turn + 1
  local id = string.format("%%08x-0000-4000-8000-%%012x", math.random(0, 2147483647), turn)
  return wrk.format("PUT", "/resident/bookings/" .. id,
    {["Authorization"] = "Bearer " .. tokens[turn %% #tokens + 1], ["Content-Type"] = "application/json"}, body)
end
function response(status) if status == 409 then refused = refused + 1 else other = other + 1 end end
"""


class Hot(msgspec.Struct, frozen=True):
    """Booked per second by the wall, the turns in the order they were taken; `ratio` is that of the best turns.

    `wrong`: what was found of each sort that must not be, over all turns.
    """

    ours: list[float]
    plain: list[float]
    ratio: float
    ratio_of_medians: float
    people: int
    connections: int
    p50_ms: float
    p99_ms: float
    plain_p50_ms: float
    plain_p99_ms: float
    cpu_microseconds: float
    plain_cpu_microseconds: float
    wrong: dict[str, int]


class Turn(msgspec.Struct, frozen=True):
    """One turn of one side; `cpu_seconds` of its web process."""

    booked: int
    seconds: float
    cpu_seconds: float
    book_ms: list[float]
    wrong: dict[str, int]

    @property
    def per_second(self) -> float:
        return self.booked / self.seconds


def run_crowd(folder: Path, plan: Plan, within_seconds: float) -> Heard:
    """A crowd does as planned. Raises CannotStart when it fails."""
    plan_file, heard_file = folder / "plan", folder / "heard"
    rush_plan.write(plan_file, plan)
    words = (sys.executable, "-P", "-m", "city.bench.rush_crowd", str(plan_file), str(heard_file))
    done = subprocess.run(words, capture_output=True, text=True, timeout=within_seconds, check=False)
    if done.returncode:
        raise CannotStart(f"The crowd failed: {done.stderr.strip()[-500:]}", "Run it again.")
    return rush_plan.read_heard(heard_file)


class HotSlot:
    """Both sides, taking turns."""

    def __init__(self, rig: Rig, plain_port: int, plain_pid: int) -> None:
        self._rig = rig
        self._plain = plain_port, plain_pid
        self._ours = rig.settings.port, rig.pid
        self._next = 0

    def turn(self, slug: str, people: int, *, is_plain: bool) -> Turn:
        """People who never booked before, each for a place in a slot that has one for everybody."""
        rig = self._rig
        port, pid = self._plain if is_plain else self._ours
        crowd = rig.do(residents(rig, self._next, people))
        self._next += people
        released = rig.do(release(rig, slug, slots=1, places=people, opens_at=None))
        return self._take(crowd, released, port, pid)

    def _take(self, crowd: list[Somebody], released: Release, port: int, pid: int) -> Turn:
        plan = Plan(
            sort=Sort.QUEUE, port=port, connections=CONNECTIONS_OF_CROWD, people=crowd, service_id=released.service_id,
            slot_ids=released.slot_ids, day=released.day, opens_at=0.0, ends_at=time.time() + CROWD_WITHIN_SECONDS,
            web_pid=pid,
        )  # fmt: skip
        heard = run_crowd(self._rig.folder, plan, CROWD_WITHIN_SECONDS + 30)
        wrong = self._rig.do(wrong_in(self._rig, released, crowd, heard))
        wrong["not booked though there was a place"] = sum(1 for told in heard.told if told.outcome != "booked")
        wrong["answers of 500 and more"] = sum(n for status, n in heard.statuses.items() if status >= 500)
        seconds = heard.ended_at - heard.began_at
        return Turn(len(crowd), seconds, heard.cpu_seconds, sorted(heard.book_ms), wrong)

    def people_used(self) -> int:
        return self._next


@contextmanager
def plain_city(rig: Rig) -> Iterator[tuple[int, int]]:
    """The plain form beside the city, on the same core, database and Redis: its port and pid."""
    core, _ = measuring.cores()
    port = free_port()
    environ = {**rig.environ, environment.PORT: str(port), "SUISHENBAN_CONNECTIONS_MAX": str(PLAIN_CONNECTIONS)}
    with process((sys.executable, "-P", "-m", "city.bench.rush_plain"), environ, core) as plain:
        await_ready(plain, port, "/health/ready")
        yield port, plain.pid


def measure(rig: Rig, say: Callable[[str], None], *, turns: int, people: int) -> tuple[Hot, int]:
    """Turns, one after the other; the figures, and how many people were used up."""
    ours: list[Turn] = []
    plain: list[Turn] = []
    with plain_city(rig) as (port, pid):
        hot = HotSlot(rig, port, pid)
        for warm in (False, True):
            hot.turn(f"warm-{warm}", people // PLAIN_PART, is_plain=warm)
        for number in range(turns):
            ours.append(hot.turn(f"hot-{number}", people, is_plain=False))
            plain.append(hot.turn(f"plain-{number}", people // PLAIN_PART, is_plain=True))
            say(f"  hot slot: {ours[-1].per_second:,.0f} booked/s, plain {plain[-1].per_second:,.0f}/s")
        return figures(ours, plain), hot.people_used()


def figures(ours: list[Turn], plain: list[Turn]) -> Hot:
    our_rates, plain_rates = [turn.per_second for turn in ours], [turn.per_second for turn in plain]
    wrong: dict[str, int] = {}
    for turn in (*ours, *plain):
        for what, count in turn.wrong.items():
            wrong[what] = wrong.get(what, 0) + count
    latencies = [sorted(ms for turn in side for ms in turn.book_ms) for side in (ours, plain)]
    cpu = [1e6 * sum(t.cpu_seconds for t in side) / sum(t.booked for t in side) for side in (ours, plain)]
    return Hot(
        ours=[round(rate, 1) for rate in our_rates],
        plain=[round(rate, 1) for rate in plain_rates],
        ratio=round(max(our_rates) / max(plain_rates), 3),
        ratio_of_medians=round(statistics.median(our_rates) / statistics.median(plain_rates), 3),
        people=sum(turn.booked for turn in (*ours, *plain)),
        connections=CONNECTIONS_OF_CROWD,
        p50_ms=share_of(latencies[0], 0.5),
        p99_ms=share_of(latencies[0], 0.99),
        plain_p50_ms=share_of(latencies[1], 0.5),
        plain_p99_ms=share_of(latencies[1], 0.99),
        cpu_microseconds=round(cpu[0], 1),
        plain_cpu_microseconds=round(cpu[1], 1),
        wrong=wrong,
    )


def share_of(ordered: list[float], share: float) -> float:
    """The value below which this share of sorted values lies."""
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else 0.0


class SoldOut(msgspec.Struct, frozen=True):
    """Answers per CPU-second of the web process, each side at its best; `other`: answers that were not "full"."""

    ours: float
    bare: float
    ratio: float
    ratio_of_medians: float
    cpu_microseconds: float
    n: int
    other: int


def sold_out(rig: Rig, first: int, *, seconds: int, rounds: int) -> SoldOut:
    """People ask for a place in a slot whose one place is taken, each time under a fresh id."""
    crowd = rig.do(residents(rig, first, SOLD_OUT_TOKENS))
    released = rig.do(release(rig, "sold-out", slots=1, places=1, opens_at=None))
    owner, *others = crowd
    plan = Plan(
        sort=Sort.QUEUE, port=rig.settings.port, connections=1, people=[owner], service_id=released.service_id,
        slot_ids=released.slot_ids, day=released.day, opens_at=0.0, ends_at=time.time() + CROWD_WITHIN_SECONDS,
    )  # fmt: skip
    run_crowd(rig.folder, plan, CROWD_WITHIN_SECONDS)
    script = _SOLD_OUT % (lua_list([one.token for one in others]), released.slot_ids[0])
    ours: list[Round] = []
    bare: list[Round] = []
    for _ in range(rounds):
        ours.append(rig.load(script, seconds=seconds, counted=("refused", "other")))
        bare.append(rig.bare_round(seconds))
    our_rates, bare_rates = ([turn.answers_per_cpu_second for turn in side] for side in (ours, bare))
    return SoldOut(
        ours=round(max(our_rates), 1),
        bare=round(max(bare_rates), 1),
        ratio=round(max(our_rates) / max(bare_rates), 4),
        ratio_of_medians=round(statistics.median(our_rates) / statistics.median(bare_rates), 4),
        cpu_microseconds=round(1e6 / max(our_rates), 1),
        n=sum(turn.load.n for turn in ours),
        other=sum(turn.load.said["other"] + turn.load.broken for turn in ours),
    )
