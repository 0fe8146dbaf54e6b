"""Batches on the wire: a department opens one, streams its rows, and steers it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import FromPath, JSONBody, QueryParameter

from kernel.audience import Handlers
from kernel.clock import is_on_calendar
from kernel.errors import MalformedRequest, RoleMissing, UnsupportedMedia
from kernel.principal import Audience, DepartmentSystem
from kernel.problems import refuses
from notifications import paging
from notifications.batches.errors import (
    BatchClosed,
    BatchesBusy,
    BatchIncomplete,
    BatchLaneRefused,
    BatchNotFound,
    BatchRefusedTooOften,
    BatchReused,
    BatchScattered,
    BatchStepNotAllowed,
    TooManyBatches,
    TooManyRows,
)
from notifications.batches.model import ROWS_MAX, Act
from notifications.batches.pacing import PACED_BYTES_MIN, Pace
from notifications.batches.parts import Batches
from notifications.batches.progress import PAGE_MAX, REFUSALS_PAGE_MAX
from notifications.batches.reading import LINE_BYTES_MAX
from notifications.batches.taking import Form
from notifications.batches.views import (
    SPANS_SHOWN_MAX,
    BatchesView,
    BatchRequest,
    BatchView,
    MissingView,
    RefusedRowsView,
    RefusedRowView,
    SpanView,
    StartRequest,
)
from notifications.errors import CursorUnknown
from notifications.services.errors import SendTimeRefused, TextNotInUse

NDJSON, CSV = "application/x-ndjson", "text/csv"
FORMS: dict[str, Form] = {NDJSON: "ndjson", CSV: "csv"}
CHUNK_SECONDS_MAX = 30.0
"""How long the next piece of a stream may take: as long as a body may."""
_END = r"$(?!\n)"


@dataclass
class _RowsOperation(Operation):
    """Describes a body that is read as it comes."""

    def __post_init__(self) -> None:
        json = Schema(
            description='On each line `{"phone": …, "values": {…}, "reference": …}`; or `email`, or `id_number`.'
        )
        csv = Schema(
            type=OpenAPIType.STRING,
            description="RFC 4180 in UTF-8, without line breaks in cells: a quote that is not closed in its line ends"
            " the request. The first line, in every request, names a column phone, email or id_number, perhaps"
            " reference, and one for each gap of the text.",
        )
        self.request_body = RequestBody(
            content={NDJSON: OpenAPIMediaType(schema=json), CSV: OpenAPIMediaType(schema=csv)},
            description=f"Lines of at most {LINE_BYTES_MAX} bytes, each ended by a line feed; as many as you like, at"
            f" least {PACED_BYTES_MIN} bytes a minute. Not compressed. Blank lines are no rows, but counted.",
            required=True,
        )


From = Annotated[
    int, QueryParameter(name="from", ge=1, le=ROWS_MAX, description="The number of the first row that you send.")
]
RowCursor = Annotated[
    str | None, QueryParameter(pattern=rf"^[0-9]{{1,10}}{_END}", description="`next_cursor` of the page before.")
]
BatchCursor = Annotated[str | None, QueryParameter(max_length=80, description="`next_cursor` of the page before.")]
_UTF_8 = frozenset({"utf-8", "utf8"})


def _actor(department: DepartmentSystem) -> str:
    return f"department:{department.department_id}"


async def _view(batches: Batches, department: DepartmentSystem, batch_id: UUID) -> BatchView:
    return BatchView.of(await batches.watching.read(department.department_id, batch_id))


@put("/batches/{batch_id:uuid}", operation_id="openBatch", summary="Open a batch: one text to many", status_code=200,
     responses=refuses(MalformedRequest, BatchNotFound, BatchReused, TextNotInUse, BatchLaneRefused, SendTimeRefused,
                       TooManyBatches, RoleMissing))  # fmt: skip
async def open_batch(
    batch_id: FromPath[UUID],
    data: JSONBody[BatchRequest],
    department: NamedDependency[DepartmentSystem],
    batches: NamedDependency[Batches],
) -> BatchView:
    """Under an id that you choose; again in the same words, the same batch as it stands."""
    department_id = department.department_id
    version = data.version or await batches.taking.version_of(department_id, batch_id, data.text_id)
    await batches.taking.open(department_id, batch_id, data.plan(version), actor=_actor(department))
    return await _view(batches, department, batch_id)


@post("/batches/{batch_id:uuid}/lines", operation_id="sendBatchLines", operation_class=_RowsOperation, status_code=200,
      summary="Send rows of a batch", request_max_body_size=None,
      responses=refuses(MalformedRequest, UnsupportedMedia, BatchNotFound, BatchClosed, BatchScattered,
                        BatchRefusedTooOften, BatchesBusy, TooManyRows, TextNotInUse, RoleMissing))  # fmt: skip
async def send_batch_lines(
    batch_id: FromPath[UUID],
    first: From,
    request: Request[Any, Any, Any],
    department: NamedDependency[DepartmentSystem],
    batches: NamedDependency[Batches],
) -> BatchView:
    """Lines of JSON or CSV, read as they come and kept sealed. A row is known by its number: each line is one, counted
    from `from`; a row that came before is skipped, one that was refused is looked at again. Nothing is lost when the
    connection is: ask how far the batch is, or which rows are missing, and send those.

    A row that is refused is told with its reason, and keeps no other from being sent.
    """
    form = _form_of(request.headers.get("content-type", ""), request.headers.get("content-encoding", ""))
    await batches.taking.take(department.department_id, batch_id, _arriving(request), first=first, form=form)
    return await _view(batches, department, batch_id)


def _form_of(content_type: str, content_encoding: str) -> Form:
    """What rows are sent as. Raises UnsupportedMedia."""
    media, *parameters = content_type.split(";")
    form = FORMS.get(media.strip().lower())
    if form is None:
        raise UnsupportedMedia(f"rows are sent as {NDJSON} or {CSV}")
    for name, _, said in (parameter.partition("=") for parameter in parameters):
        if name.strip().lower() == "charset" and said.strip().strip('"').lower() not in _UTF_8:
            raise UnsupportedMedia("rows are sent in UTF-8")
    if content_encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMedia("rows are not sent compressed")
    return form


async def _arriving(request: Request[Any, Any, Any]) -> AsyncGenerator[bytes]:
    """The body as it comes. Raises MalformedRequest when it breaks off, stays away for long, or comes too slowly."""
    chunks, clock, pace = request.stream(), asyncio.get_running_loop().time, Pace()
    while True:
        began = clock()
        try:
            async with asyncio.timeout(CHUNK_SECONDS_MAX):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise MalformedRequest("the rows did not arrive in time") from None
        except InternalServerException:  # the framework's word for a client that went away
            raise MalformedRequest("the body broke off") from None
        pace.came(len(chunk), waited_seconds=clock() - began)
        yield chunk


@get("/batches", operation_id="listBatches", summary="Your batches, newest first",
     responses=refuses(CursorUnknown, RoleMissing))  # fmt: skip
async def list_batches(
    department: NamedDependency[DepartmentSystem],
    batches: NamedDependency[Batches],
    cursor: BatchCursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = 20,
) -> BatchesView:
    """How far each is."""
    page = await batches.watching.page(department.department_id, before=before_of(cursor), limit=limit)
    return BatchesView([BatchView.of(one) for one in page.batches], cursor_of(page.next_before))


def cursor_of(before: tuple[datetime, UUID] | None) -> str | None:
    """Where a page begins: when its first batch was opened, and which it is."""
    return None if before is None else paging.cursor_of(*before)


def before_of(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Raises CursorUnknown."""
    if cursor is None:
        return None
    try:
        at, [batch_id] = paging.place_of(cursor)
    except ValueError:
        raise CursorUnknown from None
    if not is_on_calendar(at):
        raise CursorUnknown
    return at, batch_id


@get("/batches/{batch_id:uuid}", operation_id="readBatch", summary="How far a batch is",
     responses=refuses(BatchNotFound, RoleMissing))  # fmt: skip
async def read_batch(
    batch_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], batches: NamedDependency[Batches]
) -> BatchView:
    """While rows are being sent, too."""
    return await _view(batches, department, batch_id)


@get("/batches/{batch_id:uuid}/missing", operation_id="listMissingRows", summary="Which rows to send",
     responses=refuses(BatchNotFound, RoleMissing))  # fmt: skip
async def list_missing(
    batch_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], batches: NamedDependency[Batches]
) -> MissingView:
    """The gaps before the last row that came, or before the last that you announced. The first thousand of them."""
    progress = await batches.watching.read(department.department_id, batch_id)
    return MissingView([SpanView.of(span) for span in progress.batch.missing[:SPANS_SHOWN_MAX]])


@get("/batches/{batch_id:uuid}/refused", operation_id="listRefusedRows", summary="Which rows were refused, and why",
     responses=refuses(MalformedRequest, BatchNotFound, RoleMissing))  # fmt: skip
async def list_refused_rows(
    batch_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    batches: NamedDependency[Batches],
    cursor: RowCursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=REFUSALS_PAGE_MAX)] = 100,
) -> RefusedRowsView:
    """In the order of the rows. No value of a row is repeated."""
    page = await batches.watching.refusals(department.department_id, batch_id, after=int(cursor or 0), limit=limit)
    after = None if page.next_after is None else str(page.next_after)
    return RefusedRowsView([RefusedRowView.of(one) for one in page.refusals], after)


_STEP_REFUSALS = (BatchNotFound, BatchStepNotAllowed, RoleMissing)


@post("/batches/{batch_id:uuid}/start", operation_id="startBatch", summary="Start a batch", status_code=200,
      responses=refuses(MalformedRequest, BatchIncomplete, TextNotInUse, *_STEP_REFUSALS))  # fmt: skip
async def start_batch(
    batch_id: FromPath[UUID],
    data: JSONBody[StartRequest],
    department: NamedDependency[DepartmentSystem],
    batches: NamedDependency[Batches],
) -> BatchView:
    """From now on, or from `send_at` on, it is sent; it takes no more rows."""
    await batches.steering.act(
        department.department_id,
        batch_id,
        Act.START,
        actor=_actor(department),
        without_missing=data.without_missing,
    )
    return await _view(batches, department, batch_id)


@post("/batches/{batch_id:uuid}/pause", operation_id="pauseBatch", summary="Pause a batch", status_code=200,
      responses=refuses(*_STEP_REFUSALS))  # fmt: skip
async def pause_batch(
    batch_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], batches: NamedDependency[Batches]
) -> BatchView:
    """Nothing more leaves but what is being sent at this moment."""
    await batches.steering.act(department.department_id, batch_id, Act.PAUSE, actor=_actor(department))
    return await _view(batches, department, batch_id)


@post("/batches/{batch_id:uuid}/resume", operation_id="resumeBatch", summary="Resume a batch", status_code=200,
      responses=refuses(TextNotInUse, *_STEP_REFUSALS))  # fmt: skip
async def resume_batch(
    batch_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], batches: NamedDependency[Batches]
) -> BatchView:
    """It goes on where it was paused; one that an operator paused, when an operator resumes it."""
    await batches.steering.act(department.department_id, batch_id, Act.RESUME, actor=_actor(department))
    return await _view(batches, department, batch_id)


@post("/batches/{batch_id:uuid}/cancel", operation_id="cancelBatch", summary="Cancel a batch", status_code=200,
      responses=refuses(*_STEP_REFUSALS))  # fmt: skip
async def cancel_batch(
    batch_id: FromPath[UUID], department: NamedDependency[DepartmentSystem], batches: NamedDependency[Batches]
) -> BatchView:
    """What was not sent will not be, and its rows are forgotten. What is sent is sent."""
    await batches.steering.act(department.department_id, batch_id, Act.CANCEL, actor=_actor(department))
    return await _view(batches, department, batch_id)


HANDLERS: Handlers = {
    Audience.DEPARTMENT: [
        open_batch, send_batch_lines, list_batches, read_batch, list_missing, list_refused_rows, start_batch,
        pause_batch, resume_batch, cancel_batch,
    ],
}  # fmt: skip
