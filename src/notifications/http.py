"""Departments' notices and operators' alerts on the wire, and the routes of everybody else here."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import IdempotencyKeyReused, RoleMissing
from kernel.ids import MessageId
from kernel.principal import Audience, DepartmentSystem, Operator
from kernel.problems import refuses
from notifications import notifying
from notifications.ending import alerting
from notifications.ending.alerting import Alerts
from notifications.errors import MessageNotFound
from notifications.free_words import LINE, LINES, holds_link
from notifications.notifying import Notice, NoticeState
from notifications.parts import Notifications
from notifications.residents import http as residents
from notifications.services.errors import TooManyThisMinute, TooManyToday
from notifications.services.parts import Services

IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$(?!\n)",
        description="Chosen by you, one for each notice: a retry with the same key and body gets the first answer.",
    ),
]
PrintableLine = Annotated[str, Meta(min_length=1, max_length=60, pattern=LINE)]
PrintableText = Annotated[str, Meta(min_length=1, max_length=400, pattern=LINES)]


class NoticeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A notice to one person, who is named by their resident identity number.

    It is signed with the name your department is registered under, and counted with what you send. Nobody approved its
    words: they hold no link, and no 【 or 】. What is to lead somewhere is a text of yours that an operator approves.
    """

    id_number: Annotated[str, Meta(pattern=r"^[0-9]{17}[0-9X]$(?!\n)", examples=["310107198110069973"])]
    title: PrintableLine
    body: PrintableText

    def __post_init__(self) -> None:
        if holds_link(self.title) or holds_link(self.body):
            raise ValueError("a notice holds no link")


class NoticeFiled(msgspec.Struct):
    """The same whether or not the person is known to the city."""

    message_id: UUID


@post(
    "/messages",
    operation_id="sendNotice",
    summary="Tell a person something",
    status_code=202,
    responses=refuses(IdempotencyKeyReused, RoleMissing, TooManyThisMinute, TooManyToday),
)
async def send_notice(
    data: JSONBody[NoticeRequest],
    idempotency_key: IdempotencyKey,
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
    services: NamedDependency[Services],
) -> NoticeFiled:
    """File a notice: it goes to the person's inbox and, unless they chose otherwise, to their phone."""
    now = notifications.clock.now()
    counting = services.counting.one(department.department_id)
    async with counting as count, notifications.db.transaction() as conn:
        to = await notifications.people.find(conn, data.id_number)
        filed = await notifying.notify(
            conn,
            notifications.outbox,
            notifications.answers,
            department,
            idempotency_key,
            Notice(to, data.title, data.body),
            body=msgspec.json.encode(data),
            count=count,
            now=now,
        )
    return NoticeFiled(filed.message_id)


@get(
    "/messages/{message_id:uuid}",
    operation_id="readNoticeState",
    summary="How far a notice of yours is",
    responses=refuses(MessageNotFound, RoleMissing),
)
async def read_notice_state(
    message_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> NoticeState:
    """How far a notice is. It never tells whether the person is known, or by which way they were told."""
    async with notifications.db.connection() as conn:
        return await notifying.state(conn, department.department_id, MessageId(message_id))


@get("/alerts", operation_id="readAlerts", summary="Messages that ended badly", responses=refuses(RoleMissing))
async def read_alerts(operator: NamedDependency[Operator], notifications: NamedDependency[Notifications]) -> Alerts:
    """What nobody knows the end of, what reached nobody, and what could not be sent, in the last seven days."""
    async with notifications.db.connection() as conn:
        return await alerting.read(conn, now=notifications.clock.now())


HANDLERS: Handlers = {
    **residents.HANDLERS,
    Audience.DEPARTMENT: [send_notice, read_notice_state],
    Audience.OPERATOR: [read_alerts],
}
