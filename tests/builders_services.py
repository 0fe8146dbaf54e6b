"""Departments with texts of their own that are approved, and what their programs send."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId
from kernel.limits import Limits
from kernel.people import People
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.ending.endings import Ended, Endings
from notifications.outbox import ToPhone
from notifications.services.parts import Services
from notifications.services.sending import Taken, Wish
from notifications.texts import deciding, writing
from notifications.texts.model import Content, DepartmentText, TextSort, Words
from notifications.texts.placeholders import Name, Text
from notifications.texts.reading import Texts

PHONE = "+8613800138000"
VALUES = {"name": "王小明", "place": "市民中心"}


class NothingReceived:
    """Nobody sent anything."""

    async def received(self, *which: Any, **how: Any) -> list[Any]:
        return []


class Heard:
    """Listens to endings."""

    def __init__(self) -> None:
        self.ended_rows: list[Ended] = []

    async def ended(self, conn: Connection, rows: Any, now: Any) -> None:
        self.ended_rows += rows


async def services_over(db: Database, redis: Redis | None, clock: Clock, keys: Keys) -> tuple[Services, Heard]:
    """The services of one process, and what it hears of endings."""
    heard, endings = Heard(), Endings()
    endings.listeners.append(heard)
    people = People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
    services = Services(
        db,
        clock,
        keys,
        people,
        Limits(redis, clock, subject_key=keys.derived("kernel.limits")),
        Texts(db),
        endings,
        NothingReceived(),
        origin="http://127.0.0.1:8700",
        mail_from="no-reply@example.org",
    )
    await refreshed(services)
    return services, heard


async def refreshed(services: Services) -> None:
    await services.texts.refresh()
    for snapshot in services.snapshots:
        await snapshot.refresh()


def a_content(sort: TextSort = TextSort.SMS, **changes: Any) -> Content:
    subject = None if sort is TextSort.SMS else "((name))，您的年票"
    return Content(
        **{
            "name": "年票可领取",
            "lane": "result",
            "zh": Words("((name))，您的公园年票已办好，请到((place))领取。", subject),
            "placeholders": {"name": Name(), "place": Text(40)},
            "signature": "绿化市容局" if sort is not TextSort.EMAIL else None,
            **changes,
        }
    )


async def approved_text(
    db: Database,
    clock: Clock,
    department_id: DepartmentId,
    sort: TextSort = TextSort.SMS,
    *,
    text_id: UUID | None = None,
    **changes: Any,
) -> UUID:
    """A text of a department, written, handed in and approved."""
    made, now, actor = text_id or uuid4(), clock.now(), "operator:tests"
    async with db.transaction() as conn:
        await writing.put_first(conn, department_id, made, sort, a_content(sort, **changes), actor=actor, now=now)
        await writing.submit(conn, department_id, made, 1, now=now)
        await deciding.approve(conn, made, 1, is_otp_meant=False, actor=actor, now=now)
    return made


class Department:
    """A department with an approved SMS text, which sends by `services`."""

    def __init__(self, services: Services, service_id: DepartmentId, text: DepartmentText) -> None:
        self.services = services
        self.service_id = service_id
        self.text = text

    @classmethod
    async def founded(
        cls, services: Services, db: Database, clock: Clock, sort: TextSort = TextSort.SMS
    ) -> "Department":
        service_id = DepartmentId(uuid4())
        text_id = await approved_text(db, clock, service_id, sort)
        await refreshed(services)
        return cls(services, service_id, services.text_in_use(service_id, text_id))

    def wish(self, phone: str = PHONE, values: Mapping[str, str] = VALUES, **how: Any) -> Wish:
        return Wish(**{"service_id": self.service_id, "kind": "live", "to": ToPhone(phone), "text": self.text,
                       "values": dict(values), **how})  # fmt: skip

    async def send(self, phone: str = PHONE, **how: Any) -> Taken:
        return await self.services.accepting.accept(self.wish(phone, **how), recipient=phone)
