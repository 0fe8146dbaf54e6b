"""A certificate travels from a department to a venue's scanner, over HTTP, and its person sees who looked."""

import asyncio
import io
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import zxingcpp
from PIL import Image

from kernel.clock import StoppedClock
from kernel.ids import PersonId
from tests.builders_wallet import (
    HEALTH_CARD,
    HEALTH_ID,
    HOSPITAL,
    ID_CARD,
    MUSEUM,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    STATION,
    device_at,
    issued,
)
from tests.wire_wallet import Wire
from wallet.parts import Wallet

BODY: dict[str, Any] = {
    "reference": "R-2026-1",
    "kind_code": ID_CARD,
    "holder": {"id_number": SOMEBODY.id_number, "name": SOMEBODY.name},
    "values": {"name": SOMEBODY.name, "sex": "female", "birth_date": "1990-01-01", "id_number": SOMEBODY.id_number},
    "valid_from": "2020-01-01",
}


async def holder_of(wallet: Wallet, certificate_id: str) -> PersonId:
    found = await wallet.db.fetchval(
        "SELECT person_id FROM wallet.certificate_holder WHERE certificate_id = $1::text::uuid", certificate_id
    )
    return PersonId(found)


async def test_from_issuing_to_the_ledger(wallet: Wallet, wire: Wire, clock: StoppedClock) -> None:
    issued_as = (await wire.department(POLICE_ID).post("/certificates", json=BODY)).json()
    person_id = await holder_of(wallet, issued_as["certificate_id"])
    resident = wire.resident(person_id)
    [card] = (await resident.get("/certificates")).json()["certificates"]
    assert (card["state"], card["valid_until"]) == ("issued", "2039-12-27")
    assert SOMEBODY.id_number not in str(card)
    whole = (await resident.get(f"/certificates/{card['certificate_id']}")).json()
    assert whole["identifier"] == issued_as["identifier"]
    assert {value["name"]: value["value"] for value in whole["values"]}["id_number"] == SOMEBODY.id_number

    seen = {}
    for venue, scenario in ((STATION, "station.entry"), (HOSPITAL, "hospital.registration"), (MUSEUM, "museum.entry")):
        code = await resident.post(f"/certificates/{card['certificate_id']}/codes", json={"scenario_code": scenario})
        assert code.status_code == 201
        scan = {"code": code.json()["text"], "use_id": str(uuid4())}
        answer = await wire.venue(device_at(venue)).post("/verifications", json=scan)
        assert answer.status_code == 200
        assert answer.json()["verdict"] == "valid"
        assert (await wire.venue(device_at(venue)).post("/verifications", json=scan)).content == answer.content
        again = await wire.venue(device_at(venue, 2)).post("/verifications", json=scan)
        assert again.json() == {
            "verdict": "already_used", "scenario_code": None, "kind_code": None, "fields": {}, "beside": [],
            "issuer_sort": None,
        }  # fmt: skip
        seen[scenario] = answer.json()["fields"]
        clock.advance(timedelta(minutes=1))
    assert seen["museum.entry"] == {"name": SOMEBODY.name}
    assert seen["station.entry"] == {"name": SOMEBODY.name, "id_number": SOMEBODY.id_number}
    assert seen["hospital.registration"] == {
        "name": SOMEBODY.name, "sex": "female", "birth_date": "1990-01-01", "id_number": SOMEBODY.id_number,
        "identifier": issued_as["identifier"],
    }  # fmt: skip

    ledger = (await resident.get("/uses")).json()
    assert [use["venue_zh"] for use in ledger["uses"]] == ["小满博物馆", "青禾医院", "云上站"]
    assert ledger["uses"][0]["purpose_zh"] == "核对预约人"
    assert [field["label_zh"] for field in ledger["uses"][2]["fields"]] == ["姓名", "公民身份号码"]
    assert ledger["next_cursor"] is None


async def test_the_ledger_is_read_page_by_page_and_by_certificate(wallet: Wallet, wire: Wire) -> None:
    card = await issued(wallet)
    resident = wire.resident(card.person_id)
    for _ in range(5):
        code = await resident.post(f"/certificates/{card.certificate_id}/codes", json={"scenario_code": "museum.entry"})
        scan = {"code": code.json()["text"], "use_id": str(uuid4())}
        await wire.venue(device_at(MUSEUM)).post("/verifications", json=scan)
    seen, cursor = 0, None
    for _ in range(3):
        page = (await resident.get("/uses", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen, cursor = seen + len(page["uses"]), page["next_cursor"]
    assert (seen, cursor) == (5, None)
    assert len((await resident.get("/uses", params={"certificate_id": str(card.certificate_id)})).json()["uses"]) == 5
    assert (await resident.get("/uses", params={"certificate_id": str(uuid4())})).json()["uses"] == []
    assert (await wire.resident(PersonId(uuid4())).get("/uses")).json()["uses"] == []
    for cursor in ("x", "AAAA", "é" * 5, "A" * 54):
        refused = await resident.get("/uses", params={"cursor": cursor})
        assert refused.status_code in (200, 400)
    assert (await resident.get("/uses", params={"cursor": "AAAA"})).json()["code"] == "wallet.cursor_refused"


async def test_a_resident_may_show_less_than_the_scenario_allows_but_not_more(wallet: Wallet, wire: Wire) -> None:
    card = await issued(wallet)
    codes = f"/certificates/{card.certificate_id}/codes"
    resident = wire.resident(card.person_id)
    less = await resident.post(codes, json={"scenario_code": "station.entry", "fields": ["name"]})
    scan = {"code": less.json()["text"], "use_id": str(uuid4())}
    answer = await wire.venue(device_at(STATION)).post("/verifications", json=scan)
    assert answer.json()["fields"] == {"name": SOMEBODY.name}
    for body, status, code in (
        ({"scenario_code": "station.entry", "fields": ["name", "sex"]}, 422, "wallet.field_not_in_scenario"),
        ({"scenario_code": "station.exit"}, 404, "wallet.scenario_not_found"),
        ({"scenario_code": "station.entry", "fields": []}, 400, "request.malformed"),
        ({"scenario_code": "station.entry", "more": 1}, 400, "request.malformed"),
    ):
        refused = await resident.post(codes, json=body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_nobody_sees_or_shows_another_persons_certificate(wallet: Wallet, wire: Wire) -> None:
    card = await issued(wallet)
    other = wire.resident(PersonId(uuid4()))
    assert (await other.get("/certificates")).json() == {"certificates": []}
    assert (await other.get(f"/certificates/{card.certificate_id}")).status_code == 404
    refused = await other.post(f"/certificates/{card.certificate_id}/codes", json={"scenario_code": "museum.entry"})
    assert (refused.status_code, refused.json()["code"]) == (404, "wallet.certificate_not_found")
    unchecked = await wire.resident(None).get("/certificates")
    assert (unchecked.status_code, unchecked.json()["code"]) == (403, "access.real_name_needed")


async def test_a_code_comes_as_text_or_image_as_asked(wallet: Wallet, wire: Wire) -> None:
    card = await issued(wallet)
    codes, body = f"/certificates/{card.certificate_id}/codes", {"scenario_code": "museum.entry"}
    resident = wire.mini(card.person_id)
    text = await resident.post(codes, json=body, headers={"Accept": "text/plain"})
    assert re.fullmatch(r"HTTPS://127\.0\.0\.1:8700/Q/[A-Z2-7]{26}", text.text)
    svg = await resident.post(codes, json=body, headers={"Accept": "image/svg+xml"})
    assert (svg.status_code, svg.headers["content-type"]) == (201, "image/svg+xml")
    png = await resident.post(codes, json=body, headers={"Accept": "text/html, image/png;q=0.9, */*;q=0"})
    assert (png.headers["content-type"], "shown-until" in png.headers) == ("image/png", True)
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(png.content)).convert("L"))
    scan = {"code": found.text, "use_id": str(uuid4())}
    assert (await wire.venue(device_at(MUSEUM)).post("/verifications", json=scan)).json()["verdict"] == "valid"
    refused = await resident.post(codes, json=body, headers={"Accept": "video/mp4"})
    assert (refused.status_code, refused.json()["code"]) == (406, "request.not_acceptable")
    assert (await resident.post(codes, json=body, headers={"Accept": "*/*"})).json()["text"]


async def test_opening_a_code_neither_redeems_nor_reveals(wallet: Wallet, wire: Wire) -> None:
    card = await issued(wallet)
    minted = await wire.resident(card.person_id).post(
        f"/certificates/{card.certificate_id}/codes", json={"scenario_code": "museum.entry"}
    )
    code = minted.json()["text"]
    token = code.rpartition("/")[2]
    pages = [await wire.anybody().get(f"/Q/{part}") for part in (token, "A" * 26, "anything", "..", "%F0%9F%98%80")]
    assert {page.status_code for page in pages[:3]} == {200}
    assert len({page.content for page in pages if page.status_code == 200}) == 1
    assert token not in pages[0].text
    assert (await wire.anybody().get(f"/A/{token}")).status_code == 200
    scan = {"code": code, "use_id": str(uuid4())}
    assert (await wire.venue(device_at(MUSEUM)).post("/verifications", json=scan)).json()["verdict"] == "valid"


async def test_scenarios_tell_what_each_would_see(wire: Wire) -> None:
    everywhere = (await wire.resident(None).get("/scenarios", params={"kind_code": ID_CARD})).json()["scenarios"]
    assert {scenario["scenario_code"] for scenario in everywhere} == {
        "station.entry", "hospital.registration", "museum.entry",
    }  # fmt: skip
    assert [len(scenario["shows"]) for scenario in everywhere] == [1, 1, 1]
    granted = (await wire.venue(device_at(STATION)).get("/scenarios")).json()["scenarios"]
    assert [scenario["scenario_code"] for scenario in granted] == ["station.entry"]
    assert [grant["name_zh"] for grant in granted[0]["shows"]] == ["居民身份证", "机动车驾驶证"]


async def test_issuing_again_under_the_same_reference_issues_nothing_new(wallet: Wallet, wire: Wire) -> None:
    department = wire.department(POLICE_ID)
    first = await department.post("/certificates", json=BODY)
    again = await department.post("/certificates", json=BODY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await department.post("/certificates", json=BODY | {"valid_from": "2021-01-01"})
    assert (other.status_code, other.json()["code"]) == (422, "wallet.reference_reused")
    found = await department.post("/certificates/find", json={"reference": BODY["reference"], "kind_code": ID_CARD})
    assert found.json() == first.json()
    missing = await department.post("/certificates/find", json={"reference": "R-0", "kind_code": ID_CARD})
    assert missing.status_code == 404
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate") == 1
    told = "SELECT count(*) FROM notifications.message WHERE template = 'certificate_issued'"
    assert await wallet.db.fetchval(told) == 1


async def test_the_same_request_twenty_times_at_once_issues_one(wallet: Wallet, wire: Wire) -> None:
    answers = await asyncio.gather(*(wire.department(POLICE_ID).post("/certificates", json=BODY) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate") == 1


@pytest.mark.parametrize(
    "change, status, code",
    [
        ({"kind_code": HEALTH_CARD}, 403, "wallet.kind_not_entitled"),
        ({"kind_code": "9" * 21}, 404, "wallet.kind_not_found"),
        ({"holder": {"id_number": "310101199001019960", "name": "某"}}, 422, "wallet.holder_refused"),
        ({"valid_until": "2019-12-31"}, 422, "wallet.validity_refused"),
        ({"valid_from": "9999-12-31"}, 422, "wallet.validity_refused"),
        ({"values": BODY["values"] | {"birth_date": "1990-02-30"}}, 422, "wallet.value_refused"),
        ({"values": BODY["values"] | {"sex": "other"}}, 422, "wallet.value_refused"),
        ({"values": BODY["values"] | {"points": 3}}, 422, "wallet.value_refused"),
        ({"values": {"name": "某"}}, 422, "wallet.value_refused"),
        ({"reference": ""}, 400, "request.malformed"),
        ({"surprise": 1}, 400, "request.malformed"),
    ],
)
async def test_what_may_not_be_issued_is_refused_without_repeating_values(
    wallet: Wallet, wire: Wire, change: dict[str, Any], status: int, code: str
) -> None:
    refused = await wire.department(POLICE_ID).post("/certificates", json=BODY | change)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert SOMEBODY.id_number not in refused.text
    assert "1990-02-30" not in refused.text
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate") == 0


async def test_a_refused_value_is_named_by_its_field(wire: Wire) -> None:
    refused = await wire.department(POLICE_ID).post(
        "/certificates", json=BODY | {"values": BODY["values"] | {"birth_date": "soon"}}
    )
    assert refused.json()["field"] == "birth_date"


async def test_the_same_serial_twice_is_refused_whole(wallet: Wallet, wire: Wire) -> None:
    department = wire.department(POLICE_ID)
    assert (await department.post("/certificates", json=BODY | {"serial": "S1"})).status_code == 201
    holder = {"id_number": SOMEBODY_ELSE.id_number, "name": SOMEBODY_ELSE.name}
    taken = await department.post("/certificates", json=BODY | {"reference": "R-2", "serial": "S1", "holder": holder})
    assert (taken.status_code, taken.json()["code"]) == (409, "wallet.identifier_taken")
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.issuer_reference") == 1
    assert await wallet.db.fetchval("SELECT count(*) FROM kernel.person") == 1


async def test_a_department_sees_the_kinds_it_may_issue(wire: Wire) -> None:
    kinds = (await wire.department(HEALTH_ID).get("/kinds")).json()["kinds"]
    assert [kind["kind_code"] for kind in kinds] == [HEALTH_CARD]
    assert [field["type"] for field in kinds[0]["fields"]] == ["text", "boolean"]
