"""Every statement on offices, services, desks and the slots they offer."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from appointments.model import Desk, Office, Opening, Service, Slot
from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import ServiceId, SlotId

_OPENINGS = msgspec.json.Decoder(tuple[Opening, ...])


def _slot(row: Row) -> Slot:
    return Slot(**dict(row))


async def put_office(conn: Connection, office: Office) -> None:
    await conn.execute(
        """
        -- appointments.put_office
        INSERT INTO appointments.office (office_id, slug, name_zh, name_en, district, address, phone)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (office_id) DO UPDATE
           SET name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en, district = EXCLUDED.district,
               address = EXCLUDED.address, phone = EXCLUDED.phone
        """,
        office.office_id, office.slug, office.name_zh, office.name_en, office.district, office.address, office.phone,
    )  # fmt: skip


async def put_service(conn: Connection, service: Service) -> None:
    await conn.execute(
        """
        -- appointments.put_service
        INSERT INTO appointments.service (service_id, slug, department, name_zh, name_en, bring_zh, bring_en)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (service_id) DO UPDATE
           SET department = EXCLUDED.department, name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en,
               bring_zh = EXCLUDED.bring_zh, bring_en = EXCLUDED.bring_en
        """,
        service.service_id, service.slug, service.department, service.name_zh, service.name_en,
        service.bring_zh, service.bring_en,
    )  # fmt: skip


async def put_desk(conn: Connection, desk: Desk) -> None:
    """Write a desk's weekly hours. Hours that changed are offered anew, from today."""
    await conn.execute(
        """
        -- appointments.put_desk
        INSERT INTO appointments.office_service AS kept (office_id, service_id, slot_minutes, places, openings)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (office_id, service_id) DO UPDATE
           SET slot_minutes = EXCLUDED.slot_minutes, places = EXCLUDED.places, openings = EXCLUDED.openings,
               offered_until = CASE WHEN (kept.slot_minutes, kept.places, kept.openings)
                                       = (EXCLUDED.slot_minutes, EXCLUDED.places, EXCLUDED.openings)
                                    THEN kept.offered_until END
        """,
        desk.office_id, desk.service_id, desk.slot_minutes, desk.places, msgspec.json.encode(desk.openings).decode(),
    )  # fmt: skip


async def set_offered_until(conn: Connection, desk: Desk, day: date) -> None:
    await conn.execute(
        """
        -- appointments.set_offered_until
        UPDATE appointments.office_service SET offered_until = $3
         WHERE office_id = $1 AND service_id = $2 AND (offered_until IS NULL OR offered_until < $3)
        """,
        desk.office_id, desk.service_id, day,
    )  # fmt: skip


async def select_offices(conn: Connection) -> list[Office]:
    rows = await conn.fetch(
        """
        -- appointments.select_offices
        SELECT office_id, slug, name_zh, name_en, district, address, phone
          FROM appointments.office ORDER BY district, slug
        """
    )
    return [Office(**dict(row)) for row in rows]


async def select_services(conn: Connection) -> list[Service]:
    rows = await conn.fetch(
        """
        -- appointments.select_services
        SELECT service_id, slug, department, name_zh, name_en, bring_zh, bring_en
          FROM appointments.service ORDER BY department, slug
        """
    )
    return [Service(**dict(row)) for row in rows]


async def select_desks(conn: Connection) -> list[Desk]:
    rows = await conn.fetch(
        """
        -- appointments.select_desks
        SELECT office_id, service_id, slot_minutes, places, openings::text AS openings, offered_until
          FROM appointments.office_service ORDER BY office_id, service_id
        """
    )
    return [Desk(**(dict(row) | {"openings": _OPENINGS.decode(row["openings"])})) for row in rows]


_INSERT_SLOTS = Many(
    """
    -- appointments.insert_slots
    INSERT INTO appointments.slot (slot_id, office_id, service_id, district, starts_at, ends_at, places)
    VALUES {rows} ON CONFLICT DO NOTHING RETURNING slot_id
    """,
    columns=7,
)


async def insert_slots(conn: Connection, slots: Sequence[Slot]) -> set[SlotId]:
    """Write slots in the order given; return those that were not there before."""
    rows = await _INSERT_SLOTS.fetch(conn, [msgspec.structs.astuple(slot) for slot in slots])
    return {SlotId(row["slot_id"]) for row in rows}


async def copy_places(conn: Connection, slots: Iterable[Slot]) -> None:
    """Give fresh slots their places; whoever wrote a slot's row writes its places, so nobody else can have."""
    await conn.copy_records_to_table(
        "place",
        schema_name="appointments",
        columns=("slot_id", "seq"),
        records=[(slot.slot_id, seq) for slot in slots for seq in range(1, slot.places + 1)],
    )


async def select_slots(conn: Connection, slot_ids: list[SlotId]) -> dict[SlotId, Slot]:
    rows = await conn.fetch(
        """
        -- appointments.select_slots
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places
          FROM appointments.slot WHERE slot_id = ANY ($1)
        """,
        slot_ids,
    )
    return {row["slot_id"]: _slot(row) for row in rows}


async def select_slots_of_service(
    conn: Connection, service_id: ServiceId, after: tuple[datetime, UUID], until: datetime, limit: int
) -> list[Slot]:
    rows = await conn.fetch(
        """
        -- appointments.select_slots_of_service
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places
          FROM appointments.slot
         WHERE service_id = $1 AND (starts_at, slot_id) > ($2, $3) AND starts_at < $4
         ORDER BY starts_at, slot_id LIMIT $5
        """,
        service_id, *after, until, limit,
    )  # fmt: skip
    return [_slot(row) for row in rows]


async def select_slots_of_district(
    conn: Connection, service_id: ServiceId, district: str, after: tuple[datetime, UUID], until: datetime, limit: int
) -> list[Slot]:
    rows = await conn.fetch(
        """
        -- appointments.select_slots_of_district
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places
          FROM appointments.slot
         WHERE service_id = $1 AND district = $2 AND (starts_at, slot_id) > ($3, $4) AND starts_at < $5
         ORDER BY starts_at, slot_id LIMIT $6
        """,
        service_id, district, *after, until, limit,
    )  # fmt: skip
    return [_slot(row) for row in rows]


async def count_free(conn: Connection, slot_ids: list[SlotId], *, now: datetime) -> dict[SlotId, int]:
    """How many places are free in each slot; a slot without any is left out."""
    rows = await conn.fetch(
        """
        -- appointments.count_free
        SELECT slot_id, count(*) AS free FROM appointments.place
         WHERE slot_id = ANY ($1) AND booking_id IS NULL AND (hold_until IS NULL OR hold_until < $2)
         GROUP BY slot_id
        """,
        slot_ids, now,
    )  # fmt: skip
    return {row["slot_id"]: row["free"] for row in rows}
