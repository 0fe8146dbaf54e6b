"""The outside world, as small real servers that do what a test wants."""

import asyncio

from aiohttp import web

BIG = 400_000
"""Bytes of a long answer: more than the entrance holds before it passes an answer on."""


class DepartmentServer:
    """A department's server: says what it was asked, or goes wrong as the path tells."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.is_well = True

    def app(self) -> web.Application:
        app = web.Application(client_max_size=10_000_000)
        app.add_routes(
            [
                web.get("/suishenban/health", self._health),
                web.get("/slow", self._slow),
                web.get("/fail/{how}", self._fail),
                web.route("*", "/{rest:.*}", self._echo),
            ]
        )
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "slug": "parks"})

    async def _echo(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        self.bodies.append(await request.read())
        headers = {
            "ETag": '"1"',
            "Set-Cookie": "theirs=1",
            "X-Theirs": "1",
            "Access-Control-Allow-Origin": "*",
            "Content-Security-Policy": "default-src *",
        }
        return web.json_response({"path": request.raw_path}, headers=headers)

    async def _slow(self, _: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.json_response({})

    async def _fail(self, request: web.Request) -> web.StreamResponse:
        how = request.match_info["how"]
        if self.is_well and how == "sometimes":
            return web.json_response({})
        if how == "hang-up":
            assert request.transport is not None
            request.transport.abort()
        if how in ("big", "endless", "cut"):
            return await self._stream(request, how)
        answers: dict[str, web.Response] = {
            "garbage": web.Response(body=b'{"visits": [', content_type="application/json"),
            "deep": web.Response(body=b"[" * 100_000, content_type="application/json"),
            "redirect": web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
            "unauthorized": web.Response(status=401),
            "refusal": web.json_response({"code": "parks.no"}, status=422, content_type="application/problem+json"),
            "nothing": web.Response(status=204),
            "too-big": web.Response(body=b"x" * 600_001, content_type="text/plain"),
            "page": web.Response(text="<script>alert(1)</script>", content_type="text/html"),
        }
        return answers.get(how, web.Response(status=500))

    async def _stream(self, request: web.Request, how: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        for _ in range(BIG // 1_000 if how != "endless" else 5_000):
            await response.write(b"x" * 1_000)
        if how == "cut":
            assert request.transport is not None
            request.transport.abort()
        return response
