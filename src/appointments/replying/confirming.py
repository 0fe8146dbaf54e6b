"""A "yes" to an offered place takes it, as taking it in the app does; one to a reminder is written down.

What was promised is read from the name of the promise (`telling.promise`, `waiting.offering`): text, person, booking
and, for a reminder, the booking's version, so that an answer that comes after the booking was moved means nothing.
"""

from typing import Final
from uuid import UUID

from appointments.asking import NOTHING_MORE
from appointments.model import Stage
from appointments.queries import lock_bookings
from appointments.replying import queries
from appointments.waiting.model import WaitingId
from appointments.waiting.queries import select_waits_of_person
from appointments.waiting.taking import Taking
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Refusal
from kernel.ids import BookingId, PersonId
from notifications import templates
from notifications.replies.handlers import Confirmed, ReplyHandlers

WAITS_LOOKED_AT_MAX: Final = 100
"""Of one person; open ones come first."""
_COME_AGAIN: Final = frozenset({429, 503, 504})
"""Refusals that say nothing about the place: it is asked for again."""


class Confirming:
    """Hears a "yes" to texts about bookings."""

    def __init__(self, db: Database, clock: Clock, taking: Taking) -> None:
        self._db = db
        self._clock = clock
        self._taking = taking

    def listen(self, handlers: ReplyHandlers) -> None:
        """Answer for the texts that may be answered."""
        handlers.add(templates.WAITING_OFFER.id, self.take_offered)
        for reminder in (templates.BOOKING_REMINDER, templates.BOOKING_SOON):
            handlers.add(reminder.id, self.acknowledge)

    async def take_offered(self, confirmed: Confirmed) -> bool:
        """Book the place that was offered; False if it is gone, or more is asked than a "yes" says."""
        [_, person_id, booking_id] = _parts(confirmed.key, 3)
        if person_id != str(confirmed.person_id):
            return False
        waiting_id = await self._offered(confirmed.person_id, BookingId(UUID(booking_id)))
        if waiting_id is None:
            return False
        try:
            await self._taking.take(confirmed.person_id, waiting_id, NOTHING_MORE)
        except Refusal as refusal:
            if refusal.status in _COME_AGAIN:
                raise
            return False
        return True

    async def _offered(self, person_id: PersonId, booking_id: BookingId) -> WaitingId | None:
        async with self._db.connection() as conn:
            waits = await select_waits_of_person(conn, person_id, WAITS_LOOKED_AT_MAX)
        return next((one.waiting_id for one in waits if one.offered and one.offered.booking_id == booking_id), None)

    async def acknowledge(self, confirmed: Confirmed) -> bool:
        """Write down that the person will come; False if the booking has another hour now, or has ended."""
        [_, person_id, booking_id, version] = _parts(confirmed.key, 4)
        if person_id != str(confirmed.person_id):
            return False
        key = (confirmed.person_id, BookingId(UUID(booking_id)))
        now = self._clock.now()
        async with self._db.transaction() as conn:
            found = await lock_bookings(conn, [key])
            if not found or found[0].version != int(version) or found[0].stage is not Stage.BOOKED:
                return False
            await queries.insert_acknowledgement(conn, *key, int(version), now=now)
        return True


def _parts(key: str, count: int) -> list[str]:
    parts = key.split("/")
    assert len(parts) == count, "the name of a promise that we made"
    return parts
