"""Whoever does not come is told, may say why, and after three times pauses; what was not their doing never counts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from appointments.absence.model import REASON_MAX, STRIKES_MAX
from appointments.absence.queries import select_suspended
from appointments.absence.striking import waive_for_late_arrival
from appointments.desk.checking_in import check_in
from appointments.errors import Suspended
from appointments.model import SlotId, office_id_of
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import BUCKETS, BookingId, PersonId, SessionId, StaffId
from kernel.principal import Audience, DepartmentId, Staff
from tests.builders_appointments import (
    THURSDAY_TEN,
    Wire,
    a_person,
    a_slot,
    an_id,
    at,
    close_the_day,
    messages,
    open_appointments,
    remind_everybody,
)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
REASON = "当天住院，附住院证明"


@pytest.fixture
async def supervisor(appointments: Appointments) -> AsyncIterator[httpx.AsyncClient]:
    async with staff(appointments, "xuhui", is_supervisor=True) as client:
        yield client


def staff(appointments: Appointments, office: str, *, is_supervisor: bool) -> httpx.AsyncClient:
    ids = StaffId(uuid4()), SessionId(uuid4()), DepartmentId(uuid4())
    principal = Staff(*ids, office_id_of(office), is_supervisor)
    return Wire(appointments).signed_in(Audience.DEPARTMENT, principal)


async def misses(
    db: Database, appointments: Appointments, clock: StoppedClock, person: PersonId, *, times: int = 1
) -> list[BookingId]:
    """Somebody books for tomorrow and does not come, several days in a row."""
    missed = []
    for _ in range(times):
        slot = await a_slot(db, starts_at=clock.now() + DAY)
        await appointments.catalogues.refresh()
        missed.append(an_id())
        await appointments.book(missed[-1], slot, person)
        clock.advance(2 * DAY)
        await the_day_ends(appointments)
    return missed


async def the_day_ends(appointments: Appointments) -> None:
    """Every beat of the worker, until there is nothing left to do: what is reminded of is closed after it."""
    while await remind_everybody(appointments):
        pass
    await close_the_day(appointments)


async def strikes(db: Database, person: PersonId) -> list[str]:
    rows = await db.fetch(
        "SELECT stage FROM appointments.strike WHERE person_id = $1 ORDER BY struck_at, booking_id", person
    )
    return [row["stage"] for row in rows]


async def is_suspended(db: Database, clock: StoppedClock, person: PersonId) -> bool:
    async with db.connection() as conn:
        return person in await select_suspended(conn, [person], now=clock.now())


async def the_appeal(supervisor: httpx.AsyncClient) -> dict[str, object]:
    [appeal] = (await supervisor.get("/appeals")).json()["appeals"]
    return appeal


async def test_a_missed_booking_is_one_strike_and_the_person_is_told_once(db, appointments, clock):
    person = a_person()
    [booking_id] = await misses(db, appointments, clock, person)
    await the_day_ends(appointments)
    assert await strikes(db, person) == ["standing"]
    assert await messages(db, "booking_missed") == 1
    row = await db.fetchrow("SELECT stage, ended_by FROM appointments.booking WHERE booking_id = $1", booking_id)
    assert tuple(row) == ("missed", "clock")
    assert not await is_suspended(db, clock, person)


async def test_whoever_came_or_cancelled_or_was_cancelled_is_not_struck(db, appointments, clock):
    slot, people = await a_slot(db, places=3), [a_person() for _ in range(3)]
    ids = [an_id() for _ in people]
    for person, booking_id in zip(people, ids, strict=True):
        await appointments.book(booking_id, slot, person)
    await appointments.cancel(people[0], ids[0])
    await db.fetchval(
        "UPDATE appointments.booking SET stage = 'cancelled', ended_by = 'office' WHERE booking_id = $1", ids[1]
    )
    at(clock, THURSDAY_TEN)
    await check_in(db, clock, StaffId(uuid4()), office_id_of("xuhui"), ids[2])
    clock.advance(2 * DAY)
    await the_day_ends(appointments)
    assert await db.fetchval("SELECT count(*) FROM appointments.strike") == 0
    assert await messages(db, "booking_missed") == 0


async def test_the_third_strike_in_ninety_days_pauses_booking_for_thirty(db, appointments, clock):
    person = a_person()
    await misses(db, appointments, clock, person, times=STRIKES_MAX - 1)
    assert not await is_suspended(db, clock, person)
    await misses(db, appointments, clock, person)
    assert await is_suspended(db, clock, person)
    assert await messages(db, "booking_suspended") == 1
    slot = await a_slot(db, starts_at=clock.now() + 40 * DAY)
    with pytest.raises(Suspended):
        await appointments.book(an_id(), slot, person)
    clock.advance(30 * DAY - SECOND)
    assert await is_suspended(db, clock, person)
    clock.advance(SECOND)
    assert await appointments.book(an_id(), slot, person)


async def test_strikes_older_than_ninety_days_do_not_count(db, appointments, clock):
    person = a_person()
    await misses(db, appointments, clock, person, times=STRIKES_MAX - 1)
    clock.advance(90 * DAY)
    await misses(db, appointments, clock, person)
    assert not await is_suspended(db, clock, person)


async def test_what_was_booked_before_the_pause_can_still_be_moved_and_cancelled(db, appointments, clock):
    person = a_person()
    await misses(db, appointments, clock, person, times=STRIKES_MAX - 1)
    ahead = await a_slot(db, service="licence", starts_at=clock.now() + 20 * DAY)
    later = await a_slot(db, service="licence", starts_at=clock.now() + 21 * DAY)
    kept = await appointments.book(an_id(), ahead, person)
    await misses(db, appointments, clock, person)
    assert await is_suspended(db, clock, person)
    assert (await appointments.reschedule(person, kept.booking_id, later)).slot_id == later
    assert await appointments.cancel(person, kept.booking_id)


async def test_two_workers_that_close_one_persons_bookings_at_once_see_every_strike(
    db, database_url, appointments, clock, keys
):
    other_db = await Database.open(database_url, connections_max=4)
    other = await open_appointments(other_db, clock, keys)
    people = [a_person() for _ in range(6)]
    for person in people:
        await misses(db, appointments, clock, person)
    hours = [clock.now() + DAY + nth * timedelta(hours=1) for nth in range(2)]
    slots = [await a_slot(db, places=6, service=f"service-{nth}", starts_at=hour) for nth, hour in enumerate(hours)]
    for person in people:
        for slot in slots:
            await appointments.book(an_id(), slot, person)
    clock.advance(2 * DAY)
    while await remind_everybody(appointments):
        pass
    await asyncio.gather(*(one.close_due(bucket) for bucket in range(BUCKETS) for one in (appointments, other)))
    await other_db.close()
    assert [await is_suspended(db, clock, person) for person in people] == [True] * len(people)
    assert await messages(db, "booking_missed") == 3 * len(people)
    assert await messages(db, "booking_suspended") == len(people)


async def test_an_appeal_is_made_once_sealed_and_counts_until_it_is_decided(db, appointments, clock, supervisor):
    person = a_person()
    [booking_id] = await misses(db, appointments, clock, person)
    async with Wire(appointments).resident(person) as resident:
        path = f"/strikes/{booking_id}/appeal"
        said = await resident.post(path, json={"reason": REASON})
        assert (said.status_code, said.json()["stage"]) == (200, "appealed")
        assert (await resident.post(path, json={"reason": REASON})).json() == said.json()
        again = await resident.post(path, json={"reason": "别的理由"})
        assert (again.status_code, again.json()["code"]) == (409, "appointments.appeal_twice")
        assert (await resident.post(f"/strikes/{uuid4()}/appeal", json={"reason": REASON})).status_code == 404
        mine = (await resident.get("/strikes")).json()
        assert (mine["counted"], mine["most"], mine["suspension"]) == (1, STRIKES_MAX, None)
    assert REASON.encode() not in await db.fetchval("SELECT appeal FROM appointments.strike")
    appeal = await the_appeal(supervisor)
    assert appeal["reason"] == REASON
    assert str(person) not in str(appeal)
    assert str(booking_id) not in str(appeal)


async def test_an_appeal_is_said_in_as_many_lines_as_it_takes_and_in_no_other_way_than_it_reads(
    db, appointments, clock, supervisor
):
    person = a_person()
    [booking_id] = await misses(db, appointments, clock, person)
    async with Wire(appointments).resident(person) as resident:
        path = f"/strikes/{booking_id}/appeal"
        for wrong in ("", "\u202e", "一\r\n二", "字" * (REASON_MAX + 1)):
            assert (await resident.post(path, json={"reason": wrong})).status_code == 400
        assert (await resident.post(path, json={"reason": "地铁停运。\n有公告为证。"})).status_code == 200
    assert (await the_appeal(supervisor))["reason"] == "地铁停运。\n有公告为证。"


async def test_a_waived_strike_ends_the_pause_it_led_to_in_the_same_moment(db, appointments, clock, supervisor):
    person = a_person()
    missed = await misses(db, appointments, clock, person, times=STRIKES_MAX)
    async with Wire(appointments).resident(person) as resident:
        assert (await resident.get("/strikes")).json()["suspension"] is not None
        await resident.post(f"/strikes/{missed[0]}/appeal", json={"reason": REASON})
        path = f"/appeals/{(await the_appeal(supervisor))['strike_id']}/decision"
        decided = await supervisor.post(path, json={"verdict": "waived"})
        assert (decided.status_code, decided.json()["stage"]) == (200, "waived")
        assert (await supervisor.post(path, json={"verdict": "waived"})).json() == decided.json()
        other = await supervisor.post(path, json={"verdict": "upheld"})
        assert (other.status_code, other.json()["code"]) == (409, "appointments.appeal_decided")
        mine = (await resident.get("/strikes")).json()
        assert (mine["counted"], mine["suspension"]) == (STRIKES_MAX - 1, None)
    assert (await supervisor.get("/appeals")).json() == {"appeals": [], "next": None}
    assert await messages(db, "appeal_decided") == 1
    acts = await db.fetch("SELECT subject, detail::text FROM kernel.audit WHERE act = 'appointments.decide_appeal'")
    assert [row["subject"] for row in acts] == [f"booking:{missed[0]}"]
    assert '"lifted": true' in acts[0]["detail"]
    assert await appointments.book(an_id(), await a_slot(db, starts_at=clock.now() + DAY), person)


async def test_an_upheld_strike_counts_on_and_the_pause_stays(db, appointments, clock, supervisor):
    person = a_person()
    missed = await misses(db, appointments, clock, person, times=STRIKES_MAX)
    async with Wire(appointments).resident(person) as resident:
        await resident.post(f"/strikes/{missed[1]}/appeal", json={"reason": REASON})
    path = f"/appeals/{(await the_appeal(supervisor))['strike_id']}/decision"
    await supervisor.post(path, json={"verdict": "upheld"})
    assert sorted(await strikes(db, person)) == ["standing", "standing", "upheld"]
    assert await is_suspended(db, clock, person)


async def test_only_the_supervisor_of_that_office_sees_and_decides(db, appointments, clock, supervisor):
    person = a_person()
    [booking_id] = await misses(db, appointments, clock, person)
    async with Wire(appointments).resident(person) as resident:
        await resident.post(f"/strikes/{booking_id}/appeal", json={"reason": REASON})
    path = f"/appeals/{(await the_appeal(supervisor))['strike_id']}/decision"
    async with staff(appointments, "xuhui", is_supervisor=False) as clerk:
        assert (await clerk.get("/appeals")).status_code == 403
        assert (await clerk.post(path, json={"verdict": "waived"})).status_code == 403
    async with staff(appointments, "pudong", is_supervisor=True) as elsewhere:
        assert (await elsewhere.get("/appeals")).json()["appeals"] == []
        assert (await elsewhere.post(path, json={"verdict": "waived"})).status_code == 404
    assert await strikes(db, person) == ["appealed"]


async def test_appeals_are_paged_longest_ago_first(db, appointments, clock, supervisor):
    for _ in range(5):
        person = a_person()
        [booking_id] = await misses(db, appointments, clock, person)
        async with Wire(appointments).resident(person) as resident:
            await resident.post(f"/strikes/{booking_id}/appeal", json={"reason": REASON})
    seen, cursor = [], None
    for _ in range(4):
        page = (await supervisor.get("/appeals", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [one["appealed_at"] for one in page["appeals"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert seen == sorted(seen)


async def test_whoever_comes_after_all_is_not_struck_and_a_pause_it_led_to_ends(db, appointments, clock):
    person = a_person()
    missed = await misses(db, appointments, clock, person, times=STRIKES_MAX)
    assert await is_suspended(db, clock, person)
    async with db.transaction() as conn:
        by = f"staff:{UUID(int=1)}"
        assert await waive_for_late_arrival(conn, person, missed[-1], decided_by=by, now=clock.now())
        assert not await waive_for_late_arrival(conn, person, missed[-1], decided_by=by, now=clock.now())
    assert not await is_suspended(db, clock, person)
    assert sorted(await strikes(db, person)) == ["standing", "standing", "waived"]


async def test_beats_played_beside_each_other_strike_once(db, appointments, clock):
    slot: SlotId = await a_slot(db)
    person, booking_id = a_person(), an_id()
    await appointments.book(booking_id, slot, person)
    at(clock, THURSDAY_TEN + 2 * DAY)
    while await remind_everybody(appointments):
        pass
    await asyncio.gather(*(close_the_day(appointments) for _ in range(3)))
    assert await strikes(db, person) == ["standing"]
    assert await messages(db, "booking_missed") == 1
