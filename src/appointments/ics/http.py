"""A booking as a calendar file, and feeds for people's own calendars, over HTTP."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from appointments import changing
from appointments.errors import BookingNotFound
from appointments.ics.composing import calendar_of
from appointments.ics.errors import FeedNotFound, TooManyFeeds
from appointments.ics.subscribing import SECRET_CHARACTERS, Feed
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.clock import in_shanghai
from kernel.conditional import NOT_MODIFIED, TAG_CHARACTERS, IfNoneMatch, names
from kernel.errors import MalformedRequest, RealNameNeeded
from kernel.ids import BookingId
from kernel.principal import Audience, Citizen
from kernel.problems import refuses

CALENDAR: Final = "text/calendar"
FILE_END: Final = ".ics"


class FeedView(msgspec.Struct):
    """A calendar that reads my bookings. Its address is not kept, so it is not here."""

    feed_id: UUID
    made_at: datetime

    @classmethod
    def of(cls, feed: Feed) -> "FeedView":
        return cls(feed.feed_id, in_shanghai(feed.made_at))


class FeedsView(msgspec.Struct):
    feeds: list[FeedView]


class FreshFeedView(msgspec.Struct):
    """A feed with its address, which is said this once. Whoever has it reads my bookings: give it to your calendar
    alone, and end the feed if anybody else may have seen it."""

    feed: FeedView
    address: str


@get(
    "/bookings/{booking_id:uuid}/calendar",
    operation_id="readBookingCalendar",
    summary="One of my bookings, for my calendar",
    media_type=CALENDAR,
    responses=refuses(MalformedRequest, RealNameNeeded, BookingNotFound),
)
async def read_booking_calendar(
    booking_id: FromPath[UUID], citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> Response[bytes]:
    """An iCalendar file (RFC 5545) with alarms a day and two hours before.

    Moved or cancelled, the booking keeps its UID and raises its SEQUENCE: taken in again, the file changes the entry.
    """
    booking = await changing.read(appointments.db, (citizen.person_id, BookingId(booking_id)))
    catalogue = await appointments.catalogues.knowing(booking.office_id, booking.service_id)
    headers = {"Content-Disposition": 'attachment; filename="booking.ics"'}
    return Response(calendar_of([booking], catalogue), media_type=CALENDAR, headers=headers)


@post(
    "/calendar-feeds",
    operation_id="makeCalendarFeed",
    summary="Let my calendar read my bookings",
    responses=refuses(RealNameNeeded, TooManyFeeds),
)
async def make_calendar_feed(
    citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> FreshFeedView:
    """Make a secret address that a calendar can subscribe to. If the answer is lost, end what the list shows."""
    feed, secret = await appointments.feeds.make(citizen.person_id)
    return FreshFeedView(FeedView.of(feed), f"{appointments.public_origin}/public/calendars/{secret}{FILE_END}")


@get(
    "/calendar-feeds",
    operation_id="listCalendarFeeds",
    summary="Which calendars read my bookings",
    responses=refuses(RealNameNeeded),
)
async def list_calendar_feeds(
    citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> FeedsView:
    """Those I have not ended, newest first."""
    return FeedsView([FeedView.of(feed) for feed in await appointments.feeds.of(citizen.person_id)])


@delete(
    "/calendar-feeds/{feed_id:uuid}",
    operation_id="endCalendarFeed",
    summary="Let a calendar read my bookings no more",
    status_code=204,
    responses=refuses(MalformedRequest, RealNameNeeded, FeedNotFound),
)
async def end_calendar_feed(
    feed_id: FromPath[UUID], citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> None:
    """From now on its address is one that never was."""
    await appointments.feeds.end(citizen.person_id, feed_id)


@get(
    "/public/calendars/{file:str}",
    operation_id="readCalendarFeed",
    summary="Somebody's bookings, by the secret address",
    media_type=CALENDAR,
    responses=refuses(FeedNotFound) | NOT_MODIFIED,
)
async def read_calendar_feed(
    file: FromPath[str], appointments: NamedDependency[Appointments], if_none_match: IfNoneMatch = None
) -> Response[bytes]:
    """An iCalendar feed (RFC 5545): bookings to come, those of the last thirty days, and what was cancelled in them."""
    secret = file.removesuffix(FILE_END)
    if len(secret) != SECRET_CHARACTERS or secret == file:
        raise FeedNotFound
    body = await appointments.feeds.read(secret)
    tag = f'"{sha256(body).hexdigest()[:TAG_CHARACTERS]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if if_none_match is not None and names(if_none_match, tag):
        nothing: Response[Any] = Response(None, status_code=304, headers=headers)
        return nothing
    return Response(body, media_type=CALENDAR, headers=headers)


_RESIDENTS = (read_booking_calendar, make_calendar_feed, list_calendar_feeds, end_calendar_feed)
HANDLERS: Handlers = {
    Audience.RESIDENT: _RESIDENTS,
    Audience.MINI: _RESIDENTS,
    Audience.PUBLIC: (read_calendar_feed,),
}
