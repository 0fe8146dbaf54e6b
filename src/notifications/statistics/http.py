"""How many messages were sent, on the wire: a department's own, and everybody's for operators."""

from datetime import date, timedelta
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from kernel.audience import Handlers
from kernel.clock import in_shanghai, is_on_calendar
from kernel.errors import MalformedRequest, RoleMissing
from kernel.principal import Audience, DepartmentSystem, Operator
from kernel.problems import refuses
from notifications.errors import DaysOutOfRange
from notifications.model import Channel
from notifications.notifying import CALLER_PREFIX
from notifications.statistics import queries
from notifications.statistics.parts import Statistics
from notifications.statistics.queries import Counted

DAYS_MAX = 366
DAYS = 30
ROWS_MAX = 10_000

First = Annotated[date | None, QueryParameter(name="from", description="The first day; thirty days ago without one.")]
Last = Annotated[date | None, QueryParameter(name="to", description="The last day; today without one.")]


class OutcomesView(msgspec.Struct):
    """What became of messages. `segments`: SMS that the texts came to."""

    delivered: int
    failed: int
    unknown: int
    withdrawn: int
    segments: int


class SentView(msgspec.Struct):
    """The messages of a day that went out in one text on one channel.

    `outcomes` counts those to numbers and addresses that you named; of persons named by ID number, who are in
    `accepted`, nobody is told whether the city knows them, or how they were told.
    """

    day: date
    text: str
    version: int
    channel: Channel
    accepted: int
    outcomes: OutcomesView


class StatisticsView(msgspec.Struct):
    """Newest day first. Counted every few seconds.

    `is_cut`: these days have more lines than are told at once, and the oldest are missing: ask for fewer days. Every
    line that is told is whole.
    """

    sent: list[SentView]
    is_cut: bool


class SentByView(msgspec.Struct):
    """The messages of a day from one sender, in one text on one channel."""

    sender: str
    day: date
    text: str
    version: int
    channel: Channel
    accepted: int
    outcomes: OutcomesView


class EverybodysStatisticsView(msgspec.Struct):
    """Newest day first. Counted every few seconds.

    `is_cut`: these days have more lines than are told at once, and the oldest are missing: ask for fewer days. Every
    line that is told is whole.
    """

    sent: list[SentByView]
    is_cut: bool


@get("/statistics", operation_id="readStatistics", summary="How many messages you sent",
     responses=refuses(MalformedRequest, DaysOutOfRange, RoleMissing))  # fmt: skip
async def read_statistics(
    department: NamedDependency[DepartmentSystem],
    statistics: NamedDependency[Statistics],
    first: First = None,
    last: Last = None,
) -> StatisticsView:
    """By day, text and channel. Messages of test keys are not counted."""
    counted, is_cut = await _counted(statistics, f"{CALLER_PREFIX}{department.department_id}", first, last)
    told: dict[tuple[date, str, int, Channel], SentView] = {}
    for one in counted:
        outcomes = _outcomes(one) if one.is_direct else OutcomesView(0, 0, 0, 0, 0)
        key = (one.day, one.template, one.version, one.channel)
        before = told.get(key)
        if before is None:
            told[key] = SentView(*key, one.accepted, outcomes)
        else:
            told[key] = SentView(*key, before.accepted + one.accepted, _sum(before.outcomes, outcomes))
    nothing = OutcomesView(0, 0, 0, 0, 0)
    return StatisticsView([one for one in told.values() if one.accepted or one.outcomes != nothing], is_cut)


@get("/statistics", operation_id="readEverybodysStatistics", summary="How many messages everybody sent",
     responses=refuses(MalformedRequest, DaysOutOfRange, RoleMissing))  # fmt: skip
async def read_everybodys_statistics(
    operator: NamedDependency[Operator],
    statistics: NamedDependency[Statistics],
    first: First = None,
    last: Last = None,
) -> EverybodysStatisticsView:
    """By sender, day, text and channel; the city's own messages too, of which only what ended is counted."""
    sums: dict[tuple[str, date, str, int, Channel], SentByView] = {}
    counted, is_cut = await _counted(statistics, None, first, last)
    for one in counted:
        key = _line(one)
        before = sums.get(key)
        accepted, outcomes = one.accepted, _outcomes(one)
        if before is not None:
            accepted, outcomes = before.accepted + accepted, _sum(before.outcomes, outcomes)
        sums[key] = SentByView(*key, accepted, outcomes)
    return EverybodysStatisticsView(list(sums.values()), is_cut)


async def _counted(
    statistics: Statistics, caller: str | None, first: date | None, last: date | None
) -> tuple[list[Counted], bool]:
    """What was counted, and whether something is left out. Raises DaysOutOfRange."""
    if not all(is_on_calendar(day) for day in (first, last) if day is not None):
        raise DaysOutOfRange(most=DAYS_MAX)
    last = last or in_shanghai(statistics.clock.now()).date()
    first = first or last - timedelta(days=DAYS)
    if not timedelta(0) <= last - first <= timedelta(days=DAYS_MAX):
        raise DaysOutOfRange(most=DAYS_MAX)
    async with statistics.db.connection() as conn:
        counted = await queries.select_counts(conn, caller, first=first, last=last, limit=ROWS_MAX + 1)
    if len(counted) <= ROWS_MAX:
        return counted, False
    cut = _line(counted[-1])
    return [one for one in counted if _line(one) != cut], True


def _line(one: Counted) -> tuple[str, date, str, int, Channel]:
    """Which line of the statistics a count is of: two at most are, and stand side by side."""
    return one.caller, one.day, one.template, one.version, one.channel


def _outcomes(one: Counted) -> OutcomesView:
    return OutcomesView(one.delivered, one.failed, one.unknown, one.withdrawn, one.segments)


def _sum(one: OutcomesView, other: OutcomesView) -> OutcomesView:
    return OutcomesView(
        one.delivered + other.delivered,
        one.failed + other.failed,
        one.unknown + other.unknown,
        one.withdrawn + other.withdrawn,
        one.segments + other.segments,
    )


HANDLERS: Handlers = {
    Audience.DEPARTMENT: [read_statistics],
    Audience.OPERATOR: [read_everybodys_statistics],
}
