"""Weekly hours become slots two weeks ahead, and a resident finds the free ones."""

import asyncio
from datetime import date, timedelta

import pytest

from appointments.errors import DaysOutOfRange
from appointments.offices import offering
from appointments.offices.searching import Wish, search
from appointments.parts import Appointments
from kernel.clock import StoppedClock, in_shanghai
from kernel.db import Database
from kernel.sealing import Keys
from tests.builders_appointments import (
    THURSDAY_TEN,
    a_desk,
    a_person,
    a_service,
    a_slot,
    an_id,
    an_office,
    disagreements,
    open_appointments,
)

MONDAY = date(2026, 3, 2)


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


async def a_desk_is_planted(db: Database, *, places: int = 2) -> None:
    office, service = await an_office(db), await a_service(db)
    await offering.plant(db, desks=[a_desk(office, service, places=places)])


async def starts(db: Database) -> list[str]:
    rows = await db.fetch("SELECT starts_at FROM appointments.slot ORDER BY starts_at")
    return [f"{in_shanghai(row[0]):%a %d %H:%M}" for row in rows]


async def test_slots_are_kept_two_weeks_ahead(db, appointments, clock):
    await a_desk_is_planted(db)
    assert await appointments.offer_ahead() == 4 + 10 * 5  # nine o'clock today has begun; then ten more working days
    offered = await starts(db)
    assert offered[:6] == [
        "Mon 02 09:30",
        "Mon 02 10:00",
        "Mon 02 10:30",
        "Mon 02 11:00",
        "Tue 03 09:00",
        "Tue 03 09:30",
    ]
    assert offered[-1] == "Mon 16 11:00"
    assert await appointments.offer_ahead() == 0
    clock.advance(timedelta(days=1))
    assert await appointments.offer_ahead() == 5
    assert (await starts(db))[-1] == "Tue 17 11:00"
    assert await disagreements(db) == []


async def test_two_workers_and_a_broken_off_beat_offer_every_slot_once(db, appointments, clock):
    await a_desk_is_planted(db, places=7)
    made = await asyncio.gather(*(appointments.offer_ahead() for _ in range(4)))
    assert sum(made) == 54
    async with db.connection() as conn:
        await conn.execute("UPDATE appointments.office_service SET offered_until = NULL")
    assert await appointments.offer_ahead() == 0
    assert await disagreements(db) == []


async def test_planting_the_same_again_changes_nothing_and_new_hours_are_added(db, appointments, clock):
    await a_desk_is_planted(db)
    await appointments.offer_ahead()
    await a_desk_is_planted(db)
    assert await appointments.offer_ahead() == 0
    office, service = await an_office(db), await a_service(db)
    await offering.plant(db, desks=[a_desk(office, service, weekdays=range(6))])
    assert await appointments.offer_ahead() == 2 * 5
    assert await disagreements(db) == []


async def test_a_search_finds_the_days_and_district_asked_for_and_what_is_free(db, appointments, clock):
    near = await a_slot(db, places=2)
    far = await a_slot(db, office="pudong", district="310115", starts_at=THURSDAY_TEN + timedelta(hours=1))
    await a_slot(db, service="licence")
    await a_slot(db, starts_at=THURSDAY_TEN + timedelta(days=1))
    await appointments.book(an_id(), near, a_person())
    service = await a_service(db)
    thursday = Wish(service_id=service, district=None, first_day=date(2026, 3, 5), last_day=date(2026, 3, 5))
    found = await search(db, clock, thursday, None, 50)
    assert [(offer.slot.slot_id, offer.free) for offer in found] == [(near, 1), (far, 3)]
    in_pudong = Wish(service_id=service, district="310115", first_day=MONDAY, last_day=date(2026, 3, 9))
    assert [offer.slot.slot_id for offer in await search(db, clock, in_pudong, None, 50)] == [far]


async def test_a_sold_out_slot_is_shown_as_such_and_a_past_one_not_at_all(db, appointments, clock):
    slot = await a_slot(db, places=1)
    await a_slot(db, starts_at=clock.now())
    await appointments.book(an_id(), slot, a_person())
    wish = Wish(service_id=await a_service(db), district=None, first_day=MONDAY, last_day=date(2026, 3, 9))
    assert [offer.free for offer in await search(db, clock, wish, None, 50)] == [0]


@pytest.mark.parametrize(
    ("first", "last"),
    [(date.min, date.min), (date.max, date.max), (MONDAY, date(2026, 3, 1)), (MONDAY, date(2026, 5, 3))],
)
async def test_days_out_of_range_are_refused(db, clock, first, last):
    wish = Wish(service_id=await a_service(db), district=None, first_day=first, last_day=last)
    with pytest.raises(DaysOutOfRange):
        await search(db, clock, wish, None, 50)


@pytest.mark.parametrize("district", [None, "310104"])
async def test_a_search_reads_its_index_and_no_more_than_its_page(db, clock, district):
    office, service = await an_office(db), await a_service(db)
    await offering.plant(db, desks=[a_desk(office, service, weekdays=range(7))])
    await offering.offer_ahead(db, clock, days=200)
    async with db.connection() as conn:
        await conn.execute("ANALYZE appointments.slot; ANALYZE appointments.place")
        plan = await conn.fetch(
            """EXPLAIN SELECT slot_id, starts_at FROM appointments.slot WHERE service_id = $1 AND district = $2
                AND (starts_at, slot_id) > ($3, $4) AND starts_at < $5 ORDER BY starts_at, slot_id LIMIT 20""",
            service, "310104", clock.now(), an_id(), clock.now() + timedelta(days=30),
        ) if district else await conn.fetch(
            """EXPLAIN SELECT slot_id, starts_at FROM appointments.slot WHERE service_id = $1
                AND (starts_at, slot_id) > ($2, $3) AND starts_at < $4 ORDER BY starts_at, slot_id LIMIT 20""",
            service, clock.now(), an_id(), clock.now() + timedelta(days=30),
        )  # fmt: skip
    text = " ".join(row[0] for row in plan)
    assert "Index" in text
    assert "Sort" not in text
    assert "Seq Scan" not in text
