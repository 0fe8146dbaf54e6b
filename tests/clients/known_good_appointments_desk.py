"""Good requests about what happens at the counter: numbers, calls, check-ins and the display."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import uuid4

import msgspec

from appointments.model import office_id_of, service_id_of
from city.demo.kinds import KIND_BY_SLUG
from gateway.demo.cast import PlayedPerson
from gateway.recognising import CHECK_IN_SCENARIO
from kernel.ids import DepartmentId, SessionId, StaffId, uuid7
from kernel.principal import Audience, Staff
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good
from tests.clients.served_city import ALWAYS_OPEN, DESK_OFFICE

DEPARTMENT, PUBLIC, RESIDENT, MINI = Audience.DEPARTMENT, Audience.PUBLIC, Audience.RESIDENT, Audience.MINI
OFFICE: Final = office_id_of(DESK_OFFICE)
SERVICE: Final = {"service_id": str(service_id_of(ALWAYS_OPEN))}
_counters = count(100)
_people = count(20)


class Window(msgspec.Struct):
    """A counter of its own that a clerk of its own has opened."""

    number: int
    version: int
    token: str


def a_clerk(everybody: Everybody, *, is_supervisor: bool = False) -> str:
    now = datetime.now(UTC)
    staff = Staff(StaffId(uuid4()), SessionId(uuid7(now)), DepartmentId(uuid4()), OFFICE, is_supervisor=is_supervisor)
    return everybody.city.minted(staff, DEPARTMENT)


def a_window(everybody: Everybody) -> Window:
    number, token = next(_counters), a_clerk(everybody)
    opened = everybody.ask(
        "PUT", f"/department/desk/counters/{number}", token, json={"service_ids": [SERVICE["service_id"]]}
    ).json()
    return Window(number, opened["version"], token)


def a_ticket(everybody: Everybody) -> dict[str, Any]:
    """A number that waits."""
    path = f"/department/desk/tickets/{uuid4()}"
    return dict(everybody.ask("PUT", path, a_clerk(everybody), json=SERVICE).json())


def a_called_ticket(everybody: Everybody) -> tuple[dict[str, Any], str]:
    """A number that a counter has called, and who sits there."""
    window = a_window(everybody)
    a_ticket(everybody)
    call = f"/department/desk/counters/{window.number}/call"
    called = everybody.ask("POST", call, window.token, json={"expected": window.version}).json()
    return dict(called["ticket"]), window.token


def a_visitor(everybody: Everybody) -> tuple[PlayedPerson, str]:
    """Somebody who is booked for an hour that comes soon, and their token."""
    person = everybody.city.cast.residents[next(_people)]
    token = everybody.known(person).access_token
    everybody.ask("PUT", f"/resident/bookings/{uuid4()}", token, json={"slot_id": _slot_of_today(everybody)})
    return person, token


def _slot_of_today(everybody: Everybody) -> str:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    slots = everybody.ask("GET", f"/resident/slots?service_id={SERVICE['service_id']}", everybody.resident.access_token)
    free = (one for one in slots.json()["slots"] if one["free"] and datetime.fromisoformat(one["starts_at"]) > soon)
    return str(next(free)["slot_id"])


@good("listCounters", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=a_clerk(everybody))


@good("listTickets", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=a_clerk(everybody))


@good("readDeskReport", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=a_clerk(everybody, is_supervisor=True))


@good("openCounter", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    body = {"service_ids": [SERVICE["service_id"]]}
    return Good({"counter": str(next(_counters))}, body=body, token=a_clerk(everybody))


@good("closeCounter", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    window = a_window(everybody)
    return Good({"counter": str(window.number)}, token=window.token)


@good("callNext", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    window = a_window(everybody)
    a_ticket(everybody)
    return Good({"counter": str(window.number)}, body={"expected": window.version}, token=window.token)


@good("takeTicket", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    body = SERVICE | {"person": {"by": "phone", "phone": "13900000009"}}
    return Good({"ticket_id": str(uuid4())}, body=body, token=a_clerk(everybody))


@good("readTicket", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"ticket_id": a_ticket(everybody)["ticket_id"]}, token=a_clerk(everybody))


for _change in ("recallTicket", "startTicket", "finishTicket", "missTicket", "putBackTicket"):

    @good(_change, DEPARTMENT)
    def _(everybody: Everybody) -> Good:
        ticket, token = a_called_ticket(everybody)
        return Good({"ticket_id": ticket["ticket_id"]}, body={"expected": ticket["version"]}, token=token)


for _change, _where in (("transferTicket", SERVICE), ("leaveTicket", {})):

    @good(_change, DEPARTMENT)
    def _(everybody: Everybody, where: dict[str, str] = _where) -> Good:
        ticket = a_ticket(everybody)
        body = {"expected": ticket["version"]} | where
        return Good({"ticket_id": ticket["ticket_id"]}, body=body, token=a_clerk(everybody))


@good("checkInByPhone", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    person, _ = a_visitor(everybody)
    return Good(body={"phone": person.phone}, token=a_clerk(everybody))


@good("checkInByCode", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    _, token = a_visitor(everybody)
    held = everybody.ask("GET", "/resident/certificates", token).json()["certificates"]
    card = next(one for one in held if one["state"] == "issued" and "身份证" in one["name_zh"])
    path = f"/resident/certificates/{card['certificate_id']}/codes"
    code = everybody.ask("POST", path, token, json={"scenario_code": CHECK_IN_SCENARIO}).json()["text"]
    return Good(body={"code": code, "use_id": str(uuid4())}, token=a_clerk(everybody))


@good("searchDeskSlots", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(query=SERVICE, token=a_clerk(everybody))


@good("bookAtDesk", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    person = everybody.city.cast.residents[next(_people)]
    body = {"booking_id": str(uuid4()), "slot_id": everybody.free_slot()}
    return Good(body=body | {"id_number": person.id_number, "name": person.name}, token=a_clerk(everybody))


@good("readWhatWasTold", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"booking_id": everybody.booked_today()}, token=a_clerk(everybody))


@good("listOwnTickets", RESIDENT, MINI)
def _(_: Everybody) -> Good:
    return Good()


def own_ticket(everybody: Everybody, audience: Audience) -> Good:
    booking_id, token = str(uuid4()), everybody.city.a_citizen(audience)
    everybody.ask("PUT", f"/{audience}/bookings/{booking_id}", token, json={"slot_id": _slot_of_today(everybody)})
    path = f"/department/desk/bookings/{booking_id}/check-in"
    here = everybody.ask("POST", path, a_clerk(everybody)).json()
    return Good({"ticket_id": here["ticket"]["ticket_id"]}, token=token)


@good("readOwnTicket", RESIDENT)
def _(everybody: Everybody) -> Good:
    return own_ticket(everybody, RESIDENT)


@good("readOwnTicket", MINI)
def _(everybody: Everybody) -> Good:
    return own_ticket(everybody, MINI)


for _display in ("readDisplay", "showBoard"):

    @good(_display, PUBLIC)
    def _(_: Everybody) -> Good:
        return Good({"office_id": str(OFFICE)})


@good("watchDisplay", PUBLIC)
def _(_: Everybody) -> Good:
    return Good({"office_id": str(OFFICE)}, query={"seconds": "1"})


@good("putCodeReader", Audience.OPERATOR)
def _(_: Everybody) -> Good:
    body = {"credit_code": "12310104DEMB0001XX", "kind_codes": [KIND_BY_SLUG["resident_id_card"].code]}
    return Good({"office_id": str(OFFICE)}, body=body)
