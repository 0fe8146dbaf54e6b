"""Somebody who is booked comes: found by the booking, by their code or by their phone, they get a number to wait by."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from appointments.desk.hall.model import TicketLane
from appointments.desk.recognising import LOOKS, Recognises
from appointments.errors import CodeNotGood, CodesNotRead, NotExpected, SeveralExpected, TooManyLooks
from appointments.model import Channel, Lane, Stage
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import OfficeId, PersonId
from kernel.principal import Audience
from kernel.sealing import Keys
from tests.builders_appointments import (
    THURSDAY_TEN,
    Wire,
    a_person,
    a_slot,
    an_id,
    at,
    disagreements,
    messages,
    open_appointments,
)
from tests.builders_desk import LICENCE, PASSPORT, Hall

HOUR = timedelta(hours=1)
PHONE = "13800000001"


class Entrance(Recognises):
    """Stands in for the city's entrance: it knows one person, by code, phone and ID number."""

    def __init__(self, person_id: PersonId) -> None:
        self.person_id = person_id
        self.spent: dict[str, UUID] = {}

    async def by_code(self, office_id: OfficeId, text: str, use_id: UUID) -> PersonId:
        if text != "good" or self.spent.setdefault(text, use_id) != use_id:
            raise CodeNotGood(verdict="already_used" if text == "good" else "not_ours")
        return self.person_id

    async def by_phone(self, phone: str) -> PersonId | None:
        return self.person_id if phone == PHONE else None

    async def by_id_number(self, id_number: str, name: str) -> PersonId:
        return self.person_id

    async def phone_to_tell(self, person_id: PersonId, phone: str) -> str | None:
        return "+86" + phone


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


@pytest.fixture
async def hall(db: Database, appointments: Appointments) -> Hall:
    return await Hall.of(db, appointments)


@pytest.fixture
def person(appointments: Appointments) -> PersonId:
    found = a_person()
    appointments.recognises = Entrance(found)
    return found


async def book(hall: Hall, person: PersonId, *, service: str = PASSPORT, starts_at=THURSDAY_TEN):
    booking_id = an_id()
    slot = await a_slot(hall.db, service=service, starts_at=starts_at)
    return await hall.appointments.book(booking_id, slot, person)


async def test_who_checks_in_gets_one_number_however_often(hall: Hall, person: PersonId, clock: StoppedClock):
    booking = await book(hall, person)
    at(clock, THURSDAY_TEN - HOUR)
    desks, clerk = hall.appointments.desks, hall.clerk()
    here = await asyncio.gather(*(desks.check_in(clerk, hall.office_id, booking.booking_id) for _ in range(5)))
    assert {one.stage for one in here} == {Stage.CHECKED_IN}
    tickets = await hall.db.fetch("SELECT number, rank_at, taken_at FROM appointments.ticket")
    assert [tuple(row) for row in tickets] == [(1, THURSDAY_TEN, clock.now())]


async def test_who_comes_after_their_hour_is_ranked_by_when_they_came(hall: Hall, person, clock: StoppedClock):
    booking = await book(hall, person)
    at(clock, THURSDAY_TEN + HOUR)
    await hall.appointments.desks.check_in(hall.clerk(), hall.office_id, booking.booking_id)
    assert (await hall.appointments.desks.ticket_of_booking(booking)).rank_at == clock.now()


async def test_a_code_tells_who_is_here(hall: Hall, person: PersonId, clock: StoppedClock):
    booking = await book(hall, person)
    at(clock, THURSDAY_TEN - HOUR)
    desks, clerk, use_id = hall.appointments.desks, hall.clerk(), uuid4()
    here = await desks.check_in_by_code(clerk, hall.office_id, "good", use_id)
    assert (here.booking_id, here.stage) == (booking.booking_id, Stage.CHECKED_IN)
    assert await desks.check_in_by_code(clerk, hall.office_id, "good", use_id) == here
    with pytest.raises(CodeNotGood):
        await desks.check_in_by_code(clerk, hall.office_id, "good", uuid4())


async def test_where_no_reader_is_codes_are_refused(hall: Hall):
    with pytest.raises(CodesNotRead):
        await hall.appointments.desks.check_in_by_code(hall.clerk(), hall.office_id, "good", uuid4())


async def test_no_answer_tells_whether_a_phone_is_known(hall: Hall, person: PersonId, clock: StoppedClock):
    desks, clerk = hall.appointments.desks, hall.clerk()
    refused = []
    for phone in (PHONE, "13900000009"):
        with pytest.raises(NotExpected) as why:
            await desks.check_in_by_phone(clerk, hall.office_id, phone)
        refused.append((why.value.code, why.value.detail, why.value.members))
    assert refused[0] == refused[1]
    looks = await hall.db.fetch(
        "SELECT actor, subject, detail FROM kernel.audit WHERE act = 'appointments.look_by_phone'"
    )
    assert {tuple(row) for row in looks} == {(f"staff:{clerk.staff_id}", f"office:{hall.office_id}", "{}")}
    booking = await book(hall, person)
    at(clock, THURSDAY_TEN - HOUR)
    assert (await desks.check_in_by_phone(clerk, hall.office_id, PHONE)).booking_id == booking.booking_id


async def test_a_clerk_cannot_try_out_phones(hall: Hall, person: PersonId):
    desks, clerk = hall.appointments.desks, hall.clerk()
    for _ in range(LOOKS.permits):
        with pytest.raises(NotExpected):
            await desks.check_in_by_phone(clerk, hall.office_id, "13900000009")
    with pytest.raises(TooManyLooks) as refused:
        await desks.check_in_by_phone(clerk, hall.office_id, PHONE)
    assert refused.value.retry_after_seconds


async def test_who_has_two_bookings_today_is_asked_which(hall: Hall, person: PersonId, clock: StoppedClock):
    first = await book(hall, person)
    second = await book(hall, person, service=LICENCE, starts_at=THURSDAY_TEN + HOUR)
    at(clock, THURSDAY_TEN - HOUR)
    with pytest.raises(SeveralExpected) as refused:
        await hall.appointments.desks.check_in_by_phone(hall.clerk(), hall.office_id, PHONE)
    assert refused.value.members == {"booking_ids": sorted([str(first.booking_id), str(second.booking_id)])}


async def test_who_comes_late_after_being_noted_as_missing_has_the_strike_waived(
    hall: Hall, person: PersonId, clock: StoppedClock
):
    booking = await book(hall, person)
    at(clock, THURSDAY_TEN + HOUR)
    await hall.db.fetch("UPDATE appointments.booking SET stage = 'missed'")
    await hall.db.fetch(
        """INSERT INTO appointments.strike (person_id, booking_id, service_id, office_id, struck_at, stage, strike_id)
           SELECT person_id, booking_id, service_id, office_id, starts_at, 'standing', booking_id
             FROM appointments.booking"""
    )
    await hall.appointments.desks.check_in(hall.clerk(), hall.office_id, booking.booking_id)
    assert await hall.db.fetchval("SELECT stage FROM appointments.strike") == "waived"
    assert await hall.db.fetchval("SELECT stage FROM appointments.booking") == "checked_in"


async def test_urgent_and_special_bookings_wait_in_lanes_of_their_own(hall: Hall, clock: StoppedClock):
    at(clock, THURSDAY_TEN - HOUR)
    given = {}
    for lane in Lane:
        booking = await book(hall, a_person())
        await hall.db.fetch("UPDATE appointments.booking SET lane = $1 WHERE booking_id = $2", lane, booking.booking_id)
        await hall.appointments.desks.check_in(hall.clerk(), hall.office_id, booking.booking_id)
        given[lane] = (await hall.appointments.desks.ticket_of_booking(booking)).lane
        await hall.db.fetch("UPDATE appointments.booking SET stage = 'cancelled', checked_in_at = NULL")
        await hall.db.fetch("UPDATE appointments.place SET person_id = NULL, booking_id = NULL")
    assert given == {
        Lane.NORMAL: TicketLane.BOOKED, Lane.DEFERRED: TicketLane.BOOKED,
        Lane.URGENT: TicketLane.URGENT, Lane.SPECIAL: TicketLane.SPECIAL,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------- over HTTP


async def test_a_clerk_books_for_who_stands_at_the_desk(hall: Hall, person: PersonId, clock: StoppedClock):
    slot = await a_slot(hall.db)
    asked = {
        "booking_id": str(uuid4()), "slot_id": str(slot), "id_number": "110101199003070935", "name": "林间",
        "phone": PHONE,
    }  # fmt: skip
    async with Wire(hall.appointments).signed_in(Audience.DEPARTMENT, hall.clerk()) as desk:
        booked = await desk.post("/desk/bookings", json=asked)
        assert (booked.status_code, booked.json()["channel"]) == (201, Channel.DESK)
        assert (await desk.post("/desk/bookings", json=asked)).json() == booked.json()
        taken = await desk.post("/desk/bookings", json=asked | {"booking_id": str(uuid4())})
        assert taken.json()["code"] == "appointments.already_booked"
        told = await desk.get(f"/desk/bookings/{asked['booking_id']}/told")
        assert told.status_code == 404  # it is not for today
        at(clock, THURSDAY_TEN - HOUR)
        told = await desk.get(f"/desk/bookings/{asked['booking_id']}/told")
        assert told.json() == {"answers": {}, "reason": None, "ground": None}
    async with Wire(hall.appointments).resident(person) as resident:
        assert (await resident.get(f"/bookings/{asked['booking_id']}")).status_code == 200
    assert await messages(hall.db, "booking_confirmed") == 2  # the inbox, and an SMS to the phone that was given
    acts = await hall.db.fetch("SELECT DISTINCT act FROM kernel.audit")
    assert {row["act"] for row in acts} == {"appointments.book_for", "appointments.read_answers"}
    assert "林间" not in str(await hall.db.fetch("SELECT detail, subject, actor FROM kernel.audit"))
    assert [row for row in await disagreements(hall.db) if "confirmation" not in row[0]] == []


async def test_a_clerk_finds_the_hours_of_their_own_office_to_book(hall: Hall, person: PersonId, clock: StoppedClock):
    here = await a_slot(hall.db, places=1)
    later = await a_slot(hall.db, starts_at=THURSDAY_TEN + timedelta(days=1))
    await a_slot(hall.db, office="pudong", district="310115")
    await hall.appointments.catalogues.refresh()
    service = {"service_id": str(hall.passport)}
    async with Wire(hall.appointments).signed_in(Audience.DEPARTMENT, hall.clerk()) as desk:
        found = (await desk.get("/desk/slots", params=service)).json()["slots"]
        assert [(one["slot_id"], one["free"]) for one in found] == [(str(here), 1), (str(later), 3)]
        first = (await desk.get("/desk/slots", params=service | {"limit": 1})).json()
        rest = (await desk.get("/desk/slots", params=service | {"cursor": first["next"]})).json()
        assert first["slots"] + rest["slots"] == found
        asked = {"booking_id": str(uuid4()), "slot_id": found[0]["slot_id"], "id_number": "110101199003070935"}
        assert (await desk.post("/desk/bookings", json=asked | {"name": "林间"})).status_code == 201
        free = (await desk.get("/desk/slots", params=service | {"only_free": "true"})).json()["slots"]
        assert [one["slot_id"] for one in free] == [str(later)]
        unknown = await desk.get("/desk/slots", params={"service_id": str(uuid4())})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "appointments.service_not_found")
    async with Wire(hall.appointments).staff(None) as nobody:
        assert (await nobody.get("/desk/slots", params=service)).json()["code"] == "appointments.no_office"


async def test_a_visit_from_check_in_to_done_over_http(hall: Hall, person: PersonId, clock: StoppedClock):
    booking = await book(hall, person)
    at(clock, THURSDAY_TEN - timedelta(minutes=5))
    clerk = hall.clerk()
    wire = Wire(hall.appointments)
    async with wire.signed_in(Audience.DEPARTMENT, clerk) as desk, wire.resident(person) as resident:
        here = (await desk.post("/desk/check-ins/phone", json={"phone": PHONE})).json()
        assert (here["booking_id"], here["ticket"]["number"]) == (str(booking.booking_id), "Y001")
        mine = f"/tickets/{here['ticket']['ticket_id']}"
        waits = (await resident.get(mine)).json()
        assert (waits["number"], waits["ahead"], waits["wait_minutes"], waits["stage"]) == ("Y001", 0, None, "waiting")
        opened = (await desk.put("/desk/counters/3", json={"service_ids": [str(hall.passport)]})).json()
        assert (await resident.get("/tickets")).json()["tickets"][0]["wait_minutes"] == 5
        walk_in = (await desk.put(f"/desk/tickets/{uuid4()}", json={"service_id": str(hall.passport)})).json()
        assert walk_in["number"] == "B001"
        at(clock, THURSDAY_TEN)
        called = (await desk.post("/desk/counters/3/call", json={"expected": opened["version"]})).json()
        assert (called["ticket"]["number"], called["ticket"]["counter"]) == ("Y001", 3)
        one = f"/desk/tickets/{called['ticket']['ticket_id']}"
        version = called["ticket"]["version"]
        for step, stage in (("recall", "called"), ("start", "serving"), ("done", "done")):
            answer = await desk.post(f"{one}/{step}", json={"expected": version})
            assert (answer.status_code, answer.json()["stage"]) == (200, stage)
            version = answer.json()["version"]
        assert (await resident.get(mine)).json()["stage"] == "done"
        assert (await resident.get(f"/bookings/{booking.booking_id}")).json()["stage"] == "served"
        waiting = (await desk.get("/desk/tickets")).json()["tickets"]
        assert [ticket["number"] for ticket in waiting] == ["B001"]
        assert (await desk.get(f"/desk/tickets/{walk_in['ticket_id']}")).json() == walk_in
        assert (await desk.post("/desk/counters/3/close")).json()["is_open"] is False
    async with wire.resident(a_person()) as other:
        assert (await other.get(mine)).status_code == 404
        assert (await other.get("/tickets")).json() == {"tickets": []}


async def test_an_urgent_number_needs_a_ground(hall: Hall):
    async with Wire(hall.appointments).signed_in(Audience.DEPARTMENT, hall.clerk()) as desk:
        asked = {"service_id": str(hall.passport), "lane": "urgent"}
        refused = await desk.put(f"/desk/tickets/{uuid4()}", json=asked)
        assert (refused.status_code, refused.json()["code"]) == (422, "appointments.reason_needed")
        given = await desk.put(f"/desk/tickets/{uuid4()}", json=asked | {"ground": "flight_today"})
        assert (given.status_code, given.json()["number"]) == (200, "J001")
        booked = await desk.put(f"/desk/tickets/{uuid4()}", json=asked | {"lane": "booked"})
        assert booked.status_code == 400
