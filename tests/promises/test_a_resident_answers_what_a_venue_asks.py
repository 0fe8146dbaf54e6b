"""A resident scans a venue's code, sees who asks for what and why, and answers it once, or declines."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from kernel.clock import StoppedClock
from kernel.ids import PersonId
from tests.builders_wallet import (
    HOSPITAL,
    ID_CARD,
    LICENCE,
    SCENARIOS,
    SOMEBODY,
    SOMEBODY_ELSE,
    STATION,
    an_id_card,
    device_at,
    issued,
)
from tests.wire_wallet import Wire
from wallet.model import Certificate
from wallet.operators import cataloguing
from wallet.parts import Wallet


async def asked(wire: Wire, **more: Any) -> dict[str, Any]:
    answer = await wire.venue(device_at(STATION)).post("/asks", json={"scenario_code": "station.entry"} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def consent(card: Certificate, ask: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"text": ask["text"], "certificate_id": str(card.certificate_id), "fields": ["name"]} | more


async def _allow_at_the_station(wallet: Wallet, fields: list[str]) -> None:
    """An operator changes what the station's scenario sees of an identity card, and every process hears of it."""
    scenario = next(one for one in SCENARIOS if one.scenario_code == "station.entry")
    async with wallet.db.transaction() as conn:
        await cataloguing.put_scenario(conn, replace(scenario, grants={**scenario.grants, ID_CARD: tuple(fields)}))
    for snapshot in wallet.snapshots:
        await snapshot.refresh()


async def test_the_resident_sees_who_asks_and_the_venue_gets_what_was_consented_to(
    wallet: Wallet, wire: Wire, card: Certificate
) -> None:
    ask, mini, venue = await asked(wire), wire.mini(card.person_id), wire.venue(device_at(STATION, 2))
    assert (await venue.get(f"/asks/{ask['ask_id']}")).json()["state"] == "waiting"
    looked = (await mini.post("/asks/look", json={"text": ask["text"]})).json()
    assert (looked["venue_zh"], looked["scenario"]["purpose_zh"]) == ("云上站", "核对票证人一致")
    assert [grant["kind_code"] for grant in looked["scenario"]["shows"]] == [ID_CARD, LICENCE]
    assert [found["certificate_id"] for found in looked["fitting"]] == [str(card.certificate_id)]
    assert (await venue.get(f"/asks/{ask['ask_id']}")).json()["state"] == "waiting"
    use = await mini.post("/asks/consent", json=consent(card, ask, fields=["name"]))
    assert (use.status_code, [field["name"] for field in use.json()["fields"]]) == (200, ["name"])
    answer = (await venue.get(f"/asks/{ask['ask_id']}")).json()
    assert (answer["state"], answer["kind_code"], answer["fields"]) == ("answered", ID_CARD, {"name": SOMEBODY.name})
    [record] = (await mini.get("/uses")).json()["uses"]
    assert (record["route"], record["venue_zh"]) == ("ask", "云上站")
    told = "SELECT count(*) FROM notifications.message WHERE template = 'certificate_consented'"
    assert await wallet.db.fetchval(told) == 1


async def test_consenting_again_gives_the_same_record_and_another_answer_is_refused(
    wallet: Wallet, wire: Wire, card: Certificate
) -> None:
    ask, resident = await asked(wire), wire.resident(card.person_id)
    first = await resident.post("/asks/consent", json=consent(card, ask))
    again = await resident.post("/asks/consent", json=consent(card, ask, fields=["name", "id_number"]))
    assert (again.status_code, again.json()) == (200, first.json())
    other = await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))
    refused = await wire.resident(other.person_id).post("/asks/consent", json=consent(other, ask))
    assert (refused.status_code, refused.json()["code"]) == (409, "wallet.ask_closed")
    assert (await resident.post("/asks/decline", json={"text": ask["text"]})).status_code == 409
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.use") == 1


async def test_fifty_residents_at_once_give_one_answer(wallet: Wallet, wire: Wire, card: Certificate) -> None:
    other = await issued(wallet, an_id_card("R-2", SOMEBODY_ELSE))
    ask = await asked(wire)
    both = [(wire.resident(one.person_id), consent(one, ask)) for one in (card, other) * 25]
    answers = await asyncio.gather(*(who.post("/asks/consent", json=body) for who, body in both))
    assert Counter(answer.status_code for answer in answers) == {200: 25, 409: 25}
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.use") == 1


async def test_declining_tells_the_venue_no_and_not_who(wallet: Wallet, wire: Wire, card: Certificate) -> None:
    ask, resident = await asked(wire), wire.resident(card.person_id)
    for _ in range(2):
        assert (await resident.post("/asks/decline", json={"text": ask["text"]})).status_code == 204
    answer = (await wire.venue(device_at(STATION)).get(f"/asks/{ask['ask_id']}")).json()
    assert (answer["state"], answer["fields"]) == ("declined", {})
    assert (await resident.post("/asks/consent", json=consent(card, ask))).json()["code"] == "wallet.ask_closed"
    assert await wallet.db.fetchval("SELECT person_id FROM wallet.ask") is None


async def test_an_ask_expires_and_its_answer_is_read_for_ten_minutes(
    wire: Wire, card: Certificate, clock: StoppedClock
) -> None:
    ask, late = await asked(wire), await asked(wire)
    resident, venue = wire.resident(card.person_id), wire.venue(device_at(STATION))
    await resident.post("/asks/consent", json=consent(card, ask))
    clock.advance(timedelta(minutes=5))
    for path in ("/asks/look", "/asks/decline"):
        refused = await resident.post(path, json={"text": late["text"]})
        assert (refused.status_code, refused.json()["code"]) == (410, "wallet.ask_expired")
    assert (await resident.post("/asks/consent", json=consent(card, late))).status_code == 410
    assert (await venue.get(f"/asks/{late['ask_id']}")).json()["state"] == "expired"
    assert (await venue.get(f"/asks/{ask['ask_id']}")).json()["fields"]
    clock.advance(timedelta(minutes=5, seconds=1))
    answer = (await venue.get(f"/asks/{ask['ask_id']}")).json()
    assert (answer["state"], answer["fields"]) == ("answered", {})


async def test_only_the_asking_venue_reads_the_answer(wire: Wire, card: Certificate) -> None:
    ask = await asked(wire)
    await wire.resident(card.person_id).post("/asks/consent", json=consent(card, ask))
    for device in (device_at(HOSPITAL), device_at(HOSPITAL, 2)):
        refused = await wire.venue(device).get(f"/asks/{ask['ask_id']}")
        assert (refused.status_code, refused.json()["code"]) == (404, "wallet.ask_not_found")
    assert (await wire.venue(device_at(STATION)).get(f"/asks/{uuid4()}")).status_code == 404


async def test_a_venue_asks_only_what_it_was_granted(wire: Wire) -> None:
    venue = wire.venue(device_at(STATION))
    for body, status in (
        ({"scenario_code": "hospital.registration"}, 403),
        ({"scenario_code": "nowhere.at_all"}, 403),
        ({"scenario_code": "station.entry", "kind_codes": ["9" * 21]}, 422),
        ({"scenario_code": "station.entry", "kind_codes": []}, 400),
        ({"scenario_code": "station.entry", "lifetime_seconds": 43_201}, 400),
    ):
        assert (await venue.post("/asks", json=body)).status_code == status


async def test_only_ones_own_good_and_asked_for_certificate_answers(wire: Wire, card: Certificate) -> None:
    stranger, resident = wire.resident(PersonId(uuid4())), wire.resident(card.person_id)
    ask = await asked(wire, kind_codes=[LICENCE])
    assert (await stranger.post("/asks/consent", json=consent(card, ask))).status_code == 404
    wrong = await resident.post("/asks/consent", json=consent(card, ask))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wallet.kind_not_in_scenario")
    more = await resident.post("/asks/consent", json=consent(card, await asked(wire), fields=["sex"]))
    assert (more.status_code, more.json()["code"]) == (422, "wallet.field_not_in_scenario")
    for text in ("", ask["text"][:-1], ask["text"].replace("/A/", "/Q/"), ask["text"].lower()):
        unknown = await resident.post("/asks/look", json={"text": text})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "wallet.ask_not_found")


async def test_a_scenario_widened_after_the_look_gives_the_venue_no_more_than_was_seen(
    wallet: Wallet, wire: Wire, card: Certificate
) -> None:
    ask, resident = await asked(wire), wire.resident(card.person_id)
    looked = (await resident.post("/asks/look", json={"text": ask["text"]})).json()
    [seen] = [
        [field["name"] for field in grant["fields"]]
        for grant in looked["scenario"]["shows"]
        if grant["kind_code"] == ID_CARD
    ]
    await _allow_at_the_station(wallet, [*seen, "sex"])
    for unsaid in ({"fields": None}, {"fields": []}):
        assert (await resident.post("/asks/consent", json=consent(card, ask, **unsaid))).status_code == 400
    nothing_said = {name: value for name, value in consent(card, ask).items() if name != "fields"}
    assert (await resident.post("/asks/consent", json=nothing_said)).status_code == 400
    await resident.post("/asks/consent", json=consent(card, ask, fields=seen))
    answer = (await wire.venue(device_at(STATION)).get(f"/asks/{ask['ask_id']}")).json()
    assert sorted(answer["fields"]) == sorted(seen)
    assert "sex" not in answer["fields"]


async def test_a_field_taken_from_the_scenario_after_the_look_does_not_leave(
    wallet: Wallet, wire: Wire, card: Certificate
) -> None:
    ask, resident = await asked(wire), wire.resident(card.person_id)
    await _allow_at_the_station(wallet, ["name"])
    refused = await resident.post("/asks/consent", json=consent(card, ask, fields=["name", "id_number"]))
    assert (refused.status_code, refused.json()["code"]) == (422, "wallet.field_not_in_scenario")
    assert (await wire.venue(device_at(STATION)).get(f"/asks/{ask['ask_id']}")).json()["state"] == "waiting"


async def test_an_asks_code_shown_to_a_scanner_is_not_ours(wire: Wire) -> None:
    ask = await asked(wire)
    scan = {"code": ask["text"].replace("/A/", "/Q/"), "use_id": str(uuid4())}
    assert (await wire.venue(device_at(STATION)).post("/verifications", json=scan)).json()["verdict"] == "not_ours"
