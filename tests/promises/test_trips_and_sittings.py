"""Seats on a trip and places in an exam sitting are given one by one, and booked as every other place is."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from appointments.errors import NoLivePosition, PositionAway
from appointments.model import Service, ServiceSort, service_id_of
from appointments.offices import offering
from appointments.offices.trips.positions import NoDepartments, Position
from kernel.clock import in_shanghai
from kernel.ids import DepartmentId, SessionId, SlotId, StaffId
from kernel.principal import Audience, DepartmentSystem, Staff
from tests.builders_appointments import (
    Wire,
    a_person,
    an_id,
    an_office,
    disagreements,
    messages,
    open_appointments,
)

PARKS, TRANSPORT = DepartmentId(uuid4()), DepartmentId(uuid4())
ELEVEN = datetime.fromisoformat("2026-03-05T11:00+08:00")
ROUTE = {
    "sort": "trip", "route_zh": "湿地专线", "route_en": "Wetland line", "departs_from_zh": "市民中心",
    "departs_from_en": "Citizens' centre", "vehicle": "bus-7",
}  # fmt: skip
DECISION = {"on_conflict": "move", "reason_zh": "车辆检修"}


class TheirServers:
    """The departments as the entrance knows them: slugs, and one bus that answers."""

    async def slug_of(self, department_id):
        return {PARKS: "parks", TRANSPORT: "transport"}.get(department_id)

    async def position(self, department, vehicle, resident, audience):
        if (department, vehicle) != ("parks", "bus-7"):
            raise PositionAway(retry_after_seconds=5)
        return Position(latitude=31.2, longitude=121.5, as_of=ELEVEN, is_stand_in=True)


@pytest.fixture
async def appointments(db, clock, keys):
    opened = await open_appointments(db, clock, keys)
    opened.departments = TheirServers()
    return opened


@pytest.fixture
async def wire(appointments):
    return Wire(appointments)


async def a_line(db, appointments, sort=ServiceSort.TRIP):
    service = Service(
        service_id=service_id_of("bus"), slug="bus", department="parks", name_zh="公园专线", name_en="Park bus",
        bring_zh="", bring_en="", sort=sort,
    )  # fmt: skip
    await offering.plant(db, services=[service])
    office = await an_office(db)
    await appointments.catalogues.refresh()
    return office, service.service_id


def system(wire, department=PARKS, slug="parks"):
    return wire.signed_in(Audience.DEPARTMENT, DepartmentSystem(department, slug, "公园"))


def supervisor(wire, office, department=PARKS, is_supervisor=True):
    staff = Staff(StaffId(uuid4()), SessionId(uuid4()), department, office, is_supervisor)
    return wire.signed_in(Audience.DEPARTMENT, staff)


def a_trip(office, service, ref="7", starts_at=ELEVEN, places=2, **more):
    return {
        "office_id": str(office), "service_id": str(service), "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=1)).isoformat(), "places": places, "ref": ref, "detail": ROUTE,
    } | more  # fmt: skip


async def test_two_trips_of_one_hour_are_two_slots_and_each_seat_is_one_persons(db, appointments, wire):
    office, service = await a_line(db, appointments)
    async with system(wire) as parks:
        one = (await parks.put("/offering/slots", json=a_trip(office, service))).json()
        other = (await parks.put("/offering/slots", json=a_trip(office, service, ref="8"))).json()
        again = (await parks.put("/offering/slots", json=a_trip(office, service))).json()
    assert one["slot_id"] == again["slot_id"] != other["slot_id"]
    assert (one["detail"], one["ref"]) == (ROUTE, "7")
    for _ in range(2):
        await appointments.book(an_id(), SlotId(UUID(one["slot_id"])), a_person())
    assert await disagreements(db) == []


async def test_a_trip_that_is_taken_back_moves_its_riders_to_the_next(db, appointments, wire):
    office, service = await a_line(db, appointments)
    async with system(wire) as parks:
        slot = (await parks.put("/offering/slots", json=a_trip(office, service))).json()["slot_id"]
        later = (
            await parks.put("/offering/slots", json=a_trip(office, service, "9", ELEVEN + timedelta(hours=2)))
        ).json()
        booking = await appointments.book(an_id(), SlotId(UUID(slot)), a_person())
        answer = (await parks.post(f"/offering/slots/{slot}/withdraw", json=DECISION)).json()
        assert (answer["moved"], answer["is_done"]) == (1, True)
        assert (await parks.post(f"/offering/slots/{slot}/withdraw", json=DECISION)).json()["moved"] == 0
    assert str(await db.fetchval(
        "SELECT slot_id FROM appointments.booking WHERE booking_id = $1", booking.booking_id
    )) == later["slot_id"]  # fmt: skip
    assert await messages(db, "booking_moved_by_office") == 1
    assert await disagreements(db) == []


async def test_an_examinee_chooses_the_site_and_hour_of_a_sitting(db, appointments, wire):
    office, service = await a_line(db, appointments, ServiceSort.SITTING)
    room = {"sort": "sitting", "room_zh": "一考场", "room_en": "Room 1", "exam_code": "C1-0305"}
    async with system(wire) as parks:
        answer = await parks.put("/offering/slots", json=a_trip(office, service, "room-1", detail=room))
        assert answer.json()["detail"] == room
        wrong = await parks.put("/offering/slots", json=a_trip(office, service, "room-2"))
        assert (wrong.status_code, wrong.json()["code"]) == (422, "appointments.offer_unsound")
    booking = await appointments.book(an_id(), SlotId(UUID(answer.json()["slot_id"])), a_person())
    assert booking.starts_at == ELEVEN


async def test_slots_given_one_by_one_outlive_every_change_of_hours(db, appointments, wire):
    office, service = await a_line(db, appointments)
    desk = {"slot_minutes": 60, "places": 1, "openings": [{"weekday": 3, "opens": "09:00", "closes": "12:00"}]}
    async with system(wire) as parks:
        slot = (await parks.put("/offering/slots", json=a_trip(office, service))).json()["slot_id"]
        path = f"/offering/desks/{office}/{service}"
        assert (await parks.put(path, json=desk)).status_code == 200
        await parks.post(f"{path}/apply", json=DECISION)
        await parks.put(path, json=desk | {"openings": []})
        applied = (await parks.post(f"{path}/apply", json=DECISION)).json()
    assert applied["withdrawn"] > 0
    assert await db.fetchval("SELECT withdrawn_at FROM appointments.slot WHERE slot_id = $1", slot) is None
    assert await disagreements(db) == []


async def test_only_the_department_that_answers_for_a_service_and_its_supervisors_set_what_is_offered(
    db, appointments, wire
):
    office, service = await a_line(db, appointments)
    elsewhere = await an_office(db, "pudong", district="310115")
    desk = {"slot_minutes": 60, "places": 1, "openings": [{"weekday": 3, "opens": "09:00", "closes": "12:00"}]}
    path = f"/offering/desks/{office}/{service}"
    for asking, expected in (
        (system(wire, TRANSPORT, "transport"), "appointments.not_your_service"),
        (supervisor(wire, office, TRANSPORT), "appointments.not_your_service"),
        (supervisor(wire, elsewhere), "appointments.not_your_service"),
        (supervisor(wire, office, is_supervisor=False), "access.role_missing"),
    ):
        async with asking as client:
            for answer in (
                await client.put(path, json=desk), await client.put("/offering/slots", json=a_trip(office, service)),
            ):  # fmt: skip
                assert (answer.status_code, answer.json()["code"]) == (403, expected)
    async with supervisor(wire, office) as client:
        assert (await client.put(path, json=desk)).status_code == 200
        assert [one["slug"] for one in (await client.get("/offering/services")).json()["services"]] == ["bus"]


async def test_a_department_sees_what_a_change_would_do_before_it_is_put(db, appointments, wire):
    office, service = await a_line(db, appointments)
    weekly = [{"weekday": 3, "opens": "09:00", "closes": "12:00"}]
    desk = {"slot_minutes": 60, "places": 1, "openings": weekly}
    path, rule = f"/offering/desks/{office}/{service}", f"/offering/rules/{uuid4()}"
    closed = {
        "office_id": str(office), "service_id": str(service), "sort": "closed", "first_day": "2026-03-05",
        "last_day": "2026-03-05", "reason_zh": "盘点", "reason_en": "Stocktaking",
    }  # fmt: skip
    async with system(wire) as parks:
        await parks.put(path, json=desk)
        assert (await parks.post(f"{path}/apply", json=DECISION)).json()["appeared"] > 0
        slot = await db.fetchval("SELECT slot_id FROM appointments.slot WHERE starts_at = $1", ELEVEN)
        await appointments.book(an_id(), slot, a_person())
        would = (await parks.post(f"{path}/preview", json={"desk": desk | {"openings": []}})).json()
        assert (would["conflicting"], would["appear"]) == (1, 0)
        assert (await parks.post(f"{path}/preview", json={})).json()["go"] == 0, "nothing was written"
        assert (await parks.put(rule, json=closed)).status_code == 200
        assert (await parks.post(f"{path}/preview", json={})).json()["go"] == 3
        assert [one["sort"] for one in (await parks.get(path)).json()["rules"]] == ["closed"]
        assert (await parks.delete(rule)).status_code == 200
        assert (await parks.post(f"{path}/preview", json={})).json()["go"] == 0
        other = await parks.put(rule, json=closed | {"sort": "hours"})
        assert (other.status_code, other.json()["code"]) == (422, "appointments.offer_unsound")


async def test_terms_are_put_with_their_questions_and_unsound_ones_refused(db, appointments, wire):
    _, service = await a_line(db, appointments)
    question = {"code": "plate", "label_zh": "车牌", "label_en": "Plate", "sort": "text", "choices": []}
    terms = {
        "lead_minutes": 30, "horizon_days": 7, "release_minute": 480, "cancel_minutes": 60, "is_gated": False,
        "is_for_others": True, "questions": [question],
    }  # fmt: skip
    async with system(wire) as parks:
        path = f"/offering/services/{service}/terms"
        put = (await parks.put(path, json=terms)).json()
        assert (put["release_minute"], put["questions"][0]["code"]) == (480, "plate")
        for wrong, code in (
            ([question, question], "appointments.offer_unsound"),
            ([question | {"sort": "choice"}], "appointments.offer_unsound"),
            ([question | {"label_zh": "车\u0000牌"}], "request.malformed"),
        ):
            answer = await parks.put(path, json=terms | {"questions": wrong})
            assert answer.json()["code"] == code


async def test_the_live_position_of_a_bus_is_relayed_and_a_department_that_is_away_is_said_so(db, appointments, wire):
    office, service = await a_line(db, appointments)
    async with system(wire) as parks:
        seven = (await parks.put("/offering/slots", json=a_trip(office, service))).json()["slot_id"]
        other = {**ROUTE, "vehicle": "bus-8"}
        eight = (await parks.put("/offering/slots", json=a_trip(office, service, "8", detail=other))).json()["slot_id"]
        walk = {name: value for name, value in ROUTE.items() if name != "vehicle"}
        none = (await parks.put("/offering/slots", json=a_trip(office, service, "9", detail=walk))).json()["slot_id"]
    async with wire.resident(a_person()) as resident:
        found = (await resident.get(f"/trips/{seven}/position")).json()
        assert (found["latitude"], found["is_stand_in"]) == (31.2, True)
        assert datetime.fromisoformat(found["as_of"]) == in_shanghai(ELEVEN)
        away = await resident.get(f"/trips/{eight}/position")
        assert (away.status_code, away.json()["code"]) == (503, "appointments.position_away")
        assert away.headers["retry-after"] == "5"
        assert (await resident.get(f"/trips/{none}/position")).json()["code"] == NoLivePosition.code
        assert (await resident.get(f"/trips/{uuid4()}/position")).status_code == 404
    appointments.departments = NoDepartments()
    async with wire.resident(a_person()) as resident:
        assert (await resident.get(f"/trips/{seven}/position")).json()["code"] == NoLivePosition.code
