"""Bookings in people's own calendars, read as a calendar that is not ours reads them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appointments.ics.composing import calendar_of
from appointments.ics.errors import FeedNotFound, TooManyFeeds
from appointments.ics.subscribing import FEEDS_MAX, KEPT_FOR
from appointments.model import Booking, Catalogue, Office, Seq, Service, Stage, office_id_of, service_id_of
from appointments.offices import offering
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import BookingId, PersonId, SlotId
from kernel.sealing import Keys
from tests.builders_appointments import THURSDAY_TEN, Wire, a_person, a_slot, an_id, at, open_appointments

OFFICE = Office(
    office_id=office_id_of("xuhui"), slug="xuhui", name_zh="徐汇区政务服务中心", name_en="Xuhui Service Centre",
    district="310104", address="上海市徐汇区样板路20号", phone="021-00008002", latitude=31.1886, longitude=121.4365,
)  # fmt: skip
SERVICE = Service(
    service_id=service_id_of("passport"), slug="passport", department="police", name_zh="普通护照换发",
    name_en="Passport renewal", bring_zh="身份证、旧护照" * 10, bring_en="ID card, old passport; photo",
)  # fmt: skip
BOOKING = Booking(
    person_id=PersonId(UUID(int=5)), booking_id=BookingId(UUID(int=7)), asked_slot_id=SlotId(UUID(int=9)),
    slot_id=SlotId(UUID(int=9)), seq=Seq(3), service_id=SERVICE.service_id, office_id=OFFICE.office_id,
    starts_at=THURSDAY_TEN, ends_at=THURSDAY_TEN + timedelta(minutes=30), stage=Stage.BOOKED, version=1,
    cancellable_until=THURSDAY_TEN, remind_at=None, reminded_version=0, booked_at=THURSDAY_TEN - timedelta(days=3),
    changed_at=THURSDAY_TEN - timedelta(days=3), checked_in_at=None,
)  # fmt: skip


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


@pytest.fixture
async def wire(appointments: Appointments) -> Wire:
    return Wire(appointments)


@pytest.fixture
async def person() -> PersonId:
    return a_person()


@pytest.fixture
async def resident(wire: Wire, person: PersonId) -> AsyncIterator[object]:
    async with wire.resident(person) as client:
        yield client


def written(booking: Booking = BOOKING, *, office: Office = OFFICE, service: Service = SERVICE) -> bytes:
    catalogue = Catalogue(
        offices={office.office_id: office}, services={service.service_id: service}, desks=(), etag='""'
    )
    return calendar_of([booking], catalogue)


def opened(content: bytes):
    """As vobject reads it, which makes the zone from what the calendar itself says of it."""
    return vobject.readOne(content.decode())


def lines(content: bytes) -> list[bytes]:
    *whole, last = content.split(b"\r\n")
    assert last == b""
    return whole


def test_another_calendar_reads_the_hour_in_shanghais_zone():
    event = opened(written()).vevent
    for said, meant in ((event.dtstart, BOOKING.starts_at), (event.dtend, BOOKING.ends_at)):
        assert said.value.astimezone(UTC) == meant
        assert said.value.utcoffset() == timedelta(hours=8)
        assert said.value.hour == 10
    zone = opened(written()).vtimezone
    assert zone.tzid.value == "Asia/Shanghai"


def test_it_says_where_what_to_bring_and_nothing_of_the_person():
    event = opened(written()).vevent
    assert event.summary.value == "普通护照换发"
    assert event.location.value == "徐汇区政务服务中心，上海市徐汇区样板路20号"
    assert [float(part) for part in event.geo.value.split(";")] == [31.1886, 121.4365]
    assert SERVICE.bring_zh in event.description.value
    assert "ID card, old passport; photo" in event.description.value
    assert str(BOOKING.person_id).encode() not in written()
    unknown = replace(OFFICE, latitude=None, longitude=None)
    assert "geo" not in opened(written(office=unknown)).vevent.contents


def test_alarms_ring_a_day_and_two_hours_before_and_none_once_it_is_cancelled():
    alarms = opened(written()).vevent.valarm_list
    assert [alarm.trigger.value for alarm in alarms] == [-timedelta(days=1), -timedelta(hours=2)]
    assert {alarm.action.value for alarm in alarms} == {"DISPLAY"}
    cancelled = opened(written(replace(BOOKING, stage=Stage.CANCELLED))).vevent
    assert "valarm" not in cancelled.contents
    assert cancelled.status.value == "CANCELLED"


def test_changes_keep_the_uid_and_raise_the_sequence():
    moved = replace(BOOKING, version=2, starts_at=THURSDAY_TEN + timedelta(days=1))
    again = replace(moved, version=3)
    cancelled = replace(again, stage=Stage.CANCELLED)
    events = [opened(written(one)).vevent for one in (BOOKING, moved, again, cancelled)]
    assert len({event.uid.value for event in events}) == 1
    assert [int(event.sequence.value) for event in events] == [0, 1, 2, 3]
    other = replace(BOOKING, person_id=PersonId(UUID(int=6)))
    assert opened(written(other)).vevent.uid.value != events[0].uid.value


def test_long_chinese_lines_are_folded_between_characters():
    folded = lines(written(service=replace(SERVICE, bring_zh="户口簿、" * 50)))
    assert max(map(len, folded)) <= 75  # octets without the line break (RFC 5545 §3.1)
    for line in folded:
        line.decode()
    assert any(line.startswith(b" ") for line in folded)
    assert all(before.strip() for before, _ in pairwise(folded))


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=80)
NASTY = st.sampled_from(
    ["END:VEVENT\r\nBEGIN:VEVENT", "a\nATTENDEE:mailto:x@example.org", "a;b,c\\n\\;", '"q";X=1:2', "\\", "a\r\n b"]
)


@given(NAMES | NASTY, NAMES | NASTY)
def test_no_name_writes_a_line_of_its_own(name, address):
    content = written(
        office=replace(OFFICE, name_zh=name, name_en=name, address=address), service=replace(SERVICE, name_zh=name)
    )
    plain = [line.split(b":")[0].split(b";")[0] for line in lines(written()) if not line.startswith(b" ")]
    assert [line.split(b":")[0].split(b";")[0] for line in lines(content) if not line.startswith(b" ")] == plain
    assert len(opened(content).vevent_list) == 1


@given(NAMES.filter(lambda name: r"\N" not in name))  # which icalendar takes for a line break: harmless in a name
def test_a_name_comes_back_as_it_was_written(name):
    assert opened(written(service=replace(SERVICE, name_zh=name))).vevent.summary.value == name


async def test_a_resident_takes_a_booking_into_their_calendar(db, resident, wire, person):
    await offering.plant(db, offices=[OFFICE])
    slot, later = await a_slot(db), await a_slot(db, starts_at=THURSDAY_TEN + timedelta(days=1))
    mine = f"/bookings/{uuid4()}"
    await resident.put(mine, json={"slot_id": str(slot)})
    first = await resident.get(f"{mine}/calendar")
    assert (first.status_code, first.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert first.content == (await resident.get(f"{mine}/calendar")).content
    await resident.post(f"{mine}/reschedule", json={"slot_id": str(later)})
    moved = opened((await resident.get(f"{mine}/calendar")).content).vevent
    await resident.delete(mine)
    cancelled = opened((await resident.get(f"{mine}/calendar")).content).vevent
    was = opened(first.content).vevent
    assert was.uid.value == moved.uid.value == cancelled.uid.value
    assert [int(one.sequence.value) for one in (was, moved, cancelled)] == [0, 1, 2]
    assert moved.dtstart.value.astimezone(UTC) == THURSDAY_TEN + timedelta(days=1)
    async with wire.resident(a_person()) as other:
        assert (await other.get(f"{mine}/calendar")).status_code == 404


def reader(wire: Wire):
    """Anybody's calendar: it is nobody to us, and asks by the whole address."""
    return wire.resident(None)


def path_of(address: str) -> str:
    assert address.startswith("https://city.example/public/calendars/")
    return address.replace("https://city.example", "http://city")


async def test_a_feed_shows_all_my_bookings_to_whoever_has_its_address(db, appointments, resident, wire, person):
    booked = [
        await appointments.book(
            an_id(), await a_slot(db, service=f"s{n}", starts_at=THURSDAY_TEN + n * timedelta(1)), person
        )
        for n in range(3)
    ]
    await appointments.cancel(person, booked[1].booking_id)
    await appointments.book(an_id(), await a_slot(db), a_person())
    made = await resident.post("/calendar-feeds")
    assert made.status_code == 201
    async with reader(wire) as calendar:
        found = await calendar.get(path_of(made.json()["address"]))
        assert (found.status_code, found.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
        events = {event.uid.value: event for event in opened(found.content).vevent_list}
        assert sorted(event.status.value for event in events.values()) == ["CANCELLED", "CONFIRMED", "CONFIRMED"]
        again = await calendar.get(path_of(made.json()["address"]), headers={"If-None-Match": found.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        await appointments.cancel(person, booked[0].booking_id)
        changed = await calendar.get(path_of(made.json()["address"]), headers={"If-None-Match": found.headers["etag"]})
        assert changed.status_code == 200


async def test_what_is_long_over_leaves_the_feed(db, appointments, resident, wire, person, clock):
    await appointments.book(an_id(), await a_slot(db), person)
    address = (await resident.post("/calendar-feeds")).json()["address"]
    at(clock, THURSDAY_TEN + timedelta(minutes=30) + KEPT_FOR - timedelta(seconds=1))
    async with reader(wire) as calendar:
        assert len(opened((await calendar.get(path_of(address))).content).vevent_list) == 1
        clock.advance(timedelta(seconds=1))
        assert "vevent" not in opened((await calendar.get(path_of(address))).content).contents


async def test_an_address_is_said_once_and_is_nowhere_in_the_database(db, resident):
    made = (await resident.post("/calendar-feeds")).json()
    secret = path_of(made["address"]).removeprefix("http://city/public/calendars/").removesuffix(".ics")
    listed = (await resident.get("/calendar-feeds")).json()
    assert listed == {"feeds": [made["feed"]]}
    kept = await db.fetch("SELECT feed_digest FROM appointments.feed")
    assert len(kept) == 1
    assert secret.encode() not in bytes(kept[0][0])


async def test_a_feed_that_was_ended_is_as_one_that_never_was(db, resident, wire):
    made = (await resident.post("/calendar-feeds")).json()
    gone = f"/calendar-feeds/{made['feed']['feed_id']}"
    async with wire.resident(a_person()) as other, reader(wire) as calendar:
        assert (await other.delete(gone)).status_code == 404
        assert (await calendar.get(path_of(made["address"]))).status_code == 200
        assert (await resident.delete(gone)).status_code == 204
        ended = await calendar.get(path_of(made["address"]))
        never = await calendar.get(f"http://city/public/calendars/{'A' * 52}.ics")
        without = await calendar.get(path_of(made["address"]).removesuffix(".ics"))
        short = await calendar.get("http://city/public/calendars/A.ics")
    assert {ended.status_code, never.status_code, without.status_code, short.status_code} == {404}
    assert ended.json()["code"] == never.json()["code"] == "appointments.feed_not_found"
    assert (await resident.delete(gone)).status_code == 404
    assert (await resident.get("/calendar-feeds")).json() == {"feeds": []}


async def test_two_phones_that_ask_at_once_get_no_more_feeds_than_one(db, database_url, clock, keys, appointments):
    other = await Database.open(database_url, connections_max=12)
    there = await open_appointments(other, clock, keys)
    for _ in range(10):
        person = a_person()
        made = await asyncio.gather(
            *(part.feeds.make(person) for part in (appointments, there) * FEEDS_MAX), return_exceptions=True
        )
        assert sum(isinstance(one, TooManyFeeds) for one in made) == FEEDS_MAX
        assert len(await appointments.feeds.of(person)) == FEEDS_MAX
        [feed, *_] = [one[0] for one in made if not isinstance(one, Exception)]
        ended = await asyncio.gather(
            *(part.feeds.end(person, feed.feed_id) for part in (appointments, there)), return_exceptions=True
        )
        assert [type(one) for one in ended if one is not None] == [FeedNotFound]
        again = await asyncio.gather(
            *(part.feeds.make(person) for part in (appointments, there)), return_exceptions=True
        )
        assert sum(isinstance(one, TooManyFeeds) for one in again) == 1
    assert await db.fetchval("SELECT max(number) FROM appointments.feed_number") == FEEDS_MAX
    await other.close()


async def test_nobody_keeps_feeds_without_end(db, resident):
    for _ in range(FEEDS_MAX):
        assert (await resident.post("/calendar-feeds")).status_code == 201
    refused = await resident.post("/calendar-feeds")
    assert (refused.status_code, refused.json()["code"]) == (409, "appointments.too_many_feeds")
