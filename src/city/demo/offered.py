"""How the demo city's services are booked: terms, lanes, an evening, a bus, and a driving test behind the gate."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from appointments import model as desks
from appointments.offices.planning import closes_at, opens_at
from appointments.offices.rules import Rule, RuleOpening, RuleSort
from kernel.clock import SHANGHAI

_RULES: Final = UUID("0f3c51d2-7f1c-5b84-8f3e-6a0c8f0a4d11")
MADE_BY: Final = "system:seeds"
GIVEN_DAYS: Final = 14
"""Trips and sittings are given for so many days from the day of planting."""

TERMS: Final[dict[str, dict[str, Any]]] = {
    "marriage_registration": {"horizon_days": 30, "release_minute": 8 * 60},
    "health_exam": {"lead_minutes": 60, "release_minute": 8 * 60},
    "real_estate": {"is_for_others": False},
    "business_licence": {
        "questions": (
            desks.Question(
                code="stage", label_zh="办理事项", label_en="What it is about", sort=desks.QuestionSort.CHOICE,
                choices=(
                    desks.Choice("set_up", "设立登记", "Setting up"), desks.Choice("change", "变更登记", "A change"),
                    desks.Choice("close", "注销登记", "Closing down"),
                ),
            ),
            desks.Question(
                code="remark", label_zh="备注", label_en="Remark", sort=desks.QuestionSort.TEXT, is_required=False
            ),
        ),
    },
}  # fmt: skip
"""Where they are not what a service has by itself (`appointments.model.Service`)."""

LANES: Final[dict[str, dict[desks.Lane, int]]] = {
    "exit_entry": {desks.Lane.URGENT: 1, desks.Lane.SPECIAL: 1},
    "social_security": {desks.Lane.SPECIAL: 2},
    "medical_insurance": {desks.Lane.SPECIAL: 1},
}
"""Places beside the normal ones of a service, at every office."""

PARK_BUS: Final = desks.Service(
    service_id=desks.service_id_of("park_bus"), slug="park_bus", department="parks", name_zh="公园预约巴士",
    name_en="Bookable park bus", bring_zh="", bring_en="", sort=desks.ServiceSort.TRIP, lead_minutes=15,
    cancel_minutes=30,
)  # fmt: skip
DRIVING_TEST: Final = desks.Service(
    service_id=desks.service_id_of("driving_test"), slug="driving_test", department="police",
    name_zh="驾驶人考试（科目一）", name_en="Driving theory test", bring_zh="身份证、准考证明",
    bring_en="Identity card, admission slip", sort=desks.ServiceSort.SITTING, horizon_days=7, release_minute=8 * 60,
    lead_minutes=120, is_gated=True, is_for_others=False,
)  # fmt: skip
GIVEN: Final = (PARK_BUS, DRIVING_TEST)
"""Services whose slots are given one by one."""
_BUS_FROM: Final = ("pudong-service-centre", "310115")
_TEST_AT: Final = ("minhang-vehicle-office", "310112")


def an_evening(day: date) -> Rule:
    """The comprehensive window of Huangpu has hours on Tuesday evening (延期办), for a year from `day`."""
    return Rule(
        rule_id=uuid5(_RULES, "evening/huangpu-service-centre/comprehensive"),
        office_id=desks.office_id_of("huangpu-service-centre"),
        service_id=desks.service_id_of("comprehensive"),
        sort=RuleSort.SEASON,
        first_day=day,
        last_day=day + timedelta(days=364),
        openings=(
            RuleOpening(
                weekday=1, opens=time(17), closes=time(20), lane=desks.Lane.DEFERRED, places=2, slot_minutes=60
            ),
        ),
        reason_zh="周二延时服务",
        reason_en="Late opening on Tuesdays",
        made_by=MADE_BY,
        made_at=datetime.combine(day, time(), SHANGHAI),
    )


def given_slots(today: date) -> Iterator[desks.Slot]:
    """Three trips of the park bus a day, and two sittings of the test each Saturday."""
    for ahead in range(1, GIVEN_DAYS + 1):
        day = today + timedelta(days=ahead)
        for number, hour in enumerate((8, 11, 14), start=1):
            yield _slot(PARK_BUS, _BUS_FROM, day, time(hour), hours=2, places=20, ref=f"{number}", detail=_trip(number))
        if day.weekday() == _SATURDAY:
            for number in (1, 2):
                yield _slot(
                    DRIVING_TEST, _TEST_AT, day, time(9), hours=1, places=40, ref=f"room-{number}",
                    detail=_sitting(number, day),
                )  # fmt: skip


_SATURDAY: Final = 5


def _trip(number: int) -> dict[str, str]:
    return {
        "sort": "trip", "route_zh": "市民中心—百鹭湿地公园", "route_en": "Citizens' Centre to Hundred Herons Wetland",
        "departs_from_zh": "市民中心东门", "departs_from_en": "East gate of the Citizens' Centre",
        "vehicle": f"park-bus-{1 + number % 2}",
    }  # fmt: skip


def _sitting(number: int, day: date) -> dict[str, str]:
    return {
        "sort": "sitting", "room_zh": f"第{number}考场", "room_en": f"Room {number}",
        "exam_code": f"K1-{day:%m%d}-{number}",
    }  # fmt: skip


def _slot(
    service: desks.Service, where: tuple[str, str], day: date, at: time, *, hours: int, places: int, ref: str,
    detail: dict[str, str],
) -> desks.Slot:  # fmt: skip
    starts_at = datetime.combine(day, at, SHANGHAI)
    office_id = desks.office_id_of(where[0])
    return desks.Slot(
        slot_id=desks.slot_id_of(office_id, service.service_id, starts_at, ref=ref), office_id=office_id,
        service_id=service.service_id, district=where[1], starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours), places=places, opens_at=opens_at(service, day),
        closes_at=closes_at(service, starts_at), is_gated=service.is_gated, ref=ref, detail=detail,
    )  # fmt: skip
