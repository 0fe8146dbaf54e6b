"""The entrance alone, in process: sign-in, machines, department apps and the mini-program behind the real edge."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import jwt
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from litestar import Litestar
from litestar.di import Provide

import gateway.clients.http
import gateway.departments.http
import gateway.miniapp.http
import gateway.residents.http
import gateway.staff.http
from city.standins import serving as standins
from city.standins.demo_secrets import DEMO_APP_ID, DEMO_APP_SECRET
from gateway.access import Edge, TokenCheck
from gateway.clients.model import PublicKey
from gateway.clients.parts import Clients
from gateway.departments import manifest, onboarding
from gateway.departments.parts import Departments
from gateway.miniapp.parts import Miniapp
from gateway.residents.challenging import CALLER
from gateway.residents.model import Phone
from gateway.residents.parts import Residents
from gateway.staff import staffing
from gateway.staff.model import StaffMember, StaffRole
from gateway.staff.parts import Workforce
from kernel import problems
from kernel.audience import router_of
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DepartmentId, MessageId, OfficeId, StaffId
from kernel.keys import SigningKeys
from kernel.limits import Limits
from kernel.people import People
from kernel.principal import Audience
from kernel.redis import Redis
from kernel.sealing import Keys
from kernel.settings import Secret
from kernel.telemetry import Telemetry, Tracing
from notifications.contacts import Contacts
from notifications.outbox import Outbox
from notifications.seals import Seals

ORIGIN = "http://entrance.example"
HANDLERS = (
    gateway.residents.http.HANDLERS,
    gateway.staff.http.HANDLERS,
    gateway.clients.http.HANDLERS,
    gateway.departments.http.HANDLERS,
    gateway.miniapp.http.HANDLERS,
)
PHONE = "+8613490000001"
Serve = Callable[[web.Application], Awaitable[str]]


class Entrance:
    """The parts, and a client that speaks HTTP to them."""

    def __init__(self, db: Database, clock: StoppedClock, keys: Keys) -> None:
        self.db = db
        self.clock = clock
        self.keys = keys
        self.residents: Residents
        self.workforce: Workforce
        self.clients: Clients
        self.departments: Departments
        self.miniapp: Miniapp
        self.signing_keys: SigningKeys
        self.http: httpx.AsyncClient
        self.platform_url = ""

    async def refresh(self) -> None:
        """What the process's snapshots hear within a second, and the worker's beat that renews signing keys."""
        await self.signing_keys.ensure()
        for part in (self.residents, self.departments):
            for snapshot in part.snapshots:
                await snapshot.refresh()

    async def ask(self, method: str, path: str, token: str | None = None, **how: Any) -> httpx.Response:
        headers = dict(how.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self.http.request(method, path, headers=headers, **how)

    async def challenge(self, phone: str, at: str = "resident") -> dict[str, Any]:
        answer = await self.ask("POST", f"/{at}/sign-in/codes", json={"phone": phone})
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def code_of(self, challenge_id: str) -> str | None:
        """The code of the SMS that is owed for a challenge; None where nobody is sent one."""
        row = await self.db.fetchrow(
            "SELECT message_id, address, sealed_values FROM notifications.message WHERE caller = $1 AND key = $2",
            CALLER,
            challenge_id,
        )
        assert row is not None
        if row["address"] is None:
            return None
        return Seals(self.keys).open_values(MessageId(row["message_id"]), row["sealed_values"])["code"]

    async def sign_in(self, phone: str = PHONE, at: str = "resident") -> dict[str, Any]:
        """Tokens of somebody who answered with the code of their SMS."""
        challenge = await self.challenge(phone, at)
        code = await self.code_of(challenge["challenge_id"])
        told = {"challenge_id": challenge["challenge_id"], "phone": phone, "code": code}
        answer = await self.ask("POST", f"/{at}/sign-in", json=told)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def a_citizen(self, who: Any) -> dict[str, Any]:
        """Tokens of a demo person whose real name was checked."""
        tokens = await self.sign_in(who.phone)
        told = {"name": who.name, "id_number": who.id_number}
        answer = await self.ask("POST", "/resident/real-name", tokens["access_token"], json=told)
        assert answer.status_code == 200, answer.text
        checked: dict[str, Any] = answer.json()
        return checked


@asynccontextmanager
async def an_entrance(
    db: Database, redis: Redis | None, keys: Keys, clock: StoppedClock, *, outside_url: str | None = None
) -> AsyncIterator[Entrance]:
    """An entrance whose outside world are the demo's stand-ins, or whatever is at `outside_url`."""
    async with AsyncExitStack() as stack:
        entrance = Entrance(db, clock, keys)
        base_url = outside_url
        if base_url is None:
            base_url = await stack.enter_async_context(served(standins.app_of(clock)))
        entrance.platform_url = base_url
        limits = Limits(redis, clock, subject_key=keys.derived("kernel.limits"))
        signing_keys = entrance.signing_keys = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
        await signing_keys.ensure()
        people = People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
        entrance.residents = residents = await Residents.open(
            db, clock, keys, limits, Outbox(keys), people, Contacts(keys), signing_keys,
            issuer=ORIGIN, real_name_url=base_url,
        )  # fmt: skip
        stack.push_async_callback(residents.close)
        entrance.workforce = Workforce(db, clock, keys, residents)
        entrance.clients = Clients(db, clock, signing_keys, issuer=ORIGIN)
        entrance.departments = await Departments.open(db, clock, keys, signing_keys, issuer=ORIGIN)
        stack.push_async_callback(entrance.departments.close)
        entrance.miniapp = await Miniapp.open(
            db, clock, keys, limits, residents, base_url=base_url, app_id=DEMO_APP_ID, secret=Secret(DEMO_APP_SECRET)
        )
        stack.push_async_callback(entrance.miniapp.close)
        await entrance.refresh()
        entrance.http = await stack.enter_async_context(_client(entrance, limits))
        yield entrance


def _client(entrance: Entrance, limits: Limits) -> httpx.AsyncClient:
    parts = {name: getattr(entrance, name) for name in ("residents", "workforce", "clients", "departments", "miniapp")}
    app = Litestar(
        [router_of(one, [h for handlers in HANDLERS for h in handlers.get(one, ())]) for one in Audience],
        dependencies={name: Provide(_giver(part), sync_to_thread=False) for name, part in parts.items()},
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=1024 * 1024,
        debug=False,
    )
    ended = entrance.residents.sessions.ended
    check = TokenCheck(entrance.signing_keys, entrance.clock, issuer=ORIGIN, ended=lambda: ended.current)
    tracing = Tracing(None, share=0.0, process="test")
    edge = Edge(app, check, limits, Telemetry(), tracing, entrance.clock, requests_per_minute=100_000)
    transport = httpx.ASGITransport(app=edge, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN)


def _giver(part: Any) -> Any:
    return lambda: part


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """A small real server on this machine; its origin."""
    server = TestServer(app)
    await server.start_server()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.close()


async def a_department(db: Database, slug: str = "parks") -> DepartmentId:
    department_id = DepartmentId(uuid4())
    async with db.transaction() as conn:
        await onboarding.put_department(conn, department_id, slug=slug, name_zh="公园", name_en="Parks")
    return department_id


async def a_staff_member(
    entrance: Entrance, phone: str, role: StaffRole, department_id: DepartmentId | None = None
) -> StaffMember:
    office_id = OfficeId(uuid4()) if role in (StaffRole.DESK, StaffRole.SUPERVISOR) else None
    member = StaffMember(StaffId(uuid4()), role, department_id, office_id)
    async with entrance.db.transaction() as conn:
        await staffing.put_staff(conn, entrance.keys, member, name="褚文清", phone=Phone(phone))
    return member


def a_key() -> tuple[ec.EllipticCurvePrivateKey, PublicKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, msgspec.convert(ECAlgorithm.to_jwk(key.public_key(), as_dict=True), PublicKey)


def an_assertion(key: ec.EllipticCurvePrivateKey, client_id: str, audience: str, now: datetime, **claims: Any) -> str:
    """A client assertion (RFC 7523) as a client library makes it."""
    at = int(now.timestamp())
    said = {"iss": client_id, "sub": client_id, "aud": audience, "jti": str(uuid4()), "iat": at, "exp": at + 120}
    return jwt.encode({name: value for name, value in (said | claims).items() if value is not None}, key, "ES256")


def a_token_request(assertion: str, **others: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    } | others


MANIFEST = """
slug = "{slug}"
department = "parks"
contact = "app@parks.example"
home = "{home}"
audience = ["resident", "mini"]
concurrency_max = 4
[name]
zh = "公园"
en = "Parks"
[about]
zh = "查公园"
en = "Find a park"
[timeouts]
connect_seconds = 0.3
request_seconds = 0.4
"""
ROUTE = '[[routes]]\nmethod = "{method}"\npath = "{path}"\nzh = "公园"\nen = "Parks"\n{more}\n'


def a_manifest(home: str, *routes: tuple[str, str, str], slug: str = "parks") -> manifest.Manifest:
    """A manifest with these (method, path, more lines) of routes."""
    text = MANIFEST.format(slug=slug, home=home)
    text += "".join(ROUTE.format(method=method, path=path, more=more) for method, path, more in routes)
    return manifest.read(text, variables={})


async def a_live_app(entrance: Entrance, home: str, *routes: tuple[str, str, str], slug: str = "parks") -> None:
    """A department app that residents see."""
    told = a_manifest(home, *routes, slug=slug)
    await onboarding.register(entrance.db, entrance.clock, told, actor="operator:test")
    await onboarding.go_live(entrance.db, entrance.clock, slug, actor="operator:test")
    await entrance.refresh()


async def owed(db: Database, template: str) -> int:
    """How many messages of a template are owed."""
    count: int = await db.fetchval("SELECT count(*) FROM notifications.message WHERE template = $1", template)
    return count
