"""What a load leaves behind is not kept for ever: how far it came, and which of its lines were refused.

What it issued stays, and so does the audit's record of who opened and finished it, with its counts. A load that was
never finished is kept: its counters are what its sender goes on with.
"""

from datetime import timedelta

from kernel.clock import Clock
from kernel.db import Database
from wallet.loading import queries

FINISHED_KEPT_FOR = timedelta(days=90)
"""How long a department can fetch the report of a load that it has finished: a quarter's close, and some."""
FORGOTTEN_EVERY = timedelta(hours=1)
LOADS_AT_ONCE_MAX = 100
"""Each with a report of a hundred thousand lines at most, and in a transaction of its own."""


async def forget_finished(db: Database, clock: Clock) -> None:
    """Delete what is kept no longer; run by the worker now and then."""
    before = clock.now() - FINISHED_KEPT_FOR
    async with db.connection() as conn:
        old = await queries.select_finished_loads(conn, before=before, limit=LOADS_AT_ONCE_MAX)
    for load_id in old:
        async with db.transaction() as conn:
            await queries.delete_refusals(conn, load_id)
            await queries.delete_load(conn, load_id)
