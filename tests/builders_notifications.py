"""People to tell, promises to keep, and carriers that behave as the outside world does."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import MessageId, PersonId
from kernel.people import People
from kernel.sealing import Keys
from notifications import templates
from notifications.channels.provider import Accepted, Provider, RawReceipt, Refused, Sms, TakeReceipts, TakeTexts
from notifications.ending.endings import Ended
from notifications.model import Channel, Reading
from notifications.outbox import Owed, ToEmail, ToNobody, ToPhone
from notifications.parts import Notifications
from notifications.template import Template

PHONE = "+8613800138000"

VALUES = {
    "code": "204816",
    "minutes": "5",
    "service": "出入境证件办理",
    "office": "浦东新区出入境接待大厅",
    "when": "2026-03-05T09:30:00+08:00",
    "bring": "身份证",
    "kind": "居民身份证",
    "state": "suspended",
    "venue": "虹桥火车站",
    "fields": "姓名、证件号码",
    "device": "一部手机",
    "department": "市人社局",
    "decision": "approved",
    "title": "请补充材料",
    "body": "请补交学历证明。",
    "other": "王＊＊",
    "until": "2031-03-04",
    "basis": "granted",
    "covers": "show_and_book",
    "reason": "系统升级",
    "ends": "2026-03-05T09:30:00+08:00",
    "verdict": "waived",
    "strikes": "2",
    "most": "3",
    "number": "A012",
    "ahead": "3",
    "outcome": "done",
    "note": "证件可邮寄",
    "count": "2",
    "days": "30",
    "matter": '{"zh":"居住证办理","en":"a residence permit"}',
    "items": '[{"what":{"zh":"租赁合同"},"why":{"zh":"原件缺页"}},{"what":{"zh":"照片"},"why":{"zh":"背景不是白色"}}]',
    "papers": '[{"zh":"租赁合同"},{"zh":"照片"}]',
    "place": '{"zh":"静安区政务服务中心2楼","en":"Jing\'an service centre, 2nd floor"}',
    "changes": '{"added":[{"zh":"照片"}],"until":"2031-03-04"}',
    "take_along": '[{"zh":"身份证"}]',
    "links": '[{"label":{"zh":"网上提交"},"url":"https://example.org/upload"}]',
    "renewed": "yes",
    "stage": "2",
    "stages": "4",
    "now": '{"zh":"现场勘验"}',
    "next": '{"zh":"专家评审"}',
    "what": '{"zh":"机动车沪A00000"}',
    "since": "2026-02-01",
    "follows": '{"zh":"逾期上路将被处罚"}',
    "objection": '{"zh":"15日内到支队申请复核"}',
}


def notifications_over(db: Database, clock: Clock, keys: Keys, *providers: Provider, **others: Any) -> Notifications:
    """Notifications over the providers of a test; `others` are those of the parts."""
    people = People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
    return Notifications(db, clock, keys, people, providers, **others)


def at_any_hour(db: Database, clock: Clock, keys: Keys, *providers: Provider, **others: Any) -> Notifications:
    """The same without quiet hours: for what runs by the machine's own clock, at night too."""
    notifications = notifications_over(db, clock, keys, *providers, **others)
    notifications.rules.has_quiet_hours = False
    return notifications


def a_promise(
    template: Template = templates.CERTIFICATE_ISSUED,
    *,
    to: PersonId | ToPhone | ToEmail | ToNobody | None = None,
    key: str | None = None,
    due_at: datetime,
    expires_at: datetime | None = None,
    caller: str = "tests",
    **values: str,
) -> Owed:
    """Something owed, by default an SMS to `PHONE` with a key of its own."""
    return Owed(
        caller=caller,
        key=key or str(uuid4()),
        to=to or ToPhone(PHONE),
        template=template,
        values={name: values[name] if name in values else VALUES[name] for name in template.placeholders},
        due_at=due_at,
        expires_at=expires_at,
    )


async def owe(notifications: Notifications, *owed: Owed) -> list[MessageId]:
    """Owe each in one transaction; their ids."""
    now = notifications.clock.now()
    async with notifications.db.transaction() as conn:
        return [await notifications.outbox.owe(conn, one, now=now) for one in owed]


async def a_person(notifications: Notifications, *, phone: str | None = PHONE) -> PersonId:
    person_id = PersonId(uuid4())
    if phone is not None:
        async with notifications.db.transaction() as conn:
            await notifications.contacts.remember(conn, person_id, phone, "zh", notifications.clock.now())
    return person_id


class Killed(BaseException):
    """The worker process is gone: no handler of ours hears of it."""


class Carrier:
    """A provider of the outside world, which remembers what it carried. `answer` decides what it says."""

    def __init__(
        self,
        name: str = "carrier",
        answer: Callable[[Any], Accepted | Refused | BaseException] | None = None,
        *,
        channel: Channel = "sms",
        receipts_come: bool = True,
    ):
        self.name = name
        self.channel: Channel = channel
        self.receipts_come = receipts_come
        self.carried: list[Any] = []
        self._answer = answer or (lambda sms: Accepted((f"{name}-{sms.reference}",)))

    def announce(self) -> None:
        """It says nothing."""

    async def send(self, sms: Sms) -> Accepted | Refused:
        self.carried.append(sms)
        answer = self._answer(sms)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def receipts(self, take: TakeReceipts, hear: TakeTexts) -> None:
        await asyncio.Event().wait()

    def parts_of(self, sms: Sms, parts: int, *arrived: int, reading: Reading = Reading.DELIVERED) -> list[RawReceipt]:
        """Receipts of some parts of a long text, counted from 0, that was accepted as `refs_of` says."""
        refs = refs_of(self.name, sms, parts)
        return [RawReceipt(refs[part], reading, b"stat:DELIVRD") for part in arrived]

    def receipts_of(self, sms: Sequence[Sms], reading: Reading = Reading.DELIVERED) -> list[RawReceipt]:
        return [RawReceipt(f"{self.name}-{one.reference}", reading, b"stat:DELIVRD") for one in sms]


def refs_of(name: str, sms: Sms, parts: int) -> tuple[str, ...]:
    """What a carrier calls the parts of a long text."""
    return tuple(f"{name}-{sms.reference}-{part}" for part in range(parts))


class ManyCarrier(Carrier):
    """A carrier that is handed many at once; it remembers how many each time."""

    def __init__(self, name: str = "many", answer: Callable[[Any], Accepted | Refused | BaseException] | None = None):
        super().__init__(name, answer)
        self.handed: list[int] = []

    async def send_many(self, parcels: Sequence[Any]) -> list[Any]:
        self.handed.append(len(parcels))
        self.carried += parcels
        return [self._answer(one) for one in parcels]


class Ends:
    """Remembers every end it is told."""

    def __init__(self) -> None:
        self.heard: list[Ended] = []

    async def ended(self, conn: Connection, rows: Sequence[Ended], now: datetime) -> None:
        self.heard += rows

    @property
    def said(self) -> list[tuple[str | None, str, str | None]]:
        """Each by channel, stage and reason."""
        return [(one.channel, str(one.stage), one.reason) for one in self.heard]


class SlowCarrier(Carrier):
    """Says nothing until `let_go` is set."""

    def __init__(self, name: str = "slow") -> None:
        super().__init__(name)
        self.let_go = asyncio.Event()

    async def send(self, sms: Sms) -> Accepted | Refused:
        answer = await super().send(sms)
        await self.let_go.wait()
        return answer


async def stages(db: Database) -> dict[str, int]:
    """How many deliveries are at each stage."""
    rows = await db.fetch("SELECT channel || ' ' || stage, count(*) FROM notifications.delivery GROUP BY 1")
    return {row[0]: row[1] for row in rows}


async def outcomes(db: Database) -> list[tuple[str, str | None]]:
    """Every attempt, oldest first: by whom, and what it came to."""
    rows = await db.fetch("SELECT provider, outcome FROM notifications.attempt ORDER BY intended_at, fence")
    return [(row[0], row[1]) for row in rows]


async def cut_every_connection(database_url: str) -> None:
    """What a restart of the database does to everybody connected to it."""
    admin = await asyncpg.connect(database_url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    await admin.close()


LEASES_ARE_OVER = timedelta(minutes=5)
