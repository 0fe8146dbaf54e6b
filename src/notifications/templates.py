"""Every text the city sends, versioned, in Chinese and English, with the values it needs.

A wording that changes becomes a new version; the old one stays while messages of it may still be owed.
"""

from notifications.model import Channel, Lane
from notifications.template import BASIS, COUNT, DAY, DIGITS, MOMENT, NAME, STATE, Template, Wording, one_of, text

_BOTH: tuple[Channel, ...] = ("inbox", "sms")
_BOOKING = {"service": NAME, "office": NAME, "when": MOMENT, "bring": text(200, empty=("无", "nothing"))}
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
BOOKING_CONFIRMED = Template(
    id="booking_confirmed",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording("预约成功", "您已预约{when}在{office}办理“{service}”。请携带：{bring}。"),
    en=Wording("Booked", "Booked: {service}, {when}, at {office}. Please bring: {bring}."),
    optional_sms="results",
)
BOOKING_CANCELLED = Template(
    id="booking_cancelled",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording("预约已取消", "您{when}在{office}办理“{service}”的预约已取消。"),
    en=Wording("Booking cancelled", "Cancelled: {service}, {when}, at {office}."),
)
BOOKING_CHANGED = Template(
    id="booking_changed",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording("预约已改期", "您的“{service}”预约已改为{when}，地点：{office}。请携带：{bring}。"),
    en=Wording("Booking changed", "Changed: {service} is now {when}, at {office}. Please bring: {bring}."),
)
BOOKING_REMINDER = Template(
    id="booking_reminder",
    version=1,
    lane=Lane.REMINDER,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording("预约提醒", "提醒：您预约了{when}在{office}办理“{service}”。请携带：{bring}。"),
    en=Wording("Reminder", "Reminder: {service}, {when}, at {office}. Please bring: {bring}."),
    optional_sms="reminders",
)
BOOKING_SOON = Template(
    id="booking_soon",
    version=1,
    lane=Lane.REMINDER,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording("即将开始", "您预约的“{service}”将于{when}在{office}办理，请按时到场。请携带：{bring}。"),
    en=Wording("Soon", "Soon: {service}, {when}, at {office}. Please bring: {bring}."),
    optional_sms="reminders",
)
BOOKING_CANCELLED_BY_OFFICE = Template(
    id="booking_cancelled_by_office",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_BOOKING | {"reason": text(200)},
    zh=Wording("预约被取消", "很抱歉，您{when}在{office}办理“{service}”的预约已由办理单位取消：{reason}。请重新预约。"),
    en=Wording("Cancelled by the office", "Sorry: {office} cancelled your {service} of {when}: {reason}. Book anew."),
)
BOOKING_MOVED_BY_OFFICE = Template(
    id="booking_moved_by_office",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_BOOKING | {"reason": text(200)},
    zh=Wording("预约被改期", "因{reason}，您的“{service}”预约改为{when}，地点：{office}。如不便请改期或取消。"),
    en=Wording(
        "Moved by the office", "{reason}: your {service} is now {when}, at {office}. Move or cancel if need be."
    ),
)
BOOKING_MISSED = Template(
    id="booking_missed",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders=_BOOKING | {"strikes": COUNT, "most": COUNT},
    zh=Wording(
        "爽约记录",
        "您未按约于{when}到{office}办理“{service}”，记爽约一次（近期共{strikes}次，满{most}次暂停预约）。有异议可申诉。",
    ),
    en=Wording(
        "Not come",
        "You did not come to {office} for {service}, {when}: {strikes} of {most} before a pause. You may appeal.",
    ),
    optional_sms="results",
)
BOOKING_SUSPENDED = Template(
    id="booking_suspended",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders={"ends": MOMENT},
    zh=Wording("预约暂停", "因多次爽约，您在{ends}前不能预约。已有预约不受影响，有异议可申诉。"),
    en=Wording("Booking paused", "You missed several bookings and cannot book until {ends}. You may appeal."),
)
APPEAL_DECIDED = Template(
    id="appeal_decided",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders=_BOOKING
    | {
        "verdict": one_of(
            waived=("成立，该记录已取消", "granted: the record is gone"), upheld=("不成立", "not granted")
        )
    },
    zh=Wording("申诉结果", "您就{when}“{service}”爽约记录的申诉{verdict}。"),
    en=Wording("Your appeal", "Your appeal about {service}, {when}, was {verdict}."),
)
WAITING_OFFER = Template(
    id="waiting_offer",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_BOOKING | {"ends": MOMENT},
    zh=Wording("候补名额", "候补到号：{office}“{service}”，{when}。请在{ends}前在随申办确认，逾期名额将给下一位。"),
    en=Wording(
        "A place came free", "A place: {service}, {when}, at {office}. Take it by {ends}, or it goes to the next."
    ),
)
WAITING_LAPSED = Template(
    id="waiting_lapsed",
    version=1,
    lane=Lane.RESULT,
    channels=("inbox",),
    placeholders={"service": NAME},
    zh=Wording("候补结束", "您对“{service}”的候补已结束：名额未确认或候补日期已过。可重新候补。"),
    en=Wording(
        "Waiting ended", "Your wait for {service} has ended: not taken in time, or the days are over. Join anew."
    ),
)
QUEUE_NEARLY = Template(
    id="queue_nearly",
    version=1,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders={"office": NAME, "number": text(8), "ahead": COUNT},
    zh=Wording("即将到号", "您在{office}的{number}号前面还有{ahead}人，请留意叫号。"),
    en=Wording("Nearly your turn", "{office}: {ahead} before your number {number}. Watch the display."),
)
VISIT_RESULT = Template(
    id="visit_result",
    version=1,
    lane=Lane.RESULT,
    channels=_BOTH,
    placeholders=_BOOKING
    | {
        "outcome": one_of(
            done=("已办结", "done"), supplement=("需补正材料", "more papers needed"), refused=("不予办理", "refused")
        ),
        "note": text(200, empty=("无", "none")),
    },
    zh=Wording("办理结果", "您{when}在{office}办理的“{service}”：{outcome}。说明：{note}。"),
    en=Wording("Result", "{service}, {when}, at {office}: {outcome}. Note: {note}."),
    optional_sms="results",
)
VISIT_RATING = Template(
    id="visit_rating",
    version=1,
    lane=Lane.RESULT,
    channels=("inbox",),
    placeholders=_BOOKING,
    zh=Wording("请您评价", "您于{when}在{office}办理了“{service}”，请在随申办“我的预约”中评价本次服务。"),
    en=Wording("How was it?", "You were at {office} for {service}, {when}. Rate the visit under My bookings."),
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

ALL = (
    SIGN_IN_CODE,
    NEW_SIGN_IN,
    BOOKING_CONFIRMED,
    BOOKING_CANCELLED,
    BOOKING_CHANGED,
    BOOKING_REMINDER,
    BOOKING_SOON,
    BOOKING_CANCELLED_BY_OFFICE,
    BOOKING_MOVED_BY_OFFICE,
    BOOKING_MISSED,
    BOOKING_SUSPENDED,
    APPEAL_DECIDED,
    WAITING_OFFER,
    WAITING_LAPSED,
    QUEUE_NEARLY,
    VISIT_RESULT,
    VISIT_RATING,
    CERTIFICATE_ISSUED,
    CERTIFICATE_STATE_CHANGED,
    CERTIFICATE_SHOWN,
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
)
_BY_VERSION = {(template.id, template.version): template for template in ALL}
assert len(_BY_VERSION) == len(ALL)


def find(template_id: str, version: int) -> Template | None:
    """The very wording a message was owed in; None for one this code does not know."""
    return _BY_VERSION.get((template_id, version))
