"""Everybody is reminded of their hour exactly once, by the clock, and never of an hour that no longer stands."""

import asyncio
from datetime import timedelta

from appointments.due import REMIND_BEFORE, REMIND_SOON_BEFORE
from appointments.model import Stage
from appointments.showing_bookings import bookings_of
from kernel.db import Database
from kernel.ids import BUCKETS
from tests.builders_appointments import (
    THURSDAY_TEN,
    a_person,
    a_slot,
    an_id,
    at,
    close_the_day,
    disagreements,
    messages,
    open_appointments,
    remind_everybody,
)

DAY_BEFORE = THURSDAY_TEN - REMIND_BEFORE
SECOND = timedelta(seconds=1)


async def test_a_reminder_comes_when_its_hour_comes_and_once(db, appointments, clock):
    slot = await a_slot(db, places=30)
    await asyncio.gather(*(appointments.book(an_id(), slot, a_person()) for _ in range(30)))
    at(clock, DAY_BEFORE - SECOND)
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 0
    at(clock, DAY_BEFORE)
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 30
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 30


async def test_several_workers_at_once_remind_once(db, database_url, appointments, clock, keys):
    slot = await a_slot(db, places=20)
    await asyncio.gather(*(appointments.book(an_id(), slot, a_person()) for _ in range(20)))
    at(clock, DAY_BEFORE)
    other_db = await Database.open(database_url, connections_max=4)
    other = await open_appointments(other_db, clock, keys)
    await asyncio.gather(*(worker.remind_due(bucket) for bucket in range(BUCKETS) for worker in (appointments, other)))
    await other_db.close()
    assert await messages(db, "booking_reminder") == 20


async def test_a_cancelled_booking_is_not_reminded_of(db, appointments, clock):
    slot, person = await a_slot(db), a_person()
    booking = await appointments.book(an_id(), slot, person)
    await appointments.cancel(person, booking.booking_id)
    at(clock, DAY_BEFORE)
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 0
    assert await db.fetchval("SELECT count(*) FROM appointments.due") == 0


async def test_a_moved_booking_is_reminded_of_its_new_hour_only(db, appointments, clock):
    old, new, person = await a_slot(db), await a_slot(db, starts_at=THURSDAY_TEN + timedelta(days=4)), a_person()
    booking = await appointments.book(an_id(), old, person)
    await appointments.reschedule(person, booking.booking_id, new)
    at(clock, DAY_BEFORE)
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 0
    at(clock, DAY_BEFORE + timedelta(days=4))
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 1


async def test_a_reminder_that_was_owed_but_not_sent_is_taken_back_when_the_booking_moves(db, appointments, clock):
    old, new, person = await a_slot(db), await a_slot(db, starts_at=THURSDAY_TEN + timedelta(days=4)), a_person()
    booking = await appointments.book(an_id(), old, person)
    at(clock, DAY_BEFORE)
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 1
    await appointments.reschedule(person, booking.booking_id, new)
    assert await messages(db, "booking_reminder") == 0
    at(clock, DAY_BEFORE + timedelta(days=4))
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 1


async def test_moving_while_the_reminder_goes_out_leaves_no_reminder_of_the_old_hour(db, appointments, clock):
    old, new = await a_slot(db, places=20), await a_slot(db, places=20, starts_at=THURSDAY_TEN + timedelta(days=4))
    bookings = await asyncio.gather(*(appointments.book(an_id(), old, a_person()) for _ in range(20)))
    at(clock, DAY_BEFORE)
    await asyncio.gather(
        *(appointments.reschedule(booking.person_id, booking.booking_id, new) for booking in bookings),
        *(appointments.remind_due(bucket) for bucket in range(BUCKETS)),
    )
    assert await messages(db, "booking_reminder") == 0
    assert await messages(db, "booking_changed") == 20


async def test_who_books_late_is_reminded_two_hours_before(db, appointments, clock):
    slot = await a_slot(db)
    at(clock, THURSDAY_TEN - timedelta(hours=20))
    await appointments.book(an_id(), slot, a_person())
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 0
    at(clock, THURSDAY_TEN - REMIND_SOON_BEFORE)
    await remind_everybody(appointments)
    assert (await messages(db, "booking_reminder"), await messages(db, "booking_soon")) == (0, 1)


async def test_a_worker_that_slept_through_the_hour_reminds_nobody_of_it(db, appointments, clock):
    await appointments.book(an_id(), await a_slot(db), a_person())
    at(clock, THURSDAY_TEN + SECOND)
    await remind_everybody(appointments)
    assert await messages(db, "booking_reminder") == 0


async def test_who_did_not_come_has_missed_it_and_may_book_anew(db, appointments, clock):
    slot, person = await a_slot(db), a_person()
    later = await a_slot(db, starts_at=THURSDAY_TEN + timedelta(days=4))
    await appointments.book(an_id(), slot, person)
    at(clock, DAY_BEFORE)
    await remind_everybody(appointments)
    at(clock, THURSDAY_TEN - REMIND_SOON_BEFORE)
    await remind_everybody(appointments)
    at(clock, THURSDAY_TEN + timedelta(hours=13, minutes=59))
    assert await close_the_day(appointments) == 0
    at(clock, THURSDAY_TEN + timedelta(hours=14))
    assert await close_the_day(appointments) == 1
    assert [booking.stage for booking in await bookings_of(db, person, None, 10)] == [Stage.MISSED]
    assert await appointments.book(an_id(), later, person)
    assert await disagreements(db) == []
