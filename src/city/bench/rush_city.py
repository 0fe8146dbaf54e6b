"""The city before a rush: residents who are signed in, a service with slots; and afterwards, what its rows say."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from appointments.model import Office, Service, Slot, office_id_of, service_id_of, slot_id_of
from appointments.offices import offering
from appointments.telling import CALLER
from city.bench import queries
from city.bench.acting import Measured, resident_token
from city.bench.queries import Booked
from city.bench.rush_plan import Heard, Somebody
from city.bench.scale.population import somebody
from kernel.clock import in_shanghai
from kernel.ids import PersonId, uuid7
from kernel.people import MINTED_MAX
from notifications.templates import BOOKING_CONFIRMED

ADDRESSES: Final = 250
"""Hosts in each of the networks that phones call from: a crowd comes from many networks."""
DAYS_BEFORE: Final = 7
"""How long after the release the first slot begins."""
MINUTES: Final = 5
"""How long a slot lasts; they follow one another."""
DISTRICT: Final = "310104"


class Release(msgspec.Struct, frozen=True):
    """A service whose slots are released at one moment."""

    service_id: UUID
    slot_ids: list[UUID]
    places: int
    opens_at: datetime
    day: str


async def residents(city: Measured, first: int, count: int) -> list[Somebody]:
    """Residents whom the city knows, each with a token as signing in would give them."""
    people: list[PersonId] = []
    for start in range(first, first + count, MINTED_MAX):
        numbers = range(start, min(start + MINTED_MAX, first + count))
        identities = [somebody(number).identity for number in numbers]
        async with city.parts.db.transaction() as conn:
            minted = await city.parts.people.mint_many(conn, identities, now=city.parts.clock.now())
        people += [minted[one.id_number] for one in identities]
    now = city.parts.clock.now()
    return [
        Somebody(person_id, uuid7(now), resident_token(city, person_id), address_of(first + place))
        for place, person_id in enumerate(people)
    ]


def address_of(number: int) -> str:
    """An address of its own for each phone (RFC 1918), in networks of `ADDRESSES`."""
    network, host = divmod(number, ADDRESSES)
    return f"10.{network // 256 % 256}.{network % 256}.{host + 1}"


async def release(
    city: Measured, slug: str, *, slots: int, places: int, opens_at: datetime | None, is_gated: bool = False
) -> Release:
    """A service of its own with `places` places in all, spread evenly over `slots` slots in a row."""
    office_id, service_id = office_id_of("rush"), service_id_of(slug)
    office = Office(
        office_id=office_id, slug="rush", name_zh="抢号测试中心", name_en="Rush Centre", district=DISTRICT,
        address="上海市徐汇区样板路1号", phone="021-00000001",
    )  # fmt: skip
    service = Service(
        service_id=service_id, slug=slug, department="rush", name_zh="限量预约", name_en="Limited places",
        bring_zh="身份证", bring_en="ID card", is_gated=is_gated,
    )  # fmt: skip
    await offering.plant(city.parts.db, offices=[office], services=[service])
    begins = (opens_at or city.parts.clock.now()) + timedelta(days=DAYS_BEFORE)
    first = in_shanghai(begins).replace(hour=9, minute=0, second=0, microsecond=0)
    each, more = divmod(places, slots)
    made = [
        Slot(
            slot_id=slot_id_of(office_id, service_id, first + timedelta(minutes=MINUTES * at)),
            office_id=office_id, service_id=service_id, district=DISTRICT,
            starts_at=first + timedelta(minutes=MINUTES * at), ends_at=first + timedelta(minutes=MINUTES * (at + 1)),
            places=each + (at < more), opens_at=opens_at, is_gated=is_gated,
        )
        for at in range(slots)
    ]  # fmt: skip
    for slot in made:
        await offering.offer(city.parts.db, [slot])
    slot_ids: list[UUID] = [slot.slot_id for slot in made]
    return Release(service_id, slot_ids, places, opens_at or city.parts.clock.now(), first.date().isoformat())


async def booked_of(city: Measured, released: Release) -> list[Booked]:
    async with city.parts.db.connection() as conn:
        return await queries.select_booked(conn, released.service_id)


async def wrong_in(city: Measured, released: Release, people: Sequence[Somebody], heard: Heard) -> dict[str, int]:
    """What rows and people say that must not be, each with how often. All zero: nothing was promised in vain."""
    async with city.parts.db.connection() as conn:
        booked = await queries.select_booked(conn, released.service_id)
        places = await queries.select_places(conn, released.slot_ids)
        keys = [f"{BOOKING_CONFIRMED.id}/{one.person_id}/{one.booking_id}/1" for one in booked]
        owed = Counter(await queries.select_message_keys(conn, CALLER, keys))
    rows = {(one.person_id, one.booking_id): one for one in booked}
    taken = {(p.person_id, p.booking_id, p.slot_id, p.seq) for p in places if p.booking_id is not None}
    told_yes = {
        (who.person_id, who.booking_id): told.slot_id
        for who, told in zip(people, heard.told, strict=True)
        if told.outcome == "booked"
    }
    return {
        "told yes without a row": sum(1 for key in told_yes if key not in rows),
        "told another slot than booked": sum(
            1 for key, slot_id in told_yes.items() if slot_id and key in rows and rows[key].slot_id != slot_id
        ),
        "booked and not told yes": sum(1 for key in rows if key not in told_yes),
        "bookings and places that disagree": len(
            taken ^ {(one.person_id, one.booking_id, one.slot_id, one.seq) for one in booked}
        ),
        "a person booked twice": len(booked) - len({one.person_id for one in booked}),
        "places made or lost": abs(len(places) - released.places),
        "a booking without exactly one confirmation": sum(1 for key in keys if owed[key] != 1),
        "without a final answer": sum(1 for told in heard.told if told.outcome == "gave_up"),
    }
