"""`department send`: a department sends one text to everybody in a file, and goes on by itself where it was cut off.

Nothing but HTTP, as a department's own program would. The batch's id is made of the file's content and the text, so
that the same command run again goes on with the same batch, and nobody is sent anything twice.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from city import department_program
from city.batch_program import BACKOFF_SECONDS, BACKOFF_SECONDS_MAX, TRIES_MAX, Progressed, Sender, patiently
from city.cli import called
from city.department_program import Declined, Lost
from city.errors import CannotStart
from city.line_files import File
from city.progress import Progress, Step

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
LOOKED_EVERY_SECONDS: Final = 1.0
STALLED_SECONDS: Final = 60.0
"""After so long without a row more, the connection counts as lost."""
DECLINED_COUNTS: Final = TRIES_MAX // 2
"""As so many tries counts one that the city answered: the same rows will hardly be taken the next time."""
SHOWN_MAX: Final = 20
"""Refused rows that are printed; `--report` has all."""
ALL_SENT, NOT_SENT, SOME_REFUSED = 0, 1, 3
EXIT_CODES: Final = (
    f"exit codes: {ALL_SENT} every row is taken; {NOT_SENT} not sent whole, run it again to go on;"
    f" {SOME_REFUSED} sent whole, and some rows were refused"
)
_IDS: Final = UUID("0a3f9c52-6f0e-5d0b-8a43-5e1c2f6f7d90")
"""The namespace (RFC 9562 §5.5) of batches named by their content."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is sent, by whom, and how the department proves itself."""
    parser.epilog = EXIT_CODES
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="one recipient on each line: .ndjson, or .csv with names"
    )
    parser.add_argument("--text", type=UUID, metavar="ID", help="the text that is sent (without it: which there are)")
    parser.add_argument("--department", required=True, metavar="SLUG", help="who sends it: police, parks")
    department_program.add_arguments(parser)
    parser.add_argument("--name", help="what the batch is called (default: the file's name)")
    parser.add_argument("--lane", choices=("bulk", "result"), default="bulk", help="what goes first (default: bulk)")
    parser.add_argument(
        "--kind", choices=("live", "team", "test"), default="live", help="whom it reaches (default: live)"
    )
    parser.add_argument("--at", metavar="TIME", help="when to send, e.g. 2026-03-05T09:30:00+08:00 (default: now)")
    parser.add_argument(
        "--batch",
        type=UUID,
        metavar="UUID",
        help="the batch's id, to go on with one whose refused rows were mended in the file (default: made of the"
        " file's content)",
    )
    parser.add_argument("--no-start", action="store_true", help="only send the rows: refused ones can still be mended")
    parser.add_argument("--wait", action="store_true", help="stay until the last message has left")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write every refused row there, as NDJSON")


def run(args: argparse.Namespace) -> int:
    """Send the file. See the exit codes in the help."""
    form = {".ndjson": NDJSON, ".jsonl": NDJSON, ".csv": CSV}.get(args.file.suffix.lower())
    if form is None:
        raise CannotStart(f"{args.file} is of no known form.", "Call it .ndjson or .csv.")
    if args.at is not None:
        _check_moment(args.at)
    return asyncio.run(_send(args, File.read(args.file), form, department_program.url_of(args)))


def _check_moment(text: str) -> None:
    try:
        is_good = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        is_good = False
    if not is_good:
        raise CannotStart(f"{text} is no moment.", "Write it with its offset: 2026-03-05T09:30:00+08:00.")


async def _send(args: argparse.Namespace, file: File, form: str, url: str) -> int:
    async with department_program.opened_client() as http:
        sender = Sender(http, url, *await department_program.credentials(args, http, url))
        if args.text is None:
            raise await _without_text(sender)
        batch_id = args.batch or uuid5(_IDS, f"{args.department}\0{args.text}\0{args.kind}\0{args.at}\0{file.digest}")
        progress = Progress(sys.stdout)
        progress.say(f"  batch {batch_id}")
        try:
            batch = await _take(args, sender, Sending(sender, file, form, batch_id, _plan(args, file, form)), progress)
        except asyncio.CancelledError:
            progress.say("  What came is kept: run the same again to go on from there.")
            raise
        if not args.no_start:
            batch = await patiently(lambda: sender.batch("POST", batch_id, "/start", {"without_missing": False}))
            progress.say(f"  {batch.state}")
            if args.wait:
                await _wait(args, sender, batch_id, progress)
    return SOME_REFUSED if batch.refused else ALL_SENT


async def _without_text(sender: Sender) -> CannotStart:
    """What to say to whoever names no text: which they have."""
    await patiently(sender.prove)
    texts = [f"--text {one.text_id}  {one.name}" for one in await patiently(sender.texts)]
    return CannotStart("Which text is to be sent?", "\n  ".join(texts) or "No text was approved yet: write one first.")


async def _take(args: argparse.Namespace, sender: Sender, sending: "Sending", progress: Progress) -> Progressed:
    """Send the rows, and say what became of them."""
    with progress.step(f"{sending.rows} rows") as step:
        batch = await sending.run(step)
        came = batch.received - sending.before
        pace = f"{came / max(step.seconds, 0.001):.0f} rows/s" if came else "all had come before"
        step.outcome = f"{batch.taken} taken, {batch.refused} refused, {pace}"
    await _report(args, sender, batch, progress)
    return batch


def _plan(args: argparse.Namespace, file: File, form: str) -> dict[str, Any]:
    rows = file.lines - (form == CSV) - file.ends_blank
    plan = {"name": args.name or args.file.name, "text_id": str(args.text), "lane": args.lane, "kind": args.kind}
    return plan | ({"rows": rows} if rows > 0 else {}) | ({} if args.at is None else {"send_at": args.at})


async def _wait(args: argparse.Namespace, sender: Sender, batch_id: UUID, progress: Progress) -> None:
    """Look until the batch is finished, cancelled or paused."""
    try:
        with progress.step("sending") as step:
            while (batch := await patiently(lambda: sender.batch("GET", batch_id))).state == "started":
                step.tick(f"{batch.sent} sent, {batch.delivered} delivered")
                await asyncio.sleep(LOOKED_EVERY_SECONDS)
            arrived = f"{batch.delivered} delivered so far, {batch.failed} failed"
            step.outcome = f"{batch.state}: {batch.sent} sent, {arrived}"
    except asyncio.CancelledError:
        steer = f"{called()} department batch pause {batch_id} --department {args.department}"
        progress.say(f"  The city goes on sending. To hold it: {steer}")
        raise


async def _report(args: argparse.Namespace, sender: Sender, batch: Progressed, progress: Progress) -> None:
    """Print the first refused rows, and write all of them where that was asked for."""
    out = args.report.open("w", encoding="utf-8") if args.report is not None else None
    shown = 0
    try:
        async for refused in sender.refused(batch.batch_id):
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
    if batch.refused > shown:
        where = args.report or "--report FILE"
        progress.say(f"  … and {batch.refused - shown} more: {where}")
    if batch.refused and args.no_start:
        progress.say(f"  Mend them in the file and run it again with --batch {batch.batch_id}.")


class Sending:
    """One batch, until its last row has come. `before`: how many rows had come when this began."""

    def __init__(self, sender: Sender, file: File, form: str, batch_id: UUID, plan: dict[str, Any]) -> None:
        self._sender = sender
        self._file = file
        self._form = form
        self._batch_id = batch_id
        self._plan = plan
        self._header_lines = int(form == CSV)
        self.rows = file.lines - self._header_lines - file.ends_blank
        self.before = 0
        self._is_opened = False
        self._is_to_mend = False

    async def run(self, step: Step) -> Progressed:
        """Send what has not come yet, again and again if need be. Raises CannotStart."""
        tries, reached = 0, 0
        while True:
            try:
                return await self._go_on(step)
            except Lost as lost:
                seen = await self._look_again()
                received = reached if seen is None else seen.received
                failed = DECLINED_COUNTS if isinstance(lost, Declined) else 1
                tries, reached = (0 if received > reached else tries + failed), received
                if tries >= TRIES_MAX:
                    raise CannotStart(
                        f"After {reached} rows nothing more came through: {lost}.", "Run it again to go on from there."
                    ) from None
                step.tick(f"{reached} of {self.rows}, trying again: {lost}")
                await asyncio.sleep(min(BACKOFF_SECONDS * 2**tries, BACKOFF_SECONDS_MAX))

    async def _go_on(self, step: Step) -> Progressed:
        """Send what is missing, then what was refused before this began: it may be mended. Raises Lost, CannotStart."""
        batch = await self._opened()
        while batch.state == "open" and batch.missing:
            before, batch = batch.missing, await self._send(batch.next_row, batch.received, step)
            if batch.missing >= before:
                raise Lost("the city has taken no row more")
        if self._is_to_mend and batch.state == "open" and batch.refused:
            first = await anext(self._sender.refused(self._batch_id))
            batch = await self._send(first.row, batch.received, step)
        self._is_to_mend = False
        return batch

    async def _opened(self) -> Progressed:
        if self._is_opened:
            return await self._sender.batch("GET", self._batch_id)
        await self._sender.prove()
        try:
            batch = await self._sender.batch("PUT", self._batch_id, body=self._plan)
        except Declined as declined:
            raise CannotStart(f"The batch cannot be opened: {declined}.", "Nothing was sent.") from None
        self._is_opened, self.before, self._is_to_mend = True, batch.received, batch.refused > 0
        return batch

    async def _look_again(self) -> Progressed | None:
        try:
            return await self._sender.batch("GET", self._batch_id)
        except Lost:
            return None

    async def _lines(self, first: int) -> AsyncGenerator[bytes]:
        """The file from a row on, after its header if it has one."""
        if self._header_lines:
            yield self._file.first_line()
        async for chunk in self._file.from_line(first + self._header_lines):
            yield chunk

    async def _send(self, first: int, received: int, step: Step) -> Progressed:
        """Send from a row on, looking now and then how far it is. Raises Lost."""
        lines = self._lines(first)
        sending = asyncio.ensure_future(self._sender.send(self._batch_id, lines, self._form, first=first))
        moved_at = time.monotonic()
        try:
            while not (await asyncio.wait({sending}, timeout=LOOKED_EVERY_SECONDS))[0]:
                seen = await self._look_again()
                if seen is not None and seen.received > received:
                    received, moved_at = seen.received, time.monotonic()
                if time.monotonic() - moved_at > STALLED_SECONDS:
                    raise Lost(f"not a row more within {STALLED_SECONDS:.0f} s")
                step.tick(self._words(received, step))
            return await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)  # whatever it was, it has been told or is being told

    def _words(self, received: int, step: Step) -> str:
        rate = (received - self.before) / max(step.seconds, 0.001)
        percent = 100 * received // max(self.rows, 1)
        return f"{received} of {self.rows} rows ({percent} %), {rate:.0f} rows/s"
