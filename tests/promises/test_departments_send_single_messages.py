"""A department sends one message: kept before it is answered, sent once however often it is asked for."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.errors import IdempotencyKeyReused
from kernel.ids import DepartmentId
from kernel.people import Identity
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.errors import MessageNotFound
from notifications.model import DeliveryStage
from notifications.outbox import ToEmail, ToNobody, bucket_in
from notifications.services.errors import (
    NotInTeam,
    NotWithdrawable,
    SendTimeRefused,
    TeamFull,
    TextNotInUse,
    TextTooLong,
    TooManyToday,
    ValuesRefused,
    WrongChannel,
)
from notifications.services.model import TEAM_MAX, Allowance, State
from notifications.services.parts import Services
from notifications.services.queries import Wanted
from tests.builders_services import PHONE, VALUES, Department, Heard, services_over

ID_NUMBER = "310101199001012336"


@pytest.fixture
async def opened(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> tuple[Services, Department, Heard]:
    services, heard = await services_over(db, redis, clock, keys)
    return services, await Department.founded(services, db, clock), heard


async def rows_of(db: Database) -> int:
    messages = await db.fetchval("SELECT count(*) FROM notifications.message")
    requests = await db.fetchval("SELECT count(*) FROM notifications.request")
    assert messages == requests
    return int(messages)


async def test_a_message_is_owed_when_it_was_answered(opened: tuple[Services, Department, Heard], db: Database) -> None:
    services, department, _ = opened
    taken = await department.send(reference="letter 7")
    row = await db.fetchrow("SELECT bucket, caller, stage, template, person_id FROM notifications.message")
    assert row is not None
    assert tuple(row) == (
        bucket_in(taken.message_id), f"department:{department.service_id}", "owed", department.text.id, None
    )  # fmt: skip
    sent = await services.states.read(department.service_id, taken.message_id)
    assert (sent.state, sent.request.reference, sent.request.kind) == (State.CREATED, "letter 7", "live")
    opened_one = (await services.states.opened([sent.request]))(taken.message_id)
    assert opened_one.address is not None
    assert (opened_one.address.phone, opened_one.values) == (PHONE, VALUES)


async def test_a_message_asked_for_under_the_same_key_is_one(
    opened: tuple[Services, Department, Heard], db: Database
) -> None:
    services, department, _ = opened
    asked = services.accepting.digest("this")
    first = await department.send(key="a", asked=asked)
    again = await department.send(key="a", asked=asked)
    assert (again.message_id, again.is_new) == (first.message_id, False)
    with pytest.raises(IdempotencyKeyReused):
        await department.send(key="a", asked=services.accepting.digest("that"))
    assert await rows_of(db) == 1
    assert services.per_day.so_far(department.service_id) == 1


async def test_a_late_retry_is_told_the_first_answer_also_when_it_would_be_refused_by_now(
    opened: tuple[Services, Department, Heard], clock: StoppedClock
) -> None:
    services, department, _ = opened
    asked, send_at = services.accepting.digest("this"), clock.now() + timedelta(hours=1)
    first = await department.send(key="a", asked=asked, send_at=send_at)
    clock.advance(timedelta(hours=3))
    await services.keys.allow(department.service_id, Allowance(per_day=0), actor="tests")
    again = await department.send(key="a", asked=asked, send_at=send_at)
    assert (again.message_id, again.is_new) == (first.message_id, False)
    with pytest.raises(SendTimeRefused):
        await department.send(key="b", asked=asked, send_at=send_at)
    with pytest.raises(TooManyToday):
        await department.send(key="b", asked=asked)


async def test_of_many_at_once_under_one_key_one_is_new(
    opened: tuple[Services, Department, Heard], db: Database
) -> None:
    services, department, _ = opened
    asked = services.accepting.digest("this")
    taken = await asyncio.gather(*(department.send(key="a", asked=asked) for _ in range(40)))
    assert len({one.message_id for one in taken}) == 1
    assert sum(one.is_new for one in taken) == 1
    assert await rows_of(db) == 1


async def test_many_at_once_are_each_one(opened: tuple[Services, Department, Heard], db: Database) -> None:
    services, department, _ = opened
    taken = await asyncio.gather(*(department.send() for _ in range(300)))
    assert len({one.message_id for one in taken}) == 300 == await rows_of(db)
    assert services.per_day.so_far(department.service_id) == 300


async def test_what_does_not_fit_is_refused_before_anything_is_written(
    opened: tuple[Services, Department, Heard], db: Database, clock: StoppedClock
) -> None:
    services, department, _ = opened
    with pytest.raises(ValuesRefused) as refused:
        await department.send(values={"name": "王"})
    assert refused.value.members["missing"] == ["place"]
    with pytest.raises(ValuesRefused) as refused:
        await department.send(values={**VALUES, "other": "x"})
    assert refused.value.members["unknown"] == ["other"]
    with pytest.raises(ValuesRefused) as refused:
        await department.send(values={"name": "王", "place": "x" * 50})
    assert list(refused.value.members["wrong"]) == ["place"]  # type: ignore[call-overload]
    with pytest.raises(WrongChannel):
        await department.send(to=ToEmail("a@example.org"))
    for at in (clock.now() - timedelta(hours=1), clock.now() + timedelta(days=31)):
        with pytest.raises(SendTimeRefused):
            await department.send(send_at=at)
    with pytest.raises(TextNotInUse):
        services.text_in_use(DepartmentId(uuid4()), department.text.of.text_id)
    assert await rows_of(db) == 0
    assert services.per_day.so_far(department.service_id) == 0
    assert TextTooLong.status == 422


async def test_a_scheduled_message_is_taken_back_and_stays_so(
    opened: tuple[Services, Department, Heard], clock: StoppedClock
) -> None:
    services, department, heard = opened
    taken = await department.send(send_at=clock.now() + timedelta(days=30))
    service_id = department.service_id
    assert (await services.states.read(service_id, taken.message_id)).state is State.SCHEDULED
    for _ in range(2):
        assert (await services.states.withdraw(service_id, taken.message_id)).state is State.WITHDRAWN
    assert [row.stage for row in heard.ended_rows] == ["withdrawn"]
    with pytest.raises(MessageNotFound):
        await services.states.withdraw(DepartmentId(uuid4()), taken.message_id)


@pytest.mark.parametrize(
    ("phone", "kind", "state", "stage"),
    [
        ("+8613800138000", "test", State.DELIVERED, DeliveryStage.DELIVERED),
        ("+447700900003", "test", State.TEMPORARY_FAILURE, DeliveryStage.EXPIRED),
        ("+447700900002", "live", State.PERMANENT_FAILURE, DeliveryStage.UNDELIVERABLE),
        ("+8610000000001", "team", State.DELIVERED, DeliveryStage.DELIVERED),
    ],
)
async def test_a_rehearsed_message_ends_without_a_carrier_and_is_told(
    opened: tuple[Services, Department, Heard], db: Database, phone: str, kind: str, state: State, stage: DeliveryStage
) -> None:
    services, department, heard = opened
    taken = await department.send(phone, kind=kind)
    assert (await services.states.read(department.service_id, taken.message_id)).state is State.CREATED
    assert await db.fetchval("SELECT count(*) FROM notifications.message WHERE stage = 'owed'") == 0
    assert await services.rehearsing.end_due() == 1
    assert await services.rehearsing.end_due() == 0
    sent = await services.states.read(department.service_id, taken.message_id)
    assert sent.state is state
    assert [(row.message_id, row.stage, row.channel) for row in heard.ended_rows] == [(taken.message_id, stage, "sms")]
    assert services.per_day.so_far(department.service_id) == 0
    with pytest.raises(NotWithdrawable):
        await services.states.withdraw(department.service_id, taken.message_id)


async def test_a_rehearsal_keeps_to_its_hour_and_can_be_taken_back(
    opened: tuple[Services, Department, Heard], clock: StoppedClock
) -> None:
    services, department, heard = opened
    at = clock.now() + timedelta(hours=1)
    kept, taken_back = [await department.send(kind="test", send_at=at) for _ in range(2)]
    assert await services.rehearsing.end_due() == 0
    withdrawn = await services.states.withdraw(department.service_id, taken_back.message_id)
    assert withdrawn.state is State.WITHDRAWN
    clock.advance(timedelta(hours=1))
    assert await services.rehearsing.end_due() == 1
    assert (await services.states.read(department.service_id, kept.message_id)).state is State.DELIVERED
    assert len(heard.ended_rows) == 2


async def test_a_team_key_reaches_the_team_alone(opened: tuple[Services, Department, Heard]) -> None:
    services, department, _ = opened
    service_id, teams = department.service_id, services.teams
    with pytest.raises(NotInTeam):
        await department.send(kind="team")
    await teams.add(service_id, PHONE, actor="tests")
    await teams.add(service_id, PHONE, actor="tests")
    assert await teams.every(service_id) == [PHONE]
    assert (await department.send(kind="team")).is_new
    await teams.remove(service_id, PHONE, actor="tests")
    with pytest.raises(NotInTeam):
        await department.send(kind="team")
    for nth in range(TEAM_MAX):
        await teams.add(service_id, f"a{nth}@example.org", actor="tests")
    with pytest.raises(TeamFull):
        await teams.add(service_id, "b@example.org", actor="tests")


async def test_a_person_is_reached_by_id_number_and_nobody_learns_whether_they_are_known(
    opened: tuple[Services, Department, Heard], db: Database, clock: StoppedClock
) -> None:
    services, department, _ = opened
    assert isinstance(await services.accepting.person(ID_NUMBER), ToNobody)
    async with db.transaction() as conn:
        person_id = await services.accepting._people.mint(conn, Identity(ID_NUMBER, "王小明"), now=clock.now())
    known = await services.accepting.person(ID_NUMBER)
    assert known == person_id
    sent = [await department.send(to=to) for to in (known, ToNobody())]
    await db.fetch("UPDATE notifications.message SET stage = 'routed'")
    states = [(await services.states.read(department.service_id, one.message_id)).state for one in sent]
    assert states == [State.HANDLED, State.HANDLED]
    for one in sent:
        with pytest.raises(NotWithdrawable):
            await services.states.withdraw(department.service_id, one.message_id)


async def test_messages_are_listed_newest_first_by_reference_kind_and_state(
    opened: tuple[Services, Department, Heard], clock: StoppedClock
) -> None:
    services, department, _ = opened
    made = []
    for nth in range(25):
        clock.advance(timedelta(milliseconds=2))
        kind, reference = ("test" if nth % 5 == 0 else "live"), f"r{nth % 2}"
        made.append((await department.send(kind=kind, reference=reference)).message_id)
    await services.rehearsing.end_due()
    service_id, seen, before = department.service_id, [], None
    while True:
        how = {} if before is None else {"before": before}
        page = await services.states.page(service_id, Wanted(), limit=10, **how)
        seen += [one.request.message_id for one in page.sent]
        before = page.next_before
        if before is None:
            break
    assert seen == made[::-1]
    by_reference = await services.states.page(service_id, Wanted(reference="r1"), limit=50)
    assert [one.request.message_id for one in by_reference.sent] == made[1::2][::-1]
    tests = await services.states.page(service_id, Wanted(kind="test"), limit=50)
    assert [one.request.message_id for one in tests.sent] == made[::5][::-1]
    delivered = await services.states.page(service_id, Wanted(), states={State.DELIVERED}, limit=3)
    assert [one.request.message_id for one in delivered.sent] == made[::5][::-1][:3]
    rest = await services.states.page(
        service_id, Wanted(), states={State.DELIVERED}, before=delivered.next_before, limit=3
    )
    assert [one.request.message_id for one in rest.sent] == made[::5][::-1][3:]
    assert rest.next_before is None
    assert (await services.states.page(DepartmentId(uuid4()), Wanted(), limit=10)).sent == []


async def test_nothing_personal_lies_open(opened: tuple[Services, Department, Heard], db: Database) -> None:
    _, department, _ = opened
    await department.send(reference="r")
    for table in ("message", "request", "rehearsal"):
        for row in await db.fetch(f"SELECT * FROM notifications.{table}"):
            assert PHONE not in str(dict(row))
            assert VALUES["name"] not in str(dict(row))
