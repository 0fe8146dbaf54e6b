"""Every statement on offices, services, desks and the slots they offer."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from appointments.model import DayPart, Desk, Lane, Office, Opening, Question, Service, ServiceSort, Slot
from appointments.offices.rules import Rule, RuleOpening, RuleSort
from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import OfficeId, ServiceId, SlotId

_OPENINGS = msgspec.json.Decoder(tuple[Opening, ...])
_QUESTIONS = msgspec.json.Decoder(tuple[Question, ...])
_RULE_OPENINGS = msgspec.json.Decoder(tuple[RuleOpening, ...])
_LANES = msgspec.json.Decoder(dict[Lane, int])


def slot_of(row: Row) -> Slot:
    detail = row["detail"]
    return Slot(
        **(dict(row) | {"lane": Lane(row["lane"]), "detail": None if detail is None else msgspec.json.decode(detail)})
    )


def _service(row: Row) -> Service:
    return Service(**(dict(row) | {"sort": ServiceSort(row["sort"]), "questions": _QUESTIONS.decode(row["questions"])}))


def _desk(row: Row) -> Desk:
    openings, lanes = _OPENINGS.decode(row["openings"]), _LANES.decode(row["lanes"])
    return Desk(**(dict(row) | {"openings": openings, "lanes": lanes}))


async def put_office(conn: Connection, office: Office) -> None:
    await conn.execute(
        """
        -- appointments.put_office
        INSERT INTO appointments.office (office_id, slug, name_zh, name_en, district, address, phone, latitude,
                                         longitude)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (office_id) DO UPDATE
           SET name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en, district = EXCLUDED.district,
               address = EXCLUDED.address, phone = EXCLUDED.phone,
               latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude
        """,
        office.office_id, office.slug, office.name_zh, office.name_en, office.district, office.address, office.phone,
        office.latitude, office.longitude,
    )  # fmt: skip


async def put_service(conn: Connection, service: Service) -> None:
    await conn.execute(
        """
        -- appointments.put_service
        INSERT INTO appointments.service (service_id, slug, department, name_zh, name_en, bring_zh, bring_en, sort,
                                          questions, lead_minutes, horizon_days, release_minute, cancel_minutes,
                                          is_gated, is_for_others)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (service_id) DO UPDATE
           SET department = EXCLUDED.department, name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en,
               bring_zh = EXCLUDED.bring_zh, bring_en = EXCLUDED.bring_en, sort = EXCLUDED.sort,
               questions = EXCLUDED.questions, lead_minutes = EXCLUDED.lead_minutes,
               horizon_days = EXCLUDED.horizon_days, release_minute = EXCLUDED.release_minute,
               cancel_minutes = EXCLUDED.cancel_minutes, is_gated = EXCLUDED.is_gated,
               is_for_others = EXCLUDED.is_for_others
        """,
        service.service_id, service.slug, service.department, service.name_zh, service.name_en,
        service.bring_zh, service.bring_en, service.sort, msgspec.json.encode(service.questions).decode(),
        service.lead_minutes, service.horizon_days, service.release_minute, service.cancel_minutes,
        service.is_gated, service.is_for_others,
    )  # fmt: skip


async def put_desk(conn: Connection, desk: Desk) -> None:
    """Write a desk's weekly hours. Those that changed are planned anew, from today."""
    await conn.execute(
        """
        -- appointments.put_desk
        INSERT INTO appointments.office_service AS kept (office_id, service_id, slot_minutes, places, openings, lanes,
                                                         open_on_holidays)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (office_id, service_id) DO UPDATE
           SET slot_minutes = EXCLUDED.slot_minutes, places = EXCLUDED.places, openings = EXCLUDED.openings,
               lanes = EXCLUDED.lanes, open_on_holidays = EXCLUDED.open_on_holidays,
               rules_version = kept.rules_version + 1, offered_until = NULL
         WHERE (kept.slot_minutes, kept.places, kept.openings, kept.lanes, kept.open_on_holidays)
               IS DISTINCT FROM (EXCLUDED.slot_minutes, EXCLUDED.places, EXCLUDED.openings, EXCLUDED.lanes,
                                 EXCLUDED.open_on_holidays)
        """,
        desk.office_id, desk.service_id, desk.slot_minutes, desk.places, msgspec.json.encode(desk.openings).decode(),
        msgspec.json.encode(desk.lanes).decode(), desk.open_on_holidays,
    )  # fmt: skip


async def set_offered_until(conn: Connection, desk: Desk, day: date) -> None:
    """Note until when a desk's slots are as planned, unless its hours or rules changed since `desk` was read."""
    await conn.execute(
        """
        -- appointments.set_offered_until
        UPDATE appointments.office_service SET offered_until = $3
         WHERE office_id = $1 AND service_id = $2 AND rules_version = $4
           AND (offered_until IS NULL OR offered_until < $3)
        """,
        desk.office_id, desk.service_id, day, desk.rules_version,
    )  # fmt: skip


async def plan_desks_anew(
    conn: Connection, office_id: OfficeId | None = None, service_id: ServiceId | None = None
) -> None:
    """The slots of these desks (all, of an office, of a service, or one) are to be planned anew, from today."""
    await conn.execute(
        """
        -- appointments.plan_desks_anew
        UPDATE appointments.office_service SET rules_version = rules_version + 1, offered_until = NULL
         WHERE ($1::uuid IS NULL OR office_id = $1) AND ($2::uuid IS NULL OR service_id = $2)
        """,
        office_id, service_id,
    )  # fmt: skip


async def select_offices(conn: Connection) -> list[Office]:
    rows = await conn.fetch(
        """
        -- appointments.select_offices
        SELECT office_id, slug, name_zh, name_en, district, address, phone, latitude, longitude
          FROM appointments.office ORDER BY district, slug
        """
    )
    return [Office(**dict(row)) for row in rows]


async def select_services(conn: Connection) -> list[Service]:
    rows = await conn.fetch(
        """
        -- appointments.select_services
        SELECT service_id, slug, department, name_zh, name_en, bring_zh, bring_en, sort, questions::text AS questions,
               lead_minutes, horizon_days, release_minute, cancel_minutes, is_gated, is_for_others
          FROM appointments.service ORDER BY department, slug
        """
    )
    return [_service(row) for row in rows]


async def select_desks(conn: Connection) -> list[Desk]:
    rows = await conn.fetch(
        """
        -- appointments.select_desks
        SELECT office_id, service_id, slot_minutes, places, openings::text AS openings, offered_until,
               lanes::text AS lanes, open_on_holidays, rules_version
          FROM appointments.office_service ORDER BY office_id, service_id
        """
    )
    return [_desk(row) for row in rows]


def _rule(row: Row) -> Rule:
    return Rule(**(dict(row) | {"sort": RuleSort(row["sort"]), "openings": _RULE_OPENINGS.decode(row["openings"])}))


async def put_rule(conn: Connection, rule: Rule) -> bool:
    """Write a rule; False if its id is another desk's. The same again changes nothing but who made it and when."""
    written: Any = await conn.fetchval(
        """
        -- appointments.put_rule
        INSERT INTO appointments.rule AS kept (rule_id, office_id, service_id, sort, first_day, last_day, openings,
                                               reason_zh, reason_en, made_by, made_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9, $10, $11)
        ON CONFLICT (rule_id) DO UPDATE
           SET sort = EXCLUDED.sort, first_day = EXCLUDED.first_day, last_day = EXCLUDED.last_day,
               openings = EXCLUDED.openings, reason_zh = EXCLUDED.reason_zh, reason_en = EXCLUDED.reason_en,
               made_by = EXCLUDED.made_by, made_at = EXCLUDED.made_at, withdrawn_at = NULL
         WHERE (kept.office_id, kept.service_id) IS NOT DISTINCT FROM (EXCLUDED.office_id, EXCLUDED.service_id)
        RETURNING TRUE
        """,
        rule.rule_id, rule.office_id, rule.service_id, rule.sort, rule.first_day, rule.last_day,
        msgspec.json.encode(rule.openings).decode(), rule.reason_zh, rule.reason_en, rule.made_by, rule.made_at,
    )  # fmt: skip
    return written is not None


async def withdraw_rule(conn: Connection, rule_id: UUID, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.withdraw_rule
        UPDATE appointments.rule SET withdrawn_at = $2 WHERE rule_id = $1 AND withdrawn_at IS NULL
        """,
        rule_id, now,
    )  # fmt: skip


async def select_rule(conn: Connection, rule_id: UUID) -> Rule | None:
    row = await conn.fetchrow(
        """
        -- appointments.select_rule
        SELECT rule_id, office_id, service_id, sort, first_day, last_day, openings::text AS openings, reason_zh,
               reason_en, made_by, made_at, withdrawn_at
          FROM appointments.rule WHERE rule_id = $1
        """,
        rule_id,
    )
    return None if row is None else _rule(row)


async def select_rules(conn: Connection, first_day: date) -> list[Rule]:
    """The rules that stand and whose days are not over on `first_day`."""
    rows = await conn.fetch(
        """
        -- appointments.select_rules
        SELECT rule_id, office_id, service_id, sort, first_day, last_day, openings::text AS openings, reason_zh,
               reason_en, made_by, made_at, withdrawn_at
          FROM appointments.rule WHERE withdrawn_at IS NULL AND last_day >= $1 ORDER BY office_id, first_day, rule_id
        """,
        first_day,
    )
    return [_rule(row) for row in rows]


_INSERT_SLOTS = Many(
    """
    -- appointments.insert_slots
    INSERT INTO appointments.slot (slot_id, office_id, service_id, district, starts_at, ends_at, places, lane, day_part,
                                   opens_at, closes_at, is_gated, ref, detail, is_planned)
    VALUES {rows} ON CONFLICT DO NOTHING RETURNING slot_id
    """,
    columns=15,
)


async def insert_slots(conn: Connection, slots: Sequence[Slot]) -> set[SlotId]:
    """Write slots in the order given; return those that were not there before."""
    rows = await _INSERT_SLOTS.fetch(conn, [_columns_of(slot) for slot in slots])
    return {SlotId(row["slot_id"]) for row in rows}


def _columns_of(slot: Slot) -> tuple[Any, ...]:
    return (
        slot.slot_id, slot.office_id, slot.service_id, slot.district, slot.starts_at, slot.ends_at, slot.places,
        slot.lane, int(slot.day_part), slot.opens_at, slot.closes_at, slot.is_gated, slot.ref,
        None if slot.detail is None else msgspec.json.encode(slot.detail).decode(), slot.is_planned,
    )  # fmt: skip


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
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at
          FROM appointments.slot WHERE slot_id = ANY ($1)
        """,
        slot_ids,
    )
    return {row["slot_id"]: slot_of(row) for row in rows}


async def select_slots_of_service(
    conn: Connection, service_id: ServiceId, after: tuple[datetime, UUID], until: datetime, limit: int
) -> list[Slot]:
    rows = await conn.fetch(
        """
        -- appointments.select_slots_of_service
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at
          FROM appointments.slot
         WHERE service_id = $1 AND (starts_at, slot_id) > ($2, $3) AND starts_at < $4 AND withdrawn_at IS NULL
         ORDER BY starts_at, slot_id LIMIT $5
        """,
        service_id, *after, until, limit,
    )  # fmt: skip
    return [slot_of(row) for row in rows]


async def select_slots_of_district(
    conn: Connection, service_id: ServiceId, district: str, after: tuple[datetime, UUID], until: datetime, limit: int
) -> list[Slot]:
    rows = await conn.fetch(
        """
        -- appointments.select_slots_of_district
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at
          FROM appointments.slot
         WHERE service_id = $1 AND district = $2 AND (starts_at, slot_id) > ($3, $4) AND starts_at < $5
           AND withdrawn_at IS NULL
         ORDER BY starts_at, slot_id LIMIT $6
        """,
        service_id, district, *after, until, limit,
    )  # fmt: skip
    return [slot_of(row) for row in rows]


async def select_slots_of_lane(
    conn: Connection, service_id: ServiceId, lane: Lane, after: tuple[datetime, UUID], until: datetime, limit: int
) -> list[Slot]:
    """For the lanes beside the normal one, which have an index of their own."""
    rows = await conn.fetch(
        """
        -- appointments.select_slots_of_lane
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at
          FROM appointments.slot
         WHERE service_id = $1 AND lane = $2 AND lane <> 'normal' AND (starts_at, slot_id) > ($3, $4)
           AND starts_at < $5 AND withdrawn_at IS NULL
         ORDER BY starts_at, slot_id LIMIT $6
        """,
        service_id, lane, *after, until, limit,
    )  # fmt: skip
    return [slot_of(row) for row in rows]


async def select_slots_of_office(
    conn: Connection, office_id: OfficeId, service_id: ServiceId, day_part: DayPart | None, lane: Lane | None,
    after: tuple[datetime, UUID], until: datetime, limit: int,
) -> list[Slot]:  # fmt: skip
    """An office has few enough slots that those of other day parts and lanes are read over."""
    rows = await conn.fetch(
        """
        -- appointments.select_slots_of_office
        SELECT slot_id, office_id, service_id, district, starts_at, ends_at, places,
               lane, opens_at, closes_at, is_gated, ref, detail::text AS detail, withdrawn_at
          FROM appointments.slot
         WHERE office_id = $1 AND service_id = $2 AND (starts_at, slot_id) > ($5, $6) AND starts_at < $7
           AND ($3::integer IS NULL OR day_part = $3) AND ($4::text IS NULL OR lane = $4) AND withdrawn_at IS NULL
         ORDER BY starts_at, slot_id LIMIT $8
        """,
        office_id, service_id, day_part, lane, *after, until, limit,
    )  # fmt: skip
    return [slot_of(row) for row in rows]


async def count_free(conn: Connection, slot_ids: list[SlotId], *, now: datetime) -> dict[SlotId, int]:
    """How many places are free in each slot; a slot without any is left out."""
    rows = await conn.fetch(
        """
        -- appointments.count_free
        SELECT slot_id, count(*) AS free FROM appointments.place
         WHERE slot_id = ANY ($1) AND (booking_id IS NULL OR hold_until < $2)
         GROUP BY slot_id
        """,
        slot_ids, now,
    )  # fmt: skip
    return {row["slot_id"]: row["free"] for row in rows}
