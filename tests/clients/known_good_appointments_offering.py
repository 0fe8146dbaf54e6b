"""Good requests about the calendar, and about what departments offer."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from appointments.model import office_id_of, service_id_of
from kernel.principal import Audience
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good, plain
from tests.clients.known_good_appointments_desk import a_clerk
from tests.clients.served_city import ALWAYS_OPEN, DESK_OFFICE

PUBLIC, DEPARTMENT, OPERATOR = Audience.PUBLIC, Audience.DEPARTMENT, Audience.OPERATOR
OFFICE: Final = str(office_id_of(DESK_OFFICE))
QUIET: Final = str(service_id_of("household"))
"""A service of the police at the same office that nobody books here."""
DECISION: Final = {"on_conflict": "keep", "reason_zh": "试运行"}
DESK: Final = {
    "slot_minutes": 30, "places": 3, "openings": [{"weekday": 0, "opens": "09:00", "closes": "11:00"}],
}  # fmt: skip
TERMS: Final = {
    "lead_minutes": 0, "horizon_days": 14, "release_minute": 0, "cancel_minutes": 120, "is_gated": False,
    "is_for_others": True, "questions": [],
}  # fmt: skip
FAR: Final = "2090-03-0"
"""Days of a year that nothing is planned for."""

plain(DEPARTMENT, "listOfferedServices")


@good("readCalendar", PUBLIC)
def _(_: Everybody) -> Good:
    return Good({"year": "2026"})


@good("readOperatorCalendar", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"year": "2026"})


@good("fillCalendarYear", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"year": "2025"})


@good("putCalendarYear", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"year": "2090"}, body={"days": []})


@good("putCalendarDay", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"day": f"{FAR}1"}, body={"sort": "holiday", "name_zh": "节", "name_en": "Holiday"})


@good("resetCalendarDay", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"day": f"{FAR}2"})


@good("putServiceTerms", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"service_id": QUIET}, body=TERMS, token=everybody.police)


def _desk(everybody: Everybody, body: Any = None) -> Good:
    return Good({"office_id": OFFICE, "service_id": QUIET}, body=body, token=everybody.police)


@good("readOfferedDesk", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _desk(everybody)


@good("putOfferedDesk", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _desk(everybody, DESK)


@good("previewReplan", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _desk(everybody, {"desk": DESK})


@good("applyReplan", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _desk(everybody, DECISION)


def _rule() -> dict[str, Any]:
    return {
        "office_id": OFFICE, "service_id": QUIET, "sort": "closed", "first_day": f"{FAR}3", "last_day": f"{FAR}3",
        "reason_zh": "盘点", "reason_en": "Stocktaking",
    }  # fmt: skip


@good("putRule", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"rule_id": str(uuid4())}, body=_rule(), token=everybody.police)


@good("withdrawRule", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    rule_id = str(uuid4())
    everybody.ask("PUT", f"/department/offering/rules/{rule_id}", everybody.police, json=_rule())
    return Good({"rule_id": rule_id}, token=everybody.police)


def _of_office(everybody: Everybody, body: Any = None, **path: str) -> Good:
    return Good({"office_id": OFFICE, **path}, body=body, token=a_clerk(everybody, is_supervisor=True))


def _proposed() -> dict[str, Any]:
    return {name: value for name, value in _rule().items() if name not in ("office_id", "service_id")}


@good("readOfferedOffice", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _of_office(everybody)


@good("putOfficeRule", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _of_office(everybody, _proposed(), rule_id=str(uuid4()))


@good("previewOfficeReplan", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _of_office(everybody, {"rule": _proposed()})


@good("applyOfficeReplan", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return _of_office(everybody, DECISION)


def _sitting() -> dict[str, Any]:
    starts_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    return {
        "office_id": OFFICE, "service_id": str(service_id_of("driving_test")), "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=1)).isoformat(), "places": 5, "ref": uuid4().hex,
        "detail": {"sort": "sitting", "room_zh": "一考场", "room_en": "Room 1", "exam_code": "K1-1"},
    }  # fmt: skip


@good("giveSlot", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body=_sitting(), token=everybody.police)


@good("withdrawSlot", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    given = everybody.ask("PUT", "/department/offering/slots", everybody.police, json=_sitting()).json()
    return Good({"slot_id": given["slot_id"]}, body=DECISION, token=everybody.police)


@good("readTripPosition", Audience.RESIDENT, Audience.MINI)
def _(everybody: Everybody) -> Good:
    path = f"/resident/slots?service_id={service_id_of('park_bus')}&limit=1"
    [slot] = everybody.ask("GET", path, everybody.resident.access_token).json()["slots"]
    return Good({"slot_id": slot["slot_id"]})


assert ALWAYS_OPEN != "household", "what is changed here is not what others book"
