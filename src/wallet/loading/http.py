"""How certificates come in at scale, over HTTP: departments load and push, residents collect."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.params import FromPath, HeaderParameter, JSONBody, PathParameter, QueryParameter

from kernel.audience import Handlers
from kernel.errors import MalformedRequest, RateLimited, RealNameNeeded, UnsupportedMedia
from kernel.ids import CertificateId
from kernel.principal import Audience, Citizen, DepartmentSystem, Resident
from kernel.problems import refuses
from wallet.departments.views import IssuedView
from wallet.errors import (
    CertificateNotFound,
    HolderRefused,
    IdentifierTaken,
    KindNotCollected,
    KindNotEntitled,
    KindNotFound,
    LoadFinished,
    LoadGap,
    LoadNotFound,
    LoadRefusedTooOften,
    LoadsBusy,
    ReferenceMissing,
    ReferenceReused,
    RegisterAnswerRefused,
    RegisterAway,
    RevisionReused,
    StepNotAllowed,
    ValidityRefused,
    ValueRefused,
    VersionsExhausted,
)
from wallet.loading.lines import LINE_BYTES_MAX
from wallet.loading.loads import REFUSALS_PAGE_MAX
from wallet.loading.reissuing import Renewal
from wallet.loading.views import (
    CollectedKindsView,
    CollectedKindView,
    CollectedView,
    CollectRequest,
    EntryRequest,
    EntryView,
    LoadView,
    RefusedLinesView,
    RefusedLineView,
    ReissueRequest,
)
from wallet.model import today_in_city
from wallet.parts import Wallet
from wallet.residents.views import card_of

NDJSON = "application/x-ndjson"
LINES_MAX = 10**12
"""Lines of one load: more than a city has certificates, and fewer than a JSON number counts."""
CHUNK_SECONDS_MAX = 30.0
"""How long the next piece of a load may take: as long as a body may."""
_END = r"$(?!\n)"


@dataclass
class _LinesOperation(Operation):
    """Describes a body that is read as it comes."""

    def __post_init__(self) -> None:
        schema = Schema(description="One CertificateRequest (issueCertificate) on each line; any other is reported.")
        self.request_body = RequestBody(
            content={NDJSON: OpenAPIMediaType(schema=schema)},
            description=f"Lines of at most {LINE_BYTES_MAX} bytes, each ended by a line feed; as many as you like.",
            required=True,
        )


From = Annotated[
    int, QueryParameter(name="from", ge=1, le=LINES_MAX, description="The number of the first line that you send.")
]
Tell = Annotated[bool, QueryParameter(description="Whether holders are told of what is issued to them.")]
Cursor = Annotated[
    str | None,
    QueryParameter(pattern=rf"^[0-9]{{1,13}}{_END}", description="`next_cursor` of the page before."),
]
Limit = Annotated[int, QueryParameter(ge=1, le=REFUSALS_PAGE_MAX)]
EntryReference = Annotated[
    str,
    PathParameter(
        pattern=rf"^[A-Za-z0-9][A-Za-z0-9._~:@!$'()*+,;=-]{{0,127}}{_END}",
        description="Your own number for the entry: what `reference` is elsewhere, where it can stand in a path.",
        examples=[Example(value="2026-000123")],
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=rf"^[\x21-\x7e]+{_END}",
        description="Chosen by you, one for each certificate issued anew: a retry with the same key gets the same one.",
    ),
]


def _actor(department: DepartmentSystem) -> str:
    return f"department:{department.department_id}"


@put("/loads/{load_id:uuid}", operation_id="openLoad", summary="Open a load of many certificates", status_code=200,
     responses=refuses(MalformedRequest, LoadNotFound))  # fmt: skip
async def open_load(
    load_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], wallet: NamedDependency[Wallet]
) -> LoadView:
    """Under an id that you choose; again, the same load as it stands."""
    return LoadView.of(await wallet.loading.open(department.department_id, load_id, actor=_actor(department)))


@post("/loads/{load_id:uuid}/lines", operation_id="sendLines", operation_class=_LinesOperation, status_code=200,
      summary="Send lines of a load", request_max_body_size=None,
      responses=refuses(MalformedRequest, UnsupportedMedia, LoadNotFound, LoadFinished, LoadGap, LoadRefusedTooOften,
                        LoadsBusy))  # fmt: skip
async def send_lines(
    load_id: FromPath[UUID],
    first: From,
    request: Request[Any, Any, Any],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
    tell: Tell = False,
) -> LoadView:
    """Newline-delimited JSON, read as it comes and committed in batches. Nothing is lost when the connection is:
    ask how far the load has come and go on from `next_line`. Lines that were read already are skipped.

    A line that is refused is reported and keeps no other from being issued.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != NDJSON:
        raise UnsupportedMedia(f"lines are sent as {NDJSON}")
    load = await wallet.loading.take(
        department.department_id,
        load_id,
        _arriving(request),
        first=first,
        is_told=tell,
        actor=_actor(department),
    )
    return LoadView.of(load)


async def _arriving(request: Request[Any, Any, Any]) -> AsyncGenerator[bytes]:
    """The body as it comes. Raises MalformedRequest when it breaks off, or stays away for too long."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(CHUNK_SECONDS_MAX):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise MalformedRequest("the lines did not arrive in time") from None
        except InternalServerException:  # the framework's word for a client that went away
            raise MalformedRequest("the body broke off") from None
        yield chunk


@get("/loads/{load_id:uuid}", operation_id="readLoad", summary="How far a load has come",
     responses=refuses(MalformedRequest, LoadNotFound))  # fmt: skip
async def read_load(
    load_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], wallet: NamedDependency[Wallet]
) -> LoadView:
    """What was committed up to now, while lines are being sent too."""
    return LoadView.of(await wallet.loading.read(department.department_id, load_id))


@get("/loads/{load_id:uuid}/refusals", operation_id="listRefusedLines", summary="Which lines were refused, and why",
     responses=refuses(MalformedRequest, LoadNotFound))  # fmt: skip
async def list_refused(
    load_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
    cursor: Cursor = None,
    limit: Limit = 100,
) -> RefusedLinesView:
    """In the order of the lines. No value of a line is repeated."""
    page = await wallet.loading.refusals(department.department_id, load_id, after=int(cursor or 0), limit=limit)
    after = None if page.next_after is None else str(page.next_after)
    return RefusedLinesView([RefusedLineView.of(one) for one in page.refusals], after)


@post("/loads/{load_id:uuid}/finish", operation_id="finishLoad", summary="Finish a load", status_code=200,
      responses=refuses(MalformedRequest, LoadNotFound))  # fmt: skip
async def finish_load(
    load_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], wallet: NamedDependency[Wallet]
) -> LoadView:
    """It takes no more lines. Asked again, the same. It and its report can be read for 90 days more."""
    return LoadView.of(await wallet.loading.finish(department.department_id, load_id, actor=_actor(department)))


@put("/register/{reference:str}", operation_id="putRegisterEntry", status_code=200,
     summary="The entry of your register as it is now",
     responses=refuses(MalformedRequest, KindNotFound, KindNotEntitled, HolderRefused, ValueRefused, ValidityRefused,
                       RevisionReused, ReferenceReused, IdentifierTaken, VersionsExhausted))  # fmt: skip
async def put_entry(
    reference: EntryReference,
    data: JSONBody[EntryRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
) -> EntryView:
    """Send it whenever the entry changes: its certificate is issued, superseded, suspended, restored or revoked, as it
    takes, and the holder told. An older revision that comes late changes nothing, nor does the same one again.
    """
    entered = await wallet.registering.put(department.department_id, data.told(reference), actor=_actor(department))
    today = today_in_city(wallet.clock.now())
    certificate = None if entered.certificate is None else IssuedView.of(entered.certificate, today)
    return EntryView(entered.outcome.value, entered.revision, certificate)


@post("/certificates/{certificate_id:uuid}/reissue", operation_id="reissueCertificate", status_code=201,
      summary="Issue a certificate anew, with the same values",
      responses=refuses(MalformedRequest, CertificateNotFound, KindNotFound, KindNotEntitled, StepNotAllowed,
                        ValueRefused, ValidityRefused, VersionsExhausted, IdentifierTaken, ReferenceReused,
                        ReferenceMissing))  # fmt: skip
async def reissue(
    certificate_id: FromPath[UUID],
    data: JSONBody[ReissueRequest],
    department: NamedDependency[DepartmentSystem],
    wallet: NamedDependency[Wallet],
    idempotency_key: IdempotencyKey = None,
) -> IssuedView:
    """The next version, for new days; the old one is superseded. By its reference or key, once however often asked."""
    reference = data.reference
    if reference is None:
        if idempotency_key is None:
            raise ReferenceMissing
        reference = f"{certificate_id} reissued {idempotency_key}"
    wanted = Renewal(reference=reference, reason=data.reason, valid_from=data.valid_from, valid_until=data.valid_until)
    certificate = await wallet.reissuing.reissue(
        department.department_id, CertificateId(certificate_id), wanted, actor=_actor(department)
    )
    return IssuedView.of(certificate, today_in_city(wallet.clock.now()))


@get("/collections", operation_id="listCollectedKinds", summary="What can be collected from departments",
     responses=refuses(RealNameNeeded))  # fmt: skip
async def list_collected_kinds(
    citizen: NamedDependency[Citizen], wallet: NamedDependency[Wallet]
) -> CollectedKindsView:
    """Kinds of certificates that their departments' registers can be asked for now."""
    return CollectedKindsView(
        [CollectedKindView(kind.kind_code, kind.name.zh, kind.name.en) for kind in wallet.collecting.kinds()]
    )


@post("/collections", operation_id="collectCertificates", status_code=200,
      summary="Have a department's register asked for your certificates",
      responses=refuses(MalformedRequest, RealNameNeeded, KindNotFound, KindNotCollected, RateLimited, RegisterAway,
                        RegisterAnswerRefused))  # fmt: skip
async def collect(
    data: JSONBody[CollectRequest],
    request: Request[Any, Any, Any],
    citizen: NamedDependency[Citizen],
    wallet: NamedDependency[Wallet],
) -> CollectedView:
    """The department is told who you are and which kind you ask for, and what it finds is issued to you.

    That nothing was found is an answer. Asking again issues nothing twice.
    """
    resident = Resident(citizen.account_id, citizen.session_id, citizen.person_id)
    collected = await wallet.collecting.collect(resident, request.scope["user"].audience, data.kind_code)
    today = today_in_city(wallet.clock.now())
    cards = [card_of(wallet.catalogue(), certificate, today) for certificate in collected.certificates]
    return CollectedView("found" if collected.is_found else "nothing_found", collected.issued, cards)


_FOR_RESIDENTS = [list_collected_kinds, collect]
HANDLERS: Handlers = {
    Audience.DEPARTMENT: [open_load, send_lines, read_load, list_refused, finish_load, put_entry, reissue],
    Audience.RESIDENT: _FOR_RESIDENTS,
    Audience.MINI: _FOR_RESIDENTS,
}
