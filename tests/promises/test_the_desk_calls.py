"""Numbers are taken, called by one counter each, and end as what became of them; nothing is called twice."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from appointments.desk.errors import CounterClosed
from appointments.desk.hall.model import Act, TicketLane, TicketStage
from appointments.errors import (
    AtAnotherCounter,
    CounterBusy,
    CounterChanged,
    CounterNotFound,
    CounterTaken,
    NotAtCounter,
    ServiceNotHere,
    TicketChanged,
    TicketIdTaken,
    TicketNotThere,
)
from appointments.model import Stage
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import ServiceId
from kernel.sealing import Keys
from tests.builders_appointments import THURSDAY_TEN, a_person, a_slot, an_id, at, messages, open_appointments
from tests.builders_desk import PASSPORT, Hall

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


@pytest.fixture
async def hall(db: Database, appointments: Appointments) -> Hall:
    return await Hall.of(db, appointments)


async def booked_and_here(hall: Hall, clock: StoppedClock, starts_at=THURSDAY_TEN):
    """Somebody booked, and checked in a quarter of an hour before their hour."""
    person, booking_id = a_person(), an_id()
    slot = await a_slot(hall.db, service=PASSPORT, starts_at=starts_at, places=10)
    await hall.appointments.book(booking_id, slot, person)
    at(clock, max(clock.now(), starts_at - 15 * MINUTE))
    booking = await hall.appointments.desks.check_in(hall.clerk(), hall.office_id, booking_id)
    ticket = await hall.appointments.desks.ticket_of_booking(booking)
    assert ticket is not None
    return person, booking, ticket


# ------------------------------------------------------------------------------------------------------- counters


async def test_a_clerk_sits_at_one_counter_and_nobody_else_at_theirs(hall: Hall):
    clerk, other = hall.clerk(), hall.clerk()
    await hall.counter(clerk, 1)
    with pytest.raises(AtAnotherCounter):
        await hall.counter(clerk, 2)
    with pytest.raises(CounterTaken):
        await hall.counter(other, 1)
    served_now = await hall.counter(clerk, 1, hall.passport)
    assert served_now.service_ids == (hall.passport,)
    await hall.appointments.desks.close_counter(clerk, hall.office_id, 1)
    assert (await hall.counter(other, 1)).staff_id == other.staff_id
    assert (await hall.counter(clerk, 2)).staff_id == clerk.staff_id


async def test_a_counter_serves_what_its_office_offers(hall: Hall):
    with pytest.raises(ServiceNotHere):
        await hall.counter(hall.clerk(), 1, ServiceId(uuid4()))
    with pytest.raises(CounterNotFound):
        await hall.appointments.desks.close_counter(hall.clerk(), hall.office_id, 9)


async def test_only_who_sits_there_or_the_supervisor_acts_for_a_counter(hall: Hall):
    clerk = hall.clerk()
    counter = await hall.counter(clerk)
    await hall.walk_in()
    with pytest.raises(NotAtCounter):
        await hall.call(hall.clerk(), counter)
    _, ticket = await hall.call(clerk, counter)
    with pytest.raises(NotAtCounter):
        await hall.do(hall.clerk(), ticket, Act.START)
    assert (await hall.do(hall.clerk(is_supervisor=True), ticket, Act.START)).stage is TicketStage.SERVING
    with pytest.raises(NotAtCounter):
        await hall.appointments.desks.close_counter(hall.clerk(), hall.office_id, 1)


# -------------------------------------------------------------------------------------------------------- numbers


async def test_numbers_count_from_one_each_day_in_a_series_of_their_own(hall: Hall, clock: StoppedClock):
    labels = [(await hall.walk_in()).label for _ in range(3)]
    labels += [(await hall.walk_in(service=hall.licence)).label, (await hall.walk_in(TicketLane.SPECIAL)).label]
    assert labels == ["B001", "B002", "B003", "A001", "T001"]
    clock.advance(timedelta(days=1))
    assert (await hall.walk_in()).label == "B001"


async def test_a_number_asked_for_again_is_the_same_number(hall: Hall):
    ticket_id = uuid4()
    asked = await asyncio.gather(*(hall.walk_in(ticket_id=ticket_id) for _ in range(6)))
    assert {ticket.label for ticket in asked} == {"B001"}
    assert (await hall.walk_in()).label == "B002"
    with pytest.raises(TicketIdTaken):
        await hall.walk_in(ticket_id=ticket_id, service=hall.licence)


async def test_a_number_is_never_given_out_twice(hall: Hall):
    given = await asyncio.gather(*(hall.walk_in() for _ in range(20)))
    assert sorted(ticket.number for ticket in given) == list(range(1, 21))


# -------------------------------------------------------------------------------------------------------- calling


async def test_two_counters_never_call_one_number(hall: Hall):
    given = await asyncio.gather(*(hall.walk_in() for _ in range(12)))
    clerks = [hall.clerk() for _ in range(4)]
    counters = [await hall.counter(clerk, number) for number, clerk in enumerate(clerks, start=1)]

    async def work(clerk, counter):
        called = []
        while True:
            counter, ticket = await hall.serve(clerk, counter)
            if ticket is None:
                return called
            called.append(ticket.ticket_id)

    called = [one for each in await asyncio.gather(*map(work, clerks, counters)) for one in each]
    assert sorted(called) == sorted(ticket.ticket_id for ticket in given)


async def test_a_call_whose_answer_was_lost_calls_nobody_else(hall: Hall):
    await hall.walk_in()
    await hall.walk_in()
    clerk = hall.clerk()
    counter = await hall.counter(clerk)
    answers = await asyncio.gather(*(hall.call(clerk, counter) for _ in range(5)))
    assert {ticket.label for _, ticket in answers} == {"B001"}
    now, ticket = answers[0]
    with pytest.raises(CounterBusy):
        await hall.call(clerk, now)
    await hall.do(clerk, ticket, Act.FINISH)
    with pytest.raises(CounterChanged):
        await hall.call(clerk, counter)
    assert (await hall.call(clerk, now))[1].label == "B002"


async def test_after_three_priority_calls_a_walk_in_has_their_turn(hall: Hall, clock: StoppedClock):
    first = await hall.walk_in()
    clock.advance(MINUTE)
    for _ in range(5):
        await hall.walk_in(TicketLane.SPECIAL)
    clerk = hall.clerk()
    counter = await hall.counter(clerk)
    called = []
    for _ in range(6):
        clock.advance(MINUTE)
        counter, ticket = await hall.serve(clerk, counter)
        called.append(ticket.label)
    assert called == ["T001", "T002", "T003", first.label, "T004", "T005"]
    assert (await hall.call(clerk, counter))[1] is None


async def test_who_is_booked_goes_before_walk_ins_when_their_hour_has_come(hall: Hall, clock: StoppedClock):
    _, _, booked = await booked_and_here(hall, clock)
    walk_ins = [await hall.walk_in() for _ in range(2)]
    clerk = hall.clerk()
    counter = await hall.counter(clerk)
    assert booked.label == "Y001"
    counter, called = await hall.serve(clerk, counter)
    assert called.label == walk_ins[0].label
    at(clock, THURSDAY_TEN)
    counter, called = await hall.serve(clerk, counter)
    assert called.label == booked.label


async def test_a_counter_calls_only_for_what_it_serves(hall: Hall):
    await hall.walk_in(service=hall.licence)
    clerk = hall.clerk()
    counter = await hall.counter(clerk, 1, hall.passport)
    assert (await hall.call(clerk, counter))[1] is None


# ------------------------------------------------------------------------------------------- what became of a number


async def test_a_visit_that_is_done_ends_its_booking_as_served(hall: Hall, clock: StoppedClock):
    _, booking, _ = await booked_and_here(hall, clock)
    clerk = hall.clerk()
    _, ticket = await hall.call(clerk, await hall.counter(clerk))
    started = await hall.do(clerk, ticket, Act.START)
    clock.advance(7 * MINUTE)
    done = await hall.do(clerk, started, Act.FINISH)
    assert (done.ended_at - done.served_from, done.stage) == (7 * MINUTE, TicketStage.DONE)
    stage, served_at = await hall.db.fetchrow(
        "SELECT stage, served_at FROM appointments.booking WHERE booking_id = $1", booking.booking_id
    )
    assert (stage, served_at) == ("served", clock.now())
    assert await hall.do(clerk, started, Act.FINISH) == done  # the answer was lost: the same


async def test_whoever_checked_in_and_missed_their_call_is_no_no_show(hall: Hall, clock: StoppedClock):
    _, booking, _ = await booked_and_here(hall, clock)
    clerk = hall.clerk()
    counter, ticket = await hall.call(clerk, await hall.counter(clerk))
    ticket = await hall.do(clerk, await hall.do(clerk, ticket, Act.RECALL), Act.MISS)
    assert (ticket.stage, ticket.calls) == (TicketStage.MISSED, 2)
    stage = await hall.db.fetchval("SELECT stage FROM appointments.booking WHERE booking_id = $1", booking.booking_id)
    assert stage == Stage.CHECKED_IN
    back = await hall.do(hall.clerk(), ticket, Act.PUT_BACK)
    assert (await hall.call(clerk, counter))[1].ticket_id == back.ticket_id


async def test_who_is_transferred_keeps_rank_and_number(hall: Hall, clock: StoppedClock):
    first = await hall.walk_in()
    clock.advance(MINUTE)
    await hall.walk_in(service=hall.licence)
    clerk, other = hall.clerk(), hall.clerk()
    _, ticket = await hall.call(clerk, await hall.counter(clerk, 1, hall.passport))
    sent = await hall.do(clerk, ticket, Act.TRANSFER, service_id=str(hall.licence))
    assert (sent.label, sent.rank_at, sent.counter) == (first.label, first.rank_at, None)
    counter, called = await hall.serve(other, await hall.counter(other, 2, hall.licence))
    assert called.label == first.label
    assert (await hall.call(other, counter))[1].label == "A001"


async def test_who_is_sent_to_one_counter_is_called_there_alone_until_it_closes(hall: Hall):
    ticket = await hall.walk_in()
    clerk, other = hall.clerk(), hall.clerk()
    mine, theirs = await hall.counter(clerk, 1), await hall.counter(other, 2, hall.licence)
    await hall.do(clerk, ticket, Act.TRANSFER, for_counter=2)
    assert (await hall.call(clerk, mine))[1] is None
    await hall.appointments.desks.close_counter(other, hall.office_id, theirs.number)
    assert (await hall.call(clerk, mine))[1].label == ticket.label


async def test_who_is_put_back_for_later_is_not_called_before(hall: Hall, clock: StoppedClock):
    ticket, after_them = await hall.walk_in(), await hall.walk_in()
    clerk = hall.clerk()
    counter, ticket = await hall.call(clerk, await hall.counter(clerk))
    await hall.do(clerk, ticket, Act.PUT_BACK, later_minutes=10)
    counter, called = await hall.serve(clerk, counter)
    assert called.label == after_them.label
    clock.advance(10 * MINUTE)
    assert (await hall.call(clerk, counter))[1].label == ticket.label


async def test_what_a_clerk_has_not_seen_is_not_changed(hall: Hall):
    ticket = await hall.walk_in()
    clerk = hall.clerk()
    _, called = await hall.call(clerk, await hall.counter(clerk))
    with pytest.raises(TicketChanged) as refused:
        await hall.do(clerk, ticket, Act.LEAVE)
    assert refused.value.members == {"version": 2, "stage": "called"}
    with pytest.raises(TicketNotThere) as refused:
        await hall.do(clerk, called, Act.LEAVE)
    possible = ["recall", "start", "finish", "miss", "put_back", "transfer"]
    assert refused.value.members == {"stage": "called", "possible": possible}


async def test_a_number_sent_to_a_counter_that_is_closed_is_told_apart_from_one_that_is_not_there(hall: Hall):
    await hall.walk_in()
    clerk, other = hall.clerk(), hall.clerk()
    await hall.counter(other, 2)
    await hall.appointments.desks.close_counter(other, hall.office_id, 2)
    _, ticket = await hall.call(clerk, await hall.counter(clerk))
    with pytest.raises(CounterClosed):
        await hall.do(clerk, ticket, Act.TRANSFER, for_counter=2)
    with pytest.raises(CounterNotFound):
        await hall.do(clerk, ticket, Act.TRANSFER, for_counter=3)


async def test_of_two_who_end_a_number_at_once_one_does(hall: Hall):
    await hall.walk_in()
    clerk = hall.clerk()
    _, ticket = await hall.call(clerk, await hall.counter(clerk))
    ends = await asyncio.gather(
        hall.do(clerk, ticket, Act.FINISH), hall.do(clerk, ticket, Act.MISS), return_exceptions=True
    )
    assert sorted(type(end).__name__ for end in ends) == ["Ticket", "TicketChanged"]


async def test_a_counter_is_not_left_while_it_has_called_somebody(hall: Hall):
    await hall.walk_in()
    clerk = hall.clerk()
    counter, ticket = await hall.call(clerk, await hall.counter(clerk))
    with pytest.raises(CounterBusy):
        await hall.appointments.desks.close_counter(clerk, hall.office_id, counter.number)
    await hall.do(clerk, ticket, Act.MISS)
    assert not (await hall.appointments.desks.close_counter(clerk, hall.office_id, counter.number)).is_open


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE appointments.ticket SET stage = 'called', calls = 1, called_at = taken_at, first_called_at = taken_at",
        "UPDATE appointments.ticket SET counter = 3",
        "UPDATE appointments.ticket SET stage = 'missed', ended_at = taken_at, counter = 3",
        "UPDATE appointments.ticket SET served_from = taken_at",
        "UPDATE appointments.ticket SET ended_at = taken_at",
    ],
)
async def test_the_database_refuses_what_a_number_cannot_be(hall: Hall, wrong: str):
    await hall.walk_in()
    with pytest.raises(asyncpg.CheckViolationError):
        await hall.db.fetch(wrong)


async def test_every_act_is_on_record(hall: Hall):
    await hall.walk_in()
    clerk = hall.clerk()
    counter, ticket = await hall.call(clerk, await hall.counter(clerk))
    await hall.do(clerk, await hall.do(clerk, ticket, Act.START), Act.FINISH)
    await hall.appointments.desks.close_counter(clerk, hall.office_id, counter.number)
    acts = await hall.db.fetch("SELECT act FROM kernel.audit")
    assert sorted(row["act"].removeprefix("appointments.") for row in acts) == [
        "call_ticket", "close_counter", "finish_ticket", "open_counter", "start_ticket", "take_ticket",
    ]  # fmt: skip


async def test_who_has_three_before_them_is_told_once(hall: Hall, clock: StoppedClock):
    for nth in range(5):
        await booked_and_here(hall, clock, THURSDAY_TEN)
        clock.advance(nth * timedelta(seconds=1))
    at(clock, THURSDAY_TEN)
    clerk = hall.clerk()
    counter = await hall.counter(clerk)
    assert await messages(hall.db, "queue_nearly") == 0
    told = []
    for _ in range(3):
        counter, _ = await hall.serve(clerk, counter)
        told.append(await messages(hall.db, "queue_nearly"))
    assert told == [4, 4, 4]  # the four behind the first, who have three or fewer before them
