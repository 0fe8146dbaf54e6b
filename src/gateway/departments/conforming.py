"""Whether a department's server is there and is the one its manifest names (openapi/department-app.yaml, `health`)."""

import asyncio
from typing import Literal

import aiohttp
import msgspec

from gateway.departments.errors import ServerNotReady
from gateway.departments.manifest import RESERVED, Manifest
from gateway.outside import AnswerTooLong, read_bounded

TIMEOUT_SECONDS = 2.0
ANSWER_BYTES_MAX = 4_096


class _Health(msgspec.Struct):
    status: Literal["ok"]
    slug: str


async def check_server(http: aiohttp.ClientSession, manifest: Manifest) -> None:
    """Raises ServerNotReady, which says what was found and what was expected."""
    url = f"{manifest.home.rstrip('/')}/{RESERVED}/health"
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async with http.get(url, allow_redirects=False) as response:
                status, body = response.status, await read_bounded(response, ANSWER_BYTES_MAX)
    except TimeoutError:
        raise ServerNotReady(f"/{RESERVED}/health did not answer within {TIMEOUT_SECONDS} s") from None
    except (aiohttp.ClientError, OSError, AnswerTooLong) as problem:
        raise ServerNotReady(f"/{RESERVED}/health cannot be asked: {type(problem).__name__}") from None
    if status != 200:
        raise ServerNotReady(f"/{RESERVED}/health answered {status}; expected 200")
    try:
        health = msgspec.json.decode(body, type=_Health)
    except msgspec.MsgspecError:
        raise ServerNotReady(f'/{RESERVED}/health: expected {{"status": "ok", "slug": …}}') from None
    if health.slug != manifest.slug:
        raise ServerNotReady(f"/{RESERVED}/health is of another app; expected the slug {manifest.slug}")


async def is_ready(http: aiohttp.ClientSession, manifest: Manifest) -> bool:
    try:
        await check_server(http, manifest)
    except ServerNotReady:
        return False
    return True
