"""Every statement on releases."""

from datetime import datetime

from appointments.rush.model import Release, release_id_of
from kernel.db import Connection


async def select_releases(
    conn: Connection, since: datetime, until: datetime, kept_since: datetime, limit: int, *, now: datetime
) -> list[Release]:
    """Releases that opened after `since` or will by `until`, with slots that begin after `kept_since`, soonest first.

    `slot_ids` are those that can still be booked.
    """
    rows = await conn.fetch(
        """
        -- appointments.select_releases
        SELECT service_id, opens_at, max(least(closes_at, starts_at)) AS closes_at,
               coalesce(sum(places) FILTER (WHERE withdrawn_at IS NULL), 0)::integer AS places,
               coalesce(array_agg(slot_id) FILTER (WHERE withdrawn_at IS NULL AND least(closes_at, starts_at) > $4),
                        '{}') AS slot_ids
          FROM appointments.slot
         WHERE is_gated AND opens_at > $1 AND opens_at <= $2 AND starts_at > $3
         GROUP BY opens_at, service_id ORDER BY opens_at, service_id LIMIT $5
        """,
        since, until, kept_since, now, limit,
    )  # fmt: skip
    return [
        Release(
            release_id=release_id_of(row["service_id"], row["opens_at"]),
            service_id=row["service_id"],
            opens_at=row["opens_at"],
            closes_at=row["closes_at"],
            slot_ids=tuple(row["slot_ids"]),
            places=row["places"],
        )
        for row in rows
    ]
