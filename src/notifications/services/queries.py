"""Every statement about the messages that services ask for, and how many they were on a day."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import DepartmentId, MessageId
from notifications.model import Channel, DeliveryStage, Lane, MessageStage
from notifications.services.model import KeyKind, Rehearsal, Request, Seen

# ---- how much was sent today

PUT_DAY_COUNTS = Many(
    """
    -- notifications.put_day_counts
    INSERT INTO notifications.service_day (service_id, day, process_id, accepted) VALUES {rows}
    ON CONFLICT (service_id, day, process_id) DO UPDATE SET accepted = EXCLUDED.accepted
    """,
    columns=4,
)


async def put_day_counts(
    conn: Connection, day: date, process_id: UUID, accepted: Sequence[tuple[DepartmentId, int]]
) -> None:
    """Write how many this process accepted of each service on a day; services in order."""
    await PUT_DAY_COUNTS.fetch(conn, [(service_id, day, process_id, count) for service_id, count in accepted])


async def select_day_counts(conn: Connection, day: date, *, but_of: UUID) -> dict[DepartmentId, int]:
    """How many all other processes accepted on a day, by service."""
    rows = await conn.fetch(
        """
        -- notifications.select_day_counts
        SELECT service_id, sum(accepted)::bigint FROM notifications.service_day
         WHERE day = $1 AND process_id <> $2 GROUP BY service_id
        """,
        day, but_of,
    )  # fmt: skip
    return {row[0]: row[1] for row in rows}


async def delete_day_counts(conn: Connection, *, before: date) -> None:
    await conn.execute(
        """
        -- notifications.delete_day_counts
        DELETE FROM notifications.service_day WHERE day < $1
        """,
        before,
    )


# ---- accepting


class NewRow(msgspec.Struct, frozen=True):
    """A message that a service asks for, as it is owed; `stage` is `routed` where no carrier is to have it."""

    bucket: int
    message_id: MessageId
    caller: str
    key: str
    person_id: UUID | None
    address: bytes | None
    template: str
    version: int
    lane: Lane
    sealed_values: bytes
    owed_at: datetime
    due_at: datetime
    expires_at: datetime
    stage: MessageStage


ACCEPT_MESSAGES = Many(
    """
    -- notifications.accept_messages
    INSERT INTO notifications.message (bucket, message_id, caller, key, person_id, address, template, version, lane,
                                       sealed_values, owed_at, due_at, expires_at, stage)
    VALUES {rows}
    ON CONFLICT (bucket, caller, key) DO NOTHING RETURNING message_id
    """,
    columns=14,
)


async def accept_messages(conn: Connection, rows: Sequence[tuple[object, ...]]) -> set[MessageId]:
    """Owe messages, given as the fields of `NewRow`, sorted by bucket, caller and key; which of them are new."""
    return {row[0] for row in await ACCEPT_MESSAGES.fetch(conn, rows)}


ACCEPT_REQUESTS = Many(
    """
    -- notifications.accept_requests
    INSERT INTO notifications.request (service_id, message_id, channel, template, version, reference, kind, created_at,
                                       send_at, asked)
    VALUES {rows}
    """,
    columns=10,
)


async def accept_requests(conn: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    await ACCEPT_REQUESTS.fetch(conn, rows)


ACCEPT_REHEARSALS = Many(
    """
    -- notifications.accept_rehearsals
    INSERT INTO notifications.rehearsal (bucket, message_id, caller, channel, ending, due_at) VALUES {rows}
    """,
    columns=6,
)


async def accept_rehearsals(conn: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    await ACCEPT_REHEARSALS.fetch(conn, rows)


async def select_accepted(conn: Connection, bucket: int, caller: str, key: str) -> MessageId | None:
    """The message that was accepted under a key before."""
    found = await conn.fetchval(
        """
        -- notifications.select_accepted
        SELECT message_id FROM notifications.message WHERE bucket = $1 AND caller = $2 AND key = $3
        """,
        bucket, caller, key,
    )  # fmt: skip
    return None if found is None else MessageId(found)


class First(msgspec.Struct, frozen=True):
    """What was asked for first under a key."""

    asked: bytes | None
    created_at: datetime
    send_at: datetime


async def select_first_asked(conn: Connection, service_id: DepartmentId, message_id: MessageId) -> First | None:
    row = await conn.fetchrow(
        """
        -- notifications.select_first_asked
        SELECT asked, created_at, send_at FROM notifications.request WHERE service_id = $1 AND message_id = $2
        """,
        service_id, message_id,
    )  # fmt: skip
    return None if row is None else First(*row)


# ---- what became of it


async def select_request(conn: Connection, service_id: DepartmentId, message_id: MessageId) -> Request | None:
    row = await conn.fetchrow(
        """
        -- notifications.select_request
        SELECT message_id, channel, template, version, reference, kind, created_at, send_at, batch_id
          FROM notifications.request WHERE service_id = $1 AND message_id = $2
        """,
        service_id, message_id,
    )  # fmt: skip
    return None if row is None else Request(*row)


class Wanted(msgspec.Struct, frozen=True):
    """Which of a service's messages are looked for; None: whatever they have there."""

    kind: KeyKind | None = None
    channels: tuple[Channel, ...] = ("inbox", "sms", "email")
    template: str | None = None
    reference: str | None = None
    with_batches: bool = True


async def select_requests(
    conn: Connection, service_id: DepartmentId, wanted: Wanted, *, before: UUID, limit: int
) -> list[Request]:
    """Messages that a service asked for before the given one, newest first."""
    if wanted.reference is not None:
        return await select_requests_by_reference(conn, service_id, wanted, before=before, limit=limit)
    if not wanted.with_batches and wanted.kind is not None:
        return await select_single_requests(conn, service_id, wanted, before=before, limit=limit)
    rows = await conn.fetch(
        """
        -- notifications.select_requests
        SELECT message_id, channel, template, version, reference, kind, created_at, send_at, batch_id
          FROM notifications.request
         WHERE service_id = $1 AND message_id < $2 AND channel = ANY($3) AND ($4::text IS NULL OR kind = $4)
           AND ($5::text IS NULL OR template = $5) AND ($6 OR batch_id IS NULL)
         ORDER BY message_id DESC LIMIT $7
        """,
        service_id, before, wanted.channels, wanted.kind, wanted.template, wanted.with_batches, limit,
    )  # fmt: skip
    return [Request(*row) for row in rows]


async def select_single_requests(
    conn: Connection, service_id: DepartmentId, wanted: Wanted, *, before: UUID, limit: int
) -> list[Request]:
    """Those of one kind of key that no batch made, found without passing what batches made."""
    rows = await conn.fetch(
        """
        -- notifications.select_single_requests
        SELECT message_id, channel, template, version, reference, kind, created_at, send_at, batch_id
          FROM notifications.request
         WHERE service_id = $1 AND kind = $4 AND batch_id IS NULL AND message_id < $2 AND channel = ANY($3)
           AND ($5::text IS NULL OR template = $5)
         ORDER BY message_id DESC LIMIT $6
        """,
        service_id, before, wanted.channels, wanted.kind, wanted.template, limit,
    )  # fmt: skip
    return [Request(*row) for row in rows]


async def select_requests_by_reference(
    conn: Connection, service_id: DepartmentId, wanted: Wanted, *, before: UUID, limit: int
) -> list[Request]:
    """Those of one reference; the same otherwise."""
    rows = await conn.fetch(
        """
        -- notifications.select_requests_by_reference
        SELECT message_id, channel, template, version, reference, kind, created_at, send_at, batch_id
          FROM notifications.request
         WHERE service_id = $1 AND reference = $8 AND message_id < $2 AND channel = ANY($3)
           AND ($4::text IS NULL OR kind = $4) AND ($5::text IS NULL OR template = $5) AND ($6 OR batch_id IS NULL)
         ORDER BY message_id DESC LIMIT $7
        """,
        service_id, before, wanted.channels, wanted.kind, wanted.template, wanted.with_batches, limit, wanted.reference,
    )  # fmt: skip
    return [Request(*row) for row in rows]


SELECT_SEEN = Many(
    """
    -- notifications.select_seen
    SELECT m.message_id, m.stage, m.address IS NOT NULL, d.stage, a.intended_at, d.ended_at, d.reason,
           r.ending, r.ended_at, r.withdrawn
      FROM (VALUES {rows}) AS v (bucket, message_id, channel)
      JOIN notifications.message AS m ON m.bucket = v.bucket AND m.message_id = v.message_id
      LEFT JOIN notifications.delivery AS d
        ON d.bucket = v.bucket AND d.message_id = v.message_id AND d.channel = v.channel
      LEFT JOIN notifications.attempt AS a
        ON a.bucket = v.bucket AND a.message_id = v.message_id AND a.channel = v.channel AND a.fence = d.fence
      LEFT JOIN notifications.rehearsal AS r ON r.bucket = v.bucket AND r.message_id = v.message_id
    """,
    columns=3,
    row="({}::integer, {}::uuid, {}::text)",
)


async def select_seen(conn: Connection, places: Sequence[tuple[int, MessageId, Channel]]) -> dict[MessageId, Seen]:
    """What the pipeline knows of messages, by id; of what was forgotten nothing."""
    found = {}
    for row in await SELECT_SEEN.fetch(conn, places):
        rehearsal = None if row[7] is None else Rehearsal(DeliveryStage(row[7]), row[8], row[9])
        delivery = None if row[3] is None else DeliveryStage(row[3])
        found[MessageId(row[0])] = Seen(
            row[0], MessageStage(row[1]), row[2], delivery, row[4], row[5], row[6], rehearsal
        )
    return found


async def count_requests(conn: Connection, service_id: DepartmentId) -> int:
    """How many messages a service asked for."""
    count = await conn.fetchval(
        """
        -- notifications.count_requests
        SELECT count(*) FROM notifications.request WHERE service_id = $1
        """,
        service_id,
    )
    return int(count)


# ---- rehearsals

SELECT_REHEARSED = """
    -- notifications.select_rehearsed
    SELECT $1::integer AS bucket
     WHERE EXISTS (SELECT 1 FROM notifications.rehearsal WHERE bucket = $1 AND ended_at IS NULL AND due_at <= $2)
    """


async def select_rehearsed(conn: Connection, buckets: Sequence[int], *, now: datetime) -> list[int]:
    """Which buckets hold a rehearsal that is due to end."""
    rows = await conn.fetchmany(SELECT_REHEARSED, [(bucket, now) for bucket in buckets])
    return [row["bucket"] for row in rows]


class Rehearsed(msgspec.Struct, frozen=True):
    """A message that ended without a carrier."""

    message_id: MessageId
    caller: str
    channel: Channel
    ending: DeliveryStage


async def end_rehearsals(conn: Connection, bucket: int, *, now: datetime, limit: int) -> list[Rehearsed]:
    """End rehearsals of a bucket that are due, earliest first, skipping those others are ending."""
    rows = await conn.fetch(
        """
        -- notifications.end_rehearsals
        WITH due AS MATERIALIZED (
            SELECT message_id FROM notifications.rehearsal
             WHERE bucket = $1 AND ended_at IS NULL AND due_at <= $2
             ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        UPDATE notifications.rehearsal AS r SET ended_at = $2 FROM due
         WHERE r.bucket = $1 AND r.message_id = due.message_id
        RETURNING r.message_id, r.caller, r.channel, r.ending
        """,
        bucket, now, limit,
    )  # fmt: skip
    return [Rehearsed(row[0], row[1], row[2], DeliveryStage(row[3])) for row in rows]


async def withdraw_rehearsal(
    conn: Connection, bucket: int, message_id: MessageId, caller: str, *, now: datetime
) -> tuple[DeliveryStage, bool] | None:
    """How a rehearsal of the caller's was to end, and whether to a number or an address; None if it has ended."""
    row = await conn.fetchrow(
        """
        -- notifications.withdraw_rehearsal
        UPDATE notifications.rehearsal AS r SET ended_at = $4, withdrawn = TRUE FROM notifications.message AS m
         WHERE r.bucket = $1 AND r.message_id = $2 AND r.caller = $3 AND r.ended_at IS NULL
           AND m.bucket = $1 AND m.message_id = $2
        RETURNING r.ending, m.address IS NOT NULL
        """,
        bucket, message_id, caller, now,
    )  # fmt: skip
    return None if row is None else (DeliveryStage(row[0]), row[1])


async def withdraw_owed(conn: Connection, bucket: int, message_id: MessageId, caller: str) -> bool | None:
    """Withdraw a message of the caller's that is owed: whether it was to a number or an address; None if none was."""
    is_direct: bool | None = await conn.fetchval(
        """
        -- notifications.withdraw_owed
        UPDATE notifications.message SET stage = 'withdrawn'
         WHERE bucket = $1 AND message_id = $2 AND caller = $3 AND stage = 'owed' RETURNING address IS NOT NULL
        """,
        bucket, message_id, caller,
    )  # fmt: skip
    return is_direct


async def withdraw_waiting(conn: Connection, bucket: int, message_id: MessageId, *, now: datetime) -> Channel | None:
    """The channel of the delivery that waited for another try, and now is taken back; None if none did."""
    channel: Channel | None = await conn.fetchval(
        """
        -- notifications.withdraw_waiting
        UPDATE notifications.delivery SET stage = 'withdrawn', next_at = NULL, ended_at = $3
         WHERE bucket = $1 AND message_id = $2 AND stage = 'waiting' RETURNING channel
        """,
        bucket, message_id, now,
    )  # fmt: skip
    return channel


class Sealed(msgspec.Struct, frozen=True):
    """What a message says and where it goes, sealed."""

    message_id: MessageId
    address: bytes | None
    sealed_values: bytes


SELECT_SEALED = Many(
    """
    -- notifications.select_sealed
    SELECT m.message_id, m.address, m.sealed_values
      FROM (VALUES {rows}) AS v (bucket, message_id)
      JOIN notifications.message AS m ON m.bucket = v.bucket AND m.message_id = v.message_id
    """,
    columns=2,
    row="({}::integer, {}::uuid)",
)


async def select_sealed(conn: Connection, places: Sequence[tuple[int, MessageId]]) -> dict[MessageId, Sealed]:
    return {row[0]: Sealed(*row) for row in await SELECT_SEALED.fetch(conn, places)}
