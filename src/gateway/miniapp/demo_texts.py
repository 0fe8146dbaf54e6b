"""Which texts the demo may send as subscribe messages: what a city writes in the file that its carrier names."""

from typing import Final

from notifications.channels.subscribe.texts import SubscribeText

_BOOKING: Final = {"thing1": "service", "thing2": "office", "time3": "when"}

DEMO_TEXTS: Final = (
    SubscribeText(
        provider_template="demo-booking-made",
        title_zh="预约成功通知",
        title_en="Booking made",
        texts={"booking_confirmed": _BOOKING},
        page="pages/bookings/index",
    ),
    SubscribeText(
        provider_template="demo-booking-reminder",
        title_zh="预约提醒",
        title_en="Booking reminder",
        texts={"booking_reminder": _BOOKING, "booking_soon": _BOOKING},
        page="pages/bookings/index",
    ),
    SubscribeText(
        provider_template="demo-result",
        title_zh="办理结果通知",
        title_en="Result of a visit",
        texts={"visit_result": {"thing1": "service", "thing2": "outcome", "thing3": "note"}},
        page="pages/bookings/index",
    ),
    SubscribeText(
        provider_template="demo-certificate-issued",
        title_zh="新证照通知",
        title_en="New certificate",
        texts={"certificate_issued": {"thing1": "kind"}},
        page="pages/wallet/index",
    ),
    SubscribeText(
        provider_template="demo-certificate-shown",
        title_zh="证照使用提醒",
        title_en="Certificate used",
        texts={"certificate_uses": {"thing1": "kind", "thing2": "venue", "time3": "when"}},
        page="pages/uses/index",
    ),
    SubscribeText(
        provider_template="demo-department-notice",
        title_zh="政务服务通知",
        title_en="Notice of a department",
        texts={"department_notice": {"thing1": "department", "thing2": "title"}},
        page="pages/inbox/index",
        is_long_term=True,
    ),
)
