"""Every statement that counts messages."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from kernel.db import Connection, Row
from kernel.grouping import Many
from notifications.model import Channel, DeliveryStage
from notifications.statistics.model import Change


class TallyRow(Struct, frozen=True):
    """A row of `notifications.taken_tally`, its columns in order."""

    caller: str
    tally_id: UUID
    taken_at: datetime
    day: date
    template: str
    version: int
    channel: Channel
    is_direct: bool
    count: int


INSERT_TALLIES = Many(
    """
    -- notifications.insert_tallies
    INSERT INTO notifications.taken_tally
           (caller, tally_id, taken_at, day, template, version, channel, is_direct, count)
    VALUES {rows}
    """,
    columns=9,
    sizes=(1, 4, 16),
)


async def insert_tallies(conn: Connection, rows: Sequence[TallyRow]) -> None:
    await INSERT_TALLIES.fetch(conn, [msgspec.structs.astuple(row) for row in rows])


async def select_tallied(conn: Connection, *, limit: int) -> list[tuple[str, UUID]]:
    """The oldest tallies that are not added up yet: of whom, and their ids."""
    rows = await conn.fetch(
        """
        -- notifications.select_tallied
        SELECT caller, tally_id FROM notifications.taken_tally ORDER BY taken_at LIMIT $1
        """,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def add_up_tallies(conn: Connection, caller: str, tally_ids: Sequence[UUID]) -> None:
    """Add tallies of one sender to the counts of their days; those that somebody else added are gone."""
    await conn.execute(
        """
        -- notifications.add_up_tallies
        WITH gone AS (
            DELETE FROM notifications.taken_tally WHERE caller = $1 AND tally_id = ANY($2::uuid[])
            RETURNING caller, day, template, version, channel, is_direct, count)
        INSERT INTO notifications.sent_count AS c (caller, day, template, version, channel, is_direct, accepted,
                                                   delivered, failed, unknown, withdrawn, segments)
        SELECT caller, day, template, version, channel, is_direct, sum(count), 0, 0, 0, 0, 0 FROM gone
         GROUP BY caller, day, template, version, channel, is_direct
         ORDER BY caller, day, template, version, channel, is_direct
        ON CONFLICT (caller, day, template, version, channel, is_direct)
        DO UPDATE SET accepted = c.accepted + EXCLUDED.accepted
        """,
        caller, tally_ids,
    )  # fmt: skip


# ---- what ended

SELECT_UNCOUNTED = """
    -- notifications.select_uncounted
    SELECT $1::integer AS bucket
     WHERE EXISTS (SELECT 1 FROM notifications.delivery
                    WHERE bucket = $1 AND ended_at IS NOT NULL AND counted IS DISTINCT FROM stage)
    """


async def select_uncounted(conn: Connection, buckets: Sequence[int]) -> list[int]:
    """Which buckets hold deliveries whose end is not counted."""
    rows = await conn.fetchmany(SELECT_UNCOUNTED, [(bucket,) for bucket in buckets])
    return [row["bucket"] for row in rows]


class Ended(Struct, frozen=True):
    """So many deliveries ended alike. `counted`: how they were counted before, if they were."""

    caller: str
    template: str
    version: int
    batch_id: UUID | None
    is_direct: bool
    day: date
    channel: Channel
    counted: DeliveryStage | None
    stage: DeliveryStage
    count: int
    segments: int


async def count_ended(conn: Connection, bucket: int, *, limit: int) -> list[Ended]:
    """Mark up to `limit` ended deliveries of a bucket as counted, skipping those others are counting; in groups.

    Segments are the parts of SMS that arrived, and one for each attempt of which no part is known to have.
    """
    rows = await conn.fetch(
        """
        -- notifications.count_ended
        WITH due AS MATERIALIZED (
            SELECT message_id, channel, stage, counted FROM notifications.delivery
             WHERE bucket = $1 AND ended_at IS NOT NULL AND counted IS DISTINCT FROM stage
             LIMIT $2 FOR UPDATE SKIP LOCKED),
        marked AS (
            UPDATE notifications.delivery AS d SET counted = due.stage FROM due
             WHERE d.bucket = $1 AND d.message_id = due.message_id AND d.channel = due.channel),
        sent AS (
            SELECT a.message_id, a.channel, sum(greatest(1, bit_count(a.told::bit(32)))) AS parts
              FROM notifications.attempt AS a JOIN due ON due.message_id = a.message_id AND due.channel = a.channel
             WHERE a.bucket = $1 AND a.channel = 'sms' AND a.outcome IS DISTINCT FROM 'rejected' AND due.counted IS NULL
             GROUP BY a.message_id, a.channel)
        SELECT m.caller, m.template, m.version, m.batch_id, m.address IS NOT NULL AS is_direct,
               (m.owed_at AT TIME ZONE 'Asia/Shanghai')::date AS day, due.channel, due.counted, due.stage,
               count(*), coalesce(sum(sent.parts), 0)::bigint
          FROM due JOIN notifications.message AS m ON m.bucket = $1 AND m.message_id = due.message_id
          LEFT JOIN sent ON sent.message_id = due.message_id AND sent.channel = due.channel
         GROUP BY m.caller, m.template, m.version, m.batch_id, m.address IS NOT NULL,
                  (m.owed_at AT TIME ZONE 'Asia/Shanghai')::date, due.channel, due.counted, due.stage
        """,
        bucket, limit,
    )  # fmt: skip
    return [_ended_of(row) for row in rows]


def _ended_of(row: Row) -> Ended:
    caller, template, version, batch_id, is_direct, day, channel, counted, stage, count, segments = row
    before = None if counted is None else DeliveryStage(counted)
    return Ended(
        caller, template, version, batch_id, is_direct, day, channel, before, DeliveryStage(stage), count, segments
    )


Place = tuple[str, date, str, int, Channel, bool]
"""Of whom, which day, text, version and channel, and whether to a recipient the sender named."""

ADD_COUNTS = Many(
    """
    -- notifications.add_counts
    INSERT INTO notifications.sent_count AS c (caller, day, template, version, channel, is_direct, accepted, delivered,
                                               failed, unknown, withdrawn, segments)
    VALUES {rows}
    ON CONFLICT (caller, day, template, version, channel, is_direct) DO UPDATE
       SET delivered = c.delivered + EXCLUDED.delivered, failed = c.failed + EXCLUDED.failed,
           unknown = c.unknown + EXCLUDED.unknown, withdrawn = c.withdrawn + EXCLUDED.withdrawn,
           segments = c.segments + EXCLUDED.segments
    """,
    columns=11,
    row="({}, {}, {}, {}, {}, {}, 0, {}, {}, {}, {}, {})",
    sizes=(1, 4, 16, 64),
)


async def add_counts(conn: Connection, changes: Sequence[tuple[Place, Change]]) -> None:
    """Change counts, given in the order of their places, so that nobody waits in a circle."""
    await ADD_COUNTS.fetch(conn, [(*place, *msgspec.structs.astuple(change)) for place, change in changes])


ADD_BATCH_COUNTS = Many(
    """
    -- notifications.add_batch_counts
    INSERT INTO notifications.batch_tally AS t (batch_id, delivered, failed, unknown, withdrawn) VALUES {rows}
    ON CONFLICT (batch_id) DO UPDATE
       SET delivered = t.delivered + EXCLUDED.delivered, failed = t.failed + EXCLUDED.failed,
           unknown = t.unknown + EXCLUDED.unknown, withdrawn = t.withdrawn + EXCLUDED.withdrawn
    """,
    columns=5,
    sizes=(1, 4, 16),
)


async def add_batch_counts(conn: Connection, changes: Sequence[tuple[UUID, Change]]) -> None:
    """Change what is known of batches, given in the order of their ids."""
    rows = [
        (batch_id, change.delivered, change.failed, change.unknown, change.withdrawn) for batch_id, change in changes
    ]
    await ADD_BATCH_COUNTS.fetch(conn, rows)


# ---- read


class Counted(Struct, frozen=True):
    """The counts of a day for a text on a channel."""

    caller: str
    day: date
    template: str
    version: int
    channel: Channel
    is_direct: bool
    accepted: int
    delivered: int
    failed: int
    unknown: int
    withdrawn: int
    segments: int


async def select_counts(conn: Connection, caller: str | None, *, first: date, last: date, limit: int) -> list[Counted]:
    """The counts of some days, newest day first: one sender's or everybody's; what was taken just now is in them."""
    rows = await conn.fetch(
        """
        -- notifications.select_counts
        SELECT caller, day, template, version, channel, is_direct, sum(accepted)::bigint, sum(delivered)::bigint,
               sum(failed)::bigint, sum(unknown)::bigint, sum(withdrawn)::bigint, sum(segments)::bigint
          FROM (SELECT caller, day, template, version, channel, is_direct, accepted, delivered, failed, unknown,
                       withdrawn, segments
                  FROM notifications.sent_count
                 WHERE day BETWEEN $2 AND $3 AND ($1::text IS NULL OR caller = $1)
                UNION ALL
                SELECT caller, day, template, version, channel, is_direct, count, 0, 0, 0, 0, 0
                  FROM notifications.taken_tally
                 WHERE day BETWEEN $2 AND $3 AND ($1::text IS NULL OR caller = $1)) AS every
         GROUP BY caller, day, template, version, channel, is_direct
         ORDER BY day DESC, caller, template, version, channel, is_direct LIMIT $4
        """,
        caller, first, last, limit,
    )  # fmt: skip
    return [Counted(*row) for row in rows]
