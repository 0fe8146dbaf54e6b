"""Residents at the gate, over HTTP: found, in line, let in, and booked once."""

import json
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_appointments import Wire, a_person, at, open_appointments
from tests.builders_rush import OPENS_AT, a_release, take


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys, redis: Redis) -> Appointments:
    return await open_appointments(db, clock, keys, redis)


async def test_a_resident_finds_a_release_gets_in_line_and_is_let_in(db, appointments, clock):
    release_id, _ = await a_release(db)
    await appointments.gate.releases.snapshot.refresh()
    async with Wire(appointments).resident(a_person()) as resident:
        [release] = (await resident.get("/releases")).json()["releases"]
        assert (release["release_id"], release["slots"], release["places"]) == (str(release_id), 2, 4)
        assert (release["opens_at"], release["is_open"], release["seed"]) == ("2026-03-02T10:00:00+08:00", False, None)
        mine = f"/releases/{release_id}/place"
        assert (await resident.get(mine)).json()["code"] == "appointments.not_in_line"
        pooled = await resident.put(mine)
        assert (pooled.status_code, pooled.json()["state"]) == (200, "pooled")
        at(clock, OPENS_AT)
        place = (await resident.get(mine)).json()
        assert (place["state"], place["expires_at"]) == ("admitted", "2026-03-02T10:02:00+08:00")
        assert place["admission"]
        [release] = (await resident.get("/releases")).json()["releases"]
        assert sha256(bytes.fromhex(release["seed"])).hexdigest() == release["seed_sha256"]
        assert (await resident.delete(mine)).status_code == 204
        assert (await resident.get(mine)).status_code == 404


async def test_only_a_real_name_checked_resident_gets_in_line(db, appointments):
    release_id, _ = await a_release(db)
    async with Wire(appointments).resident(None) as stranger:
        assert (await stranger.put(f"/releases/{release_id}/place")).json()["code"] == "access.real_name_needed"
        assert (await stranger.get("/releases")).status_code == 200


async def test_a_list_of_releases_goes_on_where_it_stopped(db, appointments):
    for nth in range(5):
        await a_release(db, slots=1, service=f"service-{nth}", opens_at=OPENS_AT + timedelta(hours=nth // 2))
    await appointments.gate.releases.snapshot.refresh()
    async with Wire(appointments).resident(a_person()) as resident:
        seen, cursor = [], None
        for _ in range(5):
            page = (
                await resident.get("/releases", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            ).json()
            seen += [one["release_id"] for one in page["releases"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert len(seen) == len(set(seen)) == 5


async def test_a_place_is_told_as_it_changes_and_not_twice(db, appointments, clock):
    release_id, _ = await a_release(db)
    await appointments.gate.releases.snapshot.refresh()
    async with Wire(appointments).resident(a_person()) as resident:
        events = f"/releases/{release_id}/place/events?seconds=1"
        assert (await resident.get(events)).json()["code"] == "appointments.not_in_line"
        await resident.put(f"/releases/{release_id}/place")
        heard = await resident.get(events)
        assert heard.headers["content-type"].startswith("text/event-stream")
        [event] = [part for part in heard.text.split("\n\n") if part.startswith("id: ")]
        named, _, data = event.split("\n")
        assert json.loads(data.removeprefix("data: "))["state"] == "pooled"
        again = await resident.get(events, headers={"Last-Event-ID": named.removeprefix("id: ")})
        assert "data:" not in again.text
        at(clock, OPENS_AT)
        assert '"admitted"' in (await resident.get(events)).text
    assert appointments.gate.streams.count == 0


async def test_who_was_let_in_books_once_and_a_retry_gets_the_same_booking(db, appointments, clock):
    release_id, [slot, other] = await a_release(db, places=1)
    await appointments.gate.releases.snapshot.refresh()
    at(clock, OPENS_AT)
    wire, mine, line = Wire(appointments), f"/bookings/{uuid4()}", f"/releases/{release_id}/place"
    async with wire.resident(a_person()) as resident, wire.resident(a_person()) as rival:
        refused = await resident.put(mine, json={"slot_id": str(slot.slot_id)})
        assert (refused.status_code, refused.json()["code"]) == (409, "appointments.admission_needed")
        assert refused.json()["release_id"] == str(release_id)
        admission = (await resident.put(line)).json()["admission"]
        wanted = {"slot_id": str(slot.slot_id), "admission": admission}
        assert (await rival.put(f"/bookings/{uuid4()}", json=wanted)).status_code == 409
        booked = await resident.put(mine, json=wanted)
        assert booked.status_code == 201
        assert (await resident.put(mine, json=wanted)).json() == booked.json()
        assert (await resident.get(line)).json()["state"] == "used"
        again = {"slot_id": str(other.slot_id), "admission": admission}
        assert (await resident.put(f"/bookings/{uuid4()}", json=again)).json()[
            "code"
        ] == "appointments.admission_needed"


async def test_a_full_slot_does_not_use_the_admission_up(db, appointments, clock):
    release_id, [full, free] = await a_release(db, places=1)
    await appointments.gate.releases.snapshot.refresh()
    at(clock, OPENS_AT)
    await take(db, full.slot_id, a_person())
    async with Wire(appointments).resident(a_person()) as resident:
        admission = (await resident.put(f"/releases/{release_id}/place")).json()["admission"]
        answers = [
            await resident.put(f"/bookings/{uuid4()}", json={"slot_id": str(slot.slot_id), "admission": admission})
            for slot in (full, free)
        ]
    assert [answer.status_code for answer in answers] == [409, 201]
    assert answers[0].json()["code"] == "appointments.slot_full"


async def test_a_place_that_is_held_uses_the_admission_and_is_confirmed_without_one(db, appointments, clock):
    release_id, [slot] = await a_release(db, slots=1, places=2)
    await appointments.gate.releases.snapshot.refresh()
    at(clock, OPENS_AT)
    booking_id = uuid4()
    async with Wire(appointments).resident(a_person()) as resident:
        admission = (await resident.put(f"/releases/{release_id}/place")).json()["admission"]
        wanted = {"slot_id": str(slot.slot_id), "admission": admission}
        assert (await resident.put(f"/holds/{booking_id}", json=wanted)).is_success
        assert (await resident.get(f"/releases/{release_id}/place")).json()["state"] == "used"
        confirmed = await resident.put(f"/bookings/{booking_id}", json={"slot_id": str(slot.slot_id)})
        assert confirmed.status_code == 201
