"""`send`: what it costs to be told by the city. Four parts, each against its yardstick in the same run.

`single`: a department's program sends one message, durable when it is answered, over a bare application. `bulk`: rows
of a batch taken, over a bare insert of the same rows. `drain`: one worker sends what is owed, over a client library
alone at the same SMSC. `otp`: from the commit that owes a code to its provider's answer, while a million wait.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from city.bench import headline, measuring, send, send_bulk, send_codes, send_drain, wrk
from city.bench.rig import open_rig
from city.bench.send_bulk import Bulk
from city.bench.send_codes import Waits
from city.bench.send_drain import Drain
from city.errors import CannotStart

SECONDS: Final = 36
SECONDS_MIN: Final = 4
SECONDS_MAX: Final = 600
"""How long single messages are loaded, both sides together."""
PARTS: Final = ("single", "bulk", "drain", "otp")
ROWS: Final = 200_000
MESSAGES: Final = 64_000
"""A thousand in each bucket: batches are whole, as they are when many wait."""
COUNT_MIN, COUNT_MAX = 1_000, 2_000_000
CODES_MIN: Final = 20
TURNS_SMALL: Final = 1
SMALL: Final = 10_000
"""Below so many messages one turn of each side has to do."""

SINGLE_RATIO_MIN: Final = 0.08
BULK_RATIO_MIN: Final = 0.3
DRAIN_RATIO_MIN: Final = 0.7
DRAIN_PER_SECOND_MIN: Final = 2_000
OTP_P99_MS_MAX: Final = 250.0
"""Issue 5, "Must show"."""

Say = Callable[[str], None]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON line. `ratio` is that of single messages; what was left out is None."""

    name: str
    ratio: float | None
    ratio_min: float
    single: measuring.Result | None
    bulk: Bulk | None
    bulk_ratio_min: float
    drain: Drain | None
    drain_ratio_min: float
    drain_per_second_min: int
    otp: Waits | None
    otp_p99_ms_max: float
    missed: list[str]
    """Parts whose figure does not reach what it is to reach."""
    holds: bool
    violations: int
    checked: list[str]


def add_arguments(parser: "argparse._ArgumentGroup") -> None:
    """The options of `send` alone."""
    parser.add_argument("--rows", type=int, default=ROWS, help=f"bulk: rows of a batch (default: {ROWS:,})")
    parser.add_argument("--messages", type=int, default=MESSAGES, help=f"drain: in each turn (default: {MESSAGES:,})")
    waiting, codes = send_codes.WAITING, send_codes.CODES
    parser.add_argument("--waiting", type=int, default=waiting, help=f"otp: messages in line (default: {waiting:,})")
    parser.add_argument("--codes", type=int, default=codes, help=f"otp: codes meanwhile (default: {codes:,})")


def run(args: argparse.Namespace) -> int:
    """Measure the parts named. Exit 0 when nothing was lost, refused or doubled, 1 otherwise."""
    parts = _parts_of(args)
    say = _quiet if args.json else _say
    single, bulk, drain, otp = None, None, None, None
    if {"single", "bulk"} & set(parts):
        single, bulk = _over_http(parts, args.seconds, args.rows, say)
    if {"drain", "otp"} & set(parts):
        drain, otp = _by_a_worker(parts, args, say)
    found = result(single, bulk, drain, otp)
    if not args.json:
        sys.stdout.write(table(found) + "\n")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 1 if found.violations else 0


def _parts_of(args: argparse.Namespace) -> Sequence[str]:
    named = PARTS if args.parts is None else tuple(args.parts.split(","))
    unknown = [part for part in named if part not in PARTS]
    if unknown or not named:
        raise CannotStart(f"There is no part {', '.join(unknown)}.", f"Choose from {', '.join(PARTS)} with --parts.")
    for name in ("rows", "messages", "waiting"):
        if not COUNT_MIN <= getattr(args, name) <= COUNT_MAX:
            raise CannotStart(
                f"--{name} {getattr(args, name)} is out of bounds.", f"From {COUNT_MIN:,} to {COUNT_MAX:,}."
            )
    if not CODES_MIN <= args.codes <= args.waiting:
        raise CannotStart(f"--codes {args.codes} is out of bounds.", f"From {CODES_MIN} to as many as wait.")
    return named


def _over_http(parts: Sequence[str], seconds: int, rows: int, say: Say) -> tuple[measuring.Result | None, Bulk | None]:
    wrk.find()
    single, bulk = None, None
    with open_rig(say) as rig:
        if "single" in parts:
            say("single messages")
            single = headline.measure(rig, "send", send.prepare(rig), seconds=seconds, say=say)
        if "bulk" in parts:
            say(f"batches of {rows:,} rows")
            rounds = TURNS_SMALL if rows < SMALL else send_bulk.ROUNDS
            bulk = send_bulk.measure(rig, rows=rows, rounds=rounds, say=say)
    return single, bulk


def _by_a_worker(parts: Sequence[str], args: argparse.Namespace, say: Say) -> tuple[Drain | None, Waits | None]:
    drain, otp, first = None, None, 0
    with send_drain.servers_of_its_own() as where:
        if "drain" in parts:
            say(f"{args.messages:,} messages drained by a worker")
            turns = TURNS_SMALL if args.messages < SMALL else send_drain.TURNS
            drain = send_drain.measure(where, count=args.messages, turns=turns, say=say)
            first = turns * args.messages
        if "otp" in parts:
            otp = send_codes.measure(where, waiting=args.waiting, codes=args.codes, first=first, say=say)
    return drain, otp


def result(single: measuring.Result | None, bulk: Bulk | None, drain: Drain | None, otp: Waits | None) -> Result:
    """All of it, held against what it is to reach."""
    missed, checked, violations = [], [], 0
    if single is not None:
        violations += single.violations
        checked += single.checked
        if single.ratio < SINGLE_RATIO_MIN:
            missed.append("single")
    if bulk is not None:
        violations += bulk.lost
        checked.append("every row that was sent is kept")
        if bulk.ratio < BULK_RATIO_MIN:
            missed.append("bulk")
    if drain is not None:
        violations += drain.lost_or_doubled
        checked.append("the SMSC took as many messages as were owed")
        if drain.ratio < DRAIN_RATIO_MIN or drain.per_second < DRAIN_PER_SECOND_MIN:
            missed.append("drain")
    if otp is not None:
        violations += otp.lost
        checked.append("every code was answered for")
        if otp.p99_ms > OTP_P99_MS_MAX:
            missed.append("otp")
    return Result(
        name="send",
        ratio=None if single is None else single.ratio,
        ratio_min=SINGLE_RATIO_MIN,
        single=single,
        bulk=bulk,
        bulk_ratio_min=BULK_RATIO_MIN,
        drain=drain,
        drain_ratio_min=DRAIN_RATIO_MIN,
        drain_per_second_min=DRAIN_PER_SECOND_MIN,
        otp=otp,
        otp_p99_ms_max=OTP_P99_MS_MAX,
        missed=missed,
        holds=not missed,
        violations=violations,
        checked=checked,
    )


def table(found: Result) -> str:
    """The same for people."""
    lines = [f"send: {'holds' if found.holds else 'does NOT hold: ' + ', '.join(found.missed)}"]
    if found.single is not None:
        lines.append(measuring.table(found.single))
    if (bulk := found.bulk) is not None:
        ratios = f"{bulk.ratio:.3f} of a bare insert, {bulk.ratio_of_medians:.3f} by the medians"
        rates = f"{bulk.taken_per_second:,} rows/s taken, {bulk.yardstick_per_second:,} rows/s inserted"
        lines.append(f"bulk: {ratios} (at least {found.bulk_ratio_min})")
        lines.append(f"  {rates}; {bulk.cpu_microseconds} µs of the web process a row, over {bulk.rows:,} rows")
    if (drain := found.drain) is not None:
        ratios = f"{drain.ratio:.3f} of a client library alone, {drain.ratio_of_medians:.3f} by the medians"
        rate = f"{drain.per_second:,} SMS/s (at least {found.drain_per_second_min:,})"
        bare = f"{drain.yardstick_per_cpu_second:,} of the library, {drain.our_client_per_cpu_second:,} of our client"
        phases = ", ".join(f"{phase} {micros}" for phase, micros in drain.phases.items())
        lines.append(f"drain: {ratios} (at least {found.drain_ratio_min}); {rate}")
        lines.append(f"  {drain.per_cpu_second:,} SMS a CPU-second of the worker against {bare} alone")
        lines.append(f"  {drain.cpu_microseconds} µs each: {phases}")
    if (otp := found.otp) is not None:
        times = f"p50 {otp.p50_ms} ms, p99 {otp.p99_ms} ms (at most {found.otp_p99_ms_max}), worst {otp.worst_ms} ms"
        line = f"{otp.bulk_at_first:,} messages in line at first and {otp.bulk_left:,} at last"
        lines.append(f"otp: {times} over {otp.codes:,} codes")
        lines.append(f"  {line}, drained at {otp.bulk_per_second:,}/s meanwhile")
    lines.append(f"violations {found.violations}  ({'; '.join(found.checked)})")
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _quiet(line: str) -> None:
    del line
