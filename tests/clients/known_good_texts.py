"""Good requests by which departments write texts and operators approve them."""

from typing import Any, Final
from uuid import uuid4

from kernel.principal import Audience
from tests.builders_texts import READY, READY_VALUES
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good, plain

DEPARTMENT, OPERATOR = Audience.DEPARTMENT, Audience.OPERATOR
CONTENT: Final[dict[str, Any]] = READY

plain(DEPARTMENT, "listTexts")
plain(OPERATOR, "listTextsToApprove")


def written(everybody: Everybody) -> str:
    """The id of a text just written."""
    headers = {"Idempotency-Key": str(uuid4()), "Authorization": f"Bearer {everybody.police}"}
    body = {"sort": "sms", "content": CONTENT}
    answer = everybody.city.http.post("/department/texts", json=body, headers=headers).raise_for_status()
    return str(answer.json()["text_id"])


def submitted(everybody: Everybody) -> dict[str, str]:
    """A version just handed in, as a path names it."""
    text_id = written(everybody)
    everybody.ask("POST", f"/department/texts/{text_id}/versions/1/submit", everybody.police)
    return {"text_id": text_id, "version": "1"}


@good("writeText", DEPARTMENT)
def _(_: Everybody) -> Good:
    return Good(headers={"Idempotency-Key": str(uuid4())}, body={"sort": "sms", "content": CONTENT})


@good("readText", DEPARTMENT)
@good("archiveText", DEPARTMENT)
@good("restoreText", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"text_id": written(everybody)})


@good("rewriteText", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"text_id": written(everybody)}, body={"content": CONTENT | {"name": "另一名称"}})


@good("readTextVersion", DEPARTMENT)
@good("submitText", DEPARTMENT)
@good("withdrawText", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"text_id": written(everybody), "version": "1"})


@good("previewText", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good({"text_id": written(everybody), "version": "1"}, body={"values": READY_VALUES})


@good("lookAtText", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good(submitted(everybody))


@good("approveText", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good(submitted(everybody), body={})


@good("rejectText", OPERATOR)
@good("withdrawTextOfDepartment", OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good(submitted(everybody), body={"reason": "签名未报备"})


@good("nameTextToProviders", OPERATOR)
def _(everybody: Everybody) -> Good:
    body = {"providers": {"cloud": {"zh": "SMS_1", "parameters": {"1": "hall"}}}}
    return Good(submitted(everybody), body=body)
