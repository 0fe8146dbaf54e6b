"""Batches over real servers: a department with approved texts, rows about people who do not exist, bodies in pieces."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
from litestar import Litestar
from litestar.di import Provide

from gateway.lean import LeanRequest, LeanResponse
from kernel import problems
from kernel.audience import Signed, merged, router_of
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import DepartmentId, SessionId, StaffId, uuid7
from kernel.people import People
from kernel.principal import Audience, DepartmentSystem, Operator
from kernel.sealing import Keys
from notifications.batches import http as batches_http
from notifications.batches.model import Act, Batch, Plan
from notifications.batches.operating import http as batches_for_operators
from notifications.batches.parts import Batches, Daily
from notifications.batches.taking import Form
from notifications.ending.endings import Endings
from notifications.model import Lane
from notifications.retention import http as retention_http
from notifications.retention.parts import Retention
from notifications.services.keys.keeping import KeyBook
from notifications.services.keys.teams import Teams
from notifications.services.limiting import PerDay
from notifications.services.model import KeyKind
from notifications.services.states import States
from notifications.statistics import http as statistics_http
from notifications.statistics.parts import Statistics
from notifications.texts import deciding, writing
from notifications.texts.model import TextSort
from notifications.texts.reading import Texts
from tests.builders_texts import content

DEPARTMENT = DepartmentId(UUID("018f0000-0000-7000-8000-0000000000d1"))
ACTOR = f"department:{DEPARTMENT}"
READY: dict[str, Any] = {
    "name": "取件通知",
    "lane": "bulk",
    "zh": {"body": "((name))，您的证件已办好，请到((hall))领取。"},
    "placeholders": {"name": {"kind": "name"}, "hall": {"kind": "text", "most": 30}},
}
NOTICE: dict[str, Any] = READY | {"zh": READY["zh"] | {"subject": "证件已办好"}}


def a_row(number: int, **other: Any) -> dict[str, Any]:
    """A row that is fit, told apart from others by its number."""
    made = {
        "phone": f"+8613{number:09d}",
        "reference": f"R-{number}",
        "values": {"name": f"人{number}", "hall": "三号厅"},
    }
    return {name: value for name, value in (made | other).items() if value is not ...}


def ndjson(rows: Iterable[Any]) -> bytes:
    """Rows as they are sent: what is bytes already goes as it is."""
    texts = (row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows)
    return b"".join(text + b"\n" for text in texts)


async def pieces(body: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


class Department:
    """A department that sends batches, and everything it needs."""

    def __init__(self, db: Database, clock: Clock, keys: Keys, endings: Endings) -> None:
        self.db = db
        self.clock = clock
        self.people = People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
        self.texts = Texts(db)
        self.keys = KeyBook(db, clock, keys)
        self.teams = Teams(db, clock, keys)
        self.per_day = PerDay(db, clock)
        self.states = States(db, clock, keys, endings)
        daily = Daily(self.keys, self.per_day)
        self.batches = Batches(db, clock, keys, self.people, self.texts, self.teams, daily, endings)

    async def text(self, written: dict[str, Any] = READY, sort: TextSort = TextSort.SMS) -> UUID:
        """A text of the department's, approved."""
        now = self.clock.now()
        text_id = uuid7(now)
        async with self.db.transaction() as conn:
            await writing.put_first(conn, DEPARTMENT, text_id, sort, content(written), actor=ACTOR, now=now)
            await writing.submit(conn, DEPARTMENT, text_id, 1, now=now)
            await deciding.approve(conn, text_id, 1, is_otp_meant=False, actor="operator:1", now=now)
        await self.refresh()
        return text_id

    async def refresh(self) -> None:
        for catalogue in (self.texts, self.keys.snapshot, self.per_day):
            await catalogue.refresh()

    async def opened(
        self, text_id: UUID | None = None, *, kind: KeyKind = "live", rows: int | None = None, **other: Any
    ) -> UUID:
        """A batch just opened."""
        batch_id = uuid4()
        text = str(text_id or await self.text())
        plan = Plan(name="一批", text_id=text, version=1, lane=Lane.BULK, kind=kind, rows=rows, **other)
        await self.batches.taking.open(DEPARTMENT, batch_id, plan, actor=ACTOR)
        return batch_id

    async def send(
        self, batch_id: UUID, rows: Iterable[Any] | bytes, *, first: int = 1, form: Form = "ndjson"
    ) -> Batch:
        body = rows if isinstance(rows, bytes) else ndjson(rows)
        return await self.batches.taking.take(DEPARTMENT, batch_id, pieces(body), first=first, form=form)

    async def send_cut(self, batch_id: UUID, sent: bytes, *, first: int = 1, form: Form = "ndjson") -> None:
        """So much is sent, and then the connection is gone. Raises ConnectionResetError."""

        async def until_cut() -> AsyncIterator[bytes]:
            async for piece in pieces(sent, 4_096):
                yield piece
            raise ConnectionResetError

        await self.batches.taking.take(DEPARTMENT, batch_id, until_cut(), first=first, form=form)

    async def act(self, batch_id: UUID, act: Act, **how: Any) -> Batch:
        return await self.batches.steering.act(DEPARTMENT, batch_id, act, actor=ACTOR, **how)

    async def feed(self) -> int:
        """Feed until nothing more is fed."""
        fed = 0
        while more := await self.batches.feeding.feed_due():
            fed += more
        return fed

    async def rows(self) -> int:
        return int(await self.db.fetchval("SELECT count(*) FROM notifications.batch_row"))

    async def keys_of_messages(self, stages: Sequence[str] = ("owed",)) -> list[str]:
        found = await self.db.fetch(
            "SELECT key FROM notifications.message WHERE stage = ANY($1) ORDER BY key", list(stages)
        )
        return [row["key"] for row in found]


async def a_department(db: Database, clock: Clock, keys: Keys, endings: Endings | None = None) -> Department:
    department = Department(db, clock, keys, endings or Endings())
    await department.text()
    return department


class Wire:
    """Batches, statistics and retention over HTTP, in process: the principal is given, tokens are proved elsewhere."""

    def __init__(self, department: Department, statistics: Statistics, retention: Retention) -> None:
        given: dict[str, Any] = {
            "batches": department.batches,
            "statistics": statistics,
            "retention": retention,
        }
        handlers = merged(
            batches_http.HANDLERS,
            batches_for_operators.HANDLERS,
            statistics_http.HANDLERS,
            retention_http.HANDLERS,
        )
        self._app = Litestar(
            [router_of(audience, handlers.get(audience, ())) for audience in Audience],
            dependencies={name: Provide(_giving(part), sync_to_thread=False) for name, part in given.items()},
            exception_handlers=problems.HANDLERS,
            openapi_config=None,
            logging_config=None,
            request_class=LeanRequest,
            response_class=LeanResponse,
        )

    def department(self, department_id: DepartmentId = DEPARTMENT) -> httpx.AsyncClient:
        return self._as(DepartmentSystem(department_id, "police", "公安局"), Audience.DEPARTMENT)

    def operator(self) -> httpx.AsyncClient:
        return self._as(Operator(StaffId(uuid4()), SessionId(uuid4())), Audience.OPERATOR)

    def _as(self, principal: Any, audience: Audience) -> httpx.AsyncClient:
        async def edge(scope: Any, receive: Any, send: Any) -> None:
            scope["user"] = Signed(principal, audience)
            await self._app(scope, receive, send)

        transport = httpx.ASGITransport(edge)
        return httpx.AsyncClient(transport=transport, base_url=f"http://city.example/{audience}")


def _giving(part: Any) -> Callable[[], Any]:
    def give() -> Any:
        return part

    return give
