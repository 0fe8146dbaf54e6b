"""Good requests by which departments are called back, and people want no more of something."""

from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from gateway import tokens
from kernel.ids import DepartmentId, SessionId, uuid7
from kernel.principal import Audience, DepartmentSystem
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good, plain
from tests.clients.known_good_residents import BOTH

DEPARTMENT, OPERATOR = Audience.DEPARTMENT, Audience.OPERATOR
CALLBACK: Final = {"url": "http://127.0.0.1:9/calls", "events": ["message.delivered", "text.received"]}
"""Nobody is there: the callback is left alone soon."""
SENDER: Final = "appointments"

plain(DEPARTMENT, "listCallbacks", "listCallbackEvents", "readReceivedTexts")
plain(OPERATOR, "listTroubledCallbacks")


def a_department(everybody: Everybody) -> str:
    """The token of a system of a department's own, which has no callback yet."""
    parts, now = everybody.city.parts, datetime.now(UTC)
    department_id = DepartmentId(uuid4())
    return tokens.mint(
        parts.signing_keys,
        DepartmentSystem(department_id, "calls", "市回调局"),
        issuer=parts.settings.public_origin,
        audience=DEPARTMENT,
        session_id=SessionId(uuid7(now)),
        now=now,
        client_id=f"department:{department_id}",
    ).text


def set_by(everybody: Everybody, token: str) -> str:
    """The id of a callback just set."""
    callback_id = str(uuid4())
    everybody.ask("PUT", f"/department/callbacks/{callback_id}", token, json=CALLBACK)
    return callback_id


@good("putCallback", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"callback_id": str(uuid4())}, body=CALLBACK, token=a_department(everybody))


@good("removeCallback", DEPARTMENT)
@good("enableCallback", DEPARTMENT)
@good("testCallback", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    token = a_department(everybody)
    return Good({"callback_id": set_by(everybody, token)}, token=token)


@good("rotateCallbackSecret", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    token = a_department(everybody)
    return Good({"callback_id": set_by(everybody, token)}, body={"overlap_hours": 1}, token=token)


@good("replayCallbackEvents", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    token = a_department(everybody)
    return Good({"callback_id": set_by(everybody, token)}, body={"since": "2026-01-01T00:00:00+08:00"}, token=token)


@good("replayCallbackEvent", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    token = a_department(everybody)
    callback_id = set_by(everybody, token)
    tried = everybody.ask("POST", f"/department/callbacks/{callback_id}/test", token).json()
    return Good({"callback_id": callback_id, "event_id": tried["event_id"]}, token=token)


@good("disableCallback", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good({"callback_id": set_by(everybody, a_department(everybody))})


for _audience in BOTH:
    plain(_audience, "listOptOuts")

    @good("changeOptOut", _audience)
    def _(_: Everybody) -> Good:
        return Good({"sender": SENDER}, body={"is_opted_out": False})
