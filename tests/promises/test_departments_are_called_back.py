"""A department's server hears what became of its messages, signed, until it has taken it; its faults stay its own."""

import asyncio
import json
import time
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.ids import DepartmentId
from notifications.batches.model import Act
from notifications.batches.telling import TellingFinished
from notifications.callbacks import queries
from notifications.callbacks.addresses import Reach
from notifications.callbacks.calling import HttpCalls
from notifications.callbacks.model import RETRY_AFTER, EventType
from notifications.callbacks.telling import CALLS_AT_ONCE_MAX, LEASE
from notifications.model import DeliveryStage
from notifications.outbox import ToNobody
from tests.builders_batches import DEPARTMENT, a_department, a_row
from tests.builders_callbacks import (
    SERVICE,
    a_callback,
    callbacks_over,
    end,
    ends_of,
    events,
    messages_of,
    own_server,
    something_ended,
)

SECOND = timedelta(seconds=1)


# ---- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        (DeliveryStage.DELIVERED, EventType.DELIVERED),
        (DeliveryStage.UNDELIVERABLE, EventType.FAILED),
        (DeliveryStage.EXPIRED, EventType.FAILED),
        (DeliveryStage.UNKNOWN, EventType.UNKNOWN),
    ],
)
async def test_every_end_has_its_event(db, clock, keys, callbacks, theirs, stage, kind):
    server, url = theirs
    await a_callback(callbacks, url, SERVICE)
    await end(callbacks, SERVICE, await messages_of(db, clock, keys, SERVICE), stage)
    await callbacks.telling.tell_everything()
    [said] = [json.loads(body) for _, body in server.told]
    assert (said["type"], said["data"]["state"]) == (kind, stage)


async def test_only_what_was_asked_for_is_told_and_only_to_whom_it_belongs(db, clock, keys, callbacks, theirs):
    server, url = theirs
    await a_callback(callbacks, url, SERVICE, [EventType.FAILED])
    await something_ended(callbacks, db, clock, keys)
    await something_ended(callbacks, db, clock, keys, service_id=DepartmentId(uuid4()))
    await callbacks.telling.tell_everything()
    assert server.told == []
    assert await events(db) == {}


async def test_of_a_person_named_by_an_id_number_a_department_hears_nothing(db, clock, keys, callbacks, theirs):
    server, url = theirs
    await a_callback(callbacks, url, SERVICE)
    await end(callbacks, SERVICE, await messages_of(db, clock, keys, SERVICE, to=ToNobody()))
    await callbacks.telling.tell_everything()
    assert server.told == []


async def test_one_end_is_one_event_however_often_it_is_told_here(db, clock, keys, callbacks, theirs):
    server, url = theirs
    await a_callback(callbacks, url, SERVICE)
    message_ids = await something_ended(callbacks, db, clock, keys)
    await end(callbacks, SERVICE, message_ids)
    await callbacks.telling.tell_everything()
    assert len(server.told) == 1
    await end(callbacks, SERVICE, message_ids, DeliveryStage.UNKNOWN)
    await callbacks.telling.tell_everything()
    assert len(set(server.ids)) == len(server.told) == 2


async def test_what_is_rolled_back_is_not_told(db, clock, keys, callbacks, theirs):
    server, url = theirs
    await a_callback(callbacks, url, SERVICE)
    rows = ends_of(SERVICE, await messages_of(db, clock, keys, SERVICE))

    async def fails() -> None:
        async with db.transaction() as conn:
            await callbacks.noting.ended(conn, rows, clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    await callbacks.telling.tell_everything()
    assert server.told == []


async def test_a_department_hears_once_how_each_of_its_batches_ended(db, clock, keys, callbacks, theirs):
    server, url = theirs
    await a_callback(callbacks, url, DEPARTMENT)
    department = await a_department(db, clock, keys)
    department.batches.when_finished(TellingFinished(callbacks.noting))
    finished, cancelled = [await department.opened(kind="test") for _ in range(2)]
    for batch_id in (finished, cancelled):
        await department.send(batch_id, [a_row(1), b"nonsense", a_row(3)])
    await department.act(finished, Act.START)
    await department.act(cancelled, Act.CANCEL)
    for _ in range(3):
        await department.feed()
        await department.act(cancelled, Act.CANCEL)
        await department.batches.steering.settle_due()
    await callbacks.telling.tell_everything()
    heard = [json.loads(body) for _, body in server.told]
    assert {one["type"] for one in heard} == {"batch.finished"}
    told = {one["data"]["batch_id"]: one["data"] for one in heard}
    assert len(heard) == len(told) == 2
    assert told[str(finished)] == {
        "batch_id": str(finished), "name": "一批", "state": "finished", "taken": 2, "refused": 1, "fed": 2,
        "withdrawn": 0,
    }  # fmt: skip
    assert (told[str(cancelled)]["state"], told[str(cancelled)]["fed"]) == ("cancelled", 0)


# ---- again and again -------------------------------------------------------------------------------------------------


async def test_what_fails_is_tried_again_by_the_named_pauses_under_the_same_id(db, clock, keys, callbacks, theirs):
    server, url = theirs
    server.status = 500
    await a_callback(callbacks, url, SERVICE)
    await something_ended(callbacks, db, clock, keys)
    await callbacks.telling.tell_everything()
    for tries, pause in enumerate(RETRY_AFTER, start=1):
        assert len(server.told) == tries
        clock.advance(pause - SECOND)
        await callbacks.telling.tell_everything()
        assert len(server.told) == tries, "not before its hour"
        clock.advance(SECOND)
        await callbacks.telling.tell_everything()
    assert len(server.told) == len(RETRY_AFTER) + 1
    assert len(set(server.ids)) == 1
    assert len({body for _, body in server.told}) == 1
    assert await events(db) == {"dead": 1}


async def test_a_server_that_comes_back_takes_what_waited(db, clock, keys, callbacks, theirs):
    server, url = theirs
    server.status = 503
    await a_callback(callbacks, url, SERVICE)
    await something_ended(callbacks, db, clock, keys, 30)
    await callbacks.telling.tell_everything()
    failed = len(server.told)
    server.status = 204
    clock.advance(timedelta(minutes=5))
    await callbacks.telling.tell_everything()
    clock.advance(timedelta(minutes=5))
    await callbacks.telling.tell_everything()
    assert await events(db) == {"told": 30}
    assert failed <= CALLS_AT_ONCE_MAX, "one that fails is left alone before it was asked thirty times"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 500])
async def test_only_a_status_of_two_hundred_takes_an_event(db, clock, keys, callbacks, theirs, status):
    server, url = theirs
    server.status = status
    server.headers = {"Location": url}
    await a_callback(callbacks, url, SERVICE)
    await something_ended(callbacks, db, clock, keys)
    await callbacks.telling.tell_everything()
    assert len(server.told) == 1, "no redirect is followed"
    assert await events(db) == {"waiting": 1}


async def test_an_endpoint_may_ask_for_a_longer_pause(db, clock, keys, callbacks, theirs):
    server, url = theirs
    server.status, server.headers = 429, {"Retry-After": "120"}
    await a_callback(callbacks, url, SERVICE)
    await something_ended(callbacks, db, clock, keys)
    await callbacks.telling.tell_everything()
    server.status = 200
    clock.advance(timedelta(seconds=119))
    await callbacks.telling.tell_everything()
    assert len(server.told) == 1
    clock.advance(SECOND)
    await callbacks.telling.tell_everything()
    assert await events(db) == {"told": 1}


async def test_killed_between_the_call_and_its_record_the_same_id_comes_again(db, clock, keys, callbacks, theirs):
    server, url = theirs
    made = await a_callback(callbacks, url, SERVICE)
    await something_ended(callbacks, db, clock, keys)
    now = clock.now()
    async with db.transaction() as conn:  # the worker that claims and calls, and is gone before it records
        [claimed] = await queries.claim_events(
            conn, made.endpoint.endpoint_id, now=now, lease_until=now + LEASE, limit=1
        )
    await callbacks.telling._tell(made.endpoint, claimed)
    await callbacks.telling.tell_everything()
    assert len(server.told) == 1, "the lease holds"
    clock.advance(LEASE)
    await callbacks.telling.tell_everything()
    assert len(server.told) == 2
    assert len(set(server.ids)) == 1
    assert await events(db) == {"told": 1}


async def test_two_workers_tell_each_event_once(db, clock, keys, callbacks, theirs):
    server, url = theirs
    await a_callback(callbacks, url, SERVICE)
    await something_ended(callbacks, db, clock, keys, 60)
    async with callbacks_over(db, clock, keys) as other:
        await asyncio.gather(callbacks.telling.tell_everything(), other.telling.tell_everything())
    assert len(server.told) == len(set(server.ids)) == 60


# ---- apart -----------------------------------------------------------------------------------------------------------


async def test_a_slow_endpoint_keeps_no_other_waiting_and_is_not_flooded(db, clock, keys, callbacks, theirs):
    fast, fast_url = theirs
    other = DepartmentId(uuid4())
    async with own_server() as (slow, slow_url):
        slow.pause_seconds = 0.5
        await a_callback(callbacks, slow_url, SERVICE)
        await a_callback(callbacks, fast_url, other)
        await something_ended(callbacks, db, clock, keys, 40)
        await something_ended(callbacks, db, clock, keys, 40, service_id=other)
        began = time.monotonic()
        assert await callbacks.telling.look() == 2
        while len(fast.told) < 40:
            assert time.monotonic() - began < 1.2, "the fast one waits for the slow one"
            await asyncio.sleep(0.01)
        await callbacks.telling.tell_everything()
        assert len(slow.told) == 40
        assert slow.at_once_max <= CALLS_AT_ONCE_MAX


async def test_a_call_that_takes_too_long_is_given_up_and_tried_again(db, clock, keys, callbacks, theirs):
    server, url = theirs
    server.pause_seconds = 30
    calls = HttpCalls(Reach(has_loopback=True), seconds_max=0.2)
    answer = await calls.call(SERVICE, url, {}, b"{}")
    await calls.close()
    assert (answer.is_taken, answer.reason) == (False, "no answer in time")
