"""An office closes, or keeps other hours, in all it offers; and every change can be looked at before it is put."""

from datetime import date, datetime, time
from uuid import UUID, uuid4

import httpx
import pytest
from msgspec.structs import replace

from appointments.model import Desk, Opening, service_id_of
from appointments.offices import offering, queries
from appointments.offices.replanning import deciding
from appointments.offices.replanning.moving import Decision, OnConflict
from appointments.parts import Appointments
from kernel.clock import StoppedClock, in_shanghai
from kernel.db import Database
from kernel.ids import DepartmentId, OfficeId, SessionId, StaffId
from kernel.principal import Audience, DepartmentSystem, Staff
from kernel.sealing import Keys
from tests.builders_appointments import (
    Wire,
    a_desk,
    a_person,
    a_service,
    an_id,
    an_office,
    disagreements,
    messages,
    open_appointments,
)

TUESDAY = date(2026, 3, 3)
POLICE, CIVIL = DepartmentId(uuid4()), DepartmentId(uuid4())
CLOSED = {
    "sort": "closed", "first_day": "2026-03-03", "last_day": "2026-03-03", "reason_zh": "停电检修",
    "reason_en": "Power works",
}  # fmt: skip
LATER = CLOSED | {"sort": "hours", "openings": [{"opens": "10:00", "closes": "11:00"}]}
DECISION = {"on_conflict": "move", "reason_zh": "停电检修"}


class Slugs:
    """The departments as the entrance knows them."""

    async def slug_of(self, department_id: DepartmentId) -> str | None:
        return {POLICE: "police", CIVIL: "civil_affairs"}.get(department_id)


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    opened = await open_appointments(db, clock, keys)
    opened.departments = Slugs()
    return opened


@pytest.fixture
async def office_id(db: Database, appointments: Appointments) -> OfficeId:
    """Two services of two departments at one office, two places each half hour, offered."""
    office = await an_office(db)
    services = [await a_service(db, "passport"), await a_service(db, "marriage")]
    async with db.connection() as conn:
        [marriage] = [one for one in await queries.select_services(conn) if one.slug == "marriage"]
    await offering.plant(db, services=[replace(marriage, department="civil_affairs")])
    await offering.plant(db, desks=[a_desk(office, service) for service in services])
    await appointments.offer_ahead()
    return office


def a_system(department_id: DepartmentId, slug: str) -> DepartmentSystem:
    return DepartmentSystem(department_id, slug, "某局")


@pytest.fixture
def supervisor(appointments: Appointments, office_id: OfficeId) -> httpx.AsyncClient:
    return supervisor_of(appointments, office_id)


def supervisor_of(appointments: Appointments, office_id: OfficeId) -> httpx.AsyncClient:
    staff = Staff(StaffId(uuid4()), SessionId(uuid4()), POLICE, office_id, is_supervisor=True)
    return Wire(appointments).signed_in(Audience.DEPARTMENT, staff)


async def booked_on_tuesday(db: Database, appointments: Appointments, slug: str, hour: int = 9) -> None:
    nine = datetime.combine(TUESDAY, time(hour), in_shanghai(appointments.clock.now()).tzinfo)
    slot = await db.fetchval(
        "SELECT slot_id FROM appointments.slot WHERE starts_at = $1 AND service_id = $2", nine, service_id_of(slug)
    )
    await appointments.book(an_id(), slot, a_person())


async def open_days(db: Database, slug: str) -> set[date]:
    rows = await db.fetch(
        "SELECT starts_at FROM appointments.slot WHERE service_id = $1 AND withdrawn_at IS NULL", service_id_of(slug)
    )
    return {in_shanghai(row[0]).date() for row in rows}


async def everything_kept(db: Database) -> list[object]:
    return [
        [tuple(row) for row in await db.fetch(statement)]
        for statement in (
            "SELECT rule_id, sort, withdrawn_at FROM appointments.rule ORDER BY 1",
            "SELECT office_id, service_id, rules_version, offered_until FROM appointments.office_service ORDER BY 1, 2",
            "SELECT slot_id, places, withdrawn_at FROM appointments.slot ORDER BY 1",
            "SELECT act, subject FROM kernel.audit ORDER BY at, entry_id",
        )
    ]


async def test_a_rule_of_an_office_holds_for_every_service_there_and_moves_who_is_booked(
    db: Database, appointments: Appointments, office_id: OfficeId, supervisor: httpx.AsyncClient
):
    await booked_on_tuesday(db, appointments, "passport")
    await booked_on_tuesday(db, appointments, "marriage")
    office, rule_id = f"/offering/offices/{office_id}", uuid4()
    put = await supervisor.put(f"{office}/rules/{rule_id}", json=CLOSED)
    assert (put.status_code, put.json()["service_id"]) == (200, None)
    assert (await supervisor.put(f"{office}/rules/{rule_id}", json=CLOSED)).status_code == 200
    shown = (await supervisor.get(office)).json()
    assert [one["rule_id"] for one in shown["rules"]] == [str(rule_id)]
    assert {one["department"] for one in shown["services"]} == {"police", "civil_affairs"}
    preview = (await supervisor.post(f"{office}/preview", json={})).json()
    assert (preview["conflicting"], [one["preview"]["go"] for one in preview["services"]]) == (2, [5, 5])
    applied = (await supervisor.post(f"{office}/apply", json=DECISION)).json()
    assert applied["is_done"] is True
    assert [one["applied"]["moved"] for one in applied["services"]] == [1, 1]
    assert TUESDAY not in await open_days(db, "passport") | await open_days(db, "marriage")
    assert await messages(db, "booking_moved_by_office") == 2
    acts = {row[0] for row in await db.fetch("SELECT act FROM kernel.audit")}
    assert {"appointments.put_rule", "appointments.replan", "appointments.move_booking"} <= acts
    withdrawn = await supervisor.delete(f"/offering/rules/{rule_id}")
    assert withdrawn.status_code == 200
    await appointments.offer_ahead()
    assert TUESDAY in await open_days(db, "passport") & await open_days(db, "marriage")
    assert await disagreements(db) == []


async def test_a_rule_that_is_not_put_yet_is_looked_at_and_nothing_is_written(
    db: Database, appointments: Appointments, office_id: OfficeId, supervisor: httpx.AsyncClient
):
    await booked_on_tuesday(db, appointments, "passport")
    await booked_on_tuesday(db, appointments, "passport", hour=10)
    await booked_on_tuesday(db, appointments, "marriage")
    before = await everything_kept(db)
    office, desk = f"/offering/offices/{office_id}", f"/offering/desks/{office_id}/{service_id_of('passport')}"
    whole = (await supervisor.post(f"{office}/preview", json={"rule": CLOSED})).json()
    shorter = (await supervisor.post(f"{desk}/preview", json={"rule": LATER})).json()
    nothing = (await supervisor.post(f"{desk}/preview", json={})).json()
    assert (whole["conflicting"], [one["preview"]["go"] for one in whole["services"]]) == (3, [5, 5])
    assert (shorter["go"], shorter["conflicting"]) == (3, 1)
    assert (nothing["go"], nothing["appear"], nothing["conflicting"]) == (0, 0, 0)
    assert await everything_kept(db) == before


async def test_what_is_looked_at_is_what_is_done(
    db: Database, appointments: Appointments, office_id: OfficeId, supervisor: httpx.AsyncClient, clock: StoppedClock
):
    passport = service_id_of("passport")
    await booked_on_tuesday(db, appointments, "passport")
    desk, rule_id = f"/offering/desks/{office_id}/{passport}", uuid4()
    named = {"office_id": str(office_id), "service_id": str(passport)}
    assert (await supervisor.put(f"/offering/rules/{rule_id}", json=CLOSED | named)).status_code == 200
    proposed = LATER | {"rule_id": str(rule_id)}  # in place of the closed day
    seen = (await supervisor.post(f"{desk}/preview", json={"rule": proposed})).json()
    beside = (await supervisor.post(f"{desk}/preview", json={"rule": LATER})).json()
    assert (seen["go"], beside["go"]) == (3, 5), "closed wins while it stands"
    await supervisor.put(f"/offering/rules/{rule_id}", json=LATER | named)
    done = (await supervisor.post(f"{desk}/apply", json=DECISION)).json()
    assert (done["withdrawn"], done["moved"], done["is_done"]) == (seen["go"], seen["conflicting"], True)
    assert await disagreements(db) == []


async def test_a_proposed_rule_of_a_holiday_means_it(
    db: Database, appointments: Appointments, office_id: OfficeId, supervisor: httpx.AsyncClient, clock: StoppedClock
):
    clock.advance(datetime.fromisoformat("2026-09-25T08:00+08:00") - clock.now())
    await appointments.offer_ahead()
    golden = {"first_day": "2026-10-01", "last_day": "2026-10-02"}
    asked = {"rule": LATER | golden}
    preview = (await supervisor.post(f"/offering/offices/{office_id}/preview", json=asked)).json()
    assert [one["preview"]["appear"] for one in preview["services"]] == [4, 4]


async def test_only_who_answers_for_an_office_rules_all_of_it(
    db: Database, appointments: Appointments, office_id: OfficeId
):
    elsewhere = await an_office(db, "pudong", district="310115")
    path, wire = f"/offering/offices/{office_id}/rules/{uuid4()}", Wire(appointments)
    one_of_two, other_office = a_system(POLICE, "police"), supervisor_of(appointments, elsewhere)
    clerk = Staff(StaffId(uuid4()), SessionId(uuid4()), POLICE, office_id)
    for client in (wire.signed_in(Audience.DEPARTMENT, one_of_two), other_office):
        refused = await client.put(path, json=CLOSED)
        assert (refused.status_code, refused.json()["code"]) == (403, "appointments.not_your_office")
        for what in ("preview", "apply"):
            body = {"preview": {"rule": CLOSED}, "apply": DECISION}[what]
            assert (await client.post(f"/offering/offices/{office_id}/{what}", json=body)).status_code == 403
        assert (await client.get(f"/offering/offices/{office_id}")).status_code == 403
    assert (await wire.signed_in(Audience.DEPARTMENT, clerk).put(path, json=CLOSED)).status_code == 403
    nowhere = await other_office.put(f"/offering/offices/{uuid4()}/rules/{uuid4()}", json=CLOSED)
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "appointments.office_not_found")
    assert await db.fetchval("SELECT count(*) FROM appointments.rule") == 0


async def test_a_department_that_offers_all_there_is_rules_the_whole_office(db: Database, appointments: Appointments):
    office = await an_office(db, "registry")
    await offering.plant(db, desks=[a_desk(office, await a_service(db))])
    async with Wire(appointments).signed_in(Audience.DEPARTMENT, a_system(POLICE, "police")) as system:
        rule = f"/offering/offices/{office}/rules/{uuid4()}"
        assert (await system.put(rule, json=CLOSED)).status_code == 200
        assert (await system.put(rule, json=LATER)).json()["sort"] == "hours"
    async with Wire(appointments).signed_in(Audience.DEPARTMENT, a_system(CIVIL, "civil_affairs")) as other:
        assert (await other.put(rule, json=CLOSED)).status_code == 403
        withdrawn = await other.delete(f"/offering/rules/{UUID(rule[-36:])}")
        assert (withdrawn.status_code, withdrawn.json()["code"]) == (403, "appointments.not_your_office")


async def test_a_rule_id_of_a_service_is_not_taken_over_for_the_office(
    db: Database, appointments: Appointments, office_id: OfficeId, supervisor: httpx.AsyncClient
):
    rule_id, passport = uuid4(), service_id_of("passport")
    named = {"office_id": str(office_id), "service_id": str(passport)}
    await supervisor.put(f"/offering/rules/{rule_id}", json=CLOSED | named)
    taken = await supervisor.put(f"/offering/offices/{office_id}/rules/{rule_id}", json=CLOSED)
    assert (taken.status_code, taken.json()["code"]) == (409, "appointments.rule_id_taken")


async def test_an_offices_change_that_is_more_than_one_call_does_is_finished_by_the_next(
    db: Database, appointments: Appointments, office_id: OfficeId, clock: StoppedClock
):
    for slug in ("passport", "marriage"):
        await booked_on_tuesday(db, appointments, slug)
        await booked_on_tuesday(db, appointments, slug)
    services = [service_id_of("passport"), service_id_of("marriage")]
    later = tuple(Opening(day, time(10), time(11, 30)) for day in range(5))
    desks: list[Desk] = [replace(a_desk(office_id, service), openings=later) for service in services]
    await offering.plant(db, desks=desks)
    decision = Decision(on_conflict=OnConflict.MOVE, reason_zh="检修", actor="staff:1")
    rounds = 0
    while True:
        done = await deciding.apply_in_office(
            db, clock, appointments.mover, office_id, services, decision, slots_max=9, bookings_max=1
        )
        rounds += 1
        assert rounds < 30
        assert sum(one.withdrawn + one.fitted + one.appeared for one in done.values()) <= 9
        assert sum(one.moved + one.cancelled for one in done.values()) <= 1
        if all(one.is_done for one in done.values()):
            break
    assert rounds > 4
    assert await messages(db, "booking_moved_by_office") == 4
    assert await disagreements(db) == []
