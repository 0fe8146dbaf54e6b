"""A recognised city's codes are good here: of the kinds recognised, as its own lists say, once, and no further."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import UseId
from suishenban_verify import offline_code, trust_list
from suishenban_verify.replay import ReplayMemory
from suishenban_verify.signatures import LocalSigner
from suishenban_verify.status_list import INVALID, SUSPENDED, read_jwt
from suishenban_verify.trust_list import TrustedIssuer
from suishenban_verify.verifying import Outcome as Told
from suishenban_verify.verifying import Verifier
from tests.builders_wallet import (
    HOSPITAL,
    ID_CARD,
    LICENCE,
    STATION,
    device_at,
    scanned,
)
from tests.other_city import (
    DAY,
    ISSUER,
    LIST,
    OPERATOR,
    REGION,
    SCENARIO,
    THEIR_CARD,
    THEIR_PASS,
    TRUST_LIST_URL,
    Net,
    OtherCity,
    recognised,
    refreshed,
)
from tests.published_lists import fetched_trust
from tests.signing_keys import es256
from wallet.model import Outcome, Terms
from wallet.operators import cataloguing
from wallet.parts import Wallet
from wallet.trust.pulling import PULLED_EVERY, Puller


@pytest.fixture
async def city(clock: StoppedClock) -> OtherCity:
    return OtherCity(clock)


async def kept(wallet: Wallet, city: OtherCity, token: str, *, uri: str = LIST) -> None:
    """A status list of the city comes in by the worker's beat."""
    net = Net()
    net.answers = {f"{ISSUER}/status-lists": f'{{"status_lists": ["{uri}"]}}', uri: token}
    await wallet.trust.cities.put(city.recognition(list_url=TRUST_LIST_URL), actor=OPERATOR)
    await Puller(wallet.db, wallet.clock, wallet.trust.cities, net).pull_due()
    wallet.clock.advance(PULLED_EVERY)  # type: ignore[attr-defined]
    await refreshed(wallet)


async def met(wallet: Wallet, city: OtherCity) -> None:
    """The city is recognised, and all its certificates are good."""
    await recognised(wallet, city)
    await kept(wallet, city, city.status_list())


async def test_a_code_of_a_recognised_city_is_good_here_and_gives_the_fields_granted(
    wallet: Wallet, db: Database, city: OtherCity
) -> None:
    assert (await scanned(wallet, city.code())).outcome is Outcome.NOT_OURS
    await met(wallet, city)
    verdict = await scanned(wallet, city.code())
    assert (verdict.outcome, verdict.kind_code, verdict.scenario_code) == (Outcome.VALID, ID_CARD, SCENARIO)
    assert verdict.fields == dict(city.shown().fields)
    assert await db.fetchval("SELECT count(*) FROM wallet.use") == 0  # it is nobody of ours


async def test_it_is_good_once_and_the_same_scan_hears_the_same_again(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    await met(wallet, city)
    code, use_id = city.code(), UseId(uuid4())
    first = await scanned(wallet, code, use_id=use_id)
    assert first.outcome is Outcome.VALID
    clock.advance(timedelta(seconds=90))
    assert await scanned(wallet, code, use_id=use_id) == first
    for device, again in ((device_at(STATION), UseId(uuid4())), (device_at(STATION, 2), use_id)):
        assert (await scanned(wallet, code, device, again)).outcome is Outcome.ALREADY_USED
    clock.advance(timedelta(seconds=1))
    assert (await scanned(wallet, code, use_id=use_id)).outcome is Outcome.ALREADY_USED
    clock.advance(timedelta(seconds=300))
    assert (await scanned(wallet, code, use_id=use_id)).outcome is Outcome.EXPIRED


async def test_an_answer_lost_at_the_codes_last_second_is_told_again(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    await met(wallet, city)
    code, use_id = city.code(), UseId(uuid4())
    clock.advance(timedelta(seconds=299))
    first = await scanned(wallet, code, use_id=use_id)
    clock.advance(timedelta(seconds=60))
    assert first.outcome is Outcome.VALID
    assert await scanned(wallet, code, use_id=use_id) == first
    assert (await scanned(wallet, code)).outcome is Outcome.EXPIRED


async def test_of_many_devices_that_scan_one_code_at_once_one_hears_yes(wallet: Wallet, city: OtherCity) -> None:
    await met(wallet, city)
    code = city.code()
    told = await asyncio.gather(*(scanned(wallet, code, device_at(STATION, nth % 3 + 1)) for nth in range(30)))
    assert sorted(verdict.outcome for verdict in told) == [Outcome.ALREADY_USED] * 29 + [Outcome.VALID]


async def test_only_kinds_that_were_recognised_are_good(wallet: Wallet, city: OtherCity) -> None:
    await met(wallet, city)
    ticket = city.shown(kind_code=THEIR_PASS)
    assert (await scanned(wallet, city.code(ticket))).outcome is Outcome.NOT_OURS
    assert (await scanned(wallet, city.code(city.shown(), ticket))).outcome is Outcome.NOT_OURS
    ours = city.shown(kind_code=ID_CARD)  # our own code for a kind, in another city's name
    assert (await scanned(wallet, city.code(ours))).outcome is Outcome.NOT_OURS
    await wallet.trust.cities.put(
        city.recognition(kinds={THEIR_CARD: ID_CARD, THEIR_PASS: LICENCE}, list_url=TRUST_LIST_URL), actor=OPERATOR
    )
    await refreshed(wallet)
    both = city.code(city.shown(), city.shown(kind_code=THEIR_PASS, fields={"name": "某丙"}))
    verdict = await scanned(wallet, both)
    assert (verdict.outcome, verdict.kind_code) == (Outcome.VALID, ID_CARD)
    assert [(one.kind_code, one.fields) for one in verdict.beside] == [(LICENCE, {"name": "某丙"})]


async def test_a_venue_sees_no_more_of_it_than_its_scenario_grants(wallet: Wallet, city: OtherCity) -> None:
    await met(wallet, city)
    wide = city.shown(fields={**city.shown().fields, "address": "如意桥路9号"})
    assert (await scanned(wallet, city.code(wide))).outcome is Outcome.WRONG_SCENARIO
    assert (await scanned(wallet, city.code(), device_at(HOSPITAL))).outcome is Outcome.WRONG_SCENARIO
    fewer = await scanned(wallet, city.code(city.shown(fields={"name": "某丙"})))
    assert fewer.fields == {"name": "某丙"}


async def test_the_venues_hours_and_quota_hold_for_it_too(
    wallet: Wallet, db: Database, city: OtherCity, clock: StoppedClock
) -> None:
    await met(wallet, city)
    async with db.transaction() as conn:
        terms = Terms(opens_minute=0, closes_minute=12 * 60, quota_per_day=2)
        await cataloguing.put_terms(conn, STATION, SCENARIO, terms)
    await refreshed(wallet)
    codes = [city.code() for _ in range(3)]
    told = [(await scanned(wallet, code)).outcome for code in codes]
    assert told == [Outcome.VALID, Outcome.VALID, Outcome.OVER_QUOTA]
    assert (await scanned(wallet, codes[2])).outcome is Outcome.OVER_QUOTA  # it was not spent
    clock.advance(timedelta(hours=4))
    await kept(wallet, city, city.status_list())
    assert (await scanned(wallet, city.code())).outcome is Outcome.OUTSIDE_HOURS


@pytest.mark.parametrize(
    ("value", "outcome"), [(INVALID, Outcome.REVOKED), (SUSPENDED, Outcome.SUSPENDED), (3, Outcome.CANNOT_TELL)]
)
async def test_what_its_city_ended_is_refused_here(
    wallet: Wallet, city: OtherCity, value: int, outcome: Outcome
) -> None:
    await met(wallet, city)
    assert (await scanned(wallet, city.code())).outcome is Outcome.VALID
    await kept(wallet, city, city.status_list({17: value}))
    assert (await scanned(wallet, city.code())).outcome is outcome


async def test_without_a_status_list_that_holds_nobody_can_tell(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    await recognised(wallet, city)
    assert (await scanned(wallet, city.code())).outcome is Outcome.CANNOT_TELL
    await kept(wallet, city, city.status_list())
    assert (await scanned(wallet, city.code())).outcome is Outcome.VALID
    clock.advance(timedelta(days=1))
    assert (await scanned(wallet, city.code())).outcome is Outcome.CANNOT_TELL


async def test_an_older_status_list_never_replaces_a_newer_one(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    await met(wallet, city)
    before = city.status_list()
    clock.advance(timedelta(seconds=30))
    await kept(wallet, city, city.status_list({17: INVALID}))
    await kept(wallet, city, before)
    assert (await scanned(wallet, city.code())).outcome is Outcome.REVOKED


@pytest.mark.parametrize("uri", ["https://elsewhere.example/3", f"{ISSUER}.evil.example/3", f"{ISSUER}@evil.example/3"])
async def test_a_status_list_that_is_not_on_the_citys_own_origin_is_neither_fetched_nor_asked(
    wallet: Wallet, db: Database, city: OtherCity, uri: str
) -> None:
    await recognised(wallet, city)
    await kept(wallet, city, city.status_list(uri=uri), uri=uri)
    assert await db.fetchval("SELECT count(*) FROM wallet.trusted_status") == 0
    shown = city.shown(status=offline_code.StatusRef(uri, 17))
    assert (await scanned(wallet, city.code(shown))).outcome is Outcome.NOT_OURS


@pytest.mark.parametrize("signer", [es256(9), es256(102), es256(100)])
async def test_a_status_list_that_no_key_of_its_kind_signed_is_not_kept(
    wallet: Wallet, db: Database, city: OtherCity, signer: LocalSigner
) -> None:
    await recognised(wallet, city)
    await kept(wallet, city, city.status_list(signer=signer))
    assert await db.fetchval("SELECT count(*) FROM wallet.trusted_status") == 0


async def test_its_code_is_nobodys_after_the_city_is_withdrawn_until_it_is_recognised_again(
    wallet: Wallet, city: OtherCity
) -> None:
    await met(wallet, city)
    assert ISSUER in (await fetched_trust(wallet)).issuers
    await wallet.trust.cities.withdraw(REGION, actor=OPERATOR)
    await refreshed(wallet)
    assert (await scanned(wallet, city.code())).outcome is Outcome.NOT_OURS
    assert ISSUER not in (await fetched_trust(wallet)).issuers
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)
    await refreshed(wallet)
    assert (await scanned(wallet, city.code())).outcome is Outcome.VALID


async def test_a_key_that_its_city_says_leaked_signs_nothing_here(wallet: Wallet, city: OtherCity) -> None:
    await met(wallet, city)
    code = city.code()
    leaked = (
        city.entry(city.codes.public, trust_list.OFFLINE, revoked_at=city.now),
        city.entry(city.other.public, trust_list.OFFLINE),
        city.entry(city.statuses.public, trust_list.STATUS),
    )
    await wallet.trust.cities.accept_list(REGION, city.trust_list(*leaked), actor=OPERATOR)
    await refreshed(wallet)
    assert (await scanned(wallet, code)).outcome is Outcome.NOT_OURS
    assert (await scanned(wallet, city.code(signer=city.other))).outcome is Outcome.VALID


async def test_nothing_is_believed_longer_than_the_citys_own_list_says(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    ends = city.now + 3600
    await recognised(wallet, city, token=city.trust_list(expires_at=ends))
    await kept(wallet, city, city.status_list())
    listed = (await fetched_trust(wallet)).issuers[ISSUER]
    assert {entry.valid_until for entry in listed.entries} == {ends}
    assert (await scanned(wallet, city.code())).outcome is Outcome.VALID
    clock.advance(timedelta(seconds=ends - city.now))
    await refreshed(wallet)
    assert (await scanned(wallet, city.code())).outcome is Outcome.NOT_OURS
    assert ISSUER not in (await fetched_trust(wallet)).issuers


async def test_a_citys_list_lends_trust_to_itself_alone_and_for_codes_lists_and_credentials_alone(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    third = OtherCity(clock, 200, "https://third.example")
    beside = TrustedIssuer(third.issuer, "第三市", "Third", None, third.entries())
    every = city.entry(city.other.public, trust_list.OFFLINE, purposes=trust_list.PURPOSES)
    await recognised(wallet, city, token=city.trust_list(*city.entries(), every, others=[beside]))
    found = await fetched_trust(wallet)
    assert third.issuer not in found.issuers
    lent = {purpose for entry in found.issuers[ISSUER].entries for purpose in entry.purposes}
    assert lent == {trust_list.OFFLINE, trust_list.STATUS, trust_list.CREDENTIAL}
    assert (await scanned(wallet, third.code())).outcome is Outcome.NOT_OURS
    foreign_name = city.code(issuer=third.issuer)
    assert (await scanned(wallet, foreign_name)).outcome is Outcome.NOT_OURS


async def test_a_device_without_network_verifies_the_city_by_our_trust_list(wallet: Wallet, city: OtherCity) -> None:
    await met(wallet, city)
    trusted = await fetched_trust(wallet)
    issuer = trusted.issuers[ISSUER]
    assert (issuer.name_zh, issuer.name_en, issuer.kinds) == ("杭州市", "Hangzhou", {THEIR_CARD: ID_CARD})
    published = read_jwt(city.status_list(), [city.statuses.public], uri=LIST, now=city.now)
    grants = {SCENARIO: wallet.catalogue().scenarios[SCENARIO].grants}
    device = Verifier(trusted, {LIST: published}, ReplayMemory(), scenarios=grants)
    verdict = device.verify(city.code(), city.now)
    assert (verdict.outcome, [one.kind_code for one in verdict.certificates]) == (Told.VALID, [ID_CARD])
    assert device.verify(city.code(city.shown(kind_code=THEIR_PASS)), city.now).outcome is Told.NOT_OURS


async def test_every_changed_character_of_its_code_is_refused(wallet: Wallet, city: OtherCity) -> None:
    await met(wallet, city)
    code = city.code()
    for at in range(0, len(code), 5):
        changed = code[:at] + ("A" if code[at] != "A" else "B") + code[at + 1 :]
        assert (await scanned(wallet, changed)).outcome is Outcome.NOT_OURS
    assert (await scanned(wallet, code)).outcome is Outcome.VALID


async def test_a_spent_code_is_forgotten_when_nobody_accepts_it_any_more(
    wallet: Wallet, db: Database, city: OtherCity, clock: StoppedClock
) -> None:
    await met(wallet, city)
    await scanned(wallet, city.code())
    clock.advance(timedelta(hours=23))
    await wallet.trust.judge.forget_ended()
    assert await db.fetchval("SELECT count(*) FROM wallet.foreign_use") == 1
    clock.advance(timedelta(seconds=DAY))
    await wallet.trust.judge.forget_ended()
    assert await db.fetchval("SELECT count(*) FROM wallet.foreign_use") == 0
