"""The demo's carrier keeps its books in the city's database; that being away loses nobody's SMS and doubles none."""

import asyncio
from collections import Counter

import asyncpg

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications.channels.demo_outbox import DemoOutbox
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.seals import Seals
from tests.builders_notifications import PHONE

MESSAGES = 40
KILLS = 150
KILLED_EVERY_SECONDS = 0.001
KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> $1 AND backend_type = 'client backend'"
)


async def test_connections_killed_while_it_carries_lose_no_sms_and_double_none(
    db: Database, database_url: str, clock: StoppedClock, keys: Keys
) -> None:
    carrier = DemoOutbox(db, clock, Seals(keys))
    texts = [f"number {n}" for n in range(MESSAGES)]

    async def carry() -> list[Accepted | Refused]:
        return [await carrier.send(Sms(text, PHONE, text, clock.now())) for text in texts]

    async def kill() -> None:
        killer = await asyncpg.connect(database_url)
        own = await killer.fetchval("SELECT pg_backend_pid()")
        for _ in range(KILLS):
            await killer.fetch(KILL, own)
            await asyncio.sleep(KILLED_EVERY_SECONDS)
        await killer.close()

    carrying = asyncio.create_task(carry())
    await kill()
    assert all(isinstance(answer, Accepted) for answer in await carrying)
    async with db.connection() as conn:
        shown = await carrier.shown_to(conn, PHONE)
    assert Counter(sms.text for sms in shown) == Counter(texts)
