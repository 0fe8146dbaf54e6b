"""Who is called next, how many are before somebody, and about how long that takes: pure rules."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.desk.hall.estimating import (
    ESTIMATE_MAX,
    MEASURED_MIN,
    Hall,
    Measured,
    ahead_of,
    percentile,
    wait_of,
    wait_of_newcomer,
)
from appointments.desk.hall.model import (
    CALLS_MAX,
    Act,
    Counter,
    Ticket,
    TicketLane,
    TicketStage,
    after,
    called,
    is_done_already,
    is_possible,
)
from appointments.desk.hall.ordering import PRIORITY_RUN_MAX, looks
from kernel.ids import OfficeId, ServiceId, StaffId

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
OFFICE, PASSPORT, LICENCE = OfficeId(uuid4()), ServiceId(uuid4()), ServiceId(uuid4())
LANES = st.sampled_from(list(TicketLane))


def a_ticket(
    lane: TicketLane = TicketLane.WALK_IN, *, minutes: float = 0, service: ServiceId = PASSPORT, nth: int = 0
) -> Ticket:
    """A number whose turn came so many minutes ago; negative: comes later."""
    turn = NOW - timedelta(minutes=minutes)
    return Ticket(
        office_id=OFFICE, ticket_id=UUID(int=nth or uuid4().int), day=date(2026, 3, 2), series="A", number=1, lane=lane,
        service_id=service, person_id=None, booking_id=None, stage=TicketStage.WAITING, taken_at=turn, rank_at=turn,
    )  # fmt: skip


def a_counter(number: int = 1, *services: ServiceId) -> Counter:
    return Counter(
        office_id=OFFICE, number=number, service_ids=services or (PASSPORT,), staff_id=StaffId(uuid4()),
        opened_at=NOW, ticket_id=None, version=1,
    )  # fmt: skip


def a_hall(tickets: list[Ticket], *counters: Counter, measured: dict[ServiceId, Measured] | None = None) -> Hall:
    return Hall(
        as_of=NOW, counters=counters, tickets=tuple(tickets), measured=measured or {},
        slot_seconds={PASSPORT: 1800, LICENCE: 600},
    )  # fmt: skip


def next_of(waiting: list[Ticket], recent: list[TicketLane]) -> Ticket | None:
    """Whom a counter that called `recent` last, newest first, calls of those who wait."""
    for look in looks(recent):
        found = [one for one in waiting if one.lane in look.lanes and (look.is_early or one.rank_at <= NOW)]
        if found:
            return min(found, key=lambda one: one.turn)
    return None


def test_special_goes_before_urgent_before_booked_before_walking_in():
    waiting = [a_ticket(lane, minutes=minutes) for minutes, lane in enumerate(TicketLane)]
    order = []
    while (chosen := next_of(waiting, [])) is not None:
        waiting.remove(chosen)
        order.append(chosen.lane)
    assert order == [TicketLane.SPECIAL, TicketLane.URGENT, TicketLane.BOOKED, TicketLane.WALK_IN]


def test_who_is_booked_for_later_waits_for_their_hour_unless_nobody_else_is_there():
    early, walk_in = a_ticket(TicketLane.BOOKED, minutes=-30), a_ticket()
    assert next_of([early, walk_in], []) == walk_in
    assert next_of([early], []) == early


@given(
    arrivals=st.lists(
        st.lists(LANES.filter(lambda lane: lane is not TicketLane.WALK_IN), min_size=1, max_size=3),
        min_size=10,
        max_size=30,
    ),
    waiting=st.sampled_from([TicketLane.BOOKED, TicketLane.WALK_IN]),
)
def test_nobody_waits_for_ever_behind_whoever_goes_first(arrivals, waiting):
    """However many priority numbers keep coming, an ordinary one that heads its lane is called within a few calls."""
    first = a_ticket(waiting, minutes=100)
    hall, recent = [first], []
    bound = PRIORITY_RUN_MAX + 1
    for calls, coming in enumerate(arrivals, start=1):
        hall += [a_ticket(lane, minutes=0) for lane in coming]
        chosen = next_of(hall, recent)
        assert chosen is not None
        if chosen is first:
            return
        hall.remove(chosen)
        recent.insert(0, chosen.lane)
        assert calls <= bound


@given(st.lists(LANES, max_size=12))
def test_a_counter_always_looks_everywhere(recent):
    seen = {lane for look in looks(recent) for lane in look.lanes}
    assert seen == set(TicketLane)
    assert looks(recent)[-1].is_early


def test_the_wait_is_those_ahead_times_the_service_time_by_the_counters():
    mine = a_ticket(minutes=1)
    tickets = [*(a_ticket(minutes=5) for _ in range(4)), mine, a_ticket(minutes=0)]
    assert ahead_of(mine, a_hall(tickets, a_counter())) == 4
    assert wait_of(mine, a_hall(tickets, a_counter())) == timedelta(hours=2)  # 4 x a slot of 30 minutes
    assert wait_of(mine, a_hall(tickets, a_counter(1), a_counter(2))) == timedelta(hours=1)
    measured = {PASSPORT: Measured(MEASURED_MIN, 300.0)}
    assert wait_of(mine, a_hall(tickets, a_counter(), measured=measured)) == timedelta(minutes=20)
    too_few = {PASSPORT: Measured(MEASURED_MIN - 1, 300.0)}
    assert wait_of(mine, a_hall(tickets, a_counter(), measured=too_few)) == timedelta(hours=2)
    assert wait_of_newcomer(PASSPORT, a_hall(tickets, a_counter(), measured=measured)) == timedelta(minutes=30)


def test_nobody_knows_the_wait_while_no_counter_is_open():
    mine = a_ticket()
    assert wait_of(mine, a_hall([mine])) is None
    assert wait_of(mine, a_hall([mine], a_counter(1, LICENCE))) is None
    assert wait_of_newcomer(PASSPORT, a_hall([mine])) is None


def test_whoever_shares_my_counters_is_ahead_of_me_and_nobody_else_is():
    mine = a_ticket(minutes=1)
    licence = [a_ticket(minutes=9, service=LICENCE) for _ in range(3)]
    assert ahead_of(mine, a_hall([mine, *licence], a_counter(1, PASSPORT))) == 0
    assert ahead_of(mine, a_hall([mine, *licence], a_counter(1, PASSPORT, LICENCE))) == 3


def test_who_comes_before_their_hour_waits_at_least_until_it():
    mine = a_ticket(TicketLane.BOOKED, minutes=-45)
    assert wait_of(mine, a_hall([mine], a_counter())) == timedelta(minutes=45)


@given(st.integers(0, 200), st.integers(1, 9))
def test_an_estimate_is_never_negative_and_never_longer_than_a_day_at_the_office(ahead, counters):
    mine = a_ticket(minutes=1)
    hall = a_hall([mine, *(a_ticket(minutes=5) for _ in range(ahead))], *(a_counter(n) for n in range(1, counters + 1)))
    wait = wait_of(mine, hall)
    assert wait is not None
    assert timedelta() <= wait <= ESTIMATE_MAX


@pytest.mark.parametrize(
    ("values", "share", "found"), [([], 0.5, None), ([7], 0.9, 7), ([1, 2, 3, 4], 0.5, 2), (range(1, 11), 0.9, 9)]
)
def test_a_percentile_is_one_of_the_values(values, share, found):
    assert percentile(values, share) == found


@given(st.lists(st.sampled_from(list(Act)), max_size=25))
def test_a_number_is_at_a_counter_exactly_while_it_is_called_or_served(acts):
    """And what has ended ends once: whatever clerks try, in whatever order."""
    ticket = a_ticket()
    for act in acts:
        if ticket.stage is TicketStage.WAITING and act is Act.START:
            ticket = called(ticket, 7, NOW)
        if not is_possible(ticket, act):
            continue
        was, ticket = ticket, after(ticket, act, NOW)
        assert ticket.version == was.version + 1
        assert is_done_already(ticket, act, was.version)
        assert (ticket.ended_at is not None) == (
            ticket.stage in (TicketStage.DONE, TicketStage.MISSED, TicketStage.LEFT)
        )
        assert (ticket.served_from is not None) == (ticket.stage in (TicketStage.SERVING, TicketStage.DONE))
        assert ticket.stage not in (TicketStage.CALLED, TicketStage.SERVING) or ticket.counter == 7
        assert ticket.stage not in (TicketStage.WAITING, TicketStage.LEFT) or ticket.counter is None
        assert (ticket.rank_at, ticket.series, ticket.number) == (was.rank_at, was.series, was.number)


def test_a_number_is_not_called_without_end():
    ticket = called(a_ticket(), 1, NOW)
    while is_possible(ticket, Act.RECALL):
        ticket = after(ticket, Act.RECALL, NOW)
    assert ticket.calls == CALLS_MAX
