"""People say how their visit was (好差评), and an office reads it without learning who said it."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from appointments import changing
from appointments.after import queries
from appointments.after.errors import NotServed, RatingClosed, RatingNotFound
from appointments.errors import BookingNotFound, DaysOutOfRange
from appointments.model import Stage, day_bounds
from appointments.queries import BookingKey, lock_bookings
from appointments.seals import Seals
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database, Row
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId

STARS_MAX: Final = 5
COMMENT_MAX: Final = 500
CHANGEABLE_FOR: Final = timedelta(days=7)
COMMENTS_MAX: Final = 100
REPORT_DAYS_MAX: Final = 366
_PURPOSE: Final = "appointments.comment"


class Rating(msgspec.Struct, frozen=True):
    """1 to `STARS_MAX` stars and, where something was written, a comment; `rated_at` is when it was given first."""

    stars: int
    comment: str
    rated_at: datetime

    @property
    def changeable_until(self) -> datetime:
        return self.rated_at + CHANGEABLE_FOR


class ServiceRatings(msgspec.Struct, frozen=True):
    """How often 1, 2, … stars were given for a service."""

    service_id: ServiceId
    by_stars: tuple[int, ...]

    @property
    def count(self) -> int:
        return sum(self.by_stars)

    @property
    def average(self) -> float:
        """In stars, to two decimals."""
        return round(sum(stars * given for stars, given in enumerate(self.by_stars, 1)) / self.count, 2)


class Comment(msgspec.Struct, frozen=True):
    """What somebody wrote: of which service, and with how many stars. Nothing else is told of them, not the day."""

    service_id: ServiceId
    stars: int
    text: str


class Report(msgspec.Struct, frozen=True):
    """How an office was rated from one day to another; at most `COMMENTS_MAX` comments, newest first."""

    services: list[ServiceRatings]
    comments: list[Comment]


class Ratings:
    """Takes ratings, shows a person theirs, and an office all of its own."""

    def __init__(self, db: Database, clock: Clock, seals: Seals) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals

    async def rate(self, person_id: PersonId, booking_id: BookingId, stars: int, comment: str) -> Rating:
        """Rate a visit that took place, or change that for CHANGEABLE_FOR. Saying the same again changes nothing, ever.

        Raises BookingNotFound, NotServed, RatingClosed.
        """
        assert 1 <= stars <= STARS_MAX
        assert len(comment) <= COMMENT_MAX
        now, key = self._clock.now(), (person_id, booking_id)
        async with self._db.transaction() as conn:
            found = await lock_bookings(conn, [key])
            if not found:
                raise BookingNotFound
            if found[0].stage is not Stage.SERVED:
                raise NotServed
            given = await self._given(conn, key)
            if given is not None and (given.stars, given.comment) == (stars, comment):
                return given
            if given is not None and now >= given.changeable_until:
                raise RatingClosed
            sealed = self._seals.seal(_PURPOSE, *key, comment) if comment else None
            await queries.put_rating(conn, key, found[0].office_id, stars, sealed, now=now)
        return Rating(stars, comment, given.rated_at if given else now)

    async def read(self, person_id: PersonId, booking_id: BookingId) -> Rating:
        """A person's own rating. Raises BookingNotFound, RatingNotFound."""
        await changing.read(self._db, (person_id, booking_id))
        async with self._db.connection() as conn:
            given = await self._given(conn, (person_id, booking_id))
        if given is None:
            raise RatingNotFound
        return given

    async def report(self, office_id: OfficeId, first_day: date, last_day: date) -> Report:
        """How an office was rated on these days, both counted, in Shanghai. Raises DaysOutOfRange."""
        today = in_shanghai(self._clock.now()).date()
        if not 0 <= (last_day - first_day).days < REPORT_DAYS_MAX or abs((today - last_day).days) > REPORT_DAYS_MAX:
            raise DaysOutOfRange(f"`to` must lie within {REPORT_DAYS_MAX} days from `from`, and of today")
        start, until = day_bounds(first_day)[0], day_bounds(last_day)[1]
        async with self._db.connection() as conn:
            counted = await queries.count_ratings(conn, office_id, start, until)
            written = await queries.select_comments(conn, office_id, start, until, COMMENTS_MAX)
        by_service: defaultdict[ServiceId, list[int]] = defaultdict(lambda: [0] * STARS_MAX)
        for row in counted:
            by_service[row["service_id"]][row["stars"] - 1] = row["ratings"]
        return Report(
            [ServiceRatings(service_id, tuple(by_stars)) for service_id, by_stars in sorted(by_service.items())],
            [Comment(row["service_id"], row["stars"], self._opened(row)) for row in written],
        )

    async def _given(self, conn: Connection, key: BookingKey) -> Rating | None:
        row = await queries.select_rating(conn, key)
        if row is None:
            return None
        comment = "" if row["comment"] is None else self._seals.unseal(_PURPOSE, *key, row["comment"], str)
        return Rating(row["stars"], comment, row["rated_at"])

    def _opened(self, row: Row) -> str:
        return self._seals.unseal(_PURPOSE, row["person_id"], row["booking_id"], row["comment"], str)
