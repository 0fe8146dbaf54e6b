"""Version 2 of GOV.UK Notify's API on the wire: sending, states, templates, and what people sent back."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from kernel import problems
from kernel.audience import PROGRAM_PATHS, Program, Signed
from kernel.errors import PartAway, Refusal, Unexpected
from kernel.ids import MessageId
from kernel.plain_text import ONE_LINE
from kernel.principal import NotProved
from notifications.notify_v2 import bodies
from notifications.notify_v2.bodies import (
    PAGE,
    STATES_OF,
    EmailBody,
    Notification,
    Notifications,
    SmsBody,
    kept_of,
    moment,
    uuid_of,
    values_of,
)
from notifications.notify_v2.errors import (
    BROKEN_JSON,
    Errors,
    NotifyBadRequest,
    NotifyInvalid,
    NotifyNoResult,
    in_their_words,
    of_form,
    unproved,
)
from notifications.outbox import ToEmail, ToPhone
from notifications.services.errors import TextNotInUse
from notifications.services.parts import Services
from notifications.services.queries import Wanted
from notifications.services.recipients import NotReachable, read_email, read_phone
from notifications.services.sending import Wish
from notifications.services.states import EXAMINED_IN_VAIN_MAX, LAST
from notifications.texts.model import DepartmentText

_REFUSED = (400, 401, 403, 404, 429, 503)
_RESPONSES = {
    status: ResponseSpec(data_container=Errors, generate_examples=False, description="Refused, in the clients' words.")
    for status in _REFUSED
}
_LOOKED_IN_VAIN = "None of the newest {} messages has this status: ask for those with older_than={}"


def speak(request: Request[Any, Any, Any], surprise: Exception) -> Response[bytes]:
    """Any refusal or failure of this entrance, in the form that its clients read."""
    signed: Signed = request.scope["user"]
    headers: dict[str, str] = {"Cache-Control": "no-store"}
    if isinstance(signed.principal, NotProved):  # whatever else is wrong: who proves nothing learns nothing
        said = unproved(signed.principal.why)
    elif isinstance(surprise, HTTPException):
        said = msgspec.structs.replace(_of_framework(surprise), status_code=surprise.status_code)
        if surprise.headers and "allow" in surprise.headers:
            headers["Allow"] = surprise.headers["allow"]
    elif isinstance(surprise, Refusal):
        kind = signed.principal.kind if isinstance(signed.principal, Program) else ""
        said = in_their_words(surprise, kind)
        if surprise.retry_after_seconds is not None:
            headers["Retry-After"] = str(surprise.retry_after_seconds)
    else:
        answered = problems.handler_of(surprise)(request, surprise)
        headers |= {name: value for name, value in answered.headers.items() if name == "Retry-After"}
        said = in_their_words(_of_failure(answered.status_code), "")
    return Response(
        msgspec.json.encode(said), status_code=said.status_code, media_type="application/json", headers=headers
    )


def _of_failure(status: int | None) -> Refusal:
    """What is said of what is no refusal, by the status that the city's own entrances answer it with."""
    if status == NotifyBadRequest.status:  # nested too deep
        return NotifyBadRequest(BROKEN_JSON)
    return PartAway() if status == PartAway.status else Unexpected()


def _of_framework(problem: HTTPException) -> Errors:
    if isinstance(problem.extra, list) and problem.extra and isinstance(problem.extra[0], dict):
        return of_form(problem.extra)
    refusal: Refusal = NotifyBadRequest(str(problem.detail)) if problem.status_code < 500 else Unexpected()
    if problem.status_code in (400, 404):
        refusal = NotifyBadRequest(BROKEN_JSON) if problem.status_code == 400 else NotifyNoResult()
    return in_their_words(refusal, "")


IN_THEIR_FORM: Any = dict.fromkeys(problems.HANDLERS, speak)


def by_entrance(speakers: problems.Speakers) -> Any:
    """Who answers for exceptions of the whole application: `speak` for what was asked at this entrance, where nothing
    is too; elsewhere as it was."""

    def spoken(answer: Callable[[Request[Any, Any, Any], Any], Response[bytes]]) -> Any:
        def speak_there(request: Request[Any, Any, Any], surprise: Exception) -> Response[bytes]:
            is_here = request.scope["path"].startswith(PROGRAM_PATHS)
            return (speak if is_here else answer)(request, surprise)

        return speak_there

    return {kind: spoken(answer) for kind, answer in speakers.items()}


# ---- sending


@post("/v2/notifications/sms", operation_id="notifySms", summary="Send an SMS", status_code=201,
      responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def notify_sms(
    data: JSONBody[SmsBody], program: NamedDependency[Program], services: NamedDependency[Services]
) -> bodies.SmsAnswer:
    """Send an approved SMS text of the service. The answer comes when the message is safely kept."""
    if data.sms_sender_id is not None:
        raise _no_such("sms_sender_id", data.sms_sender_id, program)
    text = services.text_in_use(program.service_id, data.template_id)
    if bodies.type_of(text) != "sms":
        raise _unsuitable(text, "sms")
    try:
        phone = read_phone(data.phone_number)
    except NotReachable:
        raise NotifyInvalid("phone_number Not a valid phone number") from None
    values, reference = values_of(text, data.personalisation), kept_of(data.reference)
    wish = Wish(program.service_id, program.kind, ToPhone(phone), text, values, reference, data.scheduled_for)
    services.accepting.check(wish)
    origin, said = services.origin, text.sms(values, "zh")  # what cannot be said leaves nothing behind
    taken = await services.accepting.accept(wish, recipient=phone, is_checked=True)
    return bodies.SmsAnswer(
        taken.message_id,
        reference,
        bodies.SmsContent(said, text.signature.strip("【】")),
        f"{origin}/v2/notifications/{taken.message_id}",
        bodies.template_ref(origin, text.id, text.version),
        None if data.scheduled_for is None else moment(data.scheduled_for),
    )


@post("/v2/notifications/email", operation_id="notifyEmail", summary="Send an e-mail", status_code=201,
      responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def notify_email(
    data: JSONBody[EmailBody], program: NamedDependency[Program], services: NamedDependency[Services]
) -> bodies.EmailAnswer:
    """Send an approved e-mail text of the service. The answer comes when the message is safely kept."""
    if data.email_reply_to_id is not None:
        raise _no_such("email_reply_to_id", data.email_reply_to_id, program)
    text = services.text_in_use(program.service_id, data.template_id)
    if bodies.type_of(text) != "email":
        raise _unsuitable(text, "email")
    try:
        address = read_email(data.email_address)
    except NotReachable:
        raise NotifyInvalid("email_address Not a valid email address") from None
    values, reference = values_of(text, data.personalisation), kept_of(data.reference)
    wish = Wish(program.service_id, program.kind, ToEmail(address), text, values, reference, data.scheduled_for)
    services.accepting.check(wish)
    origin, shown = services.origin, text.render(values, "zh")
    taken = await services.accepting.accept(wish, recipient=address, is_checked=True)
    return bodies.EmailAnswer(
        taken.message_id,
        reference,
        bodies.EmailContent(shown.title, shown.body, services.mail_from),
        {},
        f"{origin}/v2/notifications/{taken.message_id}",
        bodies.template_ref(origin, text.id, text.version),
        None if data.scheduled_for is None else moment(data.scheduled_for),
    )


@post("/v2/notifications/letter", operation_id="notifyLetter", summary="Letters are not sent", status_code=201,
      responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def notify_letter(program: NamedDependency[Program]) -> Notification:
    """This city sends no letters, precompiled ones neither: always refused."""
    raise NotifyBadRequest("This city sends no letters")


@get("/v2/notifications/{notification_id:str}/pdf", operation_id="notifyLetterPdf", summary="Letters are not sent",
     responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def notify_letter_pdf(notification_id: FromPath[str], program: NamedDependency[Program]) -> Notification:
    """This city sends no letters: always refused."""
    uuid_of("id", notification_id)
    raise NotifyBadRequest("Notification is not a letter")


# ---- states


@get("/v2/notifications/{notification_id:str}", operation_id="readNotification", summary="How far a message is",
     responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def read_notification(
    notification_id: FromPath[str], program: NamedDependency[Program], services: NamedDependency[Services]
) -> Notification:
    """One message of the service, and how far it is."""
    message_id = MessageId(uuid_of("id", notification_id))
    sent = await services.states.read(program.service_id, message_id)
    open_one = await services.states.opened([sent.request])
    text = services.texts.find(sent.request.template, sent.request.version)
    return bodies.notification(sent, open_one(message_id), text, services.origin)


@get("/v2/notifications", operation_id="listNotifications", summary="Messages, newest first",
     responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def list_notifications(
    program: NamedDependency[Program],
    services: NamedDependency[Services],
    status: Annotated[Sequence[str] | None, QueryParameter(description="Only those so far; any number of them")] = None,
    template_type: Annotated[Sequence[str] | None, QueryParameter(description="`sms`, `email`")] = None,
    reference: Annotated[str | None, QueryParameter(max_length=1_000, pattern=ONE_LINE)] = None,
    older_than: Annotated[str | None, QueryParameter(description="The last message of the page before")] = None,
    include_jobs: Annotated[str | None, QueryParameter(description="`true`: those sent in batches too")] = None,
) -> Notifications:
    """Messages sent with keys of the same kind, 250 at a time; `links.next` goes on."""
    for one in status or ():
        if one not in STATES_OF:
            raise NotifyInvalid(f"status {one} is not one of [{', '.join(STATES_OF)}]")
    for one in template_type or ():
        if one not in ("sms", "email", "letter"):
            raise NotifyInvalid(f"template_type {one} is not one of [sms, email, letter]")
    before = LAST if older_than is None else uuid_of("older_than", older_than)
    types = template_type or ("sms", "email")
    wanted = Wanted(
        kind=program.kind,
        channels=tuple(one for one in ("sms", "email") if one in types),
        reference=reference,
        with_batches=include_jobs is not None and include_jobs.lower() == "true",
    )
    states = frozenset[Any]().union(*(STATES_OF[one] for one in status or ()))
    asked: list[tuple[str, str]] = [("status", one) for one in status or ()]
    asked += [("template_type", one) for one in template_type or ()]
    asked += [("reference", reference)] if reference is not None else []
    asked += [("include_jobs", "true")] if wanted.with_batches else []
    at = f"{services.origin}/v2/notifications"
    if status and not states:
        return Notifications([], _links(at, asked, older_than, None))
    page = await services.states.page(program.service_id, wanted, states=states, before=before, limit=PAGE)
    if page.next_before is not None and not page.sent:  # the clients stop at an empty page, and would miss the rest
        raise NotifyBadRequest(_LOOKED_IN_VAIN.format(EXAMINED_IN_VAIN_MAX, page.next_before))
    open_one = await services.states.opened([one.request for one in page.sent])
    found = [
        bodies.notification(
            one,
            open_one(one.request.message_id),
            services.texts.find(one.request.template, one.request.version),
            services.origin,
        )
        for one in page.sent
    ]
    last = page.next_before or (found[-1].id if found else None)
    return Notifications(found, _links(at, asked, older_than, last))


# ---- templates


@get("/v2/templates", operation_id="listTemplates", summary="The service's texts", responses=_RESPONSES,
     exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def list_templates(
    program: NamedDependency[Program],
    services: NamedDependency[Services],
    kind: Annotated[str | None, QueryParameter(name="type", description="`sms` or `email`")] = None,
) -> bodies.Templates:
    """Every text that is approved, in the version in use."""
    if kind is not None and kind not in ("sms", "email", "letter"):
        raise NotifyInvalid(f"type {kind} is not one of [sms, email, letter]")
    texts = services.texts.of_department(program.service_id)
    wanted = ("sms", "email") if kind is None else (kind,)
    return bodies.Templates([bodies.template_view(one) for one in texts if bodies.type_of(one) in wanted])


@get("/v2/template/{template_id:str}", operation_id="readTemplate", summary="A text", responses=_RESPONSES,
     exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def read_template(
    template_id: FromPath[str], program: NamedDependency[Program], services: NamedDependency[Services]
) -> bodies.TemplateView:
    """A text of the service, in the version in use."""
    return bodies.template_view(_text(template_id, program, services))


@get("/v2/template/{template_id:str}/version/{version:str}", operation_id="readTemplateVersion",
     summary="A version of a text", responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def read_template_version(
    template_id: FromPath[str],
    version: FromPath[str],
    program: NamedDependency[Program],
    services: NamedDependency[Services],
) -> bodies.TemplateView:
    """A version that is or was approved."""
    if not version.isascii() or not version.isdigit() or len(version) > 5:
        raise NotifyInvalid("version is not of type integer, null")
    found = _version(uuid_of("id", template_id), int(version), program, services)
    if found is None:
        raise NotifyNoResult
    return bodies.template_view(found)


@post("/v2/template/{template_id:str}/preview", operation_id="previewTemplate", summary="A text with values in it",
      status_code=200, responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def preview_template(
    template_id: FromPath[str],
    data: JSONBody[bodies.PreviewBody],
    program: NamedDependency[Program],
    services: NamedDependency[Services],
) -> bodies.Preview:
    """What somebody would be sent."""
    text = _text(template_id, program, services)
    values = values_of(text, data.personalisation)
    fitted = text.fit(values)
    if fitted.missing:
        raise NotifyBadRequest(f"Missing personalisation: {', '.join(fitted.missing)}")
    if fitted.wrong:
        raise NotifyBadRequest("; ".join(f"personalisation {name}: {said}" for name, said in fitted.wrong.items()))
    return bodies.preview(text, fitted.values)


@get("/service/{service_id:str}/template/{template_id:str}/versions", operation_id="listTemplateVersions",
     summary="Every version of a text", responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def list_template_versions(
    service_id: FromPath[str],
    template_id: FromPath[str],
    program: NamedDependency[Program],
    services: NamedDependency[Services],
) -> bodies.TemplateVersions:
    """The versions that are or were approved, newest first."""
    newest = _text(template_id, program, services)
    if service_id != str(program.service_id):
        raise NotifyNoResult
    found = [_version(newest.of.text_id, one, program, services) for one in range(newest.version, 0, -1)]
    return bodies.TemplateVersions([bodies.version_view(one) for one in found if one is not None])


# ---- what people sent


@get("/v2/received-text-messages", operation_id="listReceivedTexts", summary="Texts that people sent, newest first",
     responses=_RESPONSES, exception_handlers=IN_THEIR_FORM)  # fmt: skip
async def list_received_texts(
    program: NamedDependency[Program],
    services: NamedDependency[Services],
    older_than: Annotated[str | None, QueryParameter(description="The last text of the page before")] = None,
) -> bodies.ReceivedTexts:
    """What people answered to the service's SMS, 250 at a time; `links.next` goes on."""
    before = None if older_than is None else uuid_of("older_than", older_than)
    found = await services.received.received(program.service_id, before, limit=PAGE)
    last = found[-1].id if found else None
    links = _links(f"{services.origin}/v2/received-text-messages", [], older_than, last)
    return bodies.ReceivedTexts([bodies.received(one, program.service_id) for one in found], links)


def _links(at: str, asked: list[tuple[str, str]], older_than: str | None, last: UUID | None) -> bodies.Links:
    """Where this page is and where the next. `older_than` comes first: a client takes the first id it sees there."""
    current = asked if older_than is None else [("older_than", older_than), *asked]
    following = None if last is None else f"{at}?{urlencode([('older_than', str(last)), *asked])}"
    return bodies.Links(f"{at}?{urlencode(current)}" if current else at, following)


def _text(template_id: str, program: Program, services: Services) -> DepartmentText:
    """The version in use of a text that has a type here. Raises NotifyInvalid, NotifyNoResult."""
    try:
        text = services.text_in_use(program.service_id, uuid_of("id", template_id))
    except TextNotInUse:
        raise NotifyNoResult from None
    if bodies.type_of(text) is None:
        raise NotifyNoResult
    return text


def _version(text_id: UUID, version: int, program: Program, services: Services) -> DepartmentText | None:
    found = services.texts.find(str(text_id), version)
    is_theirs = found is not None and found.of.department_id == program.service_id
    return found if is_theirs and found is not None and bodies.type_of(found) is not None else None


def _no_such(name: str, sender_id: UUID, program: Program) -> NotifyBadRequest:
    return NotifyBadRequest(f"{name} {sender_id} does not exist in database for service id {program.service_id}")


def _unsuitable(text: DepartmentText, wanted: str) -> NotifyBadRequest:
    return NotifyBadRequest(f"{text.of.sort} template is not suitable for {wanted} notification")


HANDLERS: Sequence[HTTPRouteHandler] = (
    notify_sms, notify_email, notify_letter, notify_letter_pdf, read_notification, list_notifications, list_templates,
    read_template, read_template_version, preview_template, list_template_versions, list_received_texts,
)  # fmt: skip
"""Served by `kernel.audience.router_of_programs`."""
