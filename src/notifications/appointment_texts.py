"""What people are told about their bookings, waits and visits. Among `templates.ALL`."""

from typing import Final

from notifications.model import Channel, Lane
from notifications.template import COUNT, MOMENT, NAME, Template, Wording, one_of, text

_BOTH: tuple[Channel, ...] = ("inbox", "sms")
_BOOKING = {"service": NAME, "office": NAME, "when": MOMENT, "bring": text(200, empty=("无", "nothing"))}

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
BOOKING_REMINDER_1 = Template(
    id="booking_reminder",
    version=1,
    lane=Lane.REMINDER,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording("预约提醒", "提醒：您预约了{when}在{office}办理“{service}”。请携带：{bring}。"),
    en=Wording("Reminder", "Reminder: {service}, {when}, at {office}. Please bring: {bring}."),
    optional_sms="reminders",
)
BOOKING_REMINDER = Template(
    id="booking_reminder",
    version=2,
    lane=Lane.REMINDER,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording(
        "预约提醒",
        "提醒：您预约了{when}在{office}办理“{service}”。请携带：{bring}。",
        "提醒：您预约了{when}在{office}办理“{service}”。请携带：{bring}。能按时到场请回复Y确认；不便请在随申办改期或取消。",
    ),
    en=Wording(
        "Reminder",
        "Reminder: {service}, {when}, at {office}. Please bring: {bring}.",
        "Reminder: {service}, {when}, at {office}. Please bring: {bring}. Reply Y if you will come.",
    ),
    optional_sms="reminders",
)
BOOKING_SOON_1 = Template(
    id="booking_soon",
    version=1,
    lane=Lane.REMINDER,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording("即将开始", "您预约的“{service}”将于{when}在{office}办理，请按时到场。请携带：{bring}。"),
    en=Wording("Soon", "Soon: {service}, {when}, at {office}. Please bring: {bring}."),
    optional_sms="reminders",
)
BOOKING_SOON = Template(
    id="booking_soon",
    version=2,
    lane=Lane.REMINDER,
    channels=_BOTH,
    placeholders=_BOOKING,
    zh=Wording(
        "即将开始",
        "您预约的“{service}”将于{when}在{office}办理，请按时到场。请携带：{bring}。",
        "您预约的“{service}”将于{when}在{office}办理，请按时到场。请携带：{bring}。能到场请回复Y确认。",
    ),
    en=Wording(
        "Soon",
        "Soon: {service}, {when}, at {office}. Please bring: {bring}.",
        "Soon: {service}, {when}, at {office}. Please bring: {bring}. Reply Y if you will come.",
    ),
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
WAITING_OFFER_1 = Template(
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
WAITING_OFFER = Template(
    id="waiting_offer",
    version=2,
    lane=Lane.CHANGE,
    channels=_BOTH,
    placeholders=_BOOKING | {"ends": MOMENT},
    zh=Wording(
        "候补名额",
        "候补到号：{office}“{service}”，{when}。请在{ends}前在随申办确认，逾期名额将给下一位。",
        "候补到号：{office}“{service}”，{when}。请在{ends}前回复Y确认，或在随申办确认，逾期名额将给下一位。",
    ),
    en=Wording(
        "A place came free",
        "A place: {service}, {when}, at {office}. Take it by {ends}, or it goes to the next.",
        "A place: {service}, {when}, at {office}. Reply Y by {ends}, or take it in the app; else it goes to the next.",
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
QUEUE_NEARLY_1 = Template(
    id="queue_nearly",
    version=1,
    lane=Lane.CHANGE,
    channels=("inbox",),
    placeholders={"office": NAME, "number": text(8), "ahead": COUNT},
    zh=Wording("即将到号", "您在{office}的{number}号前面还有{ahead}人，请留意叫号。"),
    en=Wording("Nearly your turn", "{office}: {ahead} before your number {number}. Watch the display."),
)
QUEUE_NEARLY = Template(
    id="queue_nearly",
    version=2,
    lane=Lane.CHANGE,
    channels=_BOTH,
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

ALL: Final = (
    BOOKING_CONFIRMED,
    BOOKING_CANCELLED,
    BOOKING_CHANGED,
    BOOKING_REMINDER_1,
    BOOKING_REMINDER,
    BOOKING_SOON_1,
    BOOKING_SOON,
    BOOKING_CANCELLED_BY_OFFICE,
    BOOKING_MOVED_BY_OFFICE,
    BOOKING_MISSED,
    BOOKING_SUSPENDED,
    APPEAL_DECIDED,
    WAITING_OFFER_1,
    WAITING_OFFER,
    WAITING_LAPSED,
    QUEUE_NEARLY_1,
    QUEUE_NEARLY,
    VISIT_RESULT,
    VISIT_RATING,
)
