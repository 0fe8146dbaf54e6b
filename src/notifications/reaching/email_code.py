"""The text by which an e-mail address is confirmed."""

from notifications.model import Lane
from notifications.template import COUNT, DIGITS, Template, Wording

EMAIL_CODE = Template(
    id="email_code",
    version=1,
    lane=Lane.OTP,
    channels=("email",),
    placeholders={"code": DIGITS, "minutes": COUNT},
    zh=Wording(
        "随申办邮箱验证码",
        "验证码{code}，{minutes}分钟内有效，用于确认您的随申办通知邮箱。如非本人操作，请忽略本邮件，请勿将验证码告诉他人。",
    ),
    en=Wording(
        "Your Suishenban e-mail code",
        "{code} confirms this address for notices of Suishenban; it is good for {minutes} minutes. If you did not ask "
        "for it, do nothing, and tell nobody.",
    ),
)
