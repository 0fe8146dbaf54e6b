"""What is kept beside messages is forgotten by its age: refused rows of batches, references of carriers, what the demo
showed."""

from datetime import datetime

from kernel.db import Connection
from kernel.ids import DepartmentId
from notifications.retention import queries

BATCHES_TOGETHER_MAX = 50


async def forget_refusals(conn: Connection, department_id: DepartmentId | None, before: datetime, limit: int) -> int:
    """Which rows of a batch were refused is told for as long as its messages are kept at most."""
    batch_ids = await queries.select_ended_batches(conn, department_id, before=before, limit=BATCHES_TOGETHER_MAX)
    gone = 0
    for batch_id in batch_ids:
        if gone < limit:
            gone += await queries.delete_refusals_of_batch(conn, batch_id, limit=limit - gone)
    return gone


async def forget_carried(conn: Connection, department_id: DepartmentId | None, before: datetime, limit: int) -> int:
    """By what carriers spoke of parts of long texts, where no receipt ever did. Whose they were it does not say."""
    if department_id is not None:
        return 0
    places = await queries.select_old_carried(conn, before=before, limit=limit)
    await queries.delete_carried(conn, sorted(places))
    return len(places)


async def forget_shown(conn: Connection, department_id: DepartmentId | None, before: datetime, limit: int) -> int:
    """What the demo's carrier showed, whoever had it sent."""
    return 0 if department_id is not None else await queries.delete_shown(conn, before=before, limit=limit)
