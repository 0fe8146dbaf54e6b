"""A department tells a person something: filed once per key, whoever the person is and whether we know them."""

from datetime import datetime
from typing import Literal

import msgspec

from kernel import audit, idempotency
from kernel.db import Connection
from kernel.ids import DepartmentId, MessageId, PersonId
from kernel.principal import DepartmentSystem
from notifications import model, queries, templates
from notifications.errors import MessageNotFound
from notifications.outbox import Outbox, Owed, ToNobody, bucket_in
from notifications.services.counting import Count
from notifications.statistics.tallying import Taken, tally_taken

CALLER_PREFIX = model.CALLER_PREFIX


class Notice(msgspec.Struct, frozen=True):
    """What a department says to somebody. `to` is None if no person of that ID number is known."""

    to: PersonId | None
    title: str
    body: str


class Filed(msgspec.Struct, frozen=True):
    """A notice that will be told, or be closed untold, without the department learning which."""

    message_id: MessageId


class NoticeState(msgspec.Struct, frozen=True):
    """How far a notice is. `handled`: told by every way the person chose, as far as anybody was to be told."""

    message_id: MessageId
    state: Literal["waiting", "handled", "withdrawn"]
    owed_at: datetime


async def notify(
    conn: Connection,
    outbox: Outbox,
    answers: idempotency.Answers,
    department: DepartmentSystem,
    key: str,
    notice: Notice,
    *,
    body: bytes,
    count: Count,
    now: datetime,
) -> Filed:
    """Owe the notice once per department and key, signed with its registered name; a retry gets the first answer.

    Raises IdempotencyKeyReused when the key came before with another `body`, and what `count` raises for a new one.
    """
    caller = f"{CALLER_PREFIX}{department.department_id}"

    async def work() -> Filed:
        count()
        owed = Owed(
            caller=caller,
            key=key,
            to=ToNobody() if notice.to is None else notice.to,
            template=templates.DEPARTMENT_NOTICE,
            values={"department": department.name, "title": notice.title, "body": notice.body},
            due_at=now,
        )
        message_id = await outbox.owe(conn, owed, now=now)
        said = owed.template
        taken = Taken(caller, said.id, said.version, said.channels[0], is_direct=False, count=1)
        await tally_taken(conn, [taken], now=now)
        subject = f"message:{message_id}"
        await audit.record(conn, actor=caller, act="notifications.notify", subject=subject, now=now)
        return Filed(message_id)

    request = idempotency.Request(caller, key, body)
    return await idempotency.once(conn, answers, request, Filed, work, now=now)


async def state(conn: Connection, department_id: DepartmentId, message_id: MessageId) -> NoticeState:
    """How far a notice of this department is. Raises MessageNotFound."""
    caller = f"{CALLER_PREFIX}{department_id}"
    row = await queries.select_message_state(conn, bucket_in(message_id), message_id, caller)
    if row is None:
        raise MessageNotFound
    stage, owed_at = row
    said: dict[str, Literal["waiting", "withdrawn"]] = {"owed": "waiting", "withdrawn": "withdrawn"}
    return NoticeState(message_id, said.get(stage, "handled"), owed_at)
