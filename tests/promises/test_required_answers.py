"""What a service asks is answered before a place is taken, what a lane needs is said; both are sealed."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from appointments import answering
from appointments.answering import TEXT_MAX, Told
from appointments.asking import Ground, Particulars
from appointments.errors import AnswersWrong, GroundNeeded, ReasonNeeded
from appointments.model import Choice, Lane, Question, QuestionSort, Service, Stage, service_id_of
from appointments.offices import offering
from appointments.parts import Appointments
from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.people import Identity
from kernel.sealing import Keys
from tests.builders_appointments import (
    THURSDAY_TEN,
    Wire,
    a_person,
    a_slot,
    an_id,
    disagreements,
    people_of,
)

NEXT_DAY = THURSDAY_TEN + timedelta(days=1)
PURPOSE = Question(code="purpose", label_zh="用途", label_en="Purpose", sort=QuestionSort.TEXT)
COPIES = Question(code="copies", label_zh="份数", label_en="Copies", sort=QuestionSort.NUMBER, is_required=False)
MINOR = Question(code="is_minor", label_zh="未成年人", label_en="A minor", sort=QuestionSort.YES_NO)
SORT = Question(
    code="sort", label_zh="类型", label_en="Sort", sort=QuestionSort.CHOICE,
    choices=(Choice("first", "首次", "First"), Choice("renewal", "换发", "Renewal")),
)  # fmt: skip
QUESTIONS = (PURPOSE, COPIES, MINOR, SORT)
ANSWERS: dict[str, Any] = {"purpose": " 出国旅游 ", "copies": 2, "is_minor": False, "sort": "renewal"}


async def asks(appointments: Appointments, *questions: Question, **conditions: Any) -> None:
    service = Service(
        service_id=service_id_of("passport"), slug="passport", department="police", name_zh="普通护照换发",
        name_en="Passport renewal", bring_zh="身份证、旧护照", bring_en="ID card", questions=questions, **conditions,
    )  # fmt: skip
    await offering.plant(appointments.db, services=[service])
    await appointments.catalogues.refresh()


async def told(appointments: Appointments, person_id: PersonId, booking_id: Any) -> Told | None:
    key = person_id, booking_id
    async with appointments.db.connection() as conn:
        return (await answering.told_with(conn, appointments.seals, [key])).get(key)


async def somebody_born(db: Database, keys: Keys, clock: StoppedClock, born: date) -> PersonId:
    async with db.transaction() as conn:
        identity = Identity(id_number("310101", born, Sex.FEMALE, 1), "某某")
        return await people_of(keys).mint(conn, identity, now=clock.now())


async def test_what_was_answered_is_kept_with_the_booking_and_nobody_reads_it_in_the_database(db, appointments):
    slot, person, booking_id = await a_slot(db), a_person(), an_id()
    await asks(appointments, *QUESTIONS)
    await appointments.book(booking_id, slot, person, Particulars(answers=ANSWERS))
    kept = await told(appointments, person, booking_id)
    assert kept == Told(answers=ANSWERS | {"purpose": "出国旅游"})
    [envelope] = [row[0] for row in await db.fetch("SELECT sealed FROM appointments.answers")]
    assert "出国".encode() not in envelope


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ({}, ["is_minor", "purpose", "sort"]),
        ({**ANSWERS, "purpose": "  "}, ["purpose"]),
        ({**ANSWERS, "purpose": "x" * (TEXT_MAX + 1)}, ["purpose"]),
        ({**ANSWERS, "purpose": "a\x00b"}, ["purpose"]),
        ({**ANSWERS, "purpose": 3}, ["purpose"]),
        ({**ANSWERS, "sort": "other"}, ["sort"]),
        ({**ANSWERS, "is_minor": "no"}, ["is_minor"]),
        ({**ANSWERS, "copies": True}, ["copies"]),
        ({**ANSWERS, "copies": 10**13}, ["copies"]),
        ({**ANSWERS, "copies": float("nan")}, ["copies"]),
        ({**ANSWERS, "copies": -(10**400)}, ["copies"]),
        ({**ANSWERS, "colour": "red", "sort": "?"}, ["colour", "sort"]),
    ],
)
async def test_what_is_not_answered_as_it_was_asked_takes_no_place(db, appointments, answers, wrong):
    slot = await a_slot(db, places=1)
    await asks(appointments, *QUESTIONS)
    with pytest.raises(AnswersWrong) as refused:
        await appointments.book(an_id(), slot, a_person(), Particulars(answers=answers))
    assert refused.value.members == {"questions": wrong}
    assert await db.fetchval("SELECT count(*) FROM appointments.booking") == 0


async def test_what_need_not_be_answered_may_be_left_out(db, appointments):
    slot, person, booking_id = await a_slot(db), a_person(), an_id()
    await asks(appointments, COPIES)
    await appointments.book(booking_id, slot, person)
    assert await told(appointments, person, booking_id) is None


async def test_a_held_place_is_confirmed_only_with_its_answers(db, appointments, clock):
    slot, person = await a_slot(db, places=1), a_person()
    await asks(appointments, PURPOSE)
    hold = await appointments.hold(an_id(), slot, person)
    with pytest.raises(AnswersWrong):
        await appointments.book(hold.booking_id, slot, person)
    assert await appointments.holding.of(person) == [hold]
    await appointments.book(hold.booking_id, slot, person, Particulars(answers={"purpose": "出差"}))
    assert await told(appointments, person, hold.booking_id) == Told(answers={"purpose": "出差"})
    assert await disagreements(db, now=clock.now()) == []


async def test_the_urgent_lane_needs_a_reason(db, appointments):
    slot, person, booking_id = await a_slot(db, lane=Lane.URGENT), a_person(), an_id()
    for reason in (None, "  "):
        with pytest.raises(ReasonNeeded):
            await appointments.book(booking_id, slot, person, Particulars(reason=reason))
    booking = await appointments.book(booking_id, slot, person, Particulars(reason="航班明日起飞"))
    assert booking.lane is Lane.URGENT
    assert await told(appointments, person, booking_id) == Told(reason="航班明日起飞")


async def test_the_special_lane_is_for_people_of_sixty_and_for_stated_grounds(db, appointments, keys, clock):
    slot = await a_slot(db, lane=Lane.SPECIAL)  # the clock stands on Monday 2 March 2026
    sixty = await somebody_born(db, keys, clock, date(1966, 3, 2))
    tomorrow = await somebody_born(db, keys, clock, date(1966, 3, 3))
    assert (await appointments.book(an_id(), slot, sixty)).lane is Lane.SPECIAL
    with pytest.raises(GroundNeeded):
        await appointments.book(an_id(), slot, tomorrow)
    booking = await appointments.book(an_id(), slot, tomorrow, Particulars(ground=Ground.PREGNANT))
    assert await told(appointments, tomorrow, booking.booking_id) == Told(ground=Ground.PREGNANT)


async def test_moving_to_another_lane_asks_for_what_that_lane_needs_and_keeps_the_answers(db, appointments):
    slot, person, booking_id = await a_slot(db), a_person(), an_id()
    urgent = await a_slot(db, lane=Lane.URGENT, starts_at=NEXT_DAY)
    later = await a_slot(db, lane=Lane.URGENT, starts_at=NEXT_DAY + timedelta(days=3))
    await asks(appointments, PURPOSE)
    await appointments.book(booking_id, slot, person, Particulars(answers={"purpose": "出差"}))
    with pytest.raises(ReasonNeeded):
        await appointments.reschedule(person, booking_id, urgent)
    moved = await appointments.reschedule(person, booking_id, urgent, Particulars(reason="签证将到期"))
    assert (moved.lane, moved.version, moved.stage) == (Lane.URGENT, 2, Stage.BOOKED)
    kept = Told(answers={"purpose": "出差"}, reason="签证将到期")
    assert await told(appointments, person, booking_id) == kept
    assert (await appointments.reschedule(person, booking_id, later)).version == 3
    assert await told(appointments, person, booking_id) == kept
    assert await disagreements(db) == []


async def test_the_end_of_cancelling_is_what_the_service_says(db, appointments):
    slot, person = await a_slot(db), a_person()
    await asks(appointments, cancel_minutes=24 * 60)
    booking = await appointments.book(an_id(), slot, person)
    assert booking.cancellable_until == THURSDAY_TEN - timedelta(days=1)


async def test_over_http_answers_are_taken_read_back_and_refused_by_name(db, appointments):
    slot, mine = str(await a_slot(db)), f"/bookings/{uuid4()}"
    await asks(appointments, *QUESTIONS)
    async with Wire(appointments).resident(a_person()) as resident:
        refused = await resident.put(mine, json={"slot_id": slot, "answers": {"sort": "nope"}})
        assert (refused.status_code, refused.json()["questions"]) == (422, ["is_minor", "purpose", "sort"])
        for malformed in ({"answers": {"Bad": "x"}}, {"answers": []}, {"ground": "rich"}, {"reason": ""}):
            assert (await resident.put(mine, json={"slot_id": slot, **malformed})).status_code == 400
        booked = await resident.put(mine, json={"slot_id": slot, "answers": ANSWERS})
        assert (booked.status_code, booked.json()["lane"], booked.json()["channel"]) == (201, "normal", "app")
        kept = (await resident.get(f"{mine}/told")).json()
        assert kept == {"answers": ANSWERS | {"purpose": "出国旅游"}, "reason": None, "ground": None}
    async with Wire(appointments).resident(a_person()) as other:
        assert (await other.get(f"{mine}/told")).status_code == 404
