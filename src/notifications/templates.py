"""Every text the city sends, versioned, in Chinese and English, with the values it needs.

A wording that changes becomes a new version; the old one stays while messages of it may still be owed.
"""

from notifications.appointment_texts import ALL as OF_APPOINTMENTS
from notifications.appointment_texts import (
    APPEAL_DECIDED,
    BOOKING_CANCELLED,
    BOOKING_CANCELLED_BY_OFFICE,
    BOOKING_CHANGED,
    BOOKING_CONFIRMED,
    BOOKING_MISSED,
    BOOKING_MOVED_BY_OFFICE,
    BOOKING_REMINDER,
    BOOKING_SOON,
    BOOKING_SUSPENDED,
    QUEUE_NEARLY,
    VISIT_RATING,
    VISIT_RESULT,
    WAITING_LAPSED,
    WAITING_OFFER,
)
from notifications.cases.texts import ALL as OF_CASES
from notifications.model import Channel, Lane
from notifications.reaching.email_code import EMAIL_CODE
from notifications.replies.texts import ALL as ANSWERS
from notifications.template import BASIS, COUNT, DAY, DIGITS, MOMENT, NAME, STATE, Template, Wording, one_of, text

_BOTH: tuple[Channel, ...] = ("inbox", "sms")
_MANDATE = {"other": NAME, "until": DAY, "basis": BASIS}
_COVERS = one_of(
    show=("出示证照", "show certificates"),
    show_and_book=(
        "出示证照，查看、办理、改期和取消预约",
        "show certificates, and see, make, move and cancel bookings",
    ),
)
_USE = {"kind": NAME, "venue": NAME, "when": MOMENT, "fields": text(300, empty=("无", "none"))}

SIGN_IN_CODE = Template(
    id="sign_in_code",
    version=1,
    lane=Lane.OTP,
    channels=("sms",),
    placeholders={"code": DIGITS, "minutes": COUNT},
    zh=Wording("登录验证码", "验证码{code}，{minutes}分钟内有效，用于登录随申办。请勿告诉他人，工作人员不会向您索取。"),
    en=Wording("Sign-in code", "{code} is your Suishenban code, good for {minutes} min. Tell nobody."),
)
NEW_SIGN_IN = Template(
    id="new_sign_in",
    version=1,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders={"device": NAME, "when": MOMENT},
    zh=Wording("新的登录", "您的账号于{when}在“{device}”登录。如非本人操作，请立即在“我的设备”中退出该设备。"),
    en=Wording(
        "New sign-in", 'Your account was signed in to on "{device}" at {when}. If this was not you, end it now.'
    ),
)
CERTIFICATE_ISSUED = Template(
    id="certificate_issued",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders={"kind": NAME},
    zh=Wording("新证照", "您的“{kind}”已签发，可在随申办证照夹中出示。"),
    en=Wording("New certificate", "Your {kind} was issued and is in your Suishenban wallet."),
    optional_sms="results",
)
CERTIFICATE_STATE_CHANGED = Template(
    id="certificate_state_changed",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders={"kind": NAME, "state": STATE},
    zh=Wording("证照状态变更", "您的“{kind}”状态变更为：{state}。"),
    en=Wording("Certificate changed", "Your {kind} is now {state}."),
)
CERTIFICATE_SHOWN = Template(
    id="certificate_shown",
    version=1,
    lane=Lane.RESULT,
    channels=("inbox",),
    placeholders=_USE,
    zh=Wording("证照使用提醒", "{venue}于{when}核验了您的“{kind}”，看到的内容：{fields}。"),
    en=Wording("Certificate used", "{venue} checked your {kind} at {when} and saw: {fields}."),
)
CERTIFICATE_USES = Template(
    id="certificate_uses",
    version=1,
    lane=Lane.RESULT,
    channels=("sms",),
    placeholders={"kind": NAME, "venue": NAME, "when": MOMENT, "count": COUNT},
    zh=Wording("证照使用提醒", "{venue}于{when}核验了您的“{kind}”（共{count}次）。详见随申办“用证记录”。"),
    en=Wording("Certificate used", "{venue} checked your {kind} at {when} (times: {count}). See your record of uses."),
    optional_sms="shown",
)
CERTIFICATE_ENDING = Template(
    id="certificate_ending",
    version=1,
    lane=Lane.REMINDER,
    channels=_BOTH,
    placeholders={"kind": NAME, "until": DAY, "days": COUNT},
    zh=Wording("证照即将到期", "您的“{kind}”有效期至{until}，还有{days}天。如需继续使用，请尽快向签发部门办理换发。"),
    en=Wording(
        "A certificate is about to end",
        "Your {kind} is good until {until}, {days} more days. Renew it with its issuer.",
    ),
    optional_sms="reminders",
)
CERTIFICATE_CONSENTED = Template(
    id="certificate_consented",
    version=1,
    lane=Lane.RESULT,
    channels=("inbox",),
    placeholders=_USE,
    zh=Wording("授权使用提醒", "您于{when}同意{venue}使用您的“{kind}”，内容：{fields}。"),
    en=Wording("Certificate shared", "At {when} you let {venue} use your {kind}: {fields}."),
)
CERTIFICATE_SHOWN_FOR_YOU = Template(
    id="certificate_shown_for_you",
    version=1,
    lane=Lane.RESULT,
    channels=("inbox",),
    placeholders=_USE | {"other": NAME},
    zh=Wording("证照代为使用提醒", "{other}于{when}代您向{venue}出示了“{kind}”，对方看到的内容：{fields}。"),
    en=Wording("Certificate shown for you", "{other} showed your {kind} to {venue} at {when}. It saw: {fields}."),
)
CERTIFICATE_SHOWN_AS_AGENT = Template(
    id="certificate_shown_as_agent",
    version=1,
    lane=Lane.RESULT,
    channels=("inbox",),
    placeholders=_USE | {"other": NAME},
    zh=Wording("代为使用提醒", "您于{when}代{other}向{venue}出示了“{kind}”，对方看到的内容：{fields}。"),
    en=Wording("Shown as an agent", "You showed the {kind} of {other} to {venue} at {when}. It saw: {fields}."),
)
PROOF_CHECKED = Template(
    id="proof_checked",
    version=1,
    lane=Lane.RESULT,
    channels=("inbox",),
    placeholders={"kind": NAME, "when": MOMENT},
    zh=Wording(
        "打印证明核验提醒",
        "有人持您打印的“{kind}”，于{when}核对了您的姓名和证件号码后四位。同一份证明每天最多提醒一次，每次核验均见“用证记录”。",
    ),
    en=Wording(
        "Printed proof checked",
        "Somebody who holds your printed {kind} checked it against your name and ID number at {when}. You hear of each "
        "proof once a day at most; your record of uses has every check.",
    ),
)
MANDATE_GIVEN_1 = Template(
    id="mandate_given",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_MANDATE,
    zh=Wording("证照授权", "{other}可代您出示证照，最迟至{until}。依据：{basis}。详情见“授权”。"),
    en=Wording("Mandate", "{other} may show certificates for you, until {until} at the latest. Basis: {basis}."),
)
MANDATE_GIVEN = Template(
    id="mandate_given",
    version=2,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_MANDATE | {"covers": _COVERS},
    zh=Wording("授权", "{other}可代您{covers}，最迟至{until}。依据：{basis}。详情见“授权”。"),
    en=Wording("Mandate", "{other} may {covers} for you, until {until} at the latest. Basis: {basis}."),
)
MANDATE_RECEIVED_1 = Template(
    id="mandate_received",
    version=1,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders=_MANDATE,
    zh=Wording("证照授权", "您可代{other}出示证照，最迟至{until}。依据：{basis}。详情见“授权”。"),
    en=Wording("Mandate", "You may show certificates for {other}, until {until} at the latest. Basis: {basis}."),
)
MANDATE_RECEIVED = Template(
    id="mandate_received",
    version=2,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders=_MANDATE | {"covers": _COVERS},
    zh=Wording("授权", "您可代{other}{covers}，最迟至{until}。依据：{basis}。详情见“授权”。"),
    en=Wording("Mandate", "You may {covers} for {other}, until {until} at the latest. Basis: {basis}."),
)
MANDATE_ENDED = Template(
    id="mandate_ended",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders={"other": NAME, "basis": BASIS},
    zh=Wording("授权已结束", "{other}不再能代您出示证照或预约（{basis}）。"),
    en=Wording("Mandate ended", "{other} may no longer show certificates or book for you ({basis})."),
)
MANDATE_LOST = Template(
    id="mandate_lost",
    version=1,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders={"other": NAME, "basis": BASIS},
    zh=Wording("授权已结束", "您不再能代{other}出示证照或预约（{basis}）。"),
    en=Wording("Mandate ended", "You may no longer show certificates or book for {other} ({basis})."),
)
VENUE_APPLICATION_DECIDED = Template(
    id="venue_application_decided",
    version=1,
    lane=Lane.RESULT,
    channels=("sms",),
    placeholders={
        "venue": NAME,
        "decision": one_of(approved=("已通过", "approved"), rejected=("未通过", "not approved")),
    },
    zh=Wording("核验场所申请", "“{venue}”的核验场所申请{decision}。详情请凭申请时取得的密钥查询。"),
    en=Wording("Venue application", "The application of {venue} was {decision}. Read more with its secret."),
)
DEPARTMENT_NOTICE = Template(
    id="department_notice",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders={"department": NAME, "title": text(60), "body": text(400)},
    zh=Wording("{title}", "{department}通知您：{title}。{body}"),
    en=Wording("{title}", "{department}: {title}. {body}"),
    optional_sms="notices",
)

__all__ = [
    "APPEAL_DECIDED",
    "BOOKING_CANCELLED",
    "BOOKING_CANCELLED_BY_OFFICE",
    "BOOKING_CHANGED",
    "BOOKING_CONFIRMED",
    "BOOKING_MISSED",
    "BOOKING_MOVED_BY_OFFICE",
    "BOOKING_REMINDER",
    "BOOKING_SOON",
    "BOOKING_SUSPENDED",
    "QUEUE_NEARLY",
    "VISIT_RATING",
    "VISIT_RESULT",
    "WAITING_LAPSED",
    "WAITING_OFFER",
]
"""What is written elsewhere and asked for here, beside what this module writes."""

ALL = (
    SIGN_IN_CODE,
    NEW_SIGN_IN,
    *OF_APPOINTMENTS,
    CERTIFICATE_ISSUED,
    CERTIFICATE_STATE_CHANGED,
    CERTIFICATE_SHOWN,
    CERTIFICATE_USES,
    CERTIFICATE_ENDING,
    CERTIFICATE_CONSENTED,
    CERTIFICATE_SHOWN_FOR_YOU,
    CERTIFICATE_SHOWN_AS_AGENT,
    PROOF_CHECKED,
    MANDATE_GIVEN_1,
    MANDATE_GIVEN,
    MANDATE_RECEIVED_1,
    MANDATE_RECEIVED,
    MANDATE_ENDED,
    MANDATE_LOST,
    VENUE_APPLICATION_DECIDED,
    DEPARTMENT_NOTICE,
    *OF_CASES,
    EMAIL_CODE,
    *ANSWERS,
)
_BY_VERSION = {(template.id, template.version): template for template in ALL}
assert len(_BY_VERSION) == len(ALL)


def find(template_id: str, version: int) -> Template | None:
    """The very wording a message was owed in; None for one this code does not know."""
    return _BY_VERSION.get((template_id, version))
