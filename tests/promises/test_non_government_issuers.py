"""Associations, assessors and schools issue beside the departments, for as long as they are accredited; what they
issued stays good."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DepartmentId, PersonId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_wallet import ID_CARD, SOMEBODY, STATION, a_wallet, device_at, issued, scanned
from tests.wire_wallet import Wire
from wallet.catalogue import is_accredited
from wallet.model import Issuer, IssuerSort, Outcome, Words, today_in_city
from wallet.parts import Wallet

ISSUER = "51310000DEMC0001XX"
MEMBERSHIP = f"{ISSUER}001"
BODY_ID = DepartmentId(uuid4())
LEVEL = {"name": "level", "label_zh": "等级", "label_en": "Level", "type": "text", "sensitivity": "open"}
KIND = {"name_zh": "会员证", "name_en": "Membership", "fields": [LEVEL], "face_colour": "#b5651d", "layout": "card"}
WORDS = {"name_zh": "入场", "name_en": "Entry", "purpose_zh": "核对会员", "purpose_en": "To see a member"}


@pytest.fixture
async def wallet(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Wallet:
    opened = await a_wallet(db, redis, clock, keys)
    await put(opened, f"/kinds/{MEMBERSHIP}", KIND)
    await accredited(opened, today_in_city(clock.now()) + timedelta(days=30))
    await put(opened, "/scenarios/member.entry", WORDS | {"grants": {MEMBERSHIP: ["level"]}})
    await put(opened, f"/venues/{STATION}/scenarios/member.entry", {})
    return opened


async def put(wallet: Wallet, path: str, body: dict[str, Any]) -> None:
    answer = await Wire(wallet).operator().put(path, json=body)
    assert answer.status_code == 204, answer.text
    await wallet.snapshots[0].refresh()


async def accredited(wallet: Wallet, until: date, *kind_codes: str) -> None:
    body = {
        "department_id": str(BODY_ID), "name_zh": "烹饪行业协会", "name_en": "Chefs' Association",
        "sort": "association", "kind_codes": list(kind_codes) or [MEMBERSHIP], "accredited_until": until.isoformat(),
    }  # fmt: skip
    await put(wallet, f"/issuers/{ISSUER}", body)


async def issue(wallet: Wallet, reference: str) -> Any:
    body = {
        "reference": reference, "kind_code": MEMBERSHIP,
        "holder": {"id_number": SOMEBODY.id_number, "name": SOMEBODY.name},
        "values": {"level": "3"}, "valid_from": "2026-01-01",
    }  # fmt: skip
    return await Wire(wallet).department(BODY_ID).post("/certificates", json=body)


async def outcome_of(wallet: Wallet, certificate_id: str) -> Outcome:
    """What a venue hears about a fresh code of a certificate."""
    person_id = PersonId(
        await wallet.db.fetchval(
            "SELECT person_id FROM wallet.certificate_holder WHERE certificate_id = $1", UUID(certificate_id)
        )
    )
    path = f"/certificates/{certificate_id}/codes"
    shown = await Wire(wallet).resident(person_id).post(path, json={"scenario_code": "member.entry"})
    assert shown.status_code == 201, shown.text
    return (await scanned(wallet, shown.json()["text"], device_at(STATION))).outcome


async def test_an_association_issues_until_its_last_day_and_again_once_it_is_accredited_anew(
    wallet: Wallet, clock: StoppedClock
) -> None:
    first = await issue(wallet, "M-1")
    assert first.status_code == 201, first.text
    clock.advance(timedelta(days=30))
    assert (await issue(wallet, "M-2")).status_code == 201
    clock.advance(timedelta(days=1))
    late = await issue(wallet, "M-3")
    assert (late.status_code, late.json()["code"]) == (403, "wallet.kind_not_entitled")
    assert await outcome_of(wallet, first.json()["certificate_id"]) is Outcome.VALID
    await accredited(wallet, today_in_city(clock.now()) + timedelta(days=365))
    assert (await issue(wallet, "M-3")).status_code == 201


async def test_what_was_issued_stays_good_when_the_issuer_is_entitled_no_more(
    wallet: Wallet, clock: StoppedClock
) -> None:
    issued = (await issue(wallet, "M-1")).json()
    other = f"{ISSUER}002"
    await put(wallet, f"/kinds/{other}", KIND)
    await accredited(wallet, today_in_city(clock.now()), other)
    refused = await issue(wallet, "M-2")
    assert (refused.status_code, refused.json()["code"]) == (403, "wallet.kind_not_entitled")
    assert await outcome_of(wallet, issued["certificate_id"]) is Outcome.VALID


async def test_what_sort_of_issuer_it_is_can_be_read(wallet: Wallet) -> None:
    listed = (await Wire(wallet).operator().get("/issuers")).json()["issuers"]
    sorts = {one["issuer_code"]: (one["sort"], one["accredited_until"]) for one in listed}
    assert sorts[ISSUER] == ("association", "2026-04-01")
    assert {sort for code, (sort, _) in sorts.items() if code != ISSUER} == {"department"}
    assert wallet.catalogue().issuers[ISSUER].sort is IssuerSort.ASSOCIATION


async def person_of(wallet: Wallet, certificate_id: str) -> PersonId:
    sql = "SELECT person_id FROM wallet.certificate_holder WHERE certificate_id = $1"
    return PersonId(await wallet.db.fetchval(sql, UUID(certificate_id)))


async def test_holders_and_venues_see_what_sort_of_issuer_a_certificate_is_from(wallet: Wallet) -> None:
    certificate_id = (await issue(wallet, "M-1")).json()["certificate_id"]
    resident = Wire(wallet).resident(await person_of(wallet, certificate_id))
    venue = Wire(wallet).venue(device_at(STATION))
    [card] = (await resident.get("/certificates")).json()["certificates"]
    whole = (await resident.get(f"/certificates/{certificate_id}")).json()
    assert (card["issuer_zh"], card["issuer_sort"]) == ("烹饪行业协会", "association")
    assert (whole["issuer_zh"], whole["issuer_sort"]) == ("烹饪行业协会", "association")
    path = f"/certificates/{certificate_id}/codes"
    code = (await resident.post(path, json={"scenario_code": "member.entry"})).json()["text"]
    scan = {"code": code, "use_id": str(uuid4())}
    for _ in range(2):  # asked again, the same
        answer = (await venue.post("/verifications", json=scan)).json()
        assert (answer["verdict"], answer["issuer_sort"]) == ("valid", "association")
    again = (await venue.post("/verifications", json=scan | {"use_id": str(uuid4())})).json()
    assert (again["verdict"], again["issuer_sort"]) == ("already_used", None)
    asked = (await venue.post("/asks", json={"scenario_code": "member.entry"})).json()
    assert (await venue.get(f"/asks/{asked['ask_id']}")).json()["issuer_sort"] is None
    consent = {"text": asked["text"], "certificate_id": certificate_id, "fields": ["level"]}
    assert (await resident.post("/asks/consent", json=consent)).status_code == 200
    assert (await venue.get(f"/asks/{asked['ask_id']}")).json()["issuer_sort"] == "association"


async def test_of_several_certificates_each_says_what_sort_of_issuer_it_is_from(wallet: Wallet) -> None:
    card = await issued(wallet)
    membership = (await issue(wallet, "M-1")).json()["certificate_id"]
    grants = {MEMBERSHIP: ["level"], ID_CARD: ["name"]}
    await put(wallet, "/scenarios/member.entry", WORDS | {"grants": grants})
    shown = [{"certificate_id": str(card.certificate_id)}, {"certificate_id": membership}]
    body = {"scenario_code": "member.entry", "certificates": shown}
    code = (await Wire(wallet).resident(card.person_id).post("/presentations", json=body)).json()["text"]
    scan = {"code": code, "use_id": str(uuid4())}
    answer = (await Wire(wallet).venue(device_at(STATION)).post("/verifications", json=scan)).json()
    assert (answer["verdict"], answer["issuer_sort"]) == ("valid", "department")
    assert [one["issuer_sort"] for one in answer["beside"]] == ["association"]


def test_an_issuer_may_issue_through_the_last_day_of_its_accreditation() -> None:
    last = date(2026, 3, 31)
    issuer = Issuer(ISSUER, BODY_ID, Words("会", "A"), frozenset(), IssuerSort.SCHOOL, last)
    assert is_accredited(issuer, last)
    assert not is_accredited(issuer, last + timedelta(days=1))
    assert is_accredited(Issuer(ISSUER, BODY_ID, Words("局", "B"), frozenset()), date.max)
