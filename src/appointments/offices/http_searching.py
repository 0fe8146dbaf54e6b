"""What can be booked where, and when: for the app under /resident, for the mini-program under /mini."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter
from msgspec.structs import replace

from appointments.errors import CursorUnknown, DaysOutOfRange, ServiceNotFound
from appointments.model import DayPart, Lane
from appointments.offices import searching
from appointments.offices.errors import NearUnusable
from appointments.offices.measuring import METRES_MAX, Point
from appointments.offices.searching import Order, search, wish_of
from appointments.offices.views import OfficesView, ServicesView, SlotsView
from appointments.paging import CURSOR_MAX
from appointments.parts import Appointments
from kernel.audience import OPEN, Handlers
from kernel.errors import MalformedRequest
from kernel.ids import OfficeId, ServiceId
from kernel.principal import Audience, Resident
from kernel.problems import refuses

Known = Annotated[str | None, HeaderParameter(name="If-None-Match", max_length=200)]
District = Annotated[
    str | None, QueryParameter(pattern=r"^[0-9]{6}$(?!\n)", description="Six-digit code of GB/T 2260.")
]
Near = Annotated[
    str | None,
    QueryParameter(
        pattern=r"^-?[0-9]{1,2}(\.[0-9]{1,6})?,-?[0-9]{1,3}(\.[0-9]{1,6})?$(?!\n)",
        description="`latitude,longitude` in degrees (WGS 84). Three decimals, a hundred metres, are plenty.",
    ),
]
_LATITUDE_MAX: Final = 90
_LONGITUDE_MAX: Final = 180
_CATALOGUE = {
    304: ResponseSpec(data_container=None, generate_examples=False, description="You have the newest."),
    **refuses(MalformedRequest),
}


@get(
    "/offices",
    operation_id="listOffices",
    summary="Offices and their weekly hours",
    opt={OPEN: True},
    security=[{}],
    responses=_CATALOGUE,
)
async def list_offices(appointments: NamedDependency[Appointments], known: Known = None) -> Response[OfficesView]:
    """Every office, the services it has a desk for, and when that is open."""
    catalogue = appointments.catalogues.current
    return _unless_known(catalogue.etag, known, lambda: OfficesView.of(catalogue))


@get(
    "/services",
    operation_id="listServices",
    summary="What can be booked",
    opt={OPEN: True},
    security=[{}],
    responses=_CATALOGUE,
)
async def list_services(appointments: NamedDependency[Appointments], known: Known = None) -> Response[ServicesView]:
    """Every service that can be booked, on what terms, the department that answers for it, and what to bring."""
    catalogue = appointments.catalogues.current
    return _unless_known(catalogue.etag, known, lambda: ServicesView.of(catalogue))


@get(
    "/slots",
    operation_id="searchSlots",
    summary="Hours of a service, and how many places are free",
    responses=refuses(MalformedRequest, CursorUnknown, ServiceNotFound, DaysOutOfRange, NearUnusable),
)
async def search_slots(
    resident: NamedDependency[Resident],
    appointments: NamedDependency[Appointments],
    service_id: Annotated[UUID, QueryParameter()],
    office_id: Annotated[UUID | None, QueryParameter()] = None,
    district: District = None,
    near: Near = None,
    within_m: Annotated[
        int | None, QueryParameter(ge=1, le=METRES_MAX, description="Counts with `near`: no further than that.")
    ] = None,
    first_day: Annotated[
        date | None, QueryParameter(name="from", description="A day in Shanghai; today if left out.")
    ] = None,
    last_day: Annotated[
        date | None, QueryParameter(name="to", description="The last day; two weeks after if left out.")
    ] = None,
    day_part: Annotated[
        DayPart | None, QueryParameter(description="0 before 12:00, 1 before 18:00, 2 later; any if left out.")
    ] = None,
    lane: Annotated[Lane | None, QueryParameter(description="办理方式; every lane if left out.")] = None,
    only_free: Annotated[bool, QueryParameter(description="Leave out what is sold out.")] = False,
    sort: Annotated[
        Literal["time", "distance"] | None,
        QueryParameter(description="`distance` needs `near`, and is meant where that is given."),
    ] = None,
    cursor: Annotated[
        str | None, QueryParameter(max_length=CURSOR_MAX, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=searching.LIMIT_MAX)] = 50,
) -> SlotsView:
    """Slots that have not begun, those sold out with `free` 0: earliest first, or the nearest office's first. Days are
    Shanghai's."""
    del resident  # whoever is signed in may look
    catalogue = appointments.catalogues.current
    wish = wish_of(catalogue, ServiceId(service_id), first_day, last_day, now=appointments.clock.now())
    wish = replace(
        wish,
        district=district,
        office_id=None if office_id is None else OfficeId(office_id),
        day_part=day_part,
        lane=lane,
        only_free=only_free,
        near=_point(near),
        within_m=within_m,
    )
    order = (Order.TIME if wish.near is None else Order.DISTANCE) if sort is None else Order(sort)
    if wish.near is None and (order is Order.DISTANCE or within_m is not None):
        raise NearUnusable("by distance from where? `near` is missing")
    return SlotsView.of(await search(appointments.db, appointments.clock, catalogue, wish, cursor, limit, order))


def _point(near: str | None) -> Point | None:
    """Raises NearUnusable for what is nowhere on Earth."""
    if near is None:
        return None
    latitude, longitude = map(float, near.split(","))
    if abs(latitude) > _LATITUDE_MAX or abs(longitude) > _LONGITUDE_MAX:
        raise NearUnusable("`near` is nowhere on Earth")
    return Point(latitude, longitude)


def _unless_known(etag: str, known: str | None, view: Callable[[], Any]) -> Response[Any]:
    headers = {"ETag": etag, "Cache-Control": "private, max-age=60"}
    if known is not None and etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(None, status_code=304, headers=headers)
    return Response(view(), headers=headers)


_RESIDENTS: Sequence[HTTPRouteHandler] = (list_offices, list_services, search_slots)
HANDLERS: Handlers = {Audience.RESIDENT: _RESIDENTS, Audience.MINI: _RESIDENTS}
