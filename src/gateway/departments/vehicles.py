"""Asking a department's server where a vehicle is (openapi/department-app.yaml, `readVehicle`), for a resident.

The call is made as any other call of the resident's: with a token for that department and this request, behind the same
bounds and the same rest after faults. What the department says is believed to be a position, and nothing else of it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta

from appointments.errors import NoLivePosition, PositionAway
from appointments.offices.trips.positions import Position
from gateway.departments import queries
from gateway.departments.calling import Admitted, Answer, Call, Calling
from gateway.departments.errors import AppAway, AppBusy, AppFailed, AppLate, AppUnreachable
from gateway.departments.manifest import RESERVED, Route
from gateway.departments.model import App, Apps, Found, State
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.log import get_logger
from kernel.principal import Audience, Resident

PATH = f"/{RESERVED}/vehicles"
TIMEOUT_SECONDS = 2.0
RETRY_SECONDS = 5
ANSWER_BYTES_MAX = 4096
_ROUTE = Route(
    method="GET",
    path=PATH,
    zh="车辆实时位置",
    en="Where a vehicle is",
    timeout_seconds=TIMEOUT_SECONDS,
    body_bytes_max=0,
    answer_bytes_max=ANSWER_BYTES_MAX,
)
_JSON = ((b"accept", b"application/json"),)

log = get_logger(__name__)


class _Told(msgspec.Struct):
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    as_of: Annotated[datetime, Meta(tz=True)]
    is_stand_in: bool = False


class DepartmentsForAppointments:
    """The departments that have joined: `appointments.offices.trips.positions.Departments`."""

    def __init__(self, db: Database, calling: Calling, apps: Callable[[], Apps]) -> None:
        self._db = db
        self._calling = calling
        self._apps = apps

    async def slug_of(self, department_id: DepartmentId) -> str | None:
        """The slug of a department; None for one that is not known."""
        async with self._db.connection() as conn:
            return await queries.select_slug_of_department(conn, department_id)

    async def position(self, department: str, vehicle: str, resident: Resident, audience: Audience) -> Position:
        """Where a vehicle is now, within `TIMEOUT_SECONDS`. Raises NoLivePosition, PositionAway."""
        app = self._app_of(department, audience)
        if app is None:
            raise NoLivePosition
        path = f"{PATH}/{quote(vehicle, safe='')}"
        call = Call(audience, app.slug, _ROUTE.method, path.encode(), b"", _JSON)
        try:
            answer = await self._calling.call(Admitted(call, app, Found(_ROUTE, path), ""), resident, b"")
        except (AppAway, AppBusy, AppFailed, AppLate, AppUnreachable) as refusal:
            raise PositionAway(retry_after_seconds=refusal.retry_after_seconds or RETRY_SECONDS) from None
        try:
            return _read(answer, app)
        finally:
            await answer.release()

    def _app_of(self, department: str, audience: Audience) -> App | None:
        apps = sorted(self._apps().by_slug.values(), key=lambda app: app.slug)
        theirs = [app for app in apps if app.manifest.department == department and app.serves(audience)]
        return next((app for app in theirs if app.state is State.LIVE), None)


def _read(answer: Answer, app: App) -> Position:
    if answer.status == 404:
        raise NoLivePosition
    try:
        if answer.status != 200 or not answer.is_whole:
            raise ValueError(f"it answered {answer.status}")
        told = msgspec.json.decode(answer.start, type=_Told)
    except (ValueError, RecursionError):
        log.warning("a department did not say where its vehicle is", app=app.slug, status=answer.status)
        raise PositionAway(retry_after_seconds=RETRY_SECONDS) from None
    return Position(
        latitude=told.latitude, longitude=told.longitude, as_of=told.as_of, is_stand_in=told.is_stand_in
    )  # fmt: skip
