"""What people wrote is forgotten as soon as the messages of whoever it was passed on to are."""

from datetime import datetime

from kernel.db import Connection
from kernel.ids import DepartmentId
from notifications.callbacks.forgetting import forget_received
from notifications.replies import queries


async def forget_texts(conn: Connection, department_id: DepartmentId | None, before: datetime, limit: int) -> int:
    """Forget texts that came before: those passed on to one department, or (None) all, and what it was to be told."""
    passed_on = await queries.delete_service_texts(conn, department_id, before=before, limit=limit)
    await forget_received(conn, passed_on)
    if department_id is not None:
        return len(passed_on)
    return max(len(passed_on), await queries.delete_received_texts(conn, before=before, limit=limit))
