"""`department issue`: a department loads a file of certificates over HTTP, and goes on by itself where it was cut off.

Nothing but HTTP, as a department's own program would: a signed assertion for the token, one stream for the lines, and
a look now and then at how far the load has come. The load's id is made of the file's content, so that the same command
run again goes on with the same load.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from city import department_program
from city.department_program import Lost, Program
from city.errors import CannotStart
from city.line_files import File
from city.progress import Progress, Step

NDJSON: Final = "application/x-ndjson"
LOOKED_EVERY_SECONDS: Final = 1.0
STALLED_SECONDS: Final = 60.0
"""After so long without a line more, the connection counts as lost."""
TRIES_MAX: Final = 8
"""In a row without a line more; then somebody has to look."""
BACKOFF_SECONDS: Final = 0.5
BACKOFF_SECONDS_MAX: Final = 8.0
REFUSALS_PAGE: Final = 500
SHOWN_MAX: Final = 20
"""Refused lines that are printed; `--report` has all."""
ALL_ISSUED, NOT_SENT, SOME_REFUSED = 0, 1, 3
EXIT_CODES: Final = (
    f"exit codes: {ALL_ISSUED} every line is issued, or was before; {NOT_SENT} not sent whole, run it again to go on;"
    f" {SOME_REFUSED} sent whole, and some lines were refused"
)
_IDS: Final = UUID("5b9d5f0e-6a1c-5c57-9d2b-3f2f5b9f4f11")
"""The namespace (RFC 9562 §5.5) of loads named by their content."""


class Progressed(msgspec.Struct):
    """What the city says of a load."""

    state: str
    next_line: int
    lines_read: int
    issued: int
    known: int
    refused: int


class Refused(msgspec.Struct):
    """A line that was refused."""

    line: int
    reference: str | None
    code: str
    detail: str
    field: str | None

    def words(self) -> str:
        named = "" if self.reference is None else f" ({self.reference})"
        field = "" if self.field is None else f", field {self.field}"
        return f"line {self.line}{named}: {self.code}: {self.detail}{field}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is loaded, for whom, and how the department proves itself."""
    parser.epilog = EXIT_CODES
    parser.add_argument("file", type=Path, metavar="FILE", help="NDJSON: one certificate to issue on each line")
    parser.add_argument(
        "--department", required=True, metavar="SLUG", help="whose certificates they are: police, parks"
    )
    department_program.add_arguments(parser)
    parser.add_argument("--load", type=UUID, metavar="UUID", help="the load's id (default: made of the file's content)")
    parser.add_argument("--tell", action="store_true", help="tell the holders of what is issued to them")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write every refused line there, as NDJSON")


def run(args: argparse.Namespace) -> int:
    """Load the file. See the exit codes in the help."""
    file = File.read(args.file)
    return asyncio.run(_load(args, file, department_program.url_of(args)))


async def _load(args: argparse.Namespace, file: File, url: str) -> int:
    async with department_program.opened_client() as http:
        sender = Sender(http, url, *await department_program.credentials(args, http, url))
        load_id = args.load or uuid5(_IDS, f"{args.department}\0{file.digest}")
        progress = Progress(sys.stdout)
        with progress.step(f"{file.lines} lines") as step:
            load = await Loading(sender, file, load_id, tell=args.tell).run(step)
            rate = load.lines_read / max(step.seconds, 0.001)
            step.outcome = (
                f"{load.issued} issued, {load.known} known before, {load.refused} refused, {rate:.0f} lines/s"
            )
        await _report(args, sender, load_id, load, progress)
    return SOME_REFUSED if load.refused else ALL_ISSUED


async def _report(
    args: argparse.Namespace, sender: "Sender", load_id: UUID, load: Progressed, progress: Progress
) -> None:
    """Print the first refused lines, and write all of them where that was asked for."""
    out = args.report.open("w", encoding="utf-8") if args.report is not None else None
    shown = 0
    try:
        async for refused in sender.refusals(load_id):
            if shown < SHOWN_MAX:
                progress.say(f"  {refused.words()}")
                shown += 1
            elif out is None:
                break
            if out is not None:
                out.write(json.dumps(msgspec.to_builtins(refused), ensure_ascii=False) + "\n")
    finally:
        if out is not None:
            out.close()
    if load.refused > shown:
        where = args.report or "--report FILE"
        progress.say(f"  … and {load.refused - shown} more: {where}")


class Sender(Program):
    """The department, as it loads certificates."""

    async def load(self, method: str, load_id: UUID, act: str = "") -> Progressed:
        """Open, read or finish a load. Raises Lost, CannotStart."""
        return msgspec.json.decode(await self.ask(method, f"/department/loads/{load_id}{act}"), type=Progressed)

    async def send(self, load_id: UUID, lines: AsyncGenerator[bytes], *, first: int, tell: bool) -> Progressed:
        """Send lines. Raises Lost, CannotStart."""
        path = f"/department/loads/{load_id}/lines?from={first}&tell={'true' if tell else 'false'}"
        headers = {"Content-Type": NDJSON}
        body = await self.ask("POST", path, data=lines, headers=headers, seconds=None)
        return msgspec.json.decode(body, type=Progressed)

    async def refusals(self, load_id: UUID) -> AsyncGenerator[Refused]:
        """Every refused line. Raises Lost, CannotStart."""
        cursor = ""
        while True:
            path = f"/department/loads/{load_id}/refusals?limit={REFUSALS_PAGE}{cursor and '&cursor=' + cursor}"
            page = msgspec.json.decode(await self.ask("GET", path), type=dict[str, Any])
            for one in msgspec.convert(page["refusals"], list[Refused]):
                yield one
            if page["next_cursor"] is None:
                return
            cursor = page["next_cursor"]


class Loading:
    """One load, until its last line is read."""

    def __init__(self, sender: Sender, file: File, load_id: UUID, *, tell: bool) -> None:
        self._sender = sender
        self._file = file
        self._load_id = load_id
        self._tell = tell
        self._began_at_line = 1

    async def run(self, step: Step) -> Progressed:
        """Send what is not read yet, again and again if need be; the load, finished. Raises CannotStart."""
        tries, reached, opened = 0, 0, False
        while True:
            try:
                if not opened:
                    await self._sender.prove()
                load = await self._sender.load("GET" if opened else "PUT", self._load_id)
                if not opened:
                    opened, self._began_at_line = True, load.next_line
                if load.state != "finished":
                    await self._send(load, step)
                    load = await self._sender.load("POST", self._load_id, "/finish")
                return load
            except Lost as lost:
                seen = await self._look_again()
                read = reached if seen is None else seen.lines_read
                tries, reached = (0 if read > reached else tries + 1), read
                if tries >= TRIES_MAX:
                    raise CannotStart(
                        f"After {reached} lines nothing more came through: {lost}.", "Run it again to go on from there."
                    ) from None
                step.tick(f"{reached} of {self._file.lines}, trying again: {lost}")
                await asyncio.sleep(min(BACKOFF_SECONDS * 2**tries, BACKOFF_SECONDS_MAX))

    async def _look_again(self) -> Progressed | None:
        try:
            return await self._sender.load("GET", self._load_id)
        except Lost:
            return None

    async def _send(self, load: Progressed, step: Step) -> None:
        """Send from the line that is wanted, looking now and then how far it is. Raises Lost."""
        lines = self._file.from_line(load.next_line)
        sending = asyncio.ensure_future(self._sender.send(self._load_id, lines, first=load.next_line, tell=self._tell))
        read, moved_at = load.lines_read, time.monotonic()
        try:
            while not (await asyncio.wait({sending}, timeout=LOOKED_EVERY_SECONDS))[0]:
                seen = await self._look_again()
                if seen is not None and seen.lines_read > read:
                    read, moved_at = seen.lines_read, time.monotonic()
                if time.monotonic() - moved_at > STALLED_SECONDS:
                    raise Lost(f"not a line more within {STALLED_SECONDS:.0f} s")
                step.tick(self._words(read, step))
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)  # whatever it was, it has been told or is being told

    def _words(self, read: int, step: Step) -> str:
        rate = (read - self._began_at_line + 1) / max(step.seconds, 0.001)
        percent = 100 * read // max(self._file.lines, 1)
        return f"{read} of {self._file.lines} lines ({percent} %), {rate:.0f} lines/s"
