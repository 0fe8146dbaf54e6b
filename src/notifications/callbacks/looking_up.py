"""Names of departments' servers are looked up in threads of their own, and one department has but a few of them.

The system's look-up cannot be given up: a call that no longer waits for it leaves its thread behind until it returns.
A department whose names never answer so takes up its own few turns, and nobody else's.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakValueDictionary

from aiohttp.abc import AbstractResolver, ResolveResult

from kernel.ids import DepartmentId

NAMES_AT_ONCE_MAX: Final = 64
"""Look-ups in one process: threads, which are begun when they are needed."""
NAMES_OF_ONE_MAX: Final = 4
"""Of those, for one department."""
assert NAMES_OF_ONE_MAX * 16 <= NAMES_AT_ONCE_MAX

LookUp = Callable[..., list[Any]]
"""What `socket.getaddrinfo` is."""

_ASKED_BY: Final[ContextVar[DepartmentId]] = ContextVar("callbacks.asked_by")
"""For whom this task calls: a resolver is told of the host alone."""


@contextlib.contextmanager
def asked_by(department_id: DepartmentId) -> Iterator[None]:
    """Whatever is looked up meanwhile takes up a turn of this department."""
    token = _ASKED_BY.set(department_id)
    try:
        yield
    finally:
        _ASKED_BY.reset(token)


class NamesInThreads(AbstractResolver):
    """Looks up names while somebody is `asked_by`. Waits for a turn as long as its caller has patience."""

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(NAMES_AT_ONCE_MAX, thread_name_prefix="callback-name")
        self._turns: WeakValueDictionary[DepartmentId, asyncio.Semaphore] = WeakValueDictionary()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        whose = _ASKED_BY.get()
        turns = self._turns.get(whose)
        if turns is None:
            turns = self._turns[whose] = asyncio.Semaphore(NAMES_OF_ONE_MAX)
        await turns.acquire()
        look_up = functools.partial(
            self._look_up, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        try:
            found = self._threads.submit(look_up)
        except BaseException:
            turns.release()
            raise
        found.add_done_callback(functools.partial(_give_back, asyncio.get_running_loop(), turns))
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in await asyncio.wrap_future(found)
        ]

    async def close(self) -> None:
        """Wait for nothing: what is being looked up returns to nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _give_back(loop: asyncio.AbstractEventLoop, turns: asyncio.Semaphore, _: "Future[Any]") -> None:
    """A turn is over when its thread is free, not when its caller gave up."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for a turn
        loop.call_soon_threadsafe(turns.release)
