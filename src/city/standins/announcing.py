"""How a stand-in says that it is one: a header on every answer, so that nobody takes it for the real thing."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

HEADER: Final = "Suishenban-Stand-In"
BODY_BYTES_MAX: Final = 16 * 1024


def answer(
    stand_in: str, content: Mapping[str, Any], *, status: int = 200, media: str = "application/json"
) -> web.Response:
    """A JSON answer under the stand-in's name; never to be cached."""
    return web.Response(
        body=msgspec.json.encode(content),
        status=status,
        headers={"Content-Type": media, HEADER: stand_in, "Cache-Control": "no-store"},
    )


def refusal(stand_in: str, status: int, title: str) -> web.Response:
    """A problem document (RFC 9457)."""
    return answer(
        stand_in,
        {"type": "about:blank", "title": title, "status": status},
        status=status,
        media="application/problem+json",
    )
