"""What the benchmarks read from the city they measure, beside its own interfaces, to prepare and to check."""

from datetime import date
from uuid import UUID

import msgspec

from kernel.db import Connection


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
