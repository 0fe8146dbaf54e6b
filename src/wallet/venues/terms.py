"""The terms under which a venue was granted a scenario: what it sees, until which day, at which hours, how often.

Hours and days are those of the city's clock.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from msgspec.structs import replace

from kernel.clock import in_shanghai
from kernel.db import Connection
from kernel.ids import VenueId
from wallet.model import NO_TERMS, Scenario, Terms, Venue, today_in_city

_DAYS = 7
QuotaKey = tuple[VenueId, str]
"""A venue and the code of the scenario that its quota is for."""
CountedLook = tuple[QuotaKey, int, date]
"""A look that a quota is for: whose, how many there are a day, and on which day."""


class TakesQuota(Protocol):
    """Counts looks against quotas, in the transaction that records them."""

    async def __call__(
        self, conn: Connection, wanted: Mapping[QuotaKey, int], quotas: Mapping[QuotaKey, int], day: date
    ) -> Mapping[QuotaKey, int]:
        """How many of the looks wanted on `day` are granted under quotas of so many a day."""
        ...


class GivesQuotaBack(Protocol):
    """Counts looks off again that were taken in this same transaction, and that nobody made."""

    async def __call__(
        self, conn: Connection, unused: Mapping[QuotaKey, int], quotas: Mapping[QuotaKey, int], day: date
    ) -> None: ...


def granted_scenario(scenario: Scenario | None, venue: Venue, now: datetime) -> Scenario | None:
    """A scenario as this venue has it, narrowed by its terms; None where it was not granted or is granted no more."""
    if scenario is None or scenario.scenario_code not in venue.scenario_codes:
        return None
    terms = venue.terms.get(scenario.scenario_code)
    if terms is None:
        return scenario
    if terms.granted_until is not None and terms.granted_until < today_in_city(now):
        return None
    return narrowed(scenario, terms)


def terms_of(venue: Venue, scenario_code: str) -> Terms:
    return venue.terms.get(scenario_code, NO_TERMS)


def narrowed(scenario: Scenario, terms: Terms) -> Scenario:
    """The scenario with the kinds and fields that both it and the terms grant."""
    if terms.grants is None:
        return scenario
    grants = {
        kind_code: tuple(name for name in fields if name in terms.grants[kind_code])
        for kind_code, fields in scenario.grants.items()
        if kind_code in terms.grants
    }
    return replace(scenario, grants=grants)


def is_open(terms: Terms, now: datetime) -> bool:
    """Whether `now` is within the terms' days and hours. Hours past midnight belong to the day on which they began."""
    local = in_shanghai(now)
    today = bool(terms.days >> local.weekday() & 1)
    if terms.opens_minute is None or terms.closes_minute is None:
        return today
    minute = local.hour * 60 + local.minute
    if terms.opens_minute < terms.closes_minute:
        return today and terms.opens_minute <= minute < terms.closes_minute
    yesterday = bool(terms.days >> (local.weekday() - 1) % _DAYS & 1)
    return (today and minute >= terms.opens_minute) or (yesterday and minute < terms.closes_minute)


async def given_back(give: GivesQuotaBack, conn: Connection, looks: Sequence[CountedLook]) -> None:
    """Count off again looks that `taken_over` counted in this transaction, and that somebody else had recorded."""
    for day in sorted({day for _, _, day in looks}):
        unused = Counter([key for key, _, on in looks if on == day])
        await give(conn, unused, {key: quota for key, quota, _ in looks if key in unused}, day)


async def taken_over(take: TakesQuota, conn: Connection, looks: Sequence[CountedLook]) -> set[int]:
    """Count looks, each under its key and quota on its day; the places of those that are more than the quotas leave."""
    over: set[int] = set()
    for day in sorted({day for _, _, day in looks}):
        places: dict[QuotaKey, list[int]] = {}
        for place, (key, _, on) in enumerate(looks):
            if on == day:
                places.setdefault(key, []).append(place)
        quotas = {key: quota for key, quota, _ in looks if key in places}
        granted = await take(conn, {key: len(found) for key, found in places.items()}, quotas, day)
        for key, found in places.items():
            over.update(found[granted[key] :])
    return over
