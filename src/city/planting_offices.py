"""The demo city's offices, what is booked there and how, and the slots of the coming weeks."""

from datetime import date

from appointments import model as desks
from appointments.offices import offering, queries
from city.demo.offered import GIVEN, LANES, TERMS, an_evening, given_slots
from city.demo.offices import OFFICES, SERVICES
from gateway.parts import CityParts
from kernel.clock import in_shanghai


async def plant_offices(parts: CityParts) -> int:
    """Offices, services, weekly hours and rules, and the slots that follow; how many slots were made."""
    await offering.plant(parts.db, offices=offices(), services=_services(), desks=_desks())
    today = in_shanghai(parts.clock.now()).date()
    await _plant_evening(parts, today)
    made = await offering.offer_ahead(parts.db, parts.clock)
    for batch in offering.batches(given_slots(today)):
        made += await offering.offer(parts.db, batch)
    return made


def offices() -> list[desks.Office]:
    return [
        desks.Office(
            office_id=desks.office_id_of(one.slug),
            slug=one.slug,
            name_zh=one.name_zh,
            name_en=one.name_en,
            district=one.district,
            address=one.address,
            phone=one.phone,
            latitude=one.latitude,
            longitude=one.longitude,
        )
        for one in OFFICES
    ]


def _services() -> list[desks.Service]:
    at_counters = [
        desks.Service(
            service_id=desks.service_id_of(one.slug),
            slug=one.slug,
            department=one.department,
            name_zh=one.name_zh,
            name_en=one.name_en,
            bring_zh=one.bring_zh,
            bring_en=one.bring_en,
            **TERMS.get(one.slug, {}),
        )
        for one in SERVICES
    ]
    return [*at_counters, *GIVEN]


def _desks() -> list[desks.Desk]:
    return [
        desks.Desk(
            office_id=desks.office_id_of(office.slug),
            service_id=desks.service_id_of(desk.service),
            slot_minutes=desk.slot_minutes,
            places=desk.places,
            openings=tuple(desks.Opening(one.weekday, one.opens, one.closes) for one in desk.openings),
            lanes=LANES.get(desk.service, {}),
        )
        for office in OFFICES
        for desk in office.desks
    ]


async def _plant_evening(parts: CityParts, today: date) -> None:
    """The rule, once: it keeps the days it was planted with."""
    rule = an_evening(today)
    assert rule.service_id is not None
    async with parts.db.transaction() as conn:
        if await queries.select_rule(conn, rule.rule_id) is None:
            await queries.put_rule(conn, rule)
            await queries.plan_desks_anew(conn, rule.office_id, rule.service_id)
