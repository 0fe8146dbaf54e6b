"""What is sold out is remembered for a moment, and for no more slots than we keep."""

from uuid import UUID

from appointments.sold_out import REMEMBERED_SECONDS, SLOTS_MAX, SoldOut
from kernel.ids import SlotId


class Seconds:
    """A clock of seconds that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def slot(number: int) -> SlotId:
    return SlotId(UUID(int=number))


def test_a_sold_out_slot_is_remembered_for_a_moment_only():
    seconds = Seconds()
    sold_out = SoldOut(seconds)
    sold_out.remember(slot(1))
    seconds.now = REMEMBERED_SECONDS - 0.001
    assert sold_out.remembers(slot(1))
    assert not sold_out.remembers(slot(2))
    seconds.now = REMEMBERED_SECONDS
    assert not sold_out.remembers(slot(1))


def test_a_place_that_came_free_is_known_at_once():
    sold_out = SoldOut(Seconds())
    sold_out.remember(slot(1))
    sold_out.forget(slot(1))
    sold_out.forget(slot(1))
    assert not sold_out.remembers(slot(1))


def test_the_slot_heard_of_longest_ago_is_forgotten_first():
    sold_out = SoldOut(Seconds())
    for number in [*range(SLOTS_MAX), 0, SLOTS_MAX]:
        sold_out.remember(slot(number))
    assert sold_out.remembers(slot(0))
    assert not sold_out.remembers(slot(1))
    assert sold_out.remembers(slot(SLOTS_MAX))
