"""What an office opens follows its rules and the public calendar, and a year nobody knows never stops it."""

from datetime import date, datetime, time, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from appointments.calendars import keeping
from appointments.calendars.working_days import CalendarDay, DaySort, Source
from appointments.errors import YearUnknown
from appointments.model import Desk, Lane, Opening
from appointments.offices import offering, queries
from appointments.offices.rules import Rule, RuleOpening, RuleSort
from kernel.clock import in_shanghai
from tests.builders_appointments import (
    a_desk,
    a_person,
    a_service,
    an_id,
    an_office,
    at,
    disagreements,
    open_appointments,
)

OPERATOR = "operator:1"


@pytest.fixture
async def appointments(db, clock, keys):
    return await open_appointments(db, clock, keys)


async def planted(db, **more) -> Desk:
    office, service = await an_office(db), await a_service(db)
    desk = replace(a_desk(office, service, places=2), openings=tuple(Opening(d, time(9), time(10)) for d in range(5)))
    desk = replace(desk, **more)
    await offering.plant(db, desks=[desk])
    return desk


async def days(db, lane: Lane = Lane.NORMAL) -> set[date]:
    """The days that somebody could book."""
    rows = await db.fetch(
        "SELECT starts_at FROM appointments.slot WHERE withdrawn_at IS NULL AND lane = $1 AND places > 0", lane
    )
    return {in_shanghai(row[0]).date() for row in rows}


def told(day: date, sort: DaySort, as_weekday: int | None = None) -> CalendarDay:
    return CalendarDay(day=day, sort=sort, as_weekday=as_weekday, name_zh="说", name_en="said", source=Source.OPERATOR)


async def test_nothing_is_offered_on_a_public_holiday_and_a_make_up_sunday_is_worked(db, appointments, clock):
    at(clock, datetime.fromisoformat("2026-09-14T08:00+08:00"))
    await planted(db)
    await appointments.offer_ahead()
    offered = await days(db)
    assert date(2026, 9, 20) in offered, "a Sunday worked for National Day"
    assert date(2026, 9, 25) not in offered, "Mid-autumn Festival, a Friday"
    assert {date(2026, 9, 24), date(2026, 9, 28), date(2026, 9, 30)} <= offered


async def test_a_year_the_library_does_not_know_is_offered_by_weekdays_and_marked(db, appointments, clock):
    at(clock, datetime.fromisoformat("2031-09-22T08:00+08:00"))
    await planted(db)
    assert await appointments.offer_ahead() > 0
    assert date(2031, 10, 1) in await days(db)
    assert (await keeping.read_year(db, 2031)).is_assumed(2031)
    with pytest.raises(YearUnknown):
        await keeping.fill_year(db, clock, 2031, actor=OPERATOR)
    assert await disagreements(db) == []


async def test_an_operator_says_a_year_that_the_library_does_not_know_and_hours_are_planned_anew(
    db, appointments, clock
):
    at(clock, datetime.fromisoformat("2031-09-22T08:00+08:00"))
    await planted(db)
    await appointments.offer_ahead()
    await keeping.put_year(db, clock, 2031, [told(date(2031, 10, 1), DaySort.HOLIDAY)], actor=OPERATOR)
    await appointments.offer_ahead()
    assert date(2031, 10, 1) not in await days(db)
    assert not (await keeping.read_year(db, 2031)).is_assumed(2031)
    assert await disagreements(db) == []


async def test_a_day_an_operator_puts_holds_until_it_is_reset_and_the_hours_come_back(db, appointments, clock):
    await planted(db)
    await appointments.offer_ahead()
    thursday = date(2026, 3, 5)
    before = await days(db)
    await keeping.put_day(db, clock, told(thursday, DaySort.HOLIDAY), actor=OPERATOR)
    await appointments.offer_ahead()
    assert await days(db) == before - {thursday}
    assert await disagreements(db) == []
    await keeping.fill_year(db, clock, 2026, actor=OPERATOR)
    assert thursday in (await keeping.read_year(db, 2026)).days, "filling leaves what an operator put"
    await keeping.reset_day(db, clock, thursday, actor=OPERATOR)
    await appointments.offer_ahead()
    assert await days(db) == before
    assert await disagreements(db) == []
    [slot_id] = [row[0] for row in await db.fetch(
        "SELECT slot_id FROM appointments.slot WHERE starts_at = $1", datetime.fromisoformat("2026-03-05T09:00+08:00")
    )]  # fmt: skip
    assert (await appointments.book(an_id(), slot_id, a_person())).slot_id == slot_id


async def test_lanes_lie_beside_the_normal_hours_and_a_season_opens_an_evening(db, appointments, clock):
    desk = await planted(db, lanes={Lane.URGENT: 1})
    evening = Rule(
        rule_id=uuid4(), office_id=desk.office_id, service_id=desk.service_id, sort=RuleSort.SEASON,
        first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), made_by="staff:1", made_at=clock.now(),
        openings=(RuleOpening(weekday=1, opens=time(18), closes=time(20), lane=Lane.DEFERRED),),
    )  # fmt: skip
    async with db.transaction() as conn:
        await queries.put_rule(conn, evening)
    await appointments.offer_ahead()
    assert await days(db, Lane.DEFERRED) == {date(2026, 3, 3), date(2026, 3, 10), date(2026, 3, 17)}
    assert await days(db, Lane.URGENT) == await days(db)


async def test_a_change_that_comes_while_hours_are_being_made_is_not_lost(db, appointments, clock):
    desk = await planted(db)
    async with db.connection() as conn:
        [seen] = await queries.select_desks(conn)
    await offering.plant(db, desks=[replace(desk, places=5)])
    async with db.transaction() as conn:
        await queries.set_offered_until(conn, seen, date(2026, 3, 18))
    async with db.connection() as conn:
        [now] = await queries.select_desks(conn)
    assert (now.rules_version, now.offered_until) == (seen.rules_version + 1, None)


async def test_terms_that_change_give_the_hours_still_ahead_their_new_moments(db, appointments, clock):
    desk = await planted(db)
    await appointments.offer_ahead()
    async with db.connection() as conn:
        [service] = await queries.select_services(conn)
    await offering.plant(db, services=[replace(service, horizon_days=7, release_minute=480, lead_minutes=60)])
    await appointments.offer_ahead()
    nine = datetime.fromisoformat("2026-03-12T09:00+08:00")
    opens, closes = await db.fetchrow(
        "SELECT opens_at, closes_at FROM appointments.slot WHERE starts_at = $1 AND service_id = $2",
        nine, desk.service_id,
    )  # fmt: skip
    assert opens == datetime.fromisoformat("2026-03-05T08:00+08:00")
    assert closes == nine - timedelta(hours=1)
    assert await disagreements(db) == []
