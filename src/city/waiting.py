"""Waiting for a process to be ready, within a bound, saying why when it never is."""

import time
from collections.abc import Callable

from city.children import LOOKED_AGAIN_SECONDS, Child
from city.errors import CannotStart


def _no_tick() -> None:
    """Nobody watches."""


def wait_until_ready(child: Child, tick: Callable[[], None] = _no_tick) -> None:
    """Return once `child` is ready. Raises CannotStart with its last words if it ends first or takes too long."""
    patience = time.monotonic() + child.part.ready_within_seconds
    while not child.is_ready():
        if not child.is_alive():
            raise did_not_start(child, child.ending())
        if time.monotonic() > patience:
            raise did_not_start(child, f"was not ready within {child.part.ready_within_seconds:.0f} s")
        tick()
        time.sleep(LOOKED_AGAIN_SECONDS)


def did_not_start(child: Child, why: str) -> CannotStart:
    """The refusal for a process that does not come up."""
    said = "".join(f"\n    {line}" for line in child.last_words())
    full = "\n".join(child.last_words())
    remedy = "Make room on that disk." if "No space left on device" in full else f"All it said is in {child.log}"
    return CannotStart(f"{child.part.name} {why}.{' It said last:' + said if said else ''}", remedy)
