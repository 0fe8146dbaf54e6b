"""A resident books, moves and cancels over HTTP; staff see their office's day and check people in."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from appointments.desk.checking_in import check_in
from appointments.errors import NotBooked
from appointments.model import Booking, Stage, office_id_of
from appointments.parts import Appointments
from kernel.ids import AccountId, SessionId, StaffId
from kernel.principal import Audience, Resident
from tests.builders_appointments import (
    THURSDAY_TEN,
    Wire,
    a_person,
    a_service,
    a_slot,
    an_id,
    an_office,
    at,
    disagreements,
)

NEXT_DAY = THURSDAY_TEN + timedelta(days=1)


@pytest.fixture
async def wire(appointments: Appointments) -> Wire:
    return Wire(appointments)


async def test_a_resident_finds_books_moves_and_cancels(db, appointments, resident):
    slot, later = await a_slot(db, places=1), await a_slot(db, starts_at=NEXT_DAY)
    service = str(await a_service(db))
    await appointments.catalogues.refresh()
    found = (await resident.get("/slots", params={"service_id": service, "district": "310104"})).json()
    assert [(one["slot_id"], one["free"]) for one in found["slots"]] == [(str(slot), 1), (str(later), 3)]
    assert found["slots"][0]["starts_at"] == "2026-03-05T10:00:00+08:00"

    mine = f"/bookings/{uuid4()}"
    answer = await resident.put(mine, json={"slot_id": str(slot)})
    assert answer.status_code == 201
    booked = answer.json()
    assert (booked["stage"], booked["starts_at"], booked["number"]) == ("booked", "2026-03-05T10:00:00+08:00", 1)
    assert booked["office"]["address"] == "上海市徐汇区样板路20号"
    assert booked["service"]["bring_zh"] == "身份证、旧护照"
    assert booked["cancellable_until"] == "2026-03-05T08:00:00+08:00"
    assert (await resident.put(mine, json={"slot_id": str(slot)})).json() == booked
    assert (await resident.get(mine)).json() == booked

    moved = (await resident.post(f"{mine}/reschedule", json={"slot_id": str(later)})).json()
    assert (moved["starts_at"], moved["version"]) == ("2026-03-06T10:00:00+08:00", 2)
    assert (await resident.get("/bookings")).json() == {"bookings": [moved], "next": None}
    cancelled = await resident.delete(mine)
    assert (cancelled.status_code, cancelled.json()["stage"]) == (200, "cancelled")
    assert (await resident.delete(mine)).json() == cancelled.json()
    assert await disagreements(db) == []


async def test_a_booking_says_whether_it_came_from_the_app_or_the_mini_program(db, wire, resident):
    slot, of_the_mini_program = str(await a_slot(db)), Resident(AccountId(uuid4()), SessionId(uuid4()), a_person())
    async with wire.signed_in(Audience.MINI, of_the_mini_program) as mini:
        assert (await mini.put(f"/bookings/{uuid4()}", json={"slot_id": slot})).json()["channel"] == "mini"
    assert (await resident.put(f"/bookings/{uuid4()}", json={"slot_id": slot})).json()["channel"] == "app"
    assert [row[0] for row in await db.fetch("SELECT channel FROM appointments.booking ORDER BY seq")] == [
        "mini",
        "app",
    ]


async def test_a_refusal_says_why_in_a_problem_document(db, resident):
    slot = await a_slot(db)
    first = (await resident.put(f"/bookings/{uuid4()}", json={"slot_id": str(slot)})).json()
    refused = await resident.put(f"/bookings/{uuid4()}", json={"slot_id": str(slot)})
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "appointments.already_booked"
    assert refused.json()["booking_id"] == first["booking_id"]


async def test_only_a_real_name_checked_resident_books(db, appointments, wire):
    slot = await a_slot(db)
    await appointments.catalogues.refresh()
    async with wire.resident(None) as client:
        assert (await client.put(f"/bookings/{uuid4()}", json={"slot_id": str(slot)})).status_code == 403
        assert (await client.get("/slots", params={"service_id": str(await a_service(db))})).status_code == 200


async def test_nobody_sees_another_persons_booking(db, resident, wire):
    mine = f"/bookings/{uuid4()}"
    await resident.put(mine, json={"slot_id": str(await a_slot(db))})
    async with wire.resident(a_person()) as other:
        assert (await other.get(mine)).status_code == 404
        assert (await other.delete(mine)).status_code == 404
        assert (await other.get("/bookings")).json()["bookings"] == []


async def test_catalogues_are_answered_once(db, resident, appointments):
    await a_slot(db)
    await appointments.catalogues.refresh()
    for path in ("/offices", "/services"):
        first = await resident.get(path)
        assert first.status_code == 200
        again = await resident.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_lists_go_on_where_they_stopped(db, resident, desk):
    for nth in range(5):
        slot = await a_slot(db, service=f"service-{nth}", starts_at=THURSDAY_TEN + nth * timedelta(hours=1))
        await a_slot(db, starts_at=THURSDAY_TEN + nth * timedelta(hours=1))
        assert (await resident.put(f"/bookings/{uuid4()}", json={"slot_id": str(slot)})).status_code == 201
    service = str(await a_service(db))
    for client, path, rows, params in (
        (resident, "/slots", "slots", {"service_id": service}),
        (resident, "/bookings", "bookings", {}),
        (desk, "/desk/bookings", "bookings", {"date": "2026-03-05"}),
    ):
        seen, cursor = [], None
        while True:
            page = (
                await client.get(path, params={**params, "limit": 2} | ({"cursor": cursor} if cursor else {}))
            ).json()
            seen += [row["starts_at"] for row in page[rows]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen, reverse=path == "/bookings")


@pytest.mark.parametrize(
    "path",
    [
        "/slots",
        "/slots?service_id=x",
        "/slots?service_id={service}&district=%00",
        "/slots?service_id={service}&district=3101",
        "/slots?service_id={service}&from=0001-01-01",
        "/slots?service_id={service}&to=9999-12-31",
        "/slots?service_id={service}&from=9999-12-31",
        "/slots?service_id={service}&from=tomorrow",
        "/slots?service_id={service}&cursor=%00",
        "/slots?service_id={service}&cursor=AAAA",
        "/slots?service_id={service}&limit=0",
        "/slots?service_id={service}&limit=999999999999999999999",
        "/bookings?cursor=%F0%9F%98%80",
        "/bookings?limit=-1",
    ],
)
async def test_malformed_questions_are_refused_as_such(db, appointments, resident, path):
    service = await a_service(db)
    await appointments.catalogues.refresh()
    answer = await resident.get(path.replace("{service}", str(service)))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"slot_id": 1}', b'{"slot_id": "x"}', b'{"slot": "x"}', b"\xff"])
async def test_malformed_bookings_are_refused_as_such(resident, body):
    headers = {"content-type": "application/json"}
    assert (await resident.put(f"/bookings/{uuid4()}", content=body, headers=headers)).status_code == 400
    assert (await resident.post(f"/bookings/{uuid4()}/reschedule", content=body, headers=headers)).status_code == 400


async def test_hours_of_a_service_that_is_none_are_not_found(resident):
    answer = await resident.get("/slots", params={"service_id": str(uuid4())})
    assert (answer.status_code, answer.json()["code"]) == (404, "appointments.service_not_found")


async def test_what_is_malformed_is_named_as_the_caller_wrote_it(desk):
    for path, name in (("/desk/bookings?date=2026-13-01", "date"), ("/ratings?from=x&to=2026-03-01", "from")):
        answer = await desk.get(path)
        assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (400, name)


async def test_staff_check_in_who_is_booked_today(db, resident, desk, clock):
    slot, booking_id = await a_slot(db), uuid4()
    await resident.put(f"/bookings/{booking_id}", json={"slot_id": str(slot)})
    early = await desk.post(f"/desk/bookings/{booking_id}/check-in")
    assert early.json()["code"] == "appointments.not_expected"
    at(clock, THURSDAY_TEN - timedelta(minutes=5))
    [expected] = (await desk.get("/desk/bookings")).json()["bookings"]
    assert (expected["booking_id"], expected["stage"], expected["number"]) == (str(booking_id), "booked", 1)
    here = await desk.post(f"/desk/bookings/{booking_id}/check-in")
    assert (here.status_code, here.json()["checked_in_at"]) == (200, "2026-03-05T09:55:00+08:00")
    assert (await desk.post(f"/desk/bookings/{booking_id}/check-in")).json() == here.json()
    queue = (await desk.get("/desk/queue")).json()
    assert (queue["expected"], queue["checked_in"], len(queue["here"])) == (0, 1, 1)
    assert (await resident.get(f"/bookings/{booking_id}")).json()["stage"] == "checked_in"
    assert await db.fetchval("SELECT count(*) FROM kernel.audit WHERE act = 'appointments.check_in'") == 1


async def test_staff_act_for_their_own_office_only(db, resident, wire, clock):
    booking_id = uuid4()
    await resident.put(f"/bookings/{booking_id}", json={"slot_id": str(await a_slot(db))})
    at(clock, THURSDAY_TEN)
    async with wire.staff(await an_office(db, "pudong", district="310115")) as other, wire.staff(None) as nobody:
        assert (await other.get("/desk/bookings")).json()["bookings"] == []
        assert (await other.post(f"/desk/bookings/{booking_id}/check-in")).status_code == 404
        for path in ("/desk/bookings", "/desk/queue"):
            assert (await nobody.get(path)).json()["code"] == "appointments.no_office"
        assert (await nobody.post(f"/desk/bookings/{booking_id}/check-in")).status_code == 403


async def test_two_people_under_one_booking_id_are_not_taken_for_one_another(db, appointments, desk, clock):
    slot, booking_id = await a_slot(db), an_id()
    await appointments.book(booking_id, slot, a_person())
    await appointments.book(booking_id, slot, a_person())
    at(clock, THURSDAY_TEN)
    assert (await desk.post(f"/desk/bookings/{booking_id}/check-in")).json()["code"] == "appointments.several_expected"


async def test_cancelling_and_checking_in_at_once_end_as_one_of_them(db, appointments, clock):
    starts_at = THURSDAY_TEN
    slot = await a_slot(db, places=20, starts_at=starts_at)
    bookings = await asyncio.gather(*(appointments.book(an_id(), slot, a_person()) for _ in range(20)))
    at(clock, starts_at - timedelta(hours=9))
    office = office_id_of("xuhui")
    answers = await asyncio.gather(
        *(appointments.cancel(booking.person_id, booking.booking_id) for booking in bookings),
        *(check_in(db, clock, StaffId(uuid4()), office, booking.booking_id) for booking in bookings),
        return_exceptions=True,
    )
    assert {type(answer).__name__ for answer in answers} <= {"Booking", "NotBooked", "NotExpected"}
    for cancelled, checked_in in zip(answers[:20], answers[20:], strict=True):
        assert isinstance(cancelled, Booking) != isinstance(checked_in, Booking)
        assert isinstance(cancelled, Booking | NotBooked)
    stages = {row[0] for row in await db.fetch("SELECT stage FROM appointments.booking")}
    assert stages <= {Stage.CANCELLED, Stage.CHECKED_IN}
    assert await disagreements(db) == []
