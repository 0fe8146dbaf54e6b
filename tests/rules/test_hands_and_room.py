"""Whose hands are free for what: codes beside piles of bulk, one channel beside another, the well beside the unwell."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.model import Lane, Outcome
from notifications.routing import carriers as routing
from notifications.routing.carriers import FULL, Carriers, Road
from notifications.routing.hands import Hands
from notifications.routing.health import REST, STEPS, UNWELL_AT
from tests.builders_notifications import Carrier
from tests.rules.test_carriers import NOW, SMS, carriers_of, fail, succeed

MAIL = Road("email", "email")


def sms_beside_mail(sms_hands: int, mail_hands: int = 256) -> Carriers:
    sms, mail = Carrier("sms"), Carrier("mail", channel="email")
    sms.at_once_max, mail.at_once_max = sms_hands, mail_hands
    return Carriers([sms, mail])


def fill(carriers: Carriers, lane: Lane = Lane.BULK, road: Road = SMS) -> Counter[str]:
    """Who carries until nobody may any more."""
    got: Counter[str] = Counter()
    while (provider := carriers.choose(road, lane, {}, NOW)) is not FULL:
        got[provider.name] += 1
    return got


def test_what_the_well_one_has_no_hand_for_waits_rather_than_goes_to_the_one_given_up() -> None:
    carriers = carriers_of("sick", "well", weights={"sick": 1, "well": 1})
    fail(carriers, "sick", UNWELL_AT)
    assert fill(carriers) == {"well": 192}
    carriers.let_go("well", Lane.BULK, 192)
    fail(carriers, "well", UNWELL_AT)
    assert fill(carriers).keys() == {"sick", "well"}, "where everybody fails, everybody is asked"


def test_one_on_trial_gets_no_more_than_its_share_while_the_well_one_is_full() -> None:
    carriers = carriers_of("trial", "well", weights={"trial": 1, "well": 1})
    fail(carriers, "trial", UNWELL_AT)
    at, share = NOW + REST, STEPS[0].share
    while carriers.choose(SMS, Lane.BULK, {"trial": Outcome.REJECTED}, at) is not FULL:
        pass
    asked = [carriers.choose(SMS, Lane.BULK, {}, at) for _ in range(2_000)]
    assert 0 < sum(one is not FULL for one in asked) < 2_000 * share * 3


def test_the_hands_of_one_given_up_are_no_room_while_another_is_well() -> None:
    carriers = carriers_of("sick", "well")
    assert carriers.room(Lane.BULK) == 2 * 192
    fail(carriers, "sick", UNWELL_AT)
    assert carriers.room(Lane.BULK) == 192
    assert carriers.rooms(Lane.BULK) == {"sms": 192}
    fail(carriers, "well", UNWELL_AT)
    assert carriers.room(Lane.BULK) == 2 * 192
    succeed(carriers, "well", sum(step.successes for step in STEPS), at=NOW + REST)
    assert carriers.room(Lane.BULK) == 192


def test_one_that_fails_on_a_small_network_alone_keeps_its_room() -> None:
    carriers = carriers_of("a", "b")
    for _ in range(UNWELL_AT):
        fail(carriers, "a", 1, group="+44")
        succeed(carriers, "a", 2)
    assert carriers.room(Lane.BULK) == 2 * 192


def test_codes_have_hands_while_what_is_ordinary_comes_back_refused() -> None:
    hands = Hands(256)
    for _ in range(192):
        hands.take(is_urgent=False)
    for _ in range(3):
        hands.give_back(10, is_urgent=False)
        hands.learn(10, 0.1, was_busy=True)
    assert hands.taken > hands.most
    assert hands.free(is_urgent=True) == hands.most - hands.most_for(is_urgent=False) == 27
    assert hands.free(is_urgent=False) < 0


@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.sampled_from(["take", "give", "busy", "quick"]), st.booleans()), max_size=300),
)
def test_nobody_ever_has_more_in_hand_than_it_says_it_can_have(ceiling: int, steps: list[tuple[str, bool]]) -> None:
    hands, held = Hands(ceiling), {True: 0, False: 0}
    for step, is_urgent in steps:
        if step == "take":
            for _ in range(max(0, hands.free(is_urgent=is_urgent))):
                hands.take(is_urgent=is_urgent)
                held[is_urgent] += 1
        elif step == "give" and held[is_urgent]:
            held[is_urgent] -= 1
            hands.give_back(1, is_urgent=is_urgent)
        else:
            hands.learn(ceiling, 0.1, was_busy=step == "busy")
        assert hands.taken == sum(held.values()) <= ceiling


async def test_a_code_does_not_wait_for_a_code_while_a_hand_is_free() -> None:
    carriers = sms_beside_mail(64, 1)
    assert fill(carriers) == {"sms": 48}
    for _ in range(15):
        assert carriers.choose(SMS, Lane.OTP, {}, NOW) is not FULL
    assert carriers.room(Lane.OTP) == 1
    async with asyncio.timeout(1):
        await carriers.wait_for_room(Lane.OTP, 20)


def test_a_lane_that_goes_by_sms_is_claimed_for_the_hands_of_sms_however_idle_the_mail_is() -> None:
    carriers = sms_beside_mail(8)
    assert carriers.room(Lane.BULK) == 192, "nobody knows yet what is in it"
    carriers.choose(SMS, Lane.BULK, {}, NOW)
    assert carriers.room(Lane.BULK) == 5
    assert carriers.room(Lane.RESULT) == 192
    carriers.choose(MAIL, Lane.BULK, {}, NOW)
    assert carriers.room(Lane.BULK) == 191, "both are in it: neither waits for the other"


def test_a_lane_is_looked_past_after_a_number_of_claims() -> None:
    carriers = sms_beside_mail(8)
    rooms = []
    for _ in range(2 * routing.LOOKED_PAST_AFTER):
        with carriers.claiming(Lane.BULK, 512) as room:
            rooms.append(room)
            provider = carriers.choose(SMS, Lane.BULK, {}, NOW)
            carriers.let_go(provider.name, Lane.BULK)
    assert [nth for nth, room in enumerate(rooms, start=1) if room == 192] == [1, 100, 200]


async def test_what_goes_by_mail_waits_a_moment_at_most_for_sms_that_nobody_takes() -> None:
    carriers = sms_beside_mail(8)
    fill(carriers)
    assert carriers.room(Lane.BULK) == 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(routing.LOOKED_PAST_SECONDS + 2):
        await carriers.wait_for_room(Lane.BULK, 100)
    assert loop.time() - began >= routing.LOOKED_PAST_SECONDS - 0.1
    assert carriers.room(Lane.BULK) == 192


def test_a_code_by_mail_waits_for_no_sms() -> None:
    carriers = sms_beside_mail(8)
    fill(carriers, Lane.OTP)
    assert carriers.room(Lane.OTP) == 256


async def test_a_channel_of_few_hands_does_not_wait_for_a_wide_one_that_is_full() -> None:
    carriers = sms_beside_mail(12)
    assert fill(carriers, road=MAIL) == {"mail": 192}
    carriers.choose(SMS, Lane.BULK, {}, NOW)
    async with asyncio.timeout(1):
        await carriers.wait_for_room(Lane.BULK, 100)


def test_where_nobody_carries_anything_messages_are_taken_all_the_same() -> None:
    """They are filed in inboxes, and what nobody carries is alerted."""
    assert Carriers([]).room(Lane.RESULT) > 0


@pytest.mark.parametrize("kept_by", [(), ("cloud",)])
def test_who_takes_only_texts_that_it_keeps_is_asked_for_those_alone(kept_by: tuple[str, ...]) -> None:
    cloud, other = Carrier("cloud"), Carrier("other")
    cloud.takes_kept_texts = True
    carriers = Carriers([cloud, other])
    expected = "cloud" if kept_by else "other"
    assert carriers.choose(SMS, Lane.BULK, {}, NOW, kept_by).name == expected
    assert carriers.is_another_left("sms", {"other"}, kept_by) == bool(kept_by)
    assert carriers.is_another_left("sms", {"other"})
    tried = {"other": Outcome.REJECTED}
    assert carriers.choose(SMS, Lane.BULK, tried, NOW, kept_by).name == expected
    assert Carriers([cloud]).choose(SMS, Lane.BULK, {}, NOW, ()) is None
