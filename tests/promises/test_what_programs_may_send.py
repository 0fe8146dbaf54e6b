"""What a department's programs may send, when, to whom and how much: by both doors, and the counts add up."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kernel.people import Identity
from notifications.model import DeliveryStage
from notifications.notify_v2.bodies import moment
from notifications.services.model import Allowance
from notifications.services.recipients import SIMULATED_EMAILS, SIMULATED_PHONES
from notifications.texts.model import TextSort, Words
from notifications.texts.placeholders import OneOf, Said, Text
from tests.builders_programs import Client, Office, error_of, settled, shown_to
from tests.builders_services import PHONE
from tests.whole_city import TestCity, code_of

OTHER_PHONE = "+8613900139000"
STATUS_OF = {
    DeliveryStage.DELIVERED: ("delivered", "delivered"),
    DeliveryStage.EXPIRED: ("temporary-failure", "temporary_failure"),
    DeliveryStage.UNDELIVERABLE: ("permanent-failure", "permanent_failure"),
}
"""How an ending is called at the clients' door, and at the department's."""


@pytest.fixture
async def office(city: TestCity) -> Office:
    return await Office.opened(city)


@pytest.fixture
async def client(city: TestCity) -> Client:
    return await Client.joined(city)


async def test_a_minute_is_counted_for_each_kind_of_key_and_another_one_begins(office: Office) -> None:
    await office.city.parts.services.keys.allow(office.service_id, Allowance(per_minute=2), actor="tests")
    for kind in ("live", "test"):
        for _ in range(2):
            assert (await office.send(kind=kind)).status_code == 202
        refused = await office.send(kind=kind)
        assert (refused.status_code, code_of(refused)) == (429, "services.too_many_this_minute")
        assert 1 <= int(refused.headers["retry-after"]) <= 61
    office.city.clock.advance(timedelta(minutes=1))
    assert (await office.send()).status_code == 202


async def test_a_day_is_counted_over_both_doors_and_another_one_begins(client: Client) -> None:
    city = client.city
    await city.parts.services.keys.allow(client.service_id, Allowance(per_day=2), actor="tests")
    department = city.as_department(client.service_id, "parks")
    body = {"phone": PHONE, "values": {"name": "王小明", "place": "市民中心"}}
    at = f"/texts/{client.texts[TextSort.SMS]}/messages"
    assert (await client.sms()).status_code == 201
    assert (await department.post(at, body)).status_code == 202
    assert error_of(await client.sms()) == (429, "TooManyRequestsError", "Exceeded send limits (2) for today")
    refused = await department.post(at, body)
    assert (refused.status_code, code_of(refused)) == (429, "services.too_many_today")
    assert (await department.post(at, {**body, "kind": "test"})).status_code == 202  # nobody is told anything
    city.clock.advance(timedelta(seconds=int(refused.headers["retry-after"])))
    assert (await city.as_department(client.service_id, "parks").post(at, body)).status_code == 202


def notice_to(id_number: str = "310107198110069973", **changes: str) -> dict[str, str]:
    return {"id_number": id_number, "title": "年票", "body": "已办好", **changes}


CASE = {
    "id_number": "310107198110069973",
    "notice": {"matter": {"zh": "年票"}, "stage": 1, "stages": 2, "now": {"zh": "受理"}, "next": {"zh": "制证"}},
}


async def tell(office: Office, how: str, nth: int) -> httpx.Response:
    if how == "notice":
        return await office.caller.post("/messages", notice_to(), headers={"Idempotency-Key": f"n{nth}"})
    return await office.caller.put(f"/cases/c{nth}/notices/progress", CASE)


@pytest.mark.parametrize("how", ["notice", "case"])
async def test_what_is_said_in_words_of_ones_own_is_counted_with_the_rest(office: Office, how: str) -> None:
    keys, city = office.city.parts.services.keys, office.city
    await keys.allow(office.service_id, Allowance(per_day=3), actor="tests")
    first = await tell(office, how, 1)
    assert first.status_code in (200, 202)
    for nth in range(2):
        assert (await tell(office, how, 1)).json() == first.json(), nth  # asked again: it is one
    assert (await office.send()).status_code == 202
    assert (await tell(office, how, 2)).status_code == first.status_code
    for refused in (await tell(office, how, 3), await office.send()):
        assert (refused.status_code, code_of(refused)) == (429, "services.too_many_today")
        assert int(refused.headers["retry-after"]) > 60
    assert (await tell(office, how, 2)).status_code == first.status_code  # what was answered is answered again
    assert city.parts.services.per_day.so_far(office.service_id) == 3
    await keys.allow(office.service_id, Allowance(per_minute=1), actor="tests")
    city.clock.advance(timedelta(minutes=2))
    office.caller = city.as_department(office.service_id, "parks")
    assert (await tell(office, how, 4)).status_code == first.status_code
    refused = await tell(office, how, 5)
    assert (refused.status_code, code_of(refused)) == (429, "services.too_many_this_minute")


async def test_what_came_to_nothing_is_not_counted(office: Office) -> None:
    for wrong in ({**CASE, "revision": 0}, {**CASE, "id_number": "1"}):
        assert (await office.caller.put("/cases/c/notices/progress", wrong)).status_code == 400
    assert (await tell(office, "case", 1)).status_code == 200
    another = {**CASE, "id_number": "310101199001012336"}
    assert (await office.caller.put("/cases/c1/notices/progress", another)).status_code == 409
    papers = [{"what": {"zh": f"{nth}" + "字" * 100}, "why": {"zh": "缺"}} for nth in range(20)]
    long = {"matter": {"zh": "年票"}, "items": papers, "place": {"zh": "厅"}, "until": "2026-12-01"}
    too_long = await office.caller.put("/cases/c2/notices/supplement", {**CASE, "notice": long})
    assert (too_long.status_code, code_of(too_long)) == (422, "cases.too_long")
    assert office.city.parts.services.per_day.so_far(office.service_id) == 1


@pytest.mark.parametrize(
    "wrong",
    ["【工商银行】您的卡已冻结", "请看https://evil.example/a", "请看 WWW.evil.example", "【", "http://a", "\u202e"],
)
async def test_words_that_nobody_approved_lead_nowhere_and_sign_for_nobody(office: Office, wrong: str) -> None:
    for changes in ({"title": wrong}, {"body": wrong}):
        headers = {"Idempotency-Key": str(uuid4())}
        refused = await office.caller.post("/messages", notice_to(**changes), headers=headers)
        assert (refused.status_code, code_of(refused)) == (400, "request.malformed"), changes
    assert office.city.parts.services.per_day.so_far(office.service_id) == 0


async def test_a_team_key_reaches_the_team_and_nobody_else_by_either_door(client: Client) -> None:
    city, team = client.city, await client.with_key("team")
    department = city.as_department(client.service_id, "parks")
    assert (await department.post("/team", {"phone": PHONE})).status_code == 201
    assert (await team.sms()).status_code == 201
    said = (400, "BadRequestError", "Can't send to this recipient using a team-only API key")
    assert error_of(await team.sms(OTHER_PHONE)) == said
    assert error_of(await team.email("somebody@example.org")) == said
    assert (await client.sms(OTHER_PHONE)).status_code == 201  # a live key reaches anybody
    await settled(city)
    assert len(await shown_to(city, PHONE)) == 1
    assert (await department.post("/team/removals", {"phone": PHONE})).status_code == 201
    assert error_of(await team.sms()) == said


async def test_every_number_and_address_that_nobody_has_ends_as_it_is_documented_to(client: Client) -> None:
    city, ended = client.city, dict[str, DeliveryStage]()
    for phone, stage in SIMULATED_PHONES.items():
        ended[(await client.sms(phone)).json()["id"]] = stage
    for address, stage in SIMULATED_EMAILS.items():
        ended[(await client.email(address)).json()["id"]] = stage
    assert {await client.status(message_id) for message_id in ended} == {"created"}
    await settled(city)
    department = city.as_department(client.service_id, "parks")
    for message_id, stage in ended.items():
        ours = (await department.get(f"/sent/{message_id}")).json()["state"]
        assert (await client.status(message_id), ours) == STATUS_OF[stage], message_id
    for phone in SIMULATED_PHONES:
        assert await shown_to(city, phone) == []  # no carrier heard of it


async def test_a_test_key_sends_to_anybody_and_nobody_is_told(client: Client) -> None:
    test = await client.with_key("test")
    message_id = (await test.sms()).json()["id"]
    await settled(client.city)
    assert await test.status(message_id) == "delivered"
    assert await shown_to(client.city, PHONE) == []
    listed = (await test.ask("GET", "/v2/notifications")).json()["notifications"]
    assert [one["id"] for one in listed] == [message_id]
    assert (await client.ask("GET", "/v2/notifications")).json()["notifications"] == []  # each kind sees its own


async def test_what_is_scheduled_goes_at_its_hour_and_what_was_taken_back_never(client: Client) -> None:
    city, at = client.city, client.city.clock.now() + timedelta(hours=3)
    answers = [await client.sms(phone, scheduled_for=moment(at)) for phone in (PHONE, OTHER_PHONE)]
    kept, taken_back = [answer.json()["id"] for answer in answers]
    assert [answer.json()["scheduled_for"] for answer in answers] == [moment(at)] * 2
    await settled(city)
    seen = (await client.ask("GET", f"/v2/notifications/{kept}")).json()
    assert (seen["status"], seen["scheduled_for"], seen["sent_at"]) == ("created", moment(at), None)
    department = city.as_department(client.service_id, "parks")
    assert (await department.get(f"/sent/{kept}")).json()["state"] == "scheduled"
    for _ in range(2):
        assert (await department.delete(f"/sent/{taken_back}")).json()["state"] == "withdrawn"
    assert await client.status(taken_back) == "cancelled"
    city.clock.advance(timedelta(hours=3))
    await settled(city)
    assert await client.status(kept) == "delivered"
    assert await shown_to(city, OTHER_PHONE) == []
    assert len(await shown_to(city, PHONE)) == 1


async def test_a_message_is_scheduled_at_most_thirty_days_ahead_by_either_door(client: Client) -> None:
    now = client.city.clock.now()
    assert (await client.sms(scheduled_for=moment(now + timedelta(days=30)))).status_code == 201
    for wrong in (moment(now + timedelta(days=31)), moment(now - timedelta(hours=1)), "2026-03-04T09:00:00", "soon"):
        assert error_of(await client.sms(scheduled_for=wrong))[:2] == (400, "ValidationError"), wrong


async def test_the_same_words_to_the_same_number_go_once_and_the_sender_is_told_why(office: Office) -> None:
    sent = [(await office.send()).json()["message_id"] for _ in range(2)]
    await settled(office.city)
    assert len(await shown_to(office.city, PHONE)) == 1
    seen = [(await office.caller.get(f"/sent/{one}")).json() for one in sent]
    assert {(one["state"], one["reason"]) for one in seen} >= {("withdrawn", "said before")}
    assert {one["state"] for one in seen} == {"delivered", "withdrawn"}


LONG_WORDS = {"a": Said("很" * 100, "very")}


@pytest.mark.parametrize(
    ("gaps", "good", "too_long"),
    [
        (
            {"one": Text(400), "two": Text(400)},
            {"one": "长" * 400, "two": "长"},
            {"one": "长" * 400, "two": "长" * 300},
        ),
        ({f"w{n}": OneOf(LONG_WORDS) for n in range(6)}, dict.fromkeys((f"w{n}" for n in range(6)), "a"), None),
        ({f"w{n}": OneOf(LONG_WORDS) for n in range(7)}, None, dict.fromkeys((f"w{n}" for n in range(7)), "a")),
    ],
)
async def test_what_would_come_to_more_than_ten_sms_is_refused_and_never_cut(
    city: TestCity, gaps: dict[str, Any], good: dict[str, str] | None, too_long: dict[str, str] | None
) -> None:
    office = await Office.opened(city, zh=Words("".join(f"(({name}))" for name in gaps)), placeholders=gaps)
    if good is not None:
        assert (await office.send(values=good)).status_code == 202
    if too_long is not None:
        refused = await office.send(values=too_long)
        assert (refused.status_code, code_of(refused)) == (422, "services.text_too_long")


async def counted(city: TestCity, office: Office) -> dict[str, tuple[int, dict[str, int]]]:
    """What the department is told it sent: by channel, how many were taken and what became of them."""
    await city.parts.statistics.counting.count_due()
    listed: list[dict[str, Any]] = (await office.caller.get("/statistics")).json()["sent"]
    return {one["channel"]: (one["accepted"], one["outcomes"]) for one in listed}


async def test_what_was_taken_and_what_became_of_it_add_up(office: Office) -> None:
    city = office.city
    named = [{"phone": phone} for phone in (PHONE, OTHER_PHONE, "+8613700137000")]
    simulated = [{"kind": "test"}, {"phone": "+8610000000002"}] * 10  # nobody's, and not counted
    answers = await asyncio.gather(*(office.send(**how) for how in named + simulated))  # committed together
    assert {answer.status_code for answer in answers} == {202}
    sent = [answer.json()["message_id"] for answer in answers[:3]]
    assert (await office.caller.delete(f"/sent/{sent[2]}")).json()["state"] == "withdrawn"
    await settled(city)
    assert [await office.state(one) for one in sent] == ["delivered", "delivered", "withdrawn"]
    taken, outcomes = (await counted(city, office))["sms"]
    assert taken == 3 == outcomes["delivered"] + outcomes["failed"] + outcomes["unknown"] + outcomes["withdrawn"]
    assert (outcomes["delivered"], outcomes["withdrawn"], outcomes["segments"]) == (2, 1, 2)


async def test_a_retry_is_counted_once(office: Office) -> None:
    body = {"phone": PHONE, "values": {"name": "王小明", "place": "市民中心"}}
    for _ in range(3):
        assert (await office.caller.post(office.path, body, headers={"Idempotency-Key": "k"})).status_code == 202
    assert (await counted(office.city, office))["sms"][0] == 1


async def test_notices_to_people_are_counted_known_or_not(office: Office) -> None:
    city, known = office.city, Identity("310107198110069973", "王小明")
    async with city.parts.db.transaction() as conn:
        await city.parts.people.mint(conn, known, now=city.clock.now())
    for id_number in (known.id_number, "310101199001012336"):
        for _ in range(2):
            headers = {"Idempotency-Key": f"n{id_number}"}
            filed = await office.caller.post("/messages", notice_to(id_number), headers=headers)
            assert filed.status_code == 202
    await settled(city)
    taken, outcomes = (await counted(city, office))["inbox"]
    assert (taken, set(outcomes.values())) == (2, {0})  # what became of them is nobody's to learn


async def test_a_message_to_a_person_is_taken_back_without_telling_who_is_known(office: Office) -> None:
    at = (office.city.clock.now() + timedelta(hours=1)).isoformat()
    for id_number in ("310107198110069973", "310101199001012336"):
        body = {"id_number": id_number, "values": {"name": "王", "place": "三号厅"}, "send_at": at}
        taken = await office.caller.post(office.path, body, headers={"Idempotency-Key": str(uuid4())})
        assert taken.status_code == 202
        assert (await office.caller.delete(f"/sent/{taken.json()['message_id']}")).json()["state"] == "withdrawn"
