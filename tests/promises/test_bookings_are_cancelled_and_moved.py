"""A place given back is free exactly once; a booking that moves never ends with two places or none."""

import asyncio
from datetime import timedelta

import pytest

from appointments.errors import (
    AlreadyBooked,
    BookingNotFound,
    CancellationClosed,
    NotBooked,
    OtherService,
    ReschedulingClosed,
    SlotFull,
    SlotPast,
    TimesOverlap,
)
from appointments.model import CANCEL_BEFORE, Booking, Stage
from tests.builders_appointments import (
    THURSDAY_TEN,
    a_person,
    a_slot,
    an_id,
    at,
    disagreements,
    messages,
)

NEXT_DAY = THURSDAY_TEN + timedelta(days=1)


async def test_a_cancelled_place_can_be_booked_again_at_once(db, appointments):
    slot, person = await a_slot(db, places=1), a_person()
    booking = await appointments.book(an_id(), slot, person)
    with pytest.raises(SlotFull):
        await appointments.book(an_id(), slot, a_person())
    cancelled = await appointments.cancel(person, booking.booking_id)
    assert cancelled.stage is Stage.CANCELLED
    assert (await appointments.book(an_id(), slot, a_person())).seq == booking.seq
    assert await messages(db, "booking_cancelled") == 1
    assert await disagreements(db) == []


async def test_cancelling_twice_or_from_two_phones_frees_one_place_and_tells_once(db, appointments):
    slot, person = await a_slot(db, places=1), a_person()
    booking = await appointments.book(an_id(), slot, person)
    cancelled = await asyncio.gather(*(appointments.cancel(person, booking.booking_id) for _ in range(8)))
    assert {one.stage for one in cancelled} == {Stage.CANCELLED}
    assert await appointments.book(an_id(), slot, a_person())
    assert (await appointments.cancel(person, booking.booking_id)).stage is Stage.CANCELLED
    with pytest.raises(SlotFull):
        await appointments.book(an_id(), slot, a_person())
    assert await messages(db, "booking_cancelled") == 1
    assert await disagreements(db) == []


async def test_who_cancelled_may_book_the_service_again(db, appointments):
    slot, person = await a_slot(db), a_person()
    first = await appointments.book(an_id(), slot, person)
    await appointments.cancel(person, first.booking_id)
    again = await appointments.book(an_id(), slot, person)
    assert again.booking_id != first.booking_id
    assert (await appointments.book(first.booking_id, slot, person)).stage is Stage.CANCELLED
    assert await disagreements(db) == []


async def test_nobody_else_can_cancel_or_move_my_booking(db, appointments):
    slot, later = await a_slot(db), await a_slot(db, starts_at=NEXT_DAY)
    booking = await appointments.book(an_id(), slot, a_person())
    with pytest.raises(BookingNotFound):
        await appointments.cancel(a_person(), booking.booking_id)
    with pytest.raises(BookingNotFound):
        await appointments.reschedule(a_person(), booking.booking_id, later)


async def test_too_late_is_too_late(db, appointments, clock):
    slot, later, person = await a_slot(db), await a_slot(db, starts_at=NEXT_DAY), a_person()
    booking = await appointments.book(an_id(), slot, person)
    at(clock, THURSDAY_TEN - CANCEL_BEFORE)
    with pytest.raises(CancellationClosed):
        await appointments.cancel(person, booking.booking_id)
    with pytest.raises(ReschedulingClosed):
        await appointments.reschedule(person, booking.booking_id, later)


async def test_a_moved_booking_has_the_new_place_only(db, appointments):
    old, new, person = await a_slot(db, places=1), await a_slot(db, places=1, starts_at=NEXT_DAY), a_person()
    booking = await appointments.book(an_id(), old, person)
    moved = await appointments.reschedule(person, booking.booking_id, new)
    assert (moved.slot_id, moved.starts_at, moved.version) == (new, NEXT_DAY, 2)
    assert await appointments.book(an_id(), old, a_person())
    with pytest.raises(SlotFull):
        await appointments.book(an_id(), new, a_person())
    assert await messages(db, "booking_changed") == 1
    assert await disagreements(db) == []


async def test_moving_again_to_where_it_is_changes_nothing_and_so_does_a_late_retry_of_the_booking(db, appointments):
    old, new, person = await a_slot(db), await a_slot(db, starts_at=NEXT_DAY), a_person()
    booking = await appointments.book(an_id(), old, person)
    moved = await appointments.reschedule(person, booking.booking_id, new)
    assert await appointments.reschedule(person, booking.booking_id, new) == moved
    assert await appointments.book(booking.booking_id, old, person) == moved
    assert await messages(db, "booking_changed") == 1


async def test_who_cannot_move_keeps_what_they_have(db, appointments, clock):
    old, person = await a_slot(db), a_person()
    full = await a_slot(db, places=1, starts_at=NEXT_DAY)
    other_service = await a_slot(db, service="licence", starts_at=NEXT_DAY)
    overlapping = await a_slot(db, starts_at=NEXT_DAY + timedelta(minutes=10), office="pudong", district="310115")
    past = await a_slot(db, starts_at=clock.now())
    booking = await appointments.book(an_id(), old, person)
    await appointments.book(an_id(), full, a_person())
    await appointments.book(an_id(), other_service, person)
    for slot, refusal in (
        (full, SlotFull), (other_service, OtherService), (overlapping, TimesOverlap), (past, SlotPast)
    ):  # fmt: skip
        with pytest.raises(refusal):
            await appointments.reschedule(person, booking.booking_id, slot)
    assert await appointments.book(booking.booking_id, old, person) == booking
    assert await disagreements(db) == []


async def test_people_who_swap_slots_meet_no_deadlock(db, appointments):
    one, other = await a_slot(db, places=12), await a_slot(db, places=12, starts_at=NEXT_DAY)
    people = [a_person() for _ in range(20)]
    bookings = await asyncio.gather(
        *(appointments.book(an_id(), (one, other)[nth % 2], person) for nth, person in enumerate(people))
    )
    for _ in range(5):
        answers = await asyncio.gather(
            *(
                appointments.reschedule(booking.person_id, booking.booking_id, slot)
                for booking in bookings
                for slot in ((other, one) if booking.slot_id == one else (one, other))
            ),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} <= {Booking, SlotFull}
        assert await disagreements(db) == []


async def test_a_swap_between_full_slots_is_refused_not_hung(db, appointments):
    one, other = await a_slot(db, places=1), await a_slot(db, places=1, starts_at=NEXT_DAY)
    x, y = a_person(), a_person()
    here, there = await appointments.book(an_id(), one, x), await appointments.book(an_id(), other, y)
    answers = await asyncio.gather(
        appointments.reschedule(x, here.booking_id, other),
        appointments.reschedule(y, there.booking_id, one),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [SlotFull, SlotFull]
    assert await disagreements(db) == []


async def test_moving_cancelling_and_booking_at_once_leave_everything_in_agreement(db, appointments):
    slots = [await a_slot(db, places=4, starts_at=THURSDAY_TEN + nth * timedelta(hours=1)) for nth in range(3)]
    people = [a_person() for _ in range(10)]
    for nth in range(4):
        bookings = await asyncio.gather(
            *(appointments.book(an_id(), slots[(i + nth) % 3], person) for i, person in enumerate(people)),
            return_exceptions=True,
        )
        kept = [booking for booking in bookings if isinstance(booking, Booking)]
        answers = await asyncio.gather(
            *(appointments.reschedule(b.person_id, b.booking_id, slot) for b in kept for slot in slots),
            *(appointments.cancel(b.person_id, b.booking_id) for b in kept),
            *(appointments.book(an_id(), slots[nth % 3], person) for person in people),
            return_exceptions=True,
        )
        assert {type(a) for a in answers} <= {Booking, SlotFull, AlreadyBooked, TimesOverlap, NotBooked}
        assert await disagreements(db) == []
        rows = await db.fetch("SELECT person_id, booking_id FROM appointments.booking WHERE stage = 'booked'")
        await asyncio.gather(*(appointments.cancel(row[0], row[1]) for row in rows))
