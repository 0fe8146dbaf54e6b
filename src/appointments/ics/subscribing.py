"""A resident's calendar reads their bookings by a secret address, until they end it.

Whoever has the address reads: services, offices and hours, no name and nothing that was written. Only a keyed digest of
it is kept, so the address is said once and never again.
"""

import secrets
from base64 import b32encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from appointments.ics import queries
from appointments.ics.composing import calendar_of
from appointments.ics.errors import FeedNotFound, TooManyFeeds
from appointments.model import Booking, Stage
from appointments.offices.catalogue import Catalogues
from appointments.queries import select_bookings_of_person
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BookingId, PersonId
from kernel.sealing import Digester

FEEDS_MAX: Final = 5
"""Calendars of one person at a time: of a phone, a tablet, a computer at home and one at work, and one more. The
database keeps it: each has a number of its own from 1 to this."""
SECRET_BYTES: Final = 32
SECRET_CHARACTERS: Final = 52
"""Of base32 without its padding."""
EVENTS_MAX: Final = 200
KEPT_FOR: Final = timedelta(days=30)
"""A booking stays in the feed so long after its hour; a cancelled one so long after that."""
_END_OF_TIME: Final = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


class Feed(msgspec.Struct, frozen=True):
    """A subscription. `feed_id` is the first half of the digest that it is filed under: it opens nothing."""

    feed_id: UUID
    made_at: datetime


class Feeds:
    """Makes, lists, ends and reads the feeds."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        catalogues: Catalogues,
        digester: Digester,
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._db = db
        self._clock = clock
        self._catalogues = catalogues
        self._digester = digester
        self._random_bytes = random_bytes

    async def make(self, person_id: PersonId) -> tuple[Feed, str]:
        """A fresh feed and its secret, which nobody can say again. Raises TooManyFeeds."""
        now = self._clock.now()
        secret = b32encode(self._random_bytes(SECRET_BYTES)).decode().rstrip("=")
        digest = self._digester.digest(secret)
        async with self._db.transaction() as conn:
            await _take_a_number(conn, person_id, digest)
            await queries.insert_feed(conn, digest, person_id, now=now)
        return Feed(_id_of(digest), now), secret

    async def of(self, person_id: PersonId) -> list[Feed]:
        """A person's feeds, newest first."""
        async with self._db.connection() as conn:
            return [Feed(_id_of(digest), made_at) for digest, made_at in await _standing(conn, person_id)]

    async def end(self, person_id: PersonId, feed_id: UUID) -> None:
        """From now on its address is one that never was; ended twice, it is not found."""
        async with self._db.transaction() as conn:
            found = [digest for digest, _ in await _standing(conn, person_id) if _id_of(digest) == feed_id]
            if not found or not await queries.delete_feed_number(conn, person_id, found[0]):
                raise FeedNotFound
            await queries.end_feed(conn, found[0], person_id, now=self._clock.now())

    async def read(self, secret: str) -> bytes:
        """The calendar behind an address. Raises FeedNotFound, alike for one that ended and one that never was."""
        now = self._clock.now()
        async with self._db.connection() as conn:
            person_id = await queries.select_reader_of_feed(conn, self._digester.every_digest(secret))
            if person_id is None:
                raise FeedNotFound
            latest = await select_bookings_of_person(
                conn, person_id, (_END_OF_TIME, BookingId(UUID(int=0))), EVENTS_MAX
            )
        shown = [booking for booking in latest if _is_shown(booking, now)]
        for booking in shown:
            await self._catalogues.knowing(booking.office_id, booking.service_id)
        return calendar_of(shown, self._catalogues.current, is_feed=True)


async def _take_a_number(conn: Connection, person_id: PersonId, digest: bytes) -> None:
    """Give a feed the lowest number that none of the person's has. Raises TooManyFeeds.

    Whoever loses a number to another phone tries the next: there are no more numbers than feeds.
    """
    taken = await queries.select_feed_numbers(conn, person_id)
    for number in range(1, FEEDS_MAX + 1):
        if number not in taken and await queries.insert_feed_number(conn, person_id, number, digest):
            return
    raise TooManyFeeds


async def _standing(conn: Connection, person_id: PersonId) -> list[tuple[bytes, datetime]]:
    rows = await queries.select_feeds_of_person(conn, person_id, 2 * FEEDS_MAX)
    return [(row["feed_digest"], row["made_at"]) for row in rows]


def _is_shown(booking: Booking, now: datetime) -> bool:
    ended_at = booking.changed_at if booking.stage is Stage.CANCELLED else booking.ends_at
    return now < ended_at + KEPT_FOR


def _id_of(digest: bytes) -> UUID:
    return UUID(bytes=digest[:16])
