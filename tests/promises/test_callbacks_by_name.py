"""What a department calls its server is its own affair: names that nobody answers for delay no other department."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from kernel.ids import DepartmentId
from notifications.callbacks.addresses import Reach
from notifications.callbacks.calling import HttpCalls
from notifications.callbacks.looking_up import NAMES_AT_ONCE_MAX, NAMES_OF_ONE_MAX, NamesInThreads
from tests.builders_callbacks import SERVICE


class Names:
    """What the system knows of names: `silent…` has nobody who answers, until they are `let_go`."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.stuck = 0
        self._lock = threading.Lock()

    def look_up(self, host: str, port: int, **_: Any) -> list[Any]:
        if host.startswith("silent"):
            with self._lock:
                self.stuck += 1
            assert self.let_go.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "nobody answers")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
async def named() -> AsyncIterator[tuple[Names, HttpCalls]]:
    names = Names()
    calls = HttpCalls(Reach(has_loopback=True), seconds_max=0.3, names=lambda: NamesInThreads(names.look_up))
    yield names, calls
    names.let_go.set()
    await calls.close()


async def ask_the_silent(calls: HttpCalls, whose: DepartmentId) -> None:
    """As many calls as would fill every thread."""
    asked = [calls.call(whose, f"http://silent{nth}.localhost/", {}, b"{}") for nth in range(NAMES_AT_ONCE_MAX)]
    assert {answer.reason for answer in await asyncio.gather(*asked)} == {"no answer in time"}


async def test_names_that_nobody_answers_for_take_up_only_their_own_departments_turns(named, theirs):
    names, calls = named
    _, url = theirs
    await ask_the_silent(calls, SERVICE)
    assert names.stuck == NAMES_OF_ONE_MAX
    began = time.monotonic()
    answer = await calls.call(DepartmentId(uuid4()), url.replace("127.0.0.1", "well.localhost"), {}, b"{}")
    assert (answer.is_taken, answer.reason) == (True, "status 200")
    assert await asyncio.to_thread(time.monotonic) - began < 0.3, "threads that others use are free"


async def test_a_department_is_called_again_once_its_names_answer(named, theirs):
    names, calls = named
    _, url = theirs
    url = url.replace("127.0.0.1", "well.localhost")
    await ask_the_silent(calls, SERVICE)
    assert (await calls.call(SERVICE, url, {}, b"{}")).reason == "no answer in time"
    names.let_go.set()
    async with asyncio.timeout(5):
        while not (await calls.call(SERVICE, url, {}, b"{}")).is_taken:
            await asyncio.sleep(0.01)
