"""Opt-outs of residents, and what people wrote to departments, over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from kernel.audience import Handlers
from kernel.errors import RealNameNeeded, RoleMissing
from kernel.principal import Audience, Citizen, DepartmentSystem
from kernel.problems import refuses
from notifications.replies.errors import ChangedTooOften, NoNumberKnown, SenderUnknown, TooManyOptOuts
from notifications.replies.model import EVERY_SENDER
from notifications.replies.parts import Replies
from notifications.replies.reading import RECEIVED_PAGE_MAX, Received

EVERYBODY = "everybody"
Sender = Annotated[
    str,
    PathParameter(
        pattern=r"^(everybody|appointments|wallet|department:[0-9a-f-]{36})$(?!\n)",
        description="`department:` and its id, a part of the city, or `everybody`.",
    ),
]


class OptOutView(msgspec.Struct):
    """A sender whose reminders and bulk messages you want no more of by SMS."""

    sender: str
    since: datetime


class OptOutsView(msgspec.Struct):
    opt_outs: list[OptOutView]


class OptOutRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whether you want no more of a sender's reminders and bulk messages by SMS."""

    is_opted_out: bool


@get(
    "/contact-preferences/opt-outs",
    operation_id="listOptOuts",
    summary="Whose SMS you want no more of",
    responses=refuses(RealNameNeeded),
)
async def list_opt_outs(citizen: NamedDependency[Citizen], replies: NamedDependency[Replies]) -> OptOutsView:
    """What you said by replying T to an SMS, or here. Codes, changes of what is yours and results come all the same."""
    async with replies.db.connection() as conn:
        contact = await replies.contacts.find(conn, citizen.person_id)
        if contact.phone is None:
            return OptOutsView([])
        rows = await replies.opt_outs.of(conn, replies.seals.every_digest(contact.phone))
    return OptOutsView([OptOutView(_said(row.caller), row.since) for row in rows])


@put(
    "/contact-preferences/opt-outs/{sender:str}",
    operation_id="changeOptOut",
    summary="Want no more SMS of a sender, or want them again",
    responses=refuses(RealNameNeeded, NoNumberKnown, SenderUnknown, TooManyOptOuts, ChangedTooOften),
)
async def change_opt_out(
    sender: Sender,
    data: JSONBody[OptOutRequest],
    citizen: NamedDependency[Citizen],
    replies: NamedDependency[Replies],
) -> OptOutsView:
    """Stop a sender's reminders and bulk messages to your number, or take that back. `everybody` stands for itself: who
    opted out of everybody and of one sender has two opt-outs.
    """
    caller = EVERY_SENDER if sender == EVERYBODY else sender
    rows = await replies.changing.change(citizen.person_id, caller, is_out=data.is_opted_out)
    return OptOutsView([OptOutView(_said(row.caller), row.since) for row in rows])


def _said(caller: str) -> str:
    return EVERYBODY if caller == EVERY_SENDER else caller


class ReceivedTextsView(msgspec.Struct):
    """Texts, newest first. For those before them, ask with the last one's `id` as `older_than`."""

    texts: list[Received]


@get(
    "/received-texts",
    operation_id="readReceivedTexts",
    summary="What people wrote back to you",
    responses=refuses(RoleMissing),
)
async def read_received_texts(
    department: NamedDependency[DepartmentSystem],
    replies: NamedDependency[Replies],
    older_than: Annotated[UUID | None, QueryParameter(description="Only texts before this one.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=RECEIVED_PAGE_MAX)] = 50,
) -> ReceivedTextsView:
    """What people wrote within 72 hours after an SMS of yours, opt-outs left out; kept for 90 days."""
    return ReceivedTextsView(await replies.reading.received(department.department_id, older_than, limit=limit))


_OF_A_CITIZEN = [list_opt_outs, change_opt_out]

HANDLERS: Handlers = {
    Audience.RESIDENT: _OF_A_CITIZEN,
    Audience.MINI: _OF_A_CITIZEN,
    Audience.DEPARTMENT: [read_received_texts],
}
