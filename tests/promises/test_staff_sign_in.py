"""Staff sign in by phone for a shift; who does not work here is told the same and sent nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.staff.model import StaffRole
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from tests.builders_gateway import Entrance, a_department, a_staff_member, an_entrance

DESK, OPERATOR, NOBODY = "+8613490009002", "+8613490009001", "+8613490000001"


@pytest.fixture
async def entrance(db: Database, redis: Redis, keys: Keys, clock: StoppedClock) -> AsyncIterator[Entrance]:
    async with an_entrance(db, redis, keys, clock, outside_url="") as opened:
        department_id = await a_department(db)
        await a_staff_member(opened, DESK, StaffRole.DESK, department_id)
        await a_staff_member(opened, OPERATOR, StaffRole.OPERATOR)
        yield opened


async def test_a_clerk_signs_in_at_the_desk_and_it_is_on_record(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(DESK, at="department")
    me = (await entrance.ask("GET", "/department/me", tokens["access_token"])).json()
    assert me["name"] == "褚文清"
    assert me["office_id"] is not None
    assert await entrance.db.fetchval("SELECT count(*) FROM kernel.audit WHERE act = 'staff.sign_in'") == 1


async def test_an_operator_signs_in_to_operate(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(OPERATOR, at="operator")
    me = await entrance.ask("GET", "/operator/me", tokens["access_token"])
    assert (me.status_code, me.json()["department_id"]) == (200, None)
    assert (await entrance.ask("GET", "/department/me", tokens["access_token"])).status_code == 403


@pytest.mark.parametrize(
    ("phone", "at"), [(NOBODY, "department"), (NOBODY, "operator"), (DESK, "operator"), (OPERATOR, "department")]
)
async def test_whoever_does_not_work_here_is_told_the_same_and_sent_nothing(
    entrance: Entrance, phone: str, at: str
) -> None:
    known = await entrance.challenge(DESK, "department")
    unknown = await entrance.challenge(phone, at)
    assert known.keys() == unknown.keys()
    assert await entrance.code_of(unknown["challenge_id"]) is None
    told = {"challenge_id": unknown["challenge_id"], "phone": phone, "code": "123456"}
    refused = await entrance.ask("POST", f"/{at}/sign-in", json=told)
    assert refused.json()["code"] == "residents.code_not_accepted"


async def test_a_code_asked_for_as_a_resident_signs_nobody_in_at_a_desk(entrance: Entrance) -> None:
    challenge = await entrance.challenge(DESK, "resident")
    code = await entrance.code_of(challenge["challenge_id"])
    told = {"challenge_id": challenge["challenge_id"], "phone": DESK, "code": code}
    assert (await entrance.ask("POST", "/department/sign-in", json=told)).status_code == 422


async def test_a_shift_ends_after_twelve_hours_however_busy(entrance: Entrance) -> None:
    tokens = await entrance.sign_in(DESK, at="department")
    for _ in range(2):
        entrance.clock.advance(timedelta(hours=5, minutes=59))
        answer = await entrance.ask(
            "POST", "/department/sign-in/refresh", json={"refresh_token": tokens["refresh_token"]}
        )
        assert answer.status_code == 200
        tokens = answer.json()
    entrance.clock.advance(timedelta(minutes=3))
    late = await entrance.ask("POST", "/department/sign-in/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert late.status_code == 401


async def test_who_works_here_no_longer_is_signed_out(entrance: Entrance) -> None:
    department_id = await a_department(entrance.db, "transport")
    member = await a_staff_member(entrance, NOBODY, StaffRole.ISSUER, department_id)
    tokens = await entrance.sign_in(NOBODY, at="department")
    assert await entrance.workforce.disable(member.staff_id, actor="operator:test")
    await entrance.refresh()
    assert (await entrance.ask("GET", "/department/me", tokens["access_token"])).status_code == 401
    refreshed = await entrance.ask(
        "POST", "/department/sign-in/refresh", json={"refresh_token": tokens["refresh_token"]}
    )
    assert refreshed.status_code == 401
    again = await entrance.challenge(NOBODY, "department")
    assert await entrance.code_of(again["challenge_id"]) is None


async def test_signing_out_ends_the_shift(entrance: Entrance) -> None:
    for phone, at in ((DESK, "department"), (OPERATOR, "operator")):
        tokens = await entrance.sign_in(phone, at=at)
        assert (await entrance.ask("POST", f"/{at}/sign-out", tokens["access_token"])).status_code == 204
        await entrance.refresh()
        assert (await entrance.ask("GET", f"/{at}/me", tokens["access_token"])).status_code == 401


async def test_a_supervisor_is_known_as_one_and_a_clerk_is_not(entrance: Entrance) -> None:
    department_id = await a_department(entrance.db, "police")
    await a_staff_member(entrance, NOBODY, StaffRole.SUPERVISOR, department_id)
    for phone, is_supervisor in ((NOBODY, True), (DESK, False)):
        tokens = await entrance.sign_in(phone, at="department")
        me = (await entrance.ask("GET", "/department/me", tokens["access_token"])).json()
        assert (me["is_supervisor"], me["office_id"] is not None) == (is_supervisor, True)
