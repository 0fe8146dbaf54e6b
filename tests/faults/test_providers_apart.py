"""One provider that is slow, full or refuses holds up nobody but itself; a code goes before a pile of bulk."""

import asyncio
import contextlib
import time
from datetime import timedelta

import pytest

from kernel.clock import StoppedClock, SystemClock
from kernel.db import Database
from kernel.ids import BUCKETS, bucket_of
from notifications import templates
from notifications.carrying.deciding import HELD
from notifications.channels.provider import Accepted, Refused
from notifications.contacts import Choices
from notifications.model import Lane
from notifications.outbox import GOOD_FOR, ToEmail, ToPhone
from notifications.routing.health import REST, UNWELL_AT
from tests.builders_notifications import (
    Carrier,
    Ends,
    SlowCarrier,
    a_promise,
    at_any_hour,
    notifications_over,
    owe,
    stages,
)
from tests.builders_sending import BULK_TEXT, SUBSCRIBE_TEXTS, OneText, a_chooser, allow

BULK_WAITING = 20_000
BULK_A_SECOND = 3_000
CODES = 60
CODE_SECONDS_MAX = 0.25
"""The 99th percentile from the commit that owes a code to its provider, in the issue's words."""
ON_TWO_BUSY_CORES = 4
"""This test shares its machine with others; the promise itself is measured by `bench send`."""


LOOKED_EVERY_SECONDS = 0.02


@contextlib.asynccontextmanager
async def carrying(notifications, *lanes: Lane):
    """A worker at work for the block."""
    delivering = notifications.delivering
    beats = [delivering.keep_looking(), *(delivering.keep_carrying(lane) for lane in lanes or Lane)]
    tasks = [asyncio.ensure_future(beat) for beat in beats]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await delivering.finish(within_seconds=5)


async def until(is_so, clock: StoppedClock | None = None) -> None:
    """Wait until it is so; a clock given goes on meanwhile, since who found no hand free asks again by it."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(LOOKED_EVERY_SECONDS)
            if clock is not None:
                clock.advance(HELD / 5)


async def test_a_provider_that_does_not_answer_does_not_hold_up_another(db, clock, keys) -> None:
    stuck, quick = SlowCarrier("stuck"), Carrier("quick", channel="email", receipts_come=False)
    stuck.at_once_max = 40
    notifications = notifications_over(db, clock, keys, stuck, quick)
    owed = []
    for n in range(400):
        owed += [
            a_promise(to=ToPhone(f"+86138{n:08d}"), due_at=clock.now()),
            a_promise(to=ToEmail(f"{n}@example.org"), due_at=clock.now()),
        ]
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, owed, now=clock.now())
    async with carrying(notifications):
        await until(lambda: len(quick.carried) == 400)
        assert len(stuck.carried) <= 40
        stuck.let_go.set()
        await until(lambda: len(stuck.carried) == 400, clock)
    assert await stages(db) == {"email delivered": 400, "sms accepted": 400}


async def test_a_provider_of_few_hands_is_never_short_of_work(db, clock, keys) -> None:
    """The clock stands still: what once had to wait for a hand would wait for ever."""
    few = Carrier("few")
    few.at_once_max = 12
    notifications = notifications_over(db, clock, keys, few)
    owed = [a_promise(to=ToPhone(f"+86138{n:08d}"), due_at=clock.now()) for n in range(600)]
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, owed, now=clock.now())
    async with carrying(notifications):
        await until(lambda: len(few.carried) == 600)
    assert await stages(db) == {"sms accepted": 600}


async def test_no_more_sms_are_claimed_than_sms_have_hands_however_idle_the_mail_is(db, clock, keys) -> None:
    sms, mail = Carrier("sms"), Carrier("mail", channel="email", receipts_come=False)
    sms.at_once_max = 8
    notifications = notifications_over(db, clock, keys, sms, mail)
    owed = [a_promise(to=ToPhone(f"+86138{n:08d}"), due_at=clock.now()) for n in range(100)]
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, owed, now=clock.now())
    for bucket in range(BUCKETS):
        await notifications.sending.claim(bucket, Lane.RESULT)
    assert await stages(db) == {"sms sending": 6}, "the others are owed still, in their order, and can be taken back"


async def test_a_second_try_is_not_kept_waiting_for_ever_by_new_messages(db, clock, keys) -> None:
    refused: list[str] = []

    def answer(sms):
        if not refused:
            refused.append(sms.reference)
            return Refused("busy", "no")
        return Accepted((sms.reference,))

    carrier = Carrier(answer=answer)
    carrier.at_once_max = 4
    notifications = notifications_over(db, clock, keys, carrier)
    of_one_bucket = (key for n in range(10**6) if bucket_of("tests", key := f"k{n}") == 5)
    await owe(notifications, a_promise(key=next(of_one_bucket), due_at=clock.now()))
    await notifications.sending.send_due(5, Lane.RESULT)
    for _ in range(4):  # as much comes as leaves
        clock.advance(timedelta(seconds=1))
        await owe(notifications, *(a_promise(key=next(of_one_bucket), due_at=clock.now()) for _ in range(3)))
        await notifications.sending.send_due(5, Lane.RESULT)
    assert [one.reference for one in carrier.carried].count(refused[0]) == 2


@pytest.mark.parametrize("kind", ["message", "later"])
async def test_a_no_to_one_text_or_one_number_says_nothing_of_how_well_its_provider_is(db, clock, keys, kind) -> None:
    cloud, other = Carrier("cloud", answer=lambda _: Refused(kind, "not this one")), Carrier("other")
    notifications = notifications_over(db, clock, keys, cloud, other, weights={"cloud": 1})
    hands = notifications.carriers.hands_of("cloud").most
    await owe(notifications, *(a_promise(to=ToPhone(f"+86138{n:08d}"), due_at=clock.now()) for n in range(150)))
    await notifications.settle()
    assert (len(cloud.carried), len(other.carried)) == (150, 150)
    assert {one.share for one in notifications.carriers.standings(clock.now())} == {1.0}
    assert notifications.carriers.hands_of("cloud").most == hands


async def test_a_cloud_is_not_asked_to_carry_a_text_that_it_does_not_keep(db, clock, keys) -> None:
    cloud, other = Carrier("cloud"), Carrier("other", answer=lambda _: Refused("busy", "no"))
    cloud.takes_kept_texts = True
    notifications = notifications_over(db, clock, keys, cloud, other, weights={"cloud": 1})
    await owe(notifications, a_promise(due_at=clock.now()))
    for _ in range(3):
        await notifications.settle()
        clock.advance(timedelta(seconds=30))
    assert (len(cloud.carried), len(other.carried)) == (0, 3), "nor counted on: who said busy is given its pause"
    assert await stages(db) == {"sms waiting": 1}


async def test_what_waits_for_a_channel_that_nobody_carries_any_more_is_told_its_end(db, clock, keys) -> None:
    busy = Carrier("mail", lambda _: Refused("busy", "not now"), channel="email", receipts_come=False)
    before = notifications_over(db, clock, keys, Carrier("sms"), busy)
    await owe(before, a_promise(to=ToEmail("somebody@example.org"), due_at=clock.now()))
    await before.settle()
    assert await stages(db) == {"email waiting": 1}
    after = notifications_over(db, clock, keys, Carrier("sms"))
    ends = Ends()
    after.endings.listeners.append(ends)
    clock.advance(timedelta(minutes=1))
    await after.settle()
    assert ends.said == [("email", "undeliverable", "no provider")]


async def test_sms_stands_in_where_the_mini_program_was_taken_out_of_the_city(db, clock, keys) -> None:
    platform = Carrier("platform", lambda _: Refused("busy", "45009"), channel="subscribe", receipts_come=False)
    sms = Carrier("sms")
    before = notifications_over(db, clock, keys, sms, platform, subscribe_texts=SUBSCRIBE_TEXTS)
    person = await a_chooser(before, keys, Choices(results=("subscribe", "sms")))
    await allow(before, person)
    await owe(before, a_promise(templates.BOOKING_CONFIRMED, to=person, due_at=clock.now()))
    await before.settle()
    assert (await stages(db))["subscribe waiting"] == 1
    after = notifications_over(db, clock, keys, sms)
    clock.advance(timedelta(minutes=1))
    await after.settle()
    assert len(sms.carried) == 1


async def test_a_slow_provider_of_sms_leaves_its_traffic_to_the_other(db, clock, keys) -> None:
    stuck, quick = SlowCarrier("stuck"), Carrier("quick")
    stuck.at_once_max = 20
    notifications = notifications_over(db, clock, keys, stuck, quick, weights={"stuck": 1, "quick": 1})
    owed = [a_promise(to=ToPhone(f"+86138{n:08d}"), due_at=clock.now()) for n in range(600)]
    async with db.transaction() as conn:
        await notifications.outbox.owe_many(conn, owed, now=clock.now())
    async with carrying(notifications):
        await until(lambda: len(quick.carried) + len(stuck.carried) == 600)
        assert len(stuck.carried) <= 20
        stuck.let_go.set()
    assert await stages(db) == {"sms accepted": 600}


async def test_one_refusal_moves_one_message_and_fifty_move_the_traffic_until_it_drifts_back(db, clock, keys) -> None:
    is_broken = True
    first = Carrier("first", lambda one: Refused("provider", "500") if is_broken else Accepted((one.reference,)))
    second = Carrier("second")
    notifications = notifications_over(db, clock, keys, first, second)

    async def send(count: int, label: str) -> tuple[int, int]:
        before = len(first.carried), len(second.carried)
        await owe(notifications, *(a_promise(key=f"{label}-{n}", due_at=clock.now()) for n in range(count)))
        await notifications.settle()
        return len(first.carried) - before[0], len(second.carried) - before[1]

    assert await send(UNWELL_AT, "a") == (UNWELL_AT, UNWELL_AT), "each went on at once"
    assert await send(20, "b") == (0, 20)
    clock.advance(REST)
    is_broken = False
    [road] = [one for one in notifications.carriers.standings(clock.now()) if one.provider == "first"]
    assert road.share == 0.01
    while not all(one.share == 1 for one in notifications.carriers.standings(clock.now())):
        await send(50, f"c{len(second.carried)}")
    assert await send(10, "d") == (10, 0)
    assert (await stages(db)).keys() == {"sms accepted"}


async def test_a_code_whose_time_ran_out_while_it_waited_for_a_hand_is_not_handed_over(db, clock, keys) -> None:
    """The intent is committed, and then nothing happens for six minutes: a machine that was asleep."""
    carrier = Carrier()
    notifications = notifications_over(db, clock, keys, carrier)
    ends = Ends()
    notifications.endings.listeners.append(ends)
    [code] = await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    batch = await notifications.sending.claim(code.int & 63, Lane.OTP)
    clock.advance(GOOD_FOR[Lane.OTP])
    await notifications.sending.carry(batch)
    assert carrier.carried == []
    assert ends.said == [("sms", "expired", "too late")]
    assert await db.fetchval("SELECT outcome FROM notifications.attempt") == "rejected"


class Stopwatch(Carrier):
    """Notes when each code comes, and takes bulk at the pace of a good carrier."""

    def __init__(self) -> None:
        super().__init__("watch")
        self.came: dict[str, float] = {}
        self._line = asyncio.Lock()
        self.bulk = 0

    async def send(self, sms):
        self.came[sms.reference] = time.perf_counter()
        return Accepted((sms.reference,))

    async def send_many(self, parcels):
        async with self._line:
            await asyncio.sleep(len(parcels) / BULK_A_SECOND)
        self.bulk += len(parcels)
        return [Accepted((one.reference,)) for one in parcels]


async def test_a_code_leaves_at_once_while_bulk_messages_wait(db, keys, database_url) -> None:
    watch, clock = Stopwatch(), SystemClock()
    pool = await Database.open(database_url, connections_max=16)
    notifications = at_any_hour(pool, clock, keys, watch)
    notifications.wordings.texts = OneText()
    for start in range(0, BULK_WAITING, 2_000):
        async with db.transaction() as conn:
            owed = [
                a_promise(BULK_TEXT, to=ToPhone(f"+86138{n:08d}"), due_at=clock.now(), words=f"第{n}号")
                for n in range(start, start + 2_000)
            ]
            await notifications.outbox.owe_many(conn, owed, now=clock.now())
    waits = []
    async with carrying(notifications):
        await until(lambda: watch.bulk > 0)
        for _ in range(CODES):
            [code] = await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
            notifications.delivering.hint(f"otp {code.int & 63}")
            owed_at, reference = time.perf_counter(), str(code)
            await until(lambda reference=reference: reference in watch.came)
            waits.append(watch.came[reference] - owed_at)
            await asyncio.sleep(0.02)
        has_bulk_left = watch.bulk < BULK_WAITING
    await pool.close()
    waits.sort()
    assert has_bulk_left, "or nothing was shown"
    assert waits[-1] < CODE_SECONDS_MAX * ON_TWO_BUSY_CORES
    assert waits[CODES // 2] < CODE_SECONDS_MAX
