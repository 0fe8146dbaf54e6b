"""How soon a code is with its provider while a million bulk messages wait: from the commit that owes it to the answer.

The bulk messages are drained meanwhile by the same worker, over SMPP to another author's SMSC; codes are owed by
another process, each at its own moment, and the worker hears of them as in a city. What counts is the SMSC's answer, so
that the submission's own way is in it.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
import uvloop

from city.bench.send_drain import Where, servers_of_its_own
from city.bench.send_smpp import program
from city.bench.send_wiring import notifications_over, owe, settings_for
from city.environment import SOURCES
from city.errors import CannotStart
from city.settling import settle
from city.standins import smsc
from kernel import db as database
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.log import configure
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications import templates
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.channels.smpp.driver import SmppProvider
from notifications.model import Lane
from notifications.outbox import HINT_CHANNEL, Owed, ToPhone

WAITING: Final = 1_000_000
CODES: Final = 1_000
PAUSE_SECONDS: Final = 0.05
"""Between two codes, on average."""
ANSWERED_WITHIN_SECONDS: Final = 10.0
OPTIONS_MAX: Final = 4
AT_WORK: Final = "at work\n"
"""What the worker says when the first bulk messages are out."""


class Waits(msgspec.Struct, frozen=True):
    """How long codes took, in milliseconds, and how much bulk waited when the last was owed."""

    codes: int
    lost: int
    """Codes no answer came for."""
    p50_ms: float
    p99_ms: float
    worst_ms: float
    bulk_at_first: int
    bulk_left: int
    """How much still waited when the last code was answered for."""
    bulk_per_second: float


class Noting(SmppProvider):
    """The carrier, noting when each code was answered for, and how much bulk was."""

    def __init__(self, port: int) -> None:
        super().__init__(settings_for(port), SystemClock())
        self.answered: dict[str, float] = {}
        self.bulk = 0

    async def send(self, sms: Sms, /) -> Accepted | Refused:
        said = await super().send(sms)
        if isinstance(said, Accepted):
            self.answered[sms.reference] = time.time()
        return said

    async def send_many(self, parcels: Sequence[Sms], /) -> list[Accepted | Refused | Exception]:
        said = await super().send_many(parcels)
        if not self.bulk:
            sys.stdout.write(AT_WORK)
            sys.stdout.flush()
        self.bulk += len(said)
        return said


async def work(where: Where, port: int) -> None:
    """Be the worker until standard input ends; then say when each code was answered for."""
    db, redis = await Database.open(where.database_url), await Redis.open(where.redis_url)
    provider = Noting(port)
    parts = await notifications_over(db, where.keys, provider, limits_in=redis)
    delivering = parts.delivering
    beats = [delivering.keep_looking(), *(delivering.keep_carrying(lane) for lane in Lane)]
    beats += [parts.receiving.listen(provider), database.listen(where.database_url, HINT_CHANNEL, delivering.hint)]
    settle()
    tasks = [asyncio.ensure_future(beat) for beat in beats]
    began = time.perf_counter()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    seconds = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await delivering.finish(within_seconds=ANSWERED_WITHIN_SECONDS)
    sys.stdout.write(json.dumps({"answered": provider.answered, "bulk": provider.bulk, "seconds": seconds}) + "\n")
    await provider.close()
    await redis.close()
    await db.close()


async def _owe_codes(database_url: str, keys: Keys, count: int, chance: random.Random) -> dict[str, float]:
    """Owe codes one by one, each in a transaction of its own; when each was committed, by its reference."""
    db = await Database.open(database_url, connections_max=2)
    parts, clock = await notifications_over(db, keys), SystemClock()
    committed: dict[str, float] = {}
    for nth in range(count):
        code = Owed(
            caller="bench",
            key=f"code-{nth}",
            to=ToPhone(f"+86139{nth:08d}"),
            template=templates.SIGN_IN_CODE,
            values={"code": f"{chance.randrange(1_000_000):06d}", "minutes": "5"},
            due_at=clock.now(),
        )
        async with db.transaction() as conn:
            message_id = await parts.outbox.owe(conn, code, now=clock.now())
        committed[str(message_id)] = time.time()
        await asyncio.sleep(chance.expovariate(1 / PAUSE_SECONDS))
    await db.close()
    return committed


def measure(
    where: Where, *, waiting: int = WAITING, codes: int = CODES, first: int = 0, say: Callable[[str], object] = str
) -> Waits:
    """Owe so much bulk, then codes, and see how long these take. Raises CannotStart."""
    say(f"  {waiting:,} bulk messages are owed")
    asyncio.run(owe(where.database_url, where.keys, waiting, first=first))
    say(f"  {codes:,} codes are owed while they wait")
    with smsc.running(receipts=False) as peer:
        return _measure(where, peer.port, waiting, codes)


def _measure(where: Where, port: int, waiting: int, codes: int) -> Waits:
    words = program("city.bench.send_codes", *msgspec.structs.astuple(where), str(port))
    environ = {"PYTHONPATH": str(SOURCES), "PATH": os.environ.get("PATH", "")}
    with subprocess.Popen(words, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        if worker.stdout.readline() != AT_WORK:
            raise CannotStart("The worker of the benchmark did not work.", "What it said is above.")
        committed = asyncio.run(_owe_codes(where.database_url, where.keys, codes, random.Random(20)))
        time.sleep(1.0)
        said, _ = worker.communicate("")
    if worker.returncode or not said:
        raise CannotStart("The worker of the benchmark did not work.", "What it said is above.")
    found = json.loads(said)
    return _waits(committed, found["answered"], waiting, found["bulk"], found["seconds"])


def _waits(committed: dict[str, float], answered: dict[str, float], waiting: int, bulk: int, seconds: float) -> Waits:
    took = sorted((answered[one] - at) * 1e3 for one, at in committed.items() if one in answered)
    at = partial(_percentile, took)
    lost = len(committed) - len(took)
    rate = round(bulk / seconds)
    return Waits(len(committed), lost, at(0.5), at(0.99), at(1.0), waiting, max(0, waiting - bulk), rate)


def _percentile(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else float("inf")


def run(waiting: int = WAITING, codes: int = CODES) -> Waits:
    """Measure with servers and an SMSC of its own."""
    with servers_of_its_own() as where:
        return measure(where, waiting=waiting, codes=codes)


def main(words: Sequence[str]) -> int:
    """`[WAITING [CODES]]` measures; `DATABASE REDIS KEYS PORT` is the worker."""
    if len(words) < OPTIONS_MAX:
        found = run(*(int(word) for word in words))
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return 0
    *said, port = words
    configure("error", process="bench")
    uvloop.run(work(Where(*said), int(port)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
