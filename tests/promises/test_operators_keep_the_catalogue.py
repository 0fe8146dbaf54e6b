"""Operators say what there is; what they change holds from the next scan on, and old records keep the old words."""

from typing import Any
from uuid import uuid4

import pytest

from tests.builders_wallet import (
    HEALTH_ID,
    ID_CARD,
    MUSEUM,
    SOMEBODY,
    STATION,
    a_code,
    device_at,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet.errors import DeviceNotRegistered
from wallet.model import Outcome
from wallet.parts import Wallet

STATION_ENTRY = {
    "name_zh": "实名进站",
    "name_en": "Entering",
    "purpose_zh": "核对票证人一致",
    "purpose_en": "Ticket and traveller agree",
}
MUSEUM_ITSELF = {
    "sort": "museum",
    "credit_code": "12310104DEMB0001XX",
    "name_zh": "馆",
    "name_en": "M",
    "district": "310104",
    "address": "路1号",
}
NAMED_IDENTIFIER = {
    "name": "identifier",
    "label_zh": "x",
    "label_en": "x",
    "type": "text",
    "sensitivity": "open",
}


async def put(wallet: Wallet, path: str, body: dict[str, Any], status: int = 204) -> Any:
    """What the operator hears; afterwards the process knows the change, as it would within a second."""
    answer = await Wire(wallet).operator().put(path, json=body)
    assert answer.status_code == status, answer.text
    await wallet.snapshots[0].refresh()
    return answer


async def test_a_narrowed_scenario_narrows_codes_already_shown(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    await put(wallet, "/scenarios/station.entry", STATION_ENTRY | {"grants": {ID_CARD: ["name"]}})
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.fields) == (Outcome.VALID, {"name": SOMEBODY.name})


async def test_a_kind_or_scenario_taken_back_is_not_authorised_any_more(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    codes = [await a_code(wallet, certificate, "museum.entry") for _ in range(2)]
    await put(wallet, f"/venues/{MUSEUM}", MUSEUM_ITSELF | {"scenario_codes": []})
    assert (await scanned(wallet, codes[0], device_at(MUSEUM))).outcome is Outcome.WRONG_SCENARIO
    await put(wallet, f"/venues/{MUSEUM}", MUSEUM_ITSELF | {"scenario_codes": ["museum.entry"]})
    assert (await scanned(wallet, codes[0], device_at(MUSEUM))).outcome is Outcome.VALID
    words = {"name_zh": "馆", "name_en": "M", "purpose_zh": "看", "purpose_en": "See"}
    await put(wallet, "/scenarios/museum.entry", words | {"grants": {}})
    assert (await scanned(wallet, codes[1], device_at(MUSEUM))).outcome is Outcome.WRONG_SCENARIO


async def test_the_ledger_says_what_people_were_told_at_the_time(wallet: Wallet) -> None:
    certificate = await issued(wallet)
    await scanned(wallet, await a_code(wallet, certificate))
    changed = STATION_ENTRY | {"purpose_zh": "改过的用途", "grants": {ID_CARD: ["name"]}}
    await put(wallet, "/scenarios/station.entry", changed)
    await put(wallet, "/scenarios/station.entry", changed)
    await scanned(wallet, await a_code(wallet, certificate))
    uses = (await Wire(wallet).resident(certificate.person_id).get("/uses")).json()["uses"]
    assert {use["purpose_zh"] for use in uses} == {"核对票证人一致", "改过的用途"}
    assert await wallet.db.fetchval("SELECT max(edition) FROM wallet.scenario_edition") == 2


async def test_a_withdrawn_device_may_ask_nothing(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    device = device_at(STATION)
    operator = Wire(wallet).operator()
    assert (await operator.delete(f"/devices/{device.device_id}")).status_code == 204
    assert (await operator.delete(f"/devices/{device.device_id}")).status_code == 404
    await wallet.snapshots[0].refresh()
    with pytest.raises(DeviceNotRegistered):
        await scanned(wallet, code, device)
    refused = await Wire(wallet).venue(device).get("/scenarios")
    assert (refused.status_code, refused.json()["code"]) == (403, "wallet.device_not_registered")
    await put(wallet, f"/devices/{device.device_id}", {"venue_id": str(STATION), "name_zh": "闸", "name_en": "G"})
    assert (await scanned(wallet, code, device)).outcome is Outcome.VALID


async def test_a_new_kind_is_put_entitled_and_issued(wallet: Wallet) -> None:
    code = "11310000DEMA0003XX777"
    field = {"name": "points", "label_zh": "积分", "label_en": "Points", "type": "integer", "sensitivity": "open"}
    kind = {"name_zh": "积分证", "name_en": "Points", "fields": [field], "face_colour": "#123456", "layout": "card"}
    await put(wallet, f"/kinds/{code}", kind)
    issuer = {"department_id": str(HEALTH_ID), "name_zh": "卫健委", "name_en": "Health", "kind_codes": [code]}
    await put(wallet, "/issuers/11310000DEMA0003XX", issuer)
    body = {
        "reference": "P-1", "kind_code": code, "holder": {"id_number": SOMEBODY.id_number, "name": SOMEBODY.name},
        "values": {"points": 120}, "valid_from": "2026-01-01",
    }  # fmt: skip
    given = await Wire(wallet).department(HEALTH_ID).post("/certificates", json=body)
    assert (given.status_code, given.json()["valid_until"]) == (201, None)
    acts = await wallet.db.fetch("SELECT act FROM kernel.audit WHERE act LIKE 'wallet.put%' ORDER BY act")
    assert [row["act"] for row in acts] == ["wallet.put_issuer", "wallet.put_kind"]


@pytest.mark.parametrize(
    "path, body",
    [
        ("/scenarios/a.b", STATION_ENTRY | {"grants": {"9" * 21: ["name"]}}),
        ("/scenarios/a.b", STATION_ENTRY | {"grants": {ID_CARD: ["no_such_field"]}}),
        ("/devices/00000000-0000-4000-8000-000000000007", {"venue_id": str(uuid4()), "name_zh": "闸", "name_en": "G"}),
        (
            "/issuers/310000",
            {"department_id": str(HEALTH_ID), "name_zh": "x", "name_en": "x", "kind_codes": ["9" * 21]},
        ),
        (
            f"/kinds/{ID_CARD}",
            {
                "name_zh": "x", "name_en": "x", "face_colour": "#123456", "layout": "card",
                "fields": [NAMED_IDENTIFIER],
            },
        ),
    ],
)  # fmt: skip
async def test_what_names_nothing_there_is_is_refused(wallet: Wallet, path: str, body: dict[str, Any]) -> None:
    refused = await put(wallet, path, body, 422)
    assert refused.json()["code"] == "wallet.catalogue_incomplete"


async def test_a_line_feed_at_the_end_of_a_code_is_malformed_not_a_fault(wallet: Wallet) -> None:
    operator = Wire(wallet).operator()
    issuer = {"department_id": str(HEALTH_ID), "name_zh": "x", "name_en": "x", "kind_codes": []}
    assert (await operator.put("/issuers/310000%0A", json=issuer)).status_code == 400
    assert (await operator.put("/scenarios/a.b%0A", json=STATION_ENTRY | {"grants": {}})).status_code == 400
    assert (await operator.put("/issuers/310000", json=issuer | {"name_zh": "x\n"})).status_code == 400
    assert (await operator.put("/issuers/310000", json=issuer | {"name_zh": "x\x00"})).status_code == 400
