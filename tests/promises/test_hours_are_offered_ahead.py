"""Weekly hours become slots a little beyond the two weeks that can be booked."""

import asyncio
from datetime import timedelta

from appointments.offices import offering
from kernel.clock import in_shanghai
from kernel.db import Database
from tests.builders_appointments import a_desk, a_service, an_office, disagreements


async def a_desk_is_planted(db: Database, *, places: int = 2) -> None:
    office, service = await an_office(db), await a_service(db)
    await offering.plant(db, desks=[a_desk(office, service, places=places)])


async def starts(db: Database) -> list[str]:
    rows = await db.fetch("SELECT starts_at FROM appointments.slot ORDER BY starts_at")
    return [f"{in_shanghai(row[0]):%a %d %H:%M}" for row in rows]


async def test_slots_are_made_two_days_before_they_open_two_weeks_ahead(db, appointments, clock):
    await a_desk_is_planted(db)
    assert await appointments.offer_ahead() == 4 + 12 * 5  # nine o'clock today has begun; then twelve more working days
    offered = await starts(db)
    assert offered[:6] == [
        "Mon 02 09:30",
        "Mon 02 10:00",
        "Mon 02 10:30",
        "Mon 02 11:00",
        "Tue 03 09:00",
        "Tue 03 09:30",
    ]
    assert offered[-1] == "Wed 18 11:00"
    assert await appointments.offer_ahead() == 0
    clock.advance(timedelta(days=1))
    assert await appointments.offer_ahead() == 5
    assert (await starts(db))[-1] == "Thu 19 11:00"
    assert await disagreements(db) == []


async def test_two_workers_and_a_broken_off_beat_offer_every_slot_once(db, appointments, clock):
    await a_desk_is_planted(db, places=7)
    made = await asyncio.gather(*(appointments.offer_ahead() for _ in range(4)))
    assert sum(made) == 64
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
