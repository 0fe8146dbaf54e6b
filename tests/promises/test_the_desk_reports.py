"""The supervisor reads what a day at the office came to: who was expected and came, how long they waited, by whom."""

import csv
import io
from datetime import timedelta

import pytest

from appointments.desk.hall.model import Act, TicketLane
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.principal import Audience
from kernel.sealing import Keys
from tests.builders_appointments import THURSDAY_TEN, Wire, a_person, a_slot, an_id, at, open_appointments
from tests.builders_desk import Hall

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


@pytest.fixture
async def hall(db: Database, appointments: Appointments) -> Hall:
    return await Hall.of(db, appointments)


async def a_day(hall: Hall, clock: StoppedClock) -> None:
    """Four booked for ten: two come, one cancels, one does not come. Three walk in: one is served, one leaves, one is
    not there when called. Each visit takes five minutes."""
    slot, desks = await a_slot(hall.db, places=4), hall.appointments.desks
    booked = [(a_person(), an_id()) for _ in range(4)]
    for person, booking_id in booked:
        await hall.appointments.book(booking_id, slot, person)
    await hall.appointments.cancel(*booked[3])
    at(clock, THURSDAY_TEN)
    for _, booking_id in booked[:2]:
        await desks.check_in(hall.clerk(), hall.office_id, booking_id)
    walk_ins = [await hall.walk_in() for _ in range(3)]
    await hall.do(hall.clerk(), walk_ins[2], Act.LEAVE)
    clerk = hall.clerk()
    counter = await hall.counter(clerk, 3)
    for _ in range(3):
        clock.advance(2 * MINUTE)
        counter, ticket = await hall.call(clerk, counter)
        assert ticket is not None
        started = await hall.do(clerk, ticket, Act.START)
        clock.advance(5 * MINUTE)
        await hall.do(clerk, started, Act.FINISH)
    _, ticket = await hall.call(clerk, counter)
    await hall.do(clerk, ticket, Act.MISS)
    await hall.db.fetch("UPDATE appointments.booking SET stage = 'missed' WHERE booking_id = $1", booked[2][1])


async def test_a_days_report_counts_who_came_and_how_long_they_waited(hall: Hall, clock: StoppedClock):
    await a_day(hall, clock)
    async with Wire(hall.appointments).signed_in(Audience.DEPARTMENT, hall.clerk(is_supervisor=True)) as desk:
        report = (await desk.get("/desk/report")).json()
        written = (await desk.get("/desk/report", params={"form": "csv", "date": "2026-03-05"})).text
        another_day = (await desk.get("/desk/report", params={"date": "2026-03-04"})).json()
        too_far = await desk.get("/desk/report", params={"date": "2020-03-04"})
    booked, walked_in = report["lines"]
    assert (booked["lane"], walked_in["lane"]) == (TicketLane.BOOKED, TicketLane.WALK_IN)
    said = ("expected", "came", "missed", "cancelled", "tickets", "walk_ins", "served", "not_there")
    assert [booked[name] for name in said] == [3, 2, 1, 1, 2, 0, 2, 0]
    assert [walked_in[name] for name in said] == [0, 0, 0, 0, 3, 3, 1, 1]
    waits = ("wait_seconds_p50", "wait_seconds_p90", "wait_seconds_max", "service_seconds_mean")
    assert [booked[name] for name in waits] == [120, 540, 540, 300]
    assert [walked_in[name] for name in waits] == [960, 1260, 1260, 300]
    assert report["counters"] == [{"counter": 3, "served": 3, "service_seconds": 900, "service_seconds_mean": 300}]
    rows = list(csv.DictReader(io.StringIO(written.removeprefix("\ufeff"))))
    assert [(row["day"], row["lane"], row["served"]) for row in rows] == [
        ("2026-03-05", "booked", "2"), ("2026-03-05", "walk_in", "1"),
    ]  # fmt: skip
    assert another_day == {"day": "2026-03-04", "lines": [], "counters": []}
    assert too_far.json()["code"] == "appointments.days_out_of_range"


async def test_only_the_supervisor_reads_the_report(hall: Hall):
    async with Wire(hall.appointments).signed_in(Audience.DEPARTMENT, hall.clerk()) as desk:
        refused = await desk.get("/desk/report")
    assert (refused.status_code, refused.json()["code"]) == (403, "appointments.not_a_supervisor")
