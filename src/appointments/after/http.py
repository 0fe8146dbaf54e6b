"""What a visit came to and how it was, over HTTP: noted and read at the desk, told and rated in the app."""

from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from appointments.after.errors import NotHere, NotServed, RatingClosed, RatingNotFound, ResultNotFound, ResultTold
from appointments.after.noting import NOTE_MAX, Outcome, Result
from appointments.after.rating import COMMENT_MAX, STARS_MAX, Comment, Rating, Report, ServiceRatings
from appointments.desk.offices import office_of
from appointments.errors import BookingNotFound, DaysOutOfRange, NoOffice, NotExpected, SeveralExpected
from appointments.model import Catalogue
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.clock import in_shanghai
from kernel.errors import MalformedRequest, RealNameNeeded, RoleMissing
from kernel.ids import BookingId
from kernel.plain_text import ONE_LINE_OR_NONE
from kernel.principal import Audience, Citizen, Staff
from kernel.problems import refuses

REPORT_DAYS: Final = 30
"""What a report covers where nobody says: so many days, today included."""


class ResultRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a visit came to. `note` is told to the person: what is missing, or why not. `day` is the day it was booked
    for, in Shanghai; today if left out."""

    outcome: Outcome
    note: Annotated[str, Meta(max_length=NOTE_MAX, pattern=ONE_LINE_OR_NONE)] = ""
    day: date | None = None


class ResultView(msgspec.Struct):
    """What a visit came to, and when the person was told."""

    outcome: Outcome
    note: str
    told_at: datetime

    @classmethod
    def of(cls, result: Result) -> "ResultView":
        return cls(result.outcome, result.note, in_shanghai(result.told_at))


class RatingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How it was: 5 stars are best. The office reads the comment without learning whose it is."""

    stars: Annotated[int, Meta(ge=1, le=STARS_MAX)]
    comment: Annotated[str, Meta(max_length=COMMENT_MAX, pattern=ONE_LINE_OR_NONE)] = ""


class RatingView(msgspec.Struct):
    """My rating of a visit, and until when I can change it."""

    stars: int
    comment: str
    rated_at: datetime
    changeable_until: datetime

    @classmethod
    def of(cls, rating: Rating) -> "RatingView":
        return cls(rating.stars, rating.comment, in_shanghai(rating.rated_at), in_shanghai(rating.changeable_until))


class ServiceRatingsView(msgspec.Struct):
    """How a service was rated: how often, with how many stars on average, and how often with 1, 2, 3, 4 and 5."""

    service_id: UUID
    service_zh: str
    service_en: str
    ratings: int
    average: float
    by_stars: list[int]

    @classmethod
    def of(cls, rated: ServiceRatings, catalogue: Catalogue) -> "ServiceRatingsView":
        service = catalogue.services[rated.service_id]
        return cls(rated.service_id, service.name_zh, service.name_en, rated.count, rated.average, list(rated.by_stars))


class CommentView(msgspec.Struct):
    """What somebody wrote. Who, and when they were here, is not told."""

    service_id: UUID
    stars: int
    text: str

    @classmethod
    def of(cls, comment: Comment) -> "CommentView":
        return cls(comment.service_id, comment.stars, comment.text)


class RatingsView(msgspec.Struct):
    """How my office was rated on these days, and the newest comments."""

    first_day: date
    last_day: date
    services: list[ServiceRatingsView]
    comments: list[CommentView]

    @classmethod
    def of(cls, first_day: date, last_day: date, report: Report, catalogue: Catalogue) -> "RatingsView":
        services = [ServiceRatingsView.of(rated, catalogue) for rated in report.services]
        return cls(first_day, last_day, services, [CommentView.of(comment) for comment in report.comments])


@post(
    "/desk/bookings/{booking_id:uuid}/result",
    operation_id="noteResult",
    summary="What a visit came to",
    status_code=200,
    responses=refuses(
        MalformedRequest, RoleMissing, NoOffice, DaysOutOfRange, NotExpected, SeveralExpected, NotHere, ResultTold
    ),
)
async def note_result(
    booking_id: FromPath[UUID],
    data: JSONBody[ResultRequest],
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
) -> ResultView:
    """Tell who came what their visit came to; the visit is over with that. Telling the same again answers the same."""
    day = data.day or in_shanghai(appointments.clock.now()).date()
    result = await appointments.results.note(
        staff.staff_id, office_of(staff), BookingId(booking_id), day, data.outcome, data.note
    )
    return ResultView.of(result)


@get(
    "/ratings",
    operation_id="listRatings",
    summary="How my office was rated",
    responses=refuses(MalformedRequest, RoleMissing, NoOffice, DaysOutOfRange),
)
async def list_ratings(
    staff: NamedDependency[Staff],
    appointments: NamedDependency[Appointments],
    first_day: Annotated[
        date | None, QueryParameter(name="from", description="A day in Shanghai; thirty days to `to` if left out.")
    ] = None,
    last_day: Annotated[date | None, QueryParameter(name="to", description="The last day; today if left out.")] = None,
) -> RatingsView:
    """Averages of each service, and what was written, without who wrote it."""
    last = last_day or in_shanghai(appointments.clock.now()).date()
    first = first_day or date.fromordinal(max(last.toordinal() - REPORT_DAYS + 1, 1))
    report = await appointments.ratings.report(office_of(staff), first, last)
    for rated in report.services:
        await appointments.catalogues.knowing(office_of(staff), rated.service_id)
    return RatingsView.of(first, last, report, appointments.catalogues.current)


@get(
    "/bookings/{booking_id:uuid}/result",
    operation_id="readResult",
    summary="What my visit came to",
    responses=refuses(MalformedRequest, RealNameNeeded, BookingNotFound, ResultNotFound),
)
async def read_result(
    booking_id: FromPath[UUID], citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> ResultView:
    """As I was told: done, more papers needed, or not granted, and the clerk's note."""
    return ResultView.of(await appointments.results.read(citizen.person_id, BookingId(booking_id)))


@put(
    "/bookings/{booking_id:uuid}/rating",
    operation_id="rateVisit",
    summary="Say how my visit was",
    responses=refuses(MalformedRequest, RealNameNeeded, BookingNotFound, NotServed, RatingClosed),
)
async def rate_visit(
    booking_id: FromPath[UUID],
    data: JSONBody[RatingRequest],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
) -> RatingView:
    """Rate a visit that took place. It can be changed for seven days."""
    rating = await appointments.ratings.rate(citizen.person_id, BookingId(booking_id), data.stars, data.comment)
    return RatingView.of(rating)


@get(
    "/bookings/{booking_id:uuid}/rating",
    operation_id="readRating",
    summary="How I rated my visit",
    responses=refuses(MalformedRequest, RealNameNeeded, BookingNotFound, RatingNotFound),
)
async def read_rating(
    booking_id: FromPath[UUID], citizen: NamedDependency[Citizen], appointments: NamedDependency[Appointments]
) -> RatingView:
    """My stars and my comment, and until when I can change them."""
    return RatingView.of(await appointments.ratings.read(citizen.person_id, BookingId(booking_id)))


_RESIDENTS: Final = (read_result, rate_visit, read_rating)
HANDLERS: Handlers = {
    Audience.RESIDENT: _RESIDENTS,
    Audience.MINI: _RESIDENTS,
    Audience.DEPARTMENT: (note_result, list_ratings),
}
