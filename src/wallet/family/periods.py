"""For how long a mandate may stand. Days are those of the city's calendar."""

from datetime import UTC, date, datetime, time, timedelta

from msgspec import Struct

from kernel.clock import SHANGHAI
from wallet.errors import MandatePeriodRefused
from wallet.model import today_in_city

OF_AGE_YEARS = 18
"""Civil Code, article 17: whoever has completed eighteen years is an adult."""
MANDATE_MAX = timedelta(days=5 * 366)
"""The longest a mandate stands before it must be given again, and a guardianship of an adult registered again."""
AHEAD_MAX = timedelta(days=366)
"""How far ahead a mandate may begin."""
PAST_MAX = timedelta(minutes=5)
"""A beginning that lies so little back is a slow clock's now."""
assert AHEAD_MAX < MANDATE_MAX


class Period(Struct, frozen=True):
    """From when on, and until when, in UTC."""

    starts_at: datetime
    expires_at: datetime


def granted_period(starts_at: datetime | None, expires_at: datetime, *, now: datetime) -> Period:
    """The period of a mandate that somebody gives; from now on, unless told. Raises MandatePeriodRefused."""
    since = now if starts_at is None else starts_at
    if not now - PAST_MAX <= since <= now + AHEAD_MAX:
        raise MandatePeriodRefused("starts_at lies too far from now")
    if not max(now, since) < expires_at <= since + MANDATE_MAX:
        raise MandatePeriodRefused("expires_at must lie after the beginning, and within five years of it")
    return Period(since.astimezone(UTC), expires_at.astimezone(UTC))


def guardian_period(ward_id_number: str, until: date | None, *, now: datetime) -> Period:
    """The period of a guardianship: of a child until coming of age, or sooner; of an adult until the day that is named.

    It ends as that day begins. `ward_id_number` is a valid one. Raises MandatePeriodRefused.
    """
    today = today_in_city(now)
    grown = of_age_on(ward_id_number)
    latest = grown if today < grown else today + MANDATE_MAX
    if until is None and today >= grown:
        raise MandatePeriodRefused("the guardianship of an adult needs a day on which it ends")
    last = until or grown
    if not today < last <= latest:
        raise MandatePeriodRefused("until must be a day to come, no later than coming of age or five years from now")
    return Period(now, datetime.combine(last, time(), SHANGHAI).astimezone(UTC))


def of_age_on(id_number: str) -> date:
    """The eighteenth birthday of whoever has this ID number (GB 11643); of who was born on 29 February, 1 March."""
    year, month, day = int(id_number[6:10]), int(id_number[10:12]), int(id_number[12:14])
    try:
        return date(year + OF_AGE_YEARS, month, day)
    except ValueError:
        return date(year + OF_AGE_YEARS, 3, 1)
