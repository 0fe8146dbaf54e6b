"""A person's inbox, how they are reached and what they allowed, on the wire: under /resident and /mini."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import MediaType, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import RealNameNeeded
from kernel.ids import MessageId
from kernel.plain_text import ONE_LINE
from kernel.principal import Audience, Citizen
from kernel.problems import refuses
from notifications.channels.email.addresses import ADDRESS_MAX, masked_email
from notifications.contacts import OUTSIDE, Contact, Outside, Sort
from notifications.errors import CursorUnknown, MessageNotFound
from notifications.model import Language
from notifications.parts import Notifications
from notifications.reaching import page
from notifications.reaching.choosing import Wish, choose
from notifications.reaching.emails import CODE_DIGITS, EmailChallenge
from notifications.reaching.errors import (
    ChatNotLinked,
    ConsentNeeded,
    EmailCodeNotAccepted,
    EmailNotConfirmed,
    EmailNotValid,
    LinkUnknown,
    SubscriptionUnknown,
    TooManyEmailCodes,
)
from notifications.reaching.grants import SubscriptionLeft, TapOutcome
from notifications.reaching.parts import Reaching
from notifications.reaching.wordings import CURRENT, WORDINGS
from notifications.residents.reading import PAGE_MAX, InboxPage


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


Order = Annotated[list[Outside], Meta(max_length=len(OUTSIDE))]


class ChannelsView(msgspec.Struct, forbid_unknown_fields=True):
    """For each sort of notice the ways beside the inbox, in order. `subscribe` before `sms`: SMS only if it fails."""

    results: Order
    """What came of something: bookings made, certificates issued, outcomes."""
    reminders: Order
    """What is to come: appointments, certificates about to end."""
    notices: Order
    """What departments tell you."""
    shown: Order
    """That a certificate of yours was shown."""

    def orders(self) -> dict[Sort, list[Outside]]:
        return {
            "results": self.results,
            "reminders": self.reminders,
            "notices": self.notices,
            "shown": self.shown,
        }


class PreferencesRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How you want to be told besides the inbox. Codes and changes of what is yours always come by SMS.

    `channels` decides where it is given, whatever the three switches say; without it, they do. What is left out stays.
    """

    language: Language
    sms_results: bool
    """Bookings made, certificates issued."""
    sms_reminders: bool
    """Appointments to come."""
    sms_notices: bool
    """What departments tell you."""
    channels: ChannelsView | None = None
    has_quiet_hours: bool | None = None
    """Whether what can wait is held back between 22:00 and 08:00."""
    consent_version: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    """`version` of `consent` as it was shown to you; needed for every channel that is new, SMS by its switch apart."""


class ConsentView(msgspec.Struct):
    """The words that a person agrees to who chooses a channel."""

    version: int
    text: str


class PreferencesView(msgspec.Struct):
    language: Language
    sms_results: bool
    sms_reminders: bool
    sms_notices: bool
    reachable_by_sms: bool
    """Whether a number of yours is known."""
    channels: ChannelsView
    has_quiet_hours: bool
    """Whether what can wait is held back between 22:00 and 08:00."""
    email_masked: str | None
    """Your confirmed address, most of it struck out."""
    consent: ConsentView
    """What to show to whoever chooses a channel."""

    @classmethod
    def of(cls, contact: Contact) -> "PreferencesView":
        choices = contact.choices
        return cls(
            language=choices.language,
            sms_results="sms" in choices.results,
            sms_reminders="sms" in choices.reminders,
            sms_notices="sms" in choices.notices,
            reachable_by_sms=contact.phone is not None,
            channels=ChannelsView(
                list(choices.results), list(choices.reminders), list(choices.notices), list(choices.shown)
            ),
            has_quiet_hours=choices.has_quiet_hours,
            email_masked=None if contact.email is None else masked_email(contact.email),
            consent=ConsentView(CURRENT, WORDINGS[CURRENT].said(choices.language)),
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
    """The language you read, and by which ways you are told besides the inbox."""
    async with notifications.db.connection() as conn:
        return PreferencesView.of(await notifications.contacts.find(conn, citizen.person_id))


@put(
    "/contact-preferences",
    operation_id="chooseContactPreferences",
    summary="Choose how you are told things",
    responses=refuses(RealNameNeeded, EmailNotConfirmed, ConsentNeeded),
)
async def choose_contact_preferences(
    data: JSONBody[PreferencesRequest],
    citizen: NamedDependency[Citizen],
    notifications: NamedDependency[Notifications],
) -> PreferencesView:
    """Choose the language you read, and by which ways you are told besides the inbox; what you agreed to is kept."""
    switches: dict[Sort, bool] = {
        "results": data.sms_results,
        "reminders": data.sms_reminders,
        "notices": data.sms_notices,
    }
    wish = Wish(
        language=data.language,
        sms=switches if data.channels is None else {},
        by={} if data.channels is None else data.channels.orders(),
        has_quiet_hours=data.has_quiet_hours,
        wording=data.consent_version,
    )
    async with notifications.db.transaction() as conn:
        now = notifications.clock.now()
        return PreferencesView.of(await choose(conn, notifications.contacts, citizen.person_id, wish, now=now))


class EmailRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The address you want to be written to."""

    address: Annotated[
        str, Meta(min_length=6, max_length=ADDRESS_MAX, pattern=ONE_LINE, examples=["somebody@example.org"])
    ]


class EmailConfirmation(msgspec.Struct, forbid_unknown_fields=True):
    challenge_id: UUID
    code: Annotated[str, Meta(pattern=rf"^[0-9]{{{CODE_DIGITS}}}$(?!\n)", examples=["246810"])]


@post(
    "/contact/email",
    operation_id="askForEmailCode",
    summary="Have a code sent to an e-mail address of yours",
    status_code=202,
    responses=refuses(RealNameNeeded, EmailNotValid, TooManyEmailCodes),
)
async def ask_for_email_code(
    data: JSONBody[EmailRequest], citizen: NamedDependency[Citizen], reaching: NamedDependency[Reaching]
) -> EmailChallenge:
    """The address is used once it is confirmed, and not before. A new challenge ends the one before."""
    return await reaching.emails.ask(citizen.person_id, data.address)


@post(
    "/contact/email/confirm",
    operation_id="confirmEmail",
    summary="Confirm your e-mail address with the code",
    status_code=200,
    responses=refuses(RealNameNeeded, EmailCodeNotAccepted, TooManyEmailCodes),
)
async def confirm_email(
    data: JSONBody[EmailConfirmation], citizen: NamedDependency[Citizen], reaching: NamedDependency[Reaching]
) -> PreferencesView:
    """From now on you may choose e-mail. Five wrong codes spend a challenge."""
    return PreferencesView.of(await reaching.emails.confirm(citizen.person_id, data.challenge_id, data.code))


@delete(
    "/contact/email",
    operation_id="removeEmail",
    summary="Have your e-mail address forgotten",
    status_code=204,
    responses=refuses(RealNameNeeded),
)
async def remove_email(citizen: NamedDependency[Citizen], reaching: NamedDependency[Reaching]) -> None:
    """Nothing is sent there any more, and e-mail is taken out of what you chose."""
    await reaching.emails.remove(citizen.person_id)


class SubscriptionsView(msgspec.Struct):
    """What the mini-program may ask leave for, and what is left of it."""

    subscriptions: list[SubscriptionLeft]


class TapRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How a person answered the question for one template. `tap_id` is chosen by you: one for each question asked."""

    tap_id: UUID
    template: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,128}$(?!\n)")]
    outcome: TapOutcome
    """As `wx.requestSubscribeMessage` says it."""


@get(
    "/subscriptions",
    operation_id="listSubscriptions",
    summary="Subscribe messages you have allowed",
    responses=refuses(RealNameNeeded),
)
async def list_subscriptions(
    citizen: NamedDependency[Citizen],
    notifications: NamedDependency[Notifications],
    reaching: NamedDependency[Reaching],
) -> SubscriptionsView:
    """Each template to ask leave for, and how many messages are left of what was allowed."""
    async with notifications.db.connection() as conn:
        contact = await notifications.contacts.find(conn, citizen.person_id)
        left = await reaching.grants.left(conn, citizen.person_id, contact.choices.language)
    return SubscriptionsView(left)


@post(
    "/subscriptions",
    operation_id="reportSubscription",
    summary="Tell how the question for a subscribe message was answered",
    status_code=200,
    responses=refuses(RealNameNeeded, SubscriptionUnknown, ChatNotLinked),
)
async def report_subscription(
    data: JSONBody[TapRequest],
    citizen: NamedDependency[Citizen],
    notifications: NamedDependency[Notifications],
    reaching: NamedDependency[Reaching],
) -> SubscriptionsView:
    """Tell it after every tap: each `accept` is good for one message. Telling the same tap again changes nothing."""
    now = notifications.clock.now()
    async with notifications.db.transaction() as conn:
        openid = await reaching.openid_of(conn, citizen.account_id)
        await reaching.grants.tapped(
            conn,
            citizen.person_id,
            openid,
            tap_id=data.tap_id,
            template=data.template,
            outcome=data.outcome,
            now=now,
        )
        contact = await notifications.contacts.find(conn, citizen.person_id)
        left = await reaching.grants.left(conn, citizen.person_id, contact.choices.language)
    return SubscriptionsView(left)


@get("/unsubscribe/{token:str}", operation_id="openUnsubscribe", summary="The page behind the link in an e-mail",
     sync_to_thread=False, media_type=MediaType.HTML)  # fmt: skip
def open_unsubscribe(token: FromPath[str]) -> Response[str]:
    """The same page for every token: it asks, and opening it changes nothing, for mail programs open links."""
    del token
    return Response(page.ASKING, media_type=MediaType.HTML, headers=page.HEADERS)


@post("/unsubscribe/{token:str}", operation_id="unsubscribe", summary="Be sent no more e-mail of this sort",
      status_code=200, media_type=MediaType.HTML, responses=refuses(LinkUnknown))  # fmt: skip
async def unsubscribe(token: FromPath[str], reaching: NamedDependency[Reaching]) -> Response[str]:
    """One click (RFC 8058): the token is all that is needed, and whatever else is sent is not read."""
    await reaching.unsubscribing.unsubscribe(token)
    return Response(page.DONE, media_type=MediaType.HTML, headers=page.HEADERS)


_OF_A_CITIZEN = [
    read_inbox,
    mark_message_read,
    read_contact_preferences,
    choose_contact_preferences,
    ask_for_email_code,
    confirm_email,
    remove_email,
]

HANDLERS: Handlers = {
    Audience.PUBLIC: [open_unsubscribe, unsubscribe],
    Audience.RESIDENT: _OF_A_CITIZEN,
    Audience.MINI: [*_OF_A_CITIZEN, list_subscriptions, report_subscription],
}
