"""What is broken while messages are on their way, and when: a share of them is owed, something breaks, the next share.

Workers are killed -9, connections cut in the middle, some of them with a submission the SMSC has taken and not answered
for; an SMSC refuses to be hurried, another says nothing for a while, and PostgreSQL falls and recovers.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from city.children import Child
from city.proving.peers import FIRST, SECOND, SMSCS, Peers
from city.proving.workers import Workers
from city.waiting import wait_until_ready

Act = Literal["kill", "cut", "throttle", "silence", "restart"]

LASTING: Final = frozenset[Act]({"throttle", "silence"})
"""What lasts for a while begins before the share is owed."""
WHOLE_FROM: Final = 20_000
"""From so many messages on it is the whole proof: everything ten times, and leases end by the machine's own clock."""
THROTTLED_PER_SECOND: Final = 50
SILENT_SHARE: Final = 0.02
AWAY_SECONDS: Final = 1.0
LOOKED_AGAIN_SECONDS: Final = 0.05
FALLEN_LOOKS_MAX: Final = 400
PAUSE_SECONDS: Final = (0.1, 0.7)
"""From the first of a share that is owed to what breaks, so that it breaks in the middle."""


class Size(msgspec.Struct, frozen=True):
    """How many messages, how much breaks, and for how long what lasts for a while."""

    messages: int
    kills: int
    cuts: int
    lasting_seconds: float
    settled_within_seconds: float
    """How long the workers have at the end to come to rest; what rests on longer leases is closed by a clock ahead."""
    bound_seconds: float
    """When it is given up."""

    @property
    def is_whole(self) -> bool:
        return self.messages >= WHOLE_FROM


def size_of(messages: int) -> Size:
    """Everything of the whole proof ten times; of a small one, which is to end within a minute, less."""
    if messages >= WHOLE_FROM:
        return Size(messages, 10, 10, 6.0, 200.0, 300.0 + messages / 150)
    return Size(messages, 3, 4, 1.0, 8.0, 120.0)


def plan(size: Size) -> list[Act]:
    """What breaks, in order, spread over the run."""
    placed: list[tuple[float, Act]] = [(0.27, "throttle"), (0.48, "silence"), (0.63, "restart")]
    placed += [((nth + 0.5) / size.kills, "kill") for nth in range(size.kills)]
    placed += [((nth + 0.3) / size.cuts, "cut") for nth in range(size.cuts)]
    return [act for _, act in sorted(placed)]


class Breaking:
    """Breaks things."""

    def __init__(self, size: Size, peers: Peers, workers: Workers, postgres: Child, chance: random.Random) -> None:
        self._size = size
        self._peers = peers
        self._workers = workers
        self._postgres = postgres
        self._chance = chance
        self._cuts = 0
        self._acts: dict[Act, tuple[str, Callable[[], Awaitable[None]]]] = {
            "kill": ("a worker was killed -9", self._kill),
            "cut": ("connections were cut", self._cut),
            "throttle": ("an SMSC refused to be hurried", self._throttle),
            "silence": ("an SMSC took texts and did not answer", self._silence),
            "restart": ("PostgreSQL fell, and came back", self._restart),
        }

    async def act(self, act: Act) -> str:
        """Break something while a share is on its way; what it was, in words."""
        words, work = self._acts[act]
        if act not in LASTING:
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))
        await work()
        return words

    async def _kill(self) -> None:
        self._workers.kill_one()

    async def _cut(self) -> None:
        """In turn: every connection of an SMSC, and one in the place of an answer; the SMSCs in turn too."""
        peer = self._peers.smscs[SMSCS[self._cuts // 2 % len(SMSCS)]]
        if self._cuts % 2:
            await asyncio.to_thread(peer.cut)
        else:
            await asyncio.to_thread(peer.set, cut_next=1)
        self._cuts += 1

    async def _throttle(self) -> None:
        peer = self._peers.smscs[FIRST]
        await asyncio.to_thread(peer.set, throttle_per_second=THROTTLED_PER_SECOND)
        await asyncio.sleep(self._size.lasting_seconds)
        await asyncio.to_thread(peer.set, throttle_per_second=0)

    async def _silence(self) -> None:
        peer = self._peers.smscs[SECOND]
        await asyncio.to_thread(peer.set, answers_lost=SILENT_SHARE)
        await asyncio.sleep(self._size.lasting_seconds)
        await asyncio.to_thread(peer.set, answers_lost=0)

    async def _restart(self) -> None:
        """As after a fall of the server: every connection is gone, and it replays its log."""
        os.kill(self._postgres.pid, signal.SIGQUIT)
        for _ in range(FALLEN_LOOKS_MAX):
            if not self._postgres.is_alive():
                break
            await asyncio.sleep(LOOKED_AGAIN_SECONDS)
        await asyncio.sleep(AWAY_SECONDS)
        self._postgres.start()
        await asyncio.to_thread(wait_until_ready, self._postgres)
