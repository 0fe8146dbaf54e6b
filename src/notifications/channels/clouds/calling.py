"""Posting to a cloud's API: one client for each provider, without cookies, redirects or the environment's proxies."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from yarl import URL

ANSWERED_WITHIN_SECONDS = 4.0
"""Longer than either cloud takes (Aliyun advises at least one second), shorter than an OTP's attempt may last."""
CONNECTED_WITHIN_SECONDS = 2.0
ANSWER_BYTES_MAX = 65_536
CONNECTIONS_MAX = 200
KEPT_ALIVE_SECONDS = 15.0
"""Idle connections close before a server's own limit does: a write never meets a dead one."""


class NotConnected(Exception):
    """No connection came about: it is certain that nothing left."""


class NotUnderstood(Exception):
    """What came back is no answer of this API's, so it is not known whether the message left."""


class NotWell(Exception):
    """A provider that was asked how it is does not know us, or does not serve us. The text is for operators."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.status})"


class Client:
    """Opens nothing before it is first asked, and belongs to the event loop that asks."""

    def __init__(self, base_url: str, *, connections: int) -> None:
        assert 1 <= connections <= CONNECTIONS_MAX
        self._base = URL(base_url)
        self._connections = connections
        self._http: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """What the Host header says, and the signature covers."""
        assert self._base.host is not None
        return self._base.host if self._base.is_default_port() else f"{self._base.host}:{self._base.port}"

    async def post(self, headers: Mapping[str, str], *, query: str = "", body: bytes = b"") -> Answer:
        """One POST to the root, with the query exactly as it was signed. Never repeated by itself.

        Raises NotConnected where it is certain that nothing left, and anything else (TimeoutError too) where it is not.
        """
        url = URL(f"{self._base.origin()}/{'?' if query else ''}{query}", encoded=True)
        try:
            async with (
                asyncio.timeout(ANSWERED_WITHIN_SECONDS),
                self._opened().post(url, headers=headers, data=body, allow_redirects=False) as response,
            ):
                return Answer(response.status, await self._read(response))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            raise NotConnected(type(problem).__name__) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        length = 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            length += len(chunk)
            if length > ANSWER_BYTES_MAX:
                raise NotUnderstood("the answer is too long")
        return b"".join(chunks)

    def _opened(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEPT_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                skip_auto_headers=("Accept-Encoding", "User-Agent", "Content-Type"),
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=CONNECTED_WITHIN_SECONDS, sock_connect=CONNECTED_WITHIN_SECONDS
                ),
            )
        return self._http

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
