"""The chat platform's mini-program server API (WeChat), as its client.

Errors come with HTTP 200 and an `errcode`; the sign-in answer is JSON labelled text/plain. Sources:
developers.weixin.qq.com, code2Session, getStableAccessToken, getPhoneNumber.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import aiohttp
import msgspec
from msgspec import Meta

from gateway.miniapp.errors import (
    CodeRefused,
    PhoneNotUsable,
    PlatformAway,
    PlatformBusy,
    PlatformLate,
    PlatformOff,
    UserBlocked,
)
from gateway.outside import AnswerTooLong, read_bounded
from gateway.residents.model import NotAPhone, Phone, read_phone
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.log import get_logger
from kernel.settings import Secret

TIMEOUT_SECONDS = 4.0
ANSWER_BYTES_MAX = 16_384
RENEWED_BEFORE = timedelta(minutes=5)
"""The platform gives a new token in the last five minutes of the old one, and both are good meanwhile."""
BUSY_RETRY_SECONDS = 2

STALE_TOKEN = frozenset({40001, 40014, 42001})
REFUSALS: dict[int, type[Refusal]] = {
    -1: PlatformBusy,
    40029: CodeRefused,
    40097: CodeRefused,
    40163: CodeRefused,
    40226: UserBlocked,
    45009: PlatformBusy,
    45011: PlatformBusy,
}
"""By errcode; any other is a fault between the platform and us: PlatformAway."""

log = get_logger(__name__)


class Session(msgspec.Struct, frozen=True):
    """code2Session's answer: who taps, as this mini-program's openid. The session key is not kept."""

    errcode: int = 0
    openid: Annotated[str, Meta(max_length=128, pattern=r"^[\x21-\x7e]*$")] = ""


class StableToken(msgspec.Struct, frozen=True):
    errcode: int = 0
    access_token: Annotated[str, Meta(max_length=1024, pattern=r"^[\x21-\x7e]*$")] = ""
    expires_in: Annotated[int, Meta(ge=0, le=86_400)] = 0


class PhoneOf(msgspec.Struct, frozen=True, rename="camel"):
    pure_phone_number: str = ""
    country_code: str = ""


class PhoneAnswer(msgspec.Struct, frozen=True):
    errcode: int = 0
    phone_info: PhoneOf | None = None


Told = TypeVar("Told", Session, StableToken, PhoneAnswer)


class ChatPlatform:
    """Asks the platform. An empty `app_id` means that this city has none."""

    def __init__(self, http: aiohttp.ClientSession, clock: Clock, base_url: str, app_id: str, secret: Secret) -> None:
        self._http = http
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._app_id = app_id
        self._secret = secret
        self._token = ""
        self._token_until: datetime | None = None
        self._renewing = asyncio.Lock()

    async def openid_of(self, js_code: str) -> str:
        """Who tapped "sign in". Raises CodeRefused, UserBlocked, Platform…"""
        if not self._app_id:
            raise PlatformOff
        asked = {
            "appid": self._app_id,
            "secret": self._secret.reveal(),
            "js_code": js_code,
            "grant_type": "authorization_code",
        }
        session = await self._ask("GET", "/sns/jscode2session", asked, None, Session)
        _check(session.errcode)
        if not session.openid:
            raise PlatformAway
        return session.openid

    async def phone_of(self, phone_code: str) -> Phone:
        """The phone somebody allowed us to know. Raises CodeRefused, PhoneNotUsable, Platform…"""
        if not self._app_id:
            raise PlatformOff
        answer = await self._ask_for_phone(phone_code, await self._stable_token())
        if answer.errcode in STALE_TOKEN:  # another process renewed it, or the platform forgot it
            answer = await self._ask_for_phone(phone_code, await self._stable_token(instead_of=self._token))
        _check(answer.errcode)
        if answer.phone_info is None:
            raise PlatformAway
        try:
            return read_phone(f"+{answer.phone_info.country_code}{answer.phone_info.pure_phone_number}")
        except NotAPhone:
            raise PhoneNotUsable from None

    async def _ask_for_phone(self, phone_code: str, token: str) -> PhoneAnswer:
        path, query = "/wxa/business/getuserphonenumber", {"access_token": token}
        return await self._ask("POST", path, query, {"code": phone_code}, PhoneAnswer)

    async def _stable_token(self, *, instead_of: str = "") -> str:
        """The token that server calls carry, kept until shortly before its end; asked for once, however many wait."""
        async with self._renewing:
            is_fresh = self._token_until is not None and self._clock.now() < self._token_until
            if is_fresh and self._token != instead_of:
                return self._token
            asked: dict[str, Any] = {
                "grant_type": "client_credential",
                "appid": self._app_id,
                "secret": self._secret.reveal(),
                "force_refresh": bool(instead_of),
            }
            told = await self._ask("POST", "/cgi-bin/stable_token", {}, asked, StableToken)
            _check(told.errcode)
            if not told.access_token:
                raise PlatformAway
            self._token = told.access_token
            self._token_until = self._clock.now() + max(
                timedelta(seconds=told.expires_in) - RENEWED_BEFORE, timedelta(0)
            )
            return self._token

    async def _ask(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any] | None, kind: type[Told]
    ) -> Told:
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._http.request(
                    method,
                    self._base_url + path,
                    params=query,
                    data=data,
                    headers=headers,
                    allow_redirects=False,
                ) as response,
            ):
                if response.status != 200:
                    raise PlatformAway
                return msgspec.json.decode(await read_bounded(response, ANSWER_BYTES_MAX), type=kind)
        except TimeoutError:
            log.warning("the chat platform did not answer in time", call=path)
            raise PlatformLate(retry_after_seconds=BUSY_RETRY_SECONDS) from None
        except (aiohttp.ClientError, OSError, AnswerTooLong, msgspec.MsgspecError) as problem:
            log.warning("the chat platform failed", call=path, error=type(problem).__name__)
            raise PlatformAway(retry_after_seconds=BUSY_RETRY_SECONDS) from None


def _check(errcode: int) -> None:
    """Raises what an errcode means."""
    if errcode == 0:
        return
    refusal = REFUSALS.get(errcode, PlatformAway)
    if refusal is PlatformAway:
        log.error("the chat platform refused our call", errcode=errcode)
    raise refusal(retry_after_seconds=BUSY_RETRY_SECONDS if refusal in (PlatformBusy, PlatformAway) else None)
