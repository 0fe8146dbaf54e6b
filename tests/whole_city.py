"""A city in this process, as people and machines meet it: HTTP in, HTTP out."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import httpx

from gateway import tokens
from gateway.app import build_app
from gateway.parts import CityParts
from kernel.clock import StoppedClock
from kernel.ids import AccountId, DepartmentId, DeviceId, OfficeId, PersonId, SessionId, StaffId, VenueId, uuid7
from kernel.principal import Audience, DepartmentSystem, Operator, Principal, Resident, Staff, VenueDevice
from kernel.settings import Settings

ORIGIN = "http://127.0.0.1:8700"


class Caller:
    """Somebody with an access token (or without one): `get`, `post` … under their own audience's path."""

    def __init__(self, client: httpx.AsyncClient, audience: Audience, token: str | None) -> None:
        self._client = client
        self._prefix = "" if audience is Audience.PUBLIC else f"/{audience}"
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, headers: Mapping[str, str] = {}, **how: Any) -> httpx.Response:
        return await self._client.request(method, self._prefix + path, headers={**self.headers, **headers}, **how)

    async def get(self, path: str, **how: Any) -> httpx.Response:
        return await self.ask("GET", path, **how)

    async def post(self, path: str, json: Any = None, **how: Any) -> httpx.Response:
        return await self.ask("POST", path, json=json, **how)

    async def put(self, path: str, json: Any = None, **how: Any) -> httpx.Response:
        return await self.ask("PUT", path, json=json, **how)

    async def delete(self, path: str, **how: Any) -> httpx.Response:
        return await self.ask("DELETE", path, **how)


class TestCity:
    """The web application over real servers, with a clock that stands still until the test moves it."""

    __test__ = False

    def __init__(self, parts: CityParts, settings: Settings, clock: StoppedClock) -> None:
        self.parts = parts
        self.settings = settings
        self.clock = clock
        self.app = build_app(parts, settings)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url=ORIGIN)

    @classmethod
    async def open(cls, settings: Settings, clock: StoppedClock) -> Self:
        return cls(await CityParts.open(settings, process="test", clock=clock), settings, clock)

    async def close(self) -> None:
        await self.client.aclose()
        await self.parts.close()

    async def renew(self) -> None:
        """Read every catalogue again, as the hint of a change does within a second."""
        await self.parts.snapshots.read_all()

    def _caller(self, principal: Principal, audience: Audience, *, client_id: str | None = None) -> Caller:
        now = self.clock.now()
        session = getattr(principal, "session_id", None) or uuid7(now)
        minted = tokens.mint(
            self.parts.signing_keys,
            principal,
            issuer=self.settings.public_origin,
            audience=audience,
            session_id=session,
            now=now,
            client_id=client_id,
        )
        return Caller(self.client, audience, minted.text)

    def as_nobody(self, audience: Audience = Audience.PUBLIC) -> Caller:
        return Caller(self.client, audience, None)

    def as_resident(
        self, person_id: PersonId | None, *, audience: Audience = Audience.RESIDENT, account_id: UUID | None = None
    ) -> Caller:
        """A resident with a token, as signing in gives one; `person_id` None for one whose real name is not checked."""
        now = self.clock.now()
        account = AccountId(account_id or uuid7(now))
        return self._caller(Resident(account, SessionId(uuid7(now)), person_id), audience)

    def as_device(self, device_id: DeviceId, venue_id: VenueId) -> Caller:
        return self._caller(VenueDevice(device_id, venue_id), Audience.VENUE, client_id=f"device:{device_id}")

    def as_department(self, department_id: DepartmentId, slug: str, name: str = "市人社局") -> Caller:
        """A department's system, with the name that the department is registered under."""
        principal = DepartmentSystem(department_id, slug, name)
        return self._caller(principal, Audience.DEPARTMENT, client_id=f"department:{department_id}")

    def as_desk(self, department_id: DepartmentId, office_id: OfficeId | None) -> Caller:
        now = self.clock.now()
        staff = Staff(StaffId(uuid7(now)), SessionId(uuid7(now)), department_id, office_id)
        return self._caller(staff, Audience.DEPARTMENT)

    def as_operator(self) -> Caller:
        now = self.clock.now()
        return self._caller(Operator(StaffId(uuid7(now)), SessionId(uuid7(now))), Audience.OPERATOR)


def code_of(answer: httpx.Response) -> str:
    """The permanent code of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found: str = json.loads(answer.content)["code"]
    return found


def advance(city: TestCity, **by: float) -> None:
    """Let time pass: `advance(city, seconds=61)`."""
    city.clock.advance(timedelta(**by))
