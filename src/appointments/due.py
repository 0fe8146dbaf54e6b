"""What a booking has before it: reminders, the end of its day, and being asked how it was. Pure rules."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from appointments.model import day_bounds
from kernel.clock import in_shanghai
from kernel.ids import BUCKETS, PersonId

REMIND_BEFORE: Final = timedelta(hours=24)
REMIND_SOON_BEFORE: Final = timedelta(hours=2)
REMIND_APART: Final = timedelta(hours=1)
"""No reminder comes sooner than this after the booking itself was confirmed, or after the reminder before it."""
ASK_HOUR: Final = 10
"""After a visit people are asked how it was at this hour of the next morning, Shanghai time."""
ASK_FOR: Final = timedelta(days=7)
"""How long is waited for a visit to be noted as over before nobody is asked any more."""


class Due(StrEnum):
    """What a booking still has before it: reminders, then the end of its day; after a visit, how it was."""

    REMIND = "remind"
    REMIND_SOON = "remind_soon"
    CLOSE = "close"
    ASK = "ask"


def due_bucket(person_id: PersonId) -> int:
    """The bucket of what is due to a person: the low bits of their id, which are random."""
    return person_id.int % BUCKETS


def remind_at(starts_at: datetime, booked_at: datetime) -> datetime | None:
    """When to remind first: a day before; for who books later than that, two hours before; later still, not at all."""
    for before in (REMIND_BEFORE, REMIND_SOON_BEFORE):
        if booked_at + REMIND_APART <= starts_at - before:
            return starts_at - before
    return None


def closes_at(ends_at: datetime) -> datetime:
    """When a booking that nobody checked in counts as missed: the end of its day."""
    return day_bounds(in_shanghai(ends_at).date())[1]


def first_due(starts_at: datetime, ends_at: datetime, booked_at: datetime) -> tuple[Due, datetime]:
    """What a fresh booking, or one with a new hour, has before it first."""
    remind = remind_at(starts_at, booked_at)
    if remind is None:
        return Due.CLOSE, closes_at(ends_at)
    return Due.REMIND if remind == starts_at - REMIND_BEFORE else Due.REMIND_SOON, remind


def due_after_reminder(starts_at: datetime, ends_at: datetime, reminded_at: datetime) -> tuple[Due, datetime]:
    """What a booking has before it once it was reminded of: a second reminder if that still makes sense, then its end.

    One that goes out late, as no worker ran, leaves none for the same hour: nobody is told twice within REMIND_APART.
    """
    soon = starts_at - REMIND_SOON_BEFORE
    return (Due.REMIND_SOON, soon) if reminded_at + REMIND_APART <= soon else (Due.CLOSE, closes_at(ends_at))


def ask_at(moment: datetime) -> datetime:
    """The next morning's hour of asking how a visit was."""
    return day_bounds(in_shanghai(moment).date())[1] + timedelta(hours=ASK_HOUR)
