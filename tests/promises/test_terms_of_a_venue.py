"""A venue sees no more, at no other hours, not longer and not more often than an operator granted it."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import UseId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_family import a_licence, put_terms
from tests.builders_wallet import ID_CARD, LICENCE, SOMEBODY, STATION, a_code, a_wallet, device_at, issued, scanned
from tests.wire_wallet import Wire
from wallet.model import Certificate, Outcome, Terms
from wallet.parts import Wallet

ENTRY = "station.entry"
MONDAY_TO_FRIDAY = 0b001_1111
NINE, FIVE, TEN_AT_NIGHT, TWO = 9 * 60, 17 * 60, 22 * 60, 2 * 60


async def uses(wallet: Wallet) -> int:
    count: int = await wallet.db.fetchval("SELECT count(*) FROM wallet.use")
    return count


def at(clock: StoppedClock, day: int, hour: int, minute: int = 0) -> None:
    """An hour of March 2026 in the city; the second is a Monday."""
    clock.advance(datetime(2026, 3, day, hour, minute, tzinfo=UTC) - timedelta(hours=8) - clock.now())


async def test_a_field_leaves_only_if_the_terms_grant_it_too(wallet: Wallet, card: Certificate) -> None:
    await put_terms(wallet, STATION, ENTRY, Terms(grants={ID_CARD: ("name",)}))
    assert (await scanned(wallet, await a_code(wallet, card))).fields == {"name": SOMEBODY.name}
    chosen = await scanned(wallet, await a_code(wallet, card, ENTRY, "id_number"))
    assert (chosen.outcome, chosen.fields) == (Outcome.VALID, {})
    licence = await issued(wallet, a_licence())
    assert (await scanned(wallet, await a_code(wallet, licence))).outcome is Outcome.WRONG_SCENARIO
    [shown] = (await Wire(wallet).venue(device_at(STATION)).get("/scenarios")).json()["scenarios"]
    assert [[field["name"] for field in kind["fields"]] for kind in shown["shows"]] == [["name"]]


async def test_outside_its_hours_a_venue_is_told_so_and_nothing_is_spent(
    wallet: Wallet, card: Certificate, clock: StoppedClock
) -> None:
    terms = Terms(days=MONDAY_TO_FRIDAY, opens_minute=NINE, closes_minute=FIVE)
    await put_terms(wallet, STATION, ENTRY, terms)
    for day, hour, minute, outcome in (
        (2, 8, 59, Outcome.OUTSIDE_HOURS),
        (2, 9, 0, Outcome.VALID),
        (6, 16, 59, Outcome.VALID),
        (6, 17, 0, Outcome.OUTSIDE_HOURS),
        (7, 12, 0, Outcome.OUTSIDE_HOURS),
    ):
        at(clock, day, hour, minute)
        verdict = await scanned(wallet, await a_code(wallet, card))
        assert verdict.outcome is outcome, (day, hour, minute)
        assert bool(verdict.fields) == (outcome is Outcome.VALID)
    assert await uses(wallet) == 2


async def test_a_code_refused_before_opening_is_good_a_moment_later(
    wallet: Wallet, card: Certificate, clock: StoppedClock
) -> None:
    await put_terms(wallet, STATION, ENTRY, Terms(opens_minute=NINE, closes_minute=FIVE))
    at(clock, 2, 8, 59)
    code = await a_code(wallet, card)
    assert (await scanned(wallet, code)).outcome is Outcome.OUTSIDE_HOURS
    clock.advance(timedelta(seconds=60))
    assert (await scanned(wallet, code)).outcome is Outcome.VALID


async def test_what_was_answered_before_closing_is_heard_again_after_it_and_by_nobody_else(
    wallet: Wallet, card: Certificate, clock: StoppedClock
) -> None:
    await put_terms(wallet, STATION, ENTRY, Terms(opens_minute=NINE, closes_minute=FIVE))
    at(clock, 2, 16, 59)
    code, use_id = await a_code(wallet, card), UseId(uuid4())
    first = await scanned(wallet, code, use_id=use_id)
    clock.advance(timedelta(seconds=61))
    assert await scanned(wallet, code, use_id=use_id) == first
    assert first.outcome is Outcome.VALID
    assert (await scanned(wallet, code, device_at(STATION, 2))).outcome is Outcome.OUTSIDE_HOURS


async def test_hours_past_midnight_belong_to_the_evening_they_began(
    wallet: Wallet, card: Certificate, clock: StoppedClock
) -> None:
    await put_terms(wallet, STATION, ENTRY, Terms(days=MONDAY_TO_FRIDAY, opens_minute=TEN_AT_NIGHT, closes_minute=TWO))
    for day, hour, is_open in ((2, 1, False), (2, 22, True), (3, 1, True), (3, 2, False), (7, 1, True), (7, 22, False)):
        at(clock, day, hour)
        outcome = (await scanned(wallet, await a_code(wallet, card))).outcome
        assert outcome is (Outcome.VALID if is_open else Outcome.OUTSIDE_HOURS), (day, hour)


async def test_after_its_last_day_a_grant_is_none(wallet: Wallet, card: Certificate, clock: StoppedClock) -> None:
    await put_terms(wallet, STATION, ENTRY, Terms(granted_until=date(2026, 3, 2)))
    at(clock, 2, 23, 59)
    assert (await scanned(wallet, await a_code(wallet, card))).outcome is Outcome.VALID
    at(clock, 3, 0)
    verdict = await scanned(wallet, await a_code(wallet, card))
    assert (verdict.outcome, verdict.fields) == (Outcome.WRONG_SCENARIO, {})
    venue = Wire(wallet).venue(device_at(STATION))
    assert (await venue.get("/scenarios")).json()["scenarios"] == []
    assert (await venue.post("/asks", json={"scenario_code": ENTRY})).json()["code"] == "wallet.scenario_not_granted"


async def test_a_quota_lets_so_many_through_a_day_and_the_rest_is_not_spent(
    wallet: Wallet, card: Certificate, clock: StoppedClock, db: Database, redis: Redis, keys: Keys
) -> None:
    await put_terms(wallet, STATION, ENTRY, Terms(quota_per_day=10))
    other = await a_wallet(db, redis, clock, keys, with_catalogue=False)
    codes = [await a_code(wallet, card) for _ in range(25)]
    scans = [scanned((wallet, other)[place % 2], code) for place, code in enumerate(codes)]
    verdicts = await asyncio.gather(*scans)
    assert Counter(verdict.outcome for verdict in verdicts) == {Outcome.VALID: 10, Outcome.OVER_QUOTA: 15}
    assert all(bool(verdict.fields) == (verdict.outcome is Outcome.VALID) for verdict in verdicts)
    assert await uses(wallet) == 10
    at(clock, 3, 0)
    code = await a_code(wallet, card)
    assert (await scanned(wallet, code)).outcome is Outcome.VALID


async def test_hearing_an_answer_again_takes_nothing_from_the_quota(wallet: Wallet, card: Certificate) -> None:
    await put_terms(wallet, STATION, ENTRY, Terms(quota_per_day=2))
    code, use_id = await a_code(wallet, card), UseId(uuid4())
    for _ in range(4):
        assert (await scanned(wallet, code, use_id=use_id)).outcome is Outcome.VALID
        assert (await scanned(wallet, code)).outcome is Outcome.ALREADY_USED
    assert (await scanned(wallet, await a_code(wallet, card))).outcome is Outcome.VALID
    last = await a_code(wallet, card)
    assert (await scanned(wallet, last)).outcome is Outcome.OVER_QUOTA
    assert (await scanned(wallet, code, use_id=use_id)).outcome is Outcome.VALID


async def test_asks_keep_to_the_same_terms(wallet: Wallet, card: Certificate, clock: StoppedClock) -> None:
    terms = Terms(grants={ID_CARD: ("name",)}, opens_minute=NINE, closes_minute=FIVE, quota_per_day=1)
    await put_terms(wallet, STATION, ENTRY, terms)
    wire = Wire(wallet)
    venue, resident = wire.venue(device_at(STATION)), wire.resident(card.person_id)
    at(clock, 2, 9)
    refused = await venue.post("/asks", json={"scenario_code": ENTRY, "kind_codes": [LICENCE]})
    assert refused.json()["code"] == "wallet.kind_not_in_scenario"

    async def consent(ask: dict[str, str], *fields: str) -> tuple[int, str]:
        body = {"text": ask["text"], "certificate_id": str(card.certificate_id), "fields": list(fields)}
        answer = await resident.post("/asks/consent", json=body)
        return answer.status_code, answer.json().get("code", "")

    first, second = [(await venue.post("/asks", json={"scenario_code": ENTRY})).json() for _ in range(2)]
    looked = (await resident.post("/asks/look", json={"text": first["text"]})).json()
    assert [[one["name"] for one in kind["fields"]] for kind in looked["scenario"]["shows"]] == [["name"]]
    assert await consent(first, "name", "id_number") == (422, "wallet.field_not_in_scenario")
    assert await consent(first, "name") == (200, "")
    assert await consent(first, "name") == (200, "")
    assert await consent(second, "name") == (409, "wallet.over_quota")
    at(clock, 2, 16, 59)
    late = (await venue.post("/asks", json={"scenario_code": ENTRY})).json()
    at(clock, 2, 17)
    assert await consent(late, "name") == (409, "wallet.outside_hours")
    closed = await venue.post("/asks", json={"scenario_code": ENTRY})
    assert (closed.status_code, closed.json()["code"]) == (409, "wallet.outside_hours")
    assert await uses(wallet) == 1
