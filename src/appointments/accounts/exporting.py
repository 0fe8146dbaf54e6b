"""A person takes along everything appointments hold about them."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from appointments import answering, queries
from appointments.accounts import queries as accounts
from appointments.answering import Told
from appointments.holds import queries as holds
from appointments.model import Hold
from appointments.offices.catalogue import Catalogues
from appointments.seals import Seals
from appointments.views import BookingView, HoldView
from kernel.db import Database, Row
from kernel.ids import BookingId, PersonId

KEPT_MAX: Final = 1_000
"""Of each sort, the newest."""
_END_OF_TIME: Final = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


class BookingExport(msgspec.Struct):
    """A booking, and what was told with it."""

    booking: BookingView
    told: Told | None


class WaitExport(msgspec.Struct):
    """What somebody waited for, and what came of it."""

    waiting_id: UUID
    service_id: UUID
    office_id: UUID | None
    district: str | None
    lane: str
    first_day: date
    last_day: date
    day_part: int | None
    stage: str
    joined_at: datetime
    offers: int
    slot_id: UUID | None
    booking_id: UUID | None
    offered_until: datetime | None


class StrikeExport(msgspec.Struct):
    """A booking nobody came to, and what was said about it."""

    booking_id: UUID
    service_id: UUID
    office_id: UUID
    struck_at: datetime
    stage: str
    appeal: str | None
    appealed_at: datetime | None
    decided_at: datetime | None


class SuspensionExport(msgspec.Struct):
    since: datetime
    until: datetime
    lifted_at: datetime | None


class ResultExport(msgspec.Struct):
    """What a visit came to."""

    booking_id: UUID
    outcome: str
    note: str | None
    told_at: datetime


class RatingExport(msgspec.Struct):
    booking_id: UUID
    office_id: UUID
    stars: int
    comment: str | None
    rated_at: datetime


class FeedExport(msgspec.Struct):
    """A calendar subscription; its address is known to whoever was given it alone."""

    made_at: datetime
    ended_at: datetime | None


class TicketExport(msgspec.Struct):
    """A queue number (号) of a day."""

    office_id: UUID
    ticket_id: UUID
    day: date
    series: str
    number: int
    lane: str
    service_id: UUID
    booking_id: UUID | None
    stage: str
    taken_at: datetime
    ended_at: datetime | None


class AppointmentsExport(msgspec.Struct):
    """Everything appointments hold about a person, the newest thousand of each sort."""

    bookings: list[BookingExport]
    holds: list[HoldView]
    waiting: list[WaitExport]
    strikes: list[StrikeExport]
    suspension: SuspensionExport | None
    results: list[ResultExport]
    ratings: list[RatingExport]
    feeds: list[FeedExport]
    tickets: list[TicketExport]


class Exporting:
    """Reads it all, a bounded number of each."""

    def __init__(self, db: Database, seals: Seals, catalogues: Catalogues) -> None:
        self._db = db
        self._seals = seals
        self._catalogues = catalogues

    async def everything_of(self, person_id: PersonId) -> AppointmentsExport:
        """What this person booked, held, waited for, missed, said and rated, and stood in line; newest first."""
        before = _END_OF_TIME, BookingId(UUID(int=0))
        async with self._db.connection() as conn:
            booked = await queries.select_bookings_of_person(conn, person_id, before, KEPT_MAX)
            keys = [(one.person_id, one.booking_id) for one in booked]
            told = await answering.told_with(conn, self._seals, keys)
            held: list[Hold] = await holds.select_holds(conn, [person_id])
            waited = await accounts.select_waiting_kept(conn, person_id, KEPT_MAX)
            struck = await accounts.select_strikes_kept(conn, person_id, KEPT_MAX)
            suspended = await accounts.select_suspension_kept(conn, person_id)
            results = await accounts.select_results_kept(conn, person_id, KEPT_MAX)
            rated = await accounts.select_ratings_kept(conn, person_id, KEPT_MAX)
            feeds = await accounts.select_feeds_kept(conn, person_id, KEPT_MAX)
            tickets = await accounts.select_tickets_kept(conn, person_id, KEPT_MAX)
        views = [BookingView.of(one, await self._catalogues.knowing(one.office_id, one.service_id)) for one in booked]
        return AppointmentsExport(
            bookings=[BookingExport(view, told.get(key)) for view, key in zip(views, keys, strict=True)],
            holds=[HoldView.of(hold) for hold in held],
            waiting=[WaitExport(**dict(row)) for row in waited],
            strikes=[StrikeExport(**self._opened(person_id, row, "appointments.appeal", "appeal")) for row in struck],
            suspension=None if suspended is None else SuspensionExport(**dict(suspended)),
            results=[ResultExport(**self._opened(person_id, row, "appointments.note", "note")) for row in results],
            ratings=[RatingExport(**self._opened(person_id, row, "appointments.comment", "comment")) for row in rated],
            feeds=[FeedExport(**dict(row)) for row in feeds],
            tickets=[TicketExport(**dict(row)) for row in tickets],
        )

    def _opened(self, person_id: PersonId, row: Row, purpose: str, column: str) -> dict[str, Any]:
        """A row, with the text a person or a desk wrote opened."""
        envelope = row[column]
        text = None if envelope is None else self._seals.unseal(purpose, person_id, row["booking_id"], envelope, str)
        return dict(row) | {column: text}
