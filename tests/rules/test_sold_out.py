"""What is sold out is remembered for a moment, and for no more slots than we keep."""

from uuid import UUID

from appointments.queries import BookingKey
from appointments.sold_out import KEPT_MAX, KEYS_MAX, REMEMBERED_SECONDS, SLOTS_MAX, SoldOut
from kernel.ids import BookingId, PersonId, SlotId


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


def key(number: int) -> BookingKey:
    return PersonId(UUID(int=number)), BookingId(UUID(int=number))


def test_only_who_never_had_to_do_with_a_full_slot_is_told_no_without_a_look():
    seconds = Seconds()
    sold_out = SoldOut(seconds)
    found = sold_out.remember(slot(1))
    assert not sold_out.is_strange(slot(1), key(7))  # nothing is known yet
    sold_out.learn(slot(1), found, frozenset({key(7)}))
    assert not sold_out.is_strange(slot(1), key(7))
    assert sold_out.is_strange(slot(1), key(8))
    assert not sold_out.is_strange(slot(2), key(8))
    seconds.now = REMEMBERED_SECONDS
    assert not sold_out.is_strange(slot(1), key(8))


def test_what_was_read_before_a_place_came_free_is_not_believed_after_it():
    sold_out = SoldOut(Seconds())
    found = sold_out.remember(slot(1))
    sold_out.forget(slot(1))
    sold_out.learn(slot(1), found, frozenset())
    assert not sold_out.is_strange(slot(1), key(8))
    sold_out.remember(slot(1))
    sold_out.learn(slot(1), found, frozenset())
    assert not sold_out.is_strange(slot(1), key(8))


def test_what_is_remembered_of_bookings_is_bounded():
    sold_out = SoldOut(Seconds())
    keys = frozenset(key(number) for number in range(KEYS_MAX))
    for number in range(KEPT_MAX // KEYS_MAX + 1):
        sold_out.learn(slot(number), sold_out.remember(slot(number)), keys)
    assert not sold_out.is_strange(slot(0), key(KEYS_MAX))
    assert sold_out.is_strange(slot(1), key(KEYS_MAX))
    sold_out.learn(slot(77), sold_out.remember(slot(77)), keys | {key(KEYS_MAX)})
    assert not sold_out.is_strange(slot(77), key(KEYS_MAX + 1))
