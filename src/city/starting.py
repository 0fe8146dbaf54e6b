"""`up`: brings the whole city up on this machine and keeps it up until it is asked to stop."""

import argparse
import hashlib
import os
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import msgspec

from city import environment, locating
from city.accounts import Account
from city.asking import is_free, url_of
from city.data_directory import Address, CityRecord, DataDirectory, check_room, check_version, claimed, empty
from city.embedded import clear_sockets, end_leftovers, prepare
from city.errors import CannotStart
from city.in_use import hold_environment
from city.parts import STAGES, city_parts, once
from city.progress import Progress
from city.reading_settings import read_settings
from city.sealing_keys import ensure_keys
from city.supervising import Asked, Supervisor

CORES_MIN = 2
"""What a small machine has. A process that loads keeps a core busy for a second; more at once are all slower."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line and the environment asked for."""

    directory: DataDirectory
    account: Account | None
    given: dict[str, str]
    host: str
    port: int
    public_host: str
    fresh: bool

    @property
    def url(self) -> str:
        return url_of(self.host, self.port)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `up`."""
    parser.add_argument("--fresh", action="store_true", help="remove this city's data first and start over")
    locating.add_arguments(parser)
    parser.add_argument(
        "--port",
        type=int,
        help=f"where the city answers (default: {environment.DEFAULT_PORT}); the stand-ins for the outside world"
        " take the next port, the demo departments the one after",
    )
    parser.add_argument(
        "--host",
        help=f"the address to listen on (default: {environment.DEFAULT_HOST}, this machine only; 0.0.0.0 for all)",
    )
    parser.add_argument(
        "--public-host",
        metavar="HOST:PORT",
        help="what codes name and phones call, at most 24 characters (default: the address above)",
    )


def run(args: argparse.Namespace) -> int:
    """Bring the city up and keep it. Exit 0 when asked to stop, 1 when it cannot start or cannot go on."""
    progress = Progress(sys.stdout)
    plan = _plan(args)
    progress.say(f"Suishenban · data in {plan.directory.path}")
    if plan.account:
        progress.say(f"  you are root, so PostgreSQL and Redis run as {plan.account.name} (--user chooses another)")
    with claimed(plan.directory), hold_environment(), Asked().listening() as asked:
        _prepare_place(plan, progress)
        supervisor = Supervisor(plan.directory.logs, plan.directory.running, asked, progress.say_now)
        try:
            _bring_up(plan, supervisor, asked, progress)
            if not asked.to_stop():
                progress.say(_banner(plan))
                supervisor.keep()
        finally:
            with progress.step("stopped") as step:
                supervisor.stop(STAGES, step.tick)
                clear_sockets(plan.directory)
    return 0


def _plan(args: argparse.Namespace) -> Plan:
    given = dict(args.environ)
    host = args.host or given.get(environment.HOST) or environment.DEFAULT_HOST
    port = environment.port_of(given, args.port)
    place = locating.locate(args)
    plan = Plan(
        directory=place.directory,
        account=place.account,
        given=given,
        host=host,
        port=port,
        public_host=_public_host(args.public_host or given.get(environment.PUBLIC_HOST), host, port),
        fresh=args.fresh,
    )
    read_settings(_environ_of_parts(plan, "not known yet", "not known yet"))
    return plan


def _public_host(said: str | None, host: str, port: int) -> str:
    if said and len(said) > environment.PUBLIC_HOST_CHARACTERS_MAX:
        raise CannotStart(
            f"{said} has more than {environment.PUBLIC_HOST_CHARACTERS_MAX} characters, which makes codes too dense.",
            "Give the city a shorter name with --public-host.",
        )
    return said or environment.public_host_of(host, port)


def _prepare_place(plan: Plan, progress: Progress) -> None:
    """Check, and clear where that was asked for. Raises CannotStart."""
    if plan.fresh:
        _refuse_to_lose_keys(plan)
        with progress.step("removed the data of the city that was here") as step:
            end_leftovers(plan.directory, step.tick)
            empty(plan.directory)
    check_version(plan.directory, plan.account)
    check_room(plan.directory)
    end_leftovers(plan.directory)
    _check_ports(plan)
    if plan.directory.record() is None:  # from here on it is a city's folder, also when both servers are somebody's own
        plan.directory.write_record(CityRecord(uid=os.geteuid()))


def _refuse_to_lose_keys(plan: Plan) -> None:
    """The keys lie in the directory; without them a database of somebody's own could not be read any more."""
    if plan.given.get(environment.DATABASE_URL):
        raise CannotStart(
            "--fresh removes the keys too, and your own database cannot be read without them.",
            f"Unset {environment.DATABASE_URL}, or empty that database yourself and leave --fresh out.",
        )


def _check_ports(plan: Plan) -> None:
    for port in range(plan.port, plan.port + environment.PORTS):
        host = plan.host if port == plan.port else environment.DEFAULT_HOST
        try:
            free = is_free(host, port)
        except OSError as problem:
            raise CannotStart(
                f"The city cannot listen on {host}, port {port}: {problem.strerror}.",
                "Choose another with --host or --port.",
            ) from None
        if not free:
            other = plan.port + 10 if plan.port + 10 <= environment.PORT_MAX else environment.DEFAULT_PORT
            raise CannotStart(
                f"Port {port} is taken by another program; the city needs {plan.port} to {plan.port + 2}.",
                f"Choose another: ./run --port {other}",
            )


def _bring_up(plan: Plan, supervisor: Supervisor, asked: Asked, progress: Progress) -> None:
    """Servers, schema, demo city, then everything else. Returns early when asked to stop. Raises CannotStart."""
    environ = _start_servers(plan, supervisor, progress)
    ensure_keys(plan.directory, environ)
    _write_address(plan, environ)
    if asked.to_stop():
        return
    with progress.step("schema up to date") as step:
        supervisor.run_once(once("migrate", environ), step.tick)
    if environment.is_demo(environ) and not asked.to_stop():
        _plant(plan, environ, supervisor, asked, progress)
    if asked.to_stop():
        return
    parts = city_parts(environ, plan.host, plan.port)
    with progress.step("ready: " + ", ".join(part.name for part in parts)) as step:
        for few in (
            parts[:CORES_MIN],
            parts[CORES_MIN:],
        ):  # so that the web process, which is first, has a core to itself
            if not asked.to_stop():
                supervisor.start(few)
                supervisor.await_ready(step.tick)


def _start_servers(plan: Plan, supervisor: Supervisor, progress: Progress) -> dict[str, str]:
    database_url = plan.given.get(environment.DATABASE_URL, "")
    redis_url = plan.given.get(environment.REDIS_URL, "")
    with progress.step("PostgreSQL and Redis answer") as step:
        if not (database_url and redis_url):
            ready = prepare(plan.directory, plan.account, plan.given, tick=step.tick)
            ours = ((ready.postgres, not database_url), (ready.redis, not redis_url))
            supervisor.start(part for part, is_ours in ours if is_ours)
            supervisor.await_ready(step.tick)
            database_url, redis_url = database_url or ready.database_url, redis_url or ready.redis_url
        environ = _environ_of_parts(plan, database_url, redis_url)
        if environ.keys() & plan.given.keys() & {environment.DATABASE_URL, environment.REDIS_URL}:
            _check_servers_of_others(environ)
    return environ


def _check_servers_of_others(environ: dict[str, str]) -> None:
    from city.checking import servers_found  # loads the clients of both, which nobody else needs here

    for finding in servers_found(read_settings(environ)):
        if not finding.is_fine:
            raise CannotStart(f"{finding.part} does not answer: {finding.found}", finding.remedy)


def _environ_of_parts(plan: Plan, database_url: str, redis_url: str) -> dict[str, str]:
    return environment.for_parts(
        plan.given,
        database_url=database_url,
        redis_url=redis_url,
        key_file=plan.directory.key_file,
        host=plan.host,
        port=plan.port,
        public_host=plan.public_host,
    )


def _plant(plan: Plan, environ: dict[str, str], supervisor: Supervisor, asked: Asked, progress: Progress) -> None:
    """Plant the demo city where it is not planted yet; again when its departments' servers moved to another port."""
    database = hashlib.sha256(plan.given.get(environment.DATABASE_URL, "").encode()).hexdigest()[:16]
    mark = f"{database}:{environ[environment.DEMO_DEPARTMENT_PORT]}"
    record = plan.directory.record()
    if record is None or mark in record.planted:
        return
    with progress.step("demo city planted") as step:
        supervisor.run_once(once("seed", environ), step.tick)
    if not asked.to_stop():
        record.planted = [one for one in record.planted if not one.startswith(database)] + [mark]
        plan.directory.write_record(record)


def _write_address(plan: Plan, environ: dict[str, str]) -> None:
    ours = environ.keys() - plan.given.keys()  # what somebody set, a password perhaps, stays with whoever set it
    told = {name: environ[name] for name in sorted(ours) if name.startswith(environment.PREFIX)}
    plan.directory.write_address(Address(pid=os.getpid(), url=plan.url, environ=told))


def _banner(plan: Plan) -> str:
    """What a person needs to know, in under a screen."""
    lines = ["", f"  The city is open at {plan.url}", ""]
    if environment.is_demo(plan.given):
        from city.casting import how_to_send, who_is_who  # the demo city is read only here, and takes a moment

        key_file = Path(_environ_of_parts(plan, "", "")[environment.KEY_FILE])
        lines += ["  Who can sign in:", *_columns(who_is_who()), ""]
        lines += ["  For programs written for GOV.UK Notify:", *_columns(how_to_send(key_file, plan.url)), ""]
    lines += [
        "  What to try:",
        f"    open {plan.url} in a browser",
        "    ./run journey        a certificate's way from a department to a venue's scanner",
        "    ./run check          how each part is",
        "",
        f"  What each process says is in {_short(plan.directory.logs)}. Ctrl-C stops everything; data stays.",
        "",
    ]
    return "\n".join(lines)


def _columns(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    table = list(rows)
    first, second = (max((_cells(row[column]) for row in table), default=0) for column in (0, 1))
    return [f"    {_padded(role, first)}  {_padded(how, second)}  {what}".rstrip() for role, how, what in table]


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - _cells(text))


def _cells(text: str) -> int:
    """How many columns of a terminal `text` takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _short(path: Path) -> Path:
    """`path` from here, where that is shorter."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
