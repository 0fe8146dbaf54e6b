"""What a department's server did not take is dead after a day, can be told again, and is forgotten in the end."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from notifications.callbacks.errors import CallbackIdTaken, TooManyCallbacks
from notifications.callbacks.model import (
    DISABLED_AFTER,
    ENDPOINTS_KEPT_MAX,
    GIVEN_UP_AFTER,
    REMOVED_KEPT_FOR,
    TOLD_KEPT_FOR,
    DisabledFor,
    EndpointId,
    EventStage,
    EventType,
)
from tests.builders_callbacks import SERVICE, a_callback, events, something_ended

SECOND = timedelta(seconds=1)


async def dead_events(callbacks, db, clock, keys, server, count=3):
    """Events that nobody took for a day."""
    server.status = 500
    await something_ended(callbacks, db, clock, keys, count)
    await callbacks.telling.tell_everything()
    clock.advance(GIVEN_UP_AFTER)
    await callbacks.keeping.give_up_overdue()
    assert await events(db) == {"dead": count}
    server.status = 200
    server.told.clear()


async def test_what_nobody_took_for_a_day_is_dead_and_can_be_replayed_one_by_one(db, clock, keys, callbacks, theirs):
    server, url = theirs
    made = await a_callback(callbacks, url, SERVICE)
    await dead_events(callbacks, db, clock, keys, server)
    await callbacks.telling.tell_everything()
    assert server.told == []
    before = (datetime(9999, 1, 1, tzinfo=UTC), uuid4(), uuid4())
    found = await callbacks.keeping.events([made.endpoint.endpoint_id], EventStage.DEAD, before=before, limit=10)
    assert [one.reason for one in found] == ["status 500"] * 3
    await callbacks.keeping.replay(SERVICE, made.endpoint.endpoint_id, found[0].event_id)
    clock.advance(timedelta(minutes=10))
    await callbacks.telling.tell_everything()
    assert server.ids == [f"evt_{found[0].event_id.hex}"]
    assert await events(db) == {"dead": 2, "told": 1}


async def test_all_that_is_dead_since_a_moment_is_replayed_at_once(db, clock, keys, callbacks, theirs):
    server, url = theirs
    made = await a_callback(callbacks, url, SERVICE)
    began = clock.now()
    await dead_events(callbacks, db, clock, keys, server, 40)
    endpoint_id = made.endpoint.endpoint_id
    assert await callbacks.keeping.replay_since(SERVICE, endpoint_id, began + SECOND) == (0, False)
    assert await callbacks.keeping.replay_since(SERVICE, endpoint_id, began) == (40, False)
    clock.advance(timedelta(minutes=10))
    await callbacks.telling.tell_everything()
    await callbacks.telling.tell_everything()
    assert len(server.told) == len(set(server.ids)) == 40
    assert await events(db) == {"told": 40}


async def test_an_endpoint_that_took_nothing_for_days_is_disabled_until_it_is_enabled(
    db, clock, keys, callbacks, theirs
):
    server, url = theirs
    made = await a_callback(callbacks, url, SERVICE)
    server.status = 500
    while True:
        await something_ended(callbacks, db, clock, keys, 10)
        for _ in range(4):
            await callbacks.telling.tell_everything()
            clock.advance(timedelta(hours=6))
        await callbacks.keeping.give_up_overdue()
        await callbacks.endpoints.snapshot.refresh()
        [endpoint] = callbacks.keeping.of(SERVICE)
        if endpoint.disabled_at is not None:
            break
        assert clock.now() - endpoint.made_at < DISABLED_AFTER + timedelta(days=3)
    assert endpoint.disabled_for is DisabledFor.FAILING
    assert endpoint.disabled_at - endpoint.failing_since >= DISABLED_AFTER
    acts = await db.fetch("SELECT act FROM kernel.audit WHERE act = 'callbacks.disable'")
    assert len(acts) == 1
    kept = sum((await events(db)).values())
    await something_ended(callbacks, db, clock, keys)
    assert sum((await events(db)).values()) == kept, "nothing is noted for it"
    await callbacks.setting.enable(SERVICE, made.endpoint.endpoint_id)
    await callbacks.endpoints.snapshot.refresh()
    server.status = 200
    clock.advance(timedelta(minutes=10))
    server.told.clear()
    await something_ended(callbacks, db, clock, keys)
    await callbacks.telling.tell_everything()
    assert len(server.told) == 1


async def test_an_endpoint_that_says_it_is_gone_is_called_no_more(db, clock, keys, callbacks, theirs):
    server, url = theirs
    server.status = 410
    await a_callback(callbacks, url, SERVICE)
    await something_ended(callbacks, db, clock, keys)
    await callbacks.telling.tell_everything()
    await callbacks.endpoints.snapshot.refresh()
    [endpoint] = callbacks.keeping.of(SERVICE)
    assert endpoint.disabled_for is DisabledFor.GONE


async def test_old_events_are_forgotten_and_those_of_a_removed_callback(db, clock, keys, callbacks, theirs):
    server, url = theirs
    made = await a_callback(callbacks, url, SERVICE)
    await dead_events(callbacks, db, clock, keys, server, 2)
    clock.advance(timedelta(minutes=10))
    await something_ended(callbacks, db, clock, keys)
    await callbacks.telling.tell_everything()
    assert await events(db) == {"dead": 2, "told": 1}
    clock.advance(timedelta(days=4))
    await callbacks.keeping.forget_ended()
    assert await events(db) == {"dead": 2}
    await callbacks.setting.remove(SERVICE, made.endpoint.endpoint_id)
    await callbacks.keeping.forget_ended()
    assert await events(db) == {}


async def test_what_is_told_at_last_is_listed_as_long_as_what_was_told_at_once(db, clock, keys, callbacks, theirs):
    server, url = theirs
    made = await a_callback(callbacks, url, SERVICE)
    began = clock.now()
    await dead_events(callbacks, db, clock, keys, server, 1)
    clock.advance(TOLD_KEPT_FOR)
    await callbacks.keeping.replay_since(SERVICE, made.endpoint.endpoint_id, began)
    await callbacks.telling.tell_everything()
    clock.advance(TOLD_KEPT_FOR)
    await callbacks.keeping.forget_ended()
    assert await events(db) == {"told": 1}
    clock.advance(SECOND)
    await callbacks.keeping.forget_ended()
    assert await events(db) == {}


async def endpoints(db):
    """How many are kept."""
    return await db.fetchval("SELECT count(*) FROM notifications.callback_endpoint")


async def test_a_removed_callback_is_forgotten_a_day_later_and_its_id_is_nobodys_until_then(
    db, clock, keys, callbacks, theirs
):
    server, url = theirs
    made = await a_callback(callbacks, url, SERVICE)
    endpoint_id = made.endpoint.endpoint_id
    await dead_events(callbacks, db, clock, keys, server, 4)
    kept = await a_callback(callbacks, url, SERVICE)
    await callbacks.setting.remove(SERVICE, endpoint_id)
    clock.advance(REMOVED_KEPT_FOR)
    await callbacks.keeping.forget_ended()
    assert (await endpoints(db), await events(db)) == (2, {})
    with pytest.raises(CallbackIdTaken):
        await callbacks.setting.put(SERVICE, endpoint_id, url, [EventType.FAILED])
    clock.advance(SECOND)
    await callbacks.keeping.forget_ended()
    await callbacks.keeping.give_up_overdue()
    assert await endpoints(db) == 1
    again = await callbacks.setting.put(SERVICE, endpoint_id, url, [EventType.FAILED])
    assert again.secret not in (None, made.secret, kept.secret)


async def test_whoever_sets_and_removes_without_end_leaves_no_more_than_so_many(db, clock, callbacks, theirs):
    _, url = theirs
    for _ in range(ENDPOINTS_KEPT_MAX):
        made = await callbacks.setting.put(SERVICE, EndpointId(uuid4()), url, [EventType.FAILED])
        await callbacks.setting.remove(SERVICE, made.endpoint.endpoint_id)
    with pytest.raises(TooManyCallbacks, match="within a day"):
        await a_callback(callbacks, url, SERVICE)
    assert await endpoints(db) == ENDPOINTS_KEPT_MAX
    clock.advance(REMOVED_KEPT_FOR + SECOND)
    await callbacks.keeping.forget_ended()
    assert await endpoints(db) == 0
    await a_callback(callbacks, url, SERVICE)
