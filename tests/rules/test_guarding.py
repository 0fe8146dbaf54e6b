"""An app that fails is left alone, ever longer, and one call tries whether it is well again."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.departments.errors import AppAway, AppBusy
from gateway.departments.guarding import FAILURES_MAX, REST_SECONDS, REST_SECONDS_MAX, Guard, Permit

SOMEBODY = UUID(int=1)


class Hours:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def failing(guard: Guard, times: int) -> None:
    for _ in range(times):
        with guard.admit(SOMEBODY) as permit:
            permit.failed()


def test_it_takes_several_failures_in_a_row() -> None:
    guard = Guard(4, Hours())
    failing(guard, FAILURES_MAX - 1)
    with guard.admit(SOMEBODY) as permit:
        permit.succeeded()
    failing(guard, FAILURES_MAX - 1)
    guard.admit(SOMEBODY).leave()


def test_the_rest_doubles_while_the_first_call_after_it_fails() -> None:
    hours = Hours()
    guard = Guard(4, hours)
    failing(guard, FAILURES_MAX)
    rest = REST_SECONDS
    for _ in range(6):
        hours.now += rest - 0.1
        with pytest.raises(AppAway):
            guard.admit(SOMEBODY)
        hours.now += 0.2
        failing(guard, 1)
        rest = min(rest * 2, REST_SECONDS_MAX)


def test_one_call_tries_and_a_caller_who_leaves_decides_nothing() -> None:
    hours = Hours()
    guard = Guard(4, hours)
    failing(guard, FAILURES_MAX)
    hours.now += REST_SECONDS + 1
    probe = guard.admit(SOMEBODY)
    with pytest.raises(AppAway):
        guard.admit(SOMEBODY)
    probe.leave()
    with guard.admit(SOMEBODY) as second:
        second.succeeded()
    assert not guard.is_resting


def test_calls_that_were_under_way_do_not_lengthen_the_rest() -> None:
    hours = Hours()
    guard = Guard(16, hours)
    late = [guard.admit(UUID(int=number)) for number in range(FAILURES_MAX + 3)]
    for permit in late:
        permit.failed()
        permit.leave()
    hours.now += REST_SECONDS + 0.1
    guard.admit(SOMEBODY).leave()


@given(st.lists(st.sampled_from(["in", "out"]), max_size=60), st.integers(1, 5))
def test_no_more_are_under_way_than_it_takes(moves: list[str], most: int) -> None:
    guard = Guard(most, Hours())
    held: list[Permit] = []
    for move in moves:
        if move == "in" and len(held) < most:
            held.append(guard.admit(UUID(int=len(held))))
        elif move == "in":
            with pytest.raises(AppBusy):
                guard.admit(SOMEBODY)
        elif held:
            permit = held.pop()
            permit.leave()
            permit.leave()


def test_one_resident_has_at_most_a_quarter_of_the_calls_and_room_again_when_one_ends() -> None:
    guard = Guard(32, Hours())
    held = [guard.admit(SOMEBODY) for _ in range(8)]
    with pytest.raises(AppBusy):
        guard.admit(SOMEBODY)
    with guard.admit(UUID(int=2)):
        held.pop().leave()
        guard.admit(SOMEBODY).leave()
