"""A department says who is whose guardian; the guardian shows the ward's certificates until that ends."""

import asyncio
from typing import Any

import pytest

from kernel.clock import StoppedClock
from kernel.people import Identity
from tests.builders_family import CHILD, STRANGER, a_code_for, count_told, put, said, show_for, the_kind
from tests.builders_wallet import (
    HEALTH_ID,
    ID_CARD,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    an_id_card,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet.model import Certificate, Outcome
from wallet.parts import Wallet


@pytest.fixture
async def childs_card(wallet: Wallet) -> Certificate:
    await put(wallet, the_kind(ID_CARD, proves_guardianship=True))
    return await issued(wallet, an_id_card("R-child", CHILD))


def guardianship(guardian: Identity = SOMEBODY_ELSE, ward: Identity = CHILD, **more: Any) -> dict[str, Any]:
    return {
        "guardian": {"id_number": guardian.id_number, "name": guardian.name},
        "ward": {"id_number": ward.id_number, "name": ward.name},
        **more,
    }


async def test_a_parent_shows_a_childs_certificate_once_a_department_says_who_is_who(
    wallet: Wallet, wire: Wire, childs_card: Certificate, agents_card: Certificate, clock: StoppedClock
) -> None:
    police, parent = wire.department(POLICE_ID), wire.resident(agents_card.person_id)
    told = await police.put("/guardianships/JH-1", json=guardianship())
    assert told.status_code == 200, told.text
    assert (told.json()["state"], told.json()["expires_at"]) == ("standing", "2034-05-31T16:00:00Z")
    assert (await police.put("/guardianships/JH-1", json=guardianship())).json() == told.json()
    [mandate] = (await parent.get("/mandates")).json()["held"]
    assert (mandate["basis"], mandate["registered_by_zh"], mandate["other"]) == ("guardian", "公安局", "某＊＊")
    verdict = await scanned(wallet, await a_code_for(parent, childs_card, mandate["mandate_id"]))
    assert (verdict.outcome, verdict.fields["name"]) == (Outcome.VALID, CHILD.name)
    child = wire.resident(childs_card.person_id)
    assert (await child.get("/uses")).json()["uses"][0]["acted"]["basis"] == "guardian"
    refused = await child.post(f"/mandates/{mandate['mandate_id']}/revoke")
    assert said(refused) == (403, "wallet.mandate_not_yours_to_end")
    code = await a_code_for(parent, childs_card, mandate["mandate_id"])
    for _ in range(2):
        ended = await police.post("/guardianships/JH-1/end")
        assert (ended.status_code, ended.json()["state"]) == (200, "ended")
    assert (await scanned(wallet, code)).outcome is Outcome.MANDATE_ENDED
    assert said(await show_for(parent, childs_card, mandate["mandate_id"])) == (409, "wallet.mandate_ended")
    assert await count_told(wallet, "mandate_received") == 1


async def test_a_guardianship_ends_when_the_child_comes_of_age_or_the_guardian_gives_it_back(
    wallet: Wallet, wire: Wire, childs_card: Certificate, agents_card: Certificate, clock: StoppedClock
) -> None:
    police, parent = wire.department(POLICE_ID), wire.resident(agents_card.person_id)
    await police.put("/guardianships/JH-1", json=guardianship())
    [mandate] = (await parent.get("/mandates")).json()["held"]
    assert (await parent.post(f"/mandates/{mandate['mandate_id']}/revoke")).json()["state"] == "ended"
    assert said(await show_for(parent, childs_card, mandate["mandate_id"])) == (409, "wallet.mandate_ended")
    until = (422, "wallet.mandate_period_refused")
    assert said(await police.put("/guardianships/JH-2", json=guardianship(until="2034-06-02"))) == until
    assert said(await police.put("/guardianships/JH-2", json=guardianship(until="2026-03-02"))) == until
    assert said(await police.put("/guardianships/JH-2", json=guardianship(ward=SOMEBODY))) == until
    assert (await police.put("/guardianships/JH-2", json=guardianship(until="2030-01-01"))).status_code == 200
    grown = await police.put("/guardianships/JH-3", json=guardianship(ward=SOMEBODY, until="2031-01-01"))
    assert grown.json()["expires_at"] == "2030-12-31T16:00:00Z"


async def test_only_a_department_entitled_to_registers_and_only_its_own(
    wire: Wire, childs_card: Certificate, agents_card: Certificate
) -> None:
    assert childs_card.person_id != agents_card.person_id
    police, health = wire.department(POLICE_ID), wire.department(HEALTH_ID)
    refused = await health.put("/guardianships/JH-1", json=guardianship())
    assert said(refused) == (403, "wallet.guardianship_not_entitled")
    assert said(await police.post("/guardianships/JH-1/end")) == (404, "wallet.guardianship_not_found")
    await police.put("/guardianships/JH-1", json=guardianship())
    assert said(await health.post("/guardianships/JH-1/end")) == (404, "wallet.guardianship_not_found")
    other = await police.put("/guardianships/JH-1", json=guardianship(guardian=STRANGER))
    assert said(other) == (422, "wallet.reference_reused")
    oneself = await police.put("/guardianships/JH-2", json=guardianship(guardian=CHILD))
    assert said(oneself) == (422, "wallet.mandate_to_oneself")
    no_number = guardianship(guardian=Identity("110101199001011234", "某"))
    assert said(await police.put("/guardianships/JH-2", json=no_number)) == (422, "wallet.agent_refused")
    no_number = guardianship(ward=Identity("110101199001011234", "某"))
    assert said(await police.put("/guardianships/JH-2", json=no_number)) == (422, "wallet.holder_refused")
    assert (await police.put("/guardianships/a%20b", json=guardianship())).status_code == 400


async def test_a_guardianship_told_of_twice_at_once_is_one(
    wallet: Wallet, wire: Wire, childs_card: Certificate, agents_card: Certificate
) -> None:
    assert childs_card.person_id != agents_card.person_id
    police = wire.department(POLICE_ID)
    answers = await asyncio.gather(*(police.put("/guardianships/JH-1", json=guardianship()) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.mandate") == 1
    assert await count_told(wallet, "mandate_given") == 1
