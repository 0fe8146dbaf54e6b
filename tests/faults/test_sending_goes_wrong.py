"""Providers that time out, refuse or are slow, workers killed between two steps: nothing is lost, nothing doubled."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import asyncpg
import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications import templates
from notifications.carrying import queries
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.model import BUSY_PAUSE_MAX, MAY_REPEAT, UNKNOWN_PAUSE, Lane
from notifications.outbox import bucket_in
from notifications.parts import Notifications
from tests.builders_notifications import (
    LEASES_ARE_OVER,
    Carrier,
    Killed,
    SlowCarrier,
    a_promise,
    cut_every_connection,
    notifications_over,
    outcomes,
    owe,
    stages,
)

Wired = Callable[..., Notifications]


@pytest.fixture
def wired(db: Database, clock: StoppedClock, keys: Keys) -> Wired:
    """Notifications over the providers a test brings."""
    return lambda *providers: notifications_over(db, clock, keys, *providers)


def in_turn(*answers: Accepted | Refused | BaseException | None) -> Callable[[Sms], Accepted | Refused | BaseException]:
    """Each answer once, then acceptance; None is acceptance too."""
    left = list(answers)

    def answer(sms: Sms) -> Accepted | Refused | BaseException:
        return (left.pop(0) if left else None) or Accepted((f"carrier-{sms.reference}",))

    return answer


async def days_pass(notifications: Notifications, clock: StoppedClock) -> None:
    """Everything that could happen within days happens."""
    for step in (timedelta(seconds=5), timedelta(minutes=2), timedelta(hours=1), timedelta(days=1), timedelta(days=4)):
        clock.advance(step)
        await notifications.settle()
        await notifications.settle()


@pytest.mark.parametrize("surprise", [TimeoutError(), ConnectionResetError(), ValueError("what?")])
async def test_on_an_ordinary_lane_an_unknown_outcome_is_never_sent_again(wired, db, clock, surprise) -> None:
    first, second = Carrier("a", answer=lambda _: surprise), Carrier("b")
    notifications = wired(first, second)
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    await days_pass(notifications, clock)
    assert (len(first.carried), len(second.carried)) == (1, 0)
    assert await stages(db) == {"sms unknown": 1}
    assert await outcomes(db) == [("a", "unknown")]


async def test_a_code_of_unknown_outcome_goes_out_once_through_another_provider(wired, db, clock) -> None:
    first, second = Carrier("a", answer=lambda _: TimeoutError()), Carrier("b")
    notifications = wired(first, second)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    await notifications.settle()
    assert (len(first.carried), len(second.carried)) == (1, 0)  # a receipt may still come
    clock.advance(UNKNOWN_PAUSE[Lane.OTP])
    await notifications.settle()
    await days_pass(notifications, clock)
    assert (len(first.carried), len(second.carried)) == (1, 1)
    assert await outcomes(db) == [("a", "unknown"), ("b", "accepted")]


async def test_a_code_nobody_is_sure_of_is_alerted_when_every_provider_was_tried(wired, db, clock) -> None:
    carriers = [Carrier(name, answer=lambda _: TimeoutError()) for name in "ab"]
    notifications = wired(*carriers)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    await notifications.settle()
    await days_pass(notifications, clock)
    assert [len(carrier.carried) for carrier in carriers] == [1, 1]
    assert await stages(db) == {"sms unknown": 1}


async def test_a_busy_provider_gets_it_later_and_once(wired, db, clock) -> None:
    busy = Refused("busy", "throttled")
    carrier = Carrier(answer=in_turn(busy, busy, busy))
    notifications = wired(carrier)
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    assert await stages(db) == {"sms waiting": 1}
    await days_pass(notifications, clock)
    assert [outcome for _, outcome in await outcomes(db)] == ["rejected", "rejected", "rejected", "accepted"]


async def test_what_one_provider_refuses_another_carries_at_once(wired, db, clock) -> None:
    first, second = Carrier("a", answer=lambda _: Refused("provider", "template not approved")), Carrier("b")
    notifications = wired(first, second)
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    assert (len(first.carried), len(second.carried)) == (1, 1)
    assert await stages(db) == {"sms accepted": 1}


async def test_a_number_that_does_not_exist_is_alerted_and_left(wired, db, clock) -> None:
    first, second = Carrier("a", answer=lambda _: Refused("recipient", "no such number 13800138000")), Carrier("b")
    notifications = wired(first, second)
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    await days_pass(notifications, clock)
    assert (len(first.carried), len(second.carried)) == (1, 0)
    assert await stages(db) == {"sms undeliverable": 1}
    assert await db.fetchval("SELECT reason FROM notifications.delivery") == "no such number [struck out]"


async def test_a_busy_provider_does_not_outlive_the_message(wired, db, clock) -> None:
    carrier = Carrier(answer=lambda _: Refused("busy", "throttled"))
    notifications = wired(carrier)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    for _ in range(12):
        await notifications.settle()
        clock.advance(timedelta(minutes=1))
    tried = len(carrier.carried)
    await days_pass(notifications, clock)
    assert len(carrier.carried) == tried
    assert await stages(db) == {"sms expired": 1}


async def test_hours_of_no_connection_cost_nothing_that_is_good_for_days(wired, db, clock) -> None:
    outage, back_since = timedelta(hours=8), clock.now() + timedelta(hours=8)
    not_there, taken = Refused("busy", "not connected"), Accepted(("r",))
    carrier = Carrier(answer=lambda _: not_there if clock.now() < back_since else taken)
    notifications = wired(carrier)
    await owe(notifications, a_promise(due_at=clock.now()))
    for _ in range(outage // BUSY_PAUSE_MAX + 2):
        await notifications.settle()
        clock.advance(BUSY_PAUSE_MAX)
    assert await stages(db) == {"sms accepted": 1}
    assert len(carrier.carried) < 60, "it is asked ever less often"


async def test_a_code_goes_back_to_who_was_too_busy_for_it_when_nobody_knows_what_became_of_it_elsewhere(
    wired, db, clock
) -> None:
    busy, silent = Carrier("a", answer=in_turn(Refused("busy", "throttled"))), Carrier("b", lambda _: TimeoutError())
    notifications = wired(busy, silent)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    await notifications.settle()
    assert await outcomes(db) == [("a", "rejected"), ("b", "unknown")]
    clock.advance(UNKNOWN_PAUSE[Lane.OTP])
    await notifications.settle()
    await days_pass(notifications, clock)
    assert await outcomes(db) == [("a", "rejected"), ("b", "unknown"), ("a", "accepted")]
    assert len(silent.carried) == 1


async def test_a_worker_killed_between_intent_and_record_leaves_the_truth_unknown(wired, db, clock) -> None:
    message_ids = await owe(wired(), *(a_promise(key=str(n), due_at=clock.now()) for n in range(20)))
    for bucket in {bucket_in(message_id) for message_id in message_ids}:
        with pytest.raises(Killed):
            await wired(Carrier(answer=lambda _: Killed())).sending.send_due(bucket, Lane.RESULT)
    assert await stages(db) == {"sms sending": 20}
    heir = Carrier("heir")
    notifications = wired(heir)
    await notifications.settle()
    assert await stages(db) == {"sms sending": 20}  # the lease is not over
    clock.advance(LEASES_ARE_OVER)
    await notifications.settle()
    await days_pass(notifications, clock)
    assert await stages(db) == {"sms unknown": 20}
    assert heir.carried == []


async def test_a_worker_killed_with_codes_in_hand_lets_another_provider_have_them(wired, db, clock) -> None:
    await owe(wired(), a_promise(templates.SIGN_IN_CODE, key="1", due_at=clock.now()))
    with pytest.raises(Killed):
        await wired(Carrier("a", answer=lambda _: Killed()), Carrier("b")).delivering.send_everything_due()
    second = Carrier("b")
    notifications = wired(Carrier("a"), second)
    clock.advance(timedelta(seconds=21))
    await notifications.settle()
    clock.advance(UNKNOWN_PAUSE[Lane.OTP])
    await notifications.settle()
    assert len(second.carried) == 1


async def test_a_worker_that_comes_back_late_tells_what_it_knows(wired, db, clock) -> None:
    slow = SlowCarrier()
    notifications = wired(slow)
    await owe(notifications, a_promise(due_at=clock.now()))
    late = asyncio.create_task(notifications.delivering.send_everything_due())
    while not slow.carried:
        await asyncio.sleep(0.01)
    clock.advance(LEASES_ARE_OVER)
    await wired(Carrier("heir")).settle()
    assert await stages(db) == {"sms unknown": 1}
    slow.let_go.set()
    await late
    assert await stages(db) == {"sms accepted": 1}
    assert await outcomes(db) == [("slow", "accepted")]


async def test_a_late_answer_to_a_code_that_went_elsewhere_changes_the_ledger_only(wired, db, clock) -> None:
    slow, second = SlowCarrier("a"), Carrier("b")
    notifications = wired(slow, second)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    late = asyncio.create_task(notifications.delivering.send_everything_due())
    while not slow.carried:
        await asyncio.sleep(0.01)
    heir = wired(Carrier("a"), second)
    for _ in range(2):
        clock.advance(timedelta(seconds=25))
        await heir.settle()
    assert await outcomes(db) == [("a", "unknown"), ("b", "accepted")]
    slow.let_go.set()
    await late
    assert await outcomes(db) == [("a", "accepted"), ("b", "accepted")]
    assert await stages(db) == {"sms accepted": 1}


async def test_the_database_itself_refuses_a_second_text_on_an_ordinary_lane(wired, db, clock) -> None:
    [message_id] = await owe(wired(Carrier()), a_promise(due_at=clock.now()))
    await wired(Carrier()).settle()
    assert Lane.RESULT not in MAY_REPEAT
    again = queries.Intent(bucket_in(message_id), message_id, "sms", 2, "b", False, clock.now())

    async def intend() -> None:
        async with db.transaction() as conn:
            await queries.insert_intents(conn, [again])

    with pytest.raises(asyncpg.UniqueViolationError):
        await intend()


async def test_the_database_going_away_while_texts_are_out_makes_nothing_unknown(
    wired, db, clock, database_url
) -> None:
    class Cutting(Carrier):
        """Cuts every connection of the city while it carries."""

        async def send(self, sms: Sms) -> Accepted | Refused:
            await cut_every_connection(database_url)
            return await super().send(sms)

    carrier = Cutting()
    notifications = wired(carrier)
    for n in range(5):
        await owe(notifications, a_promise(key=str(n), due_at=clock.now()))
    await notifications.delivering.send_everything_due()
    assert len(carrier.carried) == 5
    assert await stages(db) == {"sms accepted": 5}


async def test_what_a_provider_says_cannot_spoil_the_record_of_others(wired, db, clock) -> None:
    odd = iter(["\x00" * 300, "x" * 5000, "", "13800138000", "same", "same"])
    carrier = Carrier(answer=lambda _: Accepted((next(odd),)))
    notifications = wired(carrier)
    await owe(notifications, *(a_promise(key=str(n), due_at=clock.now()) for n in range(6)))
    await notifications.settle()
    assert await stages(db) == {"sms accepted": 6}
