"""Nobody reaches what is another's, and an id of something else, of nothing or of no form does nothing."""

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import httpx
import pytest

from gateway import describing
from kernel.clock import StoppedClock
from kernel.ids import PersonId
from kernel.principal import Audience
from tests.builders_family import STRANGER, a_licence, another, given, said
from tests.builders_joining import an_application, filed, granting
from tests.builders_loading import a_line, ndjson, opened, sent
from tests.builders_people import an_entry, the_card_of
from tests.builders_wallet import (
    HEALTH,
    HEALTH_CARD,
    HEALTH_ID,
    ID_CARD,
    LICENCE,
    POLICE,
    POLICE_ID,
    SOMEBODY,
    SOMEBODY_ELSE,
    STATION,
    device_at,
)
from tests.whole_city import TestCity
from tests.wire_wallet import Wire
from wallet.model import Certificate, Issuer, Words
from wallet.operators import cataloguing
from wallet.parts import Wallet

GONE: dict[str, Any] = {"state": "revoked", "certificate": None}


@pytest.fixture
async def health(wallet: Wallet, wire: Wire) -> httpx.AsyncClient:
    """Another department, entitled to issue identity cards too."""
    async with wallet.db.transaction() as conn:
        kinds = frozenset({HEALTH_CARD, ID_CARD})
        issuer = Issuer(HEALTH, HEALTH_ID, Words("卫生健康委员会", "Health"), kinds)
        await cataloguing.put_issuer(conn, issuer, now=wallet.clock.now())
    for snapshot in wallet.snapshots:
        await snapshot.refresh()
    return wire.department(HEALTH_ID)


async def states(wallet: Wallet, issuer_code: str) -> list[tuple[str, int, str]]:
    rows = await wallet.db.fetch(
        "SELECT kind_code, version, state FROM wallet.certificate WHERE issuer_code = $1 ORDER BY certificate_id",
        issuer_code,
    )
    return [(row["kind_code"], row["version"], row["state"]) for row in rows]


async def test_what_a_department_pushes_never_touches_another_departments_entries_or_certificates(
    wallet: Wallet, police: httpx.AsyncClient, health: httpx.AsyncClient
) -> None:
    serial = {"certificate": an_entry(1)["certificate"] | {"serial": "A1"}}
    first = (await police.put("/register/E-1", json=an_entry(5, **serial))).json()
    assert (await health.put("/register/E-1", json=an_entry(9, **GONE))).json()["outcome"] == "unchanged"
    assert (await health.put("/register/E-1", json=an_entry(10, **serial))).json()["outcome"] == "issued"
    assert (await health.put("/register/E-1", json=an_entry(11, STRANGER, **serial))).json()["outcome"] == "unchanged"
    changed = an_entry(12, STRANGER)
    assert (await health.put("/register/E-1", json=changed)).json()["outcome"] == "issued"
    assert (await health.put("/register/E-1", json=an_entry(13, **GONE))).json()["outcome"] == "revoked"
    assert await states(wallet, POLICE) == [(ID_CARD, 1, "issued")]
    again = (await police.put("/register/E-1", json=an_entry(5, **serial))).json()
    assert (again["outcome"], again["certificate"]) == ("unchanged", first["certificate"])
    refused = await health.put("/register/E-1", json=an_entry(14, kind_code=LICENCE))
    assert said(refused) == (403, "wallet.kind_not_entitled")
    assert said(await health.put("/register/E-1", json=an_entry(14, **GONE, kind_code=LICENCE)))[0] == 403


async def test_what_a_department_issued_and_loads_is_not_there_for_another(
    wallet: Wallet, police: httpx.AsyncClient, health: httpx.AsyncClient
) -> None:
    issued_first = (await police.post("/certificates", json=the_card_of(SOMEBODY))).json()
    path, load_id = f"/certificates/{issued_first['certificate_id']}", await opened(police)
    for step in ("suspend", "restore", "revoke"):
        answer = await health.post(f"{path}/{step}", json={"reason": "penalty"})
        assert said(answer) == (404, "wallet.certificate_not_found")
    for way, body in (("supersede", the_card_of(SOMEBODY)), ("reissue", {"reason": "lost", "reference": "R-9"})):
        assert said(await health.post(f"{path}/{way}", json=body)) == (404, "wallet.certificate_not_found")
    found = await health.post("/certificates/find", json={"reference": "R-true", "kind_code": ID_CARD})
    assert said(found) == (404, "wallet.certificate_not_found")
    for answer in (
        await health.put(f"/loads/{load_id}"),
        await health.get(f"/loads/{load_id}"),
        await health.get(f"/loads/{load_id}/refusals"),
        await health.post(f"/loads/{load_id}/finish"),
        await sent(health, load_id, ndjson([a_line(1)])),
    ):
        assert said(answer) == (404, "wallet.load_not_found")
    assert await states(wallet, POLICE) == [(ID_CARD, 1, "issued")]
    assert (await police.get(f"/loads/{load_id}")).json()["state"] == "open"


async def test_an_entry_never_ends_or_follows_a_certificate_of_another_kind(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    assert (await police.post("/certificates", json=the_card_of(SOMEBODY))).status_code == 201
    licence = a_licence("R-true")
    who = {"id_number": STRANGER.id_number, "name": STRANGER.name}
    data = {"holder": who, "values": licence.values, "valid_from": "2024-01-01"}
    mine = data | {"holder": {"id_number": SOMEBODY.id_number, "name": SOMEBODY.name}}
    for revision, changed in enumerate(({"certificate": data}, {"certificate": mine}, GONE), start=1):
        body = an_entry(revision, kind_code=LICENCE) | changed
        answer = await police.put("/register/R-true", json=body)
        assert said(answer) == (422, "wallet.reference_reused"), answer.text
    assert await states(wallet, POLICE) == [(ID_CARD, 1, "issued")]
    assert (await police.put("/register/R-true", json=an_entry(1))).json()["outcome"] == "unchanged"


def by_id(wire: Wire, card: Certificate) -> list[tuple[httpx.AsyncClient, str, str, Any]]:
    """Every operation of the wallet on something that is there already, asked well but for the id."""
    operator, police, venue = wire.operator(), wire.department(POLICE_ID), wire.venue(device_at(STATION))
    resident, shown = wire.resident(card.person_id), {"scenario_code": "station.entry"}
    a_device = {"venue_id": "{id}", "name_zh": "门", "name_en": "Gate"}
    several = shown | {"certificates": [{"certificate_id": "{id}"}]}
    return [
        (operator, "DELETE", "/devices/{id}", None),
        (operator, "PUT", f"/devices/{uuid4()}", a_device),
        (operator, "PUT", "/venues/{id}/scenarios/station.entry", {}),
        (operator, "GET", "/venue-applications/{id}", None),
        (operator, "POST", "/venue-applications/{id}/approve", granting()),
        (operator, "POST", "/venue-applications/{id}/reject", {"reason": "不够"}),
        (operator, "DELETE", "/trusted-cities/{id}", None),
        (operator, "PUT", "/trusted-cities/{id}/trust-list", {"token": "a.b.c"}),
        (police, "POST", "/certificates/{id}/suspend", {"reason": "penalty"}),
        (police, "POST", "/certificates/{id}/restore", {"reason": "cleared"}),
        (police, "POST", "/certificates/{id}/revoke", {"reason": "penalty"}),
        (police, "POST", "/certificates/{id}/supersede", the_card_of(SOMEBODY)),
        (police, "POST", "/certificates/{id}/reissue", {"reason": "lost", "reference": "R-9"}),
        (police, "GET", "/loads/{id}", None),
        (police, "GET", "/loads/{id}/refusals", None),
        (police, "POST", "/loads/{id}/finish", None),
        (police, "POST", "/guardianships/{id}/end", None),
        (venue, "DELETE", "/devices/{id}", None),
        (venue, "GET", "/asks/{id}", None),
        (venue, "GET", "/uses/{id}/proof", None),
        (resident, "GET", "/certificates/{id}", None),
        (resident, "POST", "/certificates/{id}/codes", shown),
        (resident, "POST", "/certificates/{id}/proofs", None),
        (resident, "POST", "/certificates/{id}/sd-jwt", {}),
        (resident, "POST", f"/certificates/{card.certificate_id}/codes", shown | {"mandate_id": "{id}"}),
        (resident, "POST", "/presentations", several),
        (resident, "GET", "/mandates/{id}/certificates", None),
        (resident, "POST", "/mandates/{id}/revoke", None),
        (resident, "GET", "/uses/{id}/proof", None),
    ]


async def test_an_id_of_something_else_of_nothing_or_of_no_form_is_refused_and_does_nothing(
    wallet: Wallet, wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    agents_card = await another(wallet)
    mandate_id = await given(wire, card, SOMEBODY_ELSE, clock.now())
    application_id, _ = await filed(wire.anybody(), an_application())
    load_id = await opened(wire.department(POLICE_ID))
    of_its_own = {
        "certificates": {str(card.certificate_id), str(agents_card.certificate_id)}, "mandates": {mandate_id},
        "loads": {str(load_id)}, "venue-applications": {str(application_id)}, "venues": {str(STATION)},
        "devices": {str(device_at(STATION).device_id), str(STATION)},
    }  # fmt: skip
    known = {
        str(one)
        for one in (card.certificate_id, card.person_id, agents_card.certificate_id, mandate_id, application_id)
    } | {str(load_id), str(STATION), str(device_at(STATION).device_id), str(POLICE_ID), str(UUID(int=0)), "f" * 32}
    no_ids = {"x", "%00", "1", "-1", "%F0%9F%98%80", "%E2%80%AE", "a" * 400, "..%2f..", "330100", "{id}", "%"}
    before = await contents(wallet)
    for client, method, path, body in by_id(wire, card):
        about = "certificates" if path == "/presentations" else path.split("/")[1]
        mine = {mandate_id} if "mandate_id" in str(body) else of_its_own.get(about, set())
        for one in sorted((known | no_ids) - mine):
            text = json.dumps(body).replace("{id}", unquote(one)) if body is not None else None
            headers = {"Content-Type": "application/json"} if body is not None else {}
            answer = await client.request(method, path.replace("{id}", one), content=text, headers=headers)
            assert answer.status_code in (400, 404, 422), (method, path, one, answer.text)
    assert await contents(wallet) == before


async def contents(wallet: Wallet) -> dict[str, int]:
    """How many rows lie where, and how what can change state stands."""
    tables = ("certificate", "mandate", "issuing_load", "venue_application", "device", "venue_scenario", "proof", "use")
    found = {one: await wallet.db.fetchval(f"SELECT count(*) FROM wallet.{one}") for one in tables}
    changes = "SELECT count(*) FROM wallet.certificate WHERE state <> 'issued'"
    return found | {"changed": await wallet.db.fetchval(changes)}


def in_addresses(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Method and address of every operation, with a sign in one place of its address."""
    somewhere = {"id": str(UUID(int=1)), "size": "1", "list_id": "0", "region_code": "330100", "slug": "parks"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            of = [one for one in operation.get("parameters", []) if one["in"] in ("path", "query")]
            for parameter, sign in itertools.product(of, ("%00", "a%00", "%0A", "%C2%85", "%E2%80%AE", "%ED%A0%80")):
                filled = path
                for one in (one["name"] for one in of if one["in"] == "path"):
                    known = somewhere.get("id" if one.endswith("_id") and one != "list_id" else one, "a.b")
                    filled = filled.replace(f"{{{one}}}", sign if one == parameter["name"] else known)
                query = f"?{parameter['name']}={sign}" if parameter["in"] == "query" else ""
                yield method.upper(), filled + query


async def test_no_sign_in_an_address_is_a_fault_of_ours(city: TestCity) -> None:
    asked_as = {
        Audience.PUBLIC: city.as_nobody(),
        Audience.RESIDENT: city.as_resident(PersonId(uuid4())),
        Audience.MINI: city.as_resident(PersonId(uuid4()), audience=Audience.MINI),
        Audience.OPERATOR: city.as_operator(),
        Audience.DEPARTMENT: city.as_department(POLICE_ID, "police"),
        Audience.VENUE: city.as_device(device_at(STATION).device_id, STATION),
    }
    asked = 0
    for name, document in describing.documents().items():
        for method, address in in_addresses(document):
            audience = Audience(name)
            mine = address.removeprefix("" if audience is Audience.PUBLIC else f"/{audience}")
            answer = await asked_as[audience].ask(method, mine)
            assert answer.status_code < 500, (method, address, answer.text)
            asked += 1
    assert asked > 500
