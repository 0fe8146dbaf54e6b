"""Lists that take long are made a few at a time, so that whoever sends meanwhile does not wait for them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kernel.ids import DepartmentId
from notifications.services.errors import TooManyLooking

AT_ONCE_MAX: Final = 2
"""Lists that one process makes at a time."""
OF_A_SERVICE_MAX: Final = 4
"""Of one service, the one that is being made and those that wait for it; the next is refused."""
RETRY_SECONDS: Final = 5


class Turns:
    """One list of each service at a time, and few altogether."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(AT_ONCE_MAX)
        self._services: defaultdict[DepartmentId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: defaultdict[DepartmentId, int] = defaultdict(int)

    @asynccontextmanager
    async def of(self, service_id: DepartmentId) -> AsyncIterator[None]:
        """Wait for the service's turn. Raises TooManyLooking."""
        if self._asked[service_id] >= OF_A_SERVICE_MAX:
            raise TooManyLooking(retry_after_seconds=RETRY_SECONDS)
        self._asked[service_id] += 1
        try:
            async with self._services[service_id], self._all:
                yield
        finally:
            self._asked[service_id] -= 1
            if not self._asked[service_id]:
                del self._asked[service_id], self._services[service_id]
