"""The demo's texts of departments, written, handed in and approved by the doors there are; planted again, the same."""

from datetime import datetime
from uuid import UUID

from gateway.parts import CityParts
from kernel.db import Connection
from kernel.ids import DepartmentId
from notifications.texts import deciding, writing
from notifications.texts.model import Content, TextSort, TextState

FIRST = 1
"""The version that is planted."""


async def plant_text(
    parts: CityParts,
    department_id: DepartmentId,
    text_id: UUID,
    sort: TextSort,
    content: Content,
    *,
    actor: str,
) -> bool:
    """See that a text is there and was approved; whether anything was to be done."""
    now = parts.clock.now()
    async with parts.db.transaction() as conn:
        await writing.put_first(conn, department_id, text_id, sort, content, actor=actor, now=now)
        return await _approve(conn, department_id, text_id, actor, now)


async def _approve(conn: Connection, department_id: DepartmentId, text_id: UUID, actor: str, now: datetime) -> bool:
    version = await writing.read_version(conn, department_id, text_id, FIRST)
    if version.state not in (TextState.DRAFT, TextState.SUBMITTED):
        return False
    await writing.submit(conn, department_id, text_id, FIRST, now=now)
    await deciding.approve(conn, text_id, FIRST, is_otp_meant=False, actor=actor, now=now)
    return True
