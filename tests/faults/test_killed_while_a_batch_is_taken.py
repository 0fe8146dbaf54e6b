"""Whoever takes and feeds a batch is killed -9 again and again: each row becomes a message, and none becomes two."""

import asyncio
import os
import random
import sys
from pathlib import Path

from kernel.clock import SystemClock
from kernel.db import Database
from kernel.sealing import KeyFile, Keys, fresh_key, write_key_file
from notifications.batches.model import BatchState
from tests.builders_batches import DEPARTMENT, a_department, a_row, ndjson

SOURCES = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("taking_in_a_process.py")
ROWS = 6_000
KILLS_MIN = 4
KILLS_MAX = 60


async def take_and_be_killed(*words: str, after_seconds: float) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        *words,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{SOURCES / 'src'}{os.pathsep}{SOURCES}"},
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"taking\n"
    await asyncio.sleep(after_seconds)
    child.kill()
    await child.communicate()


async def test_no_row_is_lost_or_doubled_however_often_the_city_is_killed(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    file = KeyFile(sealing=[fresh_key()], digest=[fresh_key()])
    key_file, body = tmp_path / "keys.json", tmp_path / "rows.ndjson"
    write_key_file(key_file, file)
    body.write_bytes(ndjson(a_row(number) for number in range(1, ROWS + 1)))
    department = await a_department(db, SystemClock(), Keys(file))
    batch_id = await department.opened(rows=ROWS)
    words = (database_url, str(key_file), str(batch_id), str(body))
    chance, seen = random.Random(7), set()
    for kill in range(KILLS_MAX):
        await take_and_be_killed(*words, after_seconds=chance.uniform(0.01, 0.25))
        batch = (await department.batches.watching.read(DEPARTMENT, batch_id)).batch
        kept = await department.rows()
        assert kept + batch.fed == batch.taken, "what came is a row or a message"
        seen.add((batch.received, batch.fed))
        if kill >= KILLS_MIN and batch.fed == ROWS:
            break
    assert len(seen) > 2, "it was killed in the middle"
    keys = await department.keys_of_messages(["owed"])
    assert keys == sorted(f"batch/{batch_id}/{number}" for number in range(1, ROWS + 1))
    references = await db.fetch("SELECT reference FROM notifications.request WHERE batch_id = $1", batch_id)
    assert sorted(row["reference"] for row in references) == sorted(f"R-{number}" for number in range(1, ROWS + 1))
    assert batch.state is BatchState.STARTED
