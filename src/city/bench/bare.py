"""The yardstick: the least an ASGI application can do, on the same server as ours."""

import sys
from typing import Any

from city.serving import serve

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"16")],
}
_BODY = {"type": "http.response.body", "body": b'{"state":"live"}', "more_body": False}


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer everything with the same sixteen bytes."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(_START)
    await send(_BODY)


if __name__ == "__main__":
    sys.exit(serve(bare, "127.0.0.1", int(sys.argv[1])))
