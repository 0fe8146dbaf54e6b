"""Printed proofs over HTTP: residents print, anybody who holds the paper checks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIHeader, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import FromPath, QueryParameter

from kernel.audience import Handlers
from kernel.errors import (
    BodyTooLarge,
    MalformedRequest,
    NotAcceptable,
    RateLimited,
    RealNameNeeded,
    UnsupportedMedia,
)
from kernel.ids import CertificateId
from kernel.principal import Audience, Citizen
from kernel.problems import refuses
from wallet.errors import CertificateNotFound, CertificateNotGood, CursorRefused, KindNotPrintable, ProofsBusy
from wallet.paging import CURSOR_MAX, PAGE_MAX
from wallet.parts import Wallet
from wallet.proof_page import (
    CONTENT_SECURITY_POLICY,
    LAST_INPUT,
    NAME_INPUT,
    NAME_MAX,
    Finding,
    answer_page,
    ask_page,
)
from wallet.proofs.checking import Checked
from wallet.proofs.printing import Page, Printed
from wallet.proofs.views import LAST_FOUR, CheckRequest, CheckView, PapersView, PrintedView, registered
from wallet.residents.codes.forms import best_form

JSON, HTML, PDF = "application/json", "text/html", "application/pdf"
FORM = "application/x-www-form-urlencoded"
PRINTED_AS: Mapping[str, str] = {"*/*": PDF, "application/*": PDF, PDF: PDF, JSON: JSON}
TO_PROGRAMS: Mapping[str, str] = {"*/*": JSON, "application/*": JSON, JSON: JSON, "text/*": HTML, HTML: HTML}
TO_BROWSERS: Mapping[str, str] = {**TO_PROGRAMS, "*/*": HTML}
"""Which answer is meant where none is named: a form comes from a browser."""
CHECK_BYTES_MAX = 4_096
"""A name of the greatest length, every byte of it percent-encoded, and then some."""
INPUTS_MAX = 10
SECONDS_PER_MINUTE = 60
assert NAME_MAX * 4 * len("%xx") < CHECK_BYTES_MAX
assert {NAME_INPUT, LAST_INPUT} == set(CheckRequest.__struct_fields__)


@dataclass
class _PrintOperation(Operation):
    """Names the form of the proof that people print."""

    def __post_init__(self) -> None:
        created: Any = (self.responses or {}).get("201")
        if created is not None and created.content is not None:
            created.content[PDF] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
            created.headers = {
                "Check-Url": OpenAPIHeader(
                    description="Where it is checked, beside a PDF.",
                    schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.URI),
                )
            }


@dataclass
class _CheckOperation(Operation):
    """Describes a body that comes from a form or from a program, and answers for both."""

    def __post_init__(self) -> None:
        text = OpenAPIType.STRING
        schema = Schema(
            type=OpenAPIType.OBJECT,
            properties={
                NAME_INPUT: Schema(type=text, min_length=1, max_length=NAME_MAX, description="The holder's name."),
                LAST_INPUT: Schema(type=text, pattern=LAST_FOUR, description="The last four of their ID number."),
            },
            required=[NAME_INPUT, LAST_INPUT],
            additional_properties=False,
        )
        self.request_body = RequestBody(
            content={JSON: OpenAPIMediaType(schema=schema), FORM: OpenAPIMediaType(schema=schema)}, required=True
        )
        for status in ("200", "400", "429"):
            answer: Any = (self.responses or {}).get(status)
            if answer is not None and answer.content is not None:
                answer.content[HTML] = OpenAPIMediaType(schema=Schema(type=text))


@post(
    "/certificates/{certificate_id:uuid}/proofs",
    operation_id="printProof",
    operation_class=_PrintOperation,
    summary="A certificate as a page to print, with a code that anybody can check",
    status_code=201,
    responses=refuses(
        MalformedRequest, RealNameNeeded, CertificateNotFound, NotAcceptable, CertificateNotGood, KindNotPrintable,
        RateLimited, ProofsBusy,
    ),
)  # fmt: skip
async def print_proof(
    certificate_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
) -> Response[PrintedView]:
    """A PDF; with `Accept: application/json` what it takes to draw one yourself.

    The code in it is good as long as the certificate: checked, it tells how that stands at that moment. Each time you
    print you get another; each check is in your list of uses.
    """
    held = citizen.person_id, CertificateId(certificate_id)
    if _form_of(request, PRINTED_AS) == JSON:
        answer = request.app.response_class or Response
        return answer(PrintedView.of(await wallet.printer.write(*held)))
    return _as_file(await wallet.printer.draw(*held))


@get("/proofs", operation_id="listProofs", summary="What you have printed, how it stands, how often it was checked",
     responses=refuses(MalformedRequest, CursorRefused, RealNameNeeded))  # fmt: skip
async def list_proofs(
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
    certificate_id: Annotated[UUID | None, QueryParameter(description="Only proofs of this certificate.")] = None,
    cursor: Annotated[
        str | None, QueryParameter(max_length=CURSOR_MAX, description="`next_cursor` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 20,
) -> PapersView:
    """Every proof you have printed, newest first. To end one, have its certificate ended by its department."""
    only = None if certificate_id is None else CertificateId(certificate_id)
    return PapersView.of(await wallet.papers.printed_by(citizen.person_id, only, cursor=cursor, limit=limit))


def _as_file(page: Page) -> Response[Any]:
    printed: Printed = page.printed
    name = quote(f"{page.kind.zh}.pdf", safe="")
    headers = {
        "Content-Disposition": f"attachment; filename=\"proof.pdf\"; filename*=UTF-8''{name}",  # RFC 6266, RFC 8187
        "Cache-Control": "no-store",
        "Check-Url": printed.check_url,
    }
    return Response(page.pdf, status_code=201, media_type=PDF, headers=headers)


@get("/P/{token:str}", operation_id="openProof", summary="What a printed proof's code is, to whoever opens it",
     sync_to_thread=False, media_type=MediaType.HTML)  # fmt: skip
def open_proof(token: FromPath[str]) -> Response[str]:
    """A form for the holder's name: the same page for every token, ours or not; nothing is looked up."""
    del token
    return _page(ask_page())


@post("/P/{token:str}", operation_id="checkProof", operation_class=_CheckOperation, status_code=200,
      summary="Whether a printed proof is true, and how it stands now",
      responses=refuses(MalformedRequest, NotAcceptable, BodyTooLarge, UnsupportedMedia, RateLimited))  # fmt: skip
async def check_proof(
    token: FromPath[str], request: Request[Any, Any, Any], wallet: NamedDependency[Wallet]
) -> Response[CheckView]:
    """Say whose it is and learn whether that matches; where it does, how it stands, and partly hidden values.

    A code that was never printed, a wrong name and a wrong number are told in the same words. The holder sees each
    check that matches. Send a form or JSON; `Accept: text/html` answers with a page.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (JSON, FORM):
        raise UnsupportedMedia
    is_page = _form_of(request, TO_BROWSERS if media == FORM else TO_PROGRAMS) == HTML
    body = await request.body()
    if len(body) > CHECK_BYTES_MAX:
        raise BodyTooLarge
    try:
        asked = _typed(body) if media == FORM else msgspec.json.decode(body, type=CheckRequest)
    except (msgspec.DecodeError, ValueError):  # text that is not UTF-8 among them
        if is_page:
            return _page(ask_page(is_incomplete=True), status=400)
        raise MalformedRequest("a name and the last four characters of an ID number are wanted") from None
    address = request.client.host if request.client else "unknown"
    try:
        checked = await wallet.checker.check(token, asked.claim(), address=address)
    except RateLimited as refused:
        if is_page:
            return _too_many(wallet, refused)
        raise
    if is_page:
        return _answer(checked)
    return Response(CheckView.of(checked), headers={"Cache-Control": "no-store"})


def _typed(body: bytes) -> CheckRequest:
    """What came from a form. Raises ValueError."""
    pairs = parse_qsl(
        body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=INPUTS_MAX
    )
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field came twice")
    return msgspec.convert(fields, CheckRequest)


def _form_of(request: Request[Any, Any, Any], forms: Mapping[str, str]) -> str:
    """The form asked for. Raises NotAcceptable."""
    return best_form(request.headers.get("accept", "*/*"), forms)


def _answer(checked: Checked) -> Response[Any]:
    found = checked.found
    if found is None:
        return _page(answer_page(Finding.NO_MATCH, checked_at=checked.checked_at))
    return _page(answer_page(found.finding, checked_at=checked.checked_at, proof=registered(found)))


def _too_many(wallet: Wallet, refused: RateLimited) -> Response[Any]:
    seconds = refused.retry_after_seconds or 1
    minutes = -(-seconds // SECONDS_PER_MINUTE)
    page = answer_page(Finding.TOO_MANY_TRIES, checked_at=wallet.clock.now(), retry_minutes=minutes)
    return _page(page, status=refused.status, headers={"Retry-After": str(seconds)})


def _page(page: str, *, status: int = 200, headers: Mapping[str, str] = {}) -> Response[Any]:
    told = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store", **headers}
    return Response(page, status_code=status, media_type=MediaType.HTML, headers=told)


_OF_RESIDENTS = [print_proof, list_proofs]
HANDLERS: Handlers = {
    Audience.PUBLIC: [open_proof, check_proof],
    Audience.RESIDENT: _OF_RESIDENTS,
    Audience.MINI: _OF_RESIDENTS,
}
