"""Which text says a notice, and with which values. Pure."""

from datetime import datetime, time, timedelta
from typing import Final

from kernel.clock import SHANGHAI, in_shanghai
from notifications.cases import texts
from notifications.cases.model import (
    Approval,
    CaseKind,
    Content,
    InspectionOverdue,
    Progress,
    Supplement,
    Violation,
    changes_between,
)
from notifications.cases.placeholders import packed
from notifications.template import Template

Values = dict[str, str]

_TEXTS: Final = {
    CaseKind.SUPPLEMENT: texts.SUPPLEMENT_NEEDED,
    CaseKind.APPROVAL: texts.CASE_APPROVED,
    CaseKind.PROGRESS: texts.CASE_PROGRESS,
    CaseKind.INSPECTION_OVERDUE: texts.INSPECTION_OVERDUE,
    CaseKind.VIOLATION: texts.VIOLATION_RECORDED,
}
assert _TEXTS.keys() == set(CaseKind)


def text_of(kind: CaseKind, *, is_renewed: bool) -> Template:
    """Which text says a notice of a kind; `is_renewed`: to somebody who was told otherwise before."""
    return texts.SUPPLEMENT_CHANGED if kind is CaseKind.SUPPLEMENT and is_renewed else _TEXTS[kind]


def values_of(content: Content, department: str, before: Content | None, *, is_renewed: bool) -> Values:
    """What stands in the gaps of that text; `before` is what somebody was told otherwise, while that is known."""
    values = {"department": department, "links": packed(content.links)}
    renewed = {"renewed": "yes" if is_renewed else "no"}
    match content:
        case Supplement():
            assert before is None or isinstance(before, Supplement)
            changes = {"changes": packed(changes_between(before, content))} if is_renewed else {}
            return {**values, **_of_list(content), **changes}
        case Approval(matter=matter, when=when, place=place, bring=bring):
            more = {"matter": matter, "place": place, "take_along": bring}
            return {**values, **renewed, **_packed(more), "when": in_shanghai(when).isoformat()}
        case Progress(matter=matter, now=now, next=following, stage=stage, stages=stages):
            more = {"matter": matter, "now": now, "next": following}
            return {**values, **_packed(more), "stage": str(stage), "stages": str(stages)}
        case InspectionOverdue(what=what, since=since, follows=follows):
            return {**values, **renewed, **_packed({"what": what, "follows": follows}), "since": since.isoformat()}
        case Violation(place=place, when=when, what=what, objection=objection):
            more = {"place": place, "what": what, "objection": objection}
            return {**values, **renewed, **_packed(more), "when": in_shanghai(when).isoformat()}
    raise AssertionError(type(content).__name__)


def _of_list(content: Supplement) -> Values:
    papers = [item.what for item in content.items]
    more = {"matter": content.matter, "items": content.items, "papers": papers, "place": content.place}
    return {**_packed(more), "count": str(len(papers)), "until": content.until.isoformat()}


def _packed(values: dict[str, object]) -> Values:
    return {name: packed(value) for name, value in values.items()}


def last_moment_of(content: Content) -> datetime | None:
    """After when telling it helps nobody; None where it always does."""
    match content:
        case Supplement(until=until):
            return datetime.combine(until + timedelta(days=1), time(), SHANGHAI)
        case Approval(when=when):
            return when
        case _:
            return None
