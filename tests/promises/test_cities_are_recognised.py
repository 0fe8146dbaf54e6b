"""An operator says which city is recognised and by which root keys; from there on its signed lists speak for it."""

from typing import Any

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from suishenban_verify.signatures import LocalSigner
from tests.builders_wallet import ID_CARD, LICENCE, ORIGIN, scanned
from tests.other_city import (
    ISSUER,
    LIST,
    OPERATOR,
    REGION,
    THEIR_CARD,
    TRUST_LIST_URL,
    Net,
    OtherCity,
    recognised,
    refreshed,
)
from tests.published_lists import fetched_trust
from tests.signing_keys import es256
from tests.wire_wallet import Wire
from wallet.errors import CatalogueIncomplete
from wallet.model import Outcome
from wallet.parts import Wallet
from wallet.trust.errors import CityIssuerTaken, CityNotFound, CityRefused, TrustListOlder, TrustListRefused
from wallet.trust.pulling import PULLED_EVERY, Puller


@pytest.fixture
async def city(clock: StoppedClock) -> OtherCity:
    return OtherCity(clock)


async def acts_of(db: Database) -> list[tuple[str, str]]:
    """What was done to the city and by whom, by act."""
    rows = await db.fetch("SELECT act, actor FROM kernel.audit WHERE subject = $1 ORDER BY act", f"city:{REGION}")
    return [(row["act"], row["actor"]) for row in rows]


async def accepted(wallet: Wallet, token: str) -> int:
    return (await wallet.trust.cities.accept_list(REGION, token, actor=OPERATOR)).sequence


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": ORIGIN},
        {"issuer": "http://hangzhou.example"},
        {"issuer": "https://hangzhou.example/"},
        {"issuer": "https://somebody@hangzhou.example"},
        {"issuer": "https://hangzhou.example#x"},
        {"issuer": "https://"},
        {"issuer": "hangzhou.example"},
        {"issuer": "https://[hangzhou"},
        {"list_url": "http://hangzhou.example/list"},
        {"list_url": "file:///etc/list"},
        {"roots": []},
        {"roots": [{"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}]},
        {"roots": [{"kty": "RSA", "n": "AQAB"}]},
        {"roots": [dict(es256(100).public.jwk)] * 2},
    ],
)
async def test_a_city_without_a_sound_address_and_keys_is_not_recognised(
    wallet: Wallet, city: OtherCity, wrong: dict[str, Any]
) -> None:
    with pytest.raises(CityRefused):
        await wallet.trust.cities.put(city.recognition(**wrong), actor=OPERATOR)
    assert await wallet.trust.cities.every() == []


async def test_what_it_is_recognised_for_is_in_our_catalogue_and_its_address_is_its_own(
    wallet: Wallet, city: OtherCity
) -> None:
    with pytest.raises(CatalogueIncomplete):
        await wallet.trust.cities.put(city.recognition(kinds={THEIR_CARD: THEIR_CARD}), actor=OPERATOR)
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)
    with pytest.raises(CityIssuerTaken):
        await wallet.trust.cities.put(city.recognition(region_code="330200"), actor=OPERATOR)


@pytest.mark.parametrize("signer", [es256(9), es256(102)])
async def test_a_list_that_no_accepted_root_signed_is_refused(
    wallet: Wallet, city: OtherCity, signer: LocalSigner
) -> None:
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)
    with pytest.raises(TrustListRefused):
        await accepted(wallet, city.trust_list(signer=signer))


async def test_lists_that_do_not_hold_or_are_of_somebody_else_are_refused(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    with pytest.raises(CityNotFound):
        await accepted(wallet, city.trust_list())
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)
    refused = [
        city.trust_list(issued_at=city.now - 10, expires_at=city.now),
        city.trust_list(issued_at=city.now + 100),
        city.trust_list(issuer="https://third.example"),
        city.trust_list(issuers={}),
        city.trust_list(roots=(city.next_root.public,)),  # signed by one that it does not name
        city.trust_list()[:-2] + "AA",
        "not.a.list",
    ]
    for token in refused:
        with pytest.raises(TrustListRefused):
            await accepted(wallet, token)
    await wallet.trust.cities.withdraw(REGION, actor=OPERATOR)
    with pytest.raises(CityNotFound):
        await accepted(wallet, city.trust_list())


async def test_a_citys_list_never_goes_back_to_an_older_one(wallet: Wallet, city: OtherCity) -> None:
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)
    older, newer = city.trust_list(), city.trust_list()
    assert await accepted(wallet, newer) == 2
    assert await accepted(wallet, newer) == 2
    with pytest.raises(TrustListOlder) as refused:
        await accepted(wallet, older)
    assert refused.value.members == {"sequence": 2}
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)  # put again the same way: nothing is forgotten
    with pytest.raises(TrustListOlder):
        await accepted(wallet, older)


async def test_who_trusts_a_root_learns_the_next_and_believes_the_old_one_no_more(
    wallet: Wallet, city: OtherCity
) -> None:
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)
    with pytest.raises(TrustListRefused):
        await accepted(wallet, city.trust_list(signer=city.next_root))  # not told of yet
    await accepted(wallet, city.trust_list())
    only_next = (city.next_root.public,)
    await accepted(wallet, city.trust_list(signer=city.next_root, roots=only_next))
    with pytest.raises(TrustListRefused):
        await accepted(wallet, city.trust_list(signer=city.root))
    await wallet.trust.cities.put(city.recognition(), actor=OPERATOR)  # the operator was told of the first root only
    await accepted(wallet, city.trust_list(signer=city.next_root, roots=only_next))


async def test_with_other_roots_everything_read_before_is_read_anew(
    wallet: Wallet, db: Database, city: OtherCity
) -> None:
    await recognised(wallet, city)
    assert ISSUER in (await fetched_trust(wallet)).issuers
    other = es256(300)
    await wallet.trust.cities.put(city.recognition(roots=[dict(other.public.jwk)]), actor=OPERATOR)
    await refreshed(wallet)
    assert ISSUER not in (await fetched_trust(wallet)).issuers
    assert (await scanned(wallet, city.code())).outcome is Outcome.NOT_OURS
    with pytest.raises(TrustListRefused):
        await accepted(wallet, city.trust_list())
    mine = city.trust_list(signer=other, roots=(other.public,), sequence=1)
    assert await accepted(wallet, mine) == 1


async def test_every_act_of_an_operator_is_on_record_over_http(wallet: Wallet, db: Database, city: OtherCity) -> None:
    body = {
        "issuer": ISSUER, "name_zh": "杭州市", "name_en": "Hangzhou", "roots": [dict(city.root.public.jwk)],
        "kinds": {THEIR_CARD: ID_CARD}, "list_url": TRUST_LIST_URL,
    }  # fmt: skip
    path = f"/trusted-cities/{REGION}"
    async with Wire(wallet).operator() as operator:
        assert (await operator.put(path, json=body)).status_code == 204
        taken = await operator.put(f"{path}/trust-list", json={"token": city.trust_list()})
        assert (taken.status_code, taken.json()["sequence"]) == (200, 1)
        older = city.trust_list(sequence=0)
        refused = await operator.put(f"{path}/trust-list", json={"token": older})
        assert (refused.status_code, refused.json()["code"]) == (409, "wallet.trust_list_older")
        [listed] = (await operator.get("/trusted-cities")).json()["cities"]
        assert listed["issuer"] == ISSUER
        assert listed["kinds"] == {THEIR_CARD: ID_CARD}
        assert listed["root_ids"] == [city.root.public.key_id, city.next_root.public.key_id]
        assert (listed["sequence"], listed["withdrawn_at"]) == (1, None)
        assert (await operator.delete(path)).status_code == 204
        assert (await operator.delete(path)).status_code == 204
        assert (await operator.delete("/trusted-cities/999999")).json()["code"] == "wallet.city_not_found"
        assert (await operator.put("/trusted-cities/33", json=body)).status_code == 400
        private = {**body, "roots": [{**city.root.public.jwk, "d": "A" * 43}]}
        assert (await operator.put(path, json=private)).status_code == 400
    acts = await acts_of(db)
    assert [act for act, _ in acts] == ["wallet.accept_trust_list", "wallet.recognise_city", "wallet.withdraw_city"]
    assert all(actor.startswith("operator:") for _, actor in acts)


async def test_lists_are_fetched_every_minute_by_one_worker_of_all(
    wallet: Wallet, db: Database, city: OtherCity, clock: StoppedClock
) -> None:
    net = Net()
    net.answers = {
        TRUST_LIST_URL: city.trust_list(),
        f"{ISSUER}/status-lists": f'{{"status_lists": ["{LIST}", 5, "https://elsewhere.example/1"]}}',
        LIST: city.status_list(),
    }
    workers = [Puller(db, clock, wallet.trust.cities, net) for _ in range(3)]
    await wallet.trust.cities.put(city.recognition(list_url=TRUST_LIST_URL), actor=OPERATOR)
    assert sorted([await worker.pull_due() for worker in workers]) == [0, 0, 1]
    assert net.asked == [TRUST_LIST_URL, f"{ISSUER}/status-lists", LIST]
    await refreshed(wallet)
    assert (await scanned(wallet, city.code())).outcome is Outcome.VALID
    assert ("wallet.accept_trust_list", "system:pulling") in await acts_of(db)
    clock.advance(PULLED_EVERY)
    assert await workers[0].pull_due() == 1
    assert len(await acts_of(db)) == 2  # the same list again is no act


async def test_a_city_that_does_not_answer_well_is_believed_as_before_until_its_lists_expire(
    wallet: Wallet, city: OtherCity, clock: StoppedClock
) -> None:
    net = Net()
    good = {
        TRUST_LIST_URL: city.trust_list(),
        f"{ISSUER}/status-lists": f'{{"status_lists": ["{LIST}"]}}',
        LIST: city.status_list(),
    }
    puller = Puller(wallet.db, clock, wallet.trust.cities, net)
    await wallet.trust.cities.put(
        city.recognition(list_url=TRUST_LIST_URL, kinds={THEIR_CARD: LICENCE}), actor=OPERATOR
    )
    for answers in (good, {}, dict.fromkeys(good, "nonsense"), dict.fromkeys(good, "{}"), dict.fromkeys(good, "证")):
        net.answers = answers
        assert await puller.pull_due() == 1
        clock.advance(PULLED_EVERY)
        await refreshed(wallet)
        code = city.code(city.shown(fields={"name": "某丙"}))
        assert (await scanned(wallet, code)).outcome is Outcome.VALID
    await wallet.trust.cities.withdraw(REGION, actor=OPERATOR)
    asked = len(net.asked)
    assert await puller.pull_due() == 0
    assert len(net.asked) == asked
