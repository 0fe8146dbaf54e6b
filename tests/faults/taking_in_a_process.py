"""A city that takes a batch and feeds it until it is killed.

Run as `python taking_in_a_process.py DATABASE_URL KEY_FILE BATCH_ID BODY_FILE`.
"""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from kernel.clock import SystemClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications.batches.model import Act, BatchState
from notifications.ending.endings import Endings
from tests.builders_batches import DEPARTMENT, Department

PAUSE_SECONDS = 0.002


async def take_and_feed(database_url: str, key_file: Path, batch_id: UUID, body: Path) -> None:
    db = await Database.open(database_url, connections_max=6)
    department = Department(db, SystemClock(), Keys.read(key_file), Endings())
    await department.refresh()
    sys.stdout.write("taking\n")
    sys.stdout.flush()
    batch = (await department.batches.watching.read(DEPARTMENT, batch_id)).batch
    if batch.state is BatchState.OPEN:
        await department.send(batch_id, body.read_bytes())
        await department.act(batch_id, Act.START)
    while True:
        await department.batches.feeding.feed_due()
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(take_and_feed(sys.argv[1], Path(sys.argv[2]), UUID(sys.argv[3]), Path(sys.argv[4])))
