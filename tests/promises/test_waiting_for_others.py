"""Somebody waits for somebody else under a mandate, as long as it stands and lets them."""

from typing import Any
from uuid import uuid4

import pytest

from appointments.model import service_id_of
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from tests import wire_wallet
from tests.builders_appointments import Wire, a_person, a_slot, an_id, disagreements, open_appointments
from tests.builders_family import another, given
from tests.builders_wallet import SOMEBODY_ELSE, an_id_card, issued
from wallet.parts import Wallet

WISH = {"service_id": str(service_id_of("passport")), "first_day": "2026-03-05", "last_day": "2026-03-06"}


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys, wallet: Wallet) -> Appointments:
    return await open_appointments(db, clock, keys, mandates=wallet.booking_for)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_an_agent_waits_and_takes_what_is_offered_to_the_holder(db, appointments, wallet, clock):
    slot, before, booking = await a_slot(db, places=1), a_person(), an_id()
    await appointments.catalogues.refresh()
    await appointments.book(booking, slot, before)
    holder, agent = await issued(wallet, an_id_card()), await another(wallet)
    mandate = await given(wire_wallet.Wire(wallet), holder, SOMEBODY_ELSE, clock.now(), may_book=True)
    params, path = {"mandate_id": mandate}, f"/waiting/{uuid4()}"
    wire = Wire(appointments)
    async with wire.resident(agent.person_id) as acting, wire.resident(holder.person_id) as held:
        assert (await acting.put(path, json=WISH | params)).status_code == 201
        assert (await acting.get("/waiting")).json() == {"waits": []}
        assert (await acting.get("/waiting", params=params)).json() == (await held.get("/waiting")).json()
        await appointments.cancel(before, booking)
        assert code(await acting.post(f"{path}/accept", json={})) == (404, "appointments.waiting_not_found")
        taken = await acting.post(f"{path}/accept", json=params)
        assert (taken.status_code, taken.json()["mandate_id"]) == (200, mandate)
        assert code(await acting.delete(path, params=params)) == (409, "appointments.waiting_taken")
    row = await db.fetchrow("SELECT person_id, agent_id, channel FROM appointments.booking WHERE stage = 'booked'")
    assert tuple(row) == (holder.person_id, agent.person_id, "waiting_list")
    assert await disagreements(db, now=clock.now()) == []


async def test_nobody_waits_for_another_without_a_mandate_that_lets_them(db, appointments, wallet, clock):
    await a_slot(db, places=1)
    await appointments.catalogues.refresh()
    holder, agent = await issued(wallet, an_id_card()), await another(wallet)
    to_show = await given(wire_wallet.Wire(wallet), holder, SOMEBODY_ELSE, clock.now())
    may_book = await given(wire_wallet.Wire(wallet), holder, SOMEBODY_ELSE, clock.now(), may_book=True)
    async with Wire(appointments).resident(agent.person_id) as acting:
        for mandate in (to_show, str(uuid4())):
            refused = await acting.put(f"/waiting/{uuid4()}", json=WISH | {"mandate_id": mandate})
            assert code(refused) == (404, "appointments.mandate_refused")
        await db.fetchval("UPDATE appointments.service SET is_for_others = FALSE")
        await appointments.catalogues.refresh()
        refused = await acting.put(f"/waiting/{uuid4()}", json=WISH | {"mandate_id": may_book})
        assert code(refused) == (403, "appointments.not_for_others")
    assert await db.fetchval("SELECT count(*) FROM appointments.waiting") == 0
