"""One call to a department's own server: within bounds of time and size, no redirects, to no address of our own."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, Protocol

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from kernel.ids import DepartmentId
from notifications.callbacks.addresses import Reach
from notifications.callbacks.looking_up import NamesInThreads, asked_by

CALL_SECONDS_MAX: Final = 15.0
"""Standard Webhooks recommends 15 to 30 seconds."""
CONNECT_SECONDS_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 16 * 1024
"""Of an answer's body, which is read so that the connection can be used again, and looked at no further."""
CONNECTIONS_MAX: Final = 1_000
CONNECTIONS_PER_HOST_MAX: Final = 64
KEPT_ALIVE_SECONDS: Final = 15.0
_USER_AGENT: Final = "suishenban-callbacks/1"
_RETRY_AFTER_DIGITS_MAX: Final = 6


class Answer(msgspec.Struct, frozen=True):
    """What a call came to. `reason` is for the department and operators: a status, or what went wrong."""

    is_taken: bool
    reason: str
    is_gone: bool = False
    """It answered 410: it wants no more calls."""
    asked: timedelta | None = None
    """How long it asked to be left alone."""


class Calls(Protocol):
    """Calls endpoints."""

    async def call(self, whose: DepartmentId, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST the body to an address of a department's; whatever goes wrong is an answer too."""
        ...

    async def close(self) -> None: ...


class NowhereToCall(OSError):
    """The name leads to no address that may be called."""


class GuardedResolver(AbstractResolver):
    """Resolves names to addresses that may be called, and to no others: what it returns is what is connected to."""

    def __init__(self, reach: Reach, names: AbstractResolver) -> None:
        self._reach = reach
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [one for one in await self._names.resolve(host, port, family) if self._reach.admits(one["host"])]
        if not found:
            raise NowhereToCall
        return found

    async def close(self) -> None:
        await self._names.close()


class HttpCalls:
    """Calls over HTTP. Opens nothing before the first call; whoever made it closes it. `names`: what leads where."""

    def __init__(
        self,
        reach: Reach,
        *,
        seconds_max: float = CALL_SECONDS_MAX,
        names: Callable[[], AbstractResolver] = NamesInThreads,
    ) -> None:
        self._reach = reach
        self._seconds_max = seconds_max
        self._names = names
        self._http: aiohttp.ClientSession | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX,
                    limit_per_host=CONNECTIONS_PER_HOST_MAX,
                    keepalive_timeout=KEPT_ALIVE_SECONDS,
                    resolver=GuardedResolver(self._reach, self._names()),
                    use_dns_cache=False,  # in it one department's look-up would stand for another's
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                skip_auto_headers=("Accept-Encoding",),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS_MAX),
            )
        return self._http

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def call(self, whose: DepartmentId, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST the body. Only a status of 2xx, in time, means that it was taken."""
        wrong = self._reach.wrong_with(url)
        if wrong is not None:
            return Answer(is_taken=False, reason="not an address we call")
        sent = {**headers, "Content-Type": "application/json", "User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
        try:
            async with asyncio.timeout(self._seconds_max):
                with asked_by(whose):
                    response = await self._client().post(
                        URL(url, encoded=True), data=body, headers=sent, allow_redirects=False
                    )
                async with response:
                    await _read_some(response)
                    return _answer(response)
        except TimeoutError:
            return Answer(is_taken=False, reason="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            return Answer(is_taken=False, reason=_named(problem))


async def _read_some(response: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end; the connection of a long one is given up."""
    length = 0
    async for chunk in response.content.iter_any():
        length += len(chunk)
        if length > ANSWER_BYTES_MAX:
            response.close()
            return


def _answer(response: aiohttp.ClientResponse) -> Answer:
    status = response.status
    return Answer(
        is_taken=200 <= status < 300,
        reason=f"status {status}",
        is_gone=status == 410,
        asked=_asked(response.headers.get("Retry-After", "")) if status in (429, 503) else None,
    )


def _asked(retry_after: str) -> timedelta | None:
    """Seconds alone (RFC 9110 §10.2.3): a date would have us trust their clock."""
    is_seconds = retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= _RETRY_AFTER_DIGITS_MAX
    return timedelta(seconds=int(retry_after)) if is_seconds else None


def _named(problem: Exception) -> str:
    """What went wrong, by its kind alone: a message may repeat the address."""
    cause = problem.__cause__ or problem
    if isinstance(cause, NowhereToCall) or isinstance(getattr(problem, "os_error", None), NowhereToCall):
        return "its name leads to no address we call"
    return type(problem).__name__
