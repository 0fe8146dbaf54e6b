"""Setting callbacks over HTTP: departments say where they are called back; operators see which are left alone."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from kernel.audience import Handlers
from kernel.errors import RoleMissing
from kernel.principal import Audience, DepartmentSystem, Operator
from kernel.problems import refuses
from notifications.callbacks.errors import AddressNotCalled, CallbackIdTaken, CallbackNotFound, TooManyCallbacks
from notifications.callbacks.model import (
    OVERLAP,
    OVERLAP_MAX,
    URL_CHARACTERS_MAX,
    DisabledFor,
    Endpoint,
    EndpointId,
    EventType,
)
from notifications.callbacks.parts import Callbacks
from notifications.callbacks.queries import Counted

Subscribed = Literal["message.delivered", "message.failed", "message.unknown", "text.received", "batch.finished"]
assert set(Subscribed.__args__) == set(EventType) - {EventType.TEST}  # type: ignore[attr-defined]


class CallbackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where you are called back, and what about. `https` only, and no address of a private network."""

    url: Annotated[
        str,
        Meta(
            min_length=10,
            max_length=URL_CHARACTERS_MAX,
            pattern=r"^[\x21-\x7e]+$(?!\n)",
            examples=["https://app.hr.example/calls"],
        ),
    ]
    events: Annotated[list[Subscribed], Meta(min_length=1, max_length=5)]


class CallbackView(msgspec.Struct):
    """A callback. `waiting` and `dead` count its events up to 10,000. `secrets` sign at once, newest first.

    `failing_since`: since when it takes nothing. `disabled_for`: why we call it no more: `failing` for five days,
    `gone` (it answered 410), or an `operator`'s hand. Enable it, then replay what it missed.
    """

    callback_id: UUID
    url: str
    events: list[EventType]
    made_at: datetime
    secrets: int
    waiting: int
    dead: int
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: DisabledFor | None
    secret: str | None = None
    """`whsec_…`: shown here once, when it was made. Your Standard Webhooks library takes it as it is."""

    @classmethod
    def of(cls, endpoint: Endpoint, counted: Counted, *, now: datetime, secret: str | None = None) -> "CallbackView":
        return cls(
            callback_id=endpoint.endpoint_id,
            url=endpoint.target.url,
            events=sorted(endpoint.events),
            made_at=endpoint.made_at,
            secrets=len(endpoint.target.signing(now)),
            waiting=counted.waiting,
            dead=counted.dead,
            failing_since=endpoint.failing_since,
            disabled_at=endpoint.disabled_at,
            disabled_for=endpoint.disabled_for,
            secret=secret,
        )

    def __repr__(self) -> str:
        return f"CallbackView({self.callback_id})"


class CallbacksView(msgspec.Struct):
    callbacks: list[CallbackView]


@put(
    "/callbacks/{callback_id:uuid}",
    operation_id="putCallback",
    summary="Be called back",
    status_code=200,
    responses=refuses(RoleMissing, AddressNotCalled, CallbackIdTaken, TooManyCallbacks),
)
async def put_callback(
    callback_id: FromPath[UUID],
    data: JSONBody[CallbackRequest],
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
) -> CallbackView:
    """Set an address of yours, under an id you chose, that we call with what becomes of your messages.

    Calls are signed by Standard Webhooks and tried for 24 hours; only a status of 2xx takes one. They come in no order,
    and one may come twice: by `webhook-id`, the same at every try, you know what you have seen. Messages to people whom
    you named by an ID number are left out, since even their end would tell you whether we know the person.
    """
    events = [EventType(kind) for kind in data.events]
    made = await callbacks.setting.put(department.department_id, EndpointId(callback_id), data.url, events)
    counted = (await callbacks.keeping.counted([made.endpoint]))[made.endpoint.endpoint_id]
    return CallbackView.of(made.endpoint, counted, now=callbacks.clock.now(), secret=made.secret)


@get("/callbacks", operation_id="listCallbacks", summary="Where you are called back", responses=refuses(RoleMissing))
async def list_callbacks(
    department: NamedDependency[DepartmentSystem], callbacks: NamedDependency[Callbacks]
) -> CallbacksView:
    """Your callbacks, and how each is."""
    await callbacks.endpoints.snapshot.refresh()
    endpoints = callbacks.keeping.of(department.department_id)
    counted = await callbacks.keeping.counted(endpoints)
    now = callbacks.clock.now()
    return CallbacksView([CallbackView.of(one, counted[one.endpoint_id], now=now) for one in endpoints])


@delete(
    "/callbacks/{callback_id:uuid}",
    operation_id="removeCallback",
    summary="Be called back no more",
    responses=refuses(RoleMissing, CallbackNotFound),
)
async def remove_callback(
    callback_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
) -> None:
    """Remove a callback; what it was still to be told is forgotten."""
    await callbacks.setting.remove(department.department_id, EndpointId(callback_id))


class RotateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How long the secrets before sign beside the new one, in hours; 0 if one of them leaked."""

    overlap_hours: Annotated[int, Meta(ge=0, le=int(OVERLAP_MAX / timedelta(hours=1)))] = int(
        OVERLAP / timedelta(hours=1)
    )


class SecretView(msgspec.Struct):
    """The new secret, shown here once."""

    secret: str

    def __repr__(self) -> str:
        return "SecretView(…)"


@post(
    "/callbacks/{callback_id:uuid}/secrets",
    operation_id="rotateCallbackSecret",
    summary="Sign with a new secret",
    status_code=200,
    responses=refuses(RoleMissing, CallbackNotFound),
)
async def rotate_callback_secret(
    callback_id: FromPath[UUID],
    data: JSONBody[RotateRequest],
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
) -> SecretView:
    """Have a new secret sign. Until the overlap is over calls carry a signature of each, and either verifies."""
    overlap = timedelta(hours=data.overlap_hours)
    made = await callbacks.setting.rotate(department.department_id, EndpointId(callback_id), overlap)
    assert made.secret is not None
    return SecretView(made.secret)


@post(
    "/callbacks/{callback_id:uuid}/enable",
    operation_id="enableCallback",
    summary="Be called back again",
    status_code=200,
    responses=refuses(RoleMissing, CallbackNotFound),
)
async def enable_callback(
    callback_id: FromPath[UUID],
    department: NamedDependency[DepartmentSystem],
    callbacks: NamedDependency[Callbacks],
) -> CallbackView:
    """Have a disabled callback called again. What happened meanwhile it is not told; what was dead you may replay."""
    endpoint = await callbacks.setting.enable(department.department_id, EndpointId(callback_id))
    counted = (await callbacks.keeping.counted([endpoint]))[endpoint.endpoint_id]
    return CallbackView.of(endpoint, counted, now=callbacks.clock.now())


class TroubledView(msgspec.Struct):
    """A department's callback that takes nothing, or is called no more. Of its address only the host is shown."""

    callback_id: UUID
    department_id: UUID
    host: str
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: DisabledFor | None
    waiting: int
    dead: int


class TroubledCallbacksView(msgspec.Struct):
    callbacks: list[TroubledView]


@get(
    "/callbacks",
    operation_id="listTroubledCallbacks",
    summary="Departments that cannot be called back",
    responses=refuses(RoleMissing),
)
async def list_troubled_callbacks(
    operator: NamedDependency[Operator], callbacks: NamedDependency[Callbacks]
) -> TroubledCallbacksView:
    """Callbacks that take nothing or were disabled: their departments miss what became of their messages."""
    del operator
    await callbacks.endpoints.snapshot.refresh()
    every = callbacks.endpoints.current.by_id.values()
    troubled = [one for one in every if one.failing_since is not None or one.disabled_at is not None]
    counted = await callbacks.keeping.counted(troubled)
    return TroubledCallbacksView([_troubled(one, counted[one.endpoint_id]) for one in troubled])


@post(
    "/callbacks/{callback_id:uuid}/disable",
    operation_id="disableCallback",
    summary="Call a department back no more",
    status_code=204,
    responses=refuses(RoleMissing, CallbackNotFound),
)
async def disable_callback(
    callback_id: FromPath[UUID], operator: NamedDependency[Operator], callbacks: NamedDependency[Callbacks]
) -> None:
    """Leave a callback alone until its department enables it again."""
    await callbacks.setting.disable(EndpointId(callback_id), actor=f"operator:{operator.staff_id}")


def _troubled(endpoint: Endpoint, counted: Counted) -> TroubledView:
    return TroubledView(
        callback_id=endpoint.endpoint_id,
        department_id=endpoint.service_id,
        host=urlsplit(endpoint.target.url).hostname or "",
        failing_since=endpoint.failing_since,
        disabled_at=endpoint.disabled_at,
        disabled_for=endpoint.disabled_for,
        waiting=counted.waiting,
        dead=counted.dead,
    )


HANDLERS: Handlers = {
    Audience.DEPARTMENT: [put_callback, list_callbacks, remove_callback, rotate_callback_secret, enable_callback],
    Audience.OPERATOR: [list_troubled_callbacks, disable_callback],
}
