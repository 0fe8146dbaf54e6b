"""What a department may send a minute and a day is one amount for all processes, and each counts alone at worst."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.limits import Limits
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.services.errors import TooManyThisMinute, TooManyToday
from notifications.services.limiting import BLOCK, PerMinute
from notifications.services.model import Allowance
from notifications.services.parts import Services
from tests.builders_services import Department, refreshed, services_over


@pytest.fixture
async def services(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Services:
    made, _ = await services_over(db, redis, clock, keys)
    return made


async def test_a_day_is_exact_in_one_process(services: Services, db: Database, clock: StoppedClock) -> None:
    department = await Department.founded(services, db, clock)
    await services.keys.allow(department.service_id, Allowance(per_day=7), actor="tests")
    sent = await asyncio.gather(*(department.send() for _ in range(10)), return_exceptions=True)
    refused = [one for one in sent if isinstance(one, TooManyToday)]
    assert len(refused) == 3
    assert refused[0].members == {"limit": 7}
    assert refused[0].retry_after_seconds == 15 * 3600 + 1  # it is nine in the morning
    await department.send(kind="test")  # nobody is told anything, so it is free
    clock.advance(timedelta(hours=15))
    await department.send()
    assert services.per_day.so_far(department.service_id) == 1


async def test_a_day_is_shared_by_processes_once_they_have_heard_of_each_other(
    services: Services, db: Database, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    department = await Department.founded(services, db, clock)
    await services.keys.allow(department.service_id, Allowance(per_day=10), actor="tests")
    other, _ = await services_over(db, redis, clock, keys)
    elsewhere = Department(
        other, department.service_id, other.text_in_use(department.service_id, department.text.of.text_id)
    )
    for _ in range(6):
        await department.send()
    await refreshed(services)
    await refreshed(other)
    for _ in range(4):
        await elsewhere.send()
    with pytest.raises(TooManyToday):
        await elsewhere.send()
    await refreshed(other)
    await refreshed(services)
    with pytest.raises(TooManyToday):
        await department.send()


async def test_a_process_that_comes_back_knows_what_it_counted(
    services: Services, db: Database, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    department = await Department.founded(services, db, clock)
    await department.send()
    await services.per_day.refresh()
    again, _ = await services_over(db, redis, clock, keys)
    assert again.per_day.so_far(department.service_id) == 1


async def test_a_minute_is_shared_by_processes(
    services: Services, db: Database, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    department = await Department.founded(services, db, clock)
    await services.keys.allow(department.service_id, Allowance(per_minute=3 * BLOCK), actor="tests")
    other, _ = await services_over(db, redis, clock, keys)
    elsewhere = Department(other, department.service_id, department.text)
    sides = (department, elsewhere)
    sent = await asyncio.gather(*(sides[nth % 2].send() for nth in range(5 * BLOCK)), return_exceptions=True)
    refused = [one for one in sent if isinstance(one, TooManyThisMinute)]
    assert len(refused) == 2 * BLOCK
    assert refused[0].retry_after_seconds is not None
    assert refused[0].members == {"per_minute": 3 * BLOCK}
    await department.send(kind="test")  # each kind of key has its own
    clock.advance(timedelta(minutes=1))
    await department.send()


@pytest.mark.parametrize("per_minute", [1, BLOCK - 1, BLOCK + 1, 2 * BLOCK - 7, 3 * BLOCK])
async def test_a_minute_is_what_was_allowed_whatever_number_that_is(
    redis: Redis, clock: StoppedClock, per_minute: int
) -> None:
    shared, service_id = PerMinute(Limits(redis, clock, subject_key=bytes(32)), clock), DepartmentId(uuid4())
    for _ in range(per_minute):
        await shared.fetch(service_id, "live", per_minute)
    with pytest.raises(TooManyThisMinute):
        await shared.fetch(service_id, "live", per_minute)


async def test_permits_are_fetched_while_others_come_at_every_moment(redis: Redis, clock: StoppedClock) -> None:
    shared = PerMinute(Limits(redis, clock, subject_key=bytes(32)), clock)
    service_id, coming = DepartmentId(uuid4()), []
    for _ in range(50 * BLOCK):
        coming.append(asyncio.create_task(shared.fetch(service_id, "live", 1_000 * BLOCK)))
        await asyncio.sleep(0)
    await asyncio.gather(*coming)


async def test_without_redis_each_process_counts_alone(clock: StoppedClock) -> None:
    alone = PerMinute(Limits(None, clock, subject_key=bytes(32)), clock)
    service_id = DepartmentId(uuid4())
    for _ in range(2 * BLOCK):
        await alone.fetch(service_id, "live", 2 * BLOCK)
    with pytest.raises(TooManyThisMinute):
        await alone.fetch(service_id, "live", 2 * BLOCK)
