"""Asking servers outside the city over HTTP: without cookies, redirects or the environment's proxies, and bounded."""

import asyncio

import aiohttp
from yarl import URL

from wallet.trust.pulling import NotFetched

KEPT_ALIVE_SECONDS = 15.0
"""Idle connections close before a server's own limit does, commonly 60 s or more: a write never meets a dead one."""

FETCHED_WITHIN_SECONDS = 20.0
FETCHES_MAX = 4
"""Connections to other cities at once, from one process."""


class AnswerTooLong(Exception):
    """The answer is longer than the asker takes."""


def open_client(*, connections_max: int) -> aiohttp.ClientSession:
    """A client for one running event loop; whoever opens it closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections_max, keepalive_timeout=KEPT_ALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
        timeout=aiohttp.ClientTimeout(total=None),
    )


async def read_bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body. Raises AnswerTooLong for one of more than `most` bytes."""
    body, is_whole = await read_start(response, most)
    if not is_whole:
        raise AnswerTooLong
    return body


async def read_start(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """The body up to `most` bytes and whatever came with them, and whether that is all of it."""
    chunks: list[bytes] = []
    length = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        length += len(chunk)
        if length > most:
            return b"".join(chunks), False
    return b"".join(chunks), True


class Fetching:
    """Fetches what other cities publish: `wallet.trust.pulling.Fetches`. Opens nothing before it is first asked."""

    def __init__(self, *, seconds_max: float = FETCHED_WITHIN_SECONDS) -> None:
        self._seconds_max = seconds_max
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def __call__(self, url: str, *, accept: str, bytes_max: int) -> bytes:
        """The whole answer, if it is 200, as it is, in time and of at most `bytes_max` bytes. Raises NotFetched."""
        if self._http is None:
            self._http = open_client(connections_max=FETCHES_MAX)
        try:
            async with (
                asyncio.timeout(self._seconds_max),
                self._http.get(URL(url, encoded=True), headers={"Accept": accept}, allow_redirects=False) as response,
            ):
                if response.status != 200 or response.headers.get("Content-Encoding", "identity") != "identity":
                    raise NotFetched(f"it answered {response.status}")
                return await read_bounded(response, bytes_max)
        except AnswerTooLong:
            raise NotFetched("the answer is too long") from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as problem:
            raise NotFetched(type(problem).__name__) from None
