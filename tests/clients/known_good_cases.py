"""Good requests by which departments tell people of their cases."""

from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from kernel.principal import Audience
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good

DEPARTMENT: Final = Audience.DEPARTMENT
MATTER: Final = {"zh": "居住证签注", "en": "Residence permit"}
PLACE: Final = {"zh": "三号窗口"}


def said(everybody: Everybody, notice: dict[str, Any]) -> Good:
    """A notice about a case of its own."""
    body = {"id_number": everybody.person.id_number, "notice": notice}
    return Good({"reference": f"case-{uuid4().hex}"}, body=body)


def a_week_ahead(everybody: Everybody) -> str:
    return (everybody.now + timedelta(days=7)).date().isoformat()


@good("tellSupplement", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    items = [{"what": {"zh": "租赁合同"}, "why": {"zh": "需要加盖公章"}}]
    return said(everybody, {"matter": MATTER, "items": items, "place": PLACE, "until": a_week_ahead(everybody)})


@good("tellApproval", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return said(everybody, {"matter": MATTER, "when": (everybody.now + timedelta(days=7)).isoformat(), "place": PLACE})


@good("tellProgress", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return said(everybody, progress())


def progress() -> dict[str, Any]:
    return {"matter": MATTER, "stage": 1, "stages": 3, "now": {"zh": "审核中"}, "next": {"zh": "制证"}}


@good("tellInspectionOverdue", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    since = (everybody.now - timedelta(days=7)).date().isoformat()
    return said(everybody, {"what": {"zh": "电梯年检"}, "since": since, "follows": {"zh": "逾期将停用"}})


@good("tellViolation", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    when = (everybody.now - timedelta(days=1)).isoformat()
    objection = {"zh": "十五日内可向三号窗口申诉"}
    return said(everybody, {"place": PLACE, "when": when, "what": {"zh": "占道停车"}, "objection": objection})


@good("readCaseNotices", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    told = said(everybody, progress())
    reference = told.path["reference"]
    everybody.ask("PUT", f"/department/cases/{reference}/notices/progress", everybody.police, json=told.body)
    return Good({"reference": reference})
