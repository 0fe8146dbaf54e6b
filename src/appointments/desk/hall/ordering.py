"""Who is called next: the pure rule, and nothing about where the numbers lie."""

from collections.abc import Sequence
from typing import Final

import msgspec

from appointments.desk.hall.model import TicketLane

PRIORITY_RUN_MAX: Final = 3
"""After so many calls in a row at one counter that went before walk-ins, the ordinary numbers have their turn."""

_ABOVE_BOOKED: Final = (TicketLane.SPECIAL, TicketLane.URGENT)
_ORDINARY: Final = (TicketLane.BOOKED, TicketLane.WALK_IN)


class Look(msgspec.Struct, frozen=True):
    """Among these lanes the number of the lowest rank is called; those whose hour has not come only if `is_early`."""

    lanes: tuple[TicketLane, ...]
    is_early: bool = False


_USUAL: Final = tuple(Look((lane,)) for lane in TicketLane)
_EARLY: Final = Look(tuple(TicketLane), is_early=True)
"""When nobody else waits: who came before their hour need not wait for it at an idle counter."""


def looks(recent: Sequence[TicketLane]) -> tuple[Look, ...]:
    """Where a counter looks for its next number, one after the other, given its last calls, newest first.

    Special before urgent before booked (whose hour has come) before walking in. After PRIORITY_RUN_MAX calls in a row
    without a walk-in the longest-waiting walk-in is taken; where all of those were special or urgent, the longest-
    waiting of booked and walk-in together. So at most PRIORITY_RUN_MAX + 1 others are called before an ordinary number
    that heads its lane, and nobody waits for ever behind whoever goes first.
    """
    run = recent[:PRIORITY_RUN_MAX]
    if len(run) < PRIORITY_RUN_MAX or TicketLane.WALK_IN in run:
        return (*_USUAL, _EARLY)
    first = Look(_ORDINARY) if all(lane in _ABOVE_BOOKED for lane in run) else Look((TicketLane.WALK_IN,))
    return (first, *_USUAL, _EARLY)
