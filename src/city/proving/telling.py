"""The verdict for people: how messages ended, which hard cases were met, and what was not kept, by ids alone."""

from collections import Counter
from typing import Final

from city.proving.judging import RULES
from city.proving.proof import Proof

SHOWN_MAX: Final = 10
"""Violations of each rule that are listed; all are counted."""


def table(proof: Proof) -> str:
    """Some lines."""
    verdict = proof.verdict
    kept = "holds" if not verdict.violations else "does NOT hold"
    times = f"{proof.seconds:.0f} s, of which sending {proof.sending_seconds:.0f} s"
    lines = [f"prove-delivery: {kept}; {proof.messages:,} messages, {times}"]
    lines += [f"  {count:>9,} ×  {what}" for what, count in proof.broken.items()]
    lines.append("  how they ended, by lane and channel")
    for line, ends in verdict.ends.items():
        said = ", ".join(f"{count:,} {end}" for end, count in sorted(ends.items(), key=lambda one: -one[1]))
        lines.append(f"    {line:<16}{said}")
    lines.append("  what they went through, with one of each")
    lines += [f"  {count:>9,}  {what:<54}{verdict.examples[what]}" for what, count in verdict.cases.items()]
    counts = Counter(one.rule for one in verdict.violations)
    lines.append("  what the peers' logs were asked")
    for rule, words in RULES.items():
        lines.append(f"    {'NO ' if counts[rule] else 'yes'}  {rule}  {words}")
        found = [one for one in verdict.violations if one.rule == rule]
        lines += [f"           {one.message_id or ''} {one.words}".rstrip() for one in found[:SHOWN_MAX]]
        if len(found) > SHOWN_MAX:
            lines.append(f"           … and {len(found) - SHOWN_MAX:,} more")
    return "\n".join(lines)
