"""Subscribe messages through the chat platform's server API (WeChat): a `Provider` of the channel `subscribe`.

Errors come with HTTP 200 and an `errcode`. Sources: developers.weixin.qq.com, subscribeMessage.send; the list of its
errcodes also in cloud.tencent.com/document/product/1219/67648. What becomes of a message afterwards the platform tells
by a push of its own that we do not take: accepted is the end we know.
"""

import asyncio
from typing import Any, Final

import aiohttp
import msgspec

from kernel.clock import Clock
from kernel.log import get_logger
from kernel.settings import Secret
from notifications.channels.provider import Accepted, Refused, SubscribeMessage, TakeReceipts, TakeTexts
from notifications.channels.subscribe.access_token import STALE, AccessToken, TokenRefused
from notifications.channels.subscribe.texts import SubscribeTexts
from notifications.model import Channel, RefusalKind

PATH: Final = "/cgi-bin/message/subscribe/send"
CONNECTIONS_MAX: Final = 32
KEPT_ALIVE_SECONDS: Final = 15.0
"""Idle connections close before a server's own limit does, commonly 60 s or more: a write never meets a dead one."""
BEFORE_SENT_SECONDS: Final = 3.5
"""For a token, a free connection and connecting, all together: sooner than any lane's own limit, so that what has not
begun to leave by then is not sent for certain."""
CONNECT_SECONDS_MIN: Final = 0.05
"""Nothing at all would mean for ever."""
ANSWER_SECONDS: Final = 8.0
ANSWER_BYTES_MAX: Final = 16_384

NO_GRANT: Final = "43101"
"""The person never allowed it, has taken it back, or what they allowed is used up."""
KINDS: Final[dict[int, RefusalKind]] = {
    -1: "busy",  # "system error, try again"
    40001: "busy",  # of the token, which was renewed and is refused again
    40014: "busy",
    42001: "busy",
    45009: "busy",  # the day's calls are used up
    45011: "busy",  # too often
    43108: "later",  # two at once to one person
    40038: "busy",  # five of a long-term template a day
    40003: "recipient",  # nobody of this openid
    43101: "recipient",
}
"""By errcode; any other is a fault between the platform and us, which another try would meet again: `provider`."""

log = get_logger(__name__)


class NeverSent(Exception):
    """No connection was free, or none came about: it is certain that nothing left. The text says which."""


class Unclear(Exception):
    """The platform answered in a way that does not say whether the message left."""


class _Told(msgspec.Struct, frozen=True):
    errcode: int
    msgid: int | str | None = None


class SubscribePlatform:
    """Sends subscribe messages. Opens nothing before it is first asked; whoever made it closes it."""

    def __init__(
        self,
        clock: Clock,
        base_url: str,
        app_id: str,
        secret: Secret,
        texts: SubscribeTexts,
        *,
        name: str = "subscribe",
        answer_seconds: float = ANSWER_SECONDS,
        before_sent_seconds: float = BEFORE_SENT_SECONDS,
    ) -> None:
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._texts = texts
        self._answer_seconds = answer_seconds
        self._before_sent_seconds = before_sent_seconds
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)
        self._token = AccessToken(clock, self._ask_for_token, app_id, secret)
        self._http: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def channel(self) -> Channel:
        return "subscribe"

    @property
    def at_once_max(self) -> int:
        return CONNECTIONS_MAX

    @property
    def receipts_come(self) -> bool:
        return False

    def announce(self) -> None:
        log.info(
            "subscribe messages go through the chat platform", provider=self._name, templates=len(self._texts.every)
        )

    async def receipts(self, _take: TakeReceipts, _hear: TakeTexts) -> None:
        """None come."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def send(self, parcel: SubscribeMessage, /) -> Accepted | Refused:
        """Send one, with another token if the platform takes the first one no more.

        Whatever happens before the message itself is handed over is a certain no. Afterwards only an answer is.
        """
        told: _Told | None = None
        stale: str | None = None
        give_up_at = asyncio.get_running_loop().time() + self._before_sent_seconds
        for _ in range(2):
            token = await self._token_or_refusal(stale, give_up_at)
            if isinstance(token, Refused):
                return token
            try:
                told = await self._offer(parcel, token, give_up_at)
            except NeverSent as problem:
                return Refused("busy", str(problem))
            if told.errcode not in STALE:
                break
            stale = token
        assert told is not None
        if told.errcode == 0:
            return Accepted(() if told.msgid is None else (str(told.msgid),))
        kind = KINDS.get(told.errcode, "provider")
        if kind == "provider":
            log.error("the chat platform refused a subscribe message", errcode=told.errcode)
        return Refused(kind, str(told.errcode))

    async def _token_or_refusal(self, stale: str | None, give_up_at: float) -> str | Refused:
        try:
            async with asyncio.timeout_at(give_up_at):
                return await self._token.current(instead_of=stale)
        except TokenRefused as refused:
            return Refused(KINDS.get(refused.errcode, "provider"), f"token {refused.errcode}")
        except (aiohttp.ClientError, OSError, TimeoutError, NeverSent, Unclear, msgspec.MsgspecError) as problem:
            return Refused("busy", f"token {type(problem).__name__}")

    async def _offer(self, parcel: SubscribeMessage, token: str, give_up_at: float) -> _Told:
        template = parcel.template
        text = self._texts.named(template.provider_template)
        message: dict[str, Any] = {
            "touser": parcel.openid,
            "template_id": template.provider_template,
            "data": {gap: {"value": value} for gap, value in template.parameters.items()},
            "miniprogram_state": "formal",
            "lang": "zh_CN",
        }
        if text is not None and text.page:
            message["page"] = text.page
        answer = await self._ask(PATH, {"access_token": token}, message, give_up_at)
        return msgspec.json.decode(answer, type=_Told)

    async def _ask_for_token(self, path: str, query: dict[str, str], body: dict[str, Any]) -> bytes:
        give_up_at = asyncio.get_running_loop().time() + self._before_sent_seconds
        return await self._ask(path, query, body, give_up_at)

    async def _ask(self, path: str, query: dict[str, str], body: dict[str, Any], give_up_at: float) -> bytes:
        """The answer's body. Raises NeverSent where that is certain; else Unclear for anything but a bounded 200, and
        what the connection does.
        """
        try:
            async with asyncio.timeout_at(give_up_at):
                await self._free.acquire()
        except TimeoutError:
            raise NeverSent("no connection free") from None
        try:
            return await self._exchange(path, query, body, give_up_at)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            raise NeverSent(type(problem).__name__) from None
        finally:
            self._free.release()

    async def _exchange(self, path: str, query: dict[str, str], body: dict[str, Any], give_up_at: float) -> bytes:
        if self._http is None:
            self._http = _open_client()
        left = max(give_up_at - asyncio.get_running_loop().time(), CONNECT_SECONDS_MIN)
        async with (
            asyncio.timeout(left + self._answer_seconds),
            self._http.post(
                self._base_url + path,
                params=query,
                data=msgspec.json.encode(body),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=left, sock_read=self._answer_seconds),
            ) as response,
        ):
            if response.status != 200:
                raise Unclear(f"HTTP {response.status}")
            answer = await response.content.read(ANSWER_BYTES_MAX)
            while chunk := await response.content.read(ANSWER_BYTES_MAX):
                answer += chunk
                if len(answer) > ANSWER_BYTES_MAX:
                    raise Unclear("too long an answer")
            return answer


def _open_client() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEPT_ALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        skip_auto_headers=("User-Agent",),
        timeout=aiohttp.ClientTimeout(total=None),
    )
