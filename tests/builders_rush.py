"""Builders for the gate: a release of some slots, the gate of one process, and a Redis that can be taken away."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from appointments.model import Slot, slot_id_of
from appointments.offices import offering
from appointments.rush.gate import Gate
from appointments.rush.model import ReleaseId, release_id_of
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BookingId, PersonId, SlotId
from kernel.limits import Limits
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_appointments import HALF_AN_HOUR, THURSDAY_TEN, a_service, an_id, an_office
from tests.conftest import MONDAY_NINE

OPENS_AT = MONDAY_NINE + timedelta(hours=1)
"""Monday ten in the morning, an hour after the stopped clock's nine."""


async def a_release(
    db: Database, *, slots: int = 2, places: int = 2, opens_at: datetime = OPENS_AT, service: str = "passport"
) -> tuple[ReleaseId, list[Slot]]:
    """Gated slots on Thursday, one after the other from ten o'clock on."""
    office_id, service_id = await an_office(db), await a_service(db, service)
    made = []
    for nth in range(slots):
        starts_at = THURSDAY_TEN + nth * HALF_AN_HOUR
        slot_id = slot_id_of(office_id, service_id, starts_at)
        slot = Slot(
            slot_id=slot_id, office_id=office_id, service_id=service_id, district="310104", starts_at=starts_at,
            ends_at=starts_at + HALF_AN_HOUR, places=places, opens_at=opens_at, is_gated=True,
        )  # fmt: skip
        made.append(slot)
    await offering.offer(db, made)
    return release_id_of(service_id, opens_at), made


async def a_gate(db: Database, redis: Redis | None, clock: Clock, keys: Keys, *, seed: int = 1) -> Gate:
    """The gate of one process, that has read which releases there are."""
    limits = Limits(redis, clock, subject_key=keys.derived("kernel.limits"))
    chance, watch = random.Random(seed).random, partial(_seconds_of, clock)
    gate = Gate(db, redis, clock, keys, limits, chance=chance, seconds=watch)
    await gate.releases.snapshot.refresh()
    return gate


def _seconds_of(clock: Clock) -> float:
    return clock.now().timestamp()


async def let_in(gate: Gate, release_id: ReleaseId) -> int:
    """One round of the beat, whether or not it is due."""
    return await gate.admitting.admit(await gate.releases.find(release_id))


async def take(db: Database, slot_id: SlotId, person_id: PersonId) -> BookingId | None:
    """What booking comes to, as far as the gate can tell: a place of the slot is taken; None when it is full."""
    booking_id = an_id()
    taken = await db.fetchval(
        """UPDATE appointments.place SET person_id = $2, booking_id = $3
            WHERE (slot_id, seq) = (SELECT slot_id, seq FROM appointments.place
                                     WHERE slot_id = $1 AND booking_id IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING seq""",
        slot_id, person_id, booking_id,
    )  # fmt: skip
    return None if taken is None else booking_id


async def give_up(db: Database, booking_id: BookingId) -> None:
    """The place is free again."""
    freed = await db.fetchval(
        "UPDATE appointments.place SET person_id = NULL, booking_id = NULL WHERE booking_id = $1 RETURNING TRUE",
        booking_id,
    )
    assert freed


class Cut:
    """A wire to the real Redis that can be cut, and mended."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self._real = urlsplit(redis_url).path
        self._path = folder / "wire.sock"
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    async def mend(self) -> None:
        self._server = await asyncio.start_unix_server(self._carry, self._path)

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        self._path.unlink(missing_ok=True)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0.05)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._real)
        self._writers |= {writer, back}
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
    to.close()


@asynccontextmanager
async def a_wire(redis_url: str, folder: Path) -> AsyncIterator[tuple[Cut, Redis]]:
    """A Redis behind a wire of its own."""
    wire = Cut(redis_url, folder)
    await wire.mend()
    redis = await Redis.open(wire.url)
    try:
        yield wire, redis
    finally:
        await redis.close()
        await wire.cut()
