"""A worker that carries what is owed until it is killed. Its provider writes down what it carries, as a peer would.

Run as `python carrying_in_a_process.py DATABASE_URL KEY_FILE LOG_FILE`.
"""

import asyncio
import os
import sys
from pathlib import Path

from kernel.clock import SystemClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.model import Lane
from tests.builders_notifications import Carrier, at_any_hour

CARRYING_SECONDS = 0.02


class WritingCarrier(Carrier):
    """Appends each reference it carries to a file, half-way between being asked and answering."""

    def __init__(self, log: Path) -> None:
        super().__init__("peer")
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def send(self, sms: Sms) -> Accepted | Refused:
        await asyncio.sleep(CARRYING_SECONDS)
        os.write(self._log, f"{sms.reference}\n".encode())
        await asyncio.sleep(CARRYING_SECONDS)
        return await super().send(sms)


async def carry(database_url: str, key_file: Path, log: Path) -> None:
    db = await Database.open(database_url, connections_max=6)
    notifications = at_any_hour(db, SystemClock(), Keys.read(key_file), WritingCarrier(log))
    delivering = notifications.delivering
    sys.stdout.write("carrying\n")
    sys.stdout.flush()
    await asyncio.gather(delivering.keep_looking(), *(delivering.keep_carrying(lane) for lane in Lane))


if __name__ == "__main__":
    asyncio.run(carry(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
