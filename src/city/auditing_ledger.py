"""`verify-ledger`: audits the whole log of the ledger, and names what was removed or altered since it was logged.

Exit 0 when everything is as it was logged, 1 when something is not, 2 when the ledger could not be read or there is no
city. It looks at what is there, and makes nothing.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import asyncpg
import msgspec

from city import locating
from city.errors import CannotStart
from city.progress import Progress, Step
from city.reading_settings import read_settings
from kernel.clock import SystemClock
from kernel.db import Database, DatabaseAway, OutcomeUnknown
from kernel.keys import SigningKeys
from kernel.purposes import LEDGER
from kernel.sealing import KeyFileRefused, Keys
from suishenban_verify.checkpoint import NOTE_MAX
from wallet.ledger.auditing import Auditor, Report
from wallet.ledger.findings import Finding
from wallet.ledger.keys import LogKeys
from wallet.ledger.parts import erasing_key_of, origin_of

CONNECTIONS_MAX = 2
KEPT_MAX = 1_000
"""Checkpoints that one run is given to compare with."""
SHOWN_MAX = 50
IN_ORDER, CHANGED, UNREAD = 0, 1, 2


class Answer(msgspec.Struct):
    """What `--json` prints."""

    origin: str
    size: int
    root: str
    records: int
    erased: int
    waiting: int
    checkpoints: int
    kept: int
    is_clean: bool
    findings: list[Finding]
    beyond: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `verify-ledger`."""
    parser.epilog = "Exit 0 when all is as it was logged, 1 when something is not, 2 when the ledger could not be read."
    locating.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document, and progress on standard error")
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a checkpoint that was kept elsewhere, as GET /ledger/checkpoint gave it; may be said several times",
    )


def run(args: argparse.Namespace) -> int:
    """Audit, say what was found. The exit code says it too."""
    try:
        kept = [_read(path) for path in args.checkpoint]
        if len(kept) > KEPT_MAX:
            raise CannotStart(f"{len(kept)} checkpoints are too many at once.", f"Give at most {KEPT_MAX}.")
        locating.demand_city(args)
        with locating.environ_of_city(args) as environ:
            report = asyncio.run(_audit(environ, kept, Progress(sys.stderr)))
    except CannotStart as reason:
        sys.stderr.write(f"{reason}\n")
        return UNREAD
    except (DatabaseAway, OutcomeUnknown, KeyFileRefused, asyncpg.PostgresError) as problem:
        sys.stderr.write(f"The ledger could not be read: {problem}\n")
        return UNREAD
    _print_json(report) if args.json else _print(report)
    return IN_ORDER if report.is_clean else CHANGED


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > NOTE_MAX:
            raise CannotStart(f"{path} is too long to be a checkpoint.", "Give it as GET /ledger/checkpoint gave it.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise CannotStart(f"{path} cannot be read: {problem}", "Give a file with one checkpoint in it.") from None


async def _audit(environ: Mapping[str, str], kept: list[str], progress: Progress) -> Report:
    settings = read_settings(environ)
    keys = Keys.read(settings.key_file)
    db = await Database.open(settings.database_url.reveal(), connections_max=CONNECTIONS_MAX)
    clock = SystemClock()
    try:
        signing = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
        await signing.snapshot.refresh()
        signer, listed = partial(signing.signer, LEDGER.name), partial(signing.trusted, LEDGER.name)
        of_log = LogKeys(origin_of(keys), signer, listed, erasing_key_of(keys))
        with progress.step("audit the ledger") as step:
            report = await Auditor(db, clock, of_log, lambda what, done, of: _tick(step, what, done, of)).audit(kept)
            step.outcome = f"{report.size:,} leaves, {report.records:,} records"
        return report
    finally:
        await db.close()


def _tick(step: Step, what: str, done: int, of: int) -> None:
    step.tick(f"{what}: {done:,}" + (f" of {of:,}" if of else ""))


def _print_json(report: Report) -> None:
    answer = Answer(
        origin=report.origin,
        size=report.size,
        root=report.root.hex(),
        records=report.records,
        erased=report.erased,
        waiting=report.waiting,
        checkpoints=report.checkpoints,
        kept=report.kept,
        is_clean=report.is_clean,
        findings=report.findings,
        beyond=report.beyond,
    )
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")


def _print(report: Report) -> None:
    say = sys.stdout.write
    say(f"  log          {report.origin}: {report.size:,} leaves, root {report.root.hex()}\n")
    say(f"  ledger       {report.records:,} records, {report.erased:,} erased, {report.waiting:,} wait for the log\n")
    say(f"  checkpoints  {report.checkpoints:,} of the log, {report.kept:,} kept elsewhere\n")
    for finding in report.findings[:SHOWN_MAX]:
        say(f"  FOUND        {finding.sort}: {finding.place}: {finding.said}\n")
    more = len(report.findings) - SHOWN_MAX + report.beyond
    if more > 0:
        say(f"  …            and {more:,} more\n")
    say("everything is as it was logged\n" if report.is_clean else "the ledger is not as it was logged\n")
