"""A city of so many offices, with hours for weeks ahead: loaded straight into its tables, which takes seconds."""

import asyncio
import math
import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg
import msgspec

from appointments.model import (
    Desk,
    Office,
    Opening,
    Service,
    day_part_of,
    office_id_of,
    service_id_of,
    slot_id_of,
)
from appointments.offices import offering
from city.bench.scale import databases, queries
from city.bench.scale.databases import City
from city.embedded import Running
from gateway.parts import CityParts
from kernel.clock import SHANGHAI
from kernel.ids import OfficeId, ServiceId

SERVICES: Final = 20
SERVICES_EACH: Final = 4
HOURS_EACH: Final = 10
SLOTS_A_DAY: Final = SERVICES_EACH * HOURS_EACH
"""Of an office: forty."""
PLACES: Final = 2
DISTRICTS: Final = 16
OPENS_HOUR: Final = 8
FULL_OF_TEN: Final = 3
HALF_OF_TEN: Final = 3
"""Of ten slots, so many are sold out, and so many have one place taken."""
SLOTS_TOGETHER: Final = 20_000
CENTRE: Final = (31.23, 121.47)
SPREAD_DEGREES: Final = 0.3
GOLDEN_ANGLE: Final = math.pi * (3 - math.sqrt(5))
_TAKEN: Final = UUID("0b6f2a4e-6a1d-5a77-9d53-7e1f2f1c4b10")
WINDOW_DAYS: Final = 14
PAGE: Final = 20
KINDS: Final = ("service", "district", "office", "nearest", "afternoon", "free", "free afternoon in a district")


class Loaded(msgspec.Struct, frozen=True):
    """How much a city was loaded with."""

    offices: int
    slots: int
    places: int


class Wished(msgspec.Struct, frozen=True):
    """Something to look for, and what must be true of each hour that is found."""

    path: str
    service_id: str
    office_id: str | None = None
    district: str | None = None
    is_free: bool = False


def office_of(number: int) -> OfficeId:
    return office_id_of(f"bench-{number}")


def services_of(number: int) -> list[ServiceId]:
    """What an office does: each service is done by every fifth office."""
    return [
        service_id_of(f"bench-{at % SERVICES}") for at in range(number * SERVICES_EACH, (number + 1) * SERVICES_EACH)
    ]


def district_of(number: int) -> str:
    return f"3101{number % DISTRICTS + 1:02d}"


def position_of(number: int) -> tuple[float, float]:
    """Offices lie like the seeds of a sunflower, so that any first so many of them cover the same ground."""
    away = SPREAD_DEGREES * math.sqrt((number * 0.618034) % 1)
    angle = number * GOLDEN_ANGLE
    return round(CENTRE[0] + away * math.sin(angle), 5), round(CENTRE[1] + away * math.cos(angle), 5)


async def load(city: City, running: Running, offices: int, first_day: date, days: int) -> Loaded:
    """Make the database and all that is in it, as autovacuum would leave it."""
    await databases.make(city, running)
    parts = await CityParts.open(city.settings(databases.CONNECTIONS_OF_OURS), process="bench")
    try:
        await _plant(parts, offices)
    finally:
        await parts.close()
    conn = await asyncpg.connect(city.database_url)
    try:
        slots = 0
        batch: list[tuple[Any, ...]] = []
        for row in _slots(offices, first_day, days):
            batch.append(row)
            if len(batch) == SLOTS_TOGETHER:
                slots += await _copy(conn, batch)
                batch = []
                await asyncio.sleep(0)
        slots += await _copy(conn, batch)
        await queries.vacuum(conn)
    finally:
        await conn.close()
    return Loaded(offices, slots, slots * PLACES)


async def _plant(parts: CityParts, offices: int) -> None:
    hours = tuple(Opening(weekday, time(OPENS_HOUR), time(OPENS_HOUR + HOURS_EACH)) for weekday in range(7))
    await offering.plant(
        parts.db,
        offices=[_office(number) for number in range(offices)],
        services=[
            Service(
                service_id=service_id_of(f"bench-{number}"), slug=f"bench-{number}", department="bench",
                name_zh=f"事项{number}", name_en=f"Service {number}", bring_zh="身份证", bring_en="ID card",
                horizon_days=62,
            )
            for number in range(SERVICES)
        ],
        desks=[
            Desk(office_id=office_of(n), service_id=service_id, slot_minutes=60, places=PLACES, openings=hours)
            for n in range(offices)
            for service_id in services_of(n)
        ],
    )  # fmt: skip


def _office(number: int) -> Office:
    latitude, longitude = position_of(number)
    return Office(
        office_id=office_of(number), slug=f"bench-{number}", name_zh=f"第{number}中心", name_en=f"Centre {number}",
        district=district_of(number), address=f"上海市样板路{number + 1}号", phone="021-00000001",
        latitude=latitude, longitude=longitude,
    )  # fmt: skip


def _slots(offices: int, first_day: date, days: int) -> Iterator[tuple[Any, ...]]:
    lasts = timedelta(hours=1)
    for day in range(days):
        midnight = datetime.combine(first_day + timedelta(days=day), time(), SHANGHAI)
        for number in range(offices):
            office_id, district = office_of(number), district_of(number)
            for service_id in services_of(number):
                for hour in range(OPENS_HOUR, OPENS_HOUR + HOURS_EACH):
                    starts_at = midnight + timedelta(hours=hour)
                    slot_id = slot_id_of(office_id, service_id, starts_at)
                    part = int(day_part_of(starts_at))
                    yield slot_id, office_id, service_id, district, starts_at, starts_at + lasts, PLACES, part


async def _copy(conn: Any, rows: list[tuple[Any, ...]]) -> int:
    columns = ("slot_id", "office_id", "service_id", "district", "starts_at", "ends_at", "places", "day_part")
    await conn.copy_records_to_table("slot", schema_name="appointments", columns=columns, records=rows)
    await conn.copy_records_to_table(
        "place",
        schema_name="appointments",
        columns=("slot_id", "seq", "person_id", "booking_id"),
        records=[place for row in rows for place in _places(row[0])],
    )
    return len(rows)


def _places(slot_id: UUID) -> Iterator[tuple[UUID, int, UUID | None, UUID | None]]:
    """Which slots are sold out follows from their ids, so it is the same share everywhere."""
    drawn = slot_id.int % 10
    taken = PLACES if drawn < FULL_OF_TEN else 1 if drawn < FULL_OF_TEN + HALF_OF_TEN else 0
    for seq in range(1, PLACES + 1):
        who = uuid5(_TAKEN, f"{slot_id}/{seq}") if seq <= taken else None
        yield slot_id, seq, who, who


def wished(kind: str, draw: random.Random, *, offices: int, first_day: date, days: int) -> Wished:
    """What somebody near one of the first `offices` offices looks for, in two weeks of those that are offered."""
    number = draw.randrange(offices)
    service_id, office_id, district = str(draw.choice(services_of(number))), str(office_of(number)), district_of(number)
    first = first_day + timedelta(days=draw.randrange(days - WINDOW_DAYS + 1))
    last = first + timedelta(days=WINDOW_DAYS - 1)
    path = f"/resident/slots?service_id={service_id}&from={first}&to={last}&limit={PAGE}"
    match kind:
        case "district":
            return Wished(f"{path}&district={district}", service_id, district=district)
        case "office":
            return Wished(f"{path}&office_id={office_id}", service_id, office_id=office_id)
        case "nearest":
            latitude, longitude = position_of(number)
            return Wished(f"{path}&near={latitude},{longitude}&sort=distance", service_id, office_id=office_id)
        case "afternoon":
            return Wished(f"{path}&day_part=1", service_id)
        case "free":
            return Wished(f"{path}&only_free=true", service_id, is_free=True)
        case "free afternoon in a district":
            narrow = f"{path}&district={district}&day_part=1&only_free=true"
            return Wished(narrow, service_id, district=district, is_free=True)
        case _:
            return Wished(path, service_id)
