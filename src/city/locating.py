"""Which city a command is about: the folder its data is in, and the servers it uses."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from city import environment
from city.accounts import Account, server_account
from city.data_directory import (
    Address,
    DataDirectory,
    check_owner,
    check_room,
    check_version,
    claimed,
    default_path,
)
from city.embedded import servers
from city.errors import CannotStart
from city.sealing_keys import ensure_keys


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a city is on this machine, and whom its servers run as when that is not us."""

    directory: DataDirectory
    account: Account | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options by which every command finds its city."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="where the city lives (default: .data beside this program if that can be written, else"
        " ~/.local/share/suishenban; for root in a closed folder, one under /var/lib/suishenban)",
    )
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="for root only: whom PostgreSQL and Redis run as, since PostgreSQL refuses root"
        " (default: who called sudo, else postgres, else nobody)",
    )


def locate(args: argparse.Namespace) -> Place:
    """Find the place the options mean. Raises CannotStart."""
    environ: Mapping[str, str] = args.environ
    account = None if _brings_its_own_servers(environ) else server_account(args.user, environ)
    path = args.data.expanduser().absolute() if args.data else default_path(checkout(), environ, account)
    directory = DataDirectory(path)
    check_owner(directory)
    record = directory.record()
    if account and record and record.account and not args.user:
        account = server_account(record.account, environ)
    return Place(directory=directory, account=account)


def running_city(args: argparse.Namespace) -> Address | None:
    """The city that runs now where the options say, or None. Raises CannotStart if the place is not ours."""
    return locate(args).directory.address()


def demand_city(args: argparse.Namespace) -> None:
    """Refuse to go on where no city was ever made, for commands that look at one. Makes nothing. Raises CannotStart."""
    if _brings_its_own_servers(args.environ) and args.environ.get(environment.KEY_FILE):
        return
    directory = locate(args).directory
    if directory.record() is None:
        raise CannotStart(
            f"There is no city in {directory.path}.",
            f"Say with --data where it lives, or make one with ./run --data {directory.path}. Nothing was made.",
        )


@contextmanager
def environ_of_city(args: argparse.Namespace) -> Iterator[Mapping[str, str]]:
    """The environment for a command that needs servers: the running city's, or servers started for the block.

    `SUISHENBAN_DATABASE_URL` and `SUISHENBAN_REDIS_URL` win where they are set. Raises CannotStart.
    """
    environ: Mapping[str, str] = args.environ
    if _brings_its_own_servers(environ) and environ.get(environment.KEY_FILE):
        yield environ
        return
    place = locate(args)
    address = place.directory.address()
    if address is not None:
        yield {**address.environ, **{name: text for name, text in environ.items() if name.startswith("SUISHENBAN_")}}
        return
    directory, account = place.directory, place.account
    with claimed(directory):
        check_version(directory, account)
        check_room(directory)
        if _brings_its_own_servers(environ):
            yield _environ_alone(directory, environ, "", "")
            return
        with servers(directory.path, account.name if account else None) as running:
            yield _environ_alone(directory, environ, running.database_url, running.redis_url)


def _environ_alone(
    directory: DataDirectory, environ: Mapping[str, str], database_url: str, redis_url: str
) -> dict[str, str]:
    host = environ.get(environment.HOST) or environment.DEFAULT_HOST
    port = environment.port_of(environ)
    alone = environment.for_parts(
        environ,
        database_url=database_url,
        redis_url=redis_url,
        key_file=directory.key_file,
        host=host,
        port=port,
        public_host=environ.get(environment.PUBLIC_HOST) or environment.public_host_of(host, port),
    )
    ensure_keys(directory, alone)
    return alone


def checkout() -> Path | None:
    """The folder of the checkout this program runs from; None for an installed copy."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "requirements.lock").exists() else None


def demand_servers(environ: Mapping[str, str]) -> None:
    """Refuse to go on without the addresses of a database and a Redis. Raises CannotStart."""
    missing = [name for name in (environment.DATABASE_URL, environment.REDIS_URL) if not environ.get(name)]
    if missing:
        raise CannotStart(
            f"Nothing says which servers to use: {' and '.join(missing)} must be set.",
            "Set that, or start the whole city with ./run, which brings its own.",
        )


def _brings_its_own_servers(environ: Mapping[str, str]) -> bool:
    return bool(environ.get(environment.DATABASE_URL) and environ.get(environment.REDIS_URL))
