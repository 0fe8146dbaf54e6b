"""Who was let through and hears a no that they would hear at every slot makes room for the next at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from appointments.asking import Particulars
from appointments.entitling import ACTIVE_MAX
from appointments.errors import (
    AdmissionNeeded,
    AlreadyBooked,
    NotInLine,
    SlotFull,
    Suspended,
    TimesOverlap,
    TooManyActive,
    TooManyChanges,
)
from appointments.pacing import CHANGES_AT_ONCE_MAX, CHANGES_REFILLED_IN
from appointments.parts import Appointments
from appointments.rush.model import ADMISSION, ADMIT_EVERY, ReleaseId, State
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.errors import Refusal
from kernel.ids import PersonId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_appointments import THURSDAY_TEN, a_person, a_slot, an_id, at, open_appointments
from tests.builders_rush import OPENS_AT, a_release, let_in, take

A_MOMENT = timedelta(milliseconds=1)
DAY = timedelta(days=1)
UNCOUNTED = 1
"""A process lets a person's first booking of the day pass without counting it."""

Prepare = Callable[[Database, Appointments, PersonId], Awaitable[None]]


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys, redis: Redis) -> Appointments:
    return await open_appointments(db, clock, keys, redis)


async def suspended(db: Database, appointments: Appointments, person: PersonId) -> None:
    now = appointments.clock.now()
    async with db.connection() as conn:
        await conn.execute(
            "INSERT INTO appointments.suspension (person_id, since, until) VALUES ($1, $2, $3)", person, now, now + DAY
        )


async def booked_as_often_as_one_may(db: Database, appointments: Appointments, person: PersonId) -> None:
    for nth in range(ACTIVE_MAX):
        slot = await a_slot(db, service=f"service-{nth}", starts_at=THURSDAY_TEN + (nth + 1) * DAY)
        await appointments.book(an_id(), slot, person)


async def changed_too_often(db: Database, appointments: Appointments, person: PersonId) -> None:
    slot = await a_slot(db, service="other", starts_at=THURSDAY_TEN + DAY)
    for _ in range(CHANGES_AT_ONCE_MAX + UNCOUNTED):
        booking = await appointments.book(an_id(), slot, person)
        await appointments.cancel(person, booking.booking_id)


FOR_GOOD = [(suspended, Suspended), (booked_as_often_as_one_may, TooManyActive), (changed_too_often, TooManyChanges)]


async def two_in_line(
    appointments: Appointments,
    release_id: ReleaseId,
    clock: StoppedClock,
    first: PersonId,
    comes_at: datetime = OPENS_AT,
) -> tuple[Particulars, PersonId]:
    """The admission of who is first, and who waits behind them for the one place."""
    gate, second = appointments.gate, a_person()
    await gate.releases.snapshot.refresh()
    at(clock, comes_at)
    admission = (await gate.join(release_id, first)).admission
    assert admission is not None
    clock.advance(A_MOMENT)
    assert (await gate.join(release_id, second)).state is State.WAITING
    clock.advance(timedelta(seconds=1))
    assert await let_in(gate, release_id) == 0
    return Particulars(admission=admission), second


@pytest.mark.parametrize("ask", ["book", "hold"])
@pytest.mark.parametrize(("prepare", "refusal"), FOR_GOOD)
async def test_who_may_book_nothing_makes_room_at_once_and_stands_in_line_again_at_its_end(
    db: Database, appointments: Appointments, clock: StoppedClock, prepare: Prepare, refusal: type[Refusal], ask: str
) -> None:
    person = a_person()
    release_id, [slot] = await a_release(db, slots=1, places=1)
    await prepare(db, appointments, person)
    let_through, second = await two_in_line(appointments, release_id, clock, person)
    with pytest.raises(refusal):
        await getattr(appointments, ask)(an_id(), slot.slot_id, person, let_through)
    assert await let_in(appointments.gate, release_id) == 1
    assert (await appointments.gate.read(release_id, second)).state is State.ADMITTED
    with pytest.raises(NotInLine):
        await appointments.gate.read(release_id, person)
    clock.advance(A_MOMENT)
    assert (await appointments.gate.join(release_id, person)).position == 1, "the only one who waits"
    with pytest.raises(AdmissionNeeded):
        await getattr(appointments, ask)(an_id(), slot.slot_id, person, let_through)


async def test_who_moved_too_often_today_makes_room_at_once(
    db: Database, appointments: Appointments, clock: StoppedClock
) -> None:
    person = a_person()
    release_id, [slot] = await a_release(db, slots=1, places=1)
    booking = await appointments.book(an_id(), await a_slot(db, starts_at=THURSDAY_TEN + DAY), person)
    await changed_too_often_beside(db, appointments, person)
    let_through, second = await two_in_line(appointments, release_id, clock, person)
    with pytest.raises(TooManyChanges):
        await appointments.reschedule(person, booking.booking_id, slot.slot_id, let_through)
    assert await let_in(appointments.gate, release_id) == 1
    assert (await appointments.gate.read(release_id, second)).state is State.ADMITTED


async def changed_too_often_beside(db: Database, appointments: Appointments, person: PersonId) -> None:
    """As above, for who has used the uncounted one."""
    slot = await a_slot(db, service="other", starts_at=THURSDAY_TEN + 2 * DAY)
    for _ in range(CHANGES_AT_ONCE_MAX):
        booking = await appointments.book(an_id(), slot, person)
        await appointments.cancel(person, booking.booking_id)


async def test_who_may_change_again_in_time_keeps_the_admission(
    db: Database, appointments: Appointments, clock: StoppedClock
) -> None:
    person = a_person()
    release_id, [slot] = await a_release(db, slots=1, places=1)
    again_at = clock.now() + CHANGES_REFILLED_IN / CHANGES_AT_ONCE_MAX
    await changed_too_often(db, appointments, person)
    let_through, _ = await two_in_line(appointments, release_id, clock, person, comes_at=again_at - ADMISSION / 2)
    with pytest.raises(TooManyChanges) as refused:
        await appointments.book(an_id(), slot.slot_id, person, let_through)
    assert await let_in(appointments.gate, release_id) == 0
    clock.advance(timedelta(seconds=refused.value.retry_after_seconds))
    await appointments.book(an_id(), slot.slot_id, person, let_through)


async def test_a_no_of_one_slot_or_one_request_leaves_the_admission(
    db: Database, appointments: Appointments, clock: StoppedClock
) -> None:
    person = a_person()
    release_id, [full, at_the_same_time, slot] = await a_release(db, slots=3, places=1)
    await take(db, full.slot_id, a_person())
    elsewhere = await a_slot(db, service="other", starts_at=at_the_same_time.starts_at)
    other = await appointments.book(an_id(), elsewhere, person)
    let_through, waiting = await admitted_with_room(appointments, release_id, clock, person)
    for refused, why in ((full, SlotFull), (at_the_same_time, TimesOverlap)):
        with pytest.raises(why):
            await appointments.book(an_id(), refused.slot_id, person, let_through)
        await let_in(appointments.gate, release_id)
        assert (await appointments.gate.read(release_id, waiting)).state is State.WAITING
    assert (await appointments.book(an_id(), slot.slot_id, person, let_through)).service_id != other.service_id


async def admitted_with_room(
    appointments: Appointments, release_id: ReleaseId, clock: StoppedClock, person: PersonId
) -> tuple[Particulars, PersonId]:
    """Of three slots one is full; who was let through has two to choose from, and somebody has the other admission."""
    gate, second, third = appointments.gate, a_person(), a_person()
    await gate.releases.snapshot.refresh()
    at(clock, OPENS_AT)
    admission = (await gate.join(release_id, person)).admission
    for one in (second, third):
        clock.advance(A_MOMENT)
        await gate.join(release_id, one)
    clock.advance(timedelta(seconds=1))
    assert await let_in(gate, release_id) == 1
    return Particulars(admission=admission), third


async def test_who_is_told_to_move_their_booking_instead_moves_it_with_the_same_admission(
    db: Database, appointments: Appointments, clock: StoppedClock
) -> None:
    person = a_person()
    release_id, [slot] = await a_release(db, slots=1, places=1)
    booking = await appointments.book(an_id(), await a_slot(db, starts_at=THURSDAY_TEN + DAY), person)
    let_through, _ = await two_in_line(appointments, release_id, clock, person)
    with pytest.raises(AlreadyBooked):
        await appointments.book(an_id(), slot.slot_id, person, let_through)
    assert await let_in(appointments.gate, release_id) == 0
    moved = await appointments.reschedule(person, booking.booking_id, slot.slot_id, let_through)
    assert moved.slot_id == slot.slot_id


async def test_an_admission_that_was_given_up_is_not_good_again_for_getting_in_line_again(
    db: Database, appointments: Appointments, clock: StoppedClock
) -> None:
    person, gate = a_person(), appointments.gate
    release_id, [slot] = await a_release(db, slots=1, places=1)
    let_through, second = await two_in_line(appointments, release_id, clock, person)
    await gate.leave(release_id, person)
    assert await let_in(gate, release_id) == 1
    clock.advance(A_MOMENT)
    assert (await gate.join(release_id, person)).state is State.WAITING
    with pytest.raises(AdmissionNeeded):
        await appointments.book(an_id(), slot.slot_id, person, let_through)
    await gate.leave(release_id, second)
    clock.advance(A_MOMENT)
    assert await let_in(gate, release_id) == 1
    again = Particulars(admission=(await gate.read(release_id, person)).admission)
    assert (await appointments.book(an_id(), slot.slot_id, person, again)).person_id == person


async def test_a_late_no_takes_neither_what_was_booked_meanwhile_nor_a_later_admission(
    db: Database, appointments: Appointments, clock: StoppedClock
) -> None:
    release_id, [slot] = await a_release(db, slots=1, places=2)
    gate, no = appointments.gate, Suspended()
    await gate.releases.snapshot.refresh()
    at(clock, OPENS_AT)
    booked, came_again = a_person(), a_person()
    for person in (booked, came_again):
        await gate.join(release_id, person)
    clock.advance(timedelta(seconds=1))
    await let_in(gate, release_id)
    first, second = [
        await gate.check(slot, person, (await gate.read(release_id, person)).admission)
        for person in (booked, came_again)
    ]
    await gate.spent(first)
    await gate.give_back(first, no)
    assert (await gate.read(release_id, booked)).state is State.USED
    clock.advance(ADMISSION)
    await let_in(gate, release_id)
    clock.advance(A_MOMENT)
    await gate.join(release_id, came_again)
    await let_in(gate, release_id)
    await gate.give_back(second, no)
    place = await gate.read(release_id, came_again)
    assert place.state is State.ADMITTED
    assert await gate.check(slot, came_again, place.admission) is not None


async def test_of_many_who_may_not_book_none_keeps_a_place_from_those_who_may(
    db: Database, appointments: Appointments, clock: StoppedClock
) -> None:
    release_id, [slot] = await a_release(db, slots=1, places=5)
    gate, people, good = appointments.gate, [a_person() for _ in range(40)], []
    await gate.releases.snapshot.refresh()
    for nth, person in enumerate(people):
        await gate.join(release_id, person)
        if nth % 8:
            await suspended(db, appointments, person)
        else:
            good.append(person)
    at(clock, OPENS_AT)
    booked: list[PersonId | None] = []
    for _ in range(len(people)):  # a round lets in one at least: ten seconds, while not one admission lapses
        clock.advance(ADMIT_EVERY)
        await let_in(gate, release_id)
        tried = [person for person in people if person not in booked]
        booked += await asyncio.gather(*(_try(appointments, release_id, slot.slot_id, person) for person in tried))
        booked = [person for person in booked if person is not None]
    assert clock.now() < OPENS_AT + ADMISSION
    assert sorted(booked) == sorted(good)


async def _try(appointments: Appointments, release_id: ReleaseId, slot_id: object, person: PersonId) -> PersonId | None:
    try:
        place = await appointments.gate.read(release_id, person)
    except NotInLine:
        return None
    if place.state is not State.ADMITTED:
        return None
    try:
        await appointments.book(an_id(), slot_id, person, Particulars(admission=place.admission))
    except Suspended:
        return None
    return person
