"""`department key`: an operator makes an API key for a department's programs, lists which are good, or revokes one."""

import argparse
import asyncio
import os
import sys
from typing import Final, cast
from uuid import UUID

from city import locating
from city.errors import CannotStart
from city.reading_settings import read_settings
from gateway.departments import queries as departments
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.errors import Refusal
from kernel.ids import DepartmentId
from kernel.sealing import Keys
from kernel.settings import Settings
from notifications.services.keys.keeping import KeyBook
from notifications.services.model import KeyKind

CONNECTIONS_MAX: Final = 2
KINDS: Final = ("live", "team", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose key, what it is called, and whom it may reach."""
    parser.add_argument("slug", metavar="DEPARTMENT", help="the department's short name: parks")
    parser.add_argument("--name", default="program", help="what the key is called (default: program)")
    parser.add_argument(
        "--kind",
        choices=KINDS,
        default="test",
        help="live reaches anybody, team the department's own people, test nobody (default: test)",
    )
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--list", action="store_true", help="list the keys that are good, and make none")
    others.add_argument("--revoke", type=UUID, metavar="KEY_ID", help="revoke this key, and make none")


def run(args: argparse.Namespace) -> int:
    """Make a key and print it, this once. Exit 0 when done, 1 when refused."""
    with locating.environ_of_city(args) as environ:
        return asyncio.run(_act(args, read_settings(environ)))


async def _act(args: argparse.Namespace, settings: Settings) -> int:
    db = await Database.open(settings.database_url.reveal(), connections_max=CONNECTIONS_MAX)
    try:
        async with db.connection() as conn:
            department_id = await departments.select_department(conn, args.slug)
        if department_id is None:
            raise CannotStart(f"There is no department {args.slug}.", "./run department list names those with an app.")
        book = KeyBook(db, SystemClock(), Keys.read(settings.key_file))
        await _do(args, book, department_id)
    except Refusal as refused:
        raise CannotStart(f"{refused.title()}", "Nothing was changed.") from None
    finally:
        await db.close()
    return 0


async def _do(args: argparse.Namespace, book: KeyBook, department_id: DepartmentId) -> None:
    actor, say = f"operator:{os.geteuid()}", sys.stdout.write
    if args.list:
        for key in await book.every(department_id):
            say(f"{key.key_id}  {key.kind:<4}  {key.name}\n")
    elif args.revoke is not None:
        await book.revoke(department_id, args.revoke, actor=actor)
        say("revoked; nothing signed with it is taken any more\n")
    else:
        made = await book.make(department_id, args.name, cast("KeyKind", args.kind), actor=actor)
        say(f"{made.text}\n")
        sys.stderr.write("Keep it: it is shown this once. The middle is the service's id, the end the secret.\n")
