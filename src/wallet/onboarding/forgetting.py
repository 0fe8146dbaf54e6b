"""What joining leaves behind is not kept for ever: decided applications, those nobody decided, counts of past days."""

from datetime import timedelta

from kernel.clock import Clock
from kernel.db import Database
from wallet.model import today_in_city
from wallet.onboarding import queries

DECIDED_KEPT_FOR = timedelta(days=180)
"""How long an applicant can read how it ended, and an operator whom to ask."""
FILED_KEPT_FOR = timedelta(days=365)
QUOTAS_KEPT_FOR = timedelta(days=7)
"""Longer than an upload of scans made without network may be late."""
FORGOTTEN_EVERY = timedelta(hours=1)


async def forget_old(db: Database, clock: Clock) -> None:
    """Delete what is kept no longer; run by the worker now and then."""
    now = clock.now()
    async with db.transaction() as conn:
        await queries.delete_decided_applications(conn, before=now - DECIDED_KEPT_FOR)
        await queries.delete_stale_applications(conn, before=now - FILED_KEPT_FOR)
        await queries.delete_quotas(conn, before=today_in_city(now) - QUOTAS_KEPT_FOR)
