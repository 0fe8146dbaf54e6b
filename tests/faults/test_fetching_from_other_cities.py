"""Whatever another city's server does, the worker takes a whole, plain, bounded answer or none."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from gateway.outside import Fetching
from wallet.trust.pulling import NotFetched

MOST = 1000


async def plain(request: web.Request) -> web.Response:
    assert request.headers["Accept"] == "application/trust-list+jwt"
    assert not {"Cookie", "Authorization", "User-Agent"} & set(request.headers)
    return web.Response(text="list")


async def just_fits(_: web.Request) -> web.Response:
    return web.Response(body=b"a" * MOST)


async def too_long(_: web.Request) -> web.Response:
    return web.Response(body=b"a" * (MOST + 1))


async def elsewhere(_: web.Request) -> web.Response:
    raise web.HTTPFound("/plain")


async def compressed(_: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b"a" * 10_000_000), headers={"Content-Encoding": "gzip"})


async def failed(_: web.Request) -> web.Response:
    return web.Response(status=503)


async def never(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


async def without_end(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"a" * 100)


async def breaks_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "500"})
    await answer.prepare(request)
    await answer.write(b"a")
    assert request.transport is not None
    request.transport.abort()
    return answer


@pytest.fixture
async def server() -> AsyncIterator[str]:
    app = web.Application()
    served = (plain, just_fits, too_long, elsewhere, compressed, failed, never, without_end, breaks_off)
    app.add_routes([web.get(f"/{handler.__name__}", handler) for handler in served])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    port = unused_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
async def fetch() -> AsyncIterator[Fetching]:
    opened = Fetching()
    yield opened
    await opened.close()


async def fetched(fetch: Fetching, url: str) -> bytes:
    return await fetch(url, accept="application/trust-list+jwt", bytes_max=MOST)


async def test_a_plain_answer_is_taken_whole(server: str, fetch: Fetching) -> None:
    assert await fetched(fetch, f"{server}/plain") == b"list"
    assert len(await fetched(fetch, f"{server}/just_fits")) == MOST


@pytest.mark.parametrize(
    "how", ["too_long", "elsewhere", "compressed", "failed", "without_end", "breaks_off", "absent"]
)
async def test_any_other_answer_is_taken_for_none(server: str, fetch: Fetching, how: str) -> None:
    with pytest.raises(NotFetched):
        await fetched(fetch, f"{server}/{how}")
    assert await fetched(fetch, f"{server}/plain") == b"list"


async def test_nobody_is_waited_for_without_end(server: str) -> None:
    hasty = Fetching(seconds_max=0.3)
    with pytest.raises(NotFetched):
        await fetched(hasty, f"{server}/never")
    await hasty.close()


async def test_a_server_that_is_not_there_is_taken_for_no_answer(fetch: Fetching) -> None:
    with pytest.raises(NotFetched):
        await fetched(fetch, f"http://127.0.0.1:{unused_port()}/plain")
