"""How fast a department's rows are taken: parsed, judged, sealed and durable, over HTTP, against a bare insert.

The yardstick is a durable multi-row INSERT of the very rows that were kept, sealed already, into the same tables with
the same indexes and in transactions of the same size, by a process that does nothing else on the core that the web
process has otherwise. Both take turns in one run; of each the turn that was disturbed least counts, by the wall.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Final
from uuid import UUID, uuid4

import aiohttp
import msgspec

from city.bench import measuring
from city.bench.acting import token_of
from city.bench.queries import select_batch_rows
from city.bench.rig import Rig, open_rig
from city.planting_texts import FIRST, plant_text
from kernel.ids import DepartmentId, uuid7
from kernel.principal import Audience, DepartmentSystem
from notifications.batches.queries import INSERT_ROWS, NewRow
from notifications.batches.taking import TOGETHER_MAX
from notifications.texts.model import Content, TextSort

ROWS: Final = 200_000
ROUNDS: Final = 3
CHUNK_BYTES: Final = 64 * 1024
DEPARTMENT: Final = DepartmentId(UUID(int=7))
_ACTOR: Final = f"department:{DEPARTMENT}"
_NDJSON: Final = "application/x-ndjson"
_TEXT: Final = msgspec.convert(
    {
        "name": "Reminder",
        "lane": "bulk",
        "zh": {"body": "((name))您好，您的居住证将于((day))到期，请到((hall))办理延期。"},
        "placeholders": {
            "name": {"kind": "name"},
            "day": {"kind": "day"},
            "hall": {"kind": "text", "most": 30},
        },
    },
    Content,
)


class Bulk(msgspec.Struct, frozen=True):
    """Rows a second by the wall, each side at its best, and what a row costs the web process."""

    rows: int
    taken_per_second: float
    yardstick_per_second: float
    ratio: float
    ratio_of_medians: float
    cpu_microseconds: float
    lost: int
    """Rows that were sent and are not kept: none."""


def body_of(rows: int) -> bytes:
    """Rows as a department sends them, to numbers nobody has."""
    lines = (
        json.dumps(
            {
                "phone": f"+861349{number % 10_000_000:07d}",
                "reference": f"R-{number}",
                "values": {"name": f"人{number}", "day": "2026-03-05", "hall": "徐汇区政务服务中心"},
            },
            ensure_ascii=False,
        )
        for number in range(1, rows + 1)
    )
    return ("\n".join(lines) + "\n").encode()


def measure(rig: Rig, *, rows: int = ROWS, rounds: int = ROUNDS, say: Callable[[str], object] = str) -> Bulk:
    """Take turns: ours, then the yardstick."""
    body = body_of(rows)
    text_id = uuid7(rig.parts.clock.now())
    rig.do(plant_text(rig.parts, DEPARTMENT, text_id, TextSort.SMS, _TEXT, actor=_ACTOR))
    ours, cpu, bare, lost = [], [], [], 0
    for turn in range(rounds):
        batch_id = uuid4()
        before = measuring.cpu_seconds(rig.pid)
        seconds, received = rig.do(_send(rig, batch_id, text_id, body))
        cpu.append(measuring.cpu_seconds(rig.pid) - before)
        ours.append(rows / seconds)
        kept = rig.do(_kept(rig, batch_id))
        lost += rows - min(received, len(kept))
        bare.append(rows / _inserted(rig, kept))
        say(f"  turn {turn + 1} of {rounds}: {ours[-1]:,.0f} rows/s taken, {bare[-1]:,.0f} rows/s inserted")
    return Bulk(
        rows=rows,
        taken_per_second=round(max(ours)),
        yardstick_per_second=round(max(bare)),
        ratio=round(max(ours) / max(bare), 3),
        ratio_of_medians=round(statistics.median(ours) / statistics.median(bare), 3),
        cpu_microseconds=round(min(cpu) / rows * 1e6, 1),
        lost=lost,
    )


async def _send(rig: Rig, batch_id: UUID, text_id: UUID, body: bytes) -> tuple[float, int]:
    """Open a batch and send its rows in one stream; how long that took, and how many were received."""
    principal = DepartmentSystem(DEPARTMENT, "bench", "测试部门")
    token = token_of(rig, principal, Audience.DEPARTMENT, client_id="department:bench")
    headers = {"Authorization": f"Bearer {token}"}
    address = f"{rig.url}/department/batches/{batch_id}"
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=False) as http:
        async with http.put(address, json={"name": "bench", "text_id": str(text_id), "version": FIRST}) as opened:
            opened.raise_for_status()
        began = time.perf_counter()
        stream = {"Content-Type": _NDJSON}
        async with http.post(f"{address}/lines?from=1", data=_pieces(body), headers=stream) as sent:
            sent.raise_for_status()
            seen = await sent.json()
        return time.perf_counter() - began, int(seen["received"]) - int(seen["refused"])


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), CHUNK_BYTES):
        yield body[start : start + CHUNK_BYTES]


async def _kept(rig: Rig, batch_id: UUID) -> list[NewRow]:
    async with rig.parts.db.connection() as conn:
        return await select_batch_rows(conn, batch_id)


async def _insert(rig: Rig, kept: list[NewRow]) -> float:
    """Insert the same rows as another batch's; how long that took."""
    batch_id = uuid4()
    records = [(row[0], batch_id, *row[2:]) for row in kept]
    await asyncio.sleep(0)
    began = time.perf_counter()
    for start in range(0, len(records), TOGETHER_MAX):
        async with rig.parts.db.transaction() as conn:
            await INSERT_ROWS.fetch(conn, records[start : start + TOGETHER_MAX])
    return time.perf_counter() - began


def _inserted(rig: Rig, kept: list[NewRow]) -> float:
    """Insert on the core that the web process, which is idle then, has to itself otherwise; how long that took."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, os.sched_getaffinity(rig.pid))
    try:
        return rig.do(_insert(rig, kept))
    finally:
        os.sched_setaffinity(0, mine)


if __name__ == "__main__":
    with open_rig(print, is_planted=False) as opened:
        sys.stdout.write(msgspec.json.encode(measure(opened, say=print)).decode() + "\n")
