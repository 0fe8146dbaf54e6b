"""What residents do at the gate, over HTTP: for the app under /resident, for the mini-program under /mini."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Stream

from appointments.errors import CursorUnknown, NotInLine, ReleaseNotFound, TooManyJoins, TooManyStreams
from appointments.paging import CURSOR_MAX, Position, position_of
from appointments.parts import Appointments
from appointments.rush.model import FINAL, ReleaseId
from appointments.rush.proving import TEXT_MAX
from appointments.rush.streaming import STREAM_SECONDS_MAX, Said
from appointments.rush.views import PlaceView, ReleasesView, ReleaseView
from kernel.audience import Handlers
from kernel.errors import MalformedRequest, PartAway, RealNameNeeded
from kernel.ids import ServiceId
from kernel.principal import Audience, Citizen, Resident
from kernel.problems import refuses

LIMIT_MAX = 100
EVENT_STREAM = "text/event-stream"
_ENCODER = msgspec.json.Encoder()

Cursor = Annotated[str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")]
OnlyService = Annotated[UUID | None, QueryParameter(description="Releases of this service alone.")]
OnBehalf = Annotated[
    UUID | None, QueryParameter(description="The mandate under which this is for somebody else: it is their place.")
]
Ticket = Annotated[
    str | None,
    HeaderParameter(
        name="Line-Ticket", max_length=TEXT_MAX, description="`ticket` of a place, to get it back after a loss."
    ),
]


@get(
    "/releases",
    operation_id="listReleases",
    summary="Coming and open releases behind the gate",
    responses=refuses(MalformedRequest, CursorUnknown),
)
async def list_releases(
    resident: NamedDependency[Resident],
    appointments: NamedDependency[Appointments],
    service_id: OnlyService = None,
    cursor: Annotated[
        str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)] = 50,
) -> ReleasesView:
    """When which service opens how many places for everybody at once, soonest first; those open already, too."""
    del resident  # whoever is signed in may look
    gate, now = appointments.gate, appointments.clock.now()
    found = gate.releases.coming_and_open(None if service_id is None else ServiceId(service_id))
    if cursor is not None:
        after = position_of(cursor)
        found = [one for one in found if (one.opens_at, one.release_id) > (after.moment, after.last_id)]
    shown = sorted(found, key=lambda one: (one.opens_at, one.release_id))[:limit]
    more = Position.of(shown[-1].opens_at, shown[-1].release_id).cursor() if len(found) > limit else None
    proofs = gate.proofs
    views = [
        ReleaseView.of(one, seed=proofs.seed(one.release_id), seed_sha256=proofs.seed_hash(one.release_id), now=now)
        for one in shown
    ]
    return ReleasesView(views, more)


@put(
    "/releases/{release_id:uuid}/place",
    operation_id="joinLine",
    summary="Get in line for a release",
    status_code=200,
    responses=refuses(MalformedRequest, RealNameNeeded, ReleaseNotFound, TooManyJoins, PartAway),
)
async def join_line(
    request: Request[Any, Any, Any],
    release_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    mandate_id: OnBehalf = None,
    ticket: Ticket = None,
) -> PlaceView:
    """Get in line, once for each person, however many phones ask and however often.

    Before the release everybody comes into the pool, which is shuffled at the release; afterwards behind it.
    """
    person_id = await appointments.whose(citizen.person_id, mandate_id)
    client = request.scope.get("client")
    place = await appointments.gate.join(
        ReleaseId(release_id), person_id, address=client[0] if client else None, ticket=ticket
    )
    return PlaceView.of(place)


@get(
    "/releases/{release_id:uuid}/place",
    operation_id="readPlaceInLine",
    summary="Where I stand in line",
    responses=refuses(MalformedRequest, RealNameNeeded, ReleaseNotFound, NotInLine, PartAway),
)
async def read_place_in_line(
    release_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    mandate_id: OnBehalf = None,
) -> PlaceView:
    """The place in line, and the admission once it has come. Ask again after `poll_after_seconds`, not sooner."""
    person_id = await appointments.whose(citizen.person_id, mandate_id)
    return PlaceView.of(await appointments.gate.read(ReleaseId(release_id), person_id))


@delete(
    "/releases/{release_id:uuid}/place",
    operation_id="leaveLine",
    summary="Get out of line",
    status_code=204,
    responses=refuses(MalformedRequest, RealNameNeeded, ReleaseNotFound, PartAway),
)
async def leave_line(
    release_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    mandate_id: OnBehalf = None,
) -> None:
    """Give the place in line up, or the admission: whoever is next moves up. Doing it twice is doing it once."""
    person_id = await appointments.whose(citizen.person_id, mandate_id)
    await appointments.gate.leave(ReleaseId(release_id), person_id)


@get(
    "/releases/{release_id:uuid}/place/events",
    operation_id="followPlaceInLine",
    summary="Where I stand in line, told as it changes",
    media_type=EVENT_STREAM,
    responses=refuses(MalformedRequest, RealNameNeeded, ReleaseNotFound, NotInLine, TooManyStreams, PartAway),
)
async def follow_place_in_line(
    release_id: FromPath[UUID],
    citizen: NamedDependency[Citizen],
    appointments: NamedDependency[Appointments],
    mandate_id: OnBehalf = None,
    seconds: Annotated[
        int, QueryParameter(ge=1, le=STREAM_SECONDS_MAX, description="When the stream ends; connect again then.")
    ] = STREAM_SECONDS_MAX,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=64)] = None,
) -> Response[str]:
    """Server-Sent Events named `place`, each with what asking for the place answers. Asking always works, too."""
    person_id, gate = await appointments.whose(citizen.person_id, mandate_id), appointments.gate
    if gate.streams.is_full:
        raise TooManyStreams(retry_after_seconds=STREAM_SECONDS_MAX // 10)
    await gate.read(ReleaseId(release_id), person_id)  # a refusal is said as one, before anything is sent

    async def look() -> Said:
        try:
            view = PlaceView.of(await gate.read(ReleaseId(release_id), person_id))
        except (NotInLine, ReleaseNotFound) as gone:
            return _ENCODER.encode({"code": gone.code}), gone.code.encode(), True
        telling = (view.state, view.position, view.wait_seconds, view.admission, view.free)
        return _ENCODER.encode(view), _ENCODER.encode(telling), view.state in FINAL

    told: AsyncIterator[bytes] = gate.streams.follow(look, last_event_id=last_event_id, seconds=seconds)
    streamed: Any = Stream(
        told, media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    return cast("Response[str]", streamed)


_RESIDENTS = (list_releases, join_line, read_place_in_line, leave_line)
HANDLERS: Handlers = {Audience.RESIDENT: (*_RESIDENTS, follow_place_in_line), Audience.MINI: _RESIDENTS}
