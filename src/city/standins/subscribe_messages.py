"""The stand-in's subscribe messages (订阅消息): who allowed which template how often, and what arrived.

Facts kept from the real platform: each "accept" of a template that is good once lets one message through, and the next
is refused with 43101; a long-term one lets all through until it is refused; a value too long for its gap refuses the
message whole. `/demo/…` is ours: it plays the person's tap and shows the phone.
Source: developers.weixin.qq.com, subscribeMessage.send and wx.requestSubscribeMessage.
"""

import re
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from city.standins import announcing
from gateway.miniapp.demo_texts import DEMO_TEXTS
from kernel.clock import Clock
from notifications.channels.subscribe.texts import KIND_MAX, MOMENTS

STAND_IN: Final = "chat-platform"
TEMPLATES: Final = {text.provider_template: text for text in DEMO_TEXTS}
SHOWN_MAX: Final = 200
TAPS_MAX: Final = 10_000
_MOMENT: Final = re.compile(r"[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日( [0-9]{2}:[0-9]{2})?")

ERRORS: Final = {
    40003: "invalid openid",
    40037: "invalid template_id",
    43101: "user refuse to accept the msg",
    47001: "data format error",
    47003: "argument invalid!",
}


class Tap(msgspec.Struct, forbid_unknown_fields=True):
    """How the person answers the chat app's question for one template."""

    phone: str
    template: str
    outcome: Literal["accept", "reject"] = "accept"


class Whose(msgspec.Struct, forbid_unknown_fields=True):
    phone: str


class Value(msgspec.Struct):
    value: str


class Message(msgspec.Struct):
    touser: str
    template_id: str
    data: dict[str, Value]
    page: str = ""


class Shown(msgspec.Struct):
    """A message as the phone shows it."""

    openid: str
    template: str
    values: dict[str, str]
    page: str
    shown_at: datetime


class SubscribeMessages:
    """What the platform remembers of subscribe messages, in memory."""

    def __init__(
        self, clock: Clock, *, openid_of: Callable[[str], str | None], error_of_token: Callable[[str], int | None]
    ) -> None:
        self._clock = clock
        self._openid_of = openid_of
        self._error_of_token = error_of_token
        self._left: Counter[tuple[str, str]] = Counter()
        self._shown: deque[Shown] = deque(maxlen=SHOWN_MAX)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/cgi-bin/message/subscribe/send", self.send),
            web.post("/demo/subscribe-taps", self.play_tap),
            web.post("/demo/subscribe-messages", self.show_phone),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """subscribeMessage.send."""
        wrong = self._error_of_token(request.query.get("access_token", ""))
        if wrong is not None:
            return _answer(wrong)
        try:
            message = msgspec.json.decode(await request.read(), type=Message)
        except msgspec.MsgspecError:
            return _answer(47001)
        text, place = TEMPLATES.get(message.template_id), (message.touser, message.template_id)
        if not message.touser.startswith("o"):
            return _answer(40003)
        if text is None:
            return _answer(40037)
        gaps = {gap for gaps in text.texts.values() for gap in gaps}
        if message.data.keys() != gaps or not all(_fits(gap, one.value) for gap, one in message.data.items()):
            return _answer(47003)
        if self._left[place] <= 0:
            return _answer(43101)
        if not text.is_long_term:
            self._left[place] -= 1
        values = {gap: one.value for gap, one in message.data.items()}
        self._shown.appendleft(Shown(*place, values, message.page, self._clock.now()))
        return _answer(0)

    async def play_tap(self, request: web.Request) -> web.Response:
        """Demo only: what `wx.requestSubscribeMessage` would hand to the mini-program."""
        try:
            tap = msgspec.json.decode(await request.read(), type=Tap)
        except msgspec.MsgspecError:
            return announcing.refusal(STAND_IN, 400, "Send {phone, template, outcome}")
        openid = self._openid_of(tap.phone)
        if openid is None or tap.template not in TEMPLATES:
            return announcing.refusal(STAND_IN, 400, "Only phones and templates of the demo city can be played")
        if len(self._left) >= TAPS_MAX:
            return announcing.refusal(STAND_IN, 503, "Too many people have tapped")
        place, is_long_term = (openid, tap.template), TEMPLATES[tap.template].is_long_term
        if tap.outcome == "accept":
            self._left[place] = 1 if is_long_term else self._left[place] + 1
        elif is_long_term:
            self._left[place] = 0
        return announcing.answer(STAND_IN, {tap.template: tap.outcome})

    async def show_phone(self, request: web.Request) -> web.Response:
        """Demo only: the messages that arrived at a phone, newest first."""
        try:
            openid = self._openid_of(msgspec.json.decode(await request.read(), type=Whose).phone)
        except msgspec.MsgspecError:
            return announcing.refusal(STAND_IN, 400, "Send {phone}")
        shown = [one for one in self._shown if one.openid == openid]
        return announcing.answer(STAND_IN, {"messages": [msgspec.to_builtins(one) for one in shown]})


def _fits(gap: str, value: str) -> bool:
    kind = gap.rstrip("0123456789")
    if kind in MOMENTS:
        return _MOMENT.fullmatch(value) is not None
    return 0 < len(value) <= KIND_MAX[kind] and value.isprintable()


def _answer(errcode: int) -> web.Response:
    content: dict[str, Any] = {"errcode": errcode, "errmsg": "ok" if errcode == 0 else ERRORS.get(errcode, "refused")}
    return announcing.answer(STAND_IN, content)
