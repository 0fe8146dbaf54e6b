"""The mini-program's part of the entrance, wired from values."""

from typing import Self

import aiohttp

from gateway import outside
from gateway.miniapp.chat_platform import ChatPlatform
from gateway.miniapp.signing_in import MiniSignIn
from gateway.residents.parts import Residents
from kernel.clock import Clock
from kernel.db import Database
from kernel.limits import Limits
from kernel.sealing import Keys
from kernel.settings import Secret
from kernel.snapshots import Refreshable

CONNECTIONS_MAX = 50


class Miniapp:
    """What the mini-program does at the entrance that no other client does."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        residents: Residents,
        http: aiohttp.ClientSession,
        *,
        base_url: str,
        app_id: str,
        secret: Secret,
    ) -> None:
        self._http = http
        platform = ChatPlatform(http, clock, base_url, app_id, secret)
        self.signing_in = MiniSignIn(db, clock, keys, limits, residents, platform)
        self.snapshots: list[Refreshable] = []

    @classmethod
    async def open(
        cls,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        residents: Residents,
        *,
        base_url: str,
        app_id: str,
        secret: Secret,
    ) -> Self:
        """Wire the part inside the running event loop; `close` it at the end."""
        http = outside.open_client(connections_max=CONNECTIONS_MAX)
        return cls(db, clock, keys, limits, residents, http, base_url=base_url, app_id=app_id, secret=secret)

    async def close(self) -> None:
        await self._http.close()
