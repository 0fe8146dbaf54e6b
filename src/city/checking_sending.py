"""How sending does, for `check`: what has been due for too long, and which carriers get less than what is theirs."""

import asyncpg

from city.finding import Finding
from kernel.clock import SystemClock
from kernel.db import Database, DatabaseAway, OutcomeUnknown
from kernel.redis import Redis
from kernel.settings import Settings
from notifications.standing import reading, telling
from notifications.standing.model import LaneStanding, WorkerTold

CONNECTIONS_MAX = 1
SAID_MAX = 5
"""Networks that a line names."""
_PART = "sending"
_REMEDY = "GET /operator/sending shows more; docs/RUNBOOK.md, “SMS are late”, says what to do."
_WORKER = "See that a worker runs (./run worker); one says so every five seconds."


async def look(settings: Settings) -> list[Finding]:
    """One finding; none where the schema is older than this program. The database and Redis must answer."""
    try:
        db = await Database.open(settings.database_url.reveal(), connections_max=CONNECTIONS_MAX)
    except DatabaseAway as problem:
        return [Finding(_PART, is_fine=False, found=str(problem), remedy="Look again.")]
    redis = await Redis.open(settings.redis_url.reveal())
    try:
        async with db.connection() as conn:
            found = await reading.lanes(conn, now=SystemClock().now())
        return [finding(found.lanes, await telling.heard(redis))]
    except asyncpg.UndefinedTableError:
        return []
    except (DatabaseAway, OutcomeUnknown, asyncpg.PostgresError) as problem:
        return [Finding(_PART, is_fine=False, found=f"cannot be read: {problem}", remedy="Look again.")]
    finally:
        await redis.close()
        await db.close()


def finding(lanes: list[LaneStanding], told: list[WorkerTold] | None) -> Finding:
    """In order when nothing is late, and every carrier gets all that is its own, as each worker sees it."""
    late = [f"{one.lane} is late by {_in_words(one.oldest_seconds or 0)}" for one in lanes if one.is_late]
    unwell = _unwell(told or [])
    said = ", ".join(late) or "nothing is late"
    if unwell:
        more = " …" if len(unwell) > SAID_MAX else ""
        said += f"; less than its own goes by {', '.join(unwell[:SAID_MAX])}{more}"
    elif not told:
        said += "; no worker says how the carriers do"
    if late or unwell:
        return Finding(_PART, is_fine=False, found=said, remedy=_REMEDY)
    return Finding(_PART, is_fine=True, found=said, remedy="" if told else _WORKER)


def _unwell(told: list[WorkerTold]) -> list[str]:
    """Carriers and networks with less than their own share, and the least that a worker gives them, worst first."""
    least: dict[tuple[str, str], float] = {}
    for worker in told:
        for provider in worker.providers:
            for one in provider.networks:
                key = (provider.name, one.group)
                least[key] = min(one.share, least.get(key, 1.0))
    worst = sorted((share, *key) for key, share in least.items() if share < 1)
    return [f"{name} to {group}: {share:.0%}" for share, name, group in worst]


def _in_words(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
