"""What the demo's carriers show instead of sending, and people writing back to it. Never in a real city."""

from typing import Annotated
from uuid import uuid4

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import MalformedRequest
from kernel.plain_text import ONE_LINE
from kernel.principal import Audience
from kernel.problems import refuses
from notifications.channels.demo_outbox import ShownSms
from notifications.channels.email.addresses import ADDRESS_MAX, NotAnEmail, read_email
from notifications.channels.provider import ReceivedText
from notifications.errors import PhoneOrEmailNeeded
from notifications.parts import Notifications
from notifications.reaching.errors import EmailNotValid
from notifications.replies.parts import Replies

CARRIER = "demo"
NUMBER = "10690000"
"""The number of the city that people of the demo write back to."""
WRITTEN_MAX = 500

Phone = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$(?!\n)")]


class OutboxSearch(msgspec.Struct, forbid_unknown_fields=True):
    """Whose messages to show: a number's SMS, or an address's e-mail."""

    phone: Phone | None = None
    """In international form, e.g. `+8613800138000`."""
    email: Annotated[str, Meta(min_length=6, max_length=ADDRESS_MAX, pattern=ONE_LINE)] | None = None

    def place(self) -> str:
        """Raises PhoneOrEmailNeeded, EmailNotValid."""
        if self.phone is not None and self.email is None:
            return self.phone
        if self.email is None or self.phone is not None:
            raise PhoneOrEmailNeeded
        try:
            return read_email(self.email)
        except NotAnEmail:
            raise EmailNotValid from None


class ShownView(msgspec.Struct):
    """Messages the demo showed instead of sending them, newest first; `phone` of an e-mail is its address."""

    messages: list[ShownSms]


@post(
    "/demo/outbox/search",
    operation_id="searchDemoOutbox",
    summary="Messages shown to a number or an address",
    status_code=200,
    responses=refuses(MalformedRequest, PhoneOrEmailNeeded, EmailNotValid),
)
async def search_demo_outbox(data: JSONBody[OutboxSearch], notifications: NamedDependency[Notifications]) -> ShownView:
    """The newest SMS to a number, sign-in codes included, or e-mail to an address. In a demo its owner is whoever plays
    them.
    """
    place = data.place()
    async with notifications.db.connection() as conn:
        return ShownView(await notifications.demo_outbox.shown_to(conn, place))


@get("/demo/outbox", operation_id="readDemoOutbox", summary="The newest messages shown to anybody")
async def read_demo_outbox(notifications: NamedDependency[Notifications]) -> ShownView:
    """The newest 50, numbers and addresses masked."""
    async with notifications.db.connection() as conn:
        return ShownView(await notifications.demo_outbox.newest(conn))


class WrittenText(msgspec.Struct, forbid_unknown_fields=True):
    """Who writes, and what."""

    phone: Phone
    text: Annotated[str, Meta(min_length=1, max_length=WRITTEN_MAX, pattern=ONE_LINE)]


class HeardView(msgspec.Struct):
    """The number it was written to; what becomes of it is done within seconds."""

    to_number: str


@post("/demo/texts", operation_id="writeBack", summary="Write an SMS to the city", status_code=202)
async def write_back(data: JSONBody[WrittenText], replies: NamedDependency[Replies]) -> HeardView:
    """As if somebody had answered an SMS: `T` wants no more of them, `Y` says yes, all else is for who wrote last."""
    written = ReceivedText(CARRIER, data.phone, NUMBER, data.text, str(uuid4()), replies.clock.now())
    await replies.hearing.hear([written])
    return HeardView(NUMBER)


HANDLERS: Handlers = {Audience.PUBLIC: [search_demo_outbox, read_demo_outbox, write_back]}
