"""Every statement on waiting lists, and on places that are kept for who waits."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from appointments.model import DayPart, Lane, Seq, Slot
from appointments.offices.queries import slot_of
from appointments.waiting.model import Waiting, WaitingId, Waits, Wish
from kernel.clock import in_shanghai
from kernel.db import Connection, Row
from kernel.ids import BookingId, PersonId, ServiceId, SlotId


def _wish_of(row: Row) -> Wish:
    day_part = row["day_part"]
    return Wish(
        service_id=row["service_id"],
        office_id=row["office_id"],
        district=row["district"],
        lane=Lane(row["lane"]),
        first_day=row["first_day"],
        last_day=row["last_day"],
        day_part=None if day_part is None else DayPart(day_part),
    )


def _waiting_of(row: Row) -> Waiting:
    return Waiting(
        waiting_id=row["waiting_id"],
        person_id=row["person_id"],
        wish=_wish_of(row),
        stage=Waits(row["stage"]),
        joined_at=row["joined_at"],
        offers=row["offers"],
        slot_id=row["slot_id"],
        seq=row["seq"],
        booking_id=row["booking_id"],
        offered_until=row["offered_until"],
        changed_at=row["changed_at"],
    )


# ------------------------------------------------------------------------------------------------ joining and reading


async def insert_waiting(conn: Connection, fresh: Waiting) -> bool:
    """Write a wait; False if its id is taken, or this person waits for the service already."""
    wish = fresh.wish
    written = await conn.fetchval(
        """
        -- appointments.insert_waiting
        INSERT INTO appointments.waiting (service_id, waiting_id, person_id, office_id, district, lane, first_day,
                                          last_day, day_part, stage, joined_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', $10, $10)
        ON CONFLICT DO NOTHING RETURNING TRUE
        """,
        wish.service_id, fresh.waiting_id, fresh.person_id, wish.office_id, wish.district, wish.lane, wish.first_day,
        wish.last_day, wish.day_part, fresh.joined_at,
    )  # fmt: skip
    return written is True


async def select_waiting_of_person(conn: Connection, person_id: PersonId, waiting_id: WaitingId) -> Waiting | None:
    """A wait by its id; one person's, so that an id somebody else chose says nothing."""
    row = await conn.fetchrow(
        """
        -- appointments.select_waiting_of_person
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting WHERE person_id = $1 AND waiting_id = $2 ORDER BY joined_at DESC LIMIT 1
        """,
        person_id, waiting_id,
    )  # fmt: skip
    return _waiting_of(row) if row else None


async def select_waits_of_person(conn: Connection, person_id: PersonId, limit: int) -> list[Waiting]:
    """A person's waits, those still open first, then the newest."""
    rows = await conn.fetch(
        """
        -- appointments.select_waits_of_person
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting WHERE person_id = $1
         ORDER BY stage IN ('waiting', 'offered') DESC, joined_at DESC, waiting_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip
    return [_waiting_of(row) for row in rows]


async def count_ahead(conn: Connection, waiting: Waiting, limit: int) -> int:
    """How many joined before for a wish that shares a day and leaves none out; no more than `limit` are counted."""
    wish = waiting.wish
    found: int = await conn.fetchval(
        """
        -- appointments.count_ahead
        SELECT count(*) FROM (
            SELECT 1 FROM appointments.waiting
             WHERE service_id = $1 AND stage = 'waiting' AND (joined_at, waiting_id) < ($2, $3)
               AND lane = $4 AND first_day <= $6 AND last_day >= $5
               AND (office_id = $7 OR office_id IS NULL OR $7::uuid IS NULL)
               AND (district = $8 OR district IS NULL OR $8::text IS NULL)
               AND (day_part = $9 OR day_part IS NULL OR $9::integer IS NULL)
             LIMIT $10
        ) AS before
        """,
        wish.service_id, waiting.joined_at, waiting.waiting_id, wish.lane, wish.first_day, wish.last_day,
        wish.office_id, wish.district, wish.day_part, limit,
    )  # fmt: skip
    return found


# ------------------------------------------------------------------------------------------------ offering


async def is_anybody_waiting(conn: Connection, service_id: ServiceId) -> bool:
    found: bool = await conn.fetchval(
        """
        -- appointments.is_anybody_waiting
        SELECT EXISTS (SELECT FROM appointments.waiting WHERE service_id = $1 AND stage = 'waiting')
        """,
        service_id,
    )
    return found


async def select_candidates(
    conn: Connection, slot: Slot, after: tuple[datetime, WaitingId], limit: int
) -> list[Waiting]:
    """Who waits for such a slot, in turn, from a turn on; those who let this very slot pass last are left out."""
    rows = await conn.fetch(
        """
        -- appointments.select_candidates
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting
         WHERE service_id = $1 AND stage = 'waiting' AND (joined_at, waiting_id) > ($2, $3)
           AND lane = $4 AND first_day <= $5 AND last_day >= $5
           AND (office_id = $6 OR office_id IS NULL) AND (district = $7 OR district IS NULL)
           AND (day_part = $8 OR day_part IS NULL) AND (slot_id IS NULL OR slot_id <> $9)
         ORDER BY joined_at, waiting_id LIMIT $10
        """,
        slot.service_id, *after, slot.lane, in_shanghai(slot.starts_at).date(), slot.office_id, slot.district,
        slot.day_part, slot.slot_id, limit,
    )  # fmt: skip
    return [_waiting_of(row) for row in rows]


async def claim_waiting(conn: Connection, service_id: ServiceId, waiting_id: WaitingId) -> Waiting | None:
    """Lock a wait that still waits; None if it does not, or somebody else has it at this moment."""
    row = await conn.fetchrow(
        """
        -- appointments.claim_waiting
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting
         WHERE service_id = $1 AND waiting_id = $2 AND stage = 'waiting' FOR UPDATE SKIP LOCKED
        """,
        service_id, waiting_id,
    )  # fmt: skip
    return _waiting_of(row) if row else None


async def lock_waiting(conn: Connection, service_id: ServiceId, waiting_id: WaitingId) -> Waiting:
    row = await conn.fetchrow(
        """
        -- appointments.lock_waiting
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting WHERE service_id = $1 AND waiting_id = $2 FOR UPDATE
        """,
        service_id, waiting_id,
    )  # fmt: skip
    assert row is not None, "a wait is never deleted"
    return _waiting_of(row)


async def lock_offered(
    conn: Connection, service_id: ServiceId, person_id: PersonId, booking_id: BookingId
) -> Waiting | None:
    """Lock the wait whose offer has this booking's id; None if there is none."""
    row = await conn.fetchrow(
        """
        -- appointments.lock_offered
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting
         WHERE service_id = $1 AND person_id = $2 AND booking_id = $3 AND stage = 'offered' FOR UPDATE
        """,
        service_id, person_id, booking_id,
    )  # fmt: skip
    return _waiting_of(row) if row else None


async def update_waiting(conn: Connection, changed: Waiting) -> None:
    """Write what became of a locked wait."""
    await conn.execute(
        """
        -- appointments.update_waiting
        UPDATE appointments.waiting
           SET stage = $3, joined_at = $4, offers = $5, slot_id = $6, seq = $7, booking_id = $8, offered_until = $9,
               changed_at = $10
         WHERE service_id = $1 AND waiting_id = $2
        """,
        changed.wish.service_id, changed.waiting_id, changed.stage, changed.joined_at, changed.offers, changed.slot_id,
        changed.seq, changed.booking_id, changed.offered_until, changed.changed_at,
    )  # fmt: skip


async def select_holding(
    conn: Connection, service_id: ServiceId, person_ids: Sequence[PersonId], *, now: datetime
) -> set[PersonId]:
    """Which of these people hold a place of the service."""
    rows = await conn.fetch(
        """
        -- appointments.select_holding
        SELECT person_id FROM appointments.hold WHERE person_id = ANY ($1) AND service_id = $2 AND hold_until >= $3
        """,
        person_ids, service_id, now,
    )  # fmt: skip
    return {row["person_id"] for row in rows}


async def put_offered_hold(conn: Connection, offered: Waiting, *, now: datetime) -> bool:
    """Write down that an offered place is held; False if the person holds another of the service meanwhile."""
    written = await conn.fetchval(
        """
        -- appointments.put_offered_hold
        INSERT INTO appointments.hold AS kept (person_id, service_id, booking_id, slot_id, seq, hold_until, waiting_id,
                                               held_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (person_id, service_id) DO UPDATE
           SET booking_id = EXCLUDED.booking_id, slot_id = EXCLUDED.slot_id, seq = EXCLUDED.seq,
               hold_until = EXCLUDED.hold_until, waiting_id = EXCLUDED.waiting_id, held_at = EXCLUDED.held_at
         WHERE kept.hold_until < $8
        RETURNING TRUE
        """,
        offered.person_id, offered.wish.service_id, offered.booking_id, offered.slot_id, offered.seq,
        offered.offered_until, offered.waiting_id, now,
    )  # fmt: skip
    return written is True


async def delete_offered_hold(conn: Connection, service_id: ServiceId, person_id: PersonId, booking_id: UUID) -> None:
    await conn.execute(
        """
        -- appointments.delete_offered_hold
        DELETE FROM appointments.hold WHERE person_id = $1 AND service_id = $2 AND booking_id = $3
        """,
        person_id, service_id, booking_id,
    )  # fmt: skip


async def keep_place(
    conn: Connection, slot_id: SlotId, seq: Seq, person_id: PersonId, booking_id: BookingId, until: datetime
) -> None:
    """Keep a locked free place for somebody until a moment."""
    kept = await conn.fetchval(
        """
        -- appointments.keep_place
        UPDATE appointments.place SET person_id = $3, booking_id = $4, hold_until = $5
         WHERE slot_id = $1 AND seq = $2 AND (booking_id IS NULL OR hold_until IS NOT NULL) RETURNING TRUE
        """,
        slot_id, seq, person_id, booking_id, until,
    )  # fmt: skip
    assert kept, "a place that we hold locked is ours to keep for somebody"


async def lock_place_to_see(
    conn: Connection, slot_id: SlotId, seq: Seq
) -> tuple[PersonId | None, BookingId | None, datetime | None] | None:
    """Lock a place and see whose it is, and until when it is held; None if there is no such place any more."""
    row = await conn.fetchrow(
        """
        -- appointments.lock_place_to_see
        SELECT person_id, booking_id, hold_until FROM appointments.place WHERE slot_id = $1 AND seq = $2 FOR UPDATE
        """,
        slot_id, seq,
    )  # fmt: skip
    return (row["person_id"], row["booking_id"], row["hold_until"]) if row else None


# ----------------------------------------------------------------------------------------- what is to be passed on


async def select_offers_over(conn: Connection, limit: int, *, now: datetime) -> list[Waiting]:
    """Offers whose time is over, the oldest first; a hint, since nothing is locked."""
    rows = await conn.fetch(
        """
        -- appointments.select_offers_over
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting WHERE stage = 'offered' AND offered_until < $1 ORDER BY offered_until LIMIT $2
        """,
        now, limit,
    )  # fmt: skip
    return [_waiting_of(row) for row in rows]


async def select_wishes_over(conn: Connection, today: date, limit: int) -> list[Waiting]:
    """Who waits for days that are over; a hint, since nothing is locked."""
    rows = await conn.fetch(
        """
        -- appointments.select_wishes_over
        SELECT service_id, waiting_id, person_id, office_id, district, lane, first_day, last_day, day_part, stage,
               joined_at, offers, slot_id, seq, booking_id, offered_until, changed_at
          FROM appointments.waiting WHERE stage = 'waiting' AND last_day < $1 ORDER BY last_day LIMIT $2
        """,
        today, limit,
    )  # fmt: skip
    return [_waiting_of(row) for row in rows]


async def select_services_waited_for(conn: Connection) -> list[ServiceId]:
    rows = await conn.fetch(
        """
        -- appointments.select_services_waited_for
        SELECT DISTINCT service_id FROM appointments.waiting WHERE stage = 'waiting' ORDER BY service_id
        """
    )
    return [row["service_id"] for row in rows]


async def select_wishes(conn: Connection, service_id: ServiceId, limit: int) -> list[Wish]:
    """What people wait for, each wish once, in the order of who joined first."""
    rows = await conn.fetch(
        """
        -- appointments.select_wishes
        SELECT service_id, office_id, district, lane, first_day, last_day, day_part, min(joined_at) AS first
          FROM appointments.waiting WHERE service_id = $1 AND stage = 'waiting'
         GROUP BY service_id, office_id, district, lane, first_day, last_day, day_part
         ORDER BY first LIMIT $2
        """,
        service_id, limit,
    )  # fmt: skip
    return [_wish_of(row) for row in rows]


async def select_newest_wait(conn: Connection, service_id: ServiceId) -> datetime | None:
    """When the last of those who wait for a service joined."""
    joined_at: datetime | None = await conn.fetchval(
        """
        -- appointments.select_newest_wait
        SELECT max(joined_at) FROM appointments.waiting WHERE service_id = $1 AND stage = 'waiting'
        """,
        service_id,
    )
    return joined_at


async def select_slots_to_offer(
    conn: Connection, service_id: ServiceId, after: tuple[datetime, UUID], until: datetime, limit: int
) -> list[Slot]:
    """Slots of a service from an hour on, full or not."""
    rows = await conn.fetch(
        """
        -- appointments.select_slots_to_offer
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, NULL::text AS detail, withdrawn_at
          FROM appointments.slot
         WHERE service_id = $1 AND (starts_at, slot_id) > ($2, $3) AND starts_at < $4
         ORDER BY starts_at, slot_id LIMIT $5
        """,
        service_id, *after, until, limit,
    )  # fmt: skip
    return [slot_of(row) for row in rows]
