"""A small city for the model: two offices, two services, five slots, two processes, and what its tables say."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import msgspec

from appointments.model import Slot, Stage, slot_id_of
from appointments.offices import offering
from appointments.parts import Appointments
from city.private_postgres import SUPERUSER
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import BookingId, PersonId, ServiceId, SlotId
from kernel.sealing import Keys
from tests.builders_appointments import THURSDAY_TEN, a_service, an_office, disagreements, open_appointments
from tests.model_booking.faulty import Fault, TurnTakingDatabase, open_database
from tests.model_booking.turns import Cut, StillLoop, Turns

PEOPLE: Final = 5
PROCESSES: Final = 2
CONNECTIONS: Final = 8
"""As many as acts of one batch can want at once, and some for reading."""
MONDAY_NINE: Final = THURSDAY_TEN - timedelta(days=3, hours=1)
MINUTES: Final = timedelta(minutes=1)
SLOTS: Final = (
    ("passport", "xuhui", timedelta(), 1),
    ("passport", "xuhui", 30 * MINUTES, 2),
    ("passport", "pudong", 15 * MINUTES, 2),
    ("licence", "pudong", timedelta(), 1),
    ("licence", "xuhui", timedelta(days=1), 3),
)
"""Service, office, when after THURSDAY_TEN, places. The third overlaps the first two, the fourth the first."""
Key = tuple[PersonId, BookingId]
TABLES: Final = """
    DELETE FROM appointments.place; DELETE FROM appointments.slot; DELETE FROM appointments.booking;
    DELETE FROM appointments.due; DELETE FROM appointments.hold; DELETE FROM appointments.answers;
    DELETE FROM appointments.waiting; DELETE FROM appointments.strike; DELETE FROM appointments.suspension;
    DELETE FROM notifications.delivery; DELETE FROM notifications.message;
"""


class Place(msgspec.Struct, frozen=True):
    person_id: PersonId | None
    booking_id: BookingId | None
    hold_until: datetime | None

    def is_free(self, now: datetime) -> bool:
        return self.booking_id is None or (self.hold_until is not None and self.hold_until < now)


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What a row of a booking says that somebody can be told."""

    slot_id: SlotId
    seq: int
    service_id: ServiceId
    starts_at: datetime
    ends_at: datetime
    stage: Stage
    version: int


class Held(msgspec.Struct, frozen=True):
    slot_id: SlotId
    seq: int
    hold_until: datetime


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, as of one moment."""

    now: datetime
    slots: dict[SlotId, Slot]
    places: dict[tuple[SlotId, int], Place]
    bookings: dict[Key, Booked]
    holds: dict[Key, Held]
    waiting: list[dict[str, Any]]

    def free(self, slot_id: SlotId) -> int:
        if slot_id not in self.slots or self.slots[slot_id].withdrawn_at is not None:
            return 0
        return sum(place.is_free(self.now) for (of, _), place in self.places.items() if of == slot_id)

    def standing(self, person_id: PersonId) -> Iterable[Booked]:
        """What a person is booked for and has still before them, or is at."""
        for (of, _), booked in self.bookings.items():
            if of == person_id and booked.stage in (Stage.BOOKED, Stage.CHECKED_IN):
                yield booked


class City:
    """Opened once, begun anew for every example."""

    def __init__(self, loop: StillLoop, keys: Keys, fault: Fault) -> None:
        self.loop = loop
        self.keys = keys
        self.fault = fault
        self.clock = StoppedClock(MONDAY_NINE)
        self.people = [PersonId(UUID(int=0xA000 + nth)) for nth in range(PEOPLE)]
        self.slots: list[Slot] = []
        self.processes: list[Appointments] = []
        self.found: list[str] = []
        self.tally: Counter[tuple[str, type]] = Counter()
        """How often an act of a kind came to what."""
        self.played: list[tuple[int, str]] = []
        """Every statement, and the process it came from."""

    async def open(self, database_url: str) -> None:
        self.plain = await Database.open(database_url, connections_max=2)
        self._watching = await asyncpg.connect(database_url)
        self.turns = Turns(self.loop, self._watching)
        if self.fault.schema:
            async with self.plain.connection() as conn:
                await conn.execute(self.fault.schema)
        await _find_deadlocks_soon(database_url)
        self._dbs: list[TurnTakingDatabase] = [
            await open_database(database_url, nth, self.turns, self.fault, CONNECTIONS) for nth in range(PROCESSES)
        ]
        for slug, district in (("xuhui", "310104"), ("pudong", "310115")):
            self.office = await an_office(self.plain, slug, district=district)
        for slug in ("passport", "licence"):
            await a_service(self.plain, slug)
        self.slots = [
            await self._slot(service, office, THURSDAY_TEN + after, places) for service, office, after, places in SLOTS
        ]

    async def _slot(self, service: str, office: str, starts_at: datetime, places: int) -> Slot:
        district = {"xuhui": "310104", "pudong": "310115"}[office]
        office_id = await an_office(self.plain, office, district=district)
        service_id = await a_service(self.plain, service)
        return Slot(
            slot_id=slot_id_of(office_id, service_id, starts_at), office_id=office_id, service_id=service_id,
            district=district, starts_at=starts_at, ends_at=starts_at + 30 * MINUTES, places=places,
        )  # fmt: skip

    def slot(self, slot_id: SlotId) -> Slot:
        """As it was when the example began."""
        return next(slot for slot in self.slots if slot.slot_id == slot_id)

    async def close(self) -> None:
        for db in self._dbs:
            await db.close()
        await self._watching.close()
        await self.plain.close()

    async def begin(self) -> None:
        """Nobody is booked, every place is free, it is Monday at nine."""
        self.clock = StoppedClock(MONDAY_NINE)
        async with self.plain.connection() as conn:
            await conn.execute(TABLES)
        await offering.offer(self.plain, self.slots)
        self.processes = [await open_appointments(db, self.clock, self.keys) for db in self._dbs]

    def forget(self) -> None:
        """No process goes by what it has read of a slot some time ago, or by which slots it found full."""
        for process in self.processes:
            process.booker._windows.clear()
            for slot in self.slots:
                process._sold_out.forget(slot.slot_id)

    async def play(self, seed: int, acts: list[Any], cut: Cut | None) -> list[Any]:
        """All acts at once; whichever process died is begun again afterwards, remembering nothing."""
        answers = await self.turns.play(seed, acts, cut)
        self.played += self.turns.trace
        if cut is not None:
            db = self._dbs[cut.process]
            await db.warm(CONNECTIONS)
            self.processes[cut.process] = await open_appointments(db, self.clock, self.keys)
        return answers

    async def seen(self) -> Seen:
        async with self.plain.connection() as conn:
            slots = await conn.fetch("SELECT slot_id, places, withdrawn_at FROM appointments.slot")
            places = await conn.fetch("SELECT slot_id, seq, person_id, booking_id, hold_until FROM appointments.place")
            bookings = await conn.fetch(
                "SELECT person_id, booking_id, slot_id, seq, service_id, starts_at, ends_at, stage, version"
                " FROM appointments.booking"
            )
            holds = await conn.fetch("SELECT person_id, booking_id, slot_id, seq, hold_until FROM appointments.hold")
            waiting = await conn.fetch("SELECT * FROM appointments.waiting ORDER BY joined_at, waiting_id")
        of = {slot.slot_id: slot for slot in self.slots}
        return Seen(
            now=self.clock.now(),
            slots={
                row[0]: msgspec.structs.replace(of[row[0]], places=row[1], withdrawn_at=row[2])
                for row in slots
                if row[0] in of
            },
            places={(row[0], row[1]): Place(*tuple(row)[2:]) for row in places},
            bookings={(row[0], row[1]): _booked(row) for row in bookings},
            holds={(row[0], row[1]): Held(*tuple(row)[2:]) for row in holds},
            waiting=[dict(row) for row in waiting],
        )

    async def disagreements(self) -> list[tuple[str, object]]:
        return await disagreements(self.plain, now=self.clock.now())


async def _find_deadlocks_soon(database_url: str) -> None:
    """PostgreSQL looks for a deadlock after a second of waiting; the model has no second."""
    name = urlsplit(database_url).path.removeprefix("/")
    owner = await asyncpg.connect(database_url, user=SUPERUSER)
    await owner.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '5ms'")
    await owner.close()


def _booked(row: Any) -> Booked:
    return Booked(
        slot_id=row["slot_id"], seq=row["seq"], service_id=row["service_id"], starts_at=row["starts_at"],
        ends_at=row["ends_at"], stage=Stage(row["stage"]), version=row["version"],
    )  # fmt: skip
