"""What the benchmarks read from the city they measure, beside its own interfaces, to prepare and to check."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from kernel.db import Connection
from notifications.batches.queries import NewRow


class Good(msgspec.Struct, frozen=True):
    """A certificate that is good today."""

    person_id: UUID
    certificate_id: UUID
    kind_code: str


async def goods_of_all(conn: Connection, *, today: date) -> list[Good]:
    """Every certificate that is good today, in the order of their ids."""
    rows = await conn.fetch(
        """
        -- city.goods_of_all
        SELECT person_id, certificate_id, kind_code FROM wallet.certificate
         WHERE state = 'issued' AND valid_from <= $1 AND (valid_until IS NULL OR valid_until >= $1)
         ORDER BY certificate_id
        """,
        today,
    )
    return [Good(row["person_id"], row["certificate_id"], row["kind_code"]) for row in rows]


async def count_valid_uses(conn: Connection) -> int:
    """How many yeses are on record."""
    counted: int = await conn.fetchval(
        """
        -- city.count_valid_uses
        SELECT count(*) FROM wallet.use WHERE outcome = 'valid'
        """
    )
    return counted


async def read_one_standing(conn: Connection, person_id: UUID, certificate_id: UUID) -> None:
    """The read no showing can do without, as one statement."""
    await conn.fetchrow(
        """
        -- city.read_one_standing
        SELECT kind_code, state, valid_from, valid_until
          FROM wallet.certificate WHERE person_id = $1 AND certificate_id = $2
        """,
        person_id,
        certificate_id,
    )


class Booked(msgspec.Struct, frozen=True):
    """A booking that stands, and when it was made."""

    person_id: UUID
    booking_id: UUID
    slot_id: UUID
    seq: int
    booked_at: datetime


async def select_booked(conn: Connection, service_id: UUID) -> list[Booked]:
    """Every standing booking of a service, in the order they were made."""
    rows = await conn.fetch(
        """
        -- city.select_booked
        SELECT person_id, booking_id, slot_id, seq, booked_at FROM appointments.booking
         WHERE service_id = $1 AND stage = 'booked' ORDER BY booked_at, seq
        """,
        service_id,
    )
    return [Booked(**dict(row)) for row in rows]


async def count_booked(conn: Connection, service_id: UUID) -> int:
    counted: int = await conn.fetchval(
        """
        -- city.count_booked
        SELECT count(*) FROM appointments.booking WHERE service_id = $1 AND stage = 'booked'
        """,
        service_id,
    )
    return counted


class TakenPlace(msgspec.Struct, frozen=True):
    """A place, and whose it is."""

    slot_id: UUID
    seq: int
    person_id: UUID | None
    booking_id: UUID | None


async def select_places(conn: Connection, slot_ids: list[UUID]) -> list[TakenPlace]:
    """Every place of these slots, taken or not."""
    rows = await conn.fetch(
        """
        -- city.select_places
        SELECT slot_id, seq, person_id, booking_id FROM appointments.place WHERE slot_id = ANY ($1)
        """,
        slot_ids,
    )
    return [TakenPlace(**dict(row)) for row in rows]


async def select_message_keys(conn: Connection, caller: str, keys: list[str]) -> list[str]:
    """The names, among these, of the messages that are owed, with one row for each message."""
    rows = await conn.fetch(
        """
        -- city.select_message_keys
        SELECT key FROM notifications.message WHERE caller = $1 AND key = ANY ($2)
        """,
        caller, keys,
    )  # fmt: skip
    return [row["key"] for row in rows]


async def select_batch_rows(conn: Connection, batch_id: UUID) -> list[NewRow]:
    """Every row of a batch as it is kept, sealed."""
    rows = await conn.fetch(
        """
        -- city.select_batch_rows
        SELECT bucket, batch_id, number, message_id, person_id, address, sealed_values, reference, ending
          FROM notifications.batch_row WHERE batch_id = $1 ORDER BY number
        """,
        batch_id,
    )
    return [NewRow(*row) for row in rows]
