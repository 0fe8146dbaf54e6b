"""Who books and cancels in circles is stopped after so many a day; their places can always be given back."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from appointments.entitling import ACTIVE_MAX
from appointments.errors import SlotFull, TooManyActive, TooManyChanges
from appointments.model import Booking, Stage
from appointments.pacing import CHANGES_AT_ONCE_MAX, CHANGES_REFILLED_IN
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId, SlotId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_appointments import (
    THURSDAY_TEN,
    a_person,
    a_slot,
    an_id,
    disagreements,
    messages,
    open_appointments,
)

NEXT_DAY = THURSDAY_TEN + timedelta(days=1)
UNCOUNTED = 1
"""A process lets a person's first booking of the day pass without counting it."""


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys, redis: Redis) -> Appointments:
    return await open_appointments(db, clock, keys, redis)


async def spend(appointments: Appointments, slot: SlotId, person: PersonId) -> int:
    """Book and cancel until refused; how many bookings that were."""
    for made in range(10 * CHANGES_AT_ONCE_MAX):
        try:
            booking = await appointments.book(an_id(), slot, person)
        except TooManyChanges:
            return made
        await appointments.cancel(person, booking.booking_id)
    raise AssertionError("never refused")


def refusal(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("code")


async def test_who_books_and_cancels_in_circles_is_refused_after_so_many_and_told_when_to_come_back(
    db: Database, resident: httpx.AsyncClient, clock: StoppedClock
) -> None:
    slot, answers = str(await a_slot(db)), []
    for _ in range(CHANGES_AT_ONCE_MAX + UNCOUNTED + 3):
        mine = f"/bookings/{uuid4()}"
        answers.append(await resident.put(mine, json={"slot_id": slot}))
        if answers[-1].status_code == 201:
            assert (await resident.delete(mine)).status_code == 200
    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == CHANGES_AT_ONCE_MAX + UNCOUNTED
    assert {refusal(answer) for answer in answers[len(made) :]} == {(429, "appointments.too_many_changes")}
    assert await messages(db, "booking_confirmed") == len(made)
    wait_seconds = int(answers[-1].headers["Retry-After"])
    assert 0 < wait_seconds <= CHANGES_REFILLED_IN.total_seconds() / CHANGES_AT_ONCE_MAX + 1
    clock.advance(timedelta(seconds=wait_seconds))
    assert (await resident.put(f"/bookings/{uuid4()}", json={"slot_id": slot})).status_code == 201


async def test_moving_back_and_forth_counts_as_booking_does(db: Database, resident: httpx.AsyncClient) -> None:
    slots, mine = [str(await a_slot(db)), str(await a_slot(db, starts_at=NEXT_DAY))], f"/bookings/{uuid4()}"
    assert (await resident.put(mine, json={"slot_id": slots[0]})).status_code == 201
    answers = [
        await resident.post(f"{mine}/reschedule", json={"slot_id": slots[nth % 2]})
        for nth in range(1, CHANGES_AT_ONCE_MAX + 2)
    ]
    assert [answer.status_code for answer in answers[:-1]] == [200] * CHANGES_AT_ONCE_MAX
    assert refusal(answers[-1]) == (429, "appointments.too_many_changes")
    assert await messages(db, "booking_changed") == CHANGES_AT_ONCE_MAX
    where_it_is = await resident.post(f"{mine}/reschedule", json={"slot_id": answers[-2].json()["slot_id"]})
    assert (where_it_is.status_code, where_it_is.json()) == (200, answers[-2].json())
    assert (await resident.delete(mine)).json()["stage"] == "cancelled"
    assert await disagreements(db) == []


async def test_who_may_book_no_more_can_still_cancel_and_hear_again_what_was_booked(
    db: Database, appointments: Appointments, person: PersonId
) -> None:
    slot, other = await a_slot(db), await a_slot(db, service="licence", starts_at=NEXT_DAY)
    kept = await appointments.book(an_id(), other, person)
    assert await spend(appointments, slot, person) == CHANGES_AT_ONCE_MAX
    assert await appointments.book(kept.booking_id, other, person) == kept
    assert (await appointments.cancel(person, kept.booking_id)).stage is Stage.CANCELLED
    assert (await appointments.book(an_id(), slot, a_person())).stage is Stage.BOOKED


async def test_two_processes_together_count_what_one_person_does(
    db: Database, appointments: Appointments, person: PersonId, clock: StoppedClock, keys: Keys, redis: Redis
) -> None:
    slot, elsewhere = await a_slot(db), await open_appointments(db, clock, keys, redis)
    assert await spend(appointments, slot, person) == CHANGES_AT_ONCE_MAX + UNCOUNTED
    assert await spend(elsewhere, slot, person) == UNCOUNTED


async def test_a_person_is_counted_also_while_redis_is_away(
    db: Database, clock: StoppedClock, keys: Keys, person: PersonId
) -> None:
    alone = await open_appointments(db, clock, keys)
    assert await spend(alone, await a_slot(db), person) == CHANGES_AT_ONCE_MAX + UNCOUNTED


async def test_looking_for_a_place_where_all_are_taken_uses_nothing_up(
    db: Database, appointments: Appointments, person: PersonId
) -> None:
    full, slot = await a_slot(db, places=1), await a_slot(db, starts_at=NEXT_DAY)
    await appointments.book(an_id(), full, a_person())
    mine = await appointments.book(an_id(), slot, person)
    for _ in range(2 * CHANGES_AT_ONCE_MAX):
        appointments._sold_out.forget(full)
        with pytest.raises(SlotFull):
            await appointments.reschedule(person, mine.booking_id, full)
    await appointments.cancel(person, mine.booking_id)
    for _ in range(2 * CHANGES_AT_ONCE_MAX):
        appointments._sold_out.forget(full)
        with pytest.raises(SlotFull):
            await appointments.book(an_id(), full, person)
    assert await spend(appointments, slot, person) == CHANGES_AT_ONCE_MAX


async def test_asking_everywhere_at_once_is_counted_like_asking_one_after_the_other(
    db: Database, appointments: Appointments, person: PersonId
) -> None:
    hours = range(CHANGES_AT_ONCE_MAX + 10)
    slots = [
        await a_slot(db, service=f"service-{nth}", starts_at=THURSDAY_TEN + nth * timedelta(minutes=30))
        for nth in hours
    ]
    made = 0
    while True:
        answers = await asyncio.gather(
            *(appointments.book(an_id(), slot, person) for slot in slots), return_exceptions=True
        )
        booked = [answer for answer in answers if isinstance(answer, Booking)]
        assert {type(answer) for answer in answers} <= {Booking, TooManyChanges, TooManyActive}
        assert len(booked) <= ACTIVE_MAX
        if not booked:
            break
        made += len(booked)
        await asyncio.gather(*(appointments.cancel(person, one.booking_id) for one in booked))
    assert made == CHANGES_AT_ONCE_MAX + UNCOUNTED
