"""Asking servers outside the city over HTTP: without cookies, redirects or the environment's proxies, and bounded."""

import aiohttp

KEPT_ALIVE_SECONDS = 15.0
"""Idle connections close before a server's own limit does, commonly 60 s or more: a write never meets a dead one."""


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
