"""Bodies and answers of version 2 of GOV.UK Notify's API, as its REST documentation gives them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.log import get_logger
from kernel.plain_text import ONE_LINE_OR_NONE, is_one_line
from notifications.notify_v2.errors import NotifyBadRequest, NotifyInvalid
from notifications.replies.reading import Received
from notifications.services.model import REFERENCE_BYTES_MAX, Request, State
from notifications.services.states import Opened, Sent
from notifications.texts.model import DepartmentText, TextSort, plain_name
from notifications.texts.placeholders import Text as TextKind

_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
log = get_logger(__name__)

PAGE: Final = 250
PERSONALISATION_MAX: Final = 50
VALUE_MAX: Final = 10_000
ITEMS_MAX: Final = 1_000

Type = Literal["sms", "email"]
Status = Literal[
    "created", "sending", "pending", "delivered", "permanent-failure", "temporary-failure", "technical-failure",
    "cancelled",
]  # fmt: skip
Text = Annotated[str, Meta(max_length=VALUE_MAX)]
Word = Text | int | float | bool | None
Personalisation = Annotated[
    dict[
        Annotated[str, Meta(max_length=100)],
        Word | Annotated[list[Word], Meta(max_length=ITEMS_MAX)] | dict[str, Any],
    ],
    Meta(max_length=PERSONALISATION_MAX),
]
Reference = Annotated[str, Meta(max_length=REFERENCE_BYTES_MAX, extra_json_schema={"pattern": ONE_LINE_OR_NONE})]
"""An empty one is none. `kept_of` says whether it is one line, in a fifth of the time that the pattern takes."""

STATUS_OF: Final[dict[State, Status]] = {
    State.SCHEDULED: "created",
    State.CREATED: "created",
    State.SENDING: "sending",
    State.DELIVERED: "delivered",
    State.HANDLED: "delivered",
    State.TEMPORARY_FAILURE: "temporary-failure",
    State.PERMANENT_FAILURE: "permanent-failure",
    State.TECHNICAL_FAILURE: "technical-failure",
    State.WITHDRAWN: "cancelled",
}
assert STATUS_OF.keys() == set(State)
_FAILED: Final = frozenset({State.TEMPORARY_FAILURE, State.PERMANENT_FAILURE, State.TECHNICAL_FAILURE})
STATES_OF: Final[dict[str, frozenset[State]]] = {
    **{status: frozenset(one for one in State if STATUS_OF[one] == status) for status in STATUS_OF.values()},
    "failed": _FAILED,
    # What we never say: a text abroad that nobody confirms, a carrier that asks again, and what befalls letters.
    **dict.fromkeys(
        ("sent", "pending", "accepted", "received", "pending-virus-check", "virus-scan-failed", "validation-failed",
         "returned-letter"),
        frozenset[State](),
    ),
}  # fmt: skip
"""Which of our states a client means that asks for a status."""


class SmsBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An SMS. Numbers without a country code are of the mainland."""

    phone_number: Annotated[str, Meta(max_length=100)]
    template_id: UUID
    personalisation: Personalisation = {}
    reference: Reference | None = None
    sms_sender_id: UUID | None = None
    """A service of this city has one sender: any id is refused as unknown."""
    scheduled_for: Annotated[datetime, Meta(tz=True)] | None = None


class EmailBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An e-mail."""

    email_address: Annotated[str, Meta(max_length=400)]
    template_id: UUID
    personalisation: Personalisation = {}
    reference: Reference | None = None
    email_reply_to_id: UUID | None = None
    """A service of this city has one sender: any id is refused as unknown."""
    one_click_unsubscribe_url: Annotated[str, Meta(max_length=500)] | None = None
    """Taken and not used: where a mail may be unsubscribed from, it says how by itself."""
    sanitise_content_for: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=50)] | None = None
    """Taken; nothing is left to do: no value but one of an approved host may hold a link."""
    scheduled_for: Annotated[datetime, Meta(tz=True)] | None = None


class PreviewBody(msgspec.Struct, forbid_unknown_fields=True):
    personalisation: Personalisation = {}


class TemplateRef(msgspec.Struct):
    id: str
    version: int
    uri: str


class SmsContent(msgspec.Struct):
    body: str
    from_number: str


class SmsAnswer(msgspec.Struct):
    id: UUID
    reference: str | None
    content: SmsContent
    uri: str
    template: TemplateRef
    scheduled_for: str | None


class EmailContent(msgspec.Struct):
    subject: str
    body: str
    from_email: str
    one_click_unsubscribe_url: str | None = None


class EmailAnswer(msgspec.Struct):
    id: UUID
    reference: str | None
    content: EmailContent
    sanitised_content: dict[str, dict[str, str]]
    uri: str
    template: TemplateRef
    scheduled_for: str | None


class Notification(msgspec.Struct, kw_only=True):
    id: UUID
    reference: str | None
    email_address: str | None
    phone_number: str | None
    line_1: None = None
    line_2: None = None
    line_3: None = None
    line_4: None = None
    line_5: None = None
    line_6: None = None
    postcode: None = None
    postage: None = None
    type: Type
    status: Status
    template: TemplateRef
    body: str
    """Empty once what the message said was forgotten."""
    subject: str | None
    created_at: str
    created_by_name: None = None
    sent_at: str | None
    completed_at: str | None
    scheduled_for: str | None
    one_click_unsubscribe_url: None = None
    is_cost_data_ready: bool = False
    cost_in_pounds: None = None
    cost_details: dict[str, float] = {}


class Links(msgspec.Struct, omit_defaults=True):
    current: str
    next: str | None = None


class Notifications(msgspec.Struct):
    notifications: list[Notification]
    links: Links


class Required(msgspec.Struct):
    required: bool = True


class TemplateView(msgspec.Struct):
    id: str
    name: str
    type: Type
    created_at: str
    updated_at: str | None
    created_by: str
    version: int
    body: str
    subject: str | None
    letter_contact_block: None
    personalisation: dict[str, Required]


class Templates(msgspec.Struct):
    templates: list[TemplateView]


class TemplateVersion(msgspec.Struct):
    id: str
    service: UUID
    name: str
    template_type: Type
    version: int
    content: str
    subject: str | None
    created_at: str
    updated_at: str | None
    archived: bool


class TemplateVersions(msgspec.Struct):
    data: list[TemplateVersion]


class Preview(msgspec.Struct):
    id: str
    type: Type
    version: int
    body: str
    html: str | None
    subject: str | None
    postage: None = None


class ReceivedText(msgspec.Struct):
    id: UUID
    user_number: str
    notify_number: str
    created_at: str
    service_id: UUID
    content: str


class ReceivedTexts(msgspec.Struct):
    received_text_messages: list[ReceivedText]
    links: Links


def moment(at: datetime) -> str:
    """A moment as the API says it: UTC, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_or_none(at: datetime | None) -> str | None:
    return None if at is None else moment(at)


def type_of(text: DepartmentText) -> Type | None:
    """None for a notice: those go to people, not to numbers or addresses."""
    return {TextSort.SMS: "sms", TextSort.EMAIL: "email"}.get(text.of.sort)  # type: ignore[return-value]


def kept_of(reference: str | None) -> str | None:
    """A reference as it is kept. Raises NotifyInvalid for one that is several lines, or that no index takes."""
    if not reference:
        return None
    if reference.isascii() and reference.isprintable():
        return reference
    if not is_one_line(reference):
        raise NotifyInvalid("reference is more than one line of text")
    if len(reference.encode()) > REFERENCE_BYTES_MAX:
        raise NotifyInvalid(f"reference is longer than {REFERENCE_BYTES_MAX} bytes")
    return reference


def values_of(text: DepartmentText, given: Mapping[str, Any]) -> dict[str, str]:
    """Personalisation as the text's own values; what it has no gap for is left out, as the clients expect.

    Raises NotifyBadRequest for a file.
    """
    said: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, str):
            said[name] = value
        elif isinstance(value, dict):
            raise NotifyBadRequest("Send files by email is not available in this city")
        elif isinstance(value, list):
            said[name] = _listed(text, name, [str(one) for one in value if one is not None and one != ""])
        elif value is not None:
            said[name] = str(value)
    if said.keys() == text.placeholders.keys():
        return said
    return text.fit(said).values


def _listed(text: DepartmentText, name: str, items: list[str]) -> str:
    """Several things in one gap, as GOV.UK Notify says them: in an e-mail one below the other, if the gap takes lines;
    else in a row, as the language of the text has it."""
    kinds = {plain_name(gap): kind for gap, kind in text.of.content.placeholders.items()}
    if len(items) > 1 and text.of.sort is TextSort.EMAIL and isinstance(kinds.get(plain_name(name)), TextKind):
        return "".join(f"\n• {one}" for one in items)
    if _CHINESE.search(text.of.content.zh.body):
        return "、".join(items)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def template_ref(origin: str, template: str, version: int) -> TemplateRef:
    return TemplateRef(template, version, f"{origin}/v2/template/{template}")


def template_view(text: DepartmentText) -> TemplateView:
    of, content = text.of, text.of.content
    kind = type_of(text)
    assert kind is not None
    return TemplateView(
        id=text.id,
        name=content.name,
        type=kind,
        created_at=moment(of.written_at),
        updated_at=moment_or_none(of.approved_at),
        created_by=f"department:{of.department_id}",
        version=text.version,
        body=content.zh.body,
        subject=content.zh.subject,
        letter_contact_block=None,
        personalisation={name: Required() for name in content.placeholders},
    )


def version_view(text: DepartmentText) -> TemplateVersion:
    view = template_view(text)
    return TemplateVersion(
        view.id, text.of.department_id, view.name, view.type, view.version, view.body, view.subject,
        view.created_at, view.updated_at, archived=not text.is_approved,
    )  # fmt: skip


def preview(text: DepartmentText, values: Mapping[str, str]) -> Preview:
    kind = type_of(text)
    assert kind is not None
    if kind == "sms":
        return Preview(text.id, kind, text.version, text.sms(values, "zh"), None, None)
    shown = text.render(values, "zh")
    paragraphs = "".join(f"<p>{escape(one)}</p>" for one in shown.body.split("\n") if one)
    return Preview(text.id, kind, text.version, shown.body, paragraphs, shown.title)


def notification(sent: Sent, opened: Opened, text: DepartmentText | None, origin: str) -> Notification:
    """A message as a client sees it; what was forgotten of it is empty."""
    one, address = sent.request, opened.address
    body, subject = _said(one, opened, text)
    is_scheduled = one.send_at > one.created_at
    return Notification(
        id=one.message_id,
        reference=one.reference,
        email_address=None if address is None else address.email,
        phone_number=None if address is None else address.phone,
        type="email" if one.channel == "email" else "sms",
        status=STATUS_OF[sent.state],
        template=template_ref(origin, one.template, one.version),
        body=body,
        subject=subject,
        created_at=moment(one.created_at),
        sent_at=moment_or_none(sent.sent_at),
        completed_at=moment_or_none(sent.ended_at),
        scheduled_for=moment(one.send_at) if is_scheduled else None,
    )


def _said(one: Request, opened: Opened, text: DepartmentText | None) -> tuple[str, str | None]:
    """Body and subject of a message; both empty where it cannot be said any more, so that its page can be."""
    if text is None or opened.values is None:
        return "", None
    language = "zh" if opened.address is None else opened.address.language
    try:
        if one.channel == "sms":
            return text.sms(opened.values, language), None
        shown = text.render(opened.values, language)
    except Exception as fault:  # noqa: BLE001 -- its values were taken by another version of this code
        log.warning("a message cannot be said", message_id=str(one.message_id), error=type(fault).__name__)
        return "", None
    return shown.body, shown.title


def received(one: Received, service_id: UUID) -> ReceivedText:
    return ReceivedText(
        one.id, one.from_phone.removeprefix("+"), one.to_number, moment(one.received_at), service_id, one.text
    )


def uuid_of(name: str, text: str) -> UUID:
    """Raises NotifyInvalid."""
    try:
        return UUID(text)
    except ValueError:
        raise NotifyInvalid(f"{name} is not a valid UUID") from None
