"""A worker is killed -9 again and again while it sends: the peer's own log is the judge."""

import asyncio
import os
import random
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from kernel.clock import StoppedClock
from kernel.sealing import KeyFile, Keys, fresh_key, write_key_file
from tests.builders_notifications import LEASES_ARE_OVER, Carrier, a_promise, at_any_hour

SOURCES = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("carrying_in_a_process.py")
KILLS = 4
MESSAGES = 1500


async def carry_and_be_killed(database_url: str, key_file: Path, log: Path, after_seconds: float) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        database_url,
        str(key_file),
        str(log),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{SOURCES / 'src'}{os.pathsep}{SOURCES}"},
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"carrying\n"
    await asyncio.sleep(after_seconds)
    child.kill()
    await child.communicate()


async def test_nothing_owed_is_lost_and_nothing_sent_twice_however_often_the_worker_is_killed(
    db, database_url: str, tmp_path: Path
) -> None:
    file = KeyFile(sealing=[fresh_key()], digest=[fresh_key()])
    key_file, log = tmp_path / "keys.json", tmp_path / "peer.log"
    write_key_file(key_file, file)
    clock = StoppedClock(datetime.now(UTC))
    rest = Carrier("peer")
    heir = at_any_hour(db, clock, Keys(file), rest)
    owed = [a_promise(key=str(n), due_at=clock.now()) for n in range(MESSAGES)]
    async with db.transaction() as conn:
        await heir.outbox.owe_many(conn, owed, now=clock.now())
    chance = random.Random(20)
    for _ in range(KILLS):
        await carry_and_be_killed(database_url, key_file, log, chance.uniform(0.03, 0.15))
    killed_with = await db.fetchval("SELECT count(*) FROM notifications.delivery WHERE stage = 'sending'")
    clock.advance(LEASES_ARE_OVER)
    await heir.settle()

    carried = Counter(log.read_text().split()) + Counter(sms.reference for sms in rest.carried)
    rows = await db.fetch("SELECT message_id::text, stage FROM notifications.delivery")
    ended = {row["message_id"]: row["stage"] for row in rows}
    assert len(ended) == MESSAGES, "none is lost"
    assert set(carried.values()) == {1}, "none is sent twice"
    assert set(ended.values()) <= {"accepted", "unknown"}
    assert [one for one, stage in ended.items() if stage == "accepted" and one not in carried] == []
    assert list(ended.values()).count("unknown") == killed_with, "only what was in hand is not known"
    assert 0 < killed_with < MESSAGES
