"""Cities of several sizes in one private PostgreSQL: made, loaded, tidied up, and served by a web process each."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from signal import SIGTERM
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec

from city import asking, environment, seeds
from city.bench.rig import REQUESTS_PER_MINUTE, free_port
from city.bench.scale import queries
from city.bench.scale.population import Population
from city.bench.scale.queries import Good, Relation
from city.children import Child, Part
from city.embedded import Running
from city.errors import CannotStart
from city.parts import command_line
from city.waiting import did_not_start, wait_until_ready
from gateway.parts import MIGRATIONS, CityParts
from kernel.migrate import migrate
from kernel.settings import Settings, load

LOADERS = 2
LOOKED_AGAIN_SECONDS = 0.5
STALLED_SECONDS = 180.0
STOP = ((SIGTERM, 10.0),)
CONNECTIONS_OF_WEB = 16
CONNECTIONS_OF_OURS = 4
SAMPLE = 60_000
"""Certificates that are shown, of each size; those of the smaller ones are shown more than once."""

T = TypeVar("T")
Tell = Callable[[str], None]


class Do(Protocol):
    """Runs something on the loop that the parts live on, and waits for it."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


@contextmanager
def loop_beside() -> Iterator[Do]:
    """A loop in a thread of its own, so that connections are kept while this one waits for a turn to end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="parts", daemon=True)
    thread.start()

    def do(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    try:
        yield do
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Loaded(msgspec.Struct, frozen=True):
    """How a city was loaded: what was there already, what came, and how long that took."""

    found: int
    issued: int
    seconds: float


class City:
    """A city of so many certificates: its database, and what its processes are told."""

    def __init__(self, certificates: int, running: Running, key_file: Path) -> None:
        self.certificates = certificates
        self.name = f"scale_{certificates}"
        self.port = free_port()
        self.url = asking.url_of(environment.DEFAULT_HOST, self.port)
        self.database_url = urlunsplit(urlsplit(running.database_url)._replace(path=f"/{self.name}"))
        self.environ = environment.for_parts(
            {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            database_url=self.database_url,
            redis_url=running.redis_url,
            key_file=key_file,
            host=environment.DEFAULT_HOST,
            port=self.port,
            public_host=environment.public_host_of(environment.DEFAULT_HOST, self.port),
        )
        self.environ["SUISHENBAN_REQUESTS_PER_MINUTE"] = str(REQUESTS_PER_MINUTE)

    def settings(self, connections_max: int) -> Settings:
        return load({**self.environ, "SUISHENBAN_CONNECTIONS_MAX": str(connections_max)})


async def make(city: City, running: Running) -> None:
    """Make the city's database and plant what operators say there is, unless that was done before."""
    conn = await asyncpg.connect(running.database_url)
    try:
        await queries.create_database(conn, city.name)
    finally:
        await conn.close()
    await migrate(city.database_url, MIGRATIONS)
    parts = await CityParts.open(city.settings(CONNECTIONS_OF_OURS), process="bench")
    try:
        await seeds.plant_catalogue(parts)
    finally:
        await parts.close()


def load_whole(city: City, running: Running, day: date, tell: Tell) -> Loaded:
    """Load what is missing of a city, telling how far it is. Raises CannotStart when a loader ends or stalls."""
    population, began = Population(city.certificates, day), time.monotonic()
    with ExitStack() as stack:
        loaders = [
            stack.enter_context(_child(_loader(city, day, place), running.directory.logs, running.directory.running))
            for place in range(min(LOADERS, population.chunks))
        ]
        counted, moved_at = (0, 0), began
        while True:
            ended = not any(loader.is_alive() for loader in loaders)
            before, counted = counted, _counted(loaders)
            now = time.monotonic()
            if ended:
                break
            if counted != before:
                moved_at = now
                tell(_progress(city.certificates, *counted, seconds=now - began))
            for loader in loaders:
                if not loader.is_alive() and not loader.succeeded():
                    raise did_not_start(loader, loader.ending())
                if now - moved_at > STALLED_SECONDS:
                    raise did_not_start(loader, f"has stood still for {STALLED_SECONDS:.0f} s")
            time.sleep(LOOKED_AGAIN_SECONDS)
        for loader in loaders:
            if not loader.succeeded():
                raise did_not_start(loader, loader.ending())
    found, issued = counted
    return Loaded(found, issued, time.monotonic() - began)


def _loader(city: City, day: date, place: int) -> Part:
    words = (str(city.certificates), day.isoformat(), str(place), str(LOADERS))
    return Part(
        name=f"loader-{place + 1}",
        command=(sys.executable, "-P", "-m", "city.bench.scale.loading", *words),
        environ=city.environ,
        stop=STOP,
    )


def _counted(loaders: list[Child]) -> tuple[int, int]:
    """What the loaders found and issued so far, by the last line that each wrote."""
    found, issued = 0, 0
    for loader in loaders:
        for line in reversed(loader.last_words()):
            words = line.split()
            if len(words) == 2 and all(word.isdecimal() for word in words):
                found, issued = found + int(words[0]), issued + int(words[1])
                break
    return found, issued


def _progress(wanted: int, found: int, issued: int, *, seconds: float) -> str:
    there, rate = found + issued, issued / seconds
    left = f", {(wanted - there) / rate / 60:.0f} min left" if rate else ""
    return f"{there:,} ({there / wanted:.0%}), {rate:,.0f}/s{left}"


async def tidy_up(city: City) -> int:
    """Vacuum, count, and write everything down; how many certificates there are. Raises CannotStart if too few."""
    conn = await asyncpg.connect(city.database_url)
    try:
        await queries.vacuum(conn)
        counted = await queries.count_certificates(conn)
        await queries.checkpoint(conn)
    finally:
        await conn.close()
    if counted != city.certificates:
        raise CannotStart(
            f"The database {city.name} holds {counted:,} certificates instead of {city.certificates:,}.",
            "Remove that data directory and load again.",
        )
    return counted


async def room_of(city: City) -> tuple[list[Relation], int]:
    """Every table and index with its bytes, and how many kinds there are."""
    conn = await asyncpg.connect(city.database_url)
    try:
        return await queries.select_relations(conn), await queries.count_kinds(conn)
    finally:
        await conn.close()


async def read_through(city: City) -> int:
    """Have PostgreSQL read all that calls read into its own memory; how much it has of that, in bytes.

    A scan of a table reads past that memory, one by the index does not.
    """
    by_index = {"enable_seqscan": "off", "enable_bitmapscan": "off", "max_parallel_workers_per_gather": "0"}
    conn = await asyncpg.connect(city.database_url, server_settings=by_index)
    try:
        await queries.read_through(conn)
        return await queries.select_buffer_bytes(conn)
    finally:
        await conn.close()


async def some_good(city: City, today: date) -> list[Good]:
    """Certificates to show, drawn from the whole city. Reads the whole table."""
    conn = await asyncpg.connect(city.database_url)
    try:
        in_65536 = min(65_536, -(-SAMPLE * 65_536 // city.certificates))
        return await queries.select_some_good(conn, today=today, in_65536=in_65536)
    finally:
        await conn.close()


@contextmanager
def serving(city: City, running: Running, core: set[int]) -> Iterator[Child]:
    """The city's web process, on a core of its own, until the block ends. Raises CannotStart."""
    part = Part(
        name=f"web-{city.certificates}",
        command=command_line("serve"),
        environ={**city.environ, "SUISHENBAN_CONNECTIONS_MAX": str(CONNECTIONS_OF_WEB)},
        stop=STOP,
        is_ready=lambda _: asking.answers_well(environment.DEFAULT_HOST, city.port, "/health/ready"),
    )
    with _child(part, running.directory.logs, running.directory.running) as web:
        if core:
            os.sched_setaffinity(web.pid, core)
        wait_until_ready(web)
        yield web


@contextmanager
def opened(city: City, do: Do) -> Iterator[CityParts]:
    """The city's parts in this process, to mint tokens and codes with."""
    parts = do(CityParts.open(city.settings(CONNECTIONS_OF_OURS), process="bench"))
    try:
        yield parts
    finally:
        do(parts.close())


@contextmanager
def _child(part: Part, logs: Path, running: Path) -> Iterator[Child]:
    child = Child(part, logs, running)
    child.start()
    try:
        yield child
    finally:
        child.stop()
