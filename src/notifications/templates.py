"""Every text the city sends, versioned, in Chinese and English, with the values it needs.

A wording that changes becomes a new version; the old one stays while messages of it may still be owed. Values are
strings, checked when the message is owed: what does not fit is a fault of ours, found by the caller's own test.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from kernel.clock import in_shanghai
from notifications.model import SEGMENTS_MAX, Channel, Lane, Language, segments

SIGNATURE = "【随申办】"
"""Who sends: carriers in the mainland require it (短信签名)."""
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_WEEKDAYS_ZH = "一二三四五六日"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Placeholder(msgspec.Struct, frozen=True):
    """One typed gap in a text: what may stand in it, and how it is said in each language."""

    accepts: Callable[[str], bool]
    say: Callable[[str, Language], str] = lambda value, _: value


def text(most: int, *, empty: tuple[str, str] | None = None) -> Placeholder:
    """Printable text of 1 to `most` characters; with `empty`, nothing is allowed too, and said so (zh, en)."""

    def say(value: str, language: Language) -> str:
        return value if value or empty is None else empty[language == "en"]

    return Placeholder(
        lambda value: (empty is not None or bool(value)) and len(value) <= most and is_printable(value), say
    )


def is_printable(value: str) -> bool:
    """Whether a value holds no control character but the line feed, and no half of a surrogate pair."""
    return _UNPRINTABLE.search(value) is None


def one_of(**words: tuple[str, str]) -> Placeholder:
    """One of a few words, each with its (zh, en)."""
    return Placeholder(lambda value: value in words, lambda value, language: words[value][language == "en"])


def _is_moment(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _say_moment(value: str, language: Language) -> str:
    at = in_shanghai(datetime.fromisoformat(value))
    if language == "en":
        return f"{_WEEKDAYS_EN[at.weekday()]} {at.day} {_MONTHS_EN[at.month - 1]}, {at:%H:%M}"
    return f"{at.month}月{at.day}日（周{_WEEKDAYS_ZH[at.weekday()]}）{at:%H:%M}"


MOMENT = Placeholder(_is_moment, _say_moment)
"""A moment in RFC 3339 with its offset (`datetime.isoformat()`), said on the city's clock."""
DIGITS = Placeholder(lambda value: re.fullmatch(r"[0-9]{4,8}", value) is not None)
COUNT = Placeholder(lambda value: re.fullmatch(r"[0-9]{1,4}", value) is not None)
NAME = text(80)
DAY = Placeholder(lambda value: re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None)
"""A day with its year, ISO 8601."""
BASIS = one_of(granted=("授权", "a mandate"), guardian=("监护关系登记", "a registered guardianship"))
STATE = one_of(
    issued=("有效", "valid"),
    restored=("恢复有效", "valid again"),
    suspended=("暂停使用", "suspended"),
    revoked=("已吊销", "revoked"),
    superseded=("已换发新证", "replaced by a newer one"),
    expired=("已过期", "expired"),
)


class Wording(msgspec.Struct, frozen=True):
    """A text in one language: the inbox shows both, an SMS is the body alone."""

    title: str
    body: str


class Rendered(msgspec.Struct, frozen=True):
    title: str
    body: str


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one text. `lane` says how soon it leaves, `channels` where it may go.

    `optional_sms` names the preference by which a person may have it in the inbox only; None where they may not.
    """

    id: str
    version: int
    lane: Lane
    channels: tuple[Channel, ...]
    placeholders: dict[str, Placeholder]
    zh: Wording
    en: Wording
    optional_sms: str | None = None

    def check(self, values: Mapping[str, str]) -> None:
        """Raises ValueError naming what is missing, unknown or of the wrong form; never the values themselves."""
        if values.keys() != self.placeholders.keys():
            raise ValueError(f"{self.id}: values {sorted(values)}, expected {sorted(self.placeholders)}")
        wrong = [name for name, kind in self.placeholders.items() if not kind.accepts(values[name])]
        if wrong:
            raise ValueError(f"{self.id}: not of their form: {', '.join(sorted(wrong))}")

    def render(self, values: Mapping[str, str], language: Language) -> Rendered:
        wording = self.en if language == "en" else self.zh

        def fill(pattern: str) -> str:
            return _PLACEHOLDER.sub(lambda gap: self.placeholders[gap[1]].say(values[gap[1]], language), pattern)

        return Rendered(fill(wording.title), fill(wording.body))

    def sms(self, values: Mapping[str, str], language: Language) -> str:
        """The text of the SMS, signed. What is longer than `SEGMENTS_MAX` segments ends with an ellipsis."""
        whole = SIGNATURE + self.render(values, language).body
        while segments(whole) > SEGMENTS_MAX:
            whole = whole[: len(whole) * 9 // 10] + "…"
        return whole


_BOTH: tuple[Channel, ...] = ("inbox", "sms")
_BOOKING = {"service": NAME, "office": NAME, "when": MOMENT, "bring": text(200, empty=("无", "nothing"))}
_MANDATE = {"other": NAME, "until": DAY, "basis": BASIS}
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
MANDATE_GIVEN = Template(
    id="mandate_given",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_MANDATE,
    zh=Wording("证照授权", "{other}可代您出示证照，最迟至{until}。依据：{basis}。详情见“授权”。"),
    en=Wording("Mandate", "{other} may show certificates for you, until {until} at the latest. Basis: {basis}."),
)
MANDATE_RECEIVED = Template(
    id="mandate_received",
    version=1,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders=_MANDATE,
    zh=Wording("证照授权", "您可代{other}出示证照，最迟至{until}。依据：{basis}。详情见“授权”。"),
    en=Wording("Mandate", "You may show certificates for {other}, until {until} at the latest. Basis: {basis}."),
)
MANDATE_ENDED = Template(
    id="mandate_ended",
    version=1,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders={"other": NAME, "basis": BASIS},
    zh=Wording("证照授权已结束", "{other}不再能代您出示证照（{basis}）。"),
    en=Wording("Mandate ended", "{other} may no longer show certificates for you ({basis})."),
)
MANDATE_LOST = Template(
    id="mandate_lost",
    version=1,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders={"other": NAME, "basis": BASIS},
    zh=Wording("证照授权已结束", "您不再能代{other}出示证照（{basis}）。"),
    en=Wording("Mandate ended", "You may no longer show certificates for {other} ({basis})."),
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
    CERTIFICATE_ISSUED,
    CERTIFICATE_STATE_CHANGED,
    CERTIFICATE_SHOWN,
    CERTIFICATE_CONSENTED,
    CERTIFICATE_SHOWN_FOR_YOU,
    CERTIFICATE_SHOWN_AS_AGENT,
    PROOF_CHECKED,
    MANDATE_GIVEN,
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
