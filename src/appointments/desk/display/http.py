"""The hall's display over HTTP, for everybody: numbers and counters, once, as they change, or as a page."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast
from uuid import UUID

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from appointments.desk.display.boards import STREAM_SECONDS_MAX, Board
from appointments.desk.display.page import CONTENT_SECURITY_POLICY, board_page
from appointments.errors import OfficeNotFound, TooManyWatching
from appointments.parts import Appointments
from kernel.audience import Handlers
from kernel.errors import MalformedRequest
from kernel.ids import OfficeId
from kernel.principal import Audience
from kernel.problems import refuses

EVENT_STREAM = "text/event-stream"


@get("/public/offices/{office_id:uuid}/display", operation_id="readDisplay", summary="An office's display, now",
     responses=refuses(MalformedRequest, OfficeNotFound))  # fmt: skip
async def read_display(office_id: FromPath[UUID], appointments: NamedDependency[Appointments]) -> Board:
    """Which number is at which counter, what was called last, how many wait for what and about how long."""
    return await appointments.desks.displays.board(OfficeId(office_id))


@get("/public/offices/{office_id:uuid}/display/events", operation_id="watchDisplay",
     summary="An office's display, as it changes", media_type=EVENT_STREAM,
     responses=refuses(MalformedRequest, OfficeNotFound, TooManyWatching))  # fmt: skip
async def watch_display(
    office_id: FromPath[UUID],
    appointments: NamedDependency[Appointments],
    seconds: Annotated[
        int, QueryParameter(ge=1, le=STREAM_SECONDS_MAX, description="When the stream ends; connect again then.")
    ] = STREAM_SECONDS_MAX,
) -> Response[str]:
    """Server-Sent Events named `board`, each with the whole display. Asking now and then always works, too."""
    told: AsyncIterator[bytes] = await appointments.desks.displays.watch(OfficeId(office_id), seconds=seconds)
    streamed: Any = Stream(
        told, media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    return cast("Response[str]", streamed)


@get("/public/offices/{office_id:uuid}/board", operation_id="showBoard", summary="An office's display, as a page",
     media_type=MediaType.HTML, responses=refuses(MalformedRequest, OfficeNotFound))  # fmt: skip
async def show_board(office_id: FromPath[UUID], appointments: NamedDependency[Appointments]) -> Response[str]:
    """For the screen of the hall, and for phones."""
    page = board_page(await appointments.desks.displays.board(OfficeId(office_id)))
    return Response(page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


HANDLERS: Handlers = {Audience.PUBLIC: (read_display, watch_display, show_board)}
