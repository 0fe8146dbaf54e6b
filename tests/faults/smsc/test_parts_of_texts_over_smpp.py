"""A long text of which only some parts were answered in time: unknown, never sent again, and its receipts find it.

Where not said otherwise the SMSC repeats nothing of ours in its receipts, so that all there is are its own ids.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from city.standins.smsc import Smsc
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications.channels.smpp.driver import SmppProvider
from notifications.finding import FOUND_AFTER
from notifications.parts import Notifications
from tests.builders_notifications import a_promise, notifications_over, outcomes, owe, stages
from tests.builders_sending import BULK_TEXT, OneText
from tests.smsc_peer import account, until

LONG = "很长的通知。" * 30
PARTS = 3
SOON, TOO_LATE, LATER = [200, 200], [8_500, 8_500], [5_000, 5_000]
"""Milliseconds. An ordinary lane waits seven and a half seconds for an answer."""
WITHIN_SECONDS = 20.0


class Worker:
    """Notifications over one SMSC, at work."""

    def __init__(self, notifications: Notifications, peer: Smsc, clock: StoppedClock) -> None:
        self.notifications = notifications
        self.peer = peer
        self.clock = clock

    async def send_long(self, once: int, **then: object) -> "asyncio.Task[None]":
        """Send a long text; when the SMSC has so many submissions altogether, it behaves as said from then on."""
        await owe(self.notifications, a_promise(BULK_TEXT, due_at=self.clock.now(), words=LONG))
        sending = asyncio.create_task(self.notifications.settle())
        await until(lambda: self.peer.counts()["submits"] >= once)
        self.peer.set(**then)
        return sending

    async def find(self) -> int:
        """Look for what receipts mean, and join them."""
        self.clock.advance(FOUND_AFTER)
        found = await self.notifications.finding.find_stale()
        await self.notifications.receiving.join_arrived()
        return found

    async def until_stored(self, count: int, *, answers: bool) -> None:
        """Wait until so many receipts were stored, or so many answers that nobody waited for."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while await self.stored(answers=answers) < count:
                await asyncio.sleep(0.05)

    async def stored(self, *, answers: bool) -> int:
        return int(
            await self.notifications.db.fetchval(
                "SELECT count(*) FROM notifications.receipt WHERE (message_id IS NOT NULL) = $1", answers
            )
        )

    async def told(self) -> int:
        """Which parts of the only text arrived, as bits."""
        return int(await self.notifications.db.fetchval("SELECT told FROM notifications.attempt"))


@pytest.fixture
def settings() -> dict[str, object]:
    return {}


@pytest.fixture
async def worker(
    db: Database, clock: StoppedClock, keys: Keys, peer: Smsc, settings: dict[str, object]
) -> AsyncIterator[Worker]:
    provider = SmppProvider(account(peer, **settings), clock)
    notifications = notifications_over(db, clock, keys, provider)
    notifications.wordings.texts = OneText()  # type: ignore[assignment]
    listening = asyncio.create_task(notifications.receiving.listen(provider))
    peer.set(echoes_reference=False, answer_ms=SOON)
    yield Worker(notifications, peer, clock)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await provider.close()


async def test_a_long_text_whose_last_parts_are_answered_too_late_is_delivered_whenever_its_receipts_come(
    worker: Worker, peer: Smsc, db: Database
) -> None:
    peer.set(receipts_first=1)
    first = await worker.send_long(1, answer_ms=TOO_LATE)
    await worker.until_stored(PARTS, answers=False)
    assert not first.done(), "its receipts were there before anybody knew that its outcome is not"
    peer.set(receipts_first=0, answer_ms=SOON, receipt_ms=LATER)
    second = await worker.send_long(PARTS + 1, answer_ms=TOO_LATE)
    await asyncio.gather(first, second)
    assert await stages(db) == {"sms unknown": 2}
    await worker.until_stored(2 * PARTS, answers=True)
    assert await worker.stored(answers=False) == PARTS + 1, "those of the second's late parts come last of all"
    assert await worker.find() == 2 * PARTS
    assert await stages(db) == {"sms delivered": 1, "sms unknown": 1}
    await worker.until_stored(2 * PARTS, answers=False)
    await worker.notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 2}
    assert await outcomes(db) == [("first", "accepted")] * 2
    await worker.notifications.settle()
    assert peer.counts()["submits"] == 2 * PARTS, "nothing is sent again"


@pytest.mark.parametrize("undelivered, stage", [(0, "unknown"), (1, "undeliverable")])
async def test_receipts_of_the_parts_that_were_taken_before_a_cut_find_their_text(
    worker: Worker, peer: Smsc, db: Database, undelivered: int, stage: str
) -> None:
    peer.set(undelivered=undelivered)
    sending = await worker.send_long(1, cut_next=1)
    await sending
    assert await stages(db) == {"sms unknown": 1}
    await worker.until_stored(1, answers=True)
    await worker.until_stored(2, answers=False)
    assert await worker.find() == 1, "what the carrier calls the second part nobody ever said"
    assert await stages(db) == {f"sms {stage}": 1}
    assert await worker.told() == (0 if undelivered else 0b001)
    await worker.notifications.settle()
    assert peer.counts()["submits"] == 2


@pytest.mark.parametrize("settings", [{"window": 1}])
async def test_parts_that_were_answered_and_one_that_its_receipt_alone_names_make_a_whole(
    worker: Worker, peer: Smsc, db: Database
) -> None:
    sending = await worker.send_long(2, cut_next=1, echoes_reference=True)  # not in the receipt of the first part
    await sending
    assert await stages(db) == {"sms unknown": 1}
    await worker.until_stored(2, answers=True)
    await worker.until_stored(PARTS, answers=False)
    assert await worker.find() == 4, "two answers, and two receipts that repeat our reference"
    assert await stages(db) == {"sms delivered": 1}
    assert await worker.told() == 0b111
    await worker.notifications.settle()
    assert peer.counts()["submits"] == PARTS


async def test_a_text_is_not_delivered_while_a_part_that_the_carrier_gave_no_name_may_be_missing(
    worker: Worker, peer: Smsc, db: Database
) -> None:
    await (await worker.send_long(0, nameless_part=2))
    await worker.until_stored(PARTS, answers=False)
    await worker.notifications.receiving.join_arrived()
    assert await stages(db) == {"sms accepted": 1}
    assert await worker.told() == 0b101


async def test_a_text_of_whose_parts_all_have_one_name_is_delivered_when_its_only_receipt_says_so(
    worker: Worker, peer: Smsc, db: Database
) -> None:
    await (await worker.send_long(0, one_id=True, receipts_doubled=1))
    await worker.until_stored(2, answers=False)
    await worker.notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 1}
    assert peer.counts()["submits"] == PARTS


async def test_a_text_of_whose_parts_all_have_one_name_is_found_by_it_when_its_answers_come_too_late(
    worker: Worker, peer: Smsc, db: Database
) -> None:
    peer.set(one_id=True, receipt_ms=SOON)
    await (await worker.send_long(1, answer_ms=TOO_LATE))
    assert await stages(db) == {"sms unknown": 1}
    await worker.until_stored(PARTS, answers=True)
    await worker.find()
    await worker.until_stored(1, answers=False)
    await worker.notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 1}
