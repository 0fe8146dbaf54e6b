"""Each "allow" in the mini-program is good for one message: the database says for which, whoever asks at once."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import MessageId, PersonId
from kernel.sealing import Keys
from notifications.channels.subscribe.platform import NO_GRANT
from notifications.channels.subscribe.texts import SubscribeText, SubscribeTexts
from notifications.reaching.errors import SubscriptionUnknown
from notifications.reaching.grants import LEFT_MAX, Granted, Grants, TapOutcome, Want

TEXTS = SubscribeTexts(
    [
        SubscribeText("ONCE", "预约", "Booking", {"booking_confirmed": {"thing1": "service"}}),
        SubscribeText("LASTING", "通知", "Notice", {"department_notice": {"thing1": "title"}}, is_long_term=True),
    ]
)


class Ledger:
    def __init__(self, db: Database, keys: Keys, clock: StoppedClock) -> None:
        self.db = db
        self.clock = clock
        self.grants = Grants(keys, TEXTS)
        self.person = PersonId(uuid4())

    async def tap(self, template: str = "ONCE", outcome: TapOutcome = "accept", *, times: int = 1) -> None:
        for _ in range(times):
            async with self.db.transaction() as conn:
                await self.grants.tapped(
                    conn, self.person, "o-me", tap_id=uuid4(), template=template, outcome=outcome, now=self.clock.now()
                )

    async def take(self, *, template: str = "ONCE", messages: int = 1) -> list[Granted]:
        wants = [Want(self.person, MessageId(uuid4()), template) for _ in range(messages)]
        async with self.db.transaction() as conn:
            return list((await self.grants.take(conn, wants, now=self.clock.now())).values())

    async def refused(self, granted: Granted, reason: str) -> None:
        async with self.db.transaction() as conn:
            await self.grants.refused(conn, [(granted, reason)], now=self.clock.now())

    async def left(self) -> dict[str, int]:
        async with self.db.connection() as conn:
            return {one.template: one.left for one in await self.grants.left(conn, self.person, "zh")}


@pytest.fixture
def ledger(db: Database, keys: Keys, clock: StoppedClock) -> Ledger:
    return Ledger(db, keys, clock)


async def test_a_tap_is_good_for_one_message(ledger: Ledger) -> None:
    await ledger.tap()
    [granted] = await ledger.take()
    assert granted.openid == "o-me"
    assert await ledger.take() == []
    assert await ledger.left() == {"ONCE": 0, "LASTING": 0}


async def test_messages_of_one_batch_share_what_is_left(ledger: Ledger) -> None:
    await ledger.tap(times=3)
    granted = await ledger.take(messages=5)
    assert len({one.tap_id for one in granted}) == len(granted) == 3


async def test_no_two_messages_ever_take_one_grant_however_many_ask_at_once(ledger: Ledger) -> None:
    await ledger.tap(times=7)
    taken = [one for batch in await asyncio.gather(*(ledger.take(messages=2) for _ in range(12))) for one in batch]
    taken += await ledger.take(messages=2)  # whoever met only rows being taken finds what was left
    assert len({one.tap_id for one in taken}) == len(taken) == 7


async def test_a_grant_taken_in_a_transaction_that_fails_is_free(ledger: Ledger) -> None:
    await ledger.tap()

    async def take_and_fail() -> None:
        async with ledger.db.transaction() as conn:
            want = Want(ledger.person, MessageId(uuid4()), "ONCE")
            assert await ledger.grants.take(conn, [want], now=ledger.clock.now())
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await take_and_fail()
    assert (await ledger.left())["ONCE"] == 1


async def test_a_refusal_that_did_not_use_it_gives_a_grant_back_and_another_may_take_it(ledger: Ledger) -> None:
    await ledger.tap()
    [granted] = await ledger.take()
    await ledger.refused(granted, "45009")
    assert (await ledger.left())["ONCE"] == 1
    [again] = await ledger.take()
    await ledger.refused(granted, "45009")
    assert (await ledger.left())["ONCE"] == 0, "it is the second message's now"
    assert again.tap_id == granted.tap_id


async def test_a_grant_the_platform_knows_nothing_of_is_void(ledger: Ledger) -> None:
    await ledger.tap()
    [granted] = await ledger.take()
    await ledger.refused(granted, NO_GRANT)
    assert await ledger.take() == []


async def test_the_same_tap_told_twice_is_one_grant_used_or_not(ledger: Ledger) -> None:
    tap_id = uuid4()

    async def tell() -> None:
        async with ledger.db.transaction() as conn:
            await ledger.grants.tapped(
                conn, ledger.person, "o-me", tap_id=tap_id, template="ONCE", outcome="accept", now=ledger.clock.now()
            )

    await tell()
    await tell()
    assert (await ledger.left())["ONCE"] == 1
    assert len(await ledger.take()) == 1
    await tell()
    assert await ledger.take() == []


async def test_to_say_no_once_leaves_what_was_allowed_before(ledger: Ledger) -> None:
    await ledger.tap()
    await ledger.tap(outcome="reject")
    await ledger.tap(outcome="filter")
    assert (await ledger.left())["ONCE"] == 1
    await ledger.tap(outcome="ban")
    assert (await ledger.left())["ONCE"] == 0


async def test_a_lasting_grant_lets_any_number_through_at_once_until_it_is_taken_back(ledger: Ledger) -> None:
    await ledger.tap("LASTING", times=2)
    taken = await asyncio.gather(*(ledger.take(template="LASTING", messages=3) for _ in range(4)))
    assert [len(one) for one in taken] == [3] * 4
    assert (await ledger.left())["LASTING"] == 1
    await ledger.refused(taken[0][0], "45009")
    assert (await ledger.left())["LASTING"] == 1
    await ledger.tap("LASTING", outcome="reject")
    assert await ledger.take(template="LASTING") == []


async def test_a_template_that_is_none_of_ours_is_refused(ledger: Ledger) -> None:
    with pytest.raises(SubscriptionUnknown):
        await ledger.tap("ANOTHER")


async def test_nobody_piles_up_grants_without_end(ledger: Ledger) -> None:
    await ledger.tap(times=LEFT_MAX + 2)
    assert (await ledger.left())["ONCE"] == LEFT_MAX


async def test_what_became_of_old_grants_is_forgotten_and_what_is_left_is_kept(ledger: Ledger) -> None:
    await ledger.tap(times=2)
    await ledger.take()
    ledger.clock.advance(timedelta(days=181))
    async with ledger.db.transaction() as conn:
        await ledger.grants.forget_old(conn, now=ledger.clock.now())
    assert await ledger.db.fetchval("SELECT count(*) FROM notifications.subscribe_grant") == 1
    assert (await ledger.left())["ONCE"] == 1
