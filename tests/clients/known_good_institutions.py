"""Good requests of venues, departments and operators."""

from datetime import date
from typing import Any, Final
from uuid import uuid4

from kernel.principal import Audience
from tests.clients import library
from tests.clients.everybody import SCENARIO, Everybody
from tests.clients.known_good import Good, good, plain

VENUE, DEPARTMENT, OPERATOR = Audience.VENUE, Audience.DEPARTMENT, Audience.OPERATOR
INVENTED_KIND: Final = "91310000MA1FL000XY901"
INVENTED_ISSUER: Final = "91310000MA1FL000XY"
INVENTED_SCENARIO: Final = "invented.counter"

plain(VENUE, "readDevice", "listGrantedScenarios")
plain(OPERATOR, "readAlerts", "listRegisteredApps", "readAudit", "listSigningKeys")
plain(DEPARTMENT, "listIssuableKinds")


@good("verifyCode", VENUE)
def _(everybody: Everybody) -> Good:
    return Good(body={"code": everybody.code()["text"], "use_id": str(uuid4())})


@good("ask", VENUE)
def _(_: Everybody) -> Good:
    return Good(body={"scenario_code": SCENARIO})


@good("readAsk", VENUE)
def _(everybody: Everybody) -> Good:
    return Good({"ask_id": everybody.asked()["ask_id"]})


# --- departments -------------------------------------------------------------------------------------------------


@good("issueCertificate", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body=everybody.to_issue())


@good("findCertificate", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    request = everybody.to_issue()
    everybody.issued(request)
    return Good(body={"reference": request["reference"], "kind_code": request["kind_code"]})


@good("suspendCertificate", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"certificate_id": everybody.issued()}, body={"reason": "lost"})


@good("revokeCertificate", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"certificate_id": everybody.issued()}, body={"reason": "issued_in_error"})


@good("restoreCertificate", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    certificate_id = everybody.issued()
    path = f"/department/certificates/{certificate_id}/suspend"
    everybody.ask("POST", path, everybody.police, json={"reason": "lost"})
    return Good({"certificate_id": certificate_id}, body={"reason": "cleared"})


@good("supersedeCertificate", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"certificate_id": everybody.issued()}, body=everybody.to_issue())


@good("sendNotice", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(headers={"Idempotency-Key": str(uuid4())}, body=notice_to(everybody))


@good("readNoticeState", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    headers = {"Idempotency-Key": str(uuid4()), "Authorization": f"Bearer {everybody.police}"}
    filed = everybody.city.http.post("/department/messages", headers=headers, json=notice_to(everybody))
    return Good({"message_id": filed.raise_for_status().json()["message_id"]})


@good("listDeskBookings", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(query={"date": date.today().isoformat()}, token=everybody.desk.access_token)  # noqa: DTZ011


@good("readDeskQueue", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=everybody.desk.access_token)


@good("checkInAtDesk", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"booking_id": everybody.booked_today()}, token=everybody.desk.access_token)


def notice_to(everybody: Everybody) -> dict[str, str]:
    return {"id_number": everybody.person.id_number, "title": "通知", "body": "请带身份证。"}


# --- operators ---------------------------------------------------------------------------------------------------


@good("takeAppLive", OPERATOR)
def _(everybody: Everybody) -> Good:
    everybody.ask("POST", f"/operator/apps/{library.SLUG}/suspend", everybody.operator.access_token)
    return Good({"slug": library.SLUG})


@good("suspendApp", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"slug": library.SLUG})


@good("rotateSigningKey", OPERATOR)
def _(_: Everybody) -> Good:
    return Good(body={"purpose": "department"})


@good("revokeSigningKey", OPERATOR)
def _(everybody: Everybody) -> Good:
    body = {"purpose": "department"}
    rotated = everybody.ask("POST", "/operator/signing-keys", everybody.operator.access_token, json=body)
    return Good({"key_id": rotated.json()["key_id"]})


@good("putKind", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"kind_code": INVENTED_KIND}, body=kind())


@good("putIssuer", OPERATOR)
def _(everybody: Everybody) -> Good:
    everybody.ask("PUT", f"/operator/kinds/{INVENTED_KIND}", everybody.operator.access_token, json=kind())
    body = {"department_id": str(uuid4()), "name_zh": "发明局", "name_en": "Office", "kind_codes": [INVENTED_KIND]}
    body |= {"sort": "association", "accredited_until": "2045-12-31"}
    return Good({"issuer_code": INVENTED_ISSUER}, body=body)


@good("putScenario", OPERATOR)
def _(everybody: Everybody) -> Good:
    everybody.ask("PUT", f"/operator/kinds/{INVENTED_KIND}", everybody.operator.access_token, json=kind())
    return Good({"scenario_code": INVENTED_SCENARIO}, body=scenario())


@good("putVenue", OPERATOR)
def _(_: Everybody) -> Good:
    return Good({"venue_id": str(uuid4())}, body=venue())


@good("putDevice", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good({"device_id": str(uuid4())}, body=device(everybody))


@good("withdrawDevice", OPERATOR)
def _(everybody: Everybody) -> Good:
    device_id = str(uuid4())
    body = device(everybody)
    everybody.ask("PUT", f"/operator/devices/{device_id}", everybody.operator.access_token, json=body)
    return Good({"device_id": device_id})


def kind() -> dict[str, Any]:
    field = {"name": "name", "label_zh": "姓名", "label_en": "Name", "type": "text", "sensitivity": "personal"}
    question = {"name": "is_ours", "label_zh": "本单位", "label_en": "Ours", "field": "name", "test": "starts_with"}
    return {
        "name_zh": "发明证",
        "name_en": "Invented card",
        "fields": [field],
        "face": ["name"],
        "predicates": [{**question, "texts": ["发明"]}],
        "organ_zh": "发明局",
        "organ_en": "Office of Inventions",
        "face_colour": "#336699",
        "layout": "card",
        "valid_days": 365,
    }


def scenario() -> dict[str, Any]:
    words = {"name_zh": "柜台", "name_en": "Counter", "purpose_zh": "看名字", "purpose_en": "To see a name"}
    return {**words, "grants": {INVENTED_KIND: ["name", "is_ours"]}}


def venue() -> dict[str, Any]:
    return {
        "sort": "museum",
        "credit_code": INVENTED_ISSUER,
        "name_zh": "发明馆",
        "name_en": "Museum",
        "district": "310101",
        "address": "发明路1号",
        "scenario_codes": [SCENARIO],
    }


def device(everybody: Everybody) -> dict[str, str]:
    venue_id = str(uuid4())
    everybody.ask("PUT", f"/operator/venues/{venue_id}", everybody.operator.access_token, json=venue())
    return {"venue_id": venue_id, "name_zh": "门口", "name_en": "Gate"}
