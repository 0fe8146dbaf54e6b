"""The API descriptions (OpenAPI 3.1), one per audience, generated from the handlers and their structs.

Paths and parameters are as the framework describes them. Bodies and answers are described by msgspec, which also checks
them: with every bound, and closed where unknown fields are refused. What any operation may refuse is said here, once.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar, Response, Router
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Server
from litestar.routes import HTTPRoute

from gateway import routes
from gateway.parts import PART_NAMES
from kernel import errors
from kernel.audience import PROGRAM_SECURITY, SECURITY, router_of, router_of_programs
from kernel.errors import Refusal
from kernel.principal import Audience
from kernel.problems import PROBLEM_MEDIA, Problem
from notifications.notify_v2.errors import Errors
from notifications.notify_v2.http import HANDLERS as PROGRAM_HANDLERS

VERSION = "1"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
_COMPONENTS = "#/components/schemas/"

_TITLES = {
    Audience.PUBLIC: (
        "Suishenban, for everybody",
        "What needs no sign-in: the first page, keys, health, and the demo's short cuts.",
    ),
    Audience.RESIDENT: (
        "Suishenban, for residents (市民)",
        "One sign-in for everything: certificates, appointments, notices, department apps.",
    ),
    Audience.MINI: (
        "Suishenban, for the mini-program (小程序)",
        "The residents' services inside a chat app, without a second registration.",
    ),
    Audience.VENUE: (
        "Suishenban, for venues (场所)",
        "Check that a shown certificate is good, and get the fields your scenario allows.",
    ),
    Audience.DEPARTMENT: (
        "Suishenban, for departments (委办局)",
        "Issue certificates, send notices, run appointment desks.",
    ),
    Audience.OPERATOR: ("Suishenban, for operators (运营)", "Keep the city running."),
}


_TAGS = {
    "Signing in": "Who you are: codes, tokens, refreshing and ending a session.",
    "Account": "What the entrance holds about who is signed in.",
    "Certificates": "What is issued, held and shown, and who saw it.",
    "Asks": "A venue asks, a resident answers.",
    "Verification": "A venue scans a shown code.",
    "Appointments": "Offices, hours and bookings.",
    "Desk": "Who is expected at an office, and who has come.",
    "Messages": "What people are told, and how.",
    "Department apps": "What departments serve behind the entrance.",
    "Mandates": "Who may show whose certificates, which and until when.",
    "Trust": "What anybody may check without us: status lists, trust lists, the ledger's checkpoints.",
    "Catalogue": "Kinds, issuers, scenarios, venues and devices.",
    "Oversight": "Acts on record, signing keys, and what went wrong.",
    "Health": "Whether the city is well.",
    "Demo": "Short cuts that a real city has not.",
}
_TAG_OF = {
    "sign-in": "Signing in", "sign-out": "Signing in", "token": "Signing in", "real-name": "Signing in",
    ".well-known": "Signing in", "me": "Account", "account": "Account", "export": "Account", "sessions": "Account",
    "certificates": "Certificates", "kinds": "Certificates", "scenarios": "Certificates", "uses": "Certificates",
    "Q": "Certificates", "A": "Asks", "asks": "Asks", "verifications": "Verification", "bookings": "Appointments",
    "holds": "Appointments", "waiting": "Appointments", "strikes": "Appointments", "releases": "Appointments",
    "calendar": "Appointments", "calendars": "Appointments", "calendar-feeds": "Appointments", "trips": "Appointments",
    "tickets": "Desk", "appeals": "Desk", "ratings": "Desk", "offering": "Desk",
    "slots": "Appointments", "offices": "Appointments", "services": "Appointments", "desk": "Desk",
    "inbox": "Messages", "contact-preferences": "Messages", "contact": "Messages", "subscriptions": "Messages",
    "unsubscribe": "Messages", "messages": "Messages", "texts": "Messages", "cases": "Messages",
    "keys": "Messages", "team": "Messages", "sent": "Messages", "batches": "Messages",
    "callbacks": "Messages", "received-texts": "Messages",
    "statistics": "Messages", "retention": "Messages", "apps": "Department apps",
    "issuers": "Catalogue", "venues": "Catalogue", "devices": "Catalogue", "audit": "Oversight",
    "venue-applications": "Catalogue", "presentations": "Certificates", "offline-codes": "Certificates",
    "pre-issued-codes": "Certificates", "proofs": "Certificates",
    "loads": "Certificates", "register": "Certificates", "collections": "Certificates", "P": "Certificates",
    "mandates": "Mandates", "guardianships": "Mandates", "offline-scans": "Verification", "bundle": "Verification",
    "findings": "Verification", "status-lists": "Trust", "ledger": "Trust", "trusted-cities": "Trust",
    "types": "Trust", "trust-list": "Trust", "trust-roots": "Trust", "jwt-vc-issuer": "Trust",
    "signing-keys": "Oversight", "alerts": "Oversight", "sending": "Oversight",
    "health": "Health", "demo": "Demo",
}  # fmt: skip
"""What people do at a path, by its first word after the audience. A new word is given its tag here."""
_TAG_FOR_OPERATORS = {"kinds": "Catalogue", "scenarios": "Catalogue", "services": "Messages"}

_HEADERS = {
    "401": {"WWW-Authenticate": {"description": "`Bearer`", "schema": {"type": "string"}}},
    "429": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}},
    "503": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}},
}


class _Described(NamedTuple):
    """An operation, and the handler it describes."""

    path: str
    operation: dict[str, Any]
    handler: HTTPRouteHandler


def _absent() -> Callable[[], None]:
    """Stands for a part: describing opens nothing."""

    def give() -> None:
        raise AssertionError("a description was asked to do work")

    return give


PROGRAMS = "notify"
"""What the description of the programs' entrance is called; it is no audience of ours."""


def _application(router: Router, title: str, description: str, components: Components) -> Litestar:
    return Litestar(
        [router],
        openapi_config=OpenAPIConfig(
            title=title,
            version=VERSION,
            description=description,
            components=components,
            servers=[Server(url="/")],
            use_handler_docstrings=True,
        ),
        dependencies={name: Provide(_absent(), sync_to_thread=False) for name in PART_NAMES},
        logging_config=None,
    )


def _document_of_programs() -> dict[str, Any]:
    """The entrance of programs written for GOV.UK Notify. Refusals have its form, which each operation says itself."""
    app = _application(
        router_of_programs(PROGRAM_HANDLERS),
        "Suishenban, for departments' programs",
        "Version 2 of GOV.UK Notify's API, for SMS and e-mail: its official clients work unmodified.",
        PROGRAM_SECURITY,
    )
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    described = list(_described(app, schema))
    _describe_types(schema, described, Errors)
    for one in described:
        _say_plainly(one.operation)
        one.operation["tags"] = ["Messages"]
    schema["tags"] = [{"name": "Messages", "description": _TAGS["Messages"]}]
    return schema


def _document(audience: Audience) -> dict[str, Any]:
    title, description = _TITLES[audience]
    app = _application(router_of(audience, routes.handlers_of(audience, demo=True)), title, description, SECURITY)
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    described = list(_described(app, schema))
    _describe_types(schema, described, Problem)
    _describe_events(described)
    for one in described:
        _refuse_in_common(one)
        _say_plainly(one.operation)
        one.operation["tags"] = [_tag(audience, one.path)]
    used = {tag for one in described for tag in one.operation["tags"]}
    schema["tags"] = [{"name": name, "description": words} for name, words in _TAGS.items() if name in used]
    return schema


def _described(app: Litestar, schema: dict[str, Any]) -> Iterator[_Described]:
    for route in app.routes:
        for method, (handler, _) in route.route_handler_map.items() if isinstance(route, HTTPRoute) else ():
            operation = schema["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                yield _Described(route.path_format, operation, handler)


def _describe_types(schema: dict[str, Any], described: Sequence[_Described], refusal: type) -> None:
    """Describe bodies and answers as msgspec reads and writes them."""
    places: list[tuple[Any, dict[str, Any]]] = [(refusal, {})]
    for _, operation, handler in described:
        data = handler.parsed_fn_signature.parameters.get("data")
        if data is not None:
            places += [(data.annotation, media) for media in operation["requestBody"]["content"].values()]
        answer = handler.parsed_fn_signature.return_type
        given = answer.inner_types[0].annotation if answer.is_subclass_of(Response) else answer.annotation
        content = operation["responses"].get(str(handler.status_code), {}).get("content", {})
        if JSON in content:
            places.append((given, content[JSON]))
    schemas, components = msgspec.json.schema_components(
        [kind for kind, _ in places], ref_template=_COMPONENTS + "{name}"
    )
    for (_, media), described_as in zip(places, schemas, strict=True):
        media["schema"] = described_as
    for component in components.values():
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    schema["components"]["schemas"] = components
    unknown = _referred(schema) - components.keys()
    assert not unknown, f"described by the framework alone: {unknown}"


def _describe_events(described: Sequence[_Described]) -> None:
    """Say of a stream what each of its events is (WHATWG HTML §9.2.6), which the framework takes for one text."""
    event = {
        "type": "object",
        "description": "One event; `data` is JSON, as the operation beside it that answers once describes it.",
        "properties": {name: {"type": "string"} for name in ("event", "id", "data")},
        "required": ["event", "data"],
    }
    for _, operation, handler in described:
        content = operation["responses"].get(str(handler.status_code), {}).get("content", {})
        if EVENT_STREAM in content:
            content[EVENT_STREAM]["schema"] = event


def _referred(described: Any) -> set[str]:
    """The names of all components that something refers to."""
    if isinstance(described, dict):
        own = {described["$ref"].removeprefix(_COMPONENTS)} if isinstance(described.get("$ref"), str) else set()
        return own.union(*map(_referred, described.values()))
    return set().union(*map(_referred, described)) if isinstance(described, list) else set()


def _refuse_in_common(one: _Described) -> None:
    """Add what any operation may refuse: at the edge, before its handler, or because a part is away."""
    answers: dict[str, Any] = one.operation["responses"]
    for refusal in _common_refusals(one):
        status = str(refusal.status)
        said = f"`{refusal.code}`: {refusal.title()}"
        answer = answers.setdefault(status, {"description": said})
        if PROBLEM_MEDIA not in answer.get("content", {}):
            answer["content"] = {PROBLEM_MEDIA: {"schema": {"$ref": f"{_COMPONENTS}{Problem.__name__}"}}}
            answer["description"] = said
        elif said not in answer["description"]:
            answer["description"] += f" {said}"
    for status, headers in _HEADERS.items():
        if status in answers:
            answers[status]["headers"] = headers
    one.operation["responses"] = dict(sorted(answers.items()))


def _common_refusals(one: _Described) -> Iterator[type[Refusal]]:
    asks = one.handler.parsed_fn_signature.parameters.keys()
    has_body = bool(one.operation.get("requestBody"))
    if has_body:
        yield errors.BodyTooLarge
    if (has_body or one.operation.get("parameters")) and not one.handler.exception_handlers:
        yield errors.MalformedRequest
    if "{" in one.path:
        yield errors.NoSuchPath
    if {} not in one.operation.get("security", [{}]):
        yield from (errors.NotSignedIn, errors.TokenExpired, errors.TokenRevoked, errors.WrongAudience)
    if "citizen" in asks:
        yield errors.RealNameNeeded
    if asks & {"department", "staff"}:
        yield errors.RoleMissing
    yield errors.RateLimited
    if asks & set(PART_NAMES):
        yield errors.PartAway


def _say_plainly(operation: dict[str, Any]) -> None:
    """Leave out what says nothing, and call an answer by its name."""
    for described in (operation, *operation.get("parameters", [])):
        if described.get("deprecated") is False:
            del described["deprecated"]
    if {} in operation.get("security", []):
        operation["security"] = []
    for status, answer in operation["responses"].items():
        if not answer.get("headers", True):
            del answer["headers"]
        if (
            status.startswith("2")
            and status.isdecimal()
            and answer["description"] == HTTPStatus(int(status)).description
        ):
            answer["description"] = HTTPStatus(int(status)).phrase


def _tag(audience: Audience, path: str) -> str:
    words = path.strip("/").split("/")
    word = words[0] if audience is Audience.PUBLIC and words[0] != "public" else words[1]
    if word == ".well-known":
        word = words[1] if words[1] in _TAG_OF else word
    return (_TAG_FOR_OPERATORS if audience is Audience.OPERATOR else {}).get(word) or _TAG_OF[word]


def documents() -> dict[str, dict[str, Any]]:
    """The descriptions by audience."""
    return {audience.value: _document(audience) for audience in Audience}


def every_document() -> dict[str, dict[str, Any]]:
    """Those of audiences, and the one of departments' programs."""
    return {**documents(), PROGRAMS: _document_of_programs()}


def write_openapi(folder: Path) -> list[Path]:
    """Write `<audience>.json` for each audience; return the files."""
    written = []
    for audience, document in every_document().items():
        file = folder / f"{audience}.json"
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
        written.append(file)
    return written
