"""How many are before a number, and about how long that takes: pure, from what the hall holds at one moment."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Final

import msgspec

from appointments.desk.hall.model import Counter, Ticket, TicketLane, TicketStage
from kernel.ids import ServiceId

MEASURED_MIN: Final = 5
"""From so many visits of today on, a service takes as long as they took; before, as long as its slots last."""
ESTIMATE_MAX: Final = timedelta(hours=8)
"""A longer wait is said as this: it is longer than any office is open."""
_RANK: Final = {lane: ordinal for ordinal, lane in enumerate(TicketLane)}


class Measured(msgspec.Struct, frozen=True):
    """What the visits of today to one service took: how many were measured, and their mean."""

    visits: int
    mean_seconds: float


class Hall(msgspec.Struct, frozen=True, kw_only=True):
    """An office's hall at one moment. `slot_seconds` is how long a slot of each service lasts."""

    as_of: datetime
    counters: tuple[Counter, ...]
    tickets: tuple[Ticket, ...]
    """Those that wait or are at a counter."""
    measured: Mapping[ServiceId, Measured]
    slot_seconds: Mapping[ServiceId, int]

    @property
    def waiting(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets if ticket.stage is TicketStage.WAITING]

    def serving(self, ticket: Ticket) -> list[Counter]:
        """The open counters that may call this number."""
        if ticket.for_counter is not None:
            return [one for one in self.counters if one.is_open and one.number == ticket.for_counter]
        return [one for one in self.counters if one.is_open and ticket.service_id in one.service_ids]


def ahead_of(ticket: Ticket, hall: Hall) -> int:
    """How many numbers the counters that serve this one would call before it, as everything stands.

    Those of lanes above it whose hour has come, and those of its own lane with a lower rank. The turn that ordinary
    numbers get after PRIORITY_RUN_MAX priority calls is left out: it makes the wait shorter than is said for them.
    """
    counters = hall.serving(ticket)
    services = {service_id for counter in counters for service_id in counter.service_ids} | {ticket.service_id}
    return sum(
        1 for other in hall.waiting if _is_called_by(other, services, counters) and _goes_before(other, ticket, hall)
    )


def wait_of(ticket: Ticket, hall: Hall) -> timedelta | None:
    """The estimated wait: ahead × service seconds ÷ open counters, and never less than until its own hour.

    `ahead` is `ahead_of`; the service seconds are the mean of today's visits to the ticket's service (from MEASURED_MIN
    on), else the length of its slots; the counters are the open ones that serve it. None where none is open: nobody
    knows then. Rounded up to whole minutes, at most ESTIMATE_MAX.
    """
    if ticket.stage is not TicketStage.WAITING:
        return timedelta()
    counters = hall.serving(ticket)
    if not counters:
        return None
    seconds = ahead_of(ticket, hall) * seconds_of(ticket.service_id, hall) / len(counters)
    seconds = max(seconds, (ticket.rank_at - hall.as_of).total_seconds())
    return min(timedelta(minutes=ceil(seconds / 60)), ESTIMATE_MAX)


def wait_of_newcomer(service_id: ServiceId, hall: Hall) -> timedelta | None:
    """What somebody who took a walk-in number now would wait: the same formula, behind everybody who waits."""
    counters = [one for one in hall.counters if one.is_open and service_id in one.service_ids]
    if not counters:
        return None
    services = {served for counter in counters for served in counter.service_ids}
    ahead = sum(1 for other in hall.waiting if _is_called_by(other, services, counters) and _has_come(other, hall))
    seconds = ahead * seconds_of(service_id, hall) / len(counters)
    return min(timedelta(minutes=ceil(seconds / 60)), ESTIMATE_MAX)


def seconds_of(service_id: ServiceId, hall: Hall) -> float:
    """How long a visit to a service takes: measured today, or planned."""
    measured = hall.measured.get(service_id)
    if measured is not None and measured.visits >= MEASURED_MIN:
        return measured.mean_seconds
    return float(hall.slot_seconds.get(service_id, 0))


def minutes_of(wait: timedelta | None) -> int | None:
    """A wait as it is said."""
    return None if wait is None else int(wait.total_seconds()) // 60


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile: the least value that at least `share` of all do not exceed. None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _is_called_by(other: Ticket, services: Collection[ServiceId], counters: Collection[Counter]) -> bool:
    if other.for_counter is not None:
        return any(counter.number == other.for_counter for counter in counters)
    return other.service_id in services


def _goes_before(other: Ticket, ticket: Ticket, hall: Hall) -> bool:
    if other.ticket_id == ticket.ticket_id:
        return False
    if other.lane is ticket.lane:
        return other.turn < ticket.turn
    if not _has_come(ticket, hall):
        return _has_come(other, hall) or other.turn < ticket.turn
    return _RANK[other.lane] < _RANK[ticket.lane] and _has_come(other, hall)


def _has_come(ticket: Ticket, hall: Hall) -> bool:
    return ticket.rank_at <= hall.as_of
