"""The inbox, contact preferences, departments' notices, and operators' alerts, on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import IdempotencyKeyReused, RealNameNeeded, RoleMissing
from kernel.ids import MessageId
from kernel.plain_text import ONE_LINE, SEVERAL_LINES
from kernel.principal import Audience, Citizen, DepartmentSystem, Operator
from kernel.problems import refuses
from notifications import notifying
from notifications.contacts import Choices, Contact
from notifications.ending import alerting
from notifications.ending.alerting import Alerts
from notifications.errors import CursorUnknown, MessageNotFound
from notifications.model import Language
from notifications.notifying import Notice, NoticeState
from notifications.parts import Notifications
from notifications.residents.reading import PAGE_MAX, InboxPage

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
PrintableLine = Annotated[str, Meta(min_length=1, max_length=60, pattern=ONE_LINE)]
PrintableText = Annotated[str, Meta(min_length=1, max_length=400, pattern=SEVERAL_LINES)]


@get(
    "/inbox",
    operation_id="readInbox",
    summary="Messages to you, newest first",
    responses=refuses(CursorUnknown, RealNameNeeded),
)
async def read_inbox(
    citizen: NamedDependency[Citizen],
    notifications: NamedDependency[Notifications],
    cursor: Annotated[str | None, QueryParameter(max_length=60, description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 20,
) -> InboxPage:
    """Everything the city told you, in your language, with how much of it you have not read."""
    async with notifications.db.connection() as conn:
        contact = await notifications.contacts.find(conn, citizen.person_id)
        language = contact.choices.language
        return await notifications.inbox.page(conn, citizen.person_id, language, cursor, limit=limit)


class ReadView(msgspec.Struct):
    """When the message was first read."""

    read_at: datetime


@post(
    "/inbox/{message_id:uuid}/read",
    operation_id="markMessageRead",
    summary="Mark a message as read",
    status_code=200,
    responses=refuses(MessageNotFound, RealNameNeeded),
)
async def mark_message_read(
    message_id: FromPath[UUID], citizen: NamedDependency[Citizen], notifications: NamedDependency[Notifications]
) -> ReadView:
    """Mark a message as read; marking it again changes nothing."""
    now = notifications.clock.now()
    async with notifications.db.transaction() as conn:
        person_id = citizen.person_id
        return ReadView(await notifications.inbox.mark_read(conn, person_id, MessageId(message_id), now=now))


class PreferencesRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What you want by SMS besides the inbox. Codes and changes of what is yours always come by SMS."""

    language: Language
    sms_results: bool
    """Bookings made, certificates issued."""
    sms_reminders: bool
    """Appointments to come."""
    sms_notices: bool
    """What departments tell you."""


class PreferencesView(msgspec.Struct):
    language: Language
    sms_results: bool
    sms_reminders: bool
    sms_notices: bool
    reachable_by_sms: bool
    """Whether a number of yours is known."""

    @classmethod
    def of(cls, contact: Contact) -> "PreferencesView":
        choices = contact.choices
        return cls(
            choices.language,
            choices.sms_results,
            choices.sms_reminders,
            choices.sms_notices,
            contact.phone is not None,
        )


@get(
    "/contact-preferences",
    operation_id="readContactPreferences",
    summary="How you are told things",
    responses=refuses(RealNameNeeded),
)
async def read_contact_preferences(
    citizen: NamedDependency[Citizen], notifications: NamedDependency[Notifications]
) -> PreferencesView:
    """The language you read, and what comes by SMS besides the inbox."""
    async with notifications.db.connection() as conn:
        return PreferencesView.of(await notifications.contacts.find(conn, citizen.person_id))


@put(
    "/contact-preferences",
    operation_id="chooseContactPreferences",
    summary="Choose how you are told things",
    responses=refuses(RealNameNeeded),
)
async def choose_contact_preferences(
    data: JSONBody[PreferencesRequest],
    citizen: NamedDependency[Citizen],
    notifications: NamedDependency[Notifications],
) -> PreferencesView:
    """Choose the language you read, and what comes by SMS besides the inbox."""
    choices = Choices(data.language, data.sms_results, data.sms_reminders, data.sms_notices)
    async with notifications.db.transaction() as conn:
        now = notifications.clock.now()
        return PreferencesView.of(await notifications.contacts.choose(conn, citizen.person_id, choices, now))


class NoticeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A notice to one person, who is named by their resident identity number.

    It is signed with the name your department is registered under.
    """

    id_number: Annotated[str, Meta(pattern=r"^[0-9]{17}[0-9X]$(?!\n)", examples=["310107198110069973"])]
    title: PrintableLine
    body: PrintableText


class NoticeFiled(msgspec.Struct):
    """The same whether or not the person is known to the city."""

    message_id: UUID


@post(
    "/messages",
    operation_id="sendNotice",
    summary="Tell a person something",
    status_code=202,
    responses=refuses(IdempotencyKeyReused, RoleMissing),
)
async def send_notice(
    data: JSONBody[NoticeRequest],
    idempotency_key: IdempotencyKey,
    department: NamedDependency[DepartmentSystem],
    notifications: NamedDependency[Notifications],
) -> NoticeFiled:
    """File a notice: it goes to the person's inbox and, unless they chose otherwise, to their phone."""
    now = notifications.clock.now()
    async with notifications.db.transaction() as conn:
        to = await notifications.people.find(conn, data.id_number)
        filed = await notifying.notify(
            conn,
            notifications.outbox,
            notifications.answers,
            department,
            idempotency_key,
            Notice(to, data.title, data.body),
            body=msgspec.json.encode(data),
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


_OF_A_CITIZEN = [read_inbox, mark_message_read, read_contact_preferences, choose_contact_preferences]

HANDLERS: Handlers = {
    Audience.RESIDENT: _OF_A_CITIZEN,
    Audience.MINI: _OF_A_CITIZEN,
    Audience.DEPARTMENT: [send_notice, read_notice_state],
    Audience.OPERATOR: [read_alerts],
}
