"""A batch is sent over HTTP to a whole city whose web process and worker are killed -9 again and again meanwhile."""

import asyncio
import json
from argparse import Namespace
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from city import department_program
from city.batch_program import Sender
from city.demo.ids import text_id_of
from city.demo.texts import PARKS
from city.department_program import Lost
from kernel.db import Database
from kernel.settings import load
from tests.running_city import RunningCity, running_city

ROWS = 60_000
PIECE_ROWS = 250
WEB, WORKER, CONNECTION = "web", "worker", "connection"
DIES_AT = {700: WEB, 5_000: CONNECTION, 12_000: WEB, 25_000: WEB, 33_333: CONNECTION, 41_000: WEB, 55_000: WEB}
"""At which row what dies."""
WORKER_DIES = 4
ENDS_WITHIN_SECONDS = 60.0
LOOKED_EVERY_SECONDS = 0.1


@pytest.fixture(scope="module")
async def city() -> AsyncIterator[RunningCity]:
    async with running_city({"SUISHENBAN_REQUESTS_PER_MINUTE": "1000000"}) as running:
        yield running


def a_row(number: int) -> bytes:
    values = {"name": f"人{number}", "until": "2027-03-05", "place": "世纪公园"}
    row = {"phone": f"+8613{number:09d}", "reference": f"R-{number}", "values": values}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


async def rows(first: int, last: int, city: RunningCity, dies: dict[int, str]) -> AsyncGenerator[bytes]:
    """Rows from one to another; at some of them something dies, each once."""
    for start in range(first, last + 1, PIECE_ROWS):
        end = min(start + PIECE_ROWS - 1, last)
        yield b"".join(a_row(number) for number in range(start, end + 1))
        for number in [one for one in dies if one <= end]:
            if dies.pop(number) == CONNECTION:
                raise ConnectionResetError
            city.kill(WEB)


async def patient(city: RunningCity, sender: Sender, method: str, path: str) -> Any:
    while True:
        try:
            return json.loads(await sender.ask(method, path, headers={"Content-Type": "application/json"}))
        except Lost:
            await city.until_ready()


async def send(city: RunningCity, sender: Sender, batch_id: UUID) -> int:
    """Send what is missing until nothing is; how often that broke off."""
    dies, broken, path = dict(DIES_AT), 0, f"/department/batches/{batch_id}"
    while gaps := (await patient(city, sender, "GET", f"{path}/missing"))["missing"]:
        gap = gaps[0]
        body = rows(gap["first"], gap["last"], city, dies)
        try:
            await sender.send(batch_id, body, "application/x-ndjson", first=gap["first"])
        except Lost:
            broken += 1
            await city.until_ready()
    return broken


async def test_a_batch_outlives_its_web_process_and_its_worker_and_sends_each_row_once(city: RunningCity) -> None:
    batch_id, url = uuid4(), city.url
    async with department_program.opened_client() as http:
        args = Namespace(client=None, department=PARKS, key=None)
        sender = Sender(http, url, *await department_program.credentials(args, http, url))
        await sender.prove()
        plan = {"name": "全部", "text_id": str(text_id_of("parks/pass_ready")), "kind": "test", "rows": ROWS}
        await sender.batch("PUT", batch_id, body=plan)
        broken = await send(city, sender, batch_id)
        assert broken >= len(DIES_AT) - 1
        await sender.batch("POST", batch_id, "/start", {"without_missing": False})
        seen = await until_finished(city, sender, batch_id)
    assert len(seen) > 2, "the worker was killed in the middle"
    address = city.at.address()
    assert address is not None
    db = await Database.open(load(address.environ).database_url.reveal())
    kept = await db.fetch(
        "SELECT m.key, r.reference FROM notifications.request AS r JOIN notifications.message AS m"
        " ON m.message_id = r.message_id WHERE r.batch_id = $1",
        batch_id,
    )
    messages = await db.fetchval("SELECT count(*) FROM notifications.message WHERE batch_id = $1", batch_id)
    left = await db.fetchval("SELECT count(*) FROM notifications.batch_row WHERE batch_id = $1", batch_id)
    await db.close()
    assert (messages, left) == (ROWS, 0)
    assert {(row["key"], row["reference"]) for row in kept} == {
        (f"batch/{batch_id}/{number}", f"R-{number}") for number in range(1, ROWS + 1)
    }
    assert len(kept) == ROWS


async def until_finished(city: RunningCity, sender: Sender, batch_id: UUID) -> list[int]:
    """Kill the worker whenever more was fed, a few times, and wait for the end; how much was fed at each kill."""
    seen: list[int] = []
    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        while True:
            batch = await patient(city, sender, "GET", f"/department/batches/{batch_id}")
            if batch["state"] == "finished":
                assert batch["fed"] == ROWS
                return seen
            if len(seen) < WORKER_DIES and batch["fed"] > (seen[-1] if seen else 0) and WORKER in city.pids():
                seen.append(batch["fed"])
                city.kill(WORKER)
            await asyncio.sleep(LOOKED_EVERY_SECONDS)
