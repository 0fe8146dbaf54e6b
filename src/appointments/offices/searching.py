"""A resident looks for an hour: slots of a service by day and district, with how many places are free."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

import msgspec

from appointments.errors import DaysOutOfRange
from appointments.model import Slot, day_bounds
from appointments.offices import queries
from appointments.paging import Position
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import ServiceId

DAYS_MAX: Final = 62
DAYS_AWAY_MAX: Final = 366
LIMIT_MAX: Final = 100
_LAST_ID: Final = UUID(int=2**128 - 1)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody looks for: both days count, in Shanghai; no district means all of them."""

    service_id: ServiceId
    district: str | None
    first_day: date
    last_day: date


class Offer(msgspec.Struct, frozen=True):
    """A slot and how many of its places were free a moment ago."""

    slot: Slot
    free: int


async def search(db: Database, clock: Clock, wish: Wish, after: Position | None, limit: int) -> list[Offer]:
    """Up to `limit` slots that have not begun, earliest first, from `after` on. Raises DaysOutOfRange."""
    assert 1 <= limit <= LIMIT_MAX
    now = clock.now()
    _refuse_out_of_range(wish, in_shanghai(now).date())
    start = max(day_bounds(wish.first_day)[0] - timedelta(microseconds=1), now)
    position = max((after.moment, after.last_id), (start, _LAST_ID)) if after else (start, _LAST_ID)
    until = day_bounds(wish.last_day)[1]
    async with db.connection() as conn:
        if wish.district is None:
            slots = await queries.select_slots_of_service(conn, wish.service_id, position, until, limit)
        else:
            slots = await queries.select_slots_of_district(conn, wish.service_id, wish.district, position, until, limit)
        free = await queries.count_free(conn, [slot.slot_id for slot in slots], now=now) if slots else {}
    return [Offer(slot, free.get(slot.slot_id, 0)) for slot in slots]


def days_after(day: date, days: int) -> date:
    """`days` after `day`, as far as the calendar goes."""
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def _refuse_out_of_range(wish: Wish, today: date) -> None:
    if not 0 <= (wish.last_day - wish.first_day).days < DAYS_MAX:
        raise DaysOutOfRange(f"`to` must lie within {DAYS_MAX} days from `from`")
    if max(abs((wish.first_day - today).days), abs((wish.last_day - today).days)) > DAYS_AWAY_MAX:
        raise DaysOutOfRange(f"days must lie within {DAYS_AWAY_MAX} days of today")
