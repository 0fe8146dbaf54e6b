"""A resident looks for an hour of a service: earliest or nearest first, with how many places are free.

What a page costs is bounded by what it looks at (`LOOKED_AT_MAX`), not by how much there is: where most is sold out, a
page may come short, and its cursor goes on from where the look ended.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from appointments.errors import DaysOutOfRange, ServiceNotFound
from appointments.model import Catalogue, DayPart, Lane, Office, ServiceSort, Slot, day_bounds
from appointments.offices import queries
from appointments.offices.measuring import Away, Point, nearest_first
from appointments.offices.offering import DAYS_AHEAD
from appointments.paging import NearPosition, Position, near_position_of, position_of
from kernel.clock import SHANGHAI, Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId, ServiceId

DAYS_MAX: Final = 62
DAYS_AWAY_MAX: Final = 366
LIMIT_MAX: Final = 100
LOOKED_AT_MAX: Final = 1_000
"""Slots that one page looks at, found or not."""
TOGETHER_MAX: Final = 250
OFFICES_MAX: Final = 60
"""Offices that one page asks for, nearest first."""
_LAST_ID: Final = UUID(int=2**128 - 1)
_PARTS: Final = {DayPart.MORNING: (0, 12), DayPart.AFTERNOON: (12, 18), DayPart.EVENING: (18, 24)}
"""The hours of a day part, as `day_part_of` tells them."""

Span = tuple[datetime, datetime]
"""From a moment, until before another."""


class Order(StrEnum):
    """What a search answers first: the earliest hours, or those of the nearest office."""

    TIME = "time"
    DISTANCE = "distance"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody looks for: both days count, in Shanghai; None where they do not mind."""

    service_id: ServiceId
    first_day: date
    last_day: date
    district: str | None = None
    office_id: OfficeId | None = None
    day_part: DayPart | None = None
    lane: Lane | None = None
    only_free: bool = False
    near: Point | None = None
    within_m: int | None = None
    """Counts with `near`: offices whose position is not known are left out then."""


class Offer(msgspec.Struct, frozen=True):
    """A slot, how many of its places were free a moment ago, and how far its office is from `near`."""

    slot: Slot
    free: int
    distance_m: int | None = None


class Found(msgspec.Struct, frozen=True):
    """A page, and the cursor of the page after it; None at the end."""

    offers: list[Offer]
    next: str | None


async def search(
    db: Database, clock: Clock, catalogue: Catalogue, wish: Wish, cursor: str | None, limit: int,
    order: Order = Order.TIME,
) -> Found:  # fmt: skip
    """Up to `limit` slots that can be booked or will be: begun, closed and withdrawn ones are left out.

    By DISTANCE (with `near` alone) all hours of the nearest office come first, earliest first, then the next one's.
    Raises DaysOutOfRange, CursorUnknown.
    """
    assert 1 <= limit <= LIMIT_MAX
    assert order is Order.TIME or wish.near is not None
    now = clock.now()
    _refuse_out_of_range(wish, in_shanghai(now).date())
    look = _Look(catalogue, wish, limit, now)
    async with db.connection() as conn:
        if order is Order.DISTANCE:
            after = near_position_of(cursor) if cursor else None
            return Found(look.found, await _nearest_first(conn, look, after))
        return Found(look.found, await _earliest_first(conn, look, position_of(cursor) if cursor else None))


class _Look:
    """One page being gathered: what was found, and how much more may be looked at."""

    def __init__(self, catalogue: Catalogue, wish: Wish, limit: int, now: datetime) -> None:
        self.wish = wish
        self.now = now
        self.offices = _candidates(catalogue, wish)
        self.distances = {one.office.office_id: one.metres for one in self.offices}
        self.first = max(day_bounds(wish.first_day)[0], now + _lead(catalogue, wish.service_id))
        self.until = day_bounds(wish.last_day)[1]
        self.found: list[Offer] = []
        self._limit = limit
        self._left = LOOKED_AT_MAX
        self._asked = 0

    def size(self) -> int:
        """How many slots to ask for next: no more than are wanted at first, then ever more."""
        self._asked = min(max(self._limit, self._asked * 2), TOGETHER_MAX, self._left)
        return self._asked

    async def take(self, conn: Connection, slots: Sequence[Slot]) -> Slot | None:
        """Keep those that are wished for; the slot to go on after once the page is full or has looked at enough."""
        fitting = [slot for slot in slots if self._fits(slot)]
        ids = [slot.slot_id for slot in fitting]
        free = await queries.count_free(conn, ids, now=self.now) if ids else {}
        for slot in fitting:
            count = free.get(slot.slot_id, 0)
            if count or not self.wish.only_free:
                self.found.append(Offer(slot, count, self.distances.get(slot.office_id)))
                if len(self.found) == self._limit:
                    return slot
        self._left -= len(slots)
        return slots[-1] if slots and self._left == 0 else None

    def _fits(self, slot: Slot) -> bool:
        wish = self.wish
        return (
            slot.bookable_until > self.now
            and wish.lane in (None, slot.lane)
            and wish.office_id in (None, slot.office_id)
            and wish.district in (None, slot.district)
            and (wish.within_m is None or slot.office_id in self.distances)
        )


async def _earliest_first(conn: Connection, look: _Look, after: Position | None) -> str | None:
    wish = look.wish
    seen = (after.moment, after.last_id) if after else None
    for start, until in _spans(wish, look.first, look.until):
        position = (start - timedelta(microseconds=1), _LAST_ID)
        if seen is not None:
            position = max(position, seen)
        while position[0] < until:
            size = look.size()
            slots = await _read(conn, wish, position, until, size)
            last = await look.take(conn, slots)
            if last is not None:
                return Position.of(last.starts_at, last.slot_id).cursor()
            if len(slots) < size:
                break
            position = (slots[-1].starts_at, slots[-1].slot_id)
    return None


async def _read(
    conn: Connection, wish: Wish, position: tuple[datetime, UUID], until: datetime, size: int
) -> list[Slot]:
    """The next slots by the index that leaves out most."""
    if wish.office_id is not None:
        office = (wish.office_id, wish.service_id, wish.day_part, wish.lane)
        return await queries.select_slots_of_office(conn, *office, position, until, size)
    if wish.district is not None:
        return await queries.select_slots_of_district(conn, wish.service_id, wish.district, position, until, size)
    if wish.lane is not None and wish.lane is not Lane.NORMAL:
        return await queries.select_slots_of_lane(conn, wish.service_id, wish.lane, position, until, size)
    return await queries.select_slots_of_service(conn, wish.service_id, position, until, size)


async def _nearest_first(conn: Connection, look: _Look, after: NearPosition | None) -> str | None:
    wish, start = look.wish, (look.first - timedelta(microseconds=1), _LAST_ID)
    ahead = [one for one in look.offices if after is None or one.turn >= (after.metres, after.office)]
    for away in ahead[:OFFICES_MAX]:
        position = start
        if after is not None and away.turn == (after.metres, after.office):
            position = max(start, (after.moment, after.last_id))
        while True:
            size = look.size()
            office = (away.office.office_id, wish.service_id, wish.day_part, wish.lane)
            slots = await queries.select_slots_of_office(conn, *office, position, look.until, size)
            last = await look.take(conn, slots)
            if last is not None:
                return _cursor(away, last.starts_at, last.slot_id)
            if len(slots) < size:
                break
            position = (slots[-1].starts_at, slots[-1].slot_id)
    if len(ahead) > OFFICES_MAX:
        return _cursor(ahead[OFFICES_MAX - 1], look.until, _LAST_ID)
    return None


def _cursor(away: Away, moment: datetime, last_id: UUID) -> str:
    return NearPosition.of(away.metres, away.office.office_id, moment, last_id).cursor()


def _candidates(catalogue: Catalogue, wish: Wish) -> list[Away]:
    """Offices to look at, nearest first: those with a desk for the service; all of them for a service without
    any desk, as trips and sittings are given one by one."""
    if wish.near is None:
        return []
    with_desk = {desk.office_id for desk in catalogue.desks if desk.service_id == wish.service_id}

    def is_wished(office: Office) -> bool:
        return (
            (not with_desk or office.office_id in with_desk)
            and wish.office_id in (None, office.office_id)
            and wish.district in (None, office.district)
        )

    return nearest_first(filter(is_wished, catalogue.offices.values()), wish.near, wish.within_m)


def _lead(catalogue: Catalogue, service_id: ServiceId) -> timedelta:
    """How long before its hours a service closes at least: slots sooner than that need not be looked at."""
    service = catalogue.services.get(service_id)
    if service is None or service.sort is not ServiceSort.COUNTER:
        return timedelta(0)
    return timedelta(minutes=service.lead_minutes)


def _spans(wish: Wish, first: datetime, until: datetime) -> Iterator[Span]:
    """The hours looked through, in order: all of them at once, or a part of each day."""
    if wish.day_part is None or wish.office_id is not None:
        yield first, until
        return
    begins, ends = _PARTS[wish.day_part]
    day = in_shanghai(first).date()
    while day <= wish.last_day:
        midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        start, end = max(first, midnight + timedelta(hours=begins)), midnight + timedelta(hours=ends)
        if start < end:
            yield start, end
        day += timedelta(days=1)


def wish_of(
    catalogue: Catalogue, service_id: ServiceId, first_day: date | None, last_day: date | None, *, now: datetime
) -> Wish:
    """Any hour of a service: from today and for DAYS_AHEAD on where nobody says. Raises ServiceNotFound."""
    if service_id not in catalogue.services:
        raise ServiceNotFound
    first = first_day or in_shanghai(now).date()
    return Wish(service_id=service_id, first_day=first, last_day=last_day or days_after(first, DAYS_AHEAD))


def days_after(day: date, days: int) -> date:
    """`days` after `day`, as far as the calendar goes."""
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def _refuse_out_of_range(wish: Wish, today: date) -> None:
    if not 0 <= (wish.last_day - wish.first_day).days < DAYS_MAX:
        raise DaysOutOfRange(f"`to` must lie within {DAYS_MAX} days from `from`")
    if max(abs((wish.first_day - today).days), abs((wish.last_day - today).days)) > DAYS_AWAY_MAX:
        raise DaysOutOfRange(f"days must lie within {DAYS_AWAY_MAX} days of today")
