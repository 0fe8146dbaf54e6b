"""A day ends: what nobody ended is ended, so that no counter begins the next day with a number of the last."""

from datetime import date
from typing import Final

from appointments.desk.hall import queries
from appointments.desk.hall.model import ended_with_its_day
from kernel import audit
from kernel.clock import Clock, in_shanghai
from kernel.db import Connection, Database
from kernel.ids import OfficeId

OFFICES_MAX: Final = 1_000
TOGETHER_MAX: Final = 100
"""Numbers of one office that are ended in one transaction;"""
BATCHES_MAX: Final = 50
"""and transactions of one office in one beat. What is left is for the next."""
BEAT: Final = "beat:end_days"
"""Who did it, in the record of acts."""


async def end_days(db: Database, clock: Clock) -> int:
    """End every number of a day that is over; return how many there were.

    Whoever was called and never came is missed; who waited or was being served is unfinished. Their bookings stay as
    they are: who checked in is no no-show. Each end is recorded with the number, in one transaction, so a broken-off
    beat is repeated, and two workers share the numbers out. Nobody has to wait for it to call the next number:
    yesterday's keeps no counter busy (`counters.is_busy`).
    """
    today = in_shanghai(clock.now()).date()
    async with db.connection() as conn:
        offices = await queries.select_offices_left_over(conn, today, OFFICES_MAX)
    ended = 0
    for office_id in offices:
        for _ in range(BATCHES_MAX):
            async with db.transaction() as conn:
                batch = await _end_some(conn, clock, office_id, today)
            ended += batch
            if batch < TOGETHER_MAX:
                break
    return ended


async def _end_some(conn: Connection, clock: Clock, office_id: OfficeId, today: date) -> int:
    now = clock.now()
    left_over = await queries.claim_left_over(conn, office_id, today, TOGETHER_MAX)
    for ticket in left_over:
        ended = ended_with_its_day(ticket, now)
        await queries.write_ticket(conn, ended)
        await audit.record(
            conn, actor=BEAT, act="appointments.end_ticket", subject=f"ticket:{ticket.ticket_id}", now=now,
            detail={
                "office": str(office_id), "day": ticket.day.isoformat(), "was": ticket.stage.value,
                "stage": ended.stage.value, "counter": ticket.counter or 0,
            },
        )  # fmt: skip
    return len(left_over)
