"""Every statement on counters and queue numbers. Counters are locked before numbers, people's rows before both."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from appointments.desk.hall.estimating import Measured
from appointments.desk.hall.model import Counter, Ticket, TicketLane, TicketStage
from kernel.db import Connection, Row
from kernel.ids import BookingId, OfficeId, PersonId, ServiceId, StaffId


def _counter(row: Row) -> Counter:
    return Counter(**(dict(row) | {"service_ids": tuple(row["service_ids"])}))


def _ticket(row: Row) -> Ticket:
    return Ticket(**(dict(row) | {"lane": TicketLane(row["lane"]), "stage": TicketStage(row["stage"])}))


# ------------------------------------------------------------------------------------------------------- counters


async def select_counters(conn: Connection, office_id: OfficeId) -> list[Counter]:
    rows = await conn.fetch(
        """
        -- appointments.select_counters
        SELECT office_id, number, service_ids, staff_id, opened_at, ticket_id, version
          FROM appointments.counter WHERE office_id = $1 ORDER BY number
        """,
        office_id,
    )
    return [_counter(row) for row in rows]


async def lock_counter(conn: Connection, office_id: OfficeId, number: int) -> Counter | None:
    row = await conn.fetchrow(
        """
        -- appointments.lock_counter
        SELECT office_id, number, service_ids, staff_id, opened_at, ticket_id, version
          FROM appointments.counter WHERE office_id = $1 AND number = $2 FOR UPDATE
        """,
        office_id, number,
    )  # fmt: skip
    return None if row is None else _counter(row)


async def insert_counter(conn: Connection, counter: Counter) -> None:
    """Write a counter that was not there; one that is stays as it is. Raises asyncpg.UniqueViolationError: the clerk
    sits elsewhere."""
    await conn.execute(
        """
        -- appointments.insert_counter
        INSERT INTO appointments.counter (office_id, number, service_ids, staff_id, opened_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (office_id, number) DO NOTHING
        """,
        counter.office_id, counter.number, list(counter.service_ids), counter.staff_id, counter.opened_at,
    )  # fmt: skip


async def write_counter(conn: Connection, counter: Counter) -> None:
    """Raises asyncpg.UniqueViolationError: the clerk sits elsewhere."""
    await conn.execute(
        """
        -- appointments.write_counter
        UPDATE appointments.counter SET service_ids = $3, staff_id = $4, opened_at = $5, ticket_id = $6, version = $7
         WHERE office_id = $1 AND number = $2
        """,
        counter.office_id, counter.number, list(counter.service_ids), counter.staff_id, counter.opened_at,
        counter.ticket_id, counter.version,
    )  # fmt: skip


async def select_counter_of_clerk(conn: Connection, office_id: OfficeId, staff_id: StaffId) -> Counter | None:
    row = await conn.fetchrow(
        """
        -- appointments.select_counter_of_clerk
        SELECT office_id, number, service_ids, staff_id, opened_at, ticket_id, version
          FROM appointments.counter WHERE office_id = $1 AND staff_id = $2
        """,
        office_id, staff_id,
    )  # fmt: skip
    return None if row is None else _counter(row)


async def free_tickets_for(conn: Connection, office_id: OfficeId, day: date, number: int) -> None:
    """Whoever waited for this counter alone waits for any that serves them."""
    await conn.execute(
        """
        -- appointments.free_tickets_for
        UPDATE appointments.ticket SET for_counter = NULL
         WHERE office_id = $1 AND day = $2 AND stage = 'waiting' AND for_counter = $3
        """,
        office_id, day, number,
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------------- numbers


async def next_number(conn: Connection, office_id: OfficeId, day: date, series: str) -> int:
    """The next number of a series today, from 1; whoever rolls back gives it back."""
    number: int = await conn.fetchval(
        """
        -- appointments.next_number
        INSERT INTO appointments.ticket_series AS kept (office_id, day, series, last) VALUES ($1, $2, $3, 1)
        ON CONFLICT (office_id, day, series) DO UPDATE SET last = kept.last + 1 RETURNING last
        """,
        office_id, day, series,
    )  # fmt: skip
    return number


async def insert_ticket(conn: Connection, ticket: Ticket) -> bool:
    """Write a waiting number; False if its id, or its booking, has one already."""
    written = await conn.fetchval(
        """
        -- appointments.insert_ticket
        INSERT INTO appointments.ticket (office_id, ticket_id, day, series, number, lane, service_id, person_id,
                                         booking_id, stage, taken_at, rank_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', $10, $11) ON CONFLICT DO NOTHING RETURNING TRUE
        """,
        ticket.office_id, ticket.ticket_id, ticket.day, ticket.series, ticket.number, ticket.lane, ticket.service_id,
        ticket.person_id, ticket.booking_id, ticket.taken_at, ticket.rank_at,
    )  # fmt: skip
    return bool(written)


async def select_ticket(conn: Connection, office_id: OfficeId, ticket_id: UUID) -> Ticket | None:
    row = await conn.fetchrow(
        """
        -- appointments.select_ticket
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket WHERE office_id = $1 AND ticket_id = $2
        """,
        office_id, ticket_id,
    )  # fmt: skip
    return None if row is None else _ticket(row)


async def lock_ticket(conn: Connection, office_id: OfficeId, ticket_id: UUID) -> Ticket | None:
    row = await conn.fetchrow(
        """
        -- appointments.lock_ticket
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket WHERE office_id = $1 AND ticket_id = $2 FOR UPDATE
        """,
        office_id, ticket_id,
    )  # fmt: skip
    return None if row is None else _ticket(row)


async def select_ticket_of_booking(
    conn: Connection, office_id: OfficeId, person_id: PersonId, booking_id: BookingId
) -> Ticket | None:
    row = await conn.fetchrow(
        """
        -- appointments.select_ticket_of_booking
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket WHERE office_id = $1 AND person_id = $2 AND booking_id = $3
        """,
        office_id, person_id, booking_id,
    )  # fmt: skip
    return None if row is None else _ticket(row)


async def select_tickets_of_person(conn: Connection, person_id: PersonId, day: date, limit: int) -> list[Ticket]:
    rows = await conn.fetch(
        """
        -- appointments.select_tickets_of_person
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket WHERE person_id = $1 AND day = $2 ORDER BY taken_at, ticket_id LIMIT $3
        """,
        person_id, day, limit,
    )  # fmt: skip
    return [_ticket(row) for row in rows]


async def select_tickets_here(conn: Connection, office_id: OfficeId, day: date, limit: int) -> list[Ticket]:
    """Numbers of a day that wait or are at a counter, longest waiting first."""
    rows = await conn.fetch(
        """
        -- appointments.select_tickets_here
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket
         WHERE office_id = $1 AND day = $2 AND stage IN ('waiting', 'called', 'serving')
         ORDER BY rank_at, taken_at, number LIMIT $3
        """,
        office_id, day, limit,
    )  # fmt: skip
    return [_ticket(row) for row in rows]


async def select_tickets_of_day(conn: Connection, office_id: OfficeId, day: date, limit: int) -> list[Ticket]:
    """Every number of a day, whatever became of it."""
    rows = await conn.fetch(
        """
        -- appointments.select_tickets_of_day
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket WHERE office_id = $1 AND day = $2 ORDER BY series, number LIMIT $3
        """,
        office_id, day, limit,
    )  # fmt: skip
    return [_ticket(row) for row in rows]


async def select_last_called(conn: Connection, office_id: OfficeId, day: date, limit: int) -> list[Ticket]:
    """What was called last today, newest call first, whatever became of it."""
    rows = await conn.fetch(
        """
        -- appointments.select_last_called
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket
         WHERE office_id = $1 AND day = $2 AND called_at IS NOT NULL AND counter IS NOT NULL
         ORDER BY called_at DESC, ticket_id LIMIT $3
        """,
        office_id, day, limit,
    )  # fmt: skip
    return [_ticket(row) for row in rows]


async def select_lanes_called(
    conn: Connection, office_id: OfficeId, day: date, counter: int, limit: int
) -> list[TicketLane]:
    """The lanes of what a counter called last today, newest first."""
    rows = await conn.fetch(
        """
        -- appointments.select_lanes_called
        SELECT lane FROM appointments.ticket
         WHERE office_id = $1 AND day = $2 AND counter = $3 AND called_at IS NOT NULL
         ORDER BY called_at DESC, ticket_id DESC LIMIT $4
        """,
        office_id, day, counter, limit,
    )  # fmt: skip
    return [TicketLane(row["lane"]) for row in rows]


async def claim_next(
    conn: Connection,
    counter: Counter,
    day: date,
    lanes: Sequence[TicketLane],
    *,
    until: datetime,
) -> Ticket | None:
    """Lock the longest waiting number of these lanes that a counter may call, leaving out those others are calling."""
    row = await conn.fetchrow(
        """
        -- appointments.claim_next
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket
         WHERE office_id = $1 AND day = $2 AND lane = ANY ($3) AND stage = 'waiting' AND rank_at <= $4
           AND (for_counter = $5 OR (for_counter IS NULL AND service_id = ANY ($6)))
         ORDER BY rank_at, taken_at, number LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        counter.office_id, day, list(lanes), until, counter.number, list(counter.service_ids),
    )  # fmt: skip
    return None if row is None else _ticket(row)


async def select_offices_left_over(conn: Connection, today: date, limit: int) -> list[OfficeId]:
    """Offices with numbers of earlier days that nobody ended."""
    rows = await conn.fetch(
        """
        -- appointments.select_offices_left_over
        SELECT DISTINCT office_id FROM appointments.ticket
         WHERE day < $1 AND stage IN ('waiting', 'called', 'serving') ORDER BY office_id LIMIT $2
        """,
        today, limit,
    )  # fmt: skip
    return [OfficeId(row["office_id"]) for row in rows]


async def claim_left_over(conn: Connection, office_id: OfficeId, today: date, limit: int) -> list[Ticket]:
    """Lock numbers of earlier days that nobody ended, leaving out those that somebody is ending."""
    rows = await conn.fetch(
        """
        -- appointments.claim_left_over
        SELECT office_id, ticket_id, day, series, number, lane, service_id, person_id, booking_id, stage, taken_at,
               rank_at, counter, for_counter, calls, called_at, first_called_at, served_from, ended_at, version
          FROM appointments.ticket
         WHERE office_id = $1 AND day < $2 AND stage IN ('waiting', 'called', 'serving')
         ORDER BY day, series, number LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        office_id, today, limit,
    )  # fmt: skip
    return [_ticket(row) for row in rows]


async def write_ticket(conn: Connection, ticket: Ticket) -> None:
    """Write what became of a locked number."""
    await conn.execute(
        """
        -- appointments.write_ticket
        UPDATE appointments.ticket
           SET service_id = $3, stage = $4, rank_at = $5, counter = $6, for_counter = $7, calls = $8, called_at = $9,
               first_called_at = $10, served_from = $11, ended_at = $12, version = $13
         WHERE office_id = $1 AND ticket_id = $2
        """,
        ticket.office_id, ticket.ticket_id, ticket.service_id, ticket.stage, ticket.rank_at, ticket.counter,
        ticket.for_counter, ticket.calls, ticket.called_at, ticket.first_called_at, ticket.served_from,
        ticket.ended_at, ticket.version,
    )  # fmt: skip


async def measure_services(conn: Connection, office_id: OfficeId, day: date) -> dict[ServiceId, Measured]:
    """What the visits of a day that are done took, by service."""
    rows = await conn.fetch(
        """
        -- appointments.measure_services
        SELECT service_id, count(*) AS visits, avg(extract(epoch FROM ended_at - served_from))::float8 AS mean_seconds
          FROM appointments.ticket WHERE office_id = $1 AND day = $2 AND stage = 'done' GROUP BY service_id
        """,
        office_id, day,
    )  # fmt: skip
    return {ServiceId(row["service_id"]): Measured(row["visits"], row["mean_seconds"]) for row in rows}
