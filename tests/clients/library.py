"""A department of its own, for tests that use every method and close the app again: one shelf, on a real server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

from gateway.departments import manifest, onboarding
from gateway.parts import CityParts

SLUG: Final = "library"
ACTOR: Final = "system:tests"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
HEALTH: Final = "/suishenban/health"


class _Shelf(BaseHTTPRequestHandler):
    """Says which method it was asked with."""

    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # an answer in one piece: two would wait for each other, 40 ms

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        content: dict[str, Any] = {"status": "ok", "slug": SLUG} if self.path == HEALTH else {"method": self.command}
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 -- the standard library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """The server for the block; yields its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Shelf) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def join(parts: CityParts, home: str) -> None:
    """Register it and let it go live, as operators do."""
    read = manifest.read(_manifest(home), variables={})
    await onboarding.register(parts.db, parts.clock, read, actor=ACTOR)
    await onboarding.go_live(parts.db, parts.clock, SLUG, actor=ACTOR)


def _manifest(home: str) -> str:
    routes = (f'[[routes]]\nmethod = "{method}"\npath = "/shelf"\nzh = "书架"\nen = "A shelf"\n' for method in METHODS)
    return "\n".join(
        (
            f'slug = "{SLUG}"',
            'department = "culture_tourism"',
            'contact = "library@suishenban.example"',
            f'home = "{home}"',
            'audience = ["resident", "mini"]',
            '[name]\nzh = "图书馆"\nen = "Library"',
            '[about]\nzh = "一个书架"\nen = "One shelf"',
            *routes,
        )
    )
