"""After a visit: what it came to is told, and how it was is asked, said and read without names."""

import asyncio
from datetime import timedelta

import pytest

from appointments.after.rating import CHANGEABLE_FOR
from appointments.due import ASK_FOR
from appointments.model import Booking, Stage
from appointments.parts import Appointments
from kernel.clock import in_shanghai
from kernel.ids import BUCKETS, PersonId
from tests.builders_appointments import (
    THURSDAY_TEN,
    Wire,
    a_person,
    a_slot,
    an_id,
    an_office,
    at,
    close_the_day,
    messages,
)

HOUR = timedelta(hours=1)


@pytest.fixture
async def wire(appointments: Appointments) -> Wire:
    return Wire(appointments)


async def who_came(appointments: Appointments, person: PersonId, *, service: str = "passport") -> Booking:
    """Somebody who was booked for Thursday at ten and has checked in."""
    db = appointments.db
    booking = await appointments.book(an_id(), await a_slot(db, service=service), person)
    async with db.connection() as conn:
        await conn.execute(
            """UPDATE appointments.booking SET stage = 'checked_in', checked_in_at = starts_at
                WHERE person_id = $1 AND booking_id = $2""",
            person, booking.booking_id,
        )  # fmt: skip
    return booking


async def ask_everybody(appointments: Appointments) -> None:
    for bucket in range(BUCKETS):
        await appointments.ask_due(bucket)


def result_of(booking: Booking) -> str:
    return f"/desk/bookings/{booking.booking_id}/result"


def rating_of(booking: Booking) -> str:
    return f"/bookings/{booking.booking_id}/rating"


async def test_what_a_visit_came_to_is_told_once(db, appointments, clock, desk, resident, person):
    booking = await who_came(appointments, person)
    assert (await resident.get(f"/bookings/{booking.booking_id}/result")).status_code == 404
    at(clock, THURSDAY_TEN + HOUR)
    told = await desk.post(result_of(booking), json={"outcome": "supplement", "note": "缺户口簿复印件"})
    assert told.status_code == 200
    assert told.json() == {"outcome": "supplement", "note": "缺户口簿复印件", "told_at": "2026-03-05T11:00:00+08:00"}
    again = await desk.post(result_of(booking), json={"outcome": "supplement", "note": "缺户口簿复印件"})
    assert again.json() == told.json()
    assert (await resident.get(f"/bookings/{booking.booking_id}/result")).json() == told.json()
    other = await desk.post(result_of(booking), json={"outcome": "done"})
    assert other.json()["code"] == "appointments.result_told"
    assert await messages(db, "visit_result") == 1
    assert (await resident.get(f"/bookings/{booking.booking_id}")).json()["stage"] == "served"
    assert await db.fetchval("SELECT count(*) FROM kernel.audit WHERE act = 'appointments.note_result'") == 1


async def test_two_clerks_at_once_tell_one_result(db, appointments, clock, desk, person):
    booking = await who_came(appointments, person)
    at(clock, THURSDAY_TEN + HOUR)
    answers = await asyncio.gather(
        *(desk.post(result_of(booking), json={"outcome": outcome}) for outcome in ("done", "refused") * 4)
    )
    assert sorted({answer.status_code for answer in answers}) == [200, 409]
    assert await db.fetchval("SELECT count(*) FROM appointments.result") == 1
    assert await messages(db, "visit_result") == 1


async def test_a_result_is_noted_by_the_office_that_was_visited_and_of_who_came(db, appointments, clock, wire, desk):
    came = await who_came(appointments, a_person())
    absent = await appointments.book(an_id(), await a_slot(db), a_person())
    at(clock, THURSDAY_TEN + HOUR)
    async with wire.staff(await an_office(db, "pudong", district="310115")) as other, wire.staff(None) as nobody:
        assert (await other.post(result_of(came), json={"outcome": "done"})).status_code == 404
        assert (await nobody.post(result_of(came), json={"outcome": "done"})).json()["code"] == "appointments.no_office"
    assert (await desk.post(result_of(absent), json={"outcome": "done"})).json()["code"] == "appointments.not_here"
    clock.advance(timedelta(days=3))
    assert (await desk.post(result_of(came), json={"outcome": "done"})).status_code == 404
    later = await desk.post(result_of(came), json={"outcome": "done", "day": "2026-03-05"})
    assert later.status_code == 200
    far = await desk.post(result_of(came), json={"outcome": "done", "day": "2025-03-05"})
    assert far.json()["code"] == "appointments.days_out_of_range"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outcome": "perhaps"},
        {"outcome": "done", "note": "长" * 201},
        {"outcome": "done", "note": "a\nb"},
        {"stars": 1},
    ],
)
async def test_malformed_results_and_ratings_are_refused_as_such(appointments, clock, desk, resident, person, body):
    booking = await who_came(appointments, person)
    assert (await desk.post(result_of(booking), json=body)).status_code == 400
    wrong = {"stars": 0} if body == {"stars": 1} else body
    assert (await resident.put(rating_of(booking), json=wrong)).status_code == 400


async def test_the_morning_after_a_visit_people_are_asked_once_how_it_was(db, appointments, clock, desk, person):
    booking = await who_came(appointments, person)
    at(clock, THURSDAY_TEN + HOUR)
    await desk.post(result_of(booking), json={"outcome": "done"})
    at(clock, THURSDAY_TEN + 14 * HOUR)
    await appointments.remind_due(person.int % BUCKETS)
    await appointments.remind_due(person.int % BUCKETS)
    await close_the_day(appointments)
    at(clock, THURSDAY_TEN + timedelta(days=1) - timedelta(seconds=1))
    await ask_everybody(appointments)
    assert await messages(db, "visit_rating") == 0
    clock.advance(timedelta(seconds=1))
    assert f"{in_shanghai(clock.now()):%H:%M}" == "10:00"
    await ask_everybody(appointments)
    await ask_everybody(appointments)
    assert await messages(db, "visit_rating") == 1
    assert await db.fetchval("SELECT count(*) FROM appointments.due") == 0


async def test_who_rated_already_or_was_never_served_is_not_asked(db, appointments, clock, desk, resident, person):
    booking, waiting = await who_came(appointments, person), await who_came(appointments, a_person())
    at(clock, THURSDAY_TEN + HOUR)
    await desk.post(result_of(booking), json={"outcome": "done"})
    assert (await resident.put(rating_of(booking), json={"stars": 5})).status_code == 200
    for _ in range(2 * ASK_FOR.days):
        clock.advance(timedelta(days=1))
        for beat in (appointments.remind_due, appointments.close_due, appointments.ask_due):
            for owner in (person, waiting.person_id):
                await beat(owner.int % BUCKETS)
                await beat(owner.int % BUCKETS)
    assert await messages(db, "visit_rating") == 0
    assert await db.fetchval("SELECT count(*) FROM appointments.due") == 0


async def test_a_visit_noted_days_later_is_asked_about_the_next_morning(db, appointments, clock, desk, person):
    booking = await who_came(appointments, person)
    at(clock, THURSDAY_TEN + 14 * HOUR)
    for beat in (appointments.remind_due, appointments.remind_due, appointments.close_due):
        await beat(person.int % BUCKETS)
    at(clock, THURSDAY_TEN + timedelta(days=2))
    await ask_everybody(appointments)
    await desk.post(result_of(booking), json={"outcome": "done", "day": "2026-03-05"})
    await ask_everybody(appointments)
    assert await messages(db, "visit_rating") == 0
    clock.advance(timedelta(days=1))
    await ask_everybody(appointments)
    assert await messages(db, "visit_rating") == 1


async def test_only_a_visit_that_took_place_is_rated_and_for_seven_days_it_can_be_changed(
    db, appointments, clock, desk, resident, wire, person
):
    booking = await who_came(appointments, person)
    at(clock, THURSDAY_TEN + HOUR)
    assert (await resident.put(rating_of(booking), json={"stars": 4})).json()["code"] == "appointments.not_served"
    await desk.post(result_of(booking), json={"outcome": "done"})
    assert (await resident.get(rating_of(booking))).json()["code"] == "appointments.rating_not_found"
    given = (await resident.put(rating_of(booking), json={"stars": 4, "comment": "窗口耐心"})).json()
    assert given == {
        "stars": 4,
        "comment": "窗口耐心",
        "rated_at": "2026-03-05T11:00:00+08:00",
        "changeable_until": "2026-03-12T11:00:00+08:00",
    }
    clock.advance(CHANGEABLE_FOR - timedelta(seconds=1))
    changed = (await resident.put(rating_of(booking), json={"stars": 2})).json()
    assert (changed["stars"], changed["comment"], changed["rated_at"]) == (2, "", given["rated_at"])
    clock.advance(timedelta(seconds=1))
    late = await resident.put(rating_of(booking), json={"stars": 3})
    assert (late.status_code, late.json()["code"]) == (409, "appointments.rating_closed")
    assert (await resident.put(rating_of(booking), json={"stars": 2})).status_code == 200
    assert (await resident.get(rating_of(booking))).json() == changed
    async with wire.resident(a_person()) as other:
        assert (await other.put(rating_of(booking), json={"stars": 1})).status_code == 404
        assert (await other.get(rating_of(booking))).status_code == 404


async def test_an_office_reads_averages_and_comments_of_its_own_and_no_persons(db, appointments, clock, wire, desk):
    people = [a_person() for _ in range(3)]
    bookings = [await who_came(appointments, person) for person in people]
    licence = await who_came(appointments, a_person(), service="licence")
    at(clock, THURSDAY_TEN + HOUR)
    for booking, stars in zip([*bookings, licence], (5, 4, 2, 1), strict=True):
        await desk.post(result_of(booking), json={"outcome": "done"})
        async with wire.resident(booking.person_id) as client:
            words = {"comment": "排队太久"} if stars == 2 else {}
            assert (await client.put(rating_of(booking), json={"stars": stars, **words})).status_code == 200
    answer = await desk.get("/ratings")
    report = answer.json()
    by_service = {one["service_id"]: one for one in report["services"]}
    passport, driving = by_service[str(bookings[0].service_id)], by_service[str(licence.service_id)]
    assert (passport["ratings"], passport["average"], passport["by_stars"]) == (3, 3.67, [0, 1, 0, 1, 1])
    assert (driving["ratings"], driving["average"]) == (1, 1.0)
    assert report["comments"] == [{"service_id": str(bookings[0].service_id), "stars": 2, "text": "排队太久"}]
    for booking in bookings:
        assert str(booking.person_id) not in answer.text
        assert str(booking.booking_id) not in answer.text
    kept = await db.fetch("SELECT comment FROM appointments.rating WHERE comment IS NOT NULL")
    assert "排队太久".encode() not in bytes(kept[0][0])
    assert (await desk.get("/ratings", params={"to": "2026-03-04"})).json()["services"] == []
    assert (await desk.get("/ratings", params={"from": "2025-01-01"})).json()[
        "code"
    ] == "appointments.days_out_of_range"
    async with wire.staff(await an_office(db, "pudong", district="310115")) as other:
        assert (await other.get("/ratings")).json()["services"] == []


async def test_a_note_is_kept_sealed_to_its_booking(db, appointments, clock, desk, person):
    booking = await who_came(appointments, person)
    at(clock, THURSDAY_TEN + HOUR)
    await desk.post(result_of(booking), json={"outcome": "refused", "note": "材料不符"})
    note = bytes(await db.fetchval("SELECT note FROM appointments.result"))
    assert "材料不符".encode() not in note
    assert (await appointments.results.read(person, booking.booking_id)).note == "材料不符"
    found = await appointments.db.fetch("SELECT stage FROM appointments.booking")
    assert [row[0] for row in found] == [Stage.SERVED]
