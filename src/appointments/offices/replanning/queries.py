"""Every statement by which slots are made to fit, and bookings moved or cancelled by the office."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from appointments.model import Booking, Lane, Seq, Slot
from appointments.offices.queries import slot_of
from appointments.queries import BookingKey, booking_of
from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId, SlotId


class Place(msgspec.Struct, frozen=True):
    """A place of a slot as it stands: free, held until a moment, or booked."""

    seq: Seq
    person_id: PersonId | None
    booking_id: BookingId | None
    hold_until: datetime | None

    @property
    def is_booked(self) -> bool:
        return self.booking_id is not None and self.hold_until is None

    def is_held(self, now: datetime) -> bool:
        return self.hold_until is not None and self.hold_until >= now


async def select_planned(
    conn: Connection, office_id: OfficeId, service_id: ServiceId, after: datetime, until: datetime
) -> dict[SlotId, Slot]:
    """The slots of a desk that follow from its hours and begin after one moment and before another."""
    rows = await conn.fetch(
        """
        -- appointments.select_planned
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at, is_planned
          FROM appointments.slot
         WHERE office_id = $1 AND service_id = $2 AND starts_at > $3 AND starts_at < $4 AND is_planned
         ORDER BY starts_at, slot_id
        """,
        office_id, service_id, after, until,
    )  # fmt: skip
    return {row["slot_id"]: slot_of(row) for row in rows}


async def select_last_planned(conn: Connection, office_id: OfficeId, service_id: ServiceId) -> datetime | None:
    """When the last slot begins that was made from a desk's hours."""
    last: datetime | None = await conn.fetchval(
        """
        -- appointments.select_last_planned
        SELECT max(starts_at) FROM appointments.slot WHERE office_id = $1 AND service_id = $2 AND is_planned
        """,
        office_id, service_id,
    )  # fmt: skip
    return last


async def lock_places(conn: Connection, slot_id: SlotId) -> list[Place]:
    """Lock every place of a slot, waiting for whoever is booking or cancelling; they are read as they are then."""
    rows = await conn.fetch(
        """
        -- appointments.lock_places
        SELECT seq, person_id, booking_id, hold_until FROM appointments.place WHERE slot_id = $1 ORDER BY seq FOR UPDATE
        """,
        slot_id,
    )
    return [Place(**dict(row)) for row in rows]


async def delete_places(conn: Connection, slot_id: SlotId, seqs: Sequence[Seq]) -> None:
    await conn.execute(
        """
        -- appointments.delete_places
        DELETE FROM appointments.place WHERE slot_id = $1 AND seq = ANY ($2)
        """,
        slot_id, list(seqs),
    )  # fmt: skip


_INSERT_PLACES = Many(
    """
    -- appointments.insert_places
    INSERT INTO appointments.place (slot_id, seq) VALUES {rows}
    """,
    shared=1,
    columns=1,
    row="($1, {})",
)


async def insert_places(conn: Connection, slot_id: SlotId, seqs: Sequence[int]) -> None:
    await _INSERT_PLACES.fetch(conn, [(seq,) for seq in seqs], slot_id)


async def fit_slot(conn: Connection, slot: Slot, places_before: int) -> bool:
    """Write a slot as it is to be, unless its places are not as many as were locked: somebody else changed it."""
    fitted: Any = await conn.fetchval(
        """
        -- appointments.fit_slot
        UPDATE appointments.slot
           SET places = $3, ends_at = $4, opens_at = $5, closes_at = $6, is_gated = $7, detail = $8::text::jsonb,
               withdrawn_at = $9
         WHERE slot_id = $1 AND places = $2 RETURNING TRUE
        """,
        slot.slot_id, places_before, slot.places, slot.ends_at, slot.opens_at, slot.closes_at, slot.is_gated,
        None if slot.detail is None else msgspec.json.encode(slot.detail).decode(), slot.withdrawn_at,
    )  # fmt: skip
    return fitted is not None


async def lower_places(conn: Connection, slot_id: SlotId) -> None:
    """A place of the slot was deleted."""
    await conn.execute(
        """
        -- appointments.lower_places
        UPDATE appointments.slot SET places = places - 1 WHERE slot_id = $1
        """,
        slot_id,
    )


async def delete_hold(conn: Connection, key: BookingKey) -> None:
    await conn.execute(
        """
        -- appointments.delete_hold
        DELETE FROM appointments.hold WHERE person_id = $1 AND booking_id = $2
        """,
        *key,
    )


async def select_booked_in(conn: Connection, slot_ids: list[SlotId], limit: int) -> list[Booking]:
    """Who is booked in these slots, of one slot whoever booked last first. Nothing is decided on it: each is locked."""
    rows = await conn.fetch(
        """
        -- appointments.select_booked_in
        SELECT person_id, booking_id, asked_slot_id, slot_id, seq, service_id, office_id, starts_at, ends_at,
               stage, version, cancellable_until, remind_at, reminded_version, booked_at, changed_at, checked_in_at,
               lane, channel, agent_id, mandate_id, ended_by, served_at
          FROM appointments.booking WHERE slot_id = ANY ($1) AND stage = 'booked'
         ORDER BY starts_at, slot_id, booked_at DESC, booking_id LIMIT $2
        """,
        slot_ids, limit,
    )  # fmt: skip
    return [booking_of(row) for row in rows]


async def count_booked_in(conn: Connection, slot_ids: list[SlotId]) -> dict[SlotId, int]:
    """How many are booked in each slot; one without any is left out."""
    rows = await conn.fetch(
        """
        -- appointments.count_booked_in
        SELECT slot_id, count(*) AS booked FROM appointments.booking
         WHERE slot_id = ANY ($1) AND stage = 'booked' GROUP BY slot_id
        """,
        slot_ids,
    )
    return {row["slot_id"]: row["booked"] for row in rows}


async def select_withdrawn(
    conn: Connection, office_id: OfficeId, service_id: ServiceId, after: datetime
) -> dict[SlotId, Slot]:
    """The withdrawn slots of a desk that begin after a moment and still have places: somebody is booked there."""
    rows = await conn.fetch(
        """
        -- appointments.select_withdrawn
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at, is_planned
          FROM appointments.slot
         WHERE office_id = $1 AND service_id = $2 AND starts_at > $3 AND withdrawn_at IS NOT NULL AND places > 0
         ORDER BY starts_at, slot_id
        """,
        office_id, service_id, after,
    )  # fmt: skip
    return {row["slot_id"]: slot_of(row) for row in rows}


async def select_with_room(
    conn: Connection, office_id: OfficeId, service_id: ServiceId, lane: Lane, after: datetime, until: datetime,
    limit: int, *, now: datetime,
) -> list[Slot]:  # fmt: skip
    """Slots of a desk and lane between two moments that can be booked now and have a free place."""
    rows = await conn.fetch(
        """
        -- appointments.select_with_room
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at, is_planned
          FROM appointments.slot AS slot
         WHERE office_id = $1 AND service_id = $2 AND lane = $3 AND starts_at > $4 AND starts_at < $5
           AND withdrawn_at IS NULL AND coalesce(opens_at, $7) <= $7 AND coalesce(closes_at, starts_at) > $7
           AND EXISTS (SELECT 1 FROM appointments.place AS place
                        WHERE place.slot_id = slot.slot_id AND (place.booking_id IS NULL OR place.hold_until < $7))
         ORDER BY starts_at, slot_id LIMIT $6
        """,
        office_id, service_id, lane, after, until, limit, now,
    )  # fmt: skip
    return [slot_of(row) for row in rows]


async def move_by_office(conn: Connection, moved: Booking) -> None:
    """Write a booking's new place and hours. Raises asyncpg.ExclusionViolationError: elsewhere then."""
    await conn.execute(
        """
        -- appointments.move_by_office
        UPDATE appointments.booking
           SET slot_id = $3, seq = $4, office_id = $5, starts_at = $6, ends_at = $7, version = $8,
               cancellable_until = $9, remind_at = $10, changed_at = $11, channel = $12
         WHERE person_id = $1 AND booking_id = $2
        """,
        moved.person_id, moved.booking_id, moved.slot_id, moved.seq, moved.office_id, moved.starts_at, moved.ends_at,
        moved.version, moved.cancellable_until, moved.remind_at, moved.changed_at, moved.channel,
    )  # fmt: skip


async def cancel_by_office(conn: Connection, key: BookingKey, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.cancel_by_office
        UPDATE appointments.booking SET stage = 'cancelled', ended_by = 'office', changed_at = $3
         WHERE person_id = $1 AND booking_id = $2
        """,
        *key, now,
    )  # fmt: skip
