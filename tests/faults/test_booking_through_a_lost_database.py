"""The database dies in the middle of a rush: nobody was told yes without a row, and a retry settles all."""

import asyncio

import asyncpg

from appointments.errors import SlotFull
from appointments.model import Booking
from kernel.db import DatabaseAway, OutcomeUnknown
from kernel.grouping import TooManyWaiting
from tests.builders_appointments import a_person, a_slot, an_id, disagreements, messages, open_appointments

PLACES = 40
KILLS = 25
NOT_TOLD = (DatabaseAway, OutcomeUnknown, TooManyWaiting)


async def test_connections_killed_in_the_middle_cost_no_place_and_double_none(db, database_url, clock, keys):
    appointments = await open_appointments(db, clock, keys)
    slot = await a_slot(db, places=PLACES)
    killer = await asyncpg.connect(database_url)
    told_yes: dict[object, Booking] = {}

    async def insist() -> str:
        """Ask with one id until told yes or no, as a phone does that loses answers."""
        person, booking_id = a_person(), an_id()
        for _ in range(200):
            try:
                told_yes[booking_id] = await appointments.book(booking_id, slot, person)
                return "yes"
            except SlotFull:
                return "full"
            except NOT_TOLD:
                await asyncio.sleep(0.01)
        return "never told"

    async def kill() -> None:
        for _ in range(KILLS):
            await asyncio.sleep(0.004)
            await killer.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    *answers, _ = await asyncio.gather(*(insist() for _ in range(3 * PLACES)), kill())
    await killer.close()
    assert sorted(answers) == ["full"] * 2 * PLACES + ["yes"] * PLACES
    rows = await db.fetch("SELECT booking_id FROM appointments.booking WHERE stage = 'booked'")
    assert {row[0] for row in rows} == set(told_yes)
    assert await messages(db, "booking_confirmed") == PLACES
    assert await disagreements(db) == []


async def test_a_caller_who_goes_away_takes_nobody_with_them(db, clock, keys):
    appointments = await open_appointments(db, clock, keys)
    slot = await a_slot(db, places=10)
    asking = [asyncio.create_task(appointments.book(an_id(), slot, a_person())) for _ in range(10)]
    await asyncio.sleep(0)
    for task in asking[::2]:
        task.cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(answer, Booking) for answer in answers[1::2])
    assert await disagreements(db) == []
