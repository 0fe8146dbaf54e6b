"""`rush`: more people than places, all within a second. Fair, never overbooked, and how fast.

Three parts, each against what it is to be compared with in the same run: one hot slot with group commit against a
transaction for each booking; what a sold-out answer costs against a bare application's; and releases with everybody
there, open and through the gate, where rows in the database are counted and what each person was told is held against
them. With `--kill` a part of the city is ended in the middle of each release.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from city.bench import rush_hot, wrk
from city.bench.rig import open_rig
from city.bench.rush_hot import Hot, SoldOut
from city.bench.rush_release import Rush, Size, rush
from city.bench.rush_supervised import supervised
from city.bench.scale.population import PEOPLE_MAX
from city.errors import CannotStart

PEOPLE: Final = 20_000
PLACES: Final = 1_000
SLOTS: Final = 40
SECONDS: Final = 18
SECONDS_MIN: Final = 2
SECONDS_MAX: Final = 120
"""How long sold-out answers are measured for, both sides together."""
SOLD_OUT_ROUNDS: Final = 9
PEOPLE_MOST: Final = 50_000
HOT_PEOPLE_MIN: Final = 500
RATIO_MIN: Final = 5.0
SOLD_OUT_RATIO_MIN: Final = 0.12
"""Issue 4, "Must show"."""
PARTS: Final = ("hot", "sold-out", "open", "gated")
KILLED: Final = ("redis", "web")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON line. `ratio` is the hot slot's: booked per second, ours over the plain form; None if left out."""

    name: str
    ratio: float | None
    ratio_min: float
    hot: Hot | None
    sold_out: SoldOut | None
    sold_out_ratio_min: float
    rushes: list[Rush]
    holds: bool
    violations: int
    checked: list[str]


def add_arguments(parser: "argparse._ArgumentGroup") -> None:
    """The options of `rush` alone."""
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"how many come (default: {PEOPLE:,})")
    parser.add_argument("--places", type=int, default=PLACES, help=f"for how many places (default: {PLACES:,})")
    parser.add_argument("--slots", type=int, default=SLOTS, help=f"in how many slots (default: {SLOTS})")
    parser.add_argument("--kill", choices=KILLED, help="end this part of the city in the middle of each release")


def run(args: argparse.Namespace) -> int:
    """Measure, count and tell. Exit 0 when the bounds hold and no promise was broken, 1 otherwise."""
    parts = _parts_of(args)
    say = _quiet if args.json else _say
    hot, sold, rushes, used = None, None, [], 0
    if {"hot", "sold-out"} & set(parts):
        wrk.find()
        with open_rig(say, is_planted=False) as rig:
            if "hot" in parts:
                people = max(HOT_PEOPLE_MIN, args.people // rush_hot.TURNS)
                hot, used = rush_hot.measure(rig, say, turns=rush_hot.TURNS, people=people)
            if "sold-out" in parts:
                seconds = max(1, args.seconds // (2 * SOLD_OUT_ROUNDS))
                rounds = min(SOLD_OUT_ROUNDS, max(1, args.seconds // 2))
                sold = rush_hot.sold_out(rig, used, seconds=seconds, rounds=rounds)
    releases = [part for part in parts if part in ("open", "gated")]
    if releases:
        with supervised(say) as city:
            for number, part in enumerate(releases):
                size = Size(args.people, args.places, args.slots, number * args.people)
                gate = part == "gated"
                rushes.append(rush(city, size, gate=gate, kill=args.kill, say=say, slug=f"rush-{part}"))
    found = _result(hot, sold, rushes)
    if not args.json:
        sys.stdout.write(table(found) + "\n")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0 if found.holds and not found.violations else 1


def _parts_of(args: argparse.Namespace) -> list[str]:
    """Which parts to measure. Raises CannotStart."""
    named = args.parts.split(",") if args.parts else list(PARTS[2:] if args.kill else PARTS)
    if not set(named) <= set(PARTS):
        raise CannotStart(f"{args.parts} are no parts of this figure.", f"Name some of {','.join(PARTS)}.")
    if not 1 <= args.slots <= args.places < args.people <= min(PEOPLE_MOST, PEOPLE_MAX):
        raise CannotStart(
            f"{args.people} people for {args.places} places in {args.slots} slots make no rush.",
            f"More people than places, at most {PEOPLE_MOST:,}, and a place in each slot at least.",
        )
    return named


def _result(hot: Hot | None, sold: SoldOut | None, rushes: Sequence[Rush]) -> Result:
    wrongs = [one.wrong for one in (hot, *rushes) if one is not None]
    violations = sum(sum(wrong.values()) for wrong in wrongs) + (sold.other if sold else 0)
    checked = list(dict.fromkeys(f"no: {what}" for wrong in wrongs for what in wrong))
    if sold:
        checked.append("every answer about a slot that is full says so")
    is_fast = hot is None or hot.ratio >= RATIO_MIN
    is_cheap = sold is None or sold.ratio >= SOLD_OUT_RATIO_MIN
    return Result(
        name="rush",
        ratio=None if hot is None else hot.ratio,
        ratio_min=RATIO_MIN,
        hot=hot,
        sold_out=sold,
        sold_out_ratio_min=SOLD_OUT_RATIO_MIN,
        rushes=list(rushes),
        holds=is_fast and is_cheap,
        violations=violations,
        checked=checked,
    )


def table(found: Result) -> str:
    """The same for people."""
    lines = [f"rush: {'holds' if found.holds else 'does NOT hold'}"]
    if found.hot:
        lines += _hot_lines(found.hot, found.ratio_min)
    if found.sold_out:
        sold = found.sold_out
        lines += [
            (
                f"  sold out   {sold.ratio:.3f} of bare, {sold.ratio_of_medians:.3f} by the medians"
                f" (at least {found.sold_out_ratio_min}); {sold.cpu_microseconds:.0f} µs each, over {sold.n:,} answers"
            )
        ]
    for one in found.rushes:
        lines += _rush_lines(one)
    lines.append(f"  violations {found.violations}  ({len(found.checked)} checks)")
    return "\n".join(lines)


def _hot_lines(hot: Hot, ratio_min: float) -> list[str]:
    ours, plain = max(hot.ours), max(hot.plain)
    times = f"{hot.ratio:.2f}x, {hot.ratio_of_medians:.2f}x by the medians (at least {ratio_min}x)"
    ms = f"p50 {hot.p50_ms:.1f} ms, p99 {hot.p99_ms:.1f} ms, {hot.cpu_microseconds:.0f} µs of CPU each"
    plain_ms = f"{hot.plain_p50_ms:.1f} ms, {hot.plain_p99_ms:.1f} ms, {hot.plain_cpu_microseconds:.0f} µs"
    return [
        f"  hot slot   {ours:,.0f} booked/s against {plain:,.0f}/s one by one: {times}",
        f"             {ms}; one by one {plain_ms}",
    ]


def _rush_lines(one: Rush) -> list[str]:
    how = "through the gate" if one.gate else "open"
    killed = f", {one.killed} killed after {one.killed_after_seconds} s" if one.killed else ""
    ends = ", ".join(f"{count:,} {what}" for what, count in sorted(one.outcomes.items(), key=lambda each: -each[1]))
    wrong = [f"             WRONG: {count} × {what}" for what, count in one.wrong.items() if count]
    return [
        f"  {how}{killed}: {one.people:,} people, {one.places:,} places in {one.slots} slots: {one.booked:,} booked",
        f"             {ends}",
        (
            f"             first requests within {one.issued_within_seconds} s over {one.connections:,} connections,"
            f" {one.requests:,} requests in all; last booked {one.last_booked_seconds} s, last answer"
            f" {one.last_answer_seconds} s after the release"
        ),
        (
            f"             a person's answer p50 {one.told_p50_seconds} s, p99 {one.told_p99_seconds} s;"
            f" a booking request p50 {one.book_p50_ms:.0f} ms, p99 {one.book_p99_ms:.0f} ms"
        ),
        *wrong,
    ]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _quiet(line: str) -> None:
    del line
