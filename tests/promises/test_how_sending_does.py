"""An operator sees how sending does: what is due, how late it is, and how each carrier does as a worker sees it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from gateway import worker
from kernel.db import Connection, Database
from kernel.ids import DepartmentId
from kernel.principal import Audience
from kernel.redis import Redis
from kernel.settings import Secret
from notifications import templates
from notifications.channels.provider import Refused
from notifications.channels.smpp.driver import SmppProvider
from notifications.channels.smpp.settings import SmppSettings
from notifications.model import Lane
from notifications.outbox import ToPhone
from notifications.routing.health import REST, STEPS, UNWELL_AT
from notifications.standing import queries
from notifications.standing.model import COUNTED_MAX, OF_BUCKET_MAX, PATIENCE
from notifications.standing.telling import KEPT_SECONDS, NETWORKS_MAX, WORKERS_KEY
from tests.builders_notifications import PHONE, Carrier, SlowCarrier, a_promise, owe
from tests.builders_standing import over, results, told_by
from tests.whole_city import TestCity, code_of

LONG_LINE = 100_000
OWE_MANY = """
    INSERT INTO notifications.message (bucket, message_id, caller, key, template, version, lane, sealed_values,
                                       owed_at, due_at, expires_at, stage)
    SELECT n & 63, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'tests', n::text, 'result', 1, $1,
           '', $2::timestamptz, $2::timestamptz, $2::timestamptz + interval '1 day', $5
      FROM generate_series($3::integer, $4::integer) AS n
    """
DELIVER_MANY = """
    INSERT INTO notifications.delivery (bucket, message_id, channel, lane, stage, fence, next_at, expires_at)
    SELECT n & 63, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'sms', $1, $5, 1, $2,
           $2::timestamptz + interval '1 day'
      FROM generate_series($3::integer, $4::integer) AS n
    """


async def line_up(conn: Connection, lane: Lane, at: datetime, first: int, count: int) -> None:
    """So many messages of a lane, numbered from `first`, that were due at a moment and that nobody has begun."""
    await conn.execute(OWE_MANY, lane.value, at, first, first + count - 1, "owed")


async def begin(conn: Connection, lane: Lane, at: datetime, first: int, count: int, stage: str) -> None:
    """So many more of which a delivery is at this stage."""
    await conn.execute(OWE_MANY, lane.value, at, first, first + count - 1, "routed")
    await conn.execute(DELIVER_MANY, lane.value, at, first, first + count - 1, stage)


async def asked(city: TestCity) -> dict[str, Any]:
    answer = await city.as_operator().get("/sending")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def lane(city: TestCity, name: str) -> dict[str, Any]:
    return next(one for one in (await asked(city))["lanes"] if one["lane"] == name)


def counted(count: int, *, is_more: bool = False) -> dict[str, Any]:
    return {"count": count, "is_more": is_more}


# ---- lanes -----------------------------------------------------------------------------------------------------------


async def test_a_city_at_rest_has_nothing_due_in_any_lane(city: TestCity) -> None:
    found = await asked(city)
    assert [one["lane"] for one in found["lanes"]] == ["otp", "change", "result", "reminder", "bulk"]
    nothing = {"due": counted(0), "waiting": counted(0), "awaiting_receipt": counted(0)}
    for one in found["lanes"]:
        assert one == {"lane": one["lane"], **nothing, "oldest_seconds": None, "is_late": False}
    assert found["awaiting_receipt"] == counted(0)
    assert datetime.fromisoformat(found["at"]) == city.clock.now()


async def test_what_is_due_is_counted_by_lane_with_the_age_of_the_oldest(city: TestCity) -> None:
    now = city.clock.now()
    codes = [a_promise(templates.SIGN_IN_CODE, due_at=now - timedelta(seconds=age)) for age in (3, 8, 0)]
    later = a_promise(due_at=now + timedelta(hours=1))
    await owe(city.parts.notifications, *codes, *results(city, 2), later)
    found = await lane(city, "otp")
    assert (found["due"], found["oldest_seconds"], found["is_late"]) == (counted(3), 8, False)
    found = await lane(city, "result")
    assert (found["due"], found["oldest_seconds"]) == (counted(2), 0)
    city.clock.advance(timedelta(seconds=3))
    assert (await lane(city, "otp"))["is_late"]
    assert not (await lane(city, "result"))["is_late"]
    city.clock.advance(PATIENCE[Lane.RESULT])
    assert (await lane(city, "result"))["is_late"]


async def test_tries_that_wait_and_receipts_that_are_awaited_are_counted_by_lane(city: TestCity) -> None:
    busy = over(city, Carrier("busy", lambda _: Refused("busy", "later")))
    await owe(busy, *results(city, 4))
    await busy.delivering.send_everything_due()
    found = await lane(city, "result")
    assert (found["due"], found["waiting"], found["oldest_seconds"]) == (counted(0), counted(4), None)
    city.clock.advance(timedelta(seconds=31))
    assert (await lane(city, "result"))["oldest_seconds"] == 30, "a try whose hour has come is late as well"
    well = over(city, Carrier("well"))
    await well.delivering.send_everything_due()
    await owe(well, a_promise(templates.SIGN_IN_CODE, due_at=city.clock.now()))
    await well.delivering.send_everything_due()
    found = await lane(city, "result")
    assert (found["waiting"], found["awaiting_receipt"], found["oldest_seconds"]) == (counted(0), counted(4), None)
    assert (await lane(city, "otp"))["awaiting_receipt"] == counted(1)
    assert (await asked(city))["awaiting_receipt"] == counted(5)


async def test_a_long_line_is_counted_to_ten_thousand_and_no_further(city: TestCity) -> None:
    now, long_ago = city.clock.now(), city.clock.now() - timedelta(minutes=9)
    async with city.parts.db.connection() as conn:
        await line_up(conn, Lane.CHANGE, now, 1, COUNTED_MAX)
        await line_up(conn, Lane.BULK, now, 20_001, COUNTED_MAX + 1)
        await line_up(conn, Lane.BULK, long_ago, 40_001, 1)
        await begin(conn, Lane.BULK, now, 60_001, COUNTED_MAX + 1, "waiting")
        await begin(conn, Lane.BULK, now, 80_001, COUNTED_MAX + 1, "accepted")
        await begin(conn, Lane.OTP, now, 100_001, 3, "accepted")
    found = await asked(city)
    lanes = {one["lane"]: one for one in found["lanes"]}
    assert lanes["change"]["due"] == counted(COUNTED_MAX), "so many are counted to the last"
    assert lanes["bulk"]["due"] == lanes["bulk"]["waiting"] == counted(COUNTED_MAX, is_more=True)
    assert lanes["bulk"]["oldest_seconds"] == 9 * 60, "the oldest is found all the same"
    assert found["awaiting_receipt"] == counted(COUNTED_MAX, is_more=True)
    assert {one["awaiting_receipt"] for one in found["lanes"]} == {None}, "not told apart, and nothing made up"


async def test_a_long_line_costs_no_more_to_look_at(db: Database, clock) -> None:
    """With statistics that know of no line and with new ones, planned for these values and for any."""
    now = clock.now()
    async with db.connection() as conn:
        await line_up(conn, Lane.BULK, now, 1, LONG_LINE)
        await begin(conn, Lane.RESULT, now, 1 + LONG_LINE, LONG_LINE, "accepted")
        await begin(conn, Lane.BULK, now, 1 + 2 * LONG_LINE, LONG_LINE, "waiting")
        read, indexes = [], set()
        for table in ("kernel.person", "notifications.message, notifications.delivery"):
            for mode in ("force_custom_plan", "force_generic_plan"):
                await conn.execute(f"ANALYZE {table}; SET plan_cache_mode = {mode}")
                for plan in (
                    await planned(conn, queries.COUNT_LANES, f"7, '{now}', {OF_BUCKET_MAX + 1}"),
                    await planned(conn, queries.COUNT_AWAITING, f"7, {OF_BUCKET_MAX + 1}"),
                ):
                    scans = [node for node in nodes(plan) if "Scan" in node["Node Type"] and "Relation Name" in node]
                    assert scans
                    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
                    indexes |= {node["Index Name"] for node in scans}
                    read += [
                        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                        for node in scans
                    ]
        await conn.execute("RESET plan_cache_mode")
    assert indexes == {"message_due", "delivery_waiting", "delivery_open"}
    assert max(read) <= OF_BUCKET_MAX + 1 + len(Lane), "of rows whose number is told as an average, rounded"


async def planned(conn: Connection, statement: str, values: str) -> dict[str, Any]:
    """How PostgreSQL answers a statement with these values, and at what cost."""
    name = f"looked_at_{uuid4().hex}"
    await conn.execute(f"PREPARE {name} AS {statement}")
    told = await conn.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {name} ({values})")
    await conn.execute(f"DEALLOCATE {name}")
    plan: dict[str, Any] = json.loads(told)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


# ---- providers -------------------------------------------------------------------------------------------------------


async def test_every_carrier_is_named_before_anything_was_sent(city: TestCity) -> None:
    connected = SmppSettings(name="smsc", host="127.0.0.1", system_id="us", password=Secret("none"))
    notifications = over(
        city, Carrier("sms"), Carrier("mail", channel="email"), SmppProvider(connected, city.clock),
    )  # fmt: skip
    await told_by(city, notifications).tell()
    found = await asked(city)
    assert found["are_providers_known"]
    assert [(one["name"], one["channel"], one["is_connected"], one["networks"]) for one in found["providers"]] == [
        ("sms", "sms", None, []),
        ("mail", "email", None, []),
        ("smsc", "sms", False, []),
    ]
    assert all(one["hands_in_use"] == 0 < one["hands_max"] for one in found["providers"])
    assert {(one["worker"], datetime.fromisoformat(one["told_at"])) for one in found["providers"]} == {
        ("here:1", city.clock.now())
    }
    assert not any(one["is_stand_in"] for one in found["providers"])


async def test_a_carrier_that_fails_shows_and_so_does_its_way_back(city: TestCity) -> None:
    bad, good = Carrier("bad", lambda _: Refused("provider", "no credit")), Carrier("good")
    notifications = over(city, bad, good)
    telling = told_by(city, notifications)

    async def networks() -> dict[str, list[dict[str, Any]]]:
        await telling.tell()
        return {one["name"]: one["networks"] for one in (await asked(city))["providers"]}

    await owe(notifications, *results(city, 7))
    await notifications.delivering.send_everything_due()
    assert (await networks())["bad"] == [{"group": "mobile", "share": 1.0, "failures": 7}]
    await owe(notifications, *results(city, UNWELL_AT))
    await notifications.delivering.send_everything_due()
    found = await networks()
    assert [(one["group"], one["share"]) for one in found["bad"]] == [("mobile", 0.0)]
    assert found["good"] == [{"group": "mobile", "share": 1.0, "failures": 0}]
    city.clock.advance(REST)
    assert [one["share"] for one in (await networks())["bad"]] == [STEPS[0].share]


async def test_hands_in_use_are_those_of_the_moment(city: TestCity) -> None:
    slow = SlowCarrier()
    notifications = over(city, slow)
    telling = told_by(city, notifications)
    await owe(notifications, *results(city, 6))
    sending = asyncio.create_task(notifications.delivering.send_everything_due())
    async with asyncio.timeout(10):
        while not slow.carried:
            await asyncio.sleep(0.01)
    await telling.tell()
    [found] = (await asked(city))["providers"]
    in_hand = len(slow.carried)
    assert found["hands_in_use"] == in_hand > 0
    slow.let_go.set()
    await sending
    await telling.tell()
    [found] = (await asked(city))["providers"]
    assert found["hands_in_use"] == 0


async def test_each_worker_is_heard_and_one_that_is_gone_is_not(city: TestCity, redis: Redis) -> None:
    notifications = over(city, Carrier("sms"))
    for name in ("here:2", "here:1"):
        await told_by(city, notifications, name).tell()
    assert [one["worker"] for one in (await asked(city))["providers"]] == ["here:1", "here:2"]
    for key in (WORKERS_KEY, b"{sending}:said_by:here:1"):
        assert 0 < await redis.ask(b"TTL", key) <= KEPT_SECONDS
    await redis.ask(b"PEXPIRE", b"{sending}:said_by:here:1", b"1")
    await asyncio.sleep(0.01)
    assert [one["worker"] for one in (await asked(city))["providers"]] == ["here:2"]
    await redis.ask(b"FLUSHALL")
    found = await asked(city)
    assert (found["are_providers_known"], found["providers"]) == (True, [])


async def test_workers_that_stopped_long_ago_are_not_kept_by_those_that_go_on(city: TestCity, redis: Redis) -> None:
    for nth in range(5):
        await redis.ask(b"ZADD", WORKERS_KEY, b"1", b"gone:%d" % nth)
    await told_by(city, over(city, Carrier("sms"))).tell()
    assert await redis.ask(b"ZRANGE", WORKERS_KEY, b"0", b"-1") == [b"here:1"]


async def test_of_many_networks_those_are_told_where_a_carrier_does_worst(city: TestCity) -> None:
    notifications = over(city, Carrier("sms"))
    for nth in range(NETWORKS_MAX * 2):
        notifications.carriers.note("sms", f"+{nth}", is_failure=nth >= NETWORKS_MAX, now=city.clock.now())
    await told_by(city, notifications).tell()
    [found] = (await asked(city))["providers"]
    assert [one["failures"] for one in found["networks"]] == [1] * NETWORKS_MAX


async def test_what_somebody_else_wrote_into_redis_is_not_believed_and_harms_nobody(
    city: TestCity, redis: Redis
) -> None:
    await told_by(city, over(city, Carrier("sms"))).tell()
    for nth, nonsense in enumerate((b"\xff\xfe", b"{", b'"\xff"', b"[]", b'{"worker": 1}')):
        await redis.ask(b"ZADD", WORKERS_KEY, b"9999999999", b"other:%d" % nth)
        await redis.set(b"{sending}:said_by:other:%d" % nth, nonsense, lifetime_seconds=60)
    assert [one["worker"] for one in (await asked(city))["providers"]] == ["here:1"]
    await redis.ask(b"DEL", WORKERS_KEY)
    await redis.set(WORKERS_KEY, b"of another type", lifetime_seconds=60)
    assert (await asked(city))["are_providers_known"] is False


async def test_the_worker_of_a_demo_says_that_its_carriers_only_show(city: TestCity) -> None:
    [beat] = [beat for beat in worker.beats(city.parts) if beat.name == "tell how sending does"]
    assert beat.every is not None
    assert beat.every.total_seconds() < KEPT_SECONDS
    await beat.play()
    found = (await asked(city))["providers"]
    assert {"demo", "demo-mail"} <= {one["name"] for one in found}
    assert all(one["is_stand_in"] for one in found)


async def test_nothing_about_people_is_told(city: TestCity, redis: Redis) -> None:
    notifications = over(city, Carrier("sms", lambda sms: Refused("recipient", f"{sms.phone} is off")))
    await owe(notifications, a_promise(to=ToPhone(PHONE), due_at=city.clock.now()))
    await notifications.delivering.send_everything_due()
    await told_by(city, notifications).tell()
    kept = await redis.get(b"{sending}:said_by:here:1")
    assert kept is not None
    for said in (kept.decode(), json.dumps(await asked(city))):
        assert PHONE[3:] not in said
        assert "is off" not in said


@pytest.fixture
async def without_redis(city: TestCity, tmp_path: Path) -> AsyncIterator[TestCity]:
    """The same city in a process whose Redis is away."""
    away = msgspec.structs.replace(city.settings, redis_url=Secret(f"unix://{tmp_path}/nobody.sock"))
    opened = await TestCity.open(away, city.clock)
    yield opened
    await opened.close()


async def test_without_redis_the_lanes_are_told_and_that_nobody_knows_of_carriers(without_redis: TestCity) -> None:
    await owe(without_redis.parts.notifications, *results(without_redis, 2))
    found = await asked(without_redis)
    assert found["lanes"][Lane.RESULT]["due"] == counted(2)
    assert (found["are_providers_known"], found["providers"]) == (False, [])


async def test_only_operators_see_how_sending_does(city: TestCity) -> None:
    others: list[Callable[[], Any]] = [
        lambda: city.as_department(DepartmentId(uuid4()), "parks"),
        lambda: city.as_desk(DepartmentId(uuid4()), None),
        lambda: city.as_resident(None),
    ]
    for other in others:
        refused = await city.client.get("/operator/sending", headers=other().headers)
        assert (refused.status_code, code_of(refused)) == (403, "access.wrong_audience")
    assert (await city.as_nobody(Audience.OPERATOR).get("/sending")).status_code == 401
