"""Every statement that counts what waits to be sent: bucket by bucket, each count bounded, all from indexes."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from kernel.db import Connection
from notifications.model import Lane


class InBucket(Struct, frozen=True):
    """What one lane has in one bucket: messages due, deliveries waiting, and since when the oldest of each is due."""

    lane: Lane
    due: int
    due_since: datetime | None
    waiting: int
    tried_since: datetime | None


COUNT_LANES = """
    -- notifications.count_lanes
    SELECT line.lane, due.count, due.since, waiting.count, waiting.since
      FROM (VALUES (0), (1), (2), (3), (4)) AS line (lane)
     CROSS JOIN LATERAL (
            SELECT count(*) AS count, min(one.due_at) AS since
              FROM (SELECT due_at FROM notifications.message
                     WHERE bucket = $1 AND lane = line.lane AND stage = 'owed' AND due_at <= $2
                     ORDER BY due_at LIMIT $3) AS one) AS due
     CROSS JOIN LATERAL (
            SELECT count(*) AS count, min(one.next_at) FILTER (WHERE one.next_at <= $2) AS since
              FROM (SELECT next_at FROM notifications.delivery
                     WHERE bucket = $1 AND lane = line.lane AND stage = 'waiting'
                     ORDER BY next_at LIMIT $3) AS one) AS waiting
    """


async def count_lanes(conn: Connection, buckets: Sequence[int], *, now: datetime, limit: int) -> list[InBucket]:
    """Every lane of every bucket; of each sort `limit` are counted at most, the oldest of them among those."""
    rows = await conn.fetchmany(COUNT_LANES, [(bucket, now, limit) for bucket in buckets])
    return [InBucket(Lane(row[0]), row[1], row[2], row[3], row[4]) for row in rows]


COUNT_AWAITING = """
    -- notifications.count_awaiting
    SELECT $1::integer AS bucket, one.lane, count(*)
      FROM (SELECT lane FROM notifications.delivery
             WHERE bucket = $1 AND stage = 'accepted' AND next_at IS NOT NULL
             ORDER BY next_at LIMIT $2) AS one
     GROUP BY one.lane
    """


async def count_awaiting(conn: Connection, buckets: Sequence[int], *, limit: int) -> list[tuple[int, Lane, int]]:
    """By bucket and lane, how many deliveries await a receipt; in each bucket `limit` are looked at at most."""
    rows = await conn.fetchmany(COUNT_AWAITING, [(bucket, limit) for bucket in buckets])
    return [(row[0], Lane(row[1]), row[2]) for row in rows]
