"""One code shows several certificates: a yes only when all are good, once for all of them."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import UseId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_family import a_licence, another, count_told, put, the_scenario
from tests.builders_wallet import (
    HEALTH_CARD,
    ID_CARD,
    LICENCE,
    POLICE_ID,
    SOMEBODY,
    STATION,
    a_code,
    a_wallet,
    device_at,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet.departments.issue_policy import IssueRequest
from wallet.departments.revoking import Reason
from wallet.model import Certificate, Outcome
from wallet.parts import Wallet
from wallet.residents.showing import Chosen

NAMES = {"name": SOMEBODY.name, "id_number": SOMEBODY.id_number}


@pytest.fixture
async def licence(wallet: Wallet, card: Certificate) -> Certificate:
    assert card.person_id
    return await issued(wallet, a_licence())


async def both(wallet: Wallet, *certificates: Certificate) -> str:
    chosen = [Chosen(one.certificate_id) for one in certificates]
    return (await wallet.minter.present(certificates[0].person_id, "station.entry", chosen)).text


async def revoke(wallet: Wallet, certificate: Certificate) -> None:
    await wallet.revoking.revoke(POLICE_ID, certificate.certificate_id, Reason.LOST, actor="department:test")


async def recorded(wallet: Wallet) -> list[tuple[str, str, list[str]]]:
    rows = await wallet.db.fetch("SELECT kind_code, outcome, fields FROM wallet.use ORDER BY kind_code")
    return [(row["kind_code"], row["outcome"], list(row["fields"])) for row in rows]


async def test_a_venue_gets_the_fields_of_every_certificate_and_the_person_one_notice(
    wallet: Wallet, wire: Wire, card: Certificate, licence: Certificate
) -> None:
    resident, venue = wire.resident(card.person_id), wire.venue(device_at(STATION))
    wanted = [{"certificate_id": str(one.certificate_id)} for one in (card, licence)]
    shown = await resident.post("/presentations", json={"scenario_code": "station.entry", "certificates": wanted})
    assert shown.status_code == 201, shown.text
    scan = {"code": shown.json()["text"], "use_id": str(uuid4())}
    verdict = (await venue.post("/verifications", json=scan)).json()
    by = {"issuer_sort": "department"}
    beside = [{"verdict": "valid", "kind_code": LICENCE, "fields": {"name": SOMEBODY.name}, **by}]
    assert verdict == {
        "verdict": "valid", "scenario_code": "station.entry", "kind_code": ID_CARD, "fields": NAMES, "beside": beside,
        **by,
    }  # fmt: skip
    assert await recorded(wallet) == [(ID_CARD, "valid", ["name", "id_number"]), (LICENCE, "valid", ["name"])]
    assert await count_told(wallet, "certificate_shown") == 1
    uses = (await resident.get("/uses")).json()["uses"]
    assert {use["kind_code"] for use in uses} == {ID_CARD, LICENCE}
    assert len({use["look"] for use in uses}) == 2


async def test_one_certificate_has_nothing_beside_it(wallet: Wallet, card: Certificate, wire: Wire) -> None:
    scan = {"code": await a_code(wallet, card), "use_id": str(uuid4())}
    assert (await wire.venue(device_at(STATION)).post("/verifications", json=scan)).json()["beside"] == []


@pytest.mark.parametrize("ended", [0, 1])
async def test_no_field_of_any_leaves_when_one_is_not_good(
    wallet: Wallet, card: Certificate, licence: Certificate, ended: int
) -> None:
    code = await both(wallet, card, licence)
    await revoke(wallet, (card, licence)[ended])
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.fields) == (Outcome.REVOKED, {})
    [beside] = verdict.beside
    assert (beside.outcome, beside.fields) == ((Outcome.VALID, Outcome.REVOKED)[ended], {})
    stands = ["valid", "valid"]
    stands[ended] = "revoked"
    assert await recorded(wallet) == [(ID_CARD, stands[0], []), (LICENCE, stands[1], [])]
    assert (await scanned(wallet, code)).outcome is Outcome.ALREADY_USED
    assert await count_told(wallet, "certificate_shown") == 0


async def test_the_first_that_is_not_good_speaks_for_all(
    wallet: Wallet, card: Certificate, licence: Certificate
) -> None:
    code = await both(wallet, licence, card)
    await wallet.revoking.suspend(POLICE_ID, licence.certificate_id, Reason.LOST, actor="department:test")
    await revoke(wallet, card)
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.beside[0].outcome) == (Outcome.SUSPENDED, Outcome.REVOKED)


async def test_a_device_that_lost_the_answer_hears_all_of_it_again(
    wallet: Wallet, card: Certificate, licence: Certificate, clock: StoppedClock
) -> None:
    code, use_id = await both(wallet, card, licence), UseId(uuid4())
    first = await scanned(wallet, code, use_id=use_id)
    clock.advance(timedelta(seconds=89))
    await revoke(wallet, licence)
    assert await scanned(wallet, code, use_id=use_id) == first
    assert first.beside[0].fields
    other = await scanned(wallet, code, device_at(STATION, 2), use_id)
    assert (other.outcome, other.beside) == (Outcome.ALREADY_USED, ())


async def test_sixty_four_scans_at_once_of_two_processes_hear_one_yes_with_everything(
    wallet: Wallet, card: Certificate, licence: Certificate, db: Database, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    other = await a_wallet(db, redis, clock, keys, with_catalogue=False)
    codes = [await both(wallet, card, licence), await both(wallet, licence, card), await a_code(wallet, card)]
    scans = [scanned((wallet, other)[place % 2], code) for place in range(64) for code in codes]
    verdicts = await asyncio.gather(*scans)
    assert Counter(verdict.outcome for verdict in verdicts) == {Outcome.VALID: 3, Outcome.ALREADY_USED: 189}
    assert sum(len(verdict.beside) for verdict in verdicts) == 2
    assert await db.fetchval("SELECT count(*) FROM wallet.use") == 5


async def test_each_shows_only_what_was_chosen_of_it(
    wallet: Wallet, wire: Wire, card: Certificate, licence: Certificate
) -> None:
    wanted = [
        {"certificate_id": str(card.certificate_id), "fields": ["id_number"]},
        {"certificate_id": str(licence.certificate_id), "fields": ["name"]},
    ]
    body = {"scenario_code": "station.entry", "certificates": wanted}
    text = (await wire.resident(card.person_id).post("/presentations", json=body)).json()["text"]
    verdict = await scanned(wallet, text)
    assert (verdict.fields, verdict.beside[0].fields) == (
        {"id_number": SOMEBODY.id_number},
        {"name": SOMEBODY.name},
    )


async def test_a_kind_taken_from_the_scenario_since_lets_nothing_leave_and_spends_nothing(
    wallet: Wallet, card: Certificate, licence: Certificate
) -> None:
    code = await both(wallet, card, licence)
    await put(wallet, the_scenario("station.entry", grants={ID_CARD: ("name",)}))
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.fields) == (Outcome.WRONG_SCENARIO, {})
    await put(wallet, the_scenario("station.entry", grants={ID_CARD: ("name",), LICENCE: ("points",)}))
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.fields, verdict.beside[0].fields) == (Outcome.VALID, {"name": SOMEBODY.name}, {})


async def test_only_ones_own_good_certificates_of_the_scenario_are_shown_together(
    wallet: Wallet, wire: Wire, card: Certificate, licence: Certificate
) -> None:
    stranger = await another(wallet)
    health = IssueRequest(
        reference="H-1", kind_code=HEALTH_CARD, holder=SOMEBODY, values={"name": SOMEBODY.name, "fit": True},
        valid_from=card.standing.valid_from,
    )  # fmt: skip
    fit = await issued(wallet, health)
    resident = wire.resident(card.person_id)

    async def refusal(*certificates: Certificate, **more: Any) -> tuple[int, str]:
        wanted = [{"certificate_id": str(one.certificate_id), **more} for one in certificates]
        body = {"scenario_code": "station.entry", "certificates": wanted}
        answer = await resident.post("/presentations", json=body)
        return answer.status_code, answer.json().get("code", "")

    assert await refusal(card, stranger) == (404, "wallet.certificate_not_found")
    assert await refusal(card, fit) == (422, "wallet.kind_not_in_scenario")
    assert await refusal(card, card) == (422, "wallet.certificate_named_twice")
    assert await refusal(card, licence, fields=["id_number"]) == (422, "wallet.field_not_in_scenario")
    assert await refusal() == (400, "request.malformed")
    assert await refusal(*[card] * 6) == (400, "request.malformed")
    await revoke(wallet, licence)
    assert await refusal(card, licence) == (409, "wallet.certificate_not_good")
