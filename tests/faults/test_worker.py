"""The worker keeps every beat: through failures of one of them, of the database, and of a provider that hangs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway import worker
from gateway.worker import Beat
from kernel import db as database
from kernel.clock import SystemClock
from kernel.db import Database, DatabaseAway
from kernel.sealing import Keys
from notifications import templates
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.model import Lane
from notifications.outbox import HINT_CHANNEL, Owed
from notifications.parts import Notifications
from tests.builders_notifications import (
    Carrier,
    SlowCarrier,
    a_promise,
    at_any_hour,
    cut_every_connection,
    stages,
)

NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def running(kept: Sequence[Beat]) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.work(kept))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def sending(notifications: Notifications, database_url: str) -> AsyncIterator[None]:
    """A worker that sends, and finishes what it has in hand."""
    async with running(sending_beats(notifications, database_url)):
        yield
    await notifications.delivering.finish(within_seconds=5)


def sending_beats(notifications: Notifications, database_url: str) -> list[Beat]:
    delivering = notifications.delivering
    return [
        Beat("hear", partial(database.listen, database_url, HINT_CHANNEL, delivering.hint)),
        Beat("find", delivering.keep_looking),
        *(Beat(lane.name, partial(delivering.keep_carrying, lane)) for lane in Lane),
    ]


async def owe_now(notifications: Notifications, *owed: Owed) -> None:
    async with notifications.db.transaction() as conn:
        await notifications.outbox.owe_many(conn, owed, now=notifications.clock.now())


async def until(is_so: Any, *, within_seconds: float = 10.0) -> float:
    """Seconds until `is_so()`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within_seconds):
        while not is_so():
            await asyncio.sleep(0.001)
    return loop.time() - began


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def notifications(db: Database, keys: Keys, carrier: Carrier) -> Notifications:
    return at_any_hour(db, SystemClock(), keys, carrier)


async def test_every_kind_of_job_has_a_beat(city) -> None:
    kept = worker.beats(city.parts)
    names = [beat.name for beat in kept]
    assert len(names) == len(set(names))
    assert {f"carry {lane.name.lower()}" for lane in Lane} < set(names)
    assert {
        "find what is due",
        "hear receipts of demo",
        "join receipts",
        "close what nobody answered for",
        "remind",
        "close missed bookings",
        "end days at the counters",
        "offer slots ahead",
        "forget first answers",
        "forget sign-ins",
        "keep catalogues fresh",
        "renew signing keys",
        "tell that the worker lives",
    } <= set(names)


async def test_every_beat_with_a_rhythm_can_be_played_on_an_empty_city(city) -> None:
    played = [beat for beat in worker.beats(city.parts) if beat.every is not None]
    for beat in played:
        await beat.play()
    assert "last beat" in await city.parts.ask_worker()
    assert len(played) >= 8


async def test_the_worker_process_sends_what_is_owed_and_stops_when_asked(city) -> None:
    task = asyncio.create_task(worker.run(city.settings))
    notifications = city.parts.notifications
    await owe_now(notifications, a_promise(templates.SIGN_IN_CODE, due_at=city.clock.now(), expires_at=NEVER))
    async with asyncio.timeout(20):
        while await stages(city.parts.db) != {"sms delivered": 1}:
            await asyncio.sleep(0.05)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=6)
    assert done == {task}
    assert task.cancelled()


async def test_a_code_leaves_in_a_blink(notifications, carrier, database_url: str) -> None:
    async with sending(notifications, database_url):
        await asyncio.sleep(0.5)
        took = []
        for n in range(10):
            await owe_now(notifications, a_promise(templates.SIGN_IN_CODE, due_at=notifications.clock.now()))
            took.append(await until(lambda n=n: len(carrier.carried) == n + 1))
            await asyncio.sleep(0.05)
    assert sorted(took)[5] < 0.25, took


async def test_a_message_whose_hint_was_lost_leaves_within_a_poll(notifications, carrier) -> None:
    deaf = [beat for beat in sending_beats(notifications, "") if beat.name != "hear"]
    async with running(deaf):
        await asyncio.sleep(0.3)
        await owe_now(notifications, a_promise(templates.SIGN_IN_CODE, due_at=notifications.clock.now()))
        assert await until(lambda: carrier.carried) < 3
    await notifications.delivering.finish(within_seconds=5)


async def test_one_hanging_lane_does_not_hold_up_codes(db, keys, database_url: str) -> None:
    class HangingForSome(SlowCarrier):
        """Hangs over everything but codes."""

        async def send(self, sms: Sms) -> Accepted | Refused:
            if "204816" in sms.text:
                return await Carrier.send(self, sms)
            return await super().send(sms)

    carrier = HangingForSome()
    notifications = at_any_hour(db, SystemClock(), keys, carrier)
    async with sending(notifications, database_url):
        now = notifications.clock.now()
        await owe_now(notifications, *(a_promise(due_at=now) for _ in range(1000)))
        await until(lambda: len(carrier.carried) > 50)
        await owe_now(notifications, a_promise(templates.SIGN_IN_CODE, due_at=now))
        await until(lambda: any("204816" in sms.text for sms in carrier.carried), within_seconds=5)
        carrier.let_go.set()
        await until(lambda: len(carrier.carried) == 1001, within_seconds=30)
    assert await stages(db) == {"sms accepted": 1001}


async def test_being_asked_to_stop_makes_nothing_unknown(db, keys, database_url: str) -> None:
    slow = SlowCarrier()
    notifications = at_any_hour(db, SystemClock(), keys, slow)
    async with running(sending_beats(notifications, database_url)):
        await owe_now(notifications, *(a_promise(due_at=notifications.clock.now()) for _ in range(20)))
        await until(lambda: len(slow.carried) == 20)
    asyncio.get_running_loop().call_later(0.2, slow.let_go.set)
    await notifications.delivering.finish(within_seconds=5)
    assert await stages(db) == {"sms accepted": 20}


async def test_stopping_is_bounded_however_long_a_provider_hangs(db, keys, database_url: str) -> None:
    slow = SlowCarrier()
    notifications = at_any_hour(db, SystemClock(), keys, slow)
    async with running(sending_beats(notifications, database_url)):
        await owe_now(notifications, a_promise(due_at=notifications.clock.now()))
        await until(lambda: slow.carried)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await notifications.delivering.finish(within_seconds=0.2)
    assert loop.time() - began < 2
    assert await stages(db) == {"sms sending": 1}


async def test_every_connection_being_cut_holds_messages_up_for_a_moment_only(
    notifications, carrier, database_url: str
) -> None:
    async with sending(notifications, database_url):
        for n in range(3):
            await cut_every_connection(database_url)
            await owe_now(notifications, a_promise(templates.SIGN_IN_CODE, due_at=notifications.clock.now()))
            await until(lambda n=n: len(carrier.carried) == n + 1)


async def test_connections_killed_while_a_thousand_texts_leave_lose_none_and_double_none(
    notifications, carrier, db, database_url: str
) -> None:
    now = notifications.clock.now()
    await owe_now(notifications, *(a_promise(due_at=now) for _ in range(1000)))
    async with sending(notifications, database_url):
        for _ in range(12):
            await asyncio.sleep(0.05)
            await cut_every_connection(database_url)
        await until(lambda: len({sms.reference for sms in carrier.carried}) == 1000, within_seconds=30)
        async with asyncio.timeout(20):
            while await stages(db) != {"sms accepted": 1000}:
                await asyncio.sleep(0.1)
    assert len(carrier.carried) == 1000


async def test_a_failing_beat_is_logged_once_per_kind_of_failure_and_the_others_go_on() -> None:
    failures = iter([DatabaseAway("away"), DatabaseAway("away"), ValueError("odd"), DatabaseAway("away")])
    played = 0

    async def fail() -> None:
        failure = next(failures, None)
        if failure is not None:
            raise failure

    async def play() -> None:
        nonlocal played
        played += 1

    kept = [Beat("failing", fail, timedelta(seconds=0.01)), Beat("playing", play, timedelta(seconds=0.01))]
    with capture_logs() as lines:
        async with running(kept):
            await until(lambda: any(line["event"] == "beat plays again" for line in lines))
    said = [(line["event"], line.get("error")) for line in lines if line.get("beat") == "failing"]
    assert said == [
        ("beat held up", "DatabaseAway"),
        ("beat failed", None),
        ("beat held up", "DatabaseAway"),
        ("beat plays again", None),
    ]
    assert played > 20


async def test_a_bucket_that_fails_does_not_hold_up_the_others() -> None:
    played: list[int] = []

    async def play(bucket: int) -> int:
        played.append(bucket)
        if bucket == 3:
            raise ValueError
        return 0

    with pytest.raises(ValueError):  # noqa: PT011 -- the very failure, once the others were played
        await worker._in_every_bucket(play)
    assert played == list(range(64))
