"""A day ends at the counters: numbers that nobody ended are ended for them, and the next day begins with none."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from appointments.desk.hall import ending
from appointments.desk.hall.model import Act, TicketLane, TicketStage
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.principal import Audience
from kernel.sealing import Keys
from tests.builders_appointments import THURSDAY_TEN, Wire, a_person, a_slot, an_id, at, open_appointments
from tests.builders_desk import Hall

A_DAY = timedelta(days=1)


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


@pytest.fixture
async def hall(db: Database, appointments: Appointments) -> Hall:
    return await Hall.of(db, appointments)


async def stages(hall: Hall) -> dict[str, str]:
    rows = await hall.db.fetch(
        "SELECT to_char(day, 'DD ') || series || number AS label, stage FROM appointments.ticket"
    )
    return {row["label"]: row["stage"] for row in rows}


@pytest.mark.parametrize("beat_first", [True, False], ids=["after the beat", "before the beat"])
async def test_a_number_left_called_keeps_no_counter_busy_the_next_day(
    hall: Hall, clock: StoppedClock, beat_first: bool
):
    await hall.walk_in()
    clerk = hall.clerk()
    counter, left = await hall.call(clerk, await hall.counter(clerk))
    assert left.stage is TicketStage.CALLED
    clock.advance(A_DAY)
    if beat_first:
        assert await hall.appointments.desks.end_days() == 1
    fresh = await hall.walk_in()
    counter, called = await hall.call(clerk, counter)
    assert called.ticket_id == fresh.ticket_id
    await hall.appointments.desks.end_days()
    assert (await hall.appointments.desks.ticket(hall.office_id, left.ticket_id)).stage is TicketStage.MISSED
    assert (await hall.do(clerk, called, Act.FINISH)).stage is TicketStage.DONE
    assert (await hall.appointments.desks.close_counter(clerk, hall.office_id, counter.number)).is_open is False


async def test_a_counter_can_be_left_the_next_day_although_a_number_was_left_there(hall: Hall, clock: StoppedClock):
    await hall.walk_in()
    clerk = hall.clerk()
    counter, _ = await hall.call(clerk, await hall.counter(clerk))
    clock.advance(A_DAY)
    assert (await hall.appointments.desks.close_counter(clerk, hall.office_id, counter.number)).is_open is False


async def test_who_was_called_is_missed_and_who_waited_or_was_served_is_unfinished_and_the_report_tells(
    hall: Hall, clock: StoppedClock
):
    at(clock, THURSDAY_TEN)
    for _ in range(4):
        await hall.walk_in()
    clerks = [hall.clerk() for _ in range(3)]
    counters = [await hall.counter(clerk, number) for number, clerk in enumerate(clerks, start=1)]
    await hall.serve(clerks[0], counters[0])
    await hall.call(clerks[1], counters[1])
    _, served = await hall.call(clerks[2], counters[2])
    await hall.do(clerks[2], served, Act.START)
    assert await hall.appointments.desks.end_days() == 0, "the day is not over"
    clock.advance(A_DAY)
    await hall.walk_in()
    assert await hall.appointments.desks.end_days() == 3
    assert await hall.appointments.desks.end_days() == 0
    assert await stages(hall) == {
        "05 B1": "done", "05 B2": "missed", "05 B3": "unfinished", "05 B4": "unfinished", "06 B1": "waiting",
    }  # fmt: skip
    async with Wire(hall.appointments).signed_in(Audience.DEPARTMENT, hall.clerk(is_supervisor=True)) as desk:
        [line] = (await desk.get("/desk/report", params={"date": "2026-03-05"})).json()["lines"]
        written = (await desk.get("/desk/report", params={"date": "2026-03-05", "form": "csv"})).text
    told = [line[name] for name in ("lane", "tickets", "served", "not_there", "unfinished")]
    assert told == [TicketLane.WALK_IN, 4, 1, 1, 2]
    assert "unfinished" in written.splitlines()[0]


async def test_each_end_is_recorded_and_says_that_no_clerk_did_it(hall: Hall, clock: StoppedClock):
    ticket = await hall.walk_in()
    clerk = hall.clerk()
    await hall.call(clerk, await hall.counter(clerk, 7))
    clock.advance(A_DAY)
    await hall.appointments.desks.end_days()
    [row] = await hall.db.fetch("SELECT actor, subject, detail FROM kernel.audit WHERE act = 'appointments.end_ticket'")
    assert (row["actor"], row["subject"]) == (ending.BEAT, f"ticket:{ticket.ticket_id}")
    assert msgspec.json.decode(row["detail"]) == {
        "office": str(hall.office_id), "day": ticket.day.isoformat(), "was": "called", "stage": "missed", "counter": 7,
    }  # fmt: skip


async def test_whoever_had_checked_in_and_was_not_served_that_day_is_no_no_show(hall: Hall, clock: StoppedClock):
    person, booking_id = a_person(), an_id()
    await hall.appointments.book(booking_id, await a_slot(hall.db), person)
    at(clock, THURSDAY_TEN)
    await hall.appointments.desks.check_in(hall.clerk(), hall.office_id, booking_id)
    clock.advance(A_DAY)
    assert await hall.appointments.desks.end_days() == 1
    assert await hall.db.fetchval("SELECT stage FROM appointments.booking") == "checked_in"
    assert await stages(hall) == {"05 Y1": "unfinished"}


async def test_two_workers_and_many_numbers_end_each_once(hall: Hall, clock: StoppedClock, db: Database, keys: Keys):
    other = await open_appointments(db, clock, keys)
    most = ending.TOGETHER_MAX + 5
    await asyncio.gather(*(hall.walk_in(ticket_id=uuid4()) for _ in range(most)))
    clock.advance(A_DAY)
    ended = await asyncio.gather(hall.appointments.desks.end_days(), other.desks.end_days())
    assert sum(ended) + await other.desks.end_days() == most
    assert await db.fetchval("SELECT count(*) FROM kernel.audit WHERE act = 'appointments.end_ticket'") == most
    assert set((await stages(hall)).values()) == {"unfinished"}
