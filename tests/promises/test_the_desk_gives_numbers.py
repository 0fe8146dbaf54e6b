"""Whoever walks in takes a number: on paper, or one they see in their own app because they let the desk know them."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from appointments.desk.hall.calling import NEARLY_AHEAD
from appointments.desk.recognising import LOOKS
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.principal import Audience
from kernel.sealing import Keys
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
)
from tests.builders_desk import PASSPORT, Hall
from tests.promises.test_the_desk_checks_in import PHONE, Entrance

BY_PHONE = {"by": "phone", "phone": PHONE}
A_STRANGER = {"by": "phone", "phone": "13900000009"}


def by_code(text: str = "good") -> dict[str, str]:
    return {"by": "code", "code": text, "use_id": str(uuid4())}


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


@pytest.fixture
def desk(hall: Hall) -> httpx.AsyncClient:
    return Wire(hall.appointments).signed_in(Audience.DEPARTMENT, hall.clerk())


async def take(desk: httpx.AsyncClient, hall: Hall, person: dict[str, str] | None, **more: Any) -> httpx.Response:
    ticket_id = more.pop("ticket_id", uuid4())
    body = {"service_id": str(hall.passport), "person": person, **more}
    return await desk.put(f"/desk/tickets/{ticket_id}", json=body)


@pytest.mark.parametrize("shown", [by_code(), BY_PHONE], ids=["by code", "by phone"])
async def test_a_walk_in_who_lets_the_desk_know_them_sees_their_number_and_how_many_are_before_them(
    hall: Hall, person: PersonId, desk: httpx.AsyncClient, shown: dict[str, str]
):
    await hall.walk_in()
    await hall.walk_in()
    await hall.counter(hall.clerk())
    taken = await take(desk, hall, shown)
    assert (taken.status_code, taken.json()["number"]) == (200, "B003")
    async with Wire(hall.appointments).resident(person) as resident:
        [mine] = (await resident.get("/tickets")).json()["tickets"]
        assert (await resident.get(f"/tickets/{mine['ticket_id']}")).json() == mine
    assert (mine["ticket_id"], mine["number"], mine["booking_id"]) == (taken.json()["ticket_id"], "B003", None)
    [kept] = (await hall.appointments.exporting.everything_of(person)).tickets
    assert (kept.ticket_id, kept.number, kept.stage) == (UUID(mine["ticket_id"]), 3, "waiting")
    assert (mine["ahead"], mine["wait_minutes"]) == (2, 60)  # a slot lasts half an hour, and one counter is open
    async with Wire(hall.appointments).resident(a_person()) as other:
        assert (await other.get("/tickets")).json() == {"tickets": []}


async def test_a_walk_in_who_is_known_is_told_once_when_it_is_nearly_their_turn(
    hall: Hall, person: PersonId, desk: httpx.AsyncClient
):
    for _ in range(NEARLY_AHEAD + 2):
        await hall.walk_in()
    await take(desk, hall, BY_PHONE)
    clerk = hall.clerk()
    counter, told = await hall.counter(clerk), []
    for _ in range(4):
        counter, _ = await hall.serve(clerk, counter)
        told.append(await messages(hall.db, "queue_nearly"))
    assert told == [0, 1, 1, 1]
    assert await hall.db.fetchval("SELECT person_id FROM notifications.message") == person


async def test_a_paper_number_is_nobodys_and_is_called_like_any_other(hall: Hall, desk: httpx.AsyncClient):
    paper = (await take(desk, hall, None)).json()
    assert await hall.db.fetchval("SELECT person_id FROM appointments.ticket") is None
    clerk = hall.clerk()
    assert (await hall.call(clerk, await hall.counter(clerk)))[1].label == paper["number"] == "B001"


async def test_no_number_tells_whether_a_phone_is_known(hall: Hall, person: PersonId, desk: httpx.AsyncClient):
    ticket_id = uuid4()
    known, stranger = await take(desk, hall, BY_PHONE, ticket_id=ticket_id), await take(desk, hall, A_STRANGER)
    assert known.json().keys() == stranger.json().keys()
    own = {"ticket_id", "number"}
    assert {k: v for k, v in known.json().items() if k not in own} == {
        k: v for k, v in stranger.json().items() if k not in own
    }
    assert str(person) not in known.text
    for again in (None, A_STRANGER):  # nor does asking again for it in another way
        assert (await take(desk, hall, again, ticket_id=ticket_id)).json() == known.json()
    acts = await hall.db.fetch("SELECT act, detail FROM kernel.audit ORDER BY at, entry_id")
    assert [row["act"] for row in acts].count("appointments.look_by_phone") == 2
    assert all(PHONE not in row["detail"] and str(person) not in row["detail"] for row in acts)


async def test_a_number_asked_for_again_is_the_same_and_looks_nobody_up_again(
    hall: Hall, person: PersonId, desk: httpx.AsyncClient
):
    shown, ticket_id = by_code(), uuid4()
    first, *again = await asyncio.gather(*(take(desk, hall, shown, ticket_id=ticket_id) for _ in range(4)))
    spent = await take(desk, hall, by_code(), ticket_id=ticket_id)  # the code is good no more, the number is
    assert {one.text for one in (*again, spent)} == {first.text}
    other = await take(desk, hall, by_code(), ticket_id=ticket_id, service_id=str(hall.licence))
    assert other.json()["code"] == "appointments.ticket_id_taken"


async def test_a_code_that_is_not_good_gives_no_number_and_a_paper_one_can_still_be_taken(
    hall: Hall, person: PersonId, desk: httpx.AsyncClient
):
    ticket_id = uuid4()
    refused = await take(desk, hall, by_code("else's"), ticket_id=ticket_id)
    assert (refused.status_code, refused.json()["code"]) == (422, "appointments.code_not_good")
    assert (await desk.get(f"/desk/tickets/{ticket_id}")).status_code == 404
    assert (await take(desk, hall, None, ticket_id=ticket_id)).json()["number"] == "B001"


async def test_a_clerk_cannot_try_out_phones_by_giving_numbers(hall: Hall, person, desk: httpx.AsyncClient):
    for _ in range(LOOKS.permits):
        assert (await take(desk, hall, A_STRANGER)).status_code == 200
    refused = await take(desk, hall, BY_PHONE)
    assert (refused.status_code, refused.json()["code"]) == (429, "appointments.too_many_looks")
    assert (await take(desk, hall, None)).status_code == 200


async def test_who_is_booked_here_today_is_checked_in_and_not_noted_as_missing(
    hall: Hall, person: PersonId, desk: httpx.AsyncClient, clock: StoppedClock
):
    booking_id = an_id()
    await hall.appointments.book(booking_id, await a_slot(hall.db, service=PASSPORT), person)
    assert (await take(desk, hall, BY_PHONE)).status_code == 200, "it is for another day"
    at(clock, THURSDAY_TEN - timedelta(hours=1))
    refused = await take(desk, hall, BY_PHONE)
    assert (refused.status_code, refused.json()["code"]) == (409, "appointments.booked_here")
    assert refused.json()["booking_id"] == str(booking_id)
    assert (await take(desk, hall, BY_PHONE, service_id=str(hall.licence))).status_code == 200
    here = await desk.post(f"/desk/bookings/{refused.json()['booking_id']}/check-in")
    assert here.json()["ticket"]["number"] == "Y001"
    clock.advance(timedelta(days=1))
    await close_the_day(hall.appointments)
    assert await hall.db.fetchval("SELECT count(*) FROM appointments.strike") == 0


async def test_somebody_is_known_by_a_code_or_a_phone_and_by_nothing_else(hall: Hall, desk: httpx.AsyncClient):
    for wrong in ({"by": "name", "name": "某人"}, {"by": "phone"}, {"by": "code", "code": "x"}, BY_PHONE | {"more": 1}):
        assert (await take(desk, hall, wrong)).status_code == 400
    assert await hall.db.fetchval("SELECT count(*) FROM appointments.ticket") == 0


async def test_a_transfer_says_where_to(hall: Hall, desk: httpx.AsyncClient):
    ticket = (await take(desk, hall, None)).json()
    path = f"/desk/tickets/{ticket['ticket_id']}"
    refused = await desk.post(f"{path}/transfer", json={"expected": 1})
    assert (refused.status_code, refused.json()["code"]) == (422, "appointments.transfer_nowhere")
    assert (await desk.get(path)).json() == ticket
    sent = await desk.post(f"{path}/transfer", json={"expected": 1, "service_id": str(hall.licence)})
    assert sent.json()["service_id"] == str(hall.licence)
