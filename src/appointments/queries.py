"""Every statement on places, bookings and what is due to them."""

from collections.abc import Sequence
from datetime import datetime

from appointments.due import Due, due_bucket
from appointments.model import Booking, Channel, EndedBy, Hold, Lane, Seq, Stage
from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import BookingId, PersonId, ServiceId, SlotId

BookingKey = tuple[PersonId, BookingId]
DueKey = tuple[PersonId, BookingId, int]
"""Whose booking, which, and the version of it that something is due for."""


def booking_of(row: Row) -> Booking:
    ended_by = row["ended_by"]
    return Booking(
        **(
            dict(row)
            | {
                "stage": Stage(row["stage"]),
                "lane": Lane(row["lane"]),
                "channel": Channel(row["channel"]),
                "ended_by": None if ended_by is None else EndedBy(ended_by),
            }
        )
    )


async def claim_places(conn: Connection, slot_id: SlotId, wanted: int, *, now: datetime) -> list[Seq]:
    """Lock up to `wanted` free places of one slot, lowest first, skipping those others are taking.

    A place whose hold has expired is free; in a slot that was withdrawn, none is.

    Fewer than `wanted` may mean "taken at this moment": `recheck_places` decides before anyone is told "full".
    """
    rows = await conn.fetch(
        """
        -- appointments.claim_places
        SELECT seq FROM appointments.place
         WHERE slot_id = $1 AND (booking_id IS NULL OR hold_until < $2)
           AND NOT EXISTS (SELECT FROM appointments.slot WHERE slot_id = $1 AND withdrawn_at IS NOT NULL)
         ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        slot_id, now, wanted,
    )  # fmt: skip
    return [row["seq"] for row in rows]


async def recheck_places(conn: Connection, slot_id: SlotId, wanted: int, *, now: datetime) -> list[Seq]:
    """Lock up to `wanted` free places, waiting for those others are taking. None means that the slot is full.

    Only for a transaction that holds no place yet: two that wait for each other's places would deadlock.
    """
    rows = await conn.fetch(
        """
        -- appointments.recheck_places
        SELECT seq FROM appointments.place
         WHERE slot_id = $1 AND (booking_id IS NULL OR hold_until < $2)
           AND NOT EXISTS (SELECT FROM appointments.slot WHERE slot_id = $1 AND withdrawn_at IS NOT NULL)
         ORDER BY seq LIMIT $3 FOR UPDATE
        """,
        slot_id, now, wanted,
    )  # fmt: skip
    return [row["seq"] for row in rows]


_TAKE_PLACES = Many(
    """
    -- appointments.take_places
    UPDATE appointments.place AS place SET person_id = taken.person_id, booking_id = taken.booking_id, hold_until = NULL
      FROM (VALUES {rows}) AS taken (seq, person_id, booking_id)
     WHERE place.slot_id = $1 AND place.seq = taken.seq AND (place.booking_id IS NULL OR place.hold_until IS NOT NULL)
    RETURNING place.seq
    """,
    shared=1,
    columns=3,
    row="({}::integer, {}::uuid, {}::uuid)",
)


async def take_places(conn: Connection, slot_id: SlotId, taken: Sequence[tuple[Seq, BookingKey]]) -> None:
    """Write into locked places whose they are now."""
    rows = await _TAKE_PLACES.fetch(conn, [(seq, *key) for seq, key in taken], slot_id)
    assert len(rows) == len(taken), "a place that we hold locked is ours to take"


async def lock_place(conn: Connection, slot_id: SlotId, seq: Seq) -> None:
    await conn.execute(
        """
        -- appointments.lock_place
        SELECT seq FROM appointments.place WHERE slot_id = $1 AND seq = $2 FOR UPDATE
        """,
        slot_id, seq,
    )  # fmt: skip


async def lock_held_place(conn: Connection, hold: Hold) -> bool:
    """Lock the place of a hold; whether it still is that hold's, its minutes over or not."""
    is_theirs: bool | None = await conn.fetchval(
        """
        -- appointments.lock_held_place
        SELECT hold_until IS NOT NULL AND person_id = $3 AND booking_id = $4 FROM appointments.place
         WHERE slot_id = $1 AND seq = $2 FOR UPDATE
        """,
        hold.slot_id, hold.seq, hold.person_id, hold.booking_id,
    )  # fmt: skip
    return bool(is_theirs)


async def hold_place(conn: Connection, hold: Hold) -> None:
    """Write into a locked free place for whom it is held."""
    held = await conn.fetchval(
        """
        -- appointments.hold_place
        UPDATE appointments.place SET person_id = $3, booking_id = $4, hold_until = $5
         WHERE slot_id = $1 AND seq = $2 AND (booking_id IS NULL OR hold_until IS NOT NULL) RETURNING TRUE
        """,
        hold.slot_id, hold.seq, hold.person_id, hold.booking_id, hold.hold_until,
    )  # fmt: skip
    assert held, "a place that we hold locked is ours to keep"


async def free_place(conn: Connection, slot_id: SlotId, seq: Seq, person_id: PersonId, booking_id: BookingId) -> None:
    """Free a locked place that this booking or hold has."""
    freed = await conn.fetchval(
        """
        -- appointments.free_place
        UPDATE appointments.place SET person_id = NULL, booking_id = NULL, hold_until = NULL
         WHERE slot_id = $1 AND seq = $2 AND person_id = $3 AND booking_id = $4 RETURNING TRUE
        """,
        slot_id, seq, person_id, booking_id,
    )  # fmt: skip
    assert freed, "a booking's place names the booking"


_INSERT_BOOKINGS = Many(
    """
    -- appointments.insert_bookings
    INSERT INTO appointments.booking (person_id, booking_id, seq, asked_slot_id, slot_id, service_id, office_id,
                                      starts_at, ends_at, stage, version, cancellable_until, remind_at,
                                      booked_at, changed_at, lane, nth, channel, agent_id, mandate_id)
    VALUES {rows} ON CONFLICT DO NOTHING RETURNING person_id, booking_id
    """,
    shared=9,
    columns=7,
    row="({}, {}, {}, $1, $1, $2, $3, $4, $5, 'booked', 1, $6, $7, $8, $8, $9, {}, {}, {}, {})",
)


async def insert_bookings(conn: Connection, drafts: Sequence[tuple[Booking, int]]) -> set[BookingKey]:
    """Write bookings of one slot in the order given, each with its number among its person's; return the keys of those
    that no constraint refused."""
    shared = drafts[0][0]
    rows = await _INSERT_BOOKINGS.fetch(
        conn,
        [
            (one.person_id, one.booking_id, one.seq, number, one.channel, one.agent_id, one.mandate_id)
            for one, number in drafts
        ],
        shared.slot_id, shared.service_id, shared.office_id, shared.starts_at, shared.ends_at,
        shared.cancellable_until, shared.remind_at, shared.booked_at, shared.lane,
    )  # fmt: skip
    return {(row[0], row[1]) for row in rows}


async def select_standing(
    conn: Connection, person_ids: list[PersonId], service_id: ServiceId, *, now: datetime
) -> list[Row]:
    """What lets people not simply book: each booking before them by its number, a suspension, a hold of this service.

    Most people have none of it, so most answers are short. `what` says which: booked, suspended or held.
    """
    return await conn.fetch(
        """
        -- appointments.select_standing
        SELECT 'booked' AS what, person_id, nth AS seq, NULL::timestamptz AS until, NULL::uuid AS booking_id,
               NULL::uuid AS slot_id, NULL::uuid AS waiting_id, NULL::timestamptz AS held_at
          FROM appointments.booking WHERE person_id = ANY ($1) AND stage = 'booked'
         UNION ALL
        SELECT 'suspended', person_id, NULL, until, NULL, NULL, NULL, NULL
          FROM appointments.suspension
         WHERE person_id = ANY ($1) AND lifted_at IS NULL AND until > $3 AND until > since
         UNION ALL
        SELECT 'held', person_id, seq, hold_until, booking_id, slot_id, waiting_id, held_at
          FROM appointments.hold WHERE person_id = ANY ($1) AND service_id = $2
        """,
        person_ids, service_id, now,
    )  # fmt: skip


async def select_bookings_in_the_way(
    conn: Connection, person_ids: list[PersonId], booking_ids: list[BookingId]
) -> list[Booking]:
    """What these people have booked, and whatever carries one of these ids."""
    rows = await conn.fetch(
        """
        -- appointments.select_bookings_in_the_way
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking
         WHERE person_id = ANY ($1) AND (stage IN ('booked', 'checked_in') OR booking_id = ANY ($2))
        """,
        person_ids, booking_ids,
    )  # fmt: skip
    return [booking_of(row) for row in rows]


async def select_bookings(conn: Connection, keys: list[BookingKey]) -> dict[BookingKey, Booking]:
    rows = await conn.fetch(
        """
        -- appointments.select_bookings
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking WHERE person_id = ANY ($1) AND booking_id = ANY ($2)
        """,
        [key[0] for key in keys], [key[1] for key in keys],
    )  # fmt: skip
    return {(row["person_id"], row["booking_id"]): booking_of(row) for row in rows}


async def lock_bookings(conn: Connection, keys: Sequence[BookingKey]) -> list[Booking]:
    """Lock bookings one after the other, in the order given: each statement names one person."""
    rows = await conn.fetchmany(
        """
        -- appointments.lock_bookings
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking WHERE person_id = $1 AND booking_id = $2 FOR UPDATE
        """,
        keys,
    )
    return [booking_of(row) for row in rows]


async def select_bookings_of_person(
    conn: Connection, person_id: PersonId, before: tuple[datetime, BookingId], limit: int
) -> list[Booking]:
    """A person's bookings from a moment backwards, latest first."""
    rows = await conn.fetch(
        """
        -- appointments.select_bookings_of_person
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking
         WHERE person_id = $1 AND (starts_at, booking_id) < ($2, $3)
         ORDER BY starts_at DESC, booking_id DESC LIMIT $4
        """,
        person_id, *before, limit,
    )  # fmt: skip
    return [booking_of(row) for row in rows]


async def mark_cancelled(conn: Connection, key: BookingKey, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.mark_cancelled
        UPDATE appointments.booking SET stage = 'cancelled', ended_by = 'person', changed_at = $3
         WHERE person_id = $1 AND booking_id = $2
        """,
        *key, now,
    )  # fmt: skip


async def move_booking(conn: Connection, moved: Booking) -> None:
    """Write a booking's new place and hours. Raises asyncpg.ExclusionViolationError: elsewhere then."""
    await conn.execute(
        """
        -- appointments.move_booking
        UPDATE appointments.booking
           SET slot_id = $3, seq = $4, office_id = $5, starts_at = $6, ends_at = $7, version = $8,
               cancellable_until = $9, remind_at = $10, changed_at = $11, lane = $12
         WHERE person_id = $1 AND booking_id = $2
        """,
        moved.person_id, moved.booking_id, moved.slot_id, moved.seq, moved.office_id, moved.starts_at, moved.ends_at,
        moved.version, moved.cancellable_until, moved.remind_at, moved.changed_at, moved.lane,
    )  # fmt: skip


_INSERT_ANSWERS = Many(
    """
    -- appointments.insert_answers
    INSERT INTO appointments.answers (person_id, booking_id, sealed) VALUES {rows}
    ON CONFLICT (person_id, booking_id) DO UPDATE SET sealed = EXCLUDED.sealed
    """,
    columns=3,
)


async def insert_answers(conn: Connection, answers: Sequence[tuple[BookingKey, bytes]]) -> None:
    """Keep what was told with bookings, in place of what was told before."""
    await _INSERT_ANSWERS.fetch(conn, [(*key, sealed) for key, sealed in answers])


async def select_answers(conn: Connection, keys: Sequence[BookingKey]) -> dict[BookingKey, bytes]:
    rows = await conn.fetch(
        """
        -- appointments.select_answers
        SELECT person_id, booking_id, sealed FROM appointments.answers
         WHERE person_id = ANY ($1) AND booking_id = ANY ($2)
        """,
        [key[0] for key in keys], [key[1] for key in keys],
    )  # fmt: skip
    return {(row[0], row[1]): row[2] for row in rows}


# --------------------------------------------------------------------------------------- what falls due by the clock

_INSERT_DUE = Many(
    """
    -- appointments.insert_due
    INSERT INTO appointments.due (bucket, person_id, booking_id, version, what, at)
    VALUES {rows} ON CONFLICT DO NOTHING
    """,
    shared=3,
    columns=3,
    row="({}, {}, {}, $1, $2, $3)",
)


async def insert_due(conn: Connection, keys: Sequence[BookingKey], version: int, what: Due, at: datetime) -> None:
    """Write down what is due to these bookings, in the order of their buckets."""
    rows = sorted((due_bucket(person_id), person_id, booking_id) for person_id, booking_id in keys)
    await _INSERT_DUE.fetch(conn, rows, version, what, at)


async def claim_due(conn: Connection, bucket: int, what: Due, limit: int, *, now: datetime) -> list[DueKey]:
    """Lock up to `limit` rows of a bucket whose hour has come, leaving out those another worker has."""
    rows = await conn.fetch(
        """
        -- appointments.claim_due
        SELECT person_id, booking_id, version FROM appointments.due
         WHERE bucket = $1 AND what = $2 AND at <= $3 ORDER BY at LIMIT $4 FOR UPDATE SKIP LOCKED
        """,
        bucket, what, now, limit,
    )  # fmt: skip
    return [(row[0], row[1], row[2]) for row in rows]


async def turn_due(conn: Connection, bucket: int, turned: Sequence[tuple[DueKey, Due, datetime]]) -> None:
    """What was done gives way to what a booking has before it next, at the hour given with each."""
    await conn.executemany(
        """
        -- appointments.turn_due
        UPDATE appointments.due SET what = $5, at = $6
         WHERE bucket = $1 AND person_id = $2 AND booking_id = $3 AND version = $4
        """,
        [(bucket, *key, what, at) for key, what, at in turned],
    )


async def delete_due(conn: Connection, bucket: int, keys: Sequence[DueKey]) -> None:
    await conn.executemany(
        """
        -- appointments.delete_due
        DELETE FROM appointments.due WHERE bucket = $1 AND person_id = $2 AND booking_id = $3 AND version = $4
        """,
        [(bucket, *key) for key in keys],
    )


async def mark_reminded(conn: Connection, keys: Sequence[DueKey]) -> None:
    await conn.executemany(
        """
        -- appointments.mark_reminded
        UPDATE appointments.booking SET reminded_version = $3 WHERE person_id = $1 AND booking_id = $2
        """,
        keys,
    )


async def mark_missed(conn: Connection, keys: Sequence[BookingKey], *, now: datetime) -> None:
    await conn.executemany(
        """
        -- appointments.mark_missed
        UPDATE appointments.booking SET stage = 'missed', ended_by = 'clock', changed_at = $3
         WHERE person_id = $1 AND booking_id = $2
        """,
        [(*key, now) for key in keys],
    )
