"""Programs send while the web process and PostgreSQL are killed -9: what was answered is there, once, and arrives."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from city.demo.ids import text_id_of
from city.journey.calling import ASSERTION_TYPE, assertion
from gateway.demo.cast import Cast
from tests.running_city import RunningCity, running_city

PROGRAMS = 8
KILLED = ("web", "web", "postgres", "web")
BUSY_SECONDS = 1.5
ANSWERED_WITHIN_SECONDS = 20.0
ARRIVED_WITHIN_SECONDS = 60.0
PAUSE_SECONDS = 0.02
UNDER_WAY = {"scheduled", "created", "sending"}
AT = f"/department/texts/{text_id_of('parks/pass_ready')}/messages"


@pytest.fixture
async def city() -> AsyncIterator[RunningCity]:
    async with running_city({"SUISHENBAN_REQUESTS_PER_MINUTE": "1000000"}) as running:
        yield running


class Department:
    """The parks department's system; whatever it sends it sends again, under the same key, until it is answered."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.answered: dict[str, str] = {}
        self.tried = 0
        self._is_busy = True

    async def sign_in(self) -> None:
        cast = msgspec.convert((await self.http.get("/demo/cast")).json(), Cast)
        client = next(one for one in cast.clients if one.client_id == "department:parks")
        signed = assertion(client, issuer=cast.issuer, now=datetime.now(UTC))
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
        token = (await self.http.post("/department/token", data=form)).raise_for_status().json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def rest(self) -> None:
        self._is_busy = False

    async def send_on(self, program: int) -> None:
        nth = 0
        while self._is_busy:
            nth += 1
            await self._send(f"{program}-{nth}", f"+86138{program:02d}{nth:06d}")

    async def _send(self, key: str, phone: str) -> None:
        body = {
            "phone": phone,
            "values": {"name": "王小明", "until": "2040-12-31", "place": "三号厅"},
            "reference": key,
        }
        end = time.monotonic() + ANSWERED_WITHIN_SECONDS
        while key not in self.answered:
            assert time.monotonic() < end, "a program was not answered"
            self.tried += 1
            try:
                answer = await self.http.post(AT, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 202:
                self.answered[key] = answer.json()["message_id"]
            else:
                assert answer is None or answer.status_code in (500, 503), answer.text
                await asyncio.sleep(PAUSE_SECONDS)

    async def sent(self) -> list[dict[str, Any]]:
        """Everything that the city says was sent."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = (await self.http.get(f"/department/sent?limit=100{cursor}")).raise_for_status().json()
            found += page["messages"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"


async def test_what_programs_were_answered_is_there_once_and_arrives_whatever_was_killed(city: RunningCity) -> None:
    async with httpx.AsyncClient(base_url=city.url, timeout=10, trust_env=False) as http:
        department = Department(http)
        await department.sign_in()
        sending = [asyncio.create_task(department.send_on(program)) for program in range(PROGRAMS)]
        for name in KILLED:
            await asyncio.sleep(BUSY_SECONDS)
            city.kill(name)
            await city.until_ready()
        await asyncio.sleep(BUSY_SECONDS)
        department.rest()
        await asyncio.gather(*sending)
        found = await department.sent()
        assert {one["reference"]: one["message_id"] for one in found} == department.answered
        assert len(found) == len(department.answered) > 10 * PROGRAMS
        assert department.tried > len(department.answered), "something was asked for twice"
        end = time.monotonic() + ARRIVED_WITHIN_SECONDS
        while any(one["state"] in UNDER_WAY for one in found):
            assert time.monotonic() < end, "not everything has come to an end"
            await asyncio.sleep(0.5)
            found = await department.sent()
        ended = Counter(one["state"] for one in found)
        assert ended.keys() <= {"delivered", "technical_failure"}, "what the database took along is alerted"
        assert ended["delivered"] > len(found) * 0.8
        [counted] = (await http.get("/department/statistics")).raise_for_status().json()["sent"]
        assert counted["accepted"] == len(found)
