"""Where the clouds' callbacks come in. They bring no proof but the address they were told, so that holds a secret.

They are no part of what everybody is offered: docs/CARRIERS.md says what to enter in a cloud's console.
"""

from typing import Annotated, Any

from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter

from kernel.audience import Handlers
from kernel.errors import BodyTooLarge, MalformedRequest, NoSuchPath
from kernel.principal import Audience
from kernel.problems import refuses
from notifications.channels.clouds.callbacks import ANSWERS, BODY_BYTES_MAX, Cloud, CloudCallbacks, Door

DoorSecret = Annotated[str, PathParameter(max_length=128, description="What the provider was told.")]
_REFUSES = refuses(BodyTooLarge, MalformedRequest, NoSuchPath)


@post(
    "/carriers/aliyun/{secret:str}/reports",
    operation_id="takeAliyunReports",
    summary="Reports of delivery (SmsReport)",
    status_code=200,
    include_in_schema=False,
    request_max_body_size=BODY_BYTES_MAX,
    responses=_REFUSES,
)
async def take_aliyun_reports(
    secret: DoorSecret, request: Request[Any, Any, Any], carrier_callbacks: NamedDependency[CloudCallbacks]
) -> Response[bytes]:
    """Store reports of delivery; answered when they are durable."""
    door = _door(carrier_callbacks, "aliyun", secret)
    await carrier_callbacks.take_reports(door, await request.body())
    return _well(door)


@post(
    "/carriers/aliyun/{secret:str}/replies",
    operation_id="hearAliyunReplies",
    summary="What people answered (SmsUp)",
    status_code=200,
    include_in_schema=False,
    request_max_body_size=BODY_BYTES_MAX,
    responses=_REFUSES,
)
async def hear_aliyun_replies(
    secret: DoorSecret, request: Request[Any, Any, Any], carrier_callbacks: NamedDependency[CloudCallbacks]
) -> Response[bytes]:
    """Store what people answered; answered when it is durable."""
    door = _door(carrier_callbacks, "aliyun", secret)
    await carrier_callbacks.hear_replies(door, await request.body())
    return _well(door)


@post(
    "/carriers/tencent/{secret:str}/reports",
    operation_id="takeTencentReports",
    summary="Reports of delivery (短信下发状态通知)",
    status_code=200,
    include_in_schema=False,
    request_max_body_size=BODY_BYTES_MAX,
    responses=_REFUSES,
)
async def take_tencent_reports(
    secret: DoorSecret, request: Request[Any, Any, Any], carrier_callbacks: NamedDependency[CloudCallbacks]
) -> Response[bytes]:
    """Store reports of delivery; answered when they are durable."""
    door = _door(carrier_callbacks, "tencent", secret)
    await carrier_callbacks.take_reports(door, await request.body())
    return _well(door)


@post(
    "/carriers/tencent/{secret:str}/replies",
    operation_id="hearTencentReplies",
    summary="What people answered (短信回复)",
    status_code=200,
    include_in_schema=False,
    request_max_body_size=BODY_BYTES_MAX,
    responses=_REFUSES,
)
async def hear_tencent_replies(
    secret: DoorSecret, request: Request[Any, Any, Any], carrier_callbacks: NamedDependency[CloudCallbacks]
) -> Response[bytes]:
    """Store what people answered; answered when it is durable."""
    door = _door(carrier_callbacks, "tencent", secret)
    await carrier_callbacks.hear_replies(door, await request.body())
    return _well(door)


def _door(callbacks: CloudCallbacks, cloud: Cloud, secret: str) -> Door:
    """Raises NoSuchPath: whoever does not know the secret finds nothing here."""
    door = callbacks.door_of(cloud, secret)
    if door is None:
        raise NoSuchPath
    return door


def _well(door: Door) -> Response[bytes]:
    return Response(ANSWERS[door.cloud], media_type=MediaType.JSON)


_HERE: list[HTTPRouteHandler] = [
    take_aliyun_reports,
    hear_aliyun_replies,
    take_tencent_reports,
    hear_tencent_replies,
]

HANDLERS: Handlers = {Audience.PUBLIC: _HERE}
