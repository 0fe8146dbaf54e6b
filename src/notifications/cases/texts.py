"""What people are told about their cases. To be among `templates.ALL`."""

from typing import Final

from notifications.cases.placeholders import BRING, CHANGES, LINKS, NEEDED, PAPERS, WORDS
from notifications.model import Channel, Lane
from notifications.template import COUNT, DAY, MOMENT, NAME, Template, Wording, one_of

_BOTH: Final[tuple[Channel, ...]] = ("inbox", "sms")
_LIST: Final = {
    "department": NAME, "matter": WORDS, "count": COUNT, "items": NEEDED, "papers": PAPERS, "place": WORDS,
    "until": DAY, "links": LINKS,
}  # fmt: skip
_RENEWED: Final = one_of(no=("", ""), yes=("（以本通知为准）", " (this replaces what we told you before)"))

SUPPLEMENT_NEEDED: Final = Template(
    id="supplement_needed",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders=_LIST,
    zh=Wording(
        "需补正材料",
        "{department}：您申请的“{matter}”需一次补齐{count}项材料：{items}。最迟{until}交至：{place}。",
        "{department}：您申请的“{matter}”需一次补齐{count}项材料：{papers}。最迟{until}交至：{place}。原因见随申办“消息”。",
    ),
    en=Wording(
        "Papers are missing",
        "{department}: {matter} needs {count} more papers, all of them here: {items}. "
        "Hand them in by {until}, at: {place}.",
        "{department}: {matter} needs {count} more papers: {papers}. Hand them in by {until}, at: {place}. "
        "Why: see your Suishenban inbox.",
    ),
)
SUPPLEMENT_CHANGED: Final = Template(
    id="supplement_changed",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders=_LIST | {"changes": CHANGES},
    zh=Wording(
        "补正材料有变更",
        "{department}：您申请的“{matter}”的补正材料有变更（{changes}），以本通知为准。现共需{count}项：{items}。"
        "最迟{until}交至：{place}。",
        "{department}：您申请的“{matter}”的补正材料有变更（{changes}），以本通知为准。现共需{count}项：{papers}。"
        "最迟{until}交至：{place}。原因见随申办“消息”。",
    ),
    en=Wording(
        "The list has changed",
        "{department}: the list for {matter} has changed ({changes}). It now has {count}, all of them here: {items}. "
        "Hand them in by {until}, at: {place}.",
        "{department}: the list for {matter} has changed ({changes}). It now has {count}: {papers}. "
        "Hand them in by {until}, at: {place}. Why: see your Suishenban inbox.",
    ),
)
CASE_APPROVED: Final = Template(
    id="case_approved",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders={
        "department": NAME, "matter": WORDS, "when": MOMENT, "place": WORDS, "take_along": BRING, "renewed": _RENEWED,
        "links": LINKS,
    },
    zh=Wording(
        "已办结", "{department}：您申请的“{matter}”已办结{renewed}。请于{when}到{place}领取，请携带：{take_along}。"
    ),
    en=Wording(
        "Approved", "{department}: {matter} is done{renewed}. Collect it {when}, at {place}. Bring: {take_along}."
    ),
    optional_sms="results",
)  # fmt: skip
CASE_PROGRESS: Final = Template(
    id="case_progress",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders={
        "department": NAME, "matter": WORDS, "stage": COUNT, "stages": COUNT, "now": WORDS, "next": WORDS,
        "links": LINKS,
    },
    zh=Wording(
        "办理进度", "{department}：您申请的“{matter}”办到第{stage}步（共{stages}步）：{now}。下一步：{next}。"
    ),
    en=Wording("Progress", "{department}: {matter} is at step {stage} of {stages}: {now}. Next: {next}."),
    optional_sms="results",
)  # fmt: skip
INSPECTION_OVERDUE: Final = Template(
    id="inspection_overdue",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders={
        "department": NAME, "what": WORDS, "since": DAY, "follows": WORDS, "renewed": _RENEWED, "links": LINKS,
    },
    zh=Wording("检验逾期", "{department}：{what}自{since}起检验逾期{renewed}。{follows}。"),
    en=Wording("Inspection overdue", "{department}: {what} is due for inspection since {since}{renewed}. {follows}."),
)  # fmt: skip
VIOLATION_RECORDED: Final = Template(
    id="violation_recorded",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders={
        "department": NAME, "when": MOMENT, "place": WORDS, "what": WORDS, "objection": WORDS, "renewed": _RENEWED,
        "links": LINKS,
    },
    zh=Wording(
        "违法记录", "{department}：{when}在{place}有一条违法记录{renewed}：{what}。如有异议：{objection}。"
    ),
    en=Wording(
        "Violation recorded",
        "{department} recorded a violation{renewed}, {when}, {place}: {what}. If you object: {objection}.",
    ),
)  # fmt: skip
ALL: Final = (
    SUPPLEMENT_NEEDED,
    SUPPLEMENT_CHANGED,
    CASE_APPROVED,
    CASE_PROGRESS,
    INSPECTION_OVERDUE,
    VIOLATION_RECORDED,
)
