"""What people are told when they write to us. To be among `templates.ALL`."""

from typing import Final

from notifications.model import Lane
from notifications.template import Template, Wording

OPTED_OUT: Final = Template(
    id="reply_opted_out",
    version=1,
    lane=Lane.RESULT,
    channels=("sms",),
    placeholders={},
    zh=Wording("已退订", "已为您退订该类提醒和通知短信，验证码、变更和办理结果不受影响。回复“恢复”可重新接收。"),
    en=Wording("Stopped", "No more of these will come. Codes, changes and results still do. Reply START to undo."),
)
OPTED_IN: Final = Template(
    id="reply_opted_in",
    version=1,
    lane=Lane.RESULT,
    channels=("sms",),
    placeholders={},
    zh=Wording("已恢复", "已为您恢复接收提醒和通知短信。回复T可退订。"),
    en=Wording("Started", "You will get reminders and notices by SMS again. Reply STOP to end them."),
)
NOT_POSSIBLE: Final = Template(
    id="reply_not_possible",
    version=1,
    lane=Lane.RESULT,
    channels=("sms",),
    placeholders={},
    zh=Wording("未能办理", "您的短信回复未能办理：可能已过时限，或需补充信息。请在随申办中查看并办理。"),
    en=Wording("Not done", "Your reply came too late, or more is needed. Please look into the Suishenban app."),
)
ALL: Final = (OPTED_OUT, OPTED_IN, NOT_POSSIBLE)
