"""A resident joins a line, sees how far it is, takes what is offered and leaves, over HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest

from appointments.model import service_id_of
from appointments.parts import Appointments
from kernel.db import Database
from kernel.ids import PersonId
from tests.builders_appointments import Wire, a_person, a_slot, an_id, disagreements

WISH = {"service_id": str(service_id_of("passport")), "first_day": "2026-03-05", "last_day": "2026-03-06"}
ASK = """[{"code": "plate", "label_zh": "车牌", "label_en": "Plate", "sort": "text", "is_required": true,
  "choices": []}]"""


async def sold_out(db: Database, appointments: Appointments) -> tuple[PersonId, object]:
    """A slot of one place, and who has it under which booking."""
    slot, holder, booking = await a_slot(db, places=1), a_person(), an_id()
    await appointments.catalogues.refresh()
    await appointments.book(booking, slot, holder)
    return holder, booking


async def test_a_resident_joins_and_sees_how_far_it_is(db, appointments, resident, clock):
    await sold_out(db, appointments)
    async with Wire(appointments).resident(a_person()) as other:
        await other.put(f"/waiting/{uuid4()}", json=WISH)
    clock.advance(timedelta(seconds=1))
    path = f"/waiting/{uuid4()}"
    joined = await resident.put(path, json=WISH | {"district": "310104", "day_part": 0})
    assert joined.status_code == 201, joined.text
    view = joined.json()
    assert (view["stage"], view["offers"], view["offer"], view["is_more_ahead"]) == ("waiting", 0, None, False)
    assert view["ahead"] == 1
    assert (await resident.put(path, json=WISH | {"district": "310104", "day_part": 0})).json() == view
    assert (await resident.get("/waiting")).json() == {"waits": [view]}


async def test_an_offer_asks_what_the_service_asks_and_is_then_a_booking(db, appointments, resident, person, clock):
    holder, booking = await sold_out(db, appointments)
    await db.fetchval("UPDATE appointments.service SET questions = $1::text::jsonb", ASK)
    await appointments.catalogues.refresh()
    path = f"/waiting/{uuid4()}"
    await resident.put(path, json=WISH)
    early = await resident.post(f"{path}/accept", json={})
    assert (early.status_code, early.json()["code"]) == (409, "appointments.nothing_offered")
    await appointments.cancel(holder, booking)
    offer = (await resident.get("/waiting")).json()["waits"][0]["offer"]
    assert offer["until"] == "2026-03-02T09:30:00+08:00"
    held = (await resident.get("/holds")).json()["holds"]
    assert [one["booking_id"] for one in held] == [offer["booking_id"]]
    unanswered = await resident.post(f"{path}/accept", json={})
    assert (unanswered.status_code, unanswered.json()["code"]) == (422, "appointments.answers_wrong")
    taken = await resident.post(f"{path}/accept", json={"answers": {"plate": "沪A12345"}})
    assert taken.status_code == 200, taken.text
    assert taken.json()["booking_id"] == offer["booking_id"]
    assert (await resident.post(f"{path}/accept", json={"answers": {"plate": "沪A12345"}})).json() == taken.json()
    [wait] = (await resident.get("/waiting")).json()["waits"]
    assert (wait["stage"], wait["ahead"], wait["offer"]["until"]) == ("taken", None, None)
    assert await db.fetchval("SELECT channel FROM appointments.booking WHERE stage = 'booked'") == "waiting_list"
    assert await disagreements(db, now=clock.now()) == []


async def test_leaving_twice_answers_the_same_and_somebody_elses_line_is_not_mine(db, appointments, resident):
    await sold_out(db, appointments)
    path = f"/waiting/{uuid4()}"
    await resident.put(path, json=WISH)
    async with Wire(appointments).resident(a_person()) as stranger:
        assert (await stranger.delete(path)).status_code == 404
        assert (await stranger.post(f"{path}/accept", json={})).status_code == 404
    left = await resident.delete(path)
    assert (left.status_code, left.json()["stage"]) == (200, "left")
    assert (await resident.delete(path)).json() == left.json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"service_id": "x"}, {"first_day": "2026-02-30"}, {"district": "31010"}, {"lane": "walk_in"}, {"day_part": 3},
        {"unknown": 1},
    ],
)  # fmt: skip
async def test_a_wish_out_of_form_is_refused(resident, wrong):
    assert (await resident.put(f"/waiting/{uuid4()}", json=WISH | wrong)).status_code == 400
