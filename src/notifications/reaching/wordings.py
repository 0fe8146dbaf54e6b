"""The words people agree to when they choose to be told beside the inbox. A new wording is a new version, for ever."""

from typing import Final

import msgspec

from notifications.model import Language


class ConsentWording(msgspec.Struct, frozen=True):
    zh: str
    en: str

    def said(self, language: Language) -> str:
        return self.en if language == "en" else self.zh


WORDINGS: Final[dict[int, ConsentWording]] = {
    1: ConsentWording("通过短信接收此类通知。", "Be told of this sort by SMS."),
    2: ConsentWording(
        "同意随申办按所选方式和顺序，将此类通知发送至本人的手机、电子邮箱或小程序订阅消息。"
        "通知内容会经运营商、邮件服务商或小程序平台传送；可随时在此更改或撤回，撤回前已发送的不受影响。站内消息始终保留。",
        "You agree that Suishenban sends notices of this sort to your phone, your e-mail address or the mini-program, "
        "by the ways and in the order chosen. Carriers, mail providers and the mini-program's platform carry what "
        "they say. You may change or take this back here at any time; what was sent before stays sent. The inbox "
        "has everything.",
    ),
}
SWITCH: Final = 1
"""What the plain switch of earlier apps says."""
CURRENT: Final = 2
assert CURRENT in WORDINGS
