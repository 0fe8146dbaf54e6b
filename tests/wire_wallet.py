"""The wallet over HTTP, in process, as each audience: the principal is given, tokens are proved elsewhere."""

from typing import Any
from uuid import uuid4

import httpx
from litestar import Litestar
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send

from gateway.lean import LeanRequest, LeanResponse, give_plainly
from kernel import problems
from kernel.audience import Signed, router_of
from kernel.ids import AccountId, DepartmentId, PersonId, SessionId, StaffId
from kernel.principal import Audience, DepartmentSystem, NotProved, Operator, Resident, VenueDevice
from wallet.http import HANDLERS
from wallet.parts import Wallet


class Wire:
    """Clients by audience, on one application over one wallet."""

    def __init__(self, wallet: Wallet) -> None:
        def give() -> Any:
            return wallet

        def give_log() -> Any:
            return wallet.ledger_log

        self._app = Litestar(
            [router_of(audience, HANDLERS.get(audience, ())) for audience in Audience],
            dependencies={
                "wallet": Provide(give, sync_to_thread=False),
                "ledger_log": Provide(give_log, sync_to_thread=False),
            },
            exception_handlers=problems.HANDLERS,
            openapi_config=None,
            logging_config=None,
            request_class=LeanRequest,
            response_class=LeanResponse,
        )
        give_plainly(self._app)

    def resident(self, person_id: PersonId | None) -> httpx.AsyncClient:
        return self._as(Resident(AccountId(uuid4()), SessionId(uuid4()), person_id), Audience.RESIDENT)

    def mini(self, person_id: PersonId | None) -> httpx.AsyncClient:
        return self._as(Resident(AccountId(uuid4()), SessionId(uuid4()), person_id), Audience.MINI)

    def venue(self, device: VenueDevice) -> httpx.AsyncClient:
        return self._as(device, Audience.VENUE)

    def department(self, department_id: DepartmentId) -> httpx.AsyncClient:
        return self._as(DepartmentSystem(department_id, "police", "公安局"), Audience.DEPARTMENT)

    def operator(self) -> httpx.AsyncClient:
        return self._as(Operator(StaffId(uuid4()), SessionId(uuid4())), Audience.OPERATOR)

    def anybody(self) -> httpx.AsyncClient:
        return self._as(NotProved("absent"), None)

    def _as(self, principal: Any, audience: Audience | None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(_proved(self._app, Signed(principal, audience)))  # type: ignore[arg-type]
        path = "" if audience is None else f"/{audience}"
        return httpx.AsyncClient(transport=transport, base_url=f"http://city.example{path}")


def _proved(app: ASGIApp, signed: Signed) -> ASGIApp:
    async def edge(scope: Scope, receive: Receive, send: Send) -> None:
        scope["user"] = signed
        await app(scope, receive, send)

    return edge
