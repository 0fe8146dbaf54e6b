"""Asking a department's register what it has about one person (openapi/department-app.yaml, `lookUp`).

The call is made as any other call of the resident's: with a token for that department, one person and this request,
behind the same bounds and the same rest after faults. It alone carries an ID number: the department finds its own entry
by it, because the person asked for that.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.departments.calling import Admitted, Answer, Call, Calling
from gateway.departments.errors import AppAway, AppBusy, AppFailed, AppLate, AppUnreachable
from gateway.departments.manifest import RESERVED, Route
from gateway.departments.model import App, Apps, Found, State
from kernel.ids import DepartmentId
from kernel.log import get_logger
from wallet.departments.issue_policy import IssueRequest
from wallet.departments.requests import CertificateRequest
from wallet.loading.collecting import FOUND_MAX, RETRY_SECONDS, Asked, Away, Garbled

PATH = f"/{RESERVED}/register"
ASKED_BYTES_MAX = 1024
ANSWER_BYTES_MAX = 256 * 1024
_TOO_MANY = 429
_ROUTE = Route(
    method="POST",
    path=PATH,
    zh="查询本人登记",
    en="What the register has about a person",
    body_bytes_max=ASKED_BYTES_MAX,
    answer_bytes_max=ANSWER_BYTES_MAX,
)
_JSON = ((b"content-type", b"application/json"), (b"accept", b"application/json"))

log = get_logger(__name__)


class _Holder(msgspec.Struct):
    id_number: str
    name: str


class _LookUp(msgspec.Struct):
    kind_code: str
    holder: _Holder


class _Certificates(msgspec.Struct):
    certificates: Annotated[list[CertificateRequest], Meta(max_length=FOUND_MAX)]


class DepartmentRegisters:
    """The registers of the departments that have joined: `wallet.loading.collecting.Registers`."""

    def __init__(self, calling: Calling, apps: Callable[[], Apps]) -> None:
        self._calling = calling
        self._apps = apps

    def offered(self) -> frozenset[tuple[DepartmentId, str]]:
        """Which departments can be asked for which kinds: what the live apps' manifests say."""
        return frozenset(
            (app.registered.department_id, kind_code)
            for app in self._apps().by_slug.values()
            if app.state is State.LIVE
            for kind_code in app.manifest.registers
        )

    async def look_up(self, asked: Asked) -> Sequence[IssueRequest] | Away | Garbled:
        """What the register answers; an app that is gone, busy, late or broken is away."""
        app = self._app_of(asked)
        if app is None:
            return Away()
        call = Call(asked.audience, app.slug, _ROUTE.method, PATH.encode(), b"", _JSON)
        body = msgspec.json.encode(_LookUp(asked.kind_code, _Holder(asked.identity.id_number, asked.identity.name)))
        try:
            answer = await self._calling.call(Admitted(call, app, Found(_ROUTE, PATH), ""), asked.resident, body)
        except (AppAway, AppBusy, AppFailed, AppLate, AppUnreachable) as refusal:
            return Away(refusal.retry_after_seconds or RETRY_SECONDS)
        try:
            return _read(answer, app)
        finally:
            await answer.release()

    def _app_of(self, asked: Asked) -> App | None:
        apps = sorted(self._apps().by_slug.values(), key=lambda app: app.slug)
        return next(
            (
                app
                for app in apps
                if app.state is State.LIVE
                and app.registered.department_id == asked.department_id
                and asked.kind_code in app.manifest.registers
            ),
            None,
        )


def _read(answer: Answer, app: App) -> Sequence[IssueRequest] | Away | Garbled:
    """The certificates of an answer. What is wrong with it is not repeated: it is about a person."""
    if answer.status == _TOO_MANY:
        return Away()
    if answer.status != 200 or not answer.is_whole:
        log.warning("a department's register refused to answer", app=app.slug, status=answer.status)
        return Garbled()
    try:
        found = msgspec.json.decode(answer.start, type=_Certificates)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        log.warning("a department's register did not answer as its contract says", app=app.slug)
        return Garbled()
    return [one.fit() for one in found.certificates]
