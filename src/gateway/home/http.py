"""The first page, health, metrics, and the API descriptions."""

from uuid import UUID

import msgspec
from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from gateway.home import page
from gateway.home.errors import NoSuchDescription, NotReady
from gateway.home.home import Home
from gateway.home.parts_state import CityState
from kernel.audience import Handlers
from kernel.principal import Audience, VenueDevice
from kernel.problems import refuses


@get("/", operation_id="firstPage", media_type=MediaType.HTML, include_in_schema=False)
async def first_page(home: NamedDependency[Home]) -> Response[str]:
    """What this is, who can sign in, and how each part is."""
    text = page.first_page(await home.state(), home.cast)
    return Response(text, headers={"Content-Security-Policy": page.CONTENT_SECURITY_POLICY})


@get("/reference/{audience:str}", operation_id="apiReference", media_type=MediaType.HTML, include_in_schema=False)
async def api_reference(audience: FromPath[str]) -> Response[str]:
    """The API reference of one audience, for people."""
    if audience not in [*Audience, "notify"]:
        raise NoSuchDescription
    return Response(page.reference_page(audience), headers={"Content-Security-Policy": page.REFERENCE_SECURITY_POLICY})


@get(
    "/openapi/{description:str}",
    operation_id="apiDescription",
    summary="The API description of one audience",
    responses=refuses(NoSuchDescription),
    include_in_schema=False,
)
async def api_description(description: FromPath[str], home: NamedDependency[Home]) -> Response[bytes]:
    """The API description of one audience, as `<audience>.json`, for programs."""
    found = home.descriptions().get(description.removesuffix(".json"))
    if found is None:
        raise NoSuchDescription
    return Response(found, media_type=MediaType.JSON, headers={"Cache-Control": "no-cache"})


@get("/health/live", operation_id="isLive", summary="Whether the process answers")
async def is_live() -> dict[str, str]:
    """Answers as long as the process runs; restart it when it does not."""
    return {"state": "live"}


@get("/health/ready", operation_id="isReady", summary="Whether the city can be used", responses=refuses(NotReady))
async def is_ready(home: NamedDependency[Home]) -> Response[CityState]:
    """The state of each part. 503, with the same members, while a part the city needs is away."""
    state = await home.state()
    if not state.ready:
        raise NotReady(ready=False, parts=state.parts, retry_after_seconds=1)
    return Response(state)


@get("/metrics", operation_id="metrics", media_type="text/plain; version=0.0.4", include_in_schema=False)
async def metrics(home: NamedDependency[Home]) -> bytes:
    """Counts and durations of this process in the Prometheus text format."""
    return home.telemetry.render()


class DeviceView(msgspec.Struct):
    """The device whose token this is."""

    device_id: UUID
    venue_id: UUID


@get("/me", operation_id="readDevice", summary="Which device this token proves", status_code=200)
async def read_device(device: NamedDependency[VenueDevice]) -> DeviceView:
    """The first thing to call when you integrate: it works when your key and your token do."""
    return DeviceView(device.device_id, device.venue_id)


HANDLERS: Handlers = {
    Audience.PUBLIC: [first_page, api_reference, api_description, is_live, is_ready, metrics],
    Audience.VENUE: [read_device],
}
