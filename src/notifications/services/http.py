"""Keys, teams and single messages of departments, and how much each may send, on the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request as HttpRequest
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import IdempotencyKeyReused, MalformedRequest, RoleMissing
from kernel.ids import DepartmentId, MessageId
from kernel.plain_text import ONE_LINE
from kernel.principal import Audience, DepartmentSystem, Operator
from kernel.problems import refuses
from notifications.errors import CursorUnknown, MessageNotFound, PhoneOrEmailNeeded
from notifications.model import Channel, Language
from notifications.outbox import ToEmail, ToPhone
from notifications.services.errors import (
    KeyNameTaken,
    KeyNotFound,
    NotInTeam,
    NotWithdrawable,
    RecipientRefused,
    SendTimeRefused,
    TeamFull,
    TextNotInUse,
    TextTooLong,
    TooManyKeys,
    TooManyLooking,
    TooManyThisMinute,
    TooManyToday,
    ValuesRefused,
    WrongChannel,
)
from notifications.services.model import REFERENCE_BYTES_MAX, REFERENCE_MAX, Allowance, ApiKey, KeyKind, State
from notifications.services.parts import Services
from notifications.services.queries import Wanted
from notifications.services.recipients import PHONE_TEXT_MAX, NotReachable, read_email, read_phone
from notifications.services.sending import To, Wish
from notifications.services.states import LAST, Sent

PAGE_MAX = 100
EMAIL_TEXT_MAX = 320
"""64 before the @, 255 behind it (RFC 5321 §4.5.3.1), and what is longer still is refused as unreachable."""
IDEMPOTENCY_KEY_MAX = 128
VALUES_MAX = 50
VALUE_MAX = 1_000

KeyName = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_ .-]+$(?!\n)")]
Reference = Annotated[str, Meta(min_length=1, max_length=REFERENCE_MAX, pattern=ONE_LINE)]
PhoneText = Annotated[str, Meta(min_length=5, max_length=PHONE_TEXT_MAX, pattern=ONE_LINE, examples=["+8613800138000"])]
EmailText = Annotated[
    str, Meta(min_length=3, max_length=EMAIL_TEXT_MAX, pattern=ONE_LINE, examples=["somebody@example.org"])
]
IdNumber = Annotated[str, Meta(pattern=r"^[0-9]{17}[0-9X]$(?!\n)", examples=["310107198110069973"])]
Values = Annotated[
    dict[Annotated[str, Meta(max_length=60)], Annotated[str, Meta(max_length=VALUE_MAX)]], Meta(max_length=VALUES_MAX)
]


# ---- keys and team


class KeyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`live` reaches anybody; `team` those on your team list; `test` nobody: what it sends is only rehearsed."""

    name: KeyName
    kind: KeyKind


class KeyView(msgspec.Struct):
    key_id: UUID
    name: str
    kind: KeyKind
    made_at: datetime

    @classmethod
    def of(cls, key: ApiKey) -> "KeyView":
        return cls(key.key_id, key.name, key.kind, key.made_at)


class KeyMade(msgspec.Struct):
    """`key` is shown this once: its name, your service's id and its secret."""

    key: str
    key_id: UUID
    kind: KeyKind


class KeysView(msgspec.Struct):
    keys: list[KeyView]


@post("/keys", operation_id="makeServiceKey", summary="Make an API key for a program of yours",
      responses=refuses(TooManyKeys, KeyNameTaken, RoleMissing))  # fmt: skip
async def make_service_key(
    data: JSONBody[KeyRequest], department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]
) -> KeyMade:
    """A key for programs that send messages, also those written for GOV.UK Notify. At most ten are good at a time."""
    made = await services.keys.make(department.department_id, data.name, data.kind, actor=_actor(department))
    return KeyMade(made.text, made.key.key_id, made.key.kind)


@get("/keys", operation_id="listServiceKeys", summary="Your API keys", responses=refuses(RoleMissing))
async def list_service_keys(
    department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]
) -> KeysView:
    """The keys that are good, without their secrets."""
    return KeysView([KeyView.of(key) for key in await services.keys.every(department.department_id)])


@delete("/keys/{key_id:uuid}", operation_id="revokeServiceKey", summary="Revoke an API key",
        responses=refuses(KeyNotFound, RoleMissing))  # fmt: skip
async def revoke_service_key(
    key_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]
) -> None:
    """From now on nothing signed with it is taken; elsewhere than in this process within a second."""
    await services.keys.revoke(department.department_id, key_id, actor=_actor(department))


class TeamMember(msgspec.Struct, forbid_unknown_fields=True):
    """One of your own people: a number or an address, one of the two."""

    phone: PhoneText | None = None
    email: EmailText | None = None


class TeamView(msgspec.Struct):
    team: list[str]


@get("/team", operation_id="readTeam", summary="Whom your team keys may send to", responses=refuses(RoleMissing))
async def read_team(department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]) -> TeamView:
    """Numbers and addresses of your own people."""
    return TeamView(await services.teams.every(department.department_id))


@post("/team", operation_id="addToTeam", summary="Let your team keys send to somebody",
      responses=refuses(TeamFull, PhoneOrEmailNeeded, RecipientRefused, RoleMissing))  # fmt: skip
async def add_to_team(
    data: JSONBody[TeamMember], department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]
) -> TeamView:
    """Put a number or an address on the list; at most a hundred are on it."""
    await services.teams.add(department.department_id, _one_of(data), actor=_actor(department))
    return TeamView(await services.teams.every(department.department_id))


@post("/team/removals", operation_id="takeOffTeam", summary="Let your team keys no longer send to somebody",
      responses=refuses(PhoneOrEmailNeeded, RecipientRefused, RoleMissing))  # fmt: skip
async def take_off_team(
    data: JSONBody[TeamMember], department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]
) -> TeamView:
    """Take a number or an address off the list."""
    await services.teams.remove(department.department_id, _one_of(data), actor=_actor(department))
    return TeamView(await services.teams.every(department.department_id))


# ---- messages


class MessageRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """To a `phone`, an `email` address or the person of an `id_number`: one of the three, as the text is for.

    `values` fill the text's gaps. With an `Idempotency-Key` header of yours you may ask again, and are told the first
    answer. Without `send_at` it is sent at once.
    """

    phone: PhoneText | None = None
    email: EmailText | None = None
    id_number: IdNumber | None = None
    language: Language = "zh"
    """Which of the text's languages goes to a number or an address; a person reads their own."""
    values: Values = {}
    reference: Reference | None = None
    """Yours, to find the message by; nothing personal."""
    send_at: Annotated[datetime, Meta(tz=True)] | None = None
    """At most thirty days ahead."""
    kind: KeyKind = "live"
    """As whose key it is sent: `test` reaches nobody."""


class MessageTaken(msgspec.Struct):
    """The same whether or not a person of the ID number is known to the city."""

    message_id: UUID
    created_at: datetime
    send_at: datetime


_SENDING = refuses(
    TextNotInUse, WrongChannel, RecipientRefused, ValuesRefused, TextTooLong, SendTimeRefused, NotInTeam,
    TooManyThisMinute, TooManyToday, IdempotencyKeyReused, RoleMissing,
)  # fmt: skip


@post("/texts/{text_id:uuid}/messages", operation_id="sendMessage", summary="Send one message", status_code=202,
      responses=_SENDING)  # fmt: skip
async def send_message(
    text_id: FromPath[UUID],
    data: JSONBody[MessageRequest],
    request: HttpRequest[Any, Any, Any],
    department: NamedDependency[DepartmentSystem],
    services: NamedDependency[Services],
) -> MessageTaken:
    """Send a text of yours that is approved. The answer comes when the message is safely kept, before it is sent."""
    service_id = department.department_id
    text = services.text_in_use(service_id, text_id)
    key = _idempotency_key(request)
    asked = None if key is None else services.accepting.digest((text_id, data))
    to, recipient = await _to(data, services)
    wish = Wish(service_id, data.kind, to, text, data.values, data.reference, data.send_at, key, asked)
    taken = await services.accepting.accept(wish, recipient=recipient)
    return MessageTaken(taken.message_id, taken.created_at, taken.send_at)


class SentView(msgspec.Struct):
    """`handled`: to a person; told by every way they chose, or closed untold, without saying which.

    `reason`: why it ended so, in words, where there is more to say than the state does.
    """

    message_id: UUID
    text_id: str
    version: int
    channel: Channel
    kind: KeyKind
    reference: str | None
    state: State
    created_at: datetime
    send_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    batch_id: UUID | None

    @classmethod
    def of(cls, sent: Sent) -> "SentView":
        one = sent.request
        return cls(
            one.message_id, one.template, one.version, one.channel, one.kind, one.reference, sent.state,
            one.created_at, one.send_at, sent.sent_at, sent.ended_at, sent.reason, one.batch_id,
        )  # fmt: skip


class SentPage(msgspec.Struct):
    """Newest first. A page of messages in one state may be short and yet not the last: `next_cursor` says so."""

    messages: list[SentView]
    next_cursor: UUID | None


@get("/sent/{message_id:uuid}", operation_id="readSentMessage", summary="How far a message of yours is",
     responses=refuses(MessageNotFound, RoleMissing))  # fmt: skip
async def read_sent_message(
    message_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]
) -> SentView:
    """How far a message is, by its id."""
    return SentView.of(await services.states.read(department.department_id, MessageId(message_id)))


@delete("/sent/{message_id:uuid}", operation_id="withdrawMessage", summary="Take back a message that is not sent yet",
        status_code=200, responses=refuses(MessageNotFound, NotWithdrawable, RoleMissing))  # fmt: skip
async def withdraw_message(
    message_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], services: NamedDependency[Services]
) -> SentView:
    """Take back a message: one that is scheduled, or waits for another try. Doing it again changes nothing."""
    return SentView.of(await services.states.withdraw(department.department_id, MessageId(message_id)))


@get("/sent", operation_id="listSentMessages", summary="Messages you sent, newest first",
     responses=refuses(CursorUnknown, RoleMissing, TooManyLooking))  # fmt: skip
async def list_sent_messages(
    department: NamedDependency[DepartmentSystem],
    services: NamedDependency[Services],
    reference: Annotated[str | None, QueryParameter(max_length=REFERENCE_BYTES_MAX, pattern=ONE_LINE)] = None,
    so_far: Annotated[State | None, QueryParameter(name="state", description="Only those so far")] = None,
    text_id: Annotated[UUID | None, QueryParameter(description="Only those of this text")] = None,
    cursor: Annotated[UUID | None, QueryParameter(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 20,
) -> SentPage:
    """Everything your programs sent singly or in batches, by reference, state or text."""
    wanted = Wanted(template=None if text_id is None else str(text_id), reference=reference)
    states = () if so_far is None else (so_far,)
    page = await services.states.page(
        department.department_id, wanted, states=states, before=cursor or LAST, limit=limit
    )
    return SentPage([SentView.of(one) for one in page.sent], page.next_before)


# ---- operators


class AllowanceRequest(msgspec.Struct, forbid_unknown_fields=True):
    per_minute: Annotated[int, Meta(ge=1, le=1_000_000)]
    """Messages a minute with each kind of key."""
    per_day: Annotated[int, Meta(ge=0, le=100_000_000)]
    """Messages a day altogether; none for a service that is to send nothing."""


class AllowanceView(msgspec.Struct):
    service_id: UUID
    per_minute: int
    per_day: int
    accepted_today: int
    """As far as this process knows: it hears of the others every few seconds."""


@get("/services/{service_id:uuid}/allowance", operation_id="readAllowance",
     summary="How much a department may send", responses=refuses(RoleMissing))  # fmt: skip
async def read_allowance(
    service_id: FromPath[UUID], operator: NamedDependency[Operator], services: NamedDependency[Services]
) -> AllowanceView:
    """How much a department's programs may send, and how much they did today."""
    return _allowance(services, DepartmentId(service_id))


@put("/services/{service_id:uuid}/allowance", operation_id="setAllowance",
     summary="Say how much a department may send", responses=refuses(RoleMissing))  # fmt: skip
async def set_allowance(
    service_id: FromPath[UUID],
    data: JSONBody[AllowanceRequest],
    operator: NamedDependency[Operator],
    services: NamedDependency[Services],
) -> AllowanceView:
    """Say how much a department's programs may send; heard by every process within a second."""
    allowed, actor = Allowance(data.per_minute, data.per_day), f"operator:{operator.staff_id}"
    await services.keys.allow(DepartmentId(service_id), allowed, actor=actor)
    return _allowance(services, DepartmentId(service_id))


def _allowance(services: Services, service_id: DepartmentId) -> AllowanceView:
    allowed = services.keys.snapshot.current.allowance(service_id)
    return AllowanceView(service_id, allowed.per_minute, allowed.per_day, services.per_day.so_far(service_id))


def _actor(department: DepartmentSystem) -> str:
    return f"department:{department.department_id}"


def _one_of(member: TeamMember) -> str:
    if (member.phone is None) == (member.email is None):
        raise PhoneOrEmailNeeded
    try:
        return read_phone(member.phone) if member.phone is not None else read_email(member.email or "")
    except NotReachable:
        raise RecipientRefused from None


async def _to(data: MessageRequest, services: Services) -> tuple[To, str]:
    """Whom a message goes to, and the number or address as read. Raises MalformedRequest, RecipientRefused."""
    if (data.phone is not None) + (data.email is not None) + (data.id_number is not None) != 1:
        raise MalformedRequest("give `phone`, `email` or `id_number`, one of the three")
    try:
        if data.phone is not None:
            phone = read_phone(data.phone)
            return ToPhone(phone, data.language), phone
        if data.email is not None:
            address = read_email(data.email)
            return ToEmail(address, data.language), address
    except NotReachable:
        raise RecipientRefused from None
    assert data.id_number is not None
    return await services.accepting.person(data.id_number), ""


def _idempotency_key(request: HttpRequest[Any, Any, Any]) -> str | None:
    """The key a client retries with. Raises MalformedRequest for one of another form."""
    for name, value in request.scope["headers"]:
        if name == b"idempotency-key":
            text = value.decode("latin-1")
            if not 1 <= len(text) <= IDEMPOTENCY_KEY_MAX or not text.isascii() or not text.isprintable() or " " in text:
                raise MalformedRequest("Idempotency-Key: 1 to 128 printable characters of ASCII, no spaces")
            return text
    return None


HANDLERS: Handlers = {
    Audience.DEPARTMENT: [
        make_service_key, list_service_keys, revoke_service_key, read_team, add_to_team, take_off_team,
        send_message, read_sent_message, withdraw_message, list_sent_messages,
    ],
    Audience.OPERATOR: [read_allowance, set_allowance],
}  # fmt: skip
