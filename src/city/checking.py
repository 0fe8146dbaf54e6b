"""`check`: looks at each part of the city on this machine and says whether it is in order, and what to do if not."""

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from city import asking, checking_carriers, checking_published, checking_sending, environment, leftovers, locating
from city.data_directory import FREE_BYTES_MIN, Address, DataDirectory, check_version
from city.errors import CannotStart
from city.finding import Finding
from city.parts import city_parts
from city.reading_settings import read_settings
from kernel.settings import Settings

ANSWER_WITHIN_SECONDS = 5.0
_OTHERS_MAY = 0o077
_REMEDY = "See that it runs and that SUISHENBAN_{}_URL is right; docs/RUNBOOK.md says more."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    locating.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line per part. Exit 0 when all are in order, 1 otherwise."""
    findings = list(_look(args))
    width = max(len(finding.part) for finding in findings)
    for finding in findings:
        sys.stdout.write(f"  {'ok    ' if finding.is_fine else 'not ok'}  {finding.part:<{width}}  {finding.found}\n")
        if finding.remedy:
            sys.stdout.write(f"          {'':<{width}}  → {finding.remedy}\n")
    return 0 if all(finding.is_fine for finding in findings) else 1


def _look(args: argparse.Namespace) -> Iterator[Finding]:
    yield Finding("Python", is_fine=True, found=f"{sys.version.split()[0]} in {sys.prefix}")
    place = locating.locate(args)
    yield _refusal_as_finding("data", lambda: check_version(place.directory, place.account), str(place.directory.path))
    yield _disk(place.directory)
    address = place.directory.address()
    if address is None and not args.environ.get(environment.DATABASE_URL):
        yield Finding("city", is_fine=True, found="does not run here", remedy="./run starts it")
        return
    environ = {**args.environ, **(address.environ if address else {})}
    try:
        settings = read_settings(environ)
    except CannotStart as reason:
        yield Finding("settings", is_fine=False, found=reason.sentence, remedy=reason.remedy)
        return
    yield Finding("settings", is_fine=True, found="valid")
    yield _key_file(settings)
    servers = servers_found(settings)
    yield from servers
    if all(server.is_fine for server in servers):
        yield from asyncio.run(checking_published.look(settings))
        yield from asyncio.run(checking_sending.look(settings))
    yield from asyncio.run(checking_carriers.look(settings))
    if address is not None:
        yield from _processes(place.directory, address)
    yield from _stand_ins(settings)


def servers_found(settings: Settings) -> list[Finding]:
    """Whether PostgreSQL and Redis answer where the settings say."""
    return [asyncio.run(_database(settings)), asyncio.run(_redis(settings))]


def _refusal_as_finding(part: str, look: Callable[[], None], found: str) -> Finding:
    try:
        look()
    except CannotStart as reason:
        return Finding(part, is_fine=False, found=reason.sentence, remedy=reason.remedy)
    return Finding(part, is_fine=True, found=found)


def _disk(directory: DataDirectory) -> Finding:
    there = next(folder for folder in (directory.path, *directory.path.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    enough = free >= FREE_BYTES_MIN
    return Finding(
        "disk", is_fine=enough, found=f"{free / 1e9:.1f} GB free", remedy="" if enough else f"Make room under {there}."
    )


def _key_file(settings: Settings) -> Finding:
    path = settings.key_file
    if not path.exists():
        return Finding(
            "keys", is_fine=False, found=f"{path} is missing", remedy="Restore it: nothing opens without it."
        )
    if path.stat().st_mode & _OTHERS_MAY:
        return Finding("keys", is_fine=False, found=f"others may read {path}", remedy=f"chmod 600 {path}")
    return Finding("keys", is_fine=True, found=str(path))


async def _database(settings: Settings) -> Finding:
    try:
        conn = await asyncpg.connect(settings.database_url.reveal(), timeout=ANSWER_WITHIN_SECONDS)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        return Finding("PostgreSQL", is_fine=False, found=_in_words(problem), remedy=_REMEDY.format("DATABASE"))
    version = conn.get_server_version()
    await conn.close()
    return Finding("PostgreSQL", is_fine=True, found=f"{version.major} answers")


async def _redis(settings: Settings) -> Finding:
    try:
        client = Redis.from_url(settings.redis_url.reveal(), socket_timeout=ANSWER_WITHIN_SECONDS)
    except ValueError as problem:
        return Finding("Redis", is_fine=False, found=_in_words(problem), remedy=_REMEDY.format("REDIS"))
    try:
        await client.ping()
    except (OSError, RedisError) as problem:
        return Finding("Redis", is_fine=False, found=_in_words(problem), remedy=_REMEDY.format("REDIS"))
    finally:
        await client.aclose()
    return Finding("Redis", is_fine=True, found="answers")


def _processes(directory: DataDirectory, address: Address) -> Iterator[Finding]:
    alive = leftovers.recorded(directory.running)
    host = address.environ.get(environment.HOST, environment.DEFAULT_HOST)
    port = environment.port_of(address.environ)
    for part in city_parts(address.environ, host, port):
        pid = alive.get(part.name, 0)
        is_fine = bool(pid) and part.is_ready(pid)
        found = f"process {pid}, ready" if is_fine else f"process {pid}, not ready" if pid else "does not run"
        remedy = "" if is_fine else f"See {directory.logs / part.name}.log"
        yield Finding(part.name, is_fine=is_fine, found=found, remedy=remedy)
    yield Finding("city", is_fine=asking.listens(host, port), found=f"process {address.pid}, at {address.url}")


def _stand_ins(settings: Settings) -> Iterator[Finding]:
    """What stands in for the outside world. Nobody is to take a demo for a city."""
    loopback = ("http://127.", "http://localhost", "http://[::1]")
    found: Mapping[str, bool] = {
        "SMS are shown in the demo outbox, not sent": settings.carriers is None,
        "the chat platform is a stand-in": settings.chat_platform_url.startswith(loopback),
        "the real-name check is a stand-in": settings.real_name_url.startswith(loopback),
        "the demo's short cuts are open": settings.demo,
    }
    for words in (words for words, so in found.items() if so):
        yield Finding("stand-in", is_fine=True, found=words)


def _in_words(problem: BaseException) -> str:
    said = str(problem) or type(problem).__name__
    return said.replace(os.linesep, " ")[:200]
