"""Connections to the database die in the middle of scans: who asks again hears the truth, and nothing is doubled."""

import asyncio
from collections import Counter
from uuid import uuid4

import asyncpg

from kernel.clock import StoppedClock
from kernel.db import Database, DatabaseAway, OutcomeUnknown
from kernel.ids import UseId
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_wallet import a_code, a_wallet, issued, scanned
from wallet.model import Outcome, Verdict
from wallet.parts import Wallet

CODES = 120
TRIES_MAX = 50


async def scanned_until_heard(wallet: Wallet, code: str) -> Verdict:
    """What a patient device hears: it asks with the same use_id until it gets an answer."""
    use_id = UseId(uuid4())
    for _ in range(TRIES_MAX):
        try:
            return await scanned(wallet, code, use_id=use_id)
        except (DatabaseAway, OutcomeUnknown):
            await asyncio.sleep(0.01)
    raise AssertionError("never heard an answer")


async def test_every_code_is_good_once_though_connections_are_cut(
    db: Database, database_url: str, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    wallet = await a_wallet(db, redis, clock, keys)
    certificate = await issued(wallet)
    codes = [await a_code(wallet, certificate) for _ in range(CODES)]
    admin = await asyncpg.connect(database_url)

    async def cut() -> None:
        for _ in range(12):
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            await asyncio.sleep(0.01)

    cutting = asyncio.create_task(cut())
    verdicts = []
    for start in range(0, CODES, 20):
        verdicts += await asyncio.gather(*(scanned_until_heard(wallet, code) for code in codes[start : start + 20]))
    await cutting
    await admin.close()
    assert Counter(verdict.outcome for verdict in verdicts) == {Outcome.VALID: CODES}
    assert all(verdict.fields for verdict in verdicts)
    assert await db.fetchval("SELECT count(*) FROM wallet.use") == CODES
    told = "SELECT count(*) FROM notifications.message WHERE template = 'certificate_shown'"
    assert await db.fetchval(told) == CODES
