"""Who carries: by weight, by health on each network, by free hands; and how what failed comes back, by the clock."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import carrier as who_gave_out

from notifications.model import Lane, Outcome
from notifications.routing.carriers import FULL, GOOD_PART, Carriers, Full, Road
from notifications.routing.hands import AT_FIRST, AT_LEAST, LATE_SECONDS, QUICK_SECONDS, Hands
from notifications.routing.health import LOOKED_AT, REST, REST_MAX, STEPS, UNWELL_AT, Health
from notifications.routing.prefixes import group_of
from tests.builders_notifications import Carrier

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SMS = Road("sms", "mobile")


def carriers_of(*names: str, weights: dict[str, float] | None = None) -> Carriers:
    return Carriers([Carrier(name) for name in names], weights, chance=random.Random(7).random)


def chosen(carriers: Carriers, tried=None, *, road: Road = SMS, lane: Lane = Lane.RESULT, at: datetime = NOW) -> str:
    """Who is chosen, its hand given back at once."""
    provider = carriers.choose(road, lane, tried or {}, at)
    assert provider is not None
    assert not isinstance(provider, Full)
    carriers.let_go(provider.name, lane)
    return provider.name


def shares(carriers: Carriers, *, at: datetime = NOW, road: Road = SMS, times: int = 20_000) -> dict[str, float]:
    counts = Counter(chosen(carriers, at=at, road=road) for _ in range(times))
    return {name: count / times for name, count in counts.items()}


def fail(carriers: Carriers, name: str, times: int, *, group: str = "mobile", at: datetime = NOW) -> None:
    for _ in range(times):
        carriers.note(name, group, is_failure=True, now=at)


def succeed(carriers: Carriers, name: str, times: int, *, group: str = "mobile", at: datetime = NOW) -> None:
    for _ in range(times):
        carriers.note(name, group, is_failure=False, now=at)


@pytest.mark.parametrize("outcome", [None, Outcome.UNKNOWN, Outcome.ACCEPTED])
def test_a_provider_whose_attempt_may_have_succeeded_is_never_asked_again(outcome: Outcome | None) -> None:
    assert carriers_of("a").choose(SMS, Lane.OTP, {"a": outcome}, NOW) is None


def test_who_refused_is_asked_again_only_when_everybody_has() -> None:
    carriers = carriers_of("a", "b")
    assert chosen(carriers, {"a": Outcome.REJECTED}) == "b"
    assert chosen(carriers, {"a": Outcome.REJECTED, "b": Outcome.REJECTED}) == "a"


def test_a_channel_is_carried_by_its_own_providers_alone() -> None:
    carriers = Carriers([Carrier("a"), Carrier("mail", channel="email")])
    assert chosen(carriers, road=Road("email", "email")) == "mail"
    assert carriers.choose(Road("email", "email"), Lane.RESULT, {"mail": Outcome.UNKNOWN}, NOW) is None
    assert carriers.choose(Road("subscribe", "subscribe"), Lane.RESULT, {}, NOW) is None
    assert carriers.is_another_left("sms", {"mail"})
    assert not carriers.is_another_left("sms", {"a"})


def test_without_weights_the_first_carries_and_the_others_stand_by() -> None:
    assert shares(carriers_of("a", "b", "c"), times=200) == {"a": 1.0}


def test_weights_share_the_traffic() -> None:
    found = shares(carriers_of("a", "b", "c", weights={"a": 3, "b": 1, "c": 0}))
    assert found.keys() == {"a", "b"}
    assert found["a"] == pytest.approx(0.75, abs=0.02)


def test_one_failure_moves_no_traffic_and_fifty_among_a_hundred_do() -> None:
    assert (UNWELL_AT, LOOKED_AT) == (50, 100)
    carriers = carriers_of("a", "b")
    fail(carriers, "a", 1)
    assert shares(carriers, times=100) == {"a": 1.0}
    for _ in range(UNWELL_AT - 2):
        fail(carriers, "a", 1)
        succeed(carriers, "a", 1)
    assert shares(carriers, times=100) == {"a": 1.0}
    fail(carriers, "a", 1)
    assert shares(carriers, times=100) == {"b": 1.0}


def test_failures_of_long_ago_are_forgotten() -> None:
    carriers = carriers_of("a", "b")
    fail(carriers, "a", UNWELL_AT - 1)
    succeed(carriers, "a", LOOKED_AT)
    fail(carriers, "a", UNWELL_AT - 1)
    assert shares(carriers, times=100) == {"a": 1.0}


def test_a_provider_that_fails_on_one_network_carries_the_others_on() -> None:
    carriers = carriers_of("a", "b")
    fail(carriers, "a", UNWELL_AT, group="unicom")
    assert chosen(carriers, road=Road("sms", "unicom")) == "b"
    assert shares(carriers, times=100) == {"a": 1.0}


def test_traffic_drifts_back_by_a_hundredth_a_tenth_a_half_and_all() -> None:
    carriers = carriers_of("a", "b")
    fail(carriers, "a", UNWELL_AT)
    at = NOW + REST - timedelta(seconds=1)
    assert shares(carriers, at=at, times=500) == {"b": 1.0}
    at = NOW + REST
    for share, successes in ((step.share, step.successes) for step in STEPS):
        assert shares(carriers, at=at)["a"] == pytest.approx(share, rel=0.2)
        succeed(carriers, "a", successes - 1, at=at)
        assert shares(carriers, at=at)["a"] == pytest.approx(share, rel=0.2)
        succeed(carriers, "a", 1, at=at)
    assert shares(carriers, at=at, times=100) == {"a": 1.0}


def test_a_failed_trial_means_a_longer_rest() -> None:
    health, now, rests = Health(), NOW, []
    for _ in range(UNWELL_AT):
        health.note(is_failure=True, now=now)
    for _ in range(8):
        rest = timedelta()
        while health.share(now + rest) == 0:
            rest += timedelta(seconds=10)
        rests.append(rest)
        now += rest
        health.note(is_failure=True, now=now)
    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (REST, REST_MAX)


def test_when_everybody_fails_somebody_still_carries() -> None:
    carriers = carriers_of("a", "b")
    fail(carriers, "a", UNWELL_AT)
    fail(carriers, "b", UNWELL_AT)
    assert shares(carriers, times=100) == {"a": 1.0}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 120)), max_size=400))
def test_health_is_always_a_share(notes: list[tuple[bool, int]]) -> None:
    health, now = Health(), NOW
    for is_failure, seconds in notes:
        now += timedelta(seconds=seconds)
        health.note(is_failure=is_failure, now=now)
        assert 0 <= health.share(now) <= 1
        assert health.failures <= LOOKED_AT


def test_who_has_no_hand_free_is_left_alone_and_codes_find_hands_that_bulk_may_not_fill() -> None:
    carriers = carriers_of("a")
    taken = 0
    while not isinstance(carriers.choose(SMS, Lane.BULK, {}, NOW), Full):
        taken += 1
    assert taken == AT_FIRST * 3 // 4
    assert carriers.choose(SMS, Lane.BULK, {}, NOW) is FULL
    assert carriers.room(Lane.BULK) == 0
    assert carriers.rooms(Lane.BULK) == {"sms": 0}
    assert chosen(carriers, lane=Lane.OTP) == "a"
    carriers.let_go("a", Lane.BULK, taken)
    assert chosen(carriers, lane=Lane.BULK) == "a"


def test_those_who_claim_at_once_never_count_on_the_same_hands() -> None:
    carriers = carriers_of("a")
    ordinary = AT_FIRST * 3 // 4
    with carriers.claiming(Lane.BULK, ordinary - 5) as first, carriers.claiming(Lane.BULK, ordinary) as second:
        assert (first, second) == (ordinary - 5, 5)
        with carriers.claiming(Lane.RESULT, 1) as third, carriers.claiming(Lane.OTP, AT_FIRST) as codes:
            assert (third, codes) == (0, AT_FIRST - ordinary)
    assert carriers.room(Lane.BULK) == ordinary


async def test_a_claim_waits_for_a_good_part_of_few_hands_and_not_for_the_last_of_them() -> None:
    carriers = carriers_of("a")
    while carriers.choose(SMS, Lane.BULK, {}, NOW) is not FULL:
        pass
    waiting = asyncio.ensure_future(carriers.wait_for_room(Lane.BULK, at_least=100))
    for _ in range(AT_FIRST * 3 // 4 // GOOD_PART):
        await asyncio.sleep(0)
        assert not waiting.done()
        carriers.let_go("a", Lane.BULK)
    async with asyncio.timeout(1):
        await waiting


def test_a_full_provider_leaves_its_traffic_to_another() -> None:
    carriers = carriers_of("a", "b")
    got = Counter()
    for _ in range(AT_FIRST):
        provider = carriers.choose(SMS, Lane.RESULT, {}, NOW)
        assert not isinstance(provider, Full)
        assert provider is not None
        got[provider.name] += 1
    assert got == {"a": AT_FIRST * 3 // 4, "b": AT_FIRST // 4}


def test_a_quick_provider_is_given_more_at_once_and_a_slow_one_less() -> None:
    hands = Hands(4_000)
    for _ in range(20):
        while hands.free(is_urgent=False) > 0:
            hands.take(is_urgent=False)
        count = hands.most_for(is_urgent=False)
        hands.give_back(count, is_urgent=False)
        hands.learn(count, QUICK_SECONDS, was_busy=False)
    assert hands.most == 4_000
    hands.learn(10, 0.0, was_busy=False)
    assert hands.most == 4_000
    for _ in range(40):
        hands.learn(10, LATE_SECONDS + 1, was_busy=False)
    assert hands.most == AT_LEAST
    assert Hands(4).most == 4


@pytest.mark.parametrize(
    ("number", "group"),
    [
        ("+8613800138000", "mobile"),
        ("+8613012345678", "unicom"),
        ("+8619912345678", "telecom"),
        ("+8613491234567", "telecom"),
        ("+8617051234567", "mobile"),
        ("+8617091234567", "unicom"),
        ("+8619212345678", "broadcast"),
        ("+862161234567", "fixed"),
        ("+85251234567", "+852"),
        ("+12025550123", "+1"),
        ("+447700900123", "+44"),
        ("+79161234567", "+7"),
        ("+420601123456", "+420"),
        ("+86", "fixed"),
    ],
)
def test_a_number_says_which_network_gave_it_out(number: str, group: str) -> None:
    assert group_of(number) == group


def test_segments_are_those_another_author_knows() -> None:
    names = {"中国移动": "mobile", "中国联通": "unicom", "中国电信": "telecom"}
    differing, known = [], 0
    for segment in range(1300, 2000):
        number = phonenumbers.parse(f"+86{segment}1234567")
        theirs = names.get(who_gave_out.name_for_number(number, "zh"))
        if theirs is not None:
            known += 1
            if group_of(f"+86{segment}1234567") != theirs:
                differing.append((segment, theirs))
    assert known > 400
    assert differing == []


def test_country_codes_are_those_another_author_knows() -> None:
    codes = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    assert [code for code in codes if code != 86 and group_of(f"+{code}5550123456") != f"+{code}"] == []
