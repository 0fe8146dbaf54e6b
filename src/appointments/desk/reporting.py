"""The day's report of an office: who was expected and came, how long people waited and were served, by whom."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from appointments.desk import queries
from appointments.desk.hall import queries as hall_queries
from appointments.desk.hall.estimating import percentile
from appointments.desk.hall.model import Ticket, TicketLane, TicketStage, lane_of_booking
from appointments.desk.overseeing import DAYS_AWAY_MAX
from appointments.errors import DaysOutOfRange
from appointments.model import Catalogue, Lane, Stage, day_bounds
from kernel.clock import Clock, in_shanghai
from kernel.db import Database
from kernel.ids import OfficeId, ServiceId

TICKETS_MAX: Final = 20_000
"""Numbers of one day that a report counts: more than any hall gives out."""


class LineReport(msgspec.Struct, frozen=True, kw_only=True):
    """One service and lane on one day. Waits run from when a number had its turn to its first call."""

    service_id: ServiceId
    service_zh: str
    service_en: str
    lane: TicketLane
    expected: int
    """Booked for that day and not cancelled;"""
    came: int
    """of them, who checked in;"""
    missed: int
    """and who did not come."""
    cancelled: int
    tickets: int
    """Numbers given out;"""
    walk_ins: int
    """of them, without a booking;"""
    served: int
    """those whose visit was finished;"""
    not_there: int
    """those who were called and did not come;"""
    unfinished: int
    """and those that still waited or were being served when the day ended."""
    wait_seconds_p50: int | None
    wait_seconds_p90: int | None
    wait_seconds_max: int | None
    service_seconds_mean: int | None
    service_seconds_p90: int | None


class CounterReport(msgspec.Struct, frozen=True):
    """One counter on one day: the visits finished there, and how long they took in all and on average."""

    counter: int
    served: int
    service_seconds: int
    service_seconds_mean: int


class DayReport(msgspec.Struct, frozen=True):
    """An office's day, by service and lane and by counter."""

    day: date
    lines: list[LineReport]
    counters: list[CounterReport]


Booked = Mapping[tuple[ServiceId, Lane, Stage], int]


async def report_of_day(db: Database, clock: Clock, catalogue: Catalogue, office_id: OfficeId, day: date) -> DayReport:
    """An office's day so far, or as it ended. Raises DaysOutOfRange."""
    if abs((day - in_shanghai(clock.now()).date()).days) > DAYS_AWAY_MAX:
        raise DaysOutOfRange(f"the day must lie within {DAYS_AWAY_MAX} days of today")
    start, until = day_bounds(day)
    async with db.connection() as conn:
        booked = await queries.count_bookings(conn, office_id, start, until)
        tickets = await hall_queries.select_tickets_of_day(conn, office_id, day, TICKETS_MAX)
    return DayReport(day, lines_of(catalogue, booked, tickets), counters_of(tickets))


def lines_of(catalogue: Catalogue, booked: Booked, tickets: Sequence[Ticket]) -> list[LineReport]:
    """What happened to each service and lane that anything happened to, in the order of the catalogue's slugs."""
    pairs = {(service_id, lane_of_booking(lane)) for service_id, lane, _ in booked}
    pairs |= {(ticket.service_id, ticket.lane) for ticket in tickets}
    lanes = list(TicketLane)
    ordered = sorted(pairs, key=lambda pair: (catalogue.services[pair[0]].slug, lanes.index(pair[1])))
    return [_line(catalogue, service_id, lane, booked, tickets) for service_id, lane in ordered]


def _line(
    catalogue: Catalogue, service_id: ServiceId, lane: TicketLane, booked: Booked, tickets: Sequence[Ticket]
) -> LineReport:
    service = catalogue.services[service_id]
    stages = {
        stage: sum(
            count
            for (of, booked_lane, at), count in booked.items()
            if (of, lane_of_booking(booked_lane), at) == (service_id, lane, stage)
        )
        for stage in Stage
    }
    own = [ticket for ticket in tickets if (ticket.service_id, ticket.lane) == (service_id, lane)]
    waits = [wait for ticket in own if (wait := waited_seconds(ticket)) is not None]
    served = [seconds for ticket in own if (seconds := served_seconds(ticket)) is not None]
    return LineReport(
        service_id=service_id,
        service_zh=service.name_zh,
        service_en=service.name_en,
        lane=lane,
        expected=sum(stages.values()) - stages[Stage.CANCELLED],
        came=stages[Stage.CHECKED_IN] + stages[Stage.SERVED],
        missed=stages[Stage.MISSED],
        cancelled=stages[Stage.CANCELLED],
        tickets=len(own),
        walk_ins=sum(1 for ticket in own if ticket.booking_id is None),
        served=len(served),
        not_there=sum(1 for ticket in own if ticket.stage is TicketStage.MISSED),
        unfinished=sum(1 for ticket in own if ticket.stage is TicketStage.UNFINISHED),
        wait_seconds_p50=_whole(percentile(waits, 0.5)),
        wait_seconds_p90=_whole(percentile(waits, 0.9)),
        wait_seconds_max=_whole(max(waits, default=None)),
        service_seconds_mean=_whole(sum(served) / len(served) if served else None),
        service_seconds_p90=_whole(percentile(served, 0.9)),
    )


def counters_of(tickets: Sequence[Ticket]) -> list[CounterReport]:
    """The visits finished at each counter; a number that was transferred counts where it was finished."""
    by_counter: dict[int, list[float]] = {}
    for ticket in tickets:
        seconds = served_seconds(ticket)
        if seconds is not None and ticket.counter is not None:
            by_counter.setdefault(ticket.counter, []).append(seconds)
    return [
        CounterReport(counter, len(served), round(sum(served)), round(sum(served) / len(served)))
        for counter, served in sorted(by_counter.items())
    ]


def waited_seconds(ticket: Ticket) -> float | None:
    """From when a number had its turn (its rank) to its first call; from when it was taken if it was called sooner, or
    was put back for later. None for one that was never called."""
    if ticket.first_called_at is None:
        return None
    since = ticket.rank_at if ticket.rank_at <= ticket.first_called_at else ticket.taken_at
    return (ticket.first_called_at - since).total_seconds()


def served_seconds(ticket: Ticket) -> float | None:
    if ticket.stage is not TicketStage.DONE or ticket.served_from is None or ticket.ended_at is None:
        return None
    return (ticket.ended_at - ticket.served_from).total_seconds()


def as_csv(report: DayReport) -> str:
    """The lines of a report for a spreadsheet: CSV (RFC 4180), the names of the columns first."""
    written = io.StringIO()
    rows = csv.writer(written)
    names = LineReport.__struct_fields__
    rows.writerow(("day", *names))
    for line in report.lines:
        rows.writerow((report.day.isoformat(), *(_cell(getattr(line, name)) for name in names)))
    return written.getvalue()


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
