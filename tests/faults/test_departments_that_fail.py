"""A department's fault stays its own: it is said plainly, holds nobody else up, and is given time to heal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from city.demo.people import PEOPLE
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import Entrance, a_department, a_live_app, an_entrance, served
from tests.fakes import BIG, DepartmentServer

WHO = next(one for one in PEOPLE if one.phone)
ROUTES = (
    ("GET", "/parks", ""),
    ("GET", "/slow", ""),
    ("GET", "/fail/{how}", "answer_bytes_max = 600000"),
)


@pytest.fixture
async def department() -> DepartmentServer:
    return DepartmentServer()


@pytest.fixture
async def entrance(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock, department: DepartmentServer
) -> AsyncIterator[Entrance]:
    async with served(department.app()) as home, an_entrance(db, redis, keys, clock) as opened:
        await a_department(db)
        await a_live_app(opened, home, *ROUTES)
        yield opened


@pytest.fixture
async def token(entrance: Entrance) -> str:
    return str((await entrance.a_citizen(WHO))["access_token"])


async def ask(entrance: Entrance, token: str, path: str, method: str = "GET", **how: Any) -> Any:
    return await entrance.ask(method, f"/resident/apps/parks{path}", token, **how)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/slow", 504, "departments.app_late"),
        ("/fail/error", 502, "departments.app_failed"),
        ("/fail/garbage", 502, "departments.app_failed"),
        ("/fail/deep", 502, "departments.app_failed"),
        ("/fail/hang-up", 502, "departments.app_failed"),
        ("/fail/redirect", 502, "departments.app_failed"),
        ("/fail/unauthorized", 502, "departments.app_failed"),
        ("/fail/too-big", 502, "departments.app_failed"),
        ("/fail/refusal", 422, "parks.no"),
    ],
)
async def test_what_goes_wrong_there_is_said_plainly_here(
    entrance: Entrance, token: str, path: str, status: int, code: str
) -> None:
    answer = await ask(entrance, token, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_an_answer_without_a_body_comes_through(entrance: Entrance, token: str) -> None:
    answer = await ask(entrance, token, "/fail/nothing")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_long_answer_is_streamed_within_its_bound(entrance: Entrance, token: str) -> None:
    answer = await ask(entrance, token, "/fail/big")
    assert (answer.status_code, len(answer.content)) == (200, BIG)
    for how in ("endless", "cut") * 3:
        cut_short = await ask(entrance, token, f"/fail/{how}")
        assert len(cut_short.content) < 610_000
    assert (await ask(entrance, token, "/parks")).status_code == 200  # and nothing is still held


async def test_an_app_that_fails_again_and_again_is_left_alone_and_tried_again_later(
    entrance: Entrance, department: DepartmentServer, token: str
) -> None:
    department.is_well = False
    for _ in range(5):
        assert (await ask(entrance, token, "/fail/sometimes")).status_code == 502
    resting = await ask(entrance, token, "/parks")
    assert (resting.status_code, resting.json()["code"]) == (503, "departments.app_away")
    assert int(resting.headers["Retry-After"]) >= 1
    assert department.seen == []
    entrance.clock.advance(timedelta(seconds=6))
    assert (await ask(entrance, token, "/fail/sometimes")).status_code == 502
    entrance.clock.advance(timedelta(seconds=6))
    assert (await ask(entrance, token, "/parks")).status_code == 503
    department.is_well = True
    entrance.clock.advance(timedelta(seconds=6))
    probes = await asyncio.gather(*(ask(entrance, token, "/fail/sometimes") for _ in range(3)))
    assert sorted(one.status_code for one in probes) == [200, 503, 503]
    assert (await ask(entrance, token, "/parks")).status_code == 200


async def test_a_slow_department_is_asked_for_no_more_than_it_takes_and_slows_nobody_else(
    entrance: Entrance, token: str
) -> None:
    async with served(DepartmentServer().app()) as home:
        await a_live_app(entrance, home, ("GET", "/slow", ""), slug="snails")
        slow = [asyncio.ensure_future(entrance.ask("GET", "/resident/apps/snails/slow", token)) for _ in range(8)]
        await asyncio.sleep(0.1)
        assert (await ask(entrance, token, "/parks")).status_code == 200
        answers = await asyncio.gather(*slow)
    codes = sorted(one.json()["code"] for one in answers)
    assert codes == ["departments.app_busy"] * 4 + ["departments.app_late"] * 4


async def test_a_server_that_is_not_there_is_said_so(entrance: Entrance, token: str) -> None:
    await a_live_app(entrance, "http://127.0.0.1:1", ("GET", "/parks", ""), slug="ghosts")
    answer = await entrance.ask("GET", "/resident/apps/ghosts/parks", token)
    assert (answer.status_code, answer.json()["code"]) == (502, "departments.app_unreachable")
