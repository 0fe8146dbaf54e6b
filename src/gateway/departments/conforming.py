"""Whether a department's server is there and is the one its manifest names (openapi/department-app.yaml).

`health` is asked now and then. Before an app goes live, one that offers a register is also asked for somebody without a
token: it must refuse, or anybody could read it.
"""

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
    await _check_health(http, manifest)
    if manifest.registers:
        status, _ = await _ask(http, manifest, "POST", "register")
        if status != 401:
            said = "expected 401 to a call without a token, since the manifest says `registers`"
            raise ServerNotReady(f"/{RESERVED}/register answered {status}; {said}")


async def _ask(http: aiohttp.ClientSession, manifest: Manifest, method: str, name: str) -> tuple[int, bytes]:
    """What the server answers to a call that nobody vouches for. Raises ServerNotReady."""
    url = f"{manifest.home.rstrip('/')}/{RESERVED}/{name}"
    body = {"kind_code": manifest.registers[0]} if method == "POST" else None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async with http.request(method, url, json=body, allow_redirects=False) as response:
                return response.status, await read_bounded(response, ANSWER_BYTES_MAX)
    except TimeoutError:
        raise ServerNotReady(f"/{RESERVED}/{name} did not answer within {TIMEOUT_SECONDS} s") from None
    except (aiohttp.ClientError, OSError, AnswerTooLong) as problem:
        raise ServerNotReady(f"/{RESERVED}/{name} cannot be asked: {type(problem).__name__}") from None


async def _check_health(http: aiohttp.ClientSession, manifest: Manifest) -> None:
    status, body = await _ask(http, manifest, "GET", "health")
    if status != 200:
        raise ServerNotReady(f"/{RESERVED}/health answered {status}; expected 200")
    try:
        health = msgspec.json.decode(body, type=_Health)
    except msgspec.MsgspecError:
        raise ServerNotReady(f'/{RESERVED}/health: expected {{"status": "ok", "slug": …}}') from None
    if health.slug != manifest.slug:
        raise ServerNotReady(f"/{RESERVED}/health is of another app; expected the slug {manifest.slug}")


async def is_ready(http: aiohttp.ClientSession, manifest: Manifest) -> bool:
    """Whether the server says that it is well."""
    try:
        await _check_health(http, manifest)
    except ServerNotReady:
        return False
    return True
