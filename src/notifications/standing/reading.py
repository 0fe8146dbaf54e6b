"""An operator sees what is due in each lane, and how late: at a bounded cost, however long the line is."""

from collections import defaultdict
from datetime import datetime

from kernel.db import Connection
from kernel.ids import BUCKETS
from notifications.model import Lane
from notifications.standing import queries
from notifications.standing.model import OF_BUCKET_MAX, PATIENCE, Counted, Lanes, LaneStanding
from notifications.standing.queries import InBucket


async def lanes(conn: Connection, *, now: datetime) -> Lanes:
    """Every lane. Of no sort are more than `OF_BUCKET_MAX` and one rows of a bucket read."""
    by_lane: dict[Lane, list[InBucket]] = defaultdict(list)
    for one in await queries.count_lanes(conn, range(BUCKETS), now=now, limit=OF_BUCKET_MAX + 1):
        by_lane[one.lane].append(one)
    awaiting: dict[Lane, int] = defaultdict(int)
    awaiting_in: dict[int, int] = defaultdict(int)
    for bucket, lane, count in await queries.count_awaiting(conn, range(BUCKETS), limit=OF_BUCKET_MAX + 1):
        awaiting[lane] += count
        awaiting_in[bucket] += count
    together = Counted.of(awaiting_in.values())
    return Lanes(
        [
            _lane(lane, by_lane[lane], None if together.is_more else Counted(awaiting[lane], is_more=False), now)
            for lane in Lane
        ],
        together,
    )


def _lane(lane: Lane, found: list[InBucket], awaiting_receipt: Counted | None, now: datetime) -> LaneStanding:
    since = [moment for one in found for moment in (one.due_since, one.tried_since) if moment is not None]
    late_by = now - min(since) if since else None
    return LaneStanding(
        lane=lane.name.lower(),
        due=Counted.of([one.due for one in found]),
        waiting=Counted.of([one.waiting for one in found]),
        awaiting_receipt=awaiting_receipt,
        oldest_seconds=None if late_by is None else int(late_by.total_seconds()),
        is_late=late_by is not None and late_by > PATIENCE[lane],
    )
