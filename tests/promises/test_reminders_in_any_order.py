"""Whatever happens to a booking, and in whatever order: nobody is reminded of an hour that is theirs no more."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from appointments import changing
from appointments.due import REMIND_APART, REMIND_BEFORE, REMIND_SOON_BEFORE
from appointments.model import Booking, Stage
from appointments.offices import offering
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.errors import Refusal
from kernel.ids import SlotId
from tests.builders_appointments import THURSDAY_TEN, a_person, a_slot, an_id, at, messages

HOURS_AHEAD = (1, 2, 4, 20, 26, 50, 75)
"""Of the slots that a booking is moved among: some too soon for one reminder or for both."""
MINUTES_BEFORE = (24 * 60, 23 * 60, 150, 119, 60, 10)
EVENTS = st.one_of(
    st.tuples(st.just("move"), st.integers(0, len(HOURS_AHEAD) - 1)),
    st.tuples(st.just("wake"), st.sampled_from(MINUTES_BEFORE)),
    st.tuples(st.just("sleep"), st.integers(1, 30)),
    st.tuples(st.just("cancel"), st.just(0)),
)
STORIES = st.tuples(st.integers(0, len(HOURS_AHEAD) - 1), st.lists(EVENTS, min_size=1, max_size=8))


async def slots_ahead(appointments: Appointments) -> list[SlotId]:
    """Of a service that can be moved and cancelled until it begins, so that reminders are out by then."""
    db, now = appointments.db, appointments.clock.now()
    slots = [
        await a_slot(db, places=200, starts_at=now + timedelta(hours=hours), lasts=timedelta(minutes=10))
        for hours in HOURS_AHEAD
    ]
    await appointments.catalogues.refresh()
    services = [replace(service, cancel_minutes=0) for service in appointments.catalogues.current.services.values()]
    await offering.plant(db, services=services)
    await appointments.catalogues.refresh()
    return slots


async def bookings_reminders(db: Database, booking: Booking) -> list[tuple[str, int, datetime]]:
    """Text, version and moment of each reminder of a booking that was not taken back."""
    rows = await db.fetch(
        """SELECT template, key, owed_at FROM notifications.message
            WHERE template IN ('booking_reminder', 'booking_soon') AND stage <> 'withdrawn' AND key LIKE $1""",
        f"%/{booking.person_id}/{booking.booking_id}/%",
    )
    return [(row[0], int(row[1].rsplit("/", 1)[1]), row[2]) for row in rows]


async def as_it_is(db: Database, booking: Booking) -> Booking:
    return await changing.read(db, (booking.person_id, booking.booking_id))


async def remind(appointments: Appointments, booking: Booking) -> None:
    await appointments.remind_due(booking.person_id.int % 64)


async def assert_true_reminders(db: Database, booking: Booking) -> None:
    now_it_is = await as_it_is(db, booking)
    reminders = await bookings_reminders(db, booking)
    for text, version, owed_at in reminders:
        assert now_it_is.stage is not Stage.CANCELLED
        assert version == now_it_is.version
        before = REMIND_BEFORE if text == "booking_reminder" else REMIND_SOON_BEFORE
        assert now_it_is.starts_at - before <= owed_at < now_it_is.starts_at
    hours = sorted(owed_at for _, _, owed_at in reminders)
    assert all(later - sooner >= REMIND_APART for sooner, later in pairwise(hours))


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STORIES)
async def test_reminders_are_only_of_the_hour_that_stands(db, appointments, clock, story):
    first, events = story
    slots, person = await slots_ahead(appointments), a_person()
    booking = await appointments.book(an_id(), slots[first], person)
    for event, number in events:
        with suppress(Refusal):  # too late: nothing happened
            await _happens(db, appointments, clock, booking, slots, event, number)
        await assert_true_reminders(db, booking)
    for minutes in MINUTES_BEFORE:  # the rest of its days
        await _happens(db, appointments, clock, booking, slots, "wake", minutes)
        await assert_true_reminders(db, booking)


async def _happens(
    db: Database, appointments: Appointments, clock: StoppedClock, booking: Booking, slots: list[SlotId],
    event: str, number: int,
) -> None:  # fmt: skip
    if event == "move":
        await appointments.reschedule(booking.person_id, booking.booking_id, slots[number])
    elif event == "sleep":
        clock.advance(timedelta(hours=number))
    elif event == "wake":  # so many minutes before the hour that stands
        moment = (await as_it_is(db, booking)).starts_at - timedelta(minutes=number)
        at(clock, max(moment, clock.now()))
        await remind(appointments, booking)
    elif event == "cancel":
        await appointments.cancel(booking.person_id, booking.booking_id)
    else:
        async with db.connection() as conn:
            await conn.execute(
                """UPDATE appointments.booking SET stage = 'checked_in', checked_in_at = $3, changed_at = $3
                    WHERE person_id = $1 AND booking_id = $2 AND stage = 'booked'""",
                booking.person_id, booking.booking_id, clock.now(),
            )  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(10, 60 * 60), st.one_of(st.integers(5, 90), st.integers(90, 26 * 60)))
async def test_everybody_hears_as_often_as_still_makes_sense(db, appointments, clock, ahead_minutes, beat_minutes):
    booked_at = clock.now()
    starts_at = booked_at + timedelta(minutes=ahead_minutes)
    slot = await a_slot(db, starts_at=starts_at, lasts=timedelta(minutes=5))
    booking = await appointments.book(an_id(), slot, a_person())
    while clock.now() < starts_at + timedelta(hours=1):
        await remind(appointments, booking)
        clock.advance(timedelta(minutes=beat_minutes))
    heard = {text: owed_at for text, _, owed_at in await bookings_reminders(db, booking)}
    expected = {"booking_reminder": REMIND_BEFORE, "booking_soon": REMIND_SOON_BEFORE}
    for text, before in expected.items():
        if booked_at + REMIND_APART <= starts_at - before and beat_minutes < 60:
            assert heard[text] < starts_at - before + timedelta(minutes=beat_minutes)
        elif booked_at + REMIND_APART > starts_at - before:
            assert text not in heard
    if len(heard) == 2:
        assert heard["booking_soon"] - heard["booking_reminder"] >= REMIND_APART


async def test_a_reminder_two_hours_before_says_what_to_bring_again(db, appointments, clock):
    await appointments.book(an_id(), await a_slot(db), a_person())
    for before in (REMIND_BEFORE, REMIND_SOON_BEFORE):
        at(clock, THURSDAY_TEN - before)
        await asyncio.gather(*(appointments.remind_due(bucket) for bucket in range(64)))
    assert (await messages(db, "booking_reminder"), await messages(db, "booking_soon")) == (1, 1)


async def test_whoever_comes_early_is_not_reminded_and_their_day_still_ends(db, appointments, clock):
    slot, person = await a_slot(db), a_person()
    booking = await appointments.book(an_id(), slot, person)
    at(clock, THURSDAY_TEN - REMIND_BEFORE)
    await remind(appointments, booking)
    at(clock, THURSDAY_TEN - REMIND_SOON_BEFORE)
    await _happens(db, appointments, clock, booking, [], "check_in", 0)
    await remind(appointments, booking)
    assert await messages(db, "booking_soon") == 0
    [what] = await db.fetch("SELECT what FROM appointments.due WHERE person_id = $1", person)
    assert what[0] == "close"


async def test_a_worker_that_slept_until_shortly_before_the_second_reminder_sends_one(db, appointments, clock):
    booking = await appointments.book(an_id(), await a_slot(db), a_person())
    for minutes in (150, 119, 60):
        await _happens(db, appointments, clock, booking, [], "wake", minutes)
    assert [text for text, _, _ in await bookings_reminders(db, booking)] == ["booking_reminder"]


async def test_a_worker_that_slept_into_the_last_two_hours_says_that_it_is_soon(db, appointments, clock):
    booking = await appointments.book(an_id(), await a_slot(db), a_person())
    for minutes in (100, 60):
        await _happens(db, appointments, clock, booking, [], "wake", minutes)
    assert [text for text, _, _ in await bookings_reminders(db, booking)] == ["booking_soon"]
