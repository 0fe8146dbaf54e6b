"""`migrate`: brings the database's schema up to date and says what was applied."""

import argparse
import asyncio
import sys
from pathlib import Path

import asyncpg

from city import locating
from city.errors import CannotStart
from city.reading_settings import read_settings
from kernel.migrate import MigrationRefused, migrate

FOLDER = Path(__file__).resolve().parents[1] / "gateway" / "migrations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `migrate`."""
    locating.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Apply what is missing. Exit 0 done, 1 refused and nothing half done."""
    with locating.environ_of_city(args) as environ:
        settings = read_settings(environ)
        try:
            applied = asyncio.run(migrate(settings.database_url.reveal(), FOLDER))
        except MigrationRefused as reason:
            raise CannotStart(f"The schema cannot be brought up to date: {reason}", "See docs/RUNBOOK.md.") from None
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
            raise CannotStart(
                f"The schema cannot be brought up to date: {type(problem).__name__}, {problem}",
                "./run check says whether PostgreSQL answers; nothing was half done, so try again.",
            ) from None
    sys.stdout.write("".join(f"applied {name}\n" for name in applied) or "the schema is up to date\n")
    return 0
