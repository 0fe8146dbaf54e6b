"""A venue that needs to know whether, not what, hears yes or no: the value itself never leaves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import UseId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_family import a_licence, put, the_kind, the_scenario
from tests.builders_wallet import (
    ID_CARD,
    LICENCE,
    SOMEBODY,
    STATION,
    a_code,
    a_wallet,
    an_id_card,
    device_at,
    issued,
    scanned,
)
from tests.wire_wallet import Wire
from wallet.departments.issue_policy import IssueRequest
from wallet.model import Outcome
from wallet.parts import Wallet
from wallet.predicates import Predicate, Test

PREDICATES = (
    Predicate("sixty_or_older", "年满60周岁", "Sixty or older", "birth_date", Test.AGE_AT_LEAST, number=60),
    Predicate("of_age", "成年", "Of age", "birth_date", Test.AGE_AT_LEAST, number=18),
    Predicate("of_this_city", "本市户籍", "Of this city", "id_number", Test.STARTS_WITH, texts=("310",)),
    Predicate("lives_on_a_bridge", "住在桥上", "On a bridge", "address", Test.ONE_OF, texts=("桥上1号",)),
)
DRIVES = Predicate(
    "may_drive_a_car", "可驾驶小型汽车", "May drive a car", "licence_class", Test.ONE_OF, texts=("C1", "B2")
)


@pytest.fixture
async def wallet(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Wallet:
    wallet = await a_wallet(db, redis, clock, keys)
    grants = {
        ID_CARD: ("of_age", "name", "sixty_or_older", "of_this_city", "lives_on_a_bridge"),
        LICENCE: ("may_drive_a_car",),
    }
    await put(wallet, the_kind(ID_CARD, predicates=PREDICATES), the_kind(LICENCE, predicates=(DRIVES,)))
    await put(wallet, the_scenario("station.entry", grants=grants))
    return wallet


def born(day: str, reference: str = "R-1", **values: Any) -> IssueRequest:
    request = an_id_card(reference)
    return IssueRequest(
        reference=reference, kind_code=ID_CARD, holder=SOMEBODY, values={**request.values, "birth_date": day, **values},
        valid_from=request.valid_from, valid_until=None,
    )  # fmt: skip


async def test_a_venue_hears_yes_or_no_and_the_value_stays(wallet: Wallet, db: Database) -> None:
    verdict = await scanned(wallet, await a_code(wallet, await issued(wallet)))
    assert verdict.fields == {
        "of_age": True, "name": SOMEBODY.name, "sixty_or_older": False, "of_this_city": True,
        "lives_on_a_bridge": False,
    }  # fmt: skip
    assert next(iter(verdict.fields)) == "of_age"
    assert list(await db.fetchval("SELECT fields FROM wallet.use")) == list(verdict.fields)
    driving = await scanned(wallet, await a_code(wallet, await issued(wallet, a_licence())))
    assert driving.fields == {"may_drive_a_car": True}


async def test_a_resident_chooses_the_answer_alone_and_the_ledger_calls_it_by_its_name(wallet: Wallet) -> None:
    card, wire = await issued(wallet), Wire(wallet)
    resident = wire.resident(card.person_id)
    shows = (await resident.get("/scenarios", params={"kind_code": ID_CARD})).json()["scenarios"]
    [station] = [one for one in shows if one["scenario_code"] == "station.entry"]
    labels = {field["name"]: field["label_zh"] for field in station["shows"][0]["fields"]}
    assert labels["sixty_or_older"] == "年满60周岁"
    verdict = await scanned(wallet, await a_code(wallet, card, "station.entry", "of_age"))
    assert verdict.fields == {"of_age": True}
    [use] = (await resident.get("/uses")).json()["uses"]
    assert use["fields"] == [{"name": "of_age", "label_zh": "成年", "label_en": "Of age"}]


async def test_it_is_answered_as_of_the_day_of_the_look_in_the_city(wallet: Wallet, clock: StoppedClock) -> None:
    birthday = datetime(2026, 3, 3, tzinfo=UTC).date()
    card = await issued(wallet, born(birthday.replace(year=birthday.year - 60).isoformat()))
    assert (await scanned(wallet, await a_code(wallet, card))).fields["sixty_or_older"] is False
    clock.advance(datetime(2026, 3, 2, 15, 59, 30, tzinfo=UTC) - clock.now())  # half a minute before midnight there
    code, use_id = await a_code(wallet, card), UseId(uuid4())
    before = await scanned(wallet, code, use_id=use_id)
    assert before.fields["sixty_or_older"] is False
    clock.advance(timedelta(seconds=60))
    assert (await scanned(wallet, code, use_id=use_id)) == before, "the same verdict, though the day is another"
    assert (await scanned(wallet, await a_code(wallet, card))).fields["sixty_or_older"] is True


async def test_what_cannot_be_told_is_no(wallet: Wallet) -> None:
    request = born("1950-01-01")
    values = {name: value for name, value in request.values.items() if name != "address"}
    card = await issued(wallet, IssueRequest(
        reference="R-9", kind_code=ID_CARD, holder=SOMEBODY, values=values, valid_from=request.valid_from,
    ))  # fmt: skip
    fields = (await scanned(wallet, await a_code(wallet, card))).fields
    assert (fields["sixty_or_older"], fields["lives_on_a_bridge"]) == (True, False)


async def test_an_answer_taken_from_the_scenario_since_does_not_leave(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet), "station.entry", "of_age", "sixty_or_older")
    await put(wallet, the_scenario("station.entry", grants={ID_CARD: ("of_age",)}))
    assert (await scanned(wallet, code)).fields == {"of_age": True}


async def test_a_venue_asks_and_hears_yes_or_no(wallet: Wallet) -> None:
    card, wire = await issued(wallet), Wire(wallet)
    venue = wire.venue(device_at(STATION))
    ask = (await venue.post("/asks", json={"scenario_code": "station.entry"})).json()
    body = {"text": ask["text"], "certificate_id": str(card.certificate_id), "fields": ["of_age"]}
    use = await wire.resident(card.person_id).post("/asks/consent", json=body)
    assert [field["name"] for field in use.json()["fields"]] == ["of_age"]
    assert (await venue.get(f"/asks/{ask['ask_id']}")).json()["fields"] == {"of_age": True}


async def test_a_certificate_that_is_not_good_answers_nothing(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    code = await a_code(wallet, card)
    async with wallet.db.transaction() as conn:
        await conn.execute("UPDATE wallet.certificate SET valid_until = '2026-03-01'")
    verdict = await scanned(wallet, code)
    assert (verdict.outcome, verdict.fields) == (Outcome.CERTIFICATE_EXPIRED, {})
