"""The yardstick of the hot slot: the same city, but that each booking is a transaction of its own.

The same edge, handler, statements and rows; one place claimed, one booking written, one message owed, one COMMIT that
is waited for. So many at once as there are connections to the database. What the city asks besides (who
is suspended, how many bookings somebody has, how often they changed) is left out here, which makes it faster.
"""

import asyncio
import contextlib
import os
import sys
from typing import Any

from appointments import queries
from appointments.asking import NOTHING_MORE, Asked, Particulars
from appointments.due import first_due
from appointments.errors import SlotFull, SlotNotFound
from appointments.filing import draft_of
from appointments.model import Booking, Slot
from appointments.offices.catalogue import Catalogues
from appointments.offices.queries import select_slots
from appointments.telling import Telling
from city.reading_settings import read_settings
from city.serving import serve
from gateway.app import build_app
from gateway.parts import CityParts
from kernel import snapshots
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import BookingId, PersonId, SlotId
from kernel.log import configure
from kernel.settings import Settings


class PlainBooker:
    """Books places one by one."""

    def __init__(self, db: Database, clock: Clock, telling: Telling, catalogues: Catalogues) -> None:
        self._db = db
        self._clock = clock
        self._telling = telling
        self._catalogues = catalogues
        self._slots: dict[SlotId, Slot] = {}

    async def book(
        self, booking_id: BookingId, slot_id: SlotId, person_id: PersonId, particulars: Particulars = NOTHING_MORE
    ) -> Booking:
        """One place for one person, in one transaction. Raises SlotNotFound, SlotFull."""
        slot = self._slots.get(slot_id) or await self._learn(slot_id)
        service = (await self._catalogues.knowing(slot.office_id, slot.service_id)).services[slot.service_id]
        now = self._clock.now()
        async with self._db.transaction() as conn:
            places = await queries.claim_places(conn, slot_id, 1, now=now)
            if not places:
                raise SlotFull
            booking = draft_of(slot, service, Asked(person_id, booking_id, 0, particulars), places[0], now)
            kept = await queries.insert_bookings(conn, [(booking, 1)])
            assert kept
            await queries.take_places(conn, slot_id, [(booking.seq, (person_id, booking_id))])
            due = first_due(slot.starts_at, slot.ends_at, now)
            await queries.insert_due(conn, [(person_id, booking_id)], 1, *due)
            await self._telling.confirmed(conn, [booking], now=now)
        return booking

    async def _learn(self, slot_id: SlotId) -> Slot:
        async with self._db.connection() as conn:
            found = await select_slots(conn, [slot_id])
        if slot_id not in found:
            raise SlotNotFound
        await self._telling.learn(found[slot_id])
        self._slots[slot_id] = found[slot_id]
        return found[slot_id]


class PlainCity:
    """The web process as `gateway.app.City` is, with the plain booker in place of the city's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        parts = await CityParts.open(self._settings, process="plain")
        appointments = parts.appointments
        catalogues = appointments.catalogues
        telling = Telling(parts.notifications.outbox, catalogues)
        plain: Any = PlainBooker(parts.db, parts.clock, telling, catalogues)
        appointments.booker = plain
        fresh = [
            asyncio.create_task(parts.snapshots.keep_fresh()),
            asyncio.create_task(snapshots.listen(self._settings.database_url.reveal(), parts.snapshots)),
        ]
        self._app = build_app(parts, self._settings)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in fresh:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await parts.close()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> int:
    settings = read_settings(os.environ)
    configure(settings.log_level, process="plain")
    return serve(PlainCity(settings), settings.host, settings.port)


if __name__ == "__main__":
    sys.exit(main())
