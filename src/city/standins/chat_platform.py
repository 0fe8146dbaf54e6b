"""A stand-in for the chat platform's mini-program server API (WeChat), speaking its wire format.

Facts kept from the real one: errors come with HTTP 200 and an `errcode`; the sign-in answer is JSON labelled
text/plain; a code is good once and for five minutes; a stable token lives 7,200 s, is renewed from five minutes before
its end, and the old one stays good for those five minutes. `POST /demo/js-codes` is ours: it plays the phone.
Sources: developers.weixin.qq.com, code2Session, getStableAccessToken, getPhoneNumber.
"""

import base64
import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeVar

import msgspec
from aiohttp import web

from city.demo.codes import PHONE_RANGE
from city.standins import announcing
from city.standins.demo_secrets import DEMO_APP_ID, DEMO_APP_SECRET
from city.standins.subscribe_messages import SubscribeMessages
from kernel.clock import Clock

STAND_IN: Final = "chat-platform"
CODE_LIFETIME: Final = timedelta(minutes=5)
TOKEN_LIFETIME: Final = timedelta(seconds=7200)
TOKEN_OVERLAP: Final = timedelta(minutes=5)
FORCED_REFRESH_EVERY: Final = timedelta(seconds=30)
CODES_MAX: Final = 10_000
TOKENS_MAX: Final = 8
assert TOKEN_OVERLAP < TOKEN_LIFETIME

_DEMO_PHONE: Final = re.compile(re.escape(PHONE_RANGE) + "[0-9]{4}")
_ALPHANUMERIC: Final = string.ascii_letters + string.digits

_ERRORS: Final = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken",
    40002: "invalid grant_type",
    40013: "invalid appid",
    40029: "invalid code",
    40097: "invalid args",
    40125: "invalid appsecret",
    40163: "code been used",
    40226: "code blocked",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    42001: "access_token expired",
    47001: "data format error",
}

_Body = TypeVar("_Body", bound=msgspec.Struct)
Behaviour = Literal["ok", "blocked", "busy"]
_MISBEHAVES: Final[dict[Behaviour, int]] = {"blocked": 40226, "busy": -1}


class PlatformError(Exception):
    """What the platform answers instead: a number and its words."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """What a phone does: tap "sign in" in the chat app. `behave` makes the platform refuse the sign-in."""

    phone: str
    behave: Behaviour = "ok"


class StableTokenRequest(msgspec.Struct):
    grant_type: str = ""
    appid: str = ""
    secret: str = ""
    force_refresh: bool = False


class PhoneRequest(msgspec.Struct):
    code: str = ""


class _Code(msgspec.Struct):
    """A code that was handed to a phone, and what became of it."""

    phone: str
    behave: Behaviour
    expires_at: datetime
    is_used: bool = False


class _Token(msgspec.Struct):
    text: str
    expires_at: datetime
    given_at: datetime


class ChatPlatform:
    """Everything the platform remembers, in memory: a restart forgets codes and tokens, never who somebody is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sign_in_codes: dict[str, _Code] = {}
        self._phone_codes: dict[str, _Code] = {}
        self._tokens: list[_Token] = []
        self._subscribing = SubscribeMessages(clock, openid_of=openid_of, error_of_token=self._error_of_token)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sns/jscode2session", self.sign_in),
            web.post("/cgi-bin/stable_token", self.give_token),
            web.post("/wxa/business/getuserphonenumber", self.tell_phone),
            web.post("/demo/js-codes", self.play_phone),
            *self._subscribing.routes(),
        ]

    async def sign_in(self, request: web.Request) -> web.Response:
        """code2Session: whose code is it? Answers openid, session_key and unionid."""
        asked = request.query
        try:
            _prove_app(asked.get("appid", ""), asked.get("secret", ""))
            if asked.get("grant_type") != "authorization_code":
                raise PlatformError(40002)
            code = self._spend(self._sign_in_codes, asked.get("js_code", ""), missing=41008)
        except PlatformError as refused:
            return _error(refused.errcode, media="text/plain")
        content = {
            "session_key": base64.b64encode(secrets.token_bytes(16)).decode(),
            "openid": openid_of(code.phone),
            "unionid": _subject("unionid", code.phone),
        }
        return announcing.answer(STAND_IN, content, media="text/plain")

    async def give_token(self, request: web.Request) -> web.Response:
        """getStableAccessToken: the token that server calls carry."""
        try:
            asked = await _decoded(request, StableTokenRequest)
            if asked.grant_type != "client_credential":
                raise PlatformError(40002)
            _prove_app(asked.appid, asked.secret)
        except PlatformError as refused:
            return _error(refused.errcode)
        now = self._clock.now()
        token = self._token(now, force=asked.force_refresh)
        lifetime = int((token.expires_at - now).total_seconds())
        return announcing.answer(STAND_IN, {"access_token": token.text, "expires_in": lifetime})

    async def tell_phone(self, request: web.Request) -> web.Response:
        """getPhoneNumber: which phone does this code stand for?"""
        try:
            self._prove_token(request.query.get("access_token", ""))
            asked = await _decoded(request, PhoneRequest)
            code = self._spend(self._phone_codes, asked.code, missing=40097)
        except PlatformError as refused:
            return _error(refused.errcode)
        national = code.phone.removeprefix("+86")
        content = {
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": national,
                "purePhoneNumber": national,
                "countryCode": "86",
                "watermark": {"timestamp": int(self._clock.now().timestamp()), "appid": DEMO_APP_ID},
            },
        }
        return announcing.answer(STAND_IN, content)

    async def play_phone(self, request: web.Request) -> web.Response:
        """Demo only: what `wx.login` and the phone-number button would hand to the mini-program."""
        try:
            asked = msgspec.json.decode(await request.read(), type=Ask)
        except msgspec.MsgspecError:
            return announcing.refusal(STAND_IN, 400, "Send {phone, behave}")
        if _DEMO_PHONE.fullmatch(asked.phone) is None:
            return announcing.refusal(STAND_IN, 400, "Only phones of the demo city can be played")
        now = self._clock.now()
        if not self._has_room(now):
            return announcing.refusal(STAND_IN, 503, "Too many codes are waiting to be used")
        js_code = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(32))
        phone_code = secrets.token_hex(32)
        expires_at = now + CODE_LIFETIME
        self._sign_in_codes[js_code] = _Code(asked.phone, asked.behave, expires_at)
        self._phone_codes[phone_code] = _Code(asked.phone, "ok", expires_at)
        content = {
            "js_code": js_code,
            "phone_code": phone_code,
            "expires_in": int(CODE_LIFETIME.total_seconds()),
        }
        return announcing.answer(STAND_IN, content, status=201)

    def _has_room(self, now: datetime) -> bool:
        for codes in (self._sign_in_codes, self._phone_codes):
            if len(codes) >= CODES_MAX:
                for text in [text for text, code in codes.items() if code.expires_at <= now]:
                    del codes[text]
        return max(len(self._sign_in_codes), len(self._phone_codes)) < CODES_MAX

    def _spend(self, codes: dict[str, _Code], text: str, *, missing: int) -> _Code:
        """Use a code up. A code that was used stays known as such until it expires. Raises PlatformError."""
        if not text:
            raise PlatformError(missing)
        code = codes.get(text)
        if code is None or code.expires_at <= self._clock.now():
            raise PlatformError(40029)
        if code.is_used:
            raise PlatformError(40163)
        if code.behave == "busy":
            raise PlatformError(_MISBEHAVES[code.behave])
        code.is_used = True
        if code.behave == "blocked":
            raise PlatformError(_MISBEHAVES[code.behave])
        return code

    def _token(self, now: datetime, *, force: bool) -> _Token:
        latest = self._tokens[-1] if self._tokens else None
        is_stale = latest is None or latest.expires_at - now <= TOKEN_OVERLAP
        is_forced = force and (latest is None or now - latest.given_at >= FORCED_REFRESH_EVERY)
        if latest is not None and not is_stale and not is_forced:
            return latest
        if is_forced:
            self._tokens.clear()
        token = _Token(secrets.token_urlsafe(96), now + TOKEN_LIFETIME, now)
        self._tokens = [*self._tokens, token][-TOKENS_MAX:]
        return token

    def _error_of_token(self, text: str) -> int | None:
        try:
            self._prove_token(text)
        except PlatformError as refused:
            return refused.errcode
        return None

    def _prove_token(self, text: str) -> None:
        if not text:
            raise PlatformError(41001)
        found = next((one for one in self._tokens if hmac.compare_digest(one.text.encode(), text.encode())), None)
        if found is None:
            raise PlatformError(40001)
        if found.expires_at <= self._clock.now():
            raise PlatformError(42001)


def _prove_app(app_id: str, secret: str) -> None:
    if not app_id:
        raise PlatformError(41002)
    if app_id != DEMO_APP_ID:
        raise PlatformError(40013)
    if not secret:
        raise PlatformError(41004)
    if not hmac.compare_digest(secret.encode(), DEMO_APP_SECRET.encode()):
        raise PlatformError(40125)


def openid_of(phone: str) -> str | None:
    """Who a phone of the demo city is to the mini-program; None for any other phone."""
    return None if _DEMO_PHONE.fullmatch(phone) is None else _subject("openid:" + DEMO_APP_ID, phone)


def _subject(purpose: str, phone: str) -> str:
    """Who a phone's owner is to an app: 28 characters that begin with `o`, the same after a restart."""
    digest = hmac.digest(DEMO_APP_SECRET.encode(), f"{purpose}:{phone}".encode(), hashlib.sha256)
    return "o" + base64.urlsafe_b64encode(digest).decode()[:27]


async def _decoded(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.MsgspecError:
        raise PlatformError(47001) from None


def _error(errcode: int, *, media: str = "application/json") -> web.Response:
    parts = [secrets.token_hex(4) for _ in range(3)]
    content: dict[str, Any] = {"errcode": errcode, "errmsg": f"{_ERRORS[errcode]}, rid: {'-'.join(parts)}"}
    return announcing.answer(STAND_IN, content, media=media)
