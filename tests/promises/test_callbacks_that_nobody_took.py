"""What a department's server did not take is dead after a day, can be told again, and is forgotten in the end."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from notifications.callbacks.model import DISABLED_AFTER, GIVEN_UP_AFTER, DisabledFor, EventStage
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
