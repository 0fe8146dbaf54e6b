"""Every statement on holds, and on who has a place of a full slot."""

from collections.abc import Sequence
from datetime import datetime

from appointments.model import Hold
from appointments.queries import BookingKey
from kernel.db import Connection
from kernel.ids import BookingId, PersonId, ServiceId, SlotId


async def select_holds(conn: Connection, person_ids: Sequence[PersonId]) -> list[Hold]:
    """Everything that is or was held for these people and is not yet forgotten."""
    rows = await conn.fetch(
        """
        -- appointments.select_holds
        SELECT person_id, service_id, booking_id, slot_id, seq, hold_until, waiting_id, held_at
          FROM appointments.hold WHERE person_id = ANY ($1) ORDER BY person_id, held_at, booking_id
        """,
        list(person_ids),
    )
    return [Hold(**dict(row)) for row in rows]


async def select_holds_ended(conn: Connection, limit: int, *, now: datetime) -> list[Hold]:
    """Chosen places whose minutes are over, longest ago first. What was offered is looked after by the waiting list."""
    rows = await conn.fetch(
        """
        -- appointments.select_holds_ended
        SELECT person_id, service_id, booking_id, slot_id, seq, hold_until, waiting_id, held_at
          FROM appointments.hold WHERE hold_until < $1 AND waiting_id IS NULL ORDER BY hold_until LIMIT $2
        """,
        now, limit,
    )  # fmt: skip
    return [Hold(**dict(row)) for row in rows]


async def lock_hold(conn: Connection, person_id: PersonId, service_id: ServiceId) -> Hold | None:
    row = await conn.fetchrow(
        """
        -- appointments.lock_hold
        SELECT person_id, service_id, booking_id, slot_id, seq, hold_until, waiting_id, held_at
          FROM appointments.hold WHERE person_id = $1 AND service_id = $2 FOR UPDATE
        """,
        person_id, service_id,
    )  # fmt: skip
    return None if row is None else Hold(**dict(row))


async def insert_hold(conn: Connection, hold: Hold) -> bool:
    """File a hold; false when this person has one of this service."""
    made = await conn.fetchval(
        """
        -- appointments.insert_hold
        INSERT INTO appointments.hold (person_id, service_id, booking_id, slot_id, seq, hold_until, waiting_id, held_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING TRUE
        """,
        hold.person_id, hold.service_id, hold.booking_id, hold.slot_id, hold.seq, hold.hold_until, hold.waiting_id,
        hold.held_at,
    )  # fmt: skip
    return bool(made)


async def end_hold(conn: Connection, hold: Hold) -> None:
    await conn.execute(
        """
        -- appointments.end_hold
        DELETE FROM appointments.hold WHERE person_id = $1 AND service_id = $2 AND booking_id = $3
        """,
        hold.person_id, hold.service_id, hold.booking_id,
    )  # fmt: skip


async def free_stale_place(conn: Connection, slot_id: SlotId, key: BookingKey, *, now: datetime) -> None:
    """Free what was held under this id and is over: the same id is about to have another place of the slot."""
    await conn.execute(
        """
        -- appointments.free_stale_place
        UPDATE appointments.place SET person_id = NULL, booking_id = NULL, hold_until = NULL
         WHERE slot_id = $1 AND person_id = $2 AND booking_id = $3 AND hold_until < $4
        """,
        slot_id, *key, now,
    )  # fmt: skip


async def select_keys_of_places(conn: Connection, slot_id: SlotId) -> list[BookingKey]:
    """Whose the places of a slot are, booked or held."""
    rows = await conn.fetch(
        """
        -- appointments.select_keys_of_places
        SELECT person_id, booking_id FROM appointments.place WHERE slot_id = $1 AND booking_id IS NOT NULL
        """,
        slot_id,
    )
    return [(PersonId(row[0]), BookingId(row[1])) for row in rows]


async def select_keys_that_left(conn: Connection, slot_id: SlotId, limit: int) -> list[BookingKey]:
    """Up to `limit` bookings that asked for this slot and have a place of it no more: cancelled, or moved away."""
    rows = await conn.fetch(
        """
        -- appointments.select_keys_that_left
        SELECT person_id, booking_id FROM appointments.booking WHERE slot_id = $1 AND stage = 'cancelled'
         UNION ALL
        SELECT person_id, booking_id FROM appointments.booking WHERE asked_slot_id = $1 AND asked_slot_id <> slot_id
         LIMIT $2
        """,
        slot_id, limit,
    )  # fmt: skip
    return [(PersonId(row[0]), BookingId(row[1])) for row in rows]
