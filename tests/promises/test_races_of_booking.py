"""The races known from the field, each by its name: two processes, one database, and people who do not wait."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import cycle
from uuid import UUID

import pytest

from appointments.desk.checking_in import check_in
from appointments.errors import AlreadyBooked, NotBooked, NotExpected, NotReleased, SlotFull, SlotWithdrawn
from appointments.model import Booking, Stage, office_id_of
from appointments.offices.queries import select_slots
from appointments.offices.replanning import fitting
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import StaffId
from kernel.sealing import Keys
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
from tests.losing_answers import losing_proxy

NEXT_DAY = THURSDAY_TEN + timedelta(days=1)
A_CLERK = StaffId(UUID(int=7))
ROUNDS = 200
ROUNDS_OF_A_PERSON = 8
PEOPLE_AT_A_RELEASE = 5_000
SLOTS_OF_A_RELEASE = 10
PLACES_OF_A_SLOT = 50
STANDS_STILL_WITHIN_SECONDS = 5

Two = tuple[Appointments, Appointments]


@pytest.fixture
async def two(db: Database, database_url: str, clock: StoppedClock, keys: Keys) -> AsyncIterator[Two]:
    """Two processes of one city."""
    other = await Database.open(database_url, connections_max=12)
    yield await open_appointments(db, clock, keys), await open_appointments(other, clock, keys)
    await other.close()


async def all_at_once(*acts: object) -> list[object]:
    return await asyncio.gather(*acts, return_exceptions=True)  # type: ignore[call-overload]


def kinds(answers: list[object]) -> Counter[type]:
    return Counter(type(answer) for answer in answers)


async def test_a_double_click_that_meets_two_processes_is_one_booking_and_both_are_told_it(db, two):
    for _ in range(20):
        slot, person, booking_id = await a_slot(db, places=3), a_person(), an_id()
        answers = await all_at_once(*(part.book(booking_id, slot, person) for part in two for _ in range(2)))
        assert kinds(answers) == {Booking: 4}
        assert len({answer.seq for answer in answers}) == 1
        assert await two[0].cancel(person, booking_id)
    assert await messages(db, "booking_confirmed") == 20
    assert await disagreements(db) == []


async def test_two_phones_of_one_person_that_meet_two_processes_book_once(db, two):
    here = await a_slot(db, places=2)
    there = await a_slot(db, places=2, starts_at=NEXT_DAY)
    for _ in range(20):
        person = a_person()
        answers = await all_at_once(two[0].book(an_id(), here, person), two[1].book(an_id(), there, person))
        assert kinds(answers) == {Booking: 1, AlreadyBooked: 1}
        [booking] = [answer for answer in answers if isinstance(answer, Booking)]
        [refusal] = [answer for answer in answers if isinstance(answer, AlreadyBooked)]
        assert refusal.members == {"booking_id": str(booking.booking_id)}
        await two[0].cancel(person, booking.booking_id)
    assert await disagreements(db) == []


async def test_a_retry_after_a_lost_answer_gets_the_booking_that_was_made(db, database_url, clock, keys):
    slot, person, booking_id = await a_slot(db, places=1), a_person(), an_id()
    async with losing_proxy(database_url) as proxy:
        behind = await Database.open(proxy.url, connections_max=4)
        appointments = await open_appointments(behind, clock, keys)
        proxy.to_lose = 1
        booking = await appointments.book(booking_id, slot, person)  # asked again by the process itself
        assert proxy.lost == 1
        assert await (await open_appointments(db, clock, keys)).book(booking_id, slot, person) == booking
        await behind.close()
    assert await messages(db, "booking_confirmed") == 1
    assert await disagreements(db) == []


async def test_a_phone_that_went_away_before_its_answer_finds_its_booking_when_it_asks_again(db, two):
    slot, person, booking_id = await a_slot(db, places=1), a_person(), an_id()
    for ticks in range(12):  # the caller goes away a little later each time
        asking = asyncio.create_task(two[0].book(booking_id, slot, person))
        for _ in range(ticks):
            await asyncio.sleep(0.0005)
        asking.cancel()
        await asyncio.wait([asking])
    booking = await two[1].book(booking_id, slot, person)
    assert await two[0].book(booking_id, slot, person) == booking
    assert await messages(db, "booking_confirmed") == 1
    assert await disagreements(db) == []


async def stand_still(db: Database, tasks: list[asyncio.Task[object]]) -> None:
    """Until each of these has ended, or waits for a lock of the database."""
    waits = -1
    async with asyncio.timeout(STANDS_STILL_WITHIN_SECONDS):
        while waits < sum(not task.done() for task in tasks):
            await asyncio.sleep(0.005)
            waits = await db.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )


@pytest.mark.parametrize("met_at", ["place", "hold"])
@pytest.mark.parametrize("whom", ["somebody", "the worker"])
@pytest.mark.parametrize("who_asks_first", ["the holder", "the other"])
async def test_a_hold_that_expires_while_it_is_confirmed_ends_as_one_booking_and_one_clear_no(
    db, two, clock, who_asks_first, whom, met_at
):
    """Both are kept waiting for a row, the place's or the hold's, while the minutes of the hold end."""
    slot, holder, booking_id = await a_slot(db, places=1), a_person(), an_id()
    hold = await two[0].hold(booking_id, slot, holder)
    at(clock, hold.hold_until - timedelta(seconds=1))

    async def over() -> object:
        at(clock, max(clock.now(), hold.hold_until + timedelta(seconds=1)))
        return await (two[1].book(an_id(), slot, a_person()) if whom == "somebody" else two[1].forget_holds())

    acts = [two[0].book(booking_id, slot, holder), over()]
    async with db.connection() as conn:
        await conn.execute("BEGIN")
        await conn.execute(f"SELECT 1 FROM appointments.{met_at} WHERE slot_id = $1 FOR UPDATE", slot)
        asking = []
        for act in acts if who_asks_first == "the holder" else reversed(acts):
            asking.append(asyncio.create_task(act))
            await stand_still(db, asking)
        await conn.execute("ROLLBACK")
    answers = await all_at_once(*asking)
    assert kinds(answers) == {Booking: 1, SlotFull if whom == "somebody" else int: 1}, answers
    assert await messages(db, "booking_confirmed") == 1
    assert await disagreements(db, now=clock.now()) == []


async def test_moving_from_a_to_b_against_moving_from_b_to_a_shows_nobody_a_deadlock(db, two):
    slots = [await a_slot(db, places=3), await a_slot(db, places=3, starts_at=NEXT_DAY)]
    told: Counter[type] = Counter()
    for nth in range(ROUNDS):
        if nth % ROUNDS_OF_A_PERSON == 0:  # nobody moves more often than that in a day
            ids = {a_person(): an_id() for _ in range(3)}
            for place, (person, booking_id) in enumerate(ids.items()):
                await two[0].book(booking_id, slots[place % 2], person)
        moves = [(part, person, slot) for person in ids for part, slot in zip(two, slots, strict=True)]
        answers = await all_at_once(*(part.reschedule(person, ids[person], slot) for part, person, slot in moves))
        told += kinds(answers)
        assert set(told) <= {Booking, SlotFull}, told
        if nth % ROUNDS_OF_A_PERSON == ROUNDS_OF_A_PERSON - 1:
            await all_at_once(*(two[1].cancel(person, booking_id) for person, booking_id in ids.items()))
    assert told[Booking] >= ROUNDS
    assert await disagreements(db) == []


async def test_cancelling_against_checking_in_ends_as_one_of_the_two(db, two, clock):
    slot = await a_slot(db, places=1)
    at(clock, THURSDAY_TEN - timedelta(hours=4))
    ends: Counter[Stage] = Counter()
    for nth in range(40):
        person, booking_id = a_person(), an_id()
        await two[0].book(booking_id, slot, person)
        cancel = two[nth % 2].cancel(person, booking_id)
        checking = check_in(two[1].db, clock, A_CLERK, office_id_of("xuhui"), booking_id)
        answers = await all_at_once(*((cancel, checking) if nth % 4 < 2 else (checking, cancel)))
        assert kinds(answers) in ({Booking: 1, NotBooked: 1}, {Booking: 1, NotExpected: 1}), answers
        [booking] = [answer for answer in answers if isinstance(answer, Booking)]
        row = await db.fetchrow("SELECT stage FROM appointments.booking WHERE booking_id = $1", booking_id)
        assert row["stage"] == booking.stage
        ends[booking.stage] += 1
        if booking.stage is Stage.CHECKED_IN:  # the next round needs the place again
            slot = await a_slot(db, places=1, starts_at=THURSDAY_TEN + sum(ends.values()) * timedelta(minutes=1))
    assert set(ends) <= {Stage.CANCELLED, Stage.CHECKED_IN}
    assert await disagreements(db) == []


async def test_at_the_release_moment_five_thousand_who_wait_get_every_place_and_not_one_more(db, two, clock):
    opens_at = THURSDAY_TEN - timedelta(days=2)
    slots = [
        await a_slot(db, places=PLACES_OF_A_SLOT, starts_at=THURSDAY_TEN + nth * HALF_AN_HOUR, opens_at=opens_at)
        for nth in range(SLOTS_OF_A_RELEASE)
    ]
    early = await all_at_once(*(part.book(an_id(), slot, a_person()) for part in two for slot in slots))
    assert kinds(early) == {NotReleased: len(early)}
    at(clock, opens_at)
    parts, wished = cycle(two), cycle(slots)
    answers = await all_at_once(
        *(next(parts).book(an_id(), next(wished), a_person()) for _ in range(PEOPLE_AT_A_RELEASE))
    )
    places = SLOTS_OF_A_RELEASE * PLACES_OF_A_SLOT
    assert kinds(answers) == {Booking: places, SlotFull: PEOPLE_AT_A_RELEASE - places}
    assert await messages(db, "booking_confirmed") == places
    assert await disagreements(db) == []


async def test_one_poisoned_request_in_a_group_costs_the_others_nothing(db, two):
    slot, poisoned = await a_slot(db, places=30), a_person()
    async with db.connection() as conn:
        await conn.execute(f"ALTER TABLE appointments.booking ADD CHECK (person_id <> '{poisoned}')")
    people = [a_person() for _ in range(10)] + [poisoned] + [a_person() for _ in range(10)]
    answers = await all_at_once(*(two[0].book(an_id(), slot, person) for person in people))
    assert kinds(answers[:10] + answers[11:]) == {Booking: 20}
    assert type(answers[10]).__name__ == "CheckViolationError"
    assert await messages(db, "booking_confirmed") == 20
    assert await disagreements(db) == []


async def test_nobody_is_told_no_by_what_was_read_an_hour_ago(db, two, clock):
    here, _ = two
    slot_id = await a_slot(db, places=3)
    async with db.connection() as conn:
        slot = (await select_slots(conn, [slot_id]))[slot_id]
    await fitting.withdraw(db, clock, slot)
    assert kinds(await all_at_once(here.book(an_id(), slot_id, a_person()))) == {SlotWithdrawn: 1}
    await fitting.fit(db, clock, slot)
    at(clock, clock.now() + timedelta(hours=1))
    answers = await all_at_once(*(here.book(an_id(), slot_id, a_person()) for _ in range(2)))
    assert kinds(answers) == {Booking: 2}
