"""Callbacks, wired."""

import secrets
from collections.abc import Callable
from random import SystemRandom

from kernel.clock import Clock
from kernel.db import Database
from kernel.sealing import Keys
from kernel.snapshots import Refreshable
from notifications.callbacks.addresses import Reach
from notifications.callbacks.calling import Calls, HttpCalls
from notifications.callbacks.endpoints.held import HeldEndpoints
from notifications.callbacks.endpoints.setting import Setting
from notifications.callbacks.keeping import Keeping
from notifications.callbacks.noting import Noting
from notifications.callbacks.seals import CallbackSeals
from notifications.callbacks.telling import Telling

FINISH_WITHIN_SECONDS = 4.0


class Callbacks:
    """What departments are told by calls to their own servers. `noting` is to be added to the endings' listeners."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        reach: Reach | None = None,
        *,
        calls: Calls | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        reach = reach or Reach()
        seals = CallbackSeals(keys)
        self._calls = calls or HttpCalls(reach)
        self.clock = clock
        self.db = db
        self.endpoints = HeldEndpoints(db, seals)
        self.setting = Setting(db, clock, seals, reach, secrets.token_bytes)
        self.noting = Noting(self.endpoints, seals)
        self.keeping = Keeping(db, clock, self.endpoints, self.noting)
        self.telling = Telling(db, clock, seals, self.endpoints, self._calls, chance or SystemRandom().random)
        self.snapshots: list[Refreshable] = [self.endpoints.snapshot]

    async def close(self) -> None:
        await self._calls.close()
