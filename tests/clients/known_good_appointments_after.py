"""Good requests about calendars, and about what comes after a visit."""

from kernel.principal import Audience
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good, good
from tests.clients.known_good_appointments_desk import a_clerk
from tests.clients.known_good_residents import BOTH

DEPARTMENT, PUBLIC = Audience.DEPARTMENT, Audience.PUBLIC
RESULT = {"outcome": "supplement", "note": "缺户口簿复印件"}


def a_feed(everybody: Everybody, audience: Audience, token: str) -> dict[str, str]:
    made = everybody.ask("POST", f"/{audience}/calendar-feeds", token).json()
    return {"feed_id": made["feed"]["feed_id"], "file": made["address"].rsplit("/", 1)[1]}


def who_is_here(everybody: Everybody, audience: Audience) -> tuple[str, str]:
    """The booking of a citizen who has just been checked in, and their token."""
    booking_id, token = everybody.booked_by_another(audience, soon=True)
    everybody.ask("POST", f"/department/desk/bookings/{booking_id}/check-in", a_clerk(everybody))
    return booking_id, token


def who_was_here(everybody: Everybody, audience: Audience) -> tuple[str, str]:
    """The booking of a citizen who was told what their visit came to, and their token."""
    booking_id, token = who_is_here(everybody, audience)
    everybody.ask("POST", f"/department/desk/bookings/{booking_id}/result", a_clerk(everybody), json=RESULT)
    return booking_id, token


for _audience in BOTH:

    @good("readBookingCalendar", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = everybody.booked_by_another(audience)
        return Good({"booking_id": booking_id}, token=token)

    @good("makeCalendarFeed", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        return Good(token=everybody.city.a_citizen(audience))

    @good("listCalendarFeeds", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        return Good(token=everybody.city.a_citizen(audience))

    @good("endCalendarFeed", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        token = everybody.city.a_citizen(audience)
        return Good({"feed_id": a_feed(everybody, audience, token)["feed_id"]}, token=token)

    @good("readResult", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = who_was_here(everybody, audience)
        return Good({"booking_id": booking_id}, token=token)

    @good("rateVisit", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = who_was_here(everybody, audience)
        return Good({"booking_id": booking_id}, body={"stars": 5, "comment": "很快"}, token=token)

    @good("readRating", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = who_was_here(everybody, audience)
        everybody.ask("PUT", f"/{audience}/bookings/{booking_id}/rating", token, json={"stars": 4})
        return Good({"booking_id": booking_id}, token=token)


@good("readCalendarFeed", PUBLIC)
def _(everybody: Everybody) -> Good:
    token = everybody.city.a_citizen(Audience.RESIDENT)
    return Good({"file": a_feed(everybody, Audience.RESIDENT, token)["file"]})


@good("noteResult", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    booking_id, _ = who_is_here(everybody, Audience.RESIDENT)
    return Good({"booking_id": booking_id}, body=RESULT, token=a_clerk(everybody))


@good("listRatings", DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=a_clerk(everybody))
