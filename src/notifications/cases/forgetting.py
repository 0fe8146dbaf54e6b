"""What was said of a case is forgotten with the message that said it, and the case when nothing was said for long."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from kernel.clock import Clock
from kernel.db import Connection, Database
from notifications.cases import queries
from notifications.notifying import CALLER_PREFIX
from notifications.retention.model import Forgotten

CASES_KEPT_FOR: Final = timedelta(days=730)
"""Longer than any office takes: the same list told again after that is told again."""
FORGOTTEN_EVERY: Final = timedelta(hours=1)
CASES_AT_ONCE_MAX: Final = 500


class Forgetting:
    """A listener of `retention.forgetting`, and a beat of its own."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def forgotten(self, conn: Connection, rows: Sequence[Forgotten], now: datetime) -> None:
        """Forget what these messages said."""
        del now
        message_ids = [row.message_id for row in rows if row.caller.startswith(CALLER_PREFIX)]
        if message_ids:
            await queries.forget_contents(conn, message_ids)

    async def forget_cases(self) -> int:
        """Forget cases that are long over, each in a transaction of its own; how many."""
        before, gone = self._clock.now() - CASES_KEPT_FOR, 0
        async with self._db.connection() as conn:
            old = await queries.select_old_cases(conn, before=before, limit=CASES_AT_ONCE_MAX)
        for case_digest in old:
            async with self._db.transaction() as conn:
                held = await queries.lock_case(conn, case_digest)
                if held is not None and held[1] < before:
                    await queries.delete_notices(conn, case_digest)
                    await queries.delete_case(conn, case_digest)
                    gone += 1
        return gone
