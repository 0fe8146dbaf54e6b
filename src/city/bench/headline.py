"""Rounds of ours and of the bare application in turn: a headline figure of answers over HTTP."""

from collections.abc import Callable

from city.bench import measuring
from city.bench.rig import Case, Rig


def measure(
    rig: Rig, name: str, case: Case, *, seconds: int, say: Callable[[str], object], rounds: int = measuring.ROUNDS
) -> measuring.Result:
    """Load both sides for `seconds` together, and count what was broken."""
    each = max(1, seconds // (2 * rounds))
    ours, bare = [], []
    for turn in range(rounds):
        say(f"  round {turn + 1} of {rounds}: ours, then bare, {each} s each")
        ours.append(case.round(each))
        bare.append(rig.bare_round(each))
    violations, checked = case.broken(ours)
    return measuring.result(name, ours, bare, violations=violations, checked=checked, floor=case.floor())
