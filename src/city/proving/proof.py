"""The proof, from an empty city to the verdict: servers and peers of its own, workers that are killed, the judge."""

import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from city import environment
from city.embedded import Running, servers
from city.errors import CannotStart
from city.proving import ledger, peers_logs, queries
from city.proving import peers as peers_of
from city.proving.breaking import Act, Breaking, Size, plan
from city.proving.finishing import OPEN, WAITING, Ahead, finish
from city.proving.judging import judge
from city.proving.model import Verdict
from city.proving.owing import Owing
from city.proving.peers import Peers
from city.proving.workers import Workers, working
from gateway.parts import MIGRATIONS, CityParts
from kernel.db import DatabaseAway
from kernel.migrate import migrate
from kernel.sealing import make_key_file
from kernel.settings import Settings, load

FALLEN: Final = "a worker ended by itself, for want of a database, and was started again"
LOOKED_AGAIN_SECONDS: Final = 0.2
CAUGHT_UP_WITHIN_SECONDS: Final = 60.0
"""How long the next share waits for the workers to get near the end of the last."""

Say = Callable[[str], None]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, what was broken, and how long it all took."""

    messages: int
    seconds: float
    sending_seconds: float
    """From the first message owed until nothing waited any more."""
    broken: dict[str, int]
    verdict: Verdict


def prove(size: Size, say: Say, *, seed: int, keep: Path | None) -> Proof:
    """Owe, break, finish and judge. Raises CannotStart, also where it does not end within its bound."""
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) if keep is None else keep
        folder.mkdir(parents=True, exist_ok=True)
        say("  starting PostgreSQL and Redis, two SMSCs and a mail relay")
        running = stack.enter_context(servers(durable=True))
        peers = stack.enter_context(peers_of.running(folder, seed=seed))
        settings, environ = _settled(running, peers, folder)
        asyncio.run(migrate(running.database_url, MIGRATIONS))
        workers = stack.enter_context(working(environ, running.directory.logs, running.directory.running))
        course = _Course(size, say, settings, peers, workers, running, random.Random(seed))
        try:
            verdict = asyncio.run(course.run())
        except TimeoutError:
            raise CannotStart(
                f"The proof did not end within {size.bound_seconds:.0f} s.", "See which step took so long above."
            ) from None
    return Proof(
        messages=size.messages,
        seconds=round(time.monotonic() - began, 1),
        sending_seconds=round(course.sending_seconds, 1),
        broken=dict(course.broken),
        verdict=verdict,
    )


def _settled(running: Running, peers: Peers, folder: Path) -> tuple[Settings, dict[str, str]]:
    """The settings of the city, as its workers are told them."""
    key_file = folder / "keys.json"
    if not key_file.exists():
        make_key_file(key_file)
    given = {
        "PATH": os.environ.get("PATH", ""),
        environment.DEMO: "false",
        environment.PREFIX + "CARRIERS": str(peers.write_carriers().absolute()),
        environment.PREFIX + "LOG_LEVEL": "error",
    }
    environ = environment.for_parts(
        given,
        database_url=running.database_url,
        redis_url=running.redis_url,
        key_file=key_file.absolute(),
        host=environment.DEFAULT_HOST,
        port=environment.DEFAULT_PORT,
        public_host=environment.public_host_of(environment.DEFAULT_HOST, environment.DEFAULT_PORT),
    )
    return load(environ), environ


class _Course:
    """One run of the proof."""

    def __init__(
        self,
        size: Size,
        say: Say,
        settings: Settings,
        peers: Peers,
        workers: Workers,
        running: Running,
        chance: random.Random,
    ) -> None:
        self._size = size
        self._say = say
        self._settings = settings
        self._peers = peers
        self._workers = workers
        self._breaking = Breaking(size, peers, workers, running.postgres, chance)
        self.broken: Counter[str] = Counter()
        self.sending_seconds = 0.0

    async def run(self) -> Verdict:
        """Raises TimeoutError when the bound is reached."""
        async with asyncio.timeout(self._size.bound_seconds):
            clock = Ahead()
            parts = await CityParts.open(self._settings, process="proof", clock=clock)
            try:
                await self._play(parts)
                self._workers.stop()
                self._say("  the workers have stopped; what only time ends is ended by a clock that runs ahead")
                await finish(parts, clock, self._peers)
                known = await ledger.read(parts)
            finally:
                await parts.close()
            self._say("  judging")
            logs = await asyncio.to_thread(peers_logs.read, self._peers.smsc_logs, self._peers.mail_log)
            return judge(self._size.messages, known, logs)

    async def _play(self, parts: CityParts) -> None:
        """Owe share by share, breaking something in the middle of each; then let the workers come to rest."""
        owing, acts = Owing(parts), plan(self._size)
        await owing.prepare(self._size.messages)
        began = time.monotonic()
        share = -(-self._size.messages // (len(acts) + 1))
        for turn in range(len(acts) + 1):
            numbers = range(turn * share, min(self._size.messages, (turn + 1) * share))
            said = await self._owe_and_break(owing, numbers, acts[turn] if turn < len(acts) else None)
            left = await self._until(parts, WAITING, at_most=share // 4, seconds=CAUGHT_UP_WITHIN_SECONDS)
            seconds = time.monotonic() - began
            self._say(f"  {seconds:5.0f} s  {numbers.stop:>9,} owed, {left:>6,} waiting{'; ' + said if said else ''}")
        awaited = OPEN if self._size.is_whole else WAITING
        left = await self._until(parts, awaited, at_most=0, seconds=self._size.settled_within_seconds)
        self.sending_seconds = time.monotonic() - began
        self._say(f"  {self.sending_seconds:5.0f} s  everything is owed, {left:,} left to the clock that runs ahead")

    async def _owe_and_break(self, owing: Owing, numbers: range, act: Act | None) -> str:
        """What was broken meanwhile, in words."""
        if act is None:
            await owing.owe(numbers)
            return ""
        breaking = asyncio.create_task(self._breaking.act(act))
        try:
            await owing.owe(numbers)
        finally:
            said = await breaking
        self.broken[said] += 1
        return said

    async def _until(self, parts: CityParts, stages: Sequence[str], *, at_most: int, seconds: float) -> int:
        """Wait until so many are left at these stages, within a bound; how many are."""
        end = time.monotonic() + seconds
        while True:
            if fallen := self._workers.start_fallen():
                self.broken[FALLEN] += fallen
            left = await _left(parts, stages)
            if left is not None and (left <= at_most or time.monotonic() > end):
                return left
            await asyncio.sleep(LOOKED_AGAIN_SECONDS)


async def _left(parts: CityParts, stages: Sequence[str]) -> int | None:
    """How many are at these stages; None while the database is away."""
    try:
        async with parts.db.connection() as conn:
            counts = await queries.count_by_stage(conn)
    except DatabaseAway:
        return None
    return sum(counts.get(stage, 0) for stage in stages)
