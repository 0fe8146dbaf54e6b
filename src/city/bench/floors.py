"""What the operations cost that an answer cannot do without, one at a time, in CPU of the asking side."""

import secrets
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from city.bench.queries import read_one_standing
from city.bench.rig import Rig

TIMES = 2_000


def cpu_of(work: Callable[[], object]) -> float:
    """Microseconds of CPU of one call."""
    started = time.process_time()
    for _ in range(TIMES):
        work()
    return (time.process_time() - started) / TIMES * 1e6


async def read_by_key(rig: Rig, keys: Sequence[tuple[UUID, UUID]]) -> float:
    """Microseconds of CPU of one certificate read by its key, one statement each."""
    started = time.process_time()
    async with rig.parts.db.connection() as conn:
        for at in range(TIMES):
            await read_one_standing(conn, *keys[at % len(keys)])
    return (time.process_time() - started) / TIMES * 1e6


async def redis_set(rig: Rig) -> float:
    """Microseconds of CPU of one SET of a binding's size."""
    started = time.process_time()
    for _ in range(TIMES):
        await rig.parts.redis.set(b"bench:" + secrets.token_bytes(16), b"x" * 190, lifetime_seconds=60)
    return (time.process_time() - started) / TIMES * 1e6


async def redis_get(rig: Rig) -> float:
    """Microseconds of CPU of one GET of a binding's size."""
    await rig.parts.redis.set(b"bench:get", b"x" * 190, lifetime_seconds=60)
    started = time.process_time()
    for _ in range(TIMES):
        await rig.parts.redis.get(b"bench:get")
    return (time.process_time() - started) / TIMES * 1e6
