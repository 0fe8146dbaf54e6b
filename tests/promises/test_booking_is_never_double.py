"""A slot is never overbooked, and nobody is booked twice."""

import asyncio
from datetime import timedelta

import pytest

from appointments.booking import FRESH_FOR, Booker
from appointments.entitling import ACTIVE_MAX
from appointments.errors import (
    AlreadyBooked,
    BookingIdTaken,
    SlotFull,
    SlotNotFound,
    SlotPast,
    SlotWithdrawn,
    TimesOverlap,
    TooManyActive,
)
from appointments.model import Booking
from appointments.parts import Appointments
from kernel.db import Database
from kernel.grouping import TooManyWaiting
from kernel.ids import SlotId
from tests.builders_appointments import (
    HALF_AN_HOUR,
    THURSDAY_TEN,
    a_person,
    a_slot,
    an_id,
    at,
    disagreements,
    messages,
    open_appointments,
)


@pytest.fixture
def booker(appointments: Appointments) -> Booker:
    return appointments.booker


async def ask(*requests: object) -> tuple[list[Booking], list[BaseException]]:
    answers = await asyncio.gather(*requests, return_exceptions=True)  # type: ignore[call-overload]
    return [a for a in answers if isinstance(a, Booking)], [a for a in answers if isinstance(a, BaseException)]


async def test_a_slot_is_never_overbooked_however_many_ask_at_once(db, booker):
    slot = await a_slot(db, places=3)
    booked, refused = await ask(*(booker.book(an_id(), slot, a_person()) for _ in range(200)))
    assert len(booked) == 3
    assert {booking.seq for booking in booked} == {1, 2, 3}
    assert {type(refusal) for refusal in refused} == {SlotFull}
    assert await disagreements(db) == []


async def test_two_processes_give_out_every_place_and_not_one_more(db, database_url, clock, keys):
    slot = await a_slot(db, places=150)
    other_db = await Database.open(database_url, connections_max=4)
    here, there = await open_appointments(db, clock, keys), await open_appointments(other_db, clock, keys)
    booked, refused = await ask(
        *(process.book(an_id(), slot, a_person()) for _ in range(100) for process in (here, there))
    )
    await other_db.close()
    assert len(booked) == 150
    assert {type(refusal) for refusal in refused} == {SlotFull}
    assert await disagreements(db) == []


async def test_who_asks_first_is_served_first(db, booker):
    slot = await a_slot(db, places=5)
    people = [a_person() for _ in range(20)]
    answers = await asyncio.gather(*(booker.book(an_id(), slot, person) for person in people), return_exceptions=True)
    assert [isinstance(answer, Booking) for answer in answers] == [True] * 5 + [False] * 15


async def test_sold_out_is_said_only_when_nobody_who_holds_a_place_may_still_let_go(db, booker):
    slot = await a_slot(db, places=1)
    async with db.connection() as conn:
        await conn.execute("BEGIN")
        await conn.execute("SELECT 1 FROM appointments.place WHERE slot_id = $1 FOR UPDATE", slot)
        asking = asyncio.create_task(booker.book(an_id(), slot, a_person()))
        await asyncio.wait([asking], timeout=0.2)
        assert not asking.done()
        await conn.execute("ROLLBACK")
    assert (await asking).seq == 1


async def test_a_retry_gets_the_first_trys_booking(db, booker):
    slot, person, booking_id = await a_slot(db), a_person(), an_id()
    first = await booker.book(booking_id, slot, person)
    assert await booker.book(booking_id, slot, person) == first
    assert await messages(db, "booking_confirmed") == 1
    assert await disagreements(db) == []


async def test_a_retry_gets_the_first_trys_booking_when_the_slot_is_sold_out_or_past(db, booker, clock):
    slot, person, booking_id = await a_slot(db, places=1), a_person(), an_id()
    first = await booker.book(booking_id, slot, person)
    for _ in range(2):  # found full, then remembered full
        with pytest.raises(SlotFull):
            await booker.book(an_id(), slot, a_person())
        assert await booker.book(booking_id, slot, person) == first
    at(clock, THURSDAY_TEN)
    assert await booker.book(booking_id, slot, person) == first


async def test_who_cancelled_or_moved_away_from_a_slot_still_hears_so_when_it_is_sold_out(db, appointments):
    slot, later = await a_slot(db, places=2), await a_slot(db, starts_at=THURSDAY_TEN + timedelta(days=1))
    gone, moved = [await appointments.book(an_id(), slot, a_person()) for _ in range(2)]
    gone = await appointments.cancel(gone.person_id, gone.booking_id)
    moved = await appointments.reschedule(moved.person_id, moved.booking_id, later)
    for _ in range(2):
        await appointments.book(an_id(), slot, a_person())
    for _ in range(2):
        with pytest.raises(SlotFull):
            await appointments.book(an_id(), slot, a_person())
    assert appointments._sold_out.is_strange(slot, (a_person(), an_id()))
    assert await appointments.book(gone.booking_id, slot, gone.person_id) == gone
    assert await appointments.book(moved.booking_id, slot, moved.person_id) == moved


async def test_a_slot_that_was_changed_is_seen_within_seconds(db, appointments, clock):
    slot = await a_slot(db)
    await appointments.book(an_id(), slot, a_person())
    async with db.connection() as conn:
        await conn.execute("UPDATE appointments.slot SET closes_at = $2 WHERE slot_id = $1", slot, clock.now())
    clock.advance(FRESH_FOR)
    with pytest.raises(SlotPast):
        await appointments.book(an_id(), slot, a_person())


async def test_nothing_is_booked_in_a_slot_that_was_just_withdrawn(db, appointments, clock):
    slot = await a_slot(db)
    await appointments.book(an_id(), slot, a_person())
    async with db.connection() as conn:
        await conn.execute("UPDATE appointments.slot SET withdrawn_at = $2 WHERE slot_id = $1", slot, clock.now())
    with pytest.raises(SlotFull):  # as this process read it, the slot is still there
        await appointments.book(an_id(), slot, a_person())
    appointments._sold_out.forget(slot)
    clock.advance(FRESH_FOR)
    with pytest.raises(SlotWithdrawn):
        await appointments.book(an_id(), slot, a_person())


async def test_nobody_has_more_bookings_before_them_than_one_may_whoever_asks_where(db, database_url, clock, keys):
    hours = [THURSDAY_TEN + nth * HALF_AN_HOUR for nth in range(ACTIVE_MAX + 8)]
    slots = [await a_slot(db, service=f"service-{nth}", starts_at=hour) for nth, hour in enumerate(hours)]
    other_db, person = await Database.open(database_url, connections_max=4), a_person()
    here, there = await open_appointments(db, clock, keys), await open_appointments(other_db, clock, keys)
    booked, refused = await ask(*((here, there)[nth % 2].book(an_id(), slot, person) for nth, slot in enumerate(slots)))
    await other_db.close()
    assert len(booked) == ACTIVE_MAX
    assert {type(refusal) for refusal in refused} <= {TooManyActive}
    for one in booked[:2]:
        await here.cancel(person, one.booking_id)
    booked, refused = await ask(*(here.book(an_id(), slot, person) for slot in slots))
    assert len(booked) == 2
    assert await disagreements(db) == []


async def test_a_double_click_books_once(db, booker):
    slot, person, booking_id = await a_slot(db), a_person(), an_id()
    booked, refused = await ask(*(booker.book(booking_id, slot, person) for _ in range(10)))
    assert refused == []
    assert len(set(map(str, booked))) == 1
    assert await disagreements(db) == []


async def test_two_phones_of_one_person_book_once(db, booker):
    slot, person = await a_slot(db, places=10), a_person()
    booked, refused = await ask(*(booker.book(an_id(), slot, person) for _ in range(2)))
    assert len(booked) == 1
    assert [type(refusal) for refusal in refused] == [AlreadyBooked]
    assert refused[0].members == {"booking_id": str(booked[0].booking_id)}
    assert await disagreements(db) == []


async def test_nobody_is_booked_twice_for_one_service(db, booker):
    person = a_person()
    slots = [await a_slot(db, starts_at=THURSDAY_TEN + day * timedelta(days=1)) for day in range(5)]
    booked, refused = await ask(*(booker.book(an_id(), slot, person) for slot in slots))
    assert len(booked) == 1
    assert {type(refusal) for refusal in refused} == {AlreadyBooked}
    assert await disagreements(db) == []


async def test_nobody_is_booked_for_two_services_at_one_time(db, booker):
    person = a_person()
    slots = [
        await a_slot(db, service=service, starts_at=THURSDAY_TEN + nth * timedelta(minutes=10))
        for nth, service in enumerate(("passport", "licence", "vaccination"))
    ]
    booked, refused = await ask(*(booker.book(an_id(), slot, person) for slot in slots))
    assert len(booked) == 1
    assert {type(refusal) for refusal in refused} == {TimesOverlap}
    assert await disagreements(db) == []


async def test_two_services_back_to_back_are_no_overlap(db, booker):
    person = a_person()
    first, second = await a_slot(db), await a_slot(db, service="licence", starts_at=THURSDAY_TEN + HALF_AN_HOUR)
    booked, refused = await ask(booker.book(an_id(), first, person), booker.book(an_id(), second, person))
    assert (len(booked), refused) == (2, [])


async def test_people_booking_two_services_each_in_opposite_order_all_get_an_answer(db, booker):
    one, other = await a_slot(db, places=100), await a_slot(db, places=100, service="licence")
    people = [a_person() for _ in range(40)]
    booked, refused = await ask(
        *(booker.book(an_id(), slot, person) for person in people for slot in (one, other)),
        *(booker.book(an_id(), slot, person) for person in reversed(people) for slot in (other, one)),
    )
    assert len(booked) == len(people)
    assert {type(refusal) for refusal in refused} <= {AlreadyBooked, TimesOverlap}
    assert await disagreements(db) == []


async def test_one_id_names_one_booking(db, booker):
    slot, later, person, booking_id = await a_slot(db), await a_slot(db, service="licence"), a_person(), an_id()
    await booker.book(booking_id, slot, person)
    with pytest.raises(BookingIdTaken):
        await booker.book(booking_id, later, person)


async def test_another_persons_booking_id_is_no_obstacle(db, booker):
    slot, booking_id = await a_slot(db), an_id()
    booked, refused = await ask(booker.book(booking_id, slot, a_person()), booker.book(booking_id, slot, a_person()))
    assert (len(booked), refused) == (2, [])
    assert await disagreements(db) == []


async def test_what_is_not_there_or_has_begun_is_refused(db, booker, clock):
    with pytest.raises(SlotNotFound):
        await booker.book(an_id(), SlotId(an_id()), a_person())
    slot = await a_slot(db)
    at(clock, THURSDAY_TEN)
    with pytest.raises(SlotPast):
        await booker.book(an_id(), slot, a_person())


async def test_lines_are_kept_for_a_bounded_number_of_slots(db, clock, keys):
    appointments = await open_appointments(db, clock, keys)
    booker = appointments.booker
    booker._windows_max = 2
    slots = [await a_slot(db, starts_at=THURSDAY_TEN + nth * timedelta(hours=1)) for nth in range(5)]
    for slot in slots + slots:
        assert (await booker.book(an_id(), slot, a_person())).slot_id == slot
    assert len(booker._windows) == 2
    booked, refused = await ask(*(booker.book(an_id(), slot, a_person()) for slot in slots))
    assert len(booked) == 2
    assert {type(refusal) for refusal in refused} == {TooManyWaiting}


async def test_a_poisoned_request_costs_the_others_of_its_group_nothing(db, booker):
    slot, poisoned = await a_slot(db, places=50), a_person()
    async with db.connection() as conn:
        await conn.execute(f"ALTER TABLE appointments.booking ADD CHECK (person_id <> '{poisoned}')")
    booked, refused = await ask(
        *(booker.book(an_id(), slot, person) for person in [*(a_person() for _ in range(20)), poisoned])
    )
    assert len(booked) == 20
    assert [type(failure).__name__ for failure in refused] == ["CheckViolationError"]
    assert await disagreements(db) == []


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("ALTER TABLE appointments.booking DROP CONSTRAINT nobody_in_two_places", "a person booked twice"),
        ("DROP INDEX appointments.one_booking_of_a_service", "a person booked twice"),
    ],
)
async def test_without_its_constraint_a_double_booking_is_found(db, booker, planted, found):
    async with db.connection() as conn:
        await conn.execute(planted)
    person, service = a_person(), "passport" if "INDEX" in planted else "licence"
    hours = THURSDAY_TEN + (timedelta(days=1) if "INDEX" in planted else timedelta())
    one, other = await a_slot(db), await a_slot(db, service=service, starts_at=hours)
    for slot in (one, other):
        await ask(booker.book(an_id(), slot, person))
    assert [rule for rule, _ in await disagreements(db) if rule.startswith(found)]
