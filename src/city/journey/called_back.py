"""A department's own server, which the city calls back: what is signed with its secret it believes, and no more."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from city import loopback

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- how every secret begins
EVENTS_MAX: Final = 1_000
BODY_BYTES_MAX: Final = 65_536


class DepartmentServer:
    """What it was told so far. Without a secret it believes nothing."""

    def __init__(self) -> None:
        self.secret = ""
        self.heard: list[dict[str, Any]] = []
        """Events whose signature is good, in the order they came; told twice, one is heard once."""
        self.disbelieved = 0
        self._ids: set[str] = set()

    async def hear(self, request: web.Request) -> web.Response:
        """Take an event, if it is signed (Standard Webhooks, "Verifying signatures")."""
        body = await request.read()
        if not self._is_signed(request, body) or len(self.heard) >= EVENTS_MAX:
            self.disbelieved += 1
            return web.Response(status=401)
        name = request.headers["webhook-id"]
        if name not in self._ids:
            self._ids.add(name)
            self.heard.append(json.loads(body))
        return web.Response(status=204)

    def _is_signed(self, request: web.Request, body: bytes) -> bool:
        name, at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        key = base64.b64decode(self.secret.removeprefix(SECRET_PREFIX))
        good = base64.b64encode(hmac.digest(key, f"{name}.{at}.".encode() + body, sha256)).decode()
        given = request.headers.get("webhook-signature", "").split()
        return bool(key) and any(hmac.compare_digest(one, f"v1,{good}") for one in given)

    def told(self, kind: str, **fields: Any) -> bool | None:
        """True once an event of this type with these fields was heard; None until then."""
        found = (one["data"] for one in self.heard if one["type"] == kind)
        return any(fields.items() <= data.items() for data in found) or None


def is_beside(url: str) -> bool:
    """Whether the city at `url` runs on this machine, so that it can call a server here."""
    return urlsplit(url).hostname in (loopback.HOST, "localhost")


@asynccontextmanager
async def open_server() -> AsyncIterator[tuple[DepartmentServer, str]]:
    """A department's server on this machine for as long as the block runs, and where it is called."""
    server = DepartmentServer()
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_post("/calls", server.hear)
    async with loopback.serving(app, 0) as port:
        yield server, f"http://{loopback.HOST}:{port}/calls"
        await asyncio.sleep(0)
