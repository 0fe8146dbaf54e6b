"""Every statement on strikes and suspensions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from appointments.absence.model import Strike, Strikes, Suspension
from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import BookingId, OfficeId, PersonId


def _strike_of(row: Row) -> Strike:
    return Strike(**(dict(row) | {"stage": Strikes(row["stage"])}))


async def select_suspended(
    conn: Connection, person_ids: Sequence[PersonId], *, now: datetime
) -> dict[PersonId, datetime]:
    """Who of these people may not book, and until when."""
    rows = await conn.fetch(
        """
        -- appointments.select_suspended
        SELECT person_id, until FROM appointments.suspension
         WHERE person_id = ANY ($1) AND until > $2 AND until > since AND lifted_at IS NULL
        """,
        person_ids, now,
    )  # fmt: skip
    return {row["person_id"]: row["until"] for row in rows}


_INSERT_STRIKES = Many(
    """
    -- appointments.insert_strikes
    INSERT INTO appointments.strike (person_id, booking_id, strike_id, service_id, office_id, struck_at, stage)
    VALUES {rows} ON CONFLICT DO NOTHING
    """,
    shared=1,
    columns=5,
    row="({}, {}, {}, {}, {}, $1, 'standing')",
)


async def insert_strikes(conn: Connection, strikes: Sequence[Strike]) -> None:
    """Write strikes that were all made at one moment, in the order given."""
    if strikes:
        rows = [(one.person_id, one.booking_id, one.strike_id, one.service_id, one.office_id) for one in strikes]
        await _INSERT_STRIKES.fetch(conn, rows, strikes[0].struck_at)


async def lock_suspensions(
    conn: Connection, person_ids: Sequence[PersonId], *, now: datetime
) -> dict[PersonId, Suspension]:
    """Lock what is known of these people's suspensions, one after the other; whoever had none has one of no length."""
    rows = await conn.fetchmany(
        """
        -- appointments.lock_suspensions
        INSERT INTO appointments.suspension AS kept (person_id, since, until) VALUES ($1, $2, $2)
        ON CONFLICT (person_id) DO UPDATE SET since = kept.since
        RETURNING person_id, since, until, lifted_at
        """,
        [(person_id, now) for person_id in person_ids],
    )
    return {row["person_id"]: Suspension(row["since"], row["until"], row["lifted_at"]) for row in rows}


async def suspend(conn: Connection, person_ids: Sequence[PersonId], until: datetime, *, now: datetime) -> None:
    """Suspend people, whose suspensions are locked, from now on."""
    await conn.executemany(
        """
        -- appointments.suspend
        UPDATE appointments.suspension SET since = $2, until = $3, lifted_at = NULL WHERE person_id = $1
        """,
        [(person_id, now, until) for person_id in person_ids],
    )


async def lift_suspension(conn: Connection, person_id: PersonId, *, now: datetime) -> None:
    await conn.execute(
        """
        -- appointments.lift_suspension
        UPDATE appointments.suspension SET lifted_at = $2 WHERE person_id = $1
        """,
        person_id, now,
    )  # fmt: skip


async def select_suspension(conn: Connection, person_id: PersonId) -> Suspension | None:
    row = await conn.fetchrow(
        """
        -- appointments.select_suspension
        SELECT since, until, lifted_at FROM appointments.suspension WHERE person_id = $1
        """,
        person_id,
    )
    return Suspension(row["since"], row["until"], row["lifted_at"]) if row else None


async def count_strikes(conn: Connection, person_ids: Sequence[PersonId], since: datetime) -> dict[PersonId, int]:
    """How many strikes of each person count."""
    rows = await conn.fetch(
        """
        -- appointments.count_strikes
        SELECT person_id, count(*) AS strikes FROM appointments.strike
         WHERE person_id = ANY ($1) AND struck_at > $2 AND stage <> 'waived' GROUP BY person_id
        """,
        person_ids, since,
    )  # fmt: skip
    return {row["person_id"]: row["strikes"] for row in rows}


async def select_strikes(conn: Connection, person_id: PersonId, limit: int) -> list[Strike]:
    """A person's strikes, the newest first."""
    rows = await conn.fetch(
        """
        -- appointments.select_strikes
        SELECT person_id, booking_id, strike_id, service_id, office_id, struck_at, stage, appeal, appealed_at,
               decided_at
          FROM appointments.strike WHERE person_id = $1 ORDER BY struck_at DESC, booking_id LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip
    return [_strike_of(row) for row in rows]


async def lock_strike(conn: Connection, person_id: PersonId, booking_id: BookingId) -> Strike | None:
    row = await conn.fetchrow(
        """
        -- appointments.lock_strike
        SELECT person_id, booking_id, strike_id, service_id, office_id, struck_at, stage, appeal, appealed_at,
               decided_at
          FROM appointments.strike WHERE person_id = $1 AND booking_id = $2 FOR UPDATE
        """,
        person_id, booking_id,
    )  # fmt: skip
    return _strike_of(row) if row else None


async def mark_appealed(
    conn: Connection, person_id: PersonId, booking_id: BookingId, appeal: bytes, *, now: datetime
) -> None:
    await conn.execute(
        """
        -- appointments.mark_appealed
        UPDATE appointments.strike SET stage = 'appealed', appeal = $3, appealed_at = $4
         WHERE person_id = $1 AND booking_id = $2 AND stage = 'standing'
        """,
        person_id, booking_id, appeal, now,
    )  # fmt: skip


async def mark_decided(
    conn: Connection, person_id: PersonId, booking_id: BookingId, stage: Strikes, decided_by: str, *, now: datetime
) -> None:
    await conn.execute(
        """
        -- appointments.mark_decided
        UPDATE appointments.strike SET stage = $3, decided_by = $4, decided_at = $5
         WHERE person_id = $1 AND booking_id = $2
        """,
        person_id, booking_id, stage, decided_by, now,
    )  # fmt: skip


async def select_appeals(
    conn: Connection, office_id: OfficeId, after: tuple[datetime, UUID], limit: int
) -> list[Strike]:
    """What an office has to decide, longest ago first: across people, so nothing is decided on this look."""
    rows = await conn.fetch(
        """
        -- appointments.select_appeals
        SELECT person_id, booking_id, strike_id, service_id, office_id, struck_at, stage, appeal, appealed_at,
               decided_at
          FROM appointments.strike
         WHERE office_id = $1 AND stage = 'appealed' AND (appealed_at, strike_id) > ($2, $3)
         ORDER BY appealed_at, strike_id LIMIT $4
        """,
        office_id, *after, limit,
    )  # fmt: skip
    return [_strike_of(row) for row in rows]


async def find_strike(conn: Connection, office_id: OfficeId, strike_id: UUID) -> tuple[PersonId, BookingId] | None:
    """Whose a strike of this office is, and for which booking."""
    row = await conn.fetchrow(
        """
        -- appointments.find_strike
        SELECT person_id, booking_id FROM appointments.strike WHERE office_id = $1 AND strike_id = $2
        """,
        office_id, strike_id,
    )  # fmt: skip
    return (row["person_id"], row["booking_id"]) if row else None
