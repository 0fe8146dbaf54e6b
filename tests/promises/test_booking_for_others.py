"""Somebody books for somebody else under a mandate, as long as it stands and lets them."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from appointments.asking import Particulars
from appointments.errors import MandateRefused, NotForOthers
from appointments.model import Service, service_id_of
from appointments.offices import offering
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from tests import wire_wallet
from tests.builders_appointments import (
    THURSDAY_TEN,
    Wire,
    a_person,
    a_slot,
    an_id,
    disagreements,
    open_appointments,
)
from tests.builders_family import CHILD, another, given, put, the_kind
from tests.builders_notifications import notifications_over
from tests.builders_wallet import ID_CARD, POLICE_ID, SOMEBODY_ELSE, an_id_card, issued
from wallet.model import Certificate
from wallet.parts import Wallet

NEXT_DAY = THURSDAY_TEN + timedelta(days=1)


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys, wallet: Wallet) -> Appointments:
    return await open_appointments(db, clock, keys, mandates=wallet.booking_for)


@pytest.fixture
async def holder(wallet: Wallet) -> Certificate:
    return await issued(wallet, an_id_card())


@pytest.fixture
async def agent(wallet: Wallet) -> Certificate:
    return await another(wallet)


async def lets_book(wallet: Wallet, holder: Certificate, clock: StoppedClock, **more: Any) -> str:
    """A mandate that the holder gives the agent."""
    wished = {"may_book": True, **more}
    return await given(wire_wallet.Wire(wallet), holder, SOMEBODY_ELSE, clock.now(), **wished)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_an_agent_books_sees_moves_and_cancels_for_the_holder_who_is_told(
    db, appointments, wallet, holder, agent, clock
):
    mandate = await lets_book(wallet, holder, clock)
    slot, later = str(await a_slot(db)), str(await a_slot(db, starts_at=NEXT_DAY))
    mine, params = f"/bookings/{uuid4()}", {"mandate_id": mandate}
    wire = Wire(appointments)
    async with wire.resident(agent.person_id) as acting, wire.resident(holder.person_id) as held:
        booked = await acting.put(mine, json={"slot_id": slot, "mandate_id": mandate})
        assert (booked.status_code, booked.json()["mandate_id"]) == (201, mandate)
        assert (await acting.put(mine, json={"slot_id": slot, "mandate_id": mandate})).json() == booked.json()
        assert (await held.get(mine)).json() == booked.json()
        assert (await acting.get(mine)).status_code == 404
        assert (await acting.get(mine, params=params)).json() == booked.json()
        assert (await acting.get("/bookings")).json()["bookings"] == []
        assert (await acting.get("/bookings", params=params)).json()["bookings"] == [booked.json()]
        assert (await acting.get("/bookings/for-others")).json() == {"bookings": [booked.json()], "next": None}
        moved = await acting.post(f"{mine}/reschedule", json={"slot_id": later}, params=params)
        assert (moved.status_code, moved.json()["version"]) == (200, 2)
        assert (await acting.delete(mine, params=params)).json()["stage"] == "cancelled"
    told = await db.fetch("SELECT person_id, template FROM notifications.message WHERE caller = 'appointments'")
    assert sorted(row[1] for row in told) == ["booking_cancelled", "booking_changed", "booking_confirmed"]
    assert {row[0] for row in told} == {holder.person_id}
    assert await disagreements(db) == []


async def test_the_very_next_booking_after_a_mandate_ended_is_refused(db, appointments, wallet, holder, agent, clock):
    mandate, slot = await lets_book(wallet, holder, clock), str(await a_slot(db))
    other = str(await a_slot(db, service="licence", starts_at=NEXT_DAY))
    async with Wire(appointments).resident(agent.person_id) as acting:
        kept = f"/bookings/{uuid4()}"
        assert (await acting.put(kept, json={"slot_id": slot, "mandate_id": mandate})).status_code == 201
        ended = await wire_wallet.Wire(wallet).resident(holder.person_id).post(f"/mandates/{mandate}/revoke")
        assert ended.status_code == 200
        for answer in (
            await acting.put(f"/bookings/{uuid4()}", json={"slot_id": other, "mandate_id": mandate}),
            await acting.put(f"/holds/{uuid4()}", json={"slot_id": other, "mandate_id": mandate}),
            await acting.get(kept, params={"mandate_id": mandate}),
            await acting.delete(kept, params={"mandate_id": mandate}),
            await acting.get("/bookings", params={"mandate_id": mandate}),
        ):
            assert code(answer) == (404, "appointments.mandate_refused")
            assert answer.json()["why"] == "wallet.mandate_ended"
        assert (await acting.get("/bookings/for-others")).json() == {"bookings": [], "next": None}
    async with Wire(appointments).resident(holder.person_id) as held:
        assert (await held.get(kept)).json()["stage"] == "booked"


async def test_a_mandate_that_says_nothing_of_booking_books_nothing(db, appointments, wallet, holder, agent, clock):
    mandate, slot = await lets_book(wallet, holder, clock, may_book=False), str(await a_slot(db))
    async with Wire(appointments).resident(agent.person_id) as acting:
        refused = await acting.put(f"/bookings/{uuid4()}", json={"slot_id": slot, "mandate_id": mandate})
        assert (code(refused), refused.json()["why"]) == (
            (404, "appointments.mandate_refused"), "wallet.mandate_not_for_booking"
        )  # fmt: skip
    async with Wire(appointments).resident(a_person()) as stranger:
        other = await lets_book(wallet, holder, clock)
        refused = await stranger.put(f"/bookings/{uuid4()}", json={"slot_id": slot, "mandate_id": other})
        assert refused.json()["why"] == "wallet.mandate_not_found"


async def test_what_is_booked_while_a_mandate_ends_was_booked_before_it_or_not_at_all(
    db, appointments, wallet, holder, agent, clock
):
    slots = [
        await a_slot(db, service=f"service-{nth}", starts_at=THURSDAY_TEN + nth * timedelta(hours=1))
        for nth in range(7)
    ]
    mandate = await lets_book(wallet, holder, clock)
    async with (
        Wire(appointments).resident(agent.person_id) as acting,
        wire_wallet.Wire(wallet).resident(holder.person_id) as held,
    ):
        answers = await asyncio.gather(
            *(acting.put(f"/bookings/{uuid4()}", json={"slot_id": str(slot), "mandate_id": mandate}) for slot in slots),
            held.post(f"/mandates/{mandate}/revoke"),
        )
    assert {answer.status_code for answer in answers} <= {200, 201, 404}
    booked = sum(answer.status_code == 201 for answer in answers)
    assert await db.fetchval("SELECT count(*) FROM appointments.booking") == booked
    assert await disagreements(db) == []


async def test_in_the_transaction_itself_an_ended_mandate_is_refused(db, appointments, wallet, holder, agent, clock):
    """The mandate stood when it was looked at, and ends before the booking's own transaction."""
    mandate, slot = await lets_book(wallet, holder, clock), await a_slot(db)
    acting = Particulars(agent_id=agent.person_id, mandate_id=UUID(mandate))
    await wire_wallet.Wire(wallet).resident(holder.person_id).post(f"/mandates/{mandate}/revoke")
    with pytest.raises(MandateRefused):
        await appointments.book(an_id(), slot, holder.person_id, acting)
    with pytest.raises(MandateRefused):
        await appointments.hold(an_id(), slot, holder.person_id, acting)
    assert await db.fetchval("SELECT count(*) FROM appointments.booking") == 0


async def test_a_guardian_books_for_the_ward(db, appointments, wallet, agent, clock):
    await put(wallet, the_kind(ID_CARD, proves_guardianship=True))
    child, slot = await issued(wallet, an_id_card("R-child", CHILD)), str(await a_slot(db))
    named = {
        "guardian": {"id_number": SOMEBODY_ELSE.id_number, "name": SOMEBODY_ELSE.name},
        "ward": {"id_number": CHILD.id_number, "name": CHILD.name},
    }
    wire = wire_wallet.Wire(wallet)
    assert (await wire.department(POLICE_ID).put("/guardianships/JH-1", json=named)).status_code == 200
    [mandate] = (await wire.resident(agent.person_id).get("/mandates")).json()["held"]
    assert mandate["may_book"] is True
    async with Wire(appointments).resident(agent.person_id) as parent:
        body = {"slot_id": slot, "mandate_id": mandate["mandate_id"]}
        assert (await parent.put(f"/holds/{uuid4()}", json=body)).status_code == 200
        assert (await parent.put(f"/bookings/{uuid4()}", json=body)).status_code == 201
    assert await db.fetchval("SELECT person_id FROM appointments.booking") == child.person_id
    assert await disagreements(db, now=clock.now()) == []


async def test_the_holder_and_the_agent_book_one_service_once(db, appointments, wallet, holder, agent, clock):
    mandate, slot = await lets_book(wallet, holder, clock), str(await a_slot(db))
    wire = Wire(appointments)
    async with wire.resident(agent.person_id) as acting, wire.resident(holder.person_id) as held:
        answers = await asyncio.gather(
            acting.put(f"/bookings/{uuid4()}", json={"slot_id": slot, "mandate_id": mandate}),
            held.put(f"/bookings/{uuid4()}", json={"slot_id": slot}),
            acting.put(f"/bookings/{uuid4()}", json={"slot_id": slot}),
        )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409]
    assert await disagreements(db) == []


async def test_some_services_are_booked_by_the_person_alone(db, appointments, wallet, holder, agent, clock):
    mandate, slot = await lets_book(wallet, holder, clock), str(await a_slot(db))
    alone = Service(
        service_id=service_id_of("passport"), slug="passport", department="police", name_zh="普通护照换发",
        name_en="Passport renewal", bring_zh="", bring_en="", is_for_others=False,
    )  # fmt: skip
    await offering.plant(db, services=[alone])
    await appointments.catalogues.refresh()
    async with Wire(appointments).resident(agent.person_id) as acting:
        for path in (f"/bookings/{uuid4()}", f"/holds/{uuid4()}"):
            refused = await acting.put(path, json={"slot_id": slot, "mandate_id": mandate})
            assert code(refused) == (403, NotForOthers.code)


async def test_for_whoever_keeps_no_mandates_nobody_books(db, clock, keys):
    alone, slot = await open_appointments(db, clock, keys), str(await a_slot(db))
    async with Wire(alone).resident(a_person()) as acting:
        refused = await acting.put(f"/bookings/{uuid4()}", json={"slot_id": slot, "mandate_id": str(uuid4())})
        assert code(refused) == (404, "appointments.mandate_refused")


@pytest.mark.parametrize(("may_book", "said"), [(True, "出示证照，查看、办理、改期和取消预约"), (False, "出示证照")])
async def test_both_sides_are_told_what_a_mandate_covers(db, wallet, holder, agent, clock, keys, may_book, said):
    await lets_book(wallet, holder, clock, may_book=may_book)
    notifications = notifications_over(db, clock, keys)
    await notifications.settle()
    async with db.connection() as conn:
        pages = [await notifications.inbox.page(conn, one.person_id, "zh", None) for one in (holder, agent)]
    for page, whom in zip(pages, ("某＊可代您", "您可代某＊"), strict=True):
        [told] = [item.body for item in page.items if item.title == "授权"]
        assert told.startswith(f"{whom}{said}，最迟至")
