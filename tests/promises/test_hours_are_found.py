"""A resident finds the hours they ask for: earliest or nearest first, page by page, each once."""

from datetime import date, datetime, time, timedelta
from random import Random

import pytest

from appointments.errors import CursorUnknown, DaysOutOfRange
from appointments.model import DayPart, Lane, Office, Slot, office_id_of, slot_id_of
from appointments.offices import offering, searching
from appointments.offices.measuring import Point, metres_between
from appointments.offices.searching import Offer, Order, Wish, search
from appointments.parts import Appointments
from kernel.clock import SHANGHAI
from kernel.db import Database
from kernel.ids import ServiceId
from tests.builders_appointments import THURSDAY_TEN, Wire, a_person, a_service, a_slot, an_id

MONDAY = date(2026, 3, 2)
SQUARE = Point(31.2304, 121.4737)
"""People's Square."""
DISTRICTS = ("310101", "310104", "310115")
LANES = (Lane.NORMAL, Lane.NORMAL, Lane.URGENT, Lane.SPECIAL)
OFFICES = 9
DAYS = 4


def an_office_at(number: int, chance: Random) -> Office:
    """One of several; the last has no known position."""
    north, east = chance.uniform(-0.2, 0.2), chance.uniform(-0.2, 0.2)
    where = {"latitude": SQUARE.latitude + north, "longitude": SQUARE.longitude + east}
    where = {} if number == OFFICES - 1 else where
    return Office(
        office_id=office_id_of(f"centre-{number}"), slug=f"centre-{number}", name_zh=f"第{number}中心",
        name_en=f"Centre {number}", district=DISTRICTS[number % 3], address="样板路", phone="021-00008002", **where,
    )  # fmt: skip


async def a_city(db: Database, chance: Random) -> tuple[ServiceId, list[Slot]]:
    """Slots of one service at several offices on several days, in every lane and part of the day; some are sold out."""
    service = await a_service(db)
    offices = [an_office_at(number, chance) for number in range(OFFICES)]
    await offering.plant(db, offices=offices)
    slots = []
    for office in offices:
        for day in range(DAYS):
            for hour in (9, 11, 13, 16, 19):
                starts_at = datetime.combine(MONDAY + timedelta(days=1 + day), time(hour), SHANGHAI)
                lane = chance.choice(LANES)
                slots.append(
                    Slot(
                        slot_id=slot_id_of(office.office_id, service, starts_at, lane),
                        office_id=office.office_id,
                        service_id=service,
                        district=office.district,
                        starts_at=starts_at,
                        ends_at=starts_at + timedelta(hours=1),
                        places=1,
                        lane=lane,
                    )
                )
    await offering.offer(db, slots)
    async with db.connection() as conn:
        await conn.execute(
            "UPDATE appointments.place SET person_id = $1, booking_id = $1 WHERE slot_id = ANY ($2)",
            a_person(), [slot.slot_id for slot in slots if chance.random() < 0.5],
        )  # fmt: skip
    return service, slots


async def everything(
    appointments: Appointments, wish: Wish, *, order: Order = Order.TIME, limit: int = 7
) -> list[Offer]:
    """All pages of a search, one after the other."""
    await appointments.catalogues.refresh()
    found, cursor = [], None
    while True:
        page = await search(
            appointments.db, appointments.clock, appointments.catalogues.current, wish, cursor, limit, order
        )
        assert len(page.offers) <= limit
        found += page.offers
        cursor = page.next
        if cursor is None:
            return found


async def free_slots(db: Database) -> set[object]:
    return {row[0] for row in await db.fetch("SELECT slot_id FROM appointments.place WHERE booking_id IS NULL")}


def a_wish(service: ServiceId, chance: Random, slots: list[Slot]) -> Wish:
    first = MONDAY + timedelta(days=chance.randrange(3))
    return Wish(
        service_id=service,
        first_day=first,
        last_day=first + timedelta(days=chance.randrange(DAYS)),
        district=chance.choice([None, None, *DISTRICTS]),
        office_id=chance.choice([None, None, chance.choice(slots).office_id]),
        day_part=chance.choice([None, *DayPart]),
        lane=chance.choice([None, *Lane]),
        only_free=chance.random() < 0.5,
        near=chance.choice([None, SQUARE]),
    )


def is_meant(slot: Slot, wish: Wish, free: set[object]) -> bool:
    day = slot.starts_at.astimezone(SHANGHAI).date()
    return (
        wish.first_day <= day <= wish.last_day
        and wish.district in (None, slot.district)
        and wish.office_id in (None, slot.office_id)
        and wish.day_part in (None, slot.day_part)
        and wish.lane in (None, slot.lane)
        and (not wish.only_free or slot.slot_id in free)
    )


@pytest.mark.parametrize("seed", range(3))
async def test_every_search_finds_what_looking_at_everything_finds(db, appointments, seed):
    chance = Random(seed)
    service, slots = await a_city(db, chance)
    free = await free_slots(db)
    await appointments.catalogues.refresh()
    offices = appointments.catalogues.current.offices
    for _ in range(40):
        wish = a_wish(service, chance, slots)
        meant = [slot for slot in slots if is_meant(slot, wish, free)]
        found = await everything(appointments, wish, limit=chance.choice([1, 5, 100]))
        in_time = sorted(meant, key=lambda slot: (slot.starts_at, slot.slot_id))
        assert [offer.slot.slot_id for offer in found] == [slot.slot_id for slot in in_time]
        assert all(offer.free == (offer.slot.slot_id in free) for offer in found)
        if wish.near is None:
            continue
        nearest = await everything(appointments, wish, order=Order.DISTANCE, limit=chance.choice([1, 5, 100]))
        metres = {slot.slot_id: _metres(offices[slot.office_id]) for slot in meant}
        placed = [slot for slot in meant if metres[slot.slot_id] is not None]
        placed.sort(key=lambda slot: (metres[slot.slot_id], slot.starts_at, slot.slot_id))
        assert [offer.slot.slot_id for offer in nearest] == [slot.slot_id for slot in placed]
        assert [offer.distance_m for offer in nearest] == [metres[slot.slot_id] for slot in placed]


def _metres(office: Office) -> int | None:
    if office.latitude is None or office.longitude is None:
        return None
    return metres_between(SQUARE, Point(office.latitude, office.longitude))


async def test_a_search_finds_the_days_and_district_asked_for_and_what_is_free(db, appointments):
    near = await a_slot(db, places=2)
    far = await a_slot(db, office="pudong", district="310115", starts_at=THURSDAY_TEN + timedelta(hours=1))
    await a_slot(db, service="licence")
    await a_slot(db, starts_at=THURSDAY_TEN + timedelta(days=1))
    await appointments.book(an_id(), near, a_person())
    service = await a_service(db)
    thursday = Wish(service_id=service, first_day=date(2026, 3, 5), last_day=date(2026, 3, 5))
    found = await everything(appointments, thursday)
    assert [(offer.slot.slot_id, offer.free) for offer in found] == [(near, 1), (far, 3)]
    in_pudong = Wish(service_id=service, district="310115", first_day=MONDAY, last_day=date(2026, 3, 9))
    assert [offer.slot.slot_id for offer in await everything(appointments, in_pudong)] == [far]


async def test_a_sold_out_slot_is_shown_as_such_and_a_past_one_not_at_all(db, appointments, clock):
    slot = await a_slot(db, places=1)
    await a_slot(db, starts_at=clock.now())
    await appointments.book(an_id(), slot, a_person())
    wish = Wish(service_id=await a_service(db), first_day=MONDAY, last_day=date(2026, 3, 9))
    assert [offer.free for offer in await everything(appointments, wish)] == [0]


@pytest.mark.parametrize(
    ("first", "last"),
    [(date.min, date.min), (date.max, date.max), (MONDAY, date(2026, 3, 1)), (MONDAY, date(2026, 5, 3))],
)
async def test_days_out_of_range_are_refused(db, appointments, first, last):
    wish = Wish(service_id=await a_service(db), first_day=first, last_day=last)
    with pytest.raises(DaysOutOfRange):
        await everything(appointments, wish)


async def test_a_search_within_a_distance_finds_no_office_further_away(db, appointments):
    service, _ = await a_city(db, Random(5))
    wish = Wish(service_id=service, first_day=MONDAY, last_day=MONDAY + timedelta(days=9), near=SQUARE, within_m=12_000)
    by_time, by_distance = [await everything(appointments, wish, order=order) for order in Order]
    assert by_time
    assert {offer.slot.slot_id for offer in by_time} == {offer.slot.slot_id for offer in by_distance}
    assert all(offer.distance_m is not None and offer.distance_m <= 12_000 for offer in by_time)


async def test_a_page_looks_at_no_more_than_its_bound_and_its_cursor_goes_on(db, appointments):
    service, slots = await a_city(db, Random(6))
    many = [
        Slot(
            slot_id=slot_id_of(slot.office_id, service, slot.starts_at, slot.lane, f"r{room}"),
            office_id=slot.office_id,
            service_id=service,
            district=slot.district,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            places=1,
            lane=slot.lane,
            ref=f"r{room}",
        )
        for slot in slots
        for room in range(8)
    ]
    await offering.offer(db, many[:1000])
    await offering.offer(db, many[1000:])
    async with db.connection() as conn:
        await conn.execute("UPDATE appointments.place SET person_id = slot_id, booking_id = slot_id")
        last = max(many, key=lambda slot: (slot.starts_at, slot.slot_id))
        await conn.execute(
            "UPDATE appointments.place SET person_id = NULL, booking_id = NULL WHERE slot_id = $1", last.slot_id
        )
    wish = Wish(service_id=service, first_day=MONDAY, last_day=MONDAY + timedelta(days=9), only_free=True)
    await appointments.catalogues.refresh()
    first = await search(db, appointments.clock, appointments.catalogues.current, wish, None, 10)
    assert len(many) + len(slots) > searching.LOOKED_AT_MAX
    assert (first.offers, first.next is None) == ([], False)
    assert [offer.slot.slot_id for offer in await everything(appointments, wish)] == [last.slot_id]


async def test_what_is_not_open_yet_is_shown_with_its_hour_and_what_is_closed_or_withdrawn_is_not(
    db, appointments, clock
):
    opens = THURSDAY_TEN - timedelta(days=1)
    coming = await a_slot(db, opens_at=opens)
    closed = await a_slot(db, starts_at=THURSDAY_TEN + timedelta(hours=1), closes_at=clock.now())
    open_still = await a_slot(
        db, starts_at=THURSDAY_TEN + timedelta(hours=2), closes_at=clock.now() + timedelta(seconds=1)
    )
    withdrawn = await a_slot(db, starts_at=THURSDAY_TEN + timedelta(hours=3))
    async with db.connection() as conn:
        await conn.execute("UPDATE appointments.slot SET withdrawn_at = $2 WHERE slot_id = $1", withdrawn, clock.now())
    wish = Wish(service_id=await a_service(db), first_day=MONDAY, last_day=MONDAY + timedelta(days=9))
    found = await everything(appointments, wish)
    assert [offer.slot.slot_id for offer in found] == [coming, open_still]
    assert found[0].slot.opens_at == opens
    assert closed != withdrawn


async def test_hours_are_found_over_http_as_they_are_described(db, appointments, clock):
    chance = Random(7)
    service, _ = await a_city(db, chance)
    await appointments.catalogues.refresh()
    async with Wire(appointments).resident(None) as client:
        asked = {"service_id": str(service), "near": "31.2304,121.4737", "only_free": "true", "limit": "5"}
        nearest = (await client.get("/slots", params=asked)).json()
        distances = [slot["distance_m"] for slot in nearest["slots"]]
        assert distances == sorted(distances)
        assert all(slot["free"] == 1 for slot in nearest["slots"])
        evening = (await client.get("/slots", params={"service_id": str(service), "day_part": "2"})).json()
        assert {slot["starts_at"][11:16] for slot in evening["slots"]} == {"19:00"}
        assert {slot["day_part"] for slot in evening["slots"]} == {2}
        urgent = (await client.get("/slots", params={"service_id": str(service), "lane": "urgent"})).json()
        assert {slot["lane"] for slot in urgent["slots"]} == {"urgent"}
        timed = (await client.get("/slots", params={**asked, "sort": "time"})).json()
        starts = [slot["starts_at"] for slot in timed["slots"]]
        assert starts == sorted(starts)
        assert "distance_m" in timed["slots"][0]


@pytest.mark.parametrize(
    "query",
    ["near=x", "near=31.2", "near=31.2,121.4%0A", "sort=name", "day_part=3", "lane=fast", "near=31,121&within_m=0",
     "near=31,121&cursor=AAAA", "office_id=x"],
)  # fmt: skip
async def test_questions_that_make_no_sense_are_refused_as_such(db, appointments, query):
    service = await a_service(db)
    await appointments.catalogues.refresh()
    async with Wire(appointments).resident(None) as client:
        assert (await client.get(f"/slots?service_id={service}&{query}")).status_code == 400


@pytest.mark.parametrize("query", ["near=91,0", "near=0,181", "sort=distance", "within_m=5"])
async def test_a_distance_from_nowhere_is_refused_as_such(db, appointments, query):
    service = await a_service(db)
    await appointments.catalogues.refresh()
    async with Wire(appointments).resident(None) as client:
        answer = await client.get(f"/slots?service_id={service}&{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "appointments.near_unusable")


async def test_a_cursor_of_one_order_is_none_of_the_other(db, appointments):
    service, _ = await a_city(db, Random(8))
    wish = Wish(service_id=service, first_day=MONDAY, last_day=MONDAY + timedelta(days=9), near=SQUARE)
    await appointments.catalogues.refresh()
    catalogue = appointments.catalogues.current
    page = await search(db, appointments.clock, catalogue, wish, None, 5)
    with pytest.raises(CursorUnknown):
        await search(db, appointments.clock, catalogue, wish, page.next, 5, Order.DISTANCE)


def test_distances_are_those_of_the_globe():
    tower, airport = Point(31.2397, 121.4998), Point(31.1443, 121.8083)
    assert abs(metres_between(tower, airport) - 31_200) < 500
    assert metres_between(Point(0, 0), Point(0, 180)) == 20_015_114
    assert metres_between(tower, tower) == 0


@pytest.mark.parametrize(
    ("where", "index"),
    [("service_id = $1", "slot_by_service"),
     ("service_id = $1 AND district = '310104'", "slot_by_service_and_district"),
     ("service_id = $1 AND lane = 'urgent' AND lane <> 'normal'", "slot_of_lane"),
     ("office_id = '{office}' AND service_id = $1", "slot_at_an_office")],
)  # fmt: skip
async def test_each_way_of_looking_has_an_index_in_the_order_it_reads(db, clock, where, index):
    service, slots = await a_city(db, Random(9))
    async with db.connection() as conn:
        await conn.execute("ANALYZE appointments.slot; SET enable_seqscan = off; SET enable_sort = off")
        plan = await conn.fetch(
            f"""EXPLAIN SELECT slot_id FROM appointments.slot
                 WHERE {where.format(office=slots[0].office_id)} AND (starts_at, slot_id) > ($2, $3) AND starts_at < $4
                   AND withdrawn_at IS NULL ORDER BY starts_at, slot_id LIMIT 50""",
            service, clock.now(), an_id(), clock.now() + timedelta(days=30),
        )  # fmt: skip
        await conn.execute("RESET enable_seqscan; RESET enable_sort")
    text = " ".join(row[0] for row in plan)
    assert f"using {index} " in text
    assert "Sort" not in text
