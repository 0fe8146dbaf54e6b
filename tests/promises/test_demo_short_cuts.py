"""The demo's short cuts show what a city does without waiting, and a real city has none of them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec

from appointments.model import Stage, office_id_of, service_id_of
from appointments.offices import offering
from gateway.app import build_app
from gateway.demo.ageing import AGED_MAX
from gateway.demo.cast import Cast, PlayedPerson
from kernel.ids import PersonId
from tests.builders_appointments import a_desk, a_person, a_slot, an_id
from tests.whole_city import ORIGIN, TestCity, code_of

SHORT_CUTS = (
    ("GET", "/demo/cast", None),
    ("GET", "/demo/outbox", None),
    ("POST", "/demo/outbox/search", {"phone": "+8613490000003"}),
    ("POST", "/demo/texts", {"phone": "+8613490000003", "text": "T"}),
    ("POST", "/demo/reminders", {"as_of": "2026-03-03T09:00:00+08:00"}),
    ("POST", "/demo/codes/age", {"code_text": "HTTPS://127.0.0.1:8700/Q/" + "A" * 26, "seconds": 60}),
)
PHONE = "+8613490000003"
SOMEBODY = "018f3c1e-0000-7000-8000-000000000001"
SHORT_CUTS += (
    ("POST", "/demo/holds/age", {"person_id": SOMEBODY, "booking_id": SOMEBODY, "seconds": 60}),
    (
        "POST",
        "/demo/visits",
        {
            "person_id": SOMEBODY, "booking_id": SOMEBODY, "office_id": SOMEBODY, "service_id": SOMEBODY,
            "starts_at": "2026-03-02T09:00:00+08:00",
        },
    ),
)  # fmt: skip
NOBODY = Cast([], ORIGIN, [PlayedPerson("某甲", "310107198110069973", "+8613490000003")], [], [], "", [])


async def test_a_real_city_has_no_short_cut(city: TestCity):
    real = build_app(city.parts, msgspec.structs.replace(city.settings, demo=False), NOBODY)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=real), base_url=ORIGIN) as client:
        for method, path, body in SHORT_CUTS:
            answer = await client.request(method, path, json=body)
            assert (answer.status_code, code_of(answer)) == (404, "request.no_such_path"), path


async def test_a_demo_tells_who_can_be_played(city: TestCity):
    played = build_app(city.parts, city.settings, NOBODY)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=played), base_url=ORIGIN) as client:
        answer = await client.get("/demo/cast")
    assert msgspec.json.decode(answer.content, type=Cast) == NOBODY
    assert answer.headers["cache-control"] == "no-store"


async def test_a_demo_without_a_cast_says_so(city: TestCity):
    answer = await city.as_nobody().get("/demo/cast")
    assert (answer.status_code, code_of(answer)) == (404, "demo.nobody_to_play")


async def test_only_a_code_of_ours_can_be_made_older(city: TestCity):
    for text in (
        "HTTPS://127.0.0.1:8700/Q/" + "A" * 26,
        "HTTPS://127.0.0.1:8700/Q/" + "B" * 26,
        "https://example.org/",
    ):
        answer = await city.as_nobody().post("/demo/codes/age", {"code_text": text, "seconds": 100})
        assert (answer.status_code, code_of(answer)) == (422, "demo.code_unknown")


async def test_a_code_is_never_made_younger_or_forgotten(city: TestCity):
    text = "HTTPS://127.0.0.1:8700/Q/" + "A" * 26
    for seconds in (-1, 0, int(AGED_MAX.total_seconds()) + 1):
        answer = await city.as_nobody().post("/demo/codes/age", {"code_text": text, "seconds": seconds})
        assert (answer.status_code, code_of(answer)) == (400, "request.malformed")


async def held_by(city: TestCity, person: PersonId, **slot: Any) -> dict[str, Any]:
    """Somebody keeps the last place of a slot."""
    slot_id, booking_id = await a_slot(city.parts.db, places=1, **slot), an_id()
    await city.renew()
    held = await city.as_resident(person).put(f"/holds/{booking_id}", {"slot_id": str(slot_id)})
    assert held.status_code == 200, held.text
    return dict(held.json())


async def test_a_kept_place_that_is_made_older_is_over_sooner_and_then_free_for_everybody(city: TestCity):
    person, other = a_person(), city.as_resident(a_person())
    held = await held_by(city, person)
    aged = {"person_id": str(person), "booking_id": held["booking_id"], "seconds": 599}
    answer = await city.as_nobody().post("/demo/holds/age", aged)
    until = datetime.fromisoformat(answer.json()["hold_until"])
    assert datetime.fromisoformat(held["hold_until"]) - until == timedelta(seconds=599)
    assert [one["booking_id"] for one in (await city.as_resident(person).get("/holds")).json()["holds"]] == [
        held["booking_id"]
    ]
    wanted = {"slot_id": held["slot_id"]}
    assert code_of(await other.put(f"/bookings/{an_id()}", wanted)) == "appointments.slot_full"
    await city.as_nobody().post("/demo/holds/age", {**aged, "seconds": 2})
    assert (await city.as_resident(person).get("/holds")).json() == {"holds": []}
    assert (await city.as_resident(a_person()).put(f"/holds/{an_id()}", wanted)).status_code == 200
    gone = await city.as_nobody().post("/demo/holds/age", aged)
    assert (gone.status_code, code_of(gone)) == (404, "appointments.hold_not_found")


async def a_visit(city: TestCity, person: PersonId, *, hours: float) -> dict[str, Any]:
    """What booking an hour that is so far from now is asked with, at an office with a desk for it."""
    await a_slot(city.parts.db)
    office_id, service_id = office_id_of("xuhui"), service_id_of("passport")
    await offering.plant(city.parts.db, desks=[a_desk(office_id, service_id)])
    await city.renew()
    starts_at = city.clock.now() + timedelta(hours=hours)
    return {
        "booking_id": str(uuid4()), "person_id": str(person), "office_id": str(office_id),
        "service_id": str(service_id), "starts_at": starts_at.isoformat(),
    }  # fmt: skip


async def test_a_visit_can_be_played_and_is_a_booking_like_any_other(city: TestCity):
    person = a_person()
    wanted = await a_visit(city, person, hours=0)
    first = await city.as_nobody().post("/demo/visits", wanted)
    assert (first.status_code, first.json()["stage"]) == (200, Stage.BOOKED)
    assert (await city.as_nobody().post("/demo/visits", wanted)).json() == first.json()
    mine = (await city.as_resident(person).get("/bookings")).json()["bookings"]
    assert mine == [first.json()]
    another = {**wanted, "booking_id": str(uuid4())}
    assert code_of(await city.as_nobody().post("/demo/visits", another)) == "appointments.already_booked"


async def test_a_visit_whose_day_is_over_was_missed_and_counts_once(city: TestCity):
    person = a_person()
    wanted = await a_visit(city, person, hours=-24)
    for _ in range(2):
        assert (await city.as_nobody().post("/demo/visits", wanted)).status_code == 200
    strikes = (await city.as_resident(person).get("/strikes")).json()
    assert [one["booking_id"] for one in strikes["strikes"]] == [wanted["booking_id"]]
    assert (await city.as_resident(person).get(f"/bookings/{wanted['booking_id']}")).json()["stage"] == Stage.MISSED


async def test_a_visit_can_be_played_after_one_that_was_missed(city: TestCity):
    person = a_person()
    missed = await a_visit(city, person, hours=-24)
    assert (await city.as_nobody().post("/demo/visits", missed)).status_code == 200
    starts_at = city.clock.now().isoformat()
    answer = await city.as_nobody().post("/demo/visits", {**missed, "booking_id": str(uuid4()), "starts_at": starts_at})
    assert (answer.status_code, answer.json()["stage"]) == (200, Stage.BOOKED)


async def test_no_visit_is_played_that_is_far_from_now_or_where_there_is_no_desk(city: TestCity):
    wanted = await a_visit(city, a_person(), hours=0)
    for hours in (-49, 2):
        far = {**wanted, "starts_at": (city.clock.now() + timedelta(hours=hours)).isoformat()}
        assert code_of(await city.as_nobody().post("/demo/visits", far)) == "demo.visit_out_of_reach"
    elsewhere = {**wanted, "office_id": str(uuid4())}
    answer = await city.as_nobody().post("/demo/visits", elsewhere)
    assert (answer.status_code, code_of(answer)) == (422, "appointments.service_not_here")


async def test_somebody_writes_an_sms_in_the_demo_and_is_heard(city: TestCity):
    person, phone = a_person(), PHONE
    async with city.parts.db.transaction() as conn:
        await city.parts.notifications.contacts.remember(conn, person, phone, "zh", city.clock.now())
    answer = await city.as_nobody().post("/demo/texts", {"phone": phone, "text": "Ｔ。"})
    assert (answer.status_code, answer.json()) == (202, {"to_number": "10690000"})
    await city.parts.replies.handling.handle_arrived()
    shown = (await city.as_resident(person).get("/contact-preferences/opt-outs")).json()["opt_outs"]
    assert [one["sender"] for one in shown] == ["everybody"]
    for wrong in ({"phone": phone, "text": ""}, {"phone": "138", "text": "T"}, {"phone": phone, "text": "T\nT"}):
        assert (await city.as_nobody().post("/demo/texts", wrong)).status_code == 400


async def test_the_demo_shows_e_mail_to_its_address_and_masks_it_to_everybody_else(city: TestCity):
    address, person = "somebody.of.the.demo@people.example", a_person()
    asked = await city.as_resident(person).post("/contact/email", {"address": address})
    assert asked.status_code == 202, asked.text
    await city.parts.notifications.settle()
    search = "/demo/outbox/search"
    [mail] = (await city.as_nobody().post(search, {"email": "somebody.of.the.demo@PEOPLE.example"})).json()["messages"]
    assert mail["phone"] == address
    newest = (await city.as_nobody().get("/demo/outbox")).json()["messages"]
    assert [one["phone"] for one in newest] == ["s***@people.example"]
    for wrong in ({}, {"email": "nobody"}, {"email": "no\nbody@people.example"}, {"email": address, "phone": PHONE}):
        answer = await city.as_nobody().post(search, wrong)
        assert answer.status_code in (400, 422), wrong
