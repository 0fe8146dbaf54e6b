"""Our SMPP client against an SMSC of another author's, in another process, whose log says what really happened."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from city.standins.smsc import Smsc
from kernel.clock import SystemClock
from kernel.settings import Secret
from notifications.channels.provider import RawReceipt, ReceivedText, Sms
from notifications.channels.smpp.driver import SmppProvider
from notifications.channels.smpp.settings import SmppSettings
from tests.raw_smsc import RawSmsc

OUR_NUMBER = "10690001"
WITHIN_SECONDS = 15.0
_phones = itertools.count(13_800_000_000)


def account(peer: Smsc | RawSmsc, **settings: Any) -> SmppSettings:
    known: dict[str, Any] = {
        "name": "first", "host": "127.0.0.1", "port": peer.port, "system_id": "city", "password": Secret("secret"),
        "source": OUR_NUMBER,
    }  # fmt: skip
    return SmppSettings(**{**known, **settings})


def sms(text: str, reference: UUID | None = None) -> Sms:
    """An SMS to a number of its own."""
    return Sms(str(reference or uuid4()), f"+86{next(_phones)}", text, SystemClock().now() + timedelta(hours=1))


class Store:
    """Where receipts and texts are kept; `is_open` says whether it takes any, and `fails` whether it can."""

    def __init__(self) -> None:
        self.receipts: list[RawReceipt] = []
        self.texts: list[ReceivedText] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.fails = False

    async def take(self, receipts: Sequence[RawReceipt]) -> None:
        await self._ready()
        self.receipts.extend(receipts)

    async def hear(self, texts: Sequence[ReceivedText]) -> None:
        await self._ready()
        self.texts.extend(texts)

    async def _ready(self) -> None:
        if self.fails:
            raise OSError("the disk is full")
        await self.is_open.wait()


class Carrier:
    """A provider at work, and what it brought in."""

    def __init__(self, provider: SmppProvider, peer: Smsc | RawSmsc) -> None:
        self.provider = provider
        self.peer = peer
        self.store = Store()

    def submitted(self) -> list[str]:
        """The texts that really reached the SMSC, in the order they came."""
        return [said["text"] for said in self.peer.events("submit")]


@asynccontextmanager
async def carrying(peer: Smsc | RawSmsc, **settings: Any) -> AsyncIterator[Carrier]:
    """A provider that is connected to `peer`, and listens; closed at the end."""
    provider = SmppProvider(account(peer, **settings), SystemClock())
    carrier = Carrier(provider, peer)
    listening = asyncio.create_task(provider.receipts(carrier.store.take, carrier.store.hear))
    try:
        yield carrier
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await provider.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; for what never is, fail."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while not is_so():
            await asyncio.sleep(0.02)
