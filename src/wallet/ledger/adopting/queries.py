"""Every statement by which old uses are taken into the log."""

from collections.abc import Sequence
from datetime import datetime

from kernel.db import Connection, Row
from kernel.grouping import Many
from wallet.ledger.model import RecordRow

_SALT_USES = Many(
    """
    -- wallet.ledger.adopting.salt_uses
    UPDATE wallet.use AS u SET salt = v.salt, recorded_at = v.recorded_at
      FROM (VALUES {rows}) AS v (person_id, code_hash, recorded_at, salt)
     WHERE u.person_id = v.person_id AND u.code_hash = v.code_hash AND u.salt IS NULL
    RETURNING u.code_hash
    """,
    columns=4,
    row="({}::uuid, {}::bytea, {}::timestamptz, {}::bytea)",
)


async def select_unsalted(conn: Connection, *, limit: int) -> list[RecordRow]:
    """Uses without a salt, in the order of person and hash; found by an index that holds only them."""
    rows: list[Row] = await conn.fetch(
        """
        -- wallet.ledger.adopting.select_unsalted
        SELECT person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
               certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags, recorded_at, salt
          FROM wallet.use WHERE salt IS NULL ORDER BY person_id, code_hash LIMIT $1
        """,
        limit,
    )
    return [RecordRow(*row) for row in rows]


async def salt_uses(conn: Connection, salted: Sequence[tuple[RecordRow, datetime, bytes]]) -> set[bytes]:
    """Give uses from before the log a time of recording and a salt; the hashes of those that had none until now."""
    rows = [(record.person_id, record.code_hash, recorded_at, salt) for record, recorded_at, salt in salted]
    return {code_hash for (code_hash,) in await _SALT_USES.fetch(conn, rows)}
