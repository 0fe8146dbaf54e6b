"""The clouds' SMS APIs in a process of another Python, which checks our signatures with the official SDKs' signers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from kernel.clock import Clock
from kernel.settings import Secret
from notifications.channels.clouds import aliyun, tencent
from tests.clients.own_environment import python_environment

LOCK = Path(__file__).parent / "clients" / "clouds" / "requirements.lock"
SERVING = Path(__file__).parent / "peers" / "clouds" / "serving.py"
KEY_ID, SECRET = "peer-id", "peer-secret"
STARTS_WITHIN_SECONDS = 20


class CloudPeer:
    """A running peer. Its signatures are checked by the real hour, so providers need a real clock."""

    def __init__(self, port: int, http: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._http = http

    def aliyun(self, clock: Clock, name: str = "aliyun", *, secret: str = SECRET) -> aliyun.Aliyun:
        return aliyun.Aliyun(name, aliyun.Account(KEY_ID, Secret(secret)), clock, endpoint=self.url)

    def tencent(self, clock: Clock, name: str = "tencent", *, secret: str = SECRET) -> tencent.Tencent:
        return tencent.Tencent(name, tencent.Account(KEY_ID, Secret(secret), "1400006666"), clock, endpoint=self.url)

    async def order(self, **orders: Any) -> None:
        """Change how it behaves (`tests/peers/clouds/serving.py` says in which ways)."""
        async with self._http.post(f"{self.url}/orders", json=orders) as answer:
            assert answer.status == 200

    async def taken(self) -> list[dict[str, Any]]:
        """What it took, in order."""
        async with self._http.get(f"{self.url}/log") as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]


@asynccontextmanager
async def cloud_peer() -> AsyncIterator[CloudPeer]:
    """A peer for the block."""
    python = await asyncio.to_thread(python_environment, "clouds", LOCK)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(python), "-I", str(SERVING), KEY_ID, SECRET, stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    assert process.stdin is not None
    async with aiohttp.ClientSession() as http:
        async with asyncio.timeout(STARTS_WITHIN_SECONDS):
            port = int(await process.stdout.readline())
        yield CloudPeer(port, http)
    process.stdin.close()
    await process.wait()
