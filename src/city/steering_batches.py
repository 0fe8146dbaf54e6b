"""`department batch`: a department lists its batches, looks how far one is, starts, pauses, resumes or cancels it."""

import argparse
import asyncio
import sys
from datetime import datetime
from typing import Final
from uuid import UUID

from city import department_program
from city.batch_program import Progressed, Sender, patiently
from city.errors import CannotStart

LIST: Final = "list"
SHOW: Final = "show"
STEPS: Final = ("start", "pause", "resume", "cancel")
_BODIES: Final = {"start": {"without_missing": False}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is done, and to which batch."""
    parser.add_argument(
        "step",
        choices=(LIST, SHOW, *STEPS),
        metavar="STEP",
        help="list the newest, show one, start it, pause it, resume it, or cancel what was not sent yet",
    )
    parser.add_argument("batch", type=UUID, nargs="?", metavar="ID", help="which batch; list needs none")
    parser.add_argument("--department", required=True, metavar="SLUG", help="whose batch it is: police, parks")
    department_program.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Do it and say how the batch stands. Exit 0 when done, 1 when refused."""
    if args.step != LIST and args.batch is None:
        raise CannotStart(f"Which batch is to {args.step}?", "Name its id: department batch list shows them.")
    return asyncio.run(_steer(args, department_program.url_of(args)))


async def _steer(args: argparse.Namespace, url: str) -> int:
    async with department_program.opened_client() as http:
        sender = Sender(http, url, *await department_program.credentials(args, http, url))
        await patiently(sender.prove)
        if args.step == LIST:
            for batch in await patiently(sender.newest):
                sys.stdout.write(
                    f"{batch.batch_id}  {batch.state:<9}  {batch.sent:>8} of {batch.taken:<8}  {batch.name}\n"
                )
            return 0
        if args.step == SHOW:
            batch = await patiently(lambda: sender.batch("GET", args.batch))
        else:
            batch = await patiently(lambda: sender.batch("POST", args.batch, f"/{args.step}", _BODIES.get(args.step)))
    sys.stdout.write("".join(f"{line}\n" for line in words_of(batch)))
    return 0


def words_of(batch: Progressed) -> list[str]:
    """How a batch stands, in a few lines."""
    lines = [
        f"{batch.name}: {batch.state}",
        f"  {batch.received} rows came: {batch.taken} taken, {batch.refused} refused; {batch.missing} missing",
        f"  {batch.sent} sent, {batch.waiting} waiting, {batch.withdrawn} withdrawn",
        f"  {batch.delivered} delivered, {batch.failed} failed, {batch.unknown} unknown",
    ]
    if batch.ends_at is not None:
        ends_at = datetime.fromisoformat(batch.ends_at).astimezone().isoformat(sep=" ", timespec="seconds")
        lines.append(f"  all sent by {ends_at} at this pace")
    return lines
