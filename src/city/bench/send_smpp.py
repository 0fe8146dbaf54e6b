"""How many SMS our SMPP client sends for a second of its CPU, beside a client of others, to the same SMSC in one run.

The bare one is `smpp34`, whose whole protocol is compiled: its submissions are awaited one by one by as many tasks as
its window has places, nothing planned, recorded or stored. Each turn is a process of its own on the worker's event
loop, so that its CPU is that of the client alone, all of its threads included.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal
from uuid import uuid4

import msgspec
import uvloop

from city.environment import SOURCES
from city.errors import CannotStart
from city.standins import smsc
from kernel.clock import SystemClock
from kernel.log import configure
from kernel.settings import Secret
from notifications.channels.provider import Accepted, RawReceipt, ReceivedText, Sms
from notifications.channels.smpp import codec
from notifications.channels.smpp.driver import SmppProvider
from notifications.channels.smpp.settings import SmppSettings

Who = Literal["ours", "bare"]
WINDOW: Final = 50
TOGETHER: Final = 500
"""How many our client is handed at once, as the worker hands them over."""
WARMING: Final = 1_000
TURNS: Final = 3
COUNT: Final = 20_000
TEXT: Final = "【随申办】您预约的业务已确认：3月2日（周一）09:00，请携带身份证件，提前十分钟到场。"
SOURCE: Final = "10690001"
RECEIPTS_WITHIN_SECONDS: Final = 30.0


class Turn(msgspec.Struct, frozen=True):
    """One turn of one client."""

    count: int
    seconds: float
    cpu_seconds: float

    @property
    def per_cpu_second(self) -> float:
        return self.count / self.cpu_seconds

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


class Compared(msgspec.Struct, frozen=True):
    """Both clients at their best."""

    ours_per_cpu_second: float
    bare_per_cpu_second: float
    ratio: float
    ours_per_second: float
    bare_per_second: float


def measure_bare(port: int, *, count: int = COUNT, with_receipts: bool = False) -> Turn:
    """One turn of `smpp34` against the SMSC at `port`."""
    return _measure("bare", port, count, with_receipts=with_receipts)


def measure_ours(port: int, *, count: int = COUNT, with_receipts: bool = False) -> Turn:
    """One turn of our client, through `send_many`."""
    return _measure("ours", port, count, with_receipts=with_receipts)


def compare(*, count: int = COUNT, turns: int = TURNS, with_receipts: bool = False) -> Compared:
    """Turns of both, one after the other, against one SMSC. Raises CannotStart where there is no Node.js."""
    ours, bare = [], []
    with smsc.running(receipts=with_receipts) as peer:
        for _ in range(turns):
            bare.append(measure_bare(peer.port, count=count, with_receipts=with_receipts))
            ours.append(measure_ours(peer.port, count=count, with_receipts=with_receipts))
    best_of_ours = max(turn.per_cpu_second for turn in ours)
    best_of_bare = max(turn.per_cpu_second for turn in bare)
    return Compared(
        round(best_of_ours),
        round(best_of_bare),
        round(best_of_ours / best_of_bare, 3),
        round(max(turn.per_second for turn in ours)),
        round(max(turn.per_second for turn in bare)),
    )


def _measure(who: Who, port: int, count: int, *, with_receipts: bool) -> Turn:
    words = program("city.bench.send_smpp", who, str(port), str(count), str(int(with_receipts)))
    ran = subprocess.run(words, env={"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=False)
    if not ran.stdout:  # how it exits is not asked: threads of the bare one may outlive the interpreter, and fall
        raise CannotStart(f"The {who} client did not send.", f"It said: {ran.stderr}")
    return msgspec.json.decode(ran.stdout, type=Turn)


def program(module: str, *words: str) -> list[str]:
    """How a process of its own runs `main` of a module here: by import, since the package has imported it already."""
    return [sys.executable, "-P", "-c", f"import sys; from {module} import main; sys.exit(main(sys.argv[1:]))", *words]


def _parcels(count: int) -> list[Sms]:
    until = SystemClock().now() + timedelta(hours=1)
    return [Sms(str(uuid4()), f"+86138{place % 100_000_000:08d}", TEXT, until) for place in range(count)]


class _Listening:
    """Takes receipts and forgets them, once counted."""

    def __init__(self, expected: int) -> None:
        self._left = expected
        self.everything_came = asyncio.Event()
        if not expected:
            self.everything_came.set()

    def count(self, receipts: int) -> None:
        self._left -= receipts
        if self._left <= 0:
            self.everything_came.set()

    async def take(self, receipts: Sequence[RawReceipt]) -> None:
        self.count(len(receipts))

    async def hear(self, texts: Sequence[ReceivedText]) -> None:
        assert not texts

    async def wait(self) -> None:
        async with asyncio.timeout(RECEIPTS_WITHIN_SECONDS):
            await self.everything_came.wait()


async def send_ours(port: int, count: int, *, with_receipts: bool) -> Turn:
    """Our client, handed `TOGETHER` at once, twice over, so that its window never runs empty."""
    settings = SmppSettings(
        name="bench", host="127.0.0.1", port=port, system_id="bench", password=Secret("bench"), source=SOURCE,
        window=WINDOW,
    )  # fmt: skip
    provider = SmppProvider(settings, SystemClock())
    listening = _Listening((count + WARMING) if with_receipts else 0)
    hearing = asyncio.create_task(provider.receipts(listening.take, listening.hear))
    warming, parcels = _parcels(WARMING), _parcels(count)
    batches = iter([parcels[at : at + TOGETHER] for at in range(0, count, TOGETHER)])

    async def carry() -> None:
        for batch in batches:
            answers = await provider.send_many(batch)
            assert all(isinstance(answer, Accepted) for answer in answers)

    await provider.send_many(warming)
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(carry(), carry())
    await listening.wait()
    turn = Turn(count, time.perf_counter() - began, time.process_time() - cpu)
    hearing.cancel()
    await provider.close()
    return turn


async def send_bare(port: int, count: int, *, with_receipts: bool) -> Turn:
    """smpp34, awaited by as many tasks as its window has places. It acknowledges receipts by itself, unstored."""
    import smpp34  # of the tests' environment, not of the city's

    client = smpp34.Client(
        "127.0.0.1", port, "bench", "bench", bind_type="TRX", window_size=WINDOW, inbound_capacity=100_000
    )
    session = await client.connect()
    listening = _Listening((count + WARMING) if with_receipts else 0)

    async def listen() -> None:
        while True:
            await session.next()
            listening.count(1)

    hearing = asyncio.create_task(listen())
    places = iter(_parcels(count + WARMING))

    async def carry(most: int) -> None:
        for _ in range(most):
            parcel = next(places, None)
            if parcel is None:
                return
            said = await session.submit_sm(
                parcel.phone[1:],
                parcel.text.encode("utf-16-be"),
                source_addr=SOURCE,
                dest_addr_ton=1,
                dest_addr_npi=1,
                registered_delivery=1,
                data_coding=codec.CODING_UCS2,
                validity_period=codec.absolute_time(parcel.valid_until),
            )
            assert said.is_success

    await asyncio.gather(*(carry(WARMING // WINDOW) for _ in range(WINDOW)))
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(carry(count) for _ in range(WINDOW)))
    await listening.wait()
    turn = Turn(count, time.perf_counter() - began, time.process_time() - cpu)
    hearing.cancel()
    await client.stop()
    return turn


def main(words: Sequence[str]) -> int:
    """`ours|bare PORT COUNT RECEIPTS`: one turn, told as JSON."""
    configure("warning", process="bench")
    who, port, count, with_receipts = words
    send = send_ours if who == "ours" else send_bare
    turn = uvloop.run(send(int(port), int(count), with_receipts=with_receipts == "1"))
    sys.stdout.write(json.dumps(msgspec.to_builtins(turn)) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
