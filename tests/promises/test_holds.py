"""A place is kept for somebody for ten minutes: nobody else gets it meanwhile, and then nobody's doing is needed."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from appointments.errors import (
    AlreadyBooked,
    BookingIdTaken,
    HoldNotFound,
    NotReleased,
    SlotFull,
    SlotPast,
    SlotWithdrawn,
    Suspended,
    TimesOverlap,
    TooManyChanges,
)
from appointments.holds.holding import HOLD_FOR
from appointments.model import Booking, Hold, Lane
from appointments.pacing import CHANGES_AT_ONCE_MAX
from tests.builders_appointments import (
    THURSDAY_TEN,
    Wire,
    a_person,
    a_slot,
    an_id,
    at,
    disagreements,
    messages,
)

NEXT_DAY = THURSDAY_TEN + timedelta(days=1)
A_LITTLE = timedelta(seconds=1)


async def right(db, clock):
    return await disagreements(db, now=clock.now()) == []


async def test_a_held_place_is_nobody_elses_and_confirming_makes_it_mine(db, appointments, clock):
    slot, person, booking_id = await a_slot(db, places=1), a_person(), an_id()
    hold = await appointments.hold(booking_id, slot, person)
    assert hold.hold_until == clock.now() + HOLD_FOR
    with pytest.raises(SlotFull):
        await appointments.book(an_id(), slot, a_person())
    with pytest.raises(SlotFull):
        await appointments.hold(an_id(), slot, a_person())
    assert await messages(db, "booking_confirmed") == 0
    booking = await appointments.book(booking_id, slot, person)
    assert (booking.booking_id, booking.seq) == (booking_id, hold.seq)
    assert await appointments.book(booking_id, slot, person) == booking
    assert await appointments.holding.of(person) == []
    assert await messages(db, "booking_confirmed") == 1
    assert await right(db, clock)


async def test_when_its_minutes_are_over_a_place_is_free_without_anybodys_doing(db, appointments, clock):
    slot, slow, quick = await a_slot(db, places=1), a_person(), a_person()
    hold = await appointments.hold(an_id(), slot, slow)
    clock.advance(HOLD_FOR + A_LITTLE)
    assert await appointments.holding.of(slow) == []
    assert (await appointments.book(an_id(), slot, quick)).person_id == quick
    with pytest.raises(SlotFull):
        await appointments.book(hold.booking_id, slot, slow)
    assert await right(db, clock)
    assert await appointments.forget_holds() == 1
    assert await appointments.forget_holds() == 0
    assert await db.fetchval("SELECT count(*) FROM appointments.hold") == 0
    assert await right(db, clock)


async def test_who_confirms_late_still_gets_the_place_nobody_took(db, appointments, clock):
    slot, person = await a_slot(db, places=1), a_person()
    hold = await appointments.hold(an_id(), slot, person)
    clock.advance(HOLD_FOR + A_LITTLE)
    assert (await appointments.book(hold.booking_id, slot, person)).seq == hold.seq
    assert await right(db, clock)


async def test_who_confirms_late_gets_another_place_where_theirs_was_taken(db, appointments, clock):
    slot, slow, quick = await a_slot(db, places=2), a_person(), a_person()
    hold = await appointments.hold(an_id(), slot, slow)
    clock.advance(HOLD_FOR + A_LITTLE)
    assert (await appointments.book(an_id(), slot, quick)).seq == hold.seq
    assert (await appointments.book(hold.booking_id, slot, slow)).seq != hold.seq
    assert await right(db, clock)


async def test_a_swept_hold_can_still_be_booked_afresh(db, appointments, clock):
    slot, person = await a_slot(db, places=1), a_person()
    hold = await appointments.hold(an_id(), slot, person)
    clock.advance(HOLD_FOR + A_LITTLE)
    assert await appointments.forget_holds() == 1
    assert (await appointments.book(hold.booking_id, slot, person)).booking_id == hold.booking_id
    assert await right(db, clock)


async def test_a_place_left_over_under_the_same_id_is_in_nobodys_way(db, appointments, clock):
    slot, person = await a_slot(db, places=3), a_person()
    first, hold = await appointments.book(an_id(), slot, a_person()), await appointments.hold(an_id(), slot, person)
    clock.advance(HOLD_FOR + A_LITTLE)
    await appointments.cancel(first.person_id, first.booking_id)  # a lower place is free, and will be taken first
    async with db.connection() as conn:
        await conn.execute("DELETE FROM appointments.hold")
    assert (await appointments.book(hold.booking_id, slot, person)).seq < hold.seq
    assert await right(db, clock)


async def test_expiring_and_confirming_at_once_end_as_one_of_them(db, appointments, clock):
    slot = await a_slot(db, places=10)
    people = [a_person() for _ in range(10)]
    holds = [await appointments.hold(an_id(), slot, person) for person in people]
    clock.advance(HOLD_FOR + A_LITTLE)
    answers = await asyncio.gather(
        *(appointments.book(hold.booking_id, slot, hold.person_id) for hold in holds),
        appointments.forget_holds(),
        *(appointments.book(an_id(), slot, a_person()) for _ in range(10)),
        return_exceptions=True,
    )
    booked = [answer for answer in answers if isinstance(answer, Booking)]
    assert len(booked) == 10
    assert {type(answer) for answer in answers} <= {Booking, SlotFull, int}
    assert await right(db, clock)


async def test_two_phones_and_a_double_click_hold_one_place(db, appointments, clock):
    slot, person, booking_id = await a_slot(db, places=5), a_person(), an_id()
    same = await asyncio.gather(*(appointments.hold(booking_id, slot, person) for _ in range(6)))
    assert len(set(map(str, same))) == 1
    held = await db.fetchval("SELECT count(*) FROM appointments.place WHERE booking_id IS NOT NULL")
    assert held == 1
    await asyncio.gather(*(appointments.hold(an_id(), slot, person) for _ in range(4)))
    assert len(await appointments.holding.of(person)) == 1
    assert await db.fetchval("SELECT count(*) FROM appointments.place WHERE booking_id IS NOT NULL") == 1
    assert await right(db, clock)


async def test_holding_another_place_gives_the_first_one_back(db, appointments, clock):
    one, other, person = await a_slot(db, places=1), await a_slot(db, places=1, starts_at=NEXT_DAY), a_person()
    await appointments.hold(an_id(), one, person)
    second = await appointments.hold(an_id(), other, person)
    assert await appointments.holding.of(person) == [second]
    assert await appointments.hold(an_id(), one, a_person())
    assert await right(db, clock)


async def test_two_people_who_swap_what_they_hold_meet_no_deadlock(db, appointments, clock):
    one, other = await a_slot(db, places=8), await a_slot(db, places=8, starts_at=NEXT_DAY)
    people = [a_person() for _ in range(6)]
    for nth in range(3):
        answers = await asyncio.gather(
            *(appointments.hold(an_id(), (one, other)[(nth + who) % 2], person) for who, person in enumerate(people)),
            *(appointments.hold(an_id(), (other, one)[(nth + who) % 2], person) for who, person in enumerate(people)),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {Hold}
        assert await right(db, clock)


async def test_booking_elsewhere_gives_back_what_was_held(db, appointments, clock):
    one, other, person = await a_slot(db, places=1), await a_slot(db, places=1, starts_at=NEXT_DAY), a_person()
    await appointments.hold(an_id(), one, person)
    booking = await appointments.book(an_id(), other, person)
    assert booking.slot_id == other
    assert await appointments.holding.of(person) == []
    assert await appointments.book(an_id(), one, a_person())
    assert await right(db, clock)


async def test_the_other_phone_may_book_the_place_that_this_one_holds(db, appointments, clock):
    slot, person = await a_slot(db, places=1), a_person()
    hold = await appointments.hold(an_id(), slot, person)
    booking = await appointments.book(an_id(), slot, person)
    assert (booking.seq, booking.booking_id == hold.booking_id) == (hold.seq, False)
    with pytest.raises(AlreadyBooked):
        await appointments.book(hold.booking_id, slot, person)
    assert await right(db, clock)


async def test_confirming_from_two_phones_at_once_books_once(db, appointments, clock):
    slot, person = await a_slot(db, places=3), a_person()
    hold = await appointments.hold(an_id(), slot, person)
    answers = await asyncio.gather(*(appointments.book(hold.booking_id, slot, person) for _ in range(6)))
    assert len({(one.booking_id, one.seq) for one in answers}) == 1
    assert await messages(db, "booking_confirmed") == 1
    assert await right(db, clock)


async def test_holding_and_booking_under_one_id_at_once_end_as_a_booking(db, appointments, clock):
    slot = await a_slot(db, places=40)
    for _ in range(8):
        person, booking_id = a_person(), an_id()
        answers = await asyncio.gather(
            appointments.hold(booking_id, slot, person), appointments.book(booking_id, slot, person),
            return_exceptions=True,
        )  # fmt: skip
        assert {type(answer) for answer in answers} <= {Hold, Booking, AlreadyBooked}
        assert isinstance(answers[1], Booking)
    assert await right(db, clock)


async def test_what_is_given_back_is_free_at_once_and_cannot_be_given_back_twice(db, appointments, clock):
    slot, person = await a_slot(db, places=1), a_person()
    hold = await appointments.hold(an_id(), slot, person)
    with pytest.raises(SlotFull):
        await appointments.book(an_id(), slot, a_person())
    with pytest.raises(HoldNotFound):
        await appointments.holding.release(a_person(), hold.booking_id)
    await appointments.holding.release(person, hold.booking_id)
    with pytest.raises(HoldNotFound):
        await appointments.holding.release(person, hold.booking_id)
    assert await appointments.book(an_id(), slot, a_person())
    assert await right(db, clock)


async def test_nothing_is_held_that_could_not_be_booked(db, appointments, clock):
    person, slot = a_person(), await a_slot(db)
    booking = await appointments.book(an_id(), slot, person)
    later = await a_slot(db, starts_at=NEXT_DAY)
    overlapping = await a_slot(db, service="licence", starts_at=THURSDAY_TEN + timedelta(minutes=10))
    unreleased = await a_slot(db, service="licence", starts_at=NEXT_DAY, opens_at=clock.now() + A_LITTLE)
    past = await a_slot(db, service="licence", starts_at=NEXT_DAY, lane=Lane.DEFERRED, closes_at=clock.now())
    withdrawn = await a_slot(db, service="vaccination", starts_at=NEXT_DAY)
    async with db.connection() as conn:
        await conn.execute("UPDATE appointments.slot SET withdrawn_at = $2 WHERE slot_id = $1", withdrawn, clock.now())
    for asked, refusal in (
        (later, AlreadyBooked), (overlapping, TimesOverlap), (unreleased, NotReleased), (past, SlotPast),
        (withdrawn, SlotWithdrawn),
    ):  # fmt: skip
        with pytest.raises(refusal):
            await appointments.hold(an_id(), asked, person)
        if refusal is not AlreadyBooked:
            with pytest.raises(refusal):
                await appointments.book(an_id(), asked, person)
    with pytest.raises(AlreadyBooked):
        await appointments.hold(booking.booking_id, slot, person)
    with pytest.raises(BookingIdTaken):
        await appointments.hold(booking.booking_id, later, person)
    assert await db.fetchval("SELECT count(*) FROM appointments.hold") == 0


async def test_a_hold_ends_when_booking_does(db, appointments, clock):
    closes = clock.now() + timedelta(minutes=3)
    slot, person = await a_slot(db, closes_at=closes), a_person()
    hold = await appointments.hold(an_id(), slot, person)
    assert hold.hold_until == closes
    at(clock, closes)
    with pytest.raises(SlotPast):
        await appointments.book(hold.booking_id, slot, person)


async def test_nobody_holds_without_end(db, appointments, clock):
    slot, person = await a_slot(db, places=1), a_person()
    for _ in range(CHANGES_AT_ONCE_MAX + 1):  # a process lets the first of the day pass
        hold = await appointments.hold(an_id(), slot, person)
        await appointments.holding.release(person, hold.booking_id)
    with pytest.raises(TooManyChanges):
        await appointments.hold(an_id(), slot, person)
    assert await right(db, clock)


async def test_whoever_is_suspended_neither_holds_nor_books_nor_confirms(db, appointments, clock):
    slot, person = await a_slot(db), a_person()
    hold = await appointments.hold(an_id(), slot, person)
    until = clock.now() + timedelta(days=30)
    async with db.connection() as conn:
        await conn.execute(
            "INSERT INTO appointments.suspension (person_id, since, until) VALUES ($1, $2, $3)",
            person, clock.now(), until,
        )  # fmt: skip
    for ask in (
        appointments.book(hold.booking_id, slot, person),
        appointments.book(an_id(), slot, person),
        appointments.hold(an_id(), slot, person),
    ):
        with pytest.raises(Suspended) as refused:
            await ask
        assert refused.value.members["until"].startswith("2026-04-01T")
    at(clock, until)
    later = await a_slot(db, starts_at=until + timedelta(days=1))
    assert await appointments.book(an_id(), later, person)


async def test_a_resident_holds_lists_confirms_and_gives_back_over_http(db, appointments, clock):
    slot, other = str(await a_slot(db)), str(await a_slot(db, service="licence", starts_at=NEXT_DAY))
    async with Wire(appointments).resident(a_person()) as resident:
        mine, second = uuid4(), uuid4()
        held = await resident.put(f"/holds/{mine}", json={"slot_id": slot})
        assert (held.status_code, held.json()["is_offered"], held.json()["number"]) == (200, False, 1)
        assert (await resident.put(f"/holds/{mine}", json={"slot_id": slot})).json() == held.json()
        assert (await resident.put(f"/holds/{second}", json={"slot_id": other})).status_code == 200
        listed = (await resident.get("/holds")).json()["holds"]
        assert {one["booking_id"] for one in listed} == {str(mine), str(second)}
        assert (await resident.put(f"/bookings/{mine}", json={"slot_id": slot})).status_code == 201
        assert (await resident.delete(f"/holds/{second}")).status_code == 204
        gone = await resident.delete(f"/holds/{second}")
        assert (gone.status_code, gone.json()["code"]) == (404, "appointments.hold_not_found")
        assert (await resident.get("/holds")).json() == {"holds": []}
    assert await right(db, clock)
