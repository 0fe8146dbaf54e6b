"""How fast one worker drains what is owed: sealed messages, claimed, sent over SMPP to another author's SMSC, recorded.

The worker is a process of its own that does nothing else; its CPU, all threads included, is counted from the first
message claimed to the last outcome recorded. Where it goes is sampled on its own CPU clock, by the part of the code
that was at work. The yardstick is a client library alone (`send_smpp`: `smpp34`, whose protocol is compiled) that sends
as many to the same SMSC in the same run and plans, seals, records and stores nothing.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec
import uvloop

from city.bench import send_smpp
from city.bench.send_smpp import program
from city.bench.send_wiring import notifications_over, owe, settings_for
from city.embedded import Running, servers
from city.environment import SOURCES
from city.errors import CannotStart
from city.settling import settle
from city.standins import smsc
from gateway.parts import MIGRATIONS
from kernel.clock import SystemClock
from kernel.db import Connection, Database
from kernel.log import configure
from kernel.migrate import migrate
from kernel.redis import Redis
from kernel.sealing import Keys, make_key_file
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.channels.smpp.driver import SmppProvider
from notifications.channels.smpp.settings import SmppSettings
from notifications.ending.endings import Ended
from notifications.model import Lane
from notifications.parts import Notifications

MESSAGES: Final = 20_000
TURNS: Final = 3
WITHIN_SECONDS: Final = 300.0
SAMPLED_EVERY_SECONDS: Final = 0.002
OPTIONS_MAX: Final = 7
PHASES: Final = (
    ("smpp", "/notifications/channels/smpp/"),
    ("record", "/notifications/carrying/recording.py"),
    ("offer", "/notifications/carrying/offering.py"),
    ("plan", "/notifications/planning.py"),
    ("claim", "/notifications/sending.py"),
    ("receipts", "/notifications/receiving.py"),
    ("look", "/notifications/delivering.py"),
)
"""Phases by the file of the innermost frame that is in one of these."""


class Where(msgspec.Struct, frozen=True):
    """The servers of a run, and the file of its keys."""

    database_url: str
    redis_url: str
    key_file: str

    @property
    def keys(self) -> Keys:
        return Keys.read(Path(self.key_file))


class Drained(msgspec.Struct, frozen=True):
    """What draining once came to."""

    messages: int
    seconds: float
    cpu_seconds: float
    phases: dict[str, float]
    """CPU by phase, in microseconds a message."""

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.messages / self.cpu_seconds


class Drain(msgspec.Struct, frozen=True):
    """A worker beside client libraries alone, each at its best; the medians stand beside it."""

    messages: int
    """In each turn."""
    per_second: float
    """By the wall, the median of the turns."""
    per_cpu_second: float
    yardstick_per_cpu_second: float
    ratio: float
    ratio_of_medians: float
    our_client_per_cpu_second: float
    """Our own client alone: what the worker would come to if all but SMPP cost nothing."""
    cpu_microseconds: float
    phases: dict[str, float]
    lost_or_doubled: int
    """Messages that the SMSC has not exactly once."""


class Counting(SmppProvider):
    """The carrier, counting what it carried."""

    def __init__(self, settings: SmppSettings, clock: SystemClock, most: int) -> None:
        super().__init__(settings, clock)
        self._left = most
        self.everything_left = asyncio.Event()

    async def send_many(self, parcels: Sequence[Sms], /) -> list[Accepted | Refused | Exception]:
        said = await super().send_many(parcels)
        self._left -= sum(isinstance(one, Accepted) for one in said)
        if self._left <= 0:
            self.everything_left.set()
        return said


class Ends:
    """Counts what ended."""

    def __init__(self, most: int) -> None:
        self._left = most
        self.all_came = asyncio.Event()

    async def ended(self, conn: Connection, rows: Sequence[Ended], now: datetime) -> None:
        del conn, now
        self._left -= len(rows)
        if self._left <= 0:
            self.all_came.set()


class Sampling:
    """Counts which phase was at work, each time the process has used so much CPU."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def begin(self) -> None:
        signal.signal(signal.SIGPROF, self._count)
        signal.setitimer(signal.ITIMER_PROF, SAMPLED_EVERY_SECONDS, SAMPLED_EVERY_SECONDS)

    def end(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _count(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            for phase, file in PHASES:
                if file in frame.f_code.co_filename:
                    self.counts[phase] += 1
                    return
            frame = frame.f_back
        self.counts["loop"] += 1


async def drain(where: Where, keys: Keys, port: int, count: int, *, with_receipts: bool, is_sampled: bool) -> Drained:
    """Be the worker: carry until `count` messages are out, and recorded."""
    db, redis = await Database.open(where.database_url), await Redis.open(where.redis_url)
    provider = Counting(settings_for(port), SystemClock(), count)
    parts = await notifications_over(db, keys, provider, limits_in=redis)
    ends = Ends(count)
    if with_receipts:
        parts.endings.listeners.append(ends)
    beats = [parts.delivering.keep_looking(), *(parts.delivering.keep_carrying(lane) for lane in Lane)]
    beats.append(parts.receiving.listen(provider))
    if with_receipts:
        beats.append(_keep_joining(parts))
    sampling = Sampling()
    settle()
    if is_sampled:
        sampling.begin()
    began, cpu = time.perf_counter(), time.process_time()
    tasks = [asyncio.ensure_future(beat) for beat in beats]
    async with asyncio.timeout(WITHIN_SECONDS):
        await provider.everything_left.wait()
        await parts.delivering.finish(within_seconds=WITHIN_SECONDS)
        if with_receipts:
            coming = asyncio.ensure_future(ends.all_came.wait())
            await asyncio.wait([coming, *tasks], return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                raise CannotStart("A beat of the benchmark's worker ended.", "What it said is above.")
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    sampling.end()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await provider.close()
    await redis.close()
    await db.close()
    sampled = max(1, sampling.counts.total())
    phases = {phase: round(n / sampled * cpu_seconds / count * 1e6, 1) for phase, n in sampling.counts.most_common()}
    return Drained(count, seconds, cpu_seconds, phases)


async def _keep_joining(parts: Notifications) -> None:
    while True:
        await parts.receiving.join_arrived()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await parts.receiving.arrived.wait()


@contextmanager
def servers_of_its_own() -> Iterator[Where]:
    """A database of the city's shape, durable, and Redis, for the block."""
    with servers(durable=True) as running, tempfile.TemporaryDirectory() as folder:
        yield _laid_out(running, Path(folder) / "keys.json")


def _laid_out(running: Running, key_file: Path) -> Where:
    make_key_file(key_file)
    asyncio.run(migrate(running.database_url, MIGRATIONS))
    return Where(running.database_url, running.redis_url, str(key_file))


def drain_once(
    port: int, where: Where, *, count: int, first: int = 0, with_receipts: bool = False, is_sampled: bool = True
) -> Drained:
    """Owe and drain so many in a worker of its own, against the SMSC at `port`. Raises CannotStart."""
    asyncio.run(owe(where.database_url, where.keys, count, first=first))
    words = program("city.bench.send_drain", *msgspec.structs.astuple(where), str(port), str(count))
    words += [str(int(with_receipts)), str(int(is_sampled))]
    environ = {"PYTHONPATH": str(SOURCES), "PATH": os.environ.get("PATH", "")}
    ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    if ran.returncode or not ran.stdout:
        raise CannotStart("The worker of the benchmark did not drain.", f"It said: {ran.stderr[-2000:]}")
    return msgspec.json.decode(ran.stdout, type=Drained)


def measure(where: Where, *, count: int = MESSAGES, turns: int = TURNS, say: Callable[[str], object] = str) -> Drain:
    """Take turns: the client library alone, ours alone, then a worker; all to one SMSC. Raises CannotStart."""
    bare, client, ours, wrong = [], [], [], 0
    with smsc.running(receipts=False) as peer:
        for turn in range(turns):
            bare.append(send_smpp.measure_bare(peer.port, count=count))
            client.append(send_smpp.measure_ours(peer.port, count=count))
            before = peer.counts()["accepted"]
            ours.append(drain_once(peer.port, where, count=count, first=turn * count))
            wrong += abs(peer.counts()["accepted"] - before - count)
            say(
                f"  turn {turn + 1} of {turns}: {ours[-1].per_second:,.0f} SMS/s,"
                f" {ours[-1].per_cpu_second:,.0f} a CPU-second; the library alone {bare[-1].per_cpu_second:,.0f}"
            )
    best = max(ours, key=lambda one: one.per_cpu_second)
    yardstick = max(one.per_cpu_second for one in bare)
    middle = statistics.median(one.per_cpu_second for one in ours) / statistics.median(
        one.per_cpu_second for one in bare
    )
    return Drain(
        messages=count,
        per_second=round(statistics.median(one.per_second for one in ours)),
        per_cpu_second=round(best.per_cpu_second),
        yardstick_per_cpu_second=round(yardstick),
        ratio=round(best.per_cpu_second / yardstick, 3),
        ratio_of_medians=round(middle, 3),
        our_client_per_cpu_second=round(max(one.per_cpu_second for one in client)),
        cpu_microseconds=round(1e6 / best.per_cpu_second, 1),
        phases=best.phases,
        lost_or_doubled=wrong,
    )


def run(count: int = MESSAGES, *, with_receipts: bool = False) -> Drained:
    """Drain once, with servers and an SMSC of its own."""
    with servers_of_its_own() as where, smsc.running(receipts=with_receipts) as peer:
        return drain_once(peer.port, where, count=count, with_receipts=with_receipts)


def table(found: Drained) -> str:
    """In words, for people."""
    lines = [
        f"  {found.messages} messages in {found.seconds:.1f} s: {found.per_second:.0f} a second",
        f"  {found.cpu_seconds / found.messages * 1e6:.0f} µs of its CPU each: {found.per_cpu_second:.0f} a CPU-second",
        *(f"    {phase:<9}{micros:7.1f} µs" for phase, micros in found.phases.items()),
    ]
    return "\n".join(lines)


def main(words: Sequence[str]) -> int:
    """`[COUNT [receipts]]` drains once; `DATABASE REDIS KEYS PORT COUNT RECEIPTS SAMPLED` is the worker, as JSON."""
    if len(words) < OPTIONS_MAX:
        count = int(words[0]) if words else MESSAGES
        sys.stdout.write(table(run(count, with_receipts="receipts" in words)) + "\n")
        return 0
    *said, port, count_said, with_receipts, is_sampled = words
    configure("error", process="bench")
    where, flags = Where(*said), {"with_receipts": with_receipts == "1", "is_sampled": is_sampled == "1"}
    found = uvloop.run(drain(where, where.keys, int(port), int(count_said), **flags))
    sys.stdout.write(json.dumps(msgspec.to_builtins(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
