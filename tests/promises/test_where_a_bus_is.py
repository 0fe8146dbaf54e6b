"""A resident asks where a bus is: its department's server is asked, within bounds, and believed no more than that."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from time import monotonic
from uuid import uuid4

import pytest
from aiohttp import web

from appointments.errors import NoLivePosition, PositionAway
from appointments.offices.trips.positions import Departments
from city.demo.offered import given_slots
from city.departments.parks import BUSES, Parks
from city.departments.token_checking import TokenChecker
from gateway.departments import vehicles
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import AccountId, DepartmentId, SessionId
from kernel.principal import Audience, Resident
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import ORIGIN, a_department, a_live_app, an_entrance, served

WHO = Resident(AccountId(uuid4()), SessionId(uuid4()), None)
GOOD = {"latitude": 31.4, "longitude": 121.5, "as_of": "2026-03-02T09:00:00+08:00"}


class Buses:
    """A department's server that says where its buses are, or goes wrong."""

    def __init__(self) -> None:
        self.said: object = GOOD
        self.status = 200
        self.waits_seconds = 0.0
        self.asked: list[str] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [web.get("/suishenban/health", self._health), web.get("/suishenban/vehicles/{vehicle}", self._where)]
        )
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "slug": "parks"})

    async def _where(self, request: web.Request) -> web.Response:
        self.asked.append(request.match_info["vehicle"])
        assert request.headers["Authorization"].startswith("Bearer ")
        await asyncio.sleep(self.waits_seconds)
        return web.json_response(self.said, status=self.status)


@pytest.fixture
def buses() -> Buses:
    return Buses()


@pytest.fixture
async def departments(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock, buses: Buses
) -> AsyncIterator[Departments]:
    async with served(buses.app()) as home, an_entrance(db, redis, keys, clock) as opened:
        await a_department(db)
        await a_live_app(opened, home, ("GET", "/parks", ""))
        yield opened.departments.for_appointments


async def test_what_the_department_says_is_passed_on(departments: Departments, buses: Buses):
    found = await departments.position("parks", "bus-7", WHO, Audience.RESIDENT)
    assert (found.latitude, found.longitude, found.is_stand_in) == (31.4, 121.5, False)
    assert buses.asked == ["bus-7"]


async def test_a_department_without_a_server_or_a_bus_it_does_not_know_has_no_position(
    departments: Departments, buses: Buses
):
    with pytest.raises(NoLivePosition):
        await departments.position("transport", "bus-7", WHO, Audience.RESIDENT)
    buses.status = 404
    with pytest.raises(NoLivePosition):
        await departments.position("parks", "bus-9", WHO, Audience.RESIDENT)


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, GOOD), (302, GOOD), (200, []), (200, GOOD | {"latitude": 131.0}), (200, GOOD | {"as_of": "soon"}),
     (200, {"latitude": 31.4}), (403, GOOD), (200, GOOD | {"more": "x" * 10_000})],
)  # fmt: skip
async def test_a_department_that_goes_wrong_is_said_to_be_away(departments: Departments, buses: Buses, status, said):
    buses.status, buses.said = status, said
    with pytest.raises(PositionAway) as refused:
        await departments.position("parks", "bus-7", WHO, Audience.RESIDENT)
    assert refused.value.retry_after_seconds


async def test_a_department_that_does_not_answer_is_not_waited_for(departments: Departments, buses: Buses):
    buses.waits_seconds = 30.0
    began = monotonic()
    with pytest.raises(PositionAway):
        await departments.position("parks", "bus-7", WHO, Audience.RESIDENT)
    assert monotonic() - began < 2 * vehicles.TIMEOUT_SECONDS


async def test_the_demo_departments_buses_answer_and_say_that_this_is_invented(
    db: Database, redis: Redis, keys: Keys, clock: StoppedClock
):
    async with an_entrance(db, redis, keys, clock) as entrance:

        async def published() -> bytes:
            return (await entrance.http.get("/.well-known/jwks.json")).content

        checker = TokenChecker(issuer=ORIGIN, audience="parks", clock=clock, fetch_keys=published)
        async with served(Parks(checker, clock).app()) as home:
            await a_department(db)
            await a_live_app(entrance, home, ("GET", "/parks", ""))
            theirs = entrance.departments.for_appointments
            for audience in (Audience.RESIDENT, Audience.MINI):
                assert (await theirs.position("parks", "park-bus-1", WHO, audience)).is_stand_in
            with pytest.raises(NoLivePosition):
                await theirs.position("parks", "park-bus-9", WHO, Audience.RESIDENT)


async def test_every_bus_that_the_demo_gives_is_one_the_demo_department_knows():
    given = {slot.detail["vehicle"] for slot in given_slots(date(2026, 3, 2)) if slot.detail["sort"] == "trip"}
    assert given == BUSES


async def test_a_department_is_known_by_the_slug_it_was_registered_with(departments: Departments, db: Database):
    department_id = await db.fetchval("SELECT department_id FROM gateway.department WHERE slug = 'parks'")
    assert await departments.slug_of(department_id) == "parks"
    assert await departments.slug_of(DepartmentId(uuid4())) is None
