"""Behind the gate a place is taken with an admission: spent by the place it took, and only by that."""

import asyncio
from datetime import timedelta

import pytest

from appointments.asking import Particulars
from appointments.errors import AdmissionNeeded, AlreadyBooked, NotReleased, SlotFull
from appointments.model import Booking, SlotId
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_appointments import a_person, an_id, at, disagreements, open_appointments
from tests.builders_rush import OPENS_AT, a_release, let_in


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys, redis: Redis) -> Appointments:
    return await open_appointments(db, clock, keys, redis)


async def admitted(appointments: Appointments, release_id: object, person: PersonId) -> Particulars:
    """A person who got in line and was let through."""
    await appointments.gate.join(release_id, person)
    await let_in(appointments.gate, release_id)
    return Particulars(admission=(await appointments.gate.read(release_id, person)).admission)


@pytest.fixture
async def released(db: Database, appointments: Appointments, clock: StoppedClock) -> tuple[object, list[SlotId]]:
    release_id, slots = await a_release(db, slots=2, places=2)
    await appointments.gate.releases.snapshot.refresh()
    person = a_person()
    with pytest.raises(NotReleased) as early:
        await appointments.book(an_id(), slots[0].slot_id, person)
    assert "opens_at" in early.value.members
    at(clock, OPENS_AT)
    return release_id, [slot.slot_id for slot in slots]


async def test_without_an_admission_nothing_is_booked_or_held(db, appointments, released):
    _, [slot, _] = released
    for ask in (appointments.book, appointments.hold):
        with pytest.raises(AdmissionNeeded):
            await ask(an_id(), slot, a_person())
        with pytest.raises(AdmissionNeeded):
            await ask(an_id(), slot, a_person(), Particulars(admission="made up"))
    assert await db.fetchval("SELECT count(*) FROM appointments.place WHERE booking_id IS NOT NULL") == 0


async def test_an_admission_takes_one_place_and_a_retry_hears_the_same(db, appointments, released):
    release_id, [slot, other] = released
    person, booking_id = a_person(), an_id()
    let_through = await admitted(appointments, release_id, person)
    booking = await appointments.book(booking_id, slot, person, let_through)
    assert await appointments.book(booking_id, slot, person, let_through) == booking
    await appointments.cancel(person, booking_id)
    with pytest.raises(AdmissionNeeded):
        await appointments.book(an_id(), other, person, let_through)
    assert await disagreements(db) == []


async def test_a_slot_that_turns_out_full_leaves_the_admission_for_another(db, appointments, released):
    release_id, [slot, other] = released
    people = [a_person() for _ in range(3)]
    passes = [await admitted(appointments, release_id, person) for person in people]
    answers = await asyncio.gather(
        *(appointments.book(an_id(), slot, person, one) for person, one in zip(people, passes, strict=True)),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Booking", "Booking", SlotFull.__name__]
    nth = next(nth for nth, answer in enumerate(answers) if not isinstance(answer, Booking))
    assert (await appointments.book(an_id(), other, people[nth], passes[nth])).slot_id == other


async def test_what_is_held_with_an_admission_is_confirmed_without_one(db, appointments, released, clock):
    release_id, [slot, _] = released
    person, booking_id = a_person(), an_id()
    hold = await appointments.hold(booking_id, slot, person, await admitted(appointments, release_id, person))
    clock.advance(timedelta(minutes=1))
    assert (await appointments.book(booking_id, slot, person)).seq == hold.seq
    with pytest.raises(AlreadyBooked):
        await appointments.hold(booking_id, slot, person)
    assert await disagreements(db, now=clock.now()) == []


async def test_a_booking_moves_behind_the_gate_with_an_admission_only(db, appointments, released):
    release_id, [slot, other] = released
    person = a_person()
    booking = await appointments.book(an_id(), slot, person, await admitted(appointments, release_id, person))
    with pytest.raises(AdmissionNeeded):
        await appointments.reschedule(person, booking.booking_id, other)
    assert await disagreements(db) == []
