"""Keys, teams and single messages, as departments and operators meet them."""

from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.ids import DepartmentId
from notifications.services.keys.proving import token_of
from notifications.services.model import KEYS_MAX, TEAM_MAX
from notifications.texts.model import TextSort
from tests.builders_programs import Office, shown_to
from tests.builders_services import PHONE, VALUES
from tests.whole_city import TestCity, code_of


@pytest.fixture
async def office(city: TestCity) -> Office:
    return await Office.opened(city)


async def test_a_message_is_sent_and_followed(office: Office) -> None:
    city, caller = office.city, office.caller
    body = {"phone": "13800138000", "values": VALUES, "reference": "r 1"}
    answer = await caller.post(office.path, body, headers={"Idempotency-Key": "k"})
    again = await caller.post(office.path, body, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, again.json()) == (202, answer.json())
    message_id = answer.json()["message_id"]
    assert (await caller.get(f"/sent/{message_id}")).json()["state"] == "created"
    await city.parts.notifications.settle()
    seen = (await caller.get(f"/sent/{message_id}")).json()
    assert (seen["state"], seen["reference"], seen["channel"], seen["kind"]) == ("delivered", "r 1", "sms", "live")
    [text] = await shown_to(city, PHONE)
    assert text == "【绿化市容局】王小明，您的公园年票已办好，请到市民中心领取。"
    late = await caller.delete(f"/sent/{message_id}")
    assert (late.status_code, code_of(late)) == (409, "services.not_withdrawable")
    other = await caller.post(office.path, {**body, "phone": "13900139000"}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, code_of(other)) == (422, "idempotency.key_reused")
    listed = (await caller.get("/sent?reference=r%201&state=delivered")).json()
    assert [one["message_id"] for one in listed["messages"]] == [message_id]
    assert (await caller.get("/sent?state=sending")).json() == {"messages": [], "next_cursor": None}
    stranger = city.as_department(DepartmentId(uuid4()), "housing")
    assert code_of(await stranger.get(f"/sent/{message_id}")) == "notifications.message_not_found"
    assert code_of(await stranger.post(office.path, body)) == "services.text_not_in_use"


async def test_a_message_is_scheduled_and_taken_back(office: Office) -> None:
    at = office.city.clock.now() + timedelta(days=2)
    body = {"phone": PHONE, "values": VALUES, "send_at": at.isoformat()}
    message_id = (await office.caller.post(office.path, body)).json()["message_id"]
    assert (await office.caller.get(f"/sent/{message_id}")).json()["state"] == "scheduled"
    taken_back = await office.caller.delete(f"/sent/{message_id}")
    assert (taken_back.status_code, taken_back.json()["state"]) == (200, "withdrawn")
    office.city.clock.advance(timedelta(days=3))
    await office.city.parts.notifications.settle()
    assert await shown_to(office.city, PHONE) == []


REFUSED: tuple[tuple[dict[str, object], str], ...] = (
    ({"phone": "12345"}, "services.recipient_refused"),
    ({"phone": None}, "request.malformed"),
    ({"email": "a@example.org"}, "request.malformed"),
    ({"phone": None, "email": "a@example.org"}, "services.wrong_channel"),
    ({"phone": None, "email": "a@b"}, "services.recipient_refused"),
    ({"values": {}}, "services.values_refused"),
    ({"send_at": "2026-03-02T09:00:00"}, "request.malformed"),
    ({"send_at": "2036-03-02T09:00:00Z"}, "services.send_time_refused"),
    ({"kind": "team"}, "services.not_in_team"),
    ({"unknown": 1}, "request.malformed"),
)


async def test_what_cannot_be_sent_is_refused_by_name(office: Office) -> None:
    for change, code in REFUSED:
        answer = await office.caller.post(office.path, {"phone": PHONE, "values": VALUES, **change})
        assert code_of(answer) == code, change
    for key in (b"", b"a b", b"x" * 129, "é".encode()):  # a client's own key has one form
        answer = await office.caller.post(
            office.path, {"phone": PHONE, "values": VALUES}, headers={"Idempotency-Key": key}
        )
        assert code_of(answer) == "request.malformed"


async def test_an_email_text_goes_to_an_address(city: TestCity) -> None:
    office = await Office.opened(city, TextSort.EMAIL)
    answer = await office.caller.post(office.path, {"email": "Wang@Example.ORG", "values": VALUES, "kind": "test"})
    assert answer.status_code == 202
    await city.parts.services.rehearsing.end_due()
    seen = (await office.caller.get(f"/sent/{answer.json()['message_id']}")).json()
    assert (seen["state"], seen["channel"]) == ("delivered", "email")


async def test_keys_and_team_are_kept_by_the_department_alone(office: Office) -> None:
    caller, city = office.caller, office.city
    made = (await caller.post("/keys", {"name": "our program", "kind": "team"})).json()
    assert made["key"].startswith(f"our program-{office.service_id}-")
    listed = (await caller.get("/keys")).json()["keys"]
    assert [(one["key_id"], one["kind"]) for one in listed] == [(made["key_id"], "team")]
    assert made["key"][-36:] not in str(listed)
    assert (await caller.post("/team", {"phone": "138 0013 8000"})).json() == {"team": [PHONE]}
    assert code_of(await caller.post("/team", {})) == "notifications.phone_or_email_needed"
    assert (await caller.post("/team/removals", {"phone": PHONE})).json() == {"team": []}
    stranger = city.as_department(DepartmentId(uuid4()), "housing")
    assert (await stranger.get("/keys")).json() == {"keys": []}
    assert code_of(await stranger.delete(f"/keys/{made['key_id']}")) == "services.key_not_found"
    assert (await caller.delete(f"/keys/{made['key_id']}")).status_code == 204
    assert (await caller.get("/keys")).json() == {"keys": []}
    token = token_of(made["key"][-36:], office.service_id, int(city.clock.now().timestamp()))
    answer = await city.client.get("/v2/templates", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["errors"][0]["message"] == "Invalid token: API key revoked"


async def test_keys_and_the_team_have_an_end(office: Office) -> None:
    caller = office.caller
    for nth in range(KEYS_MAX):
        assert (await caller.post("/keys", {"name": f"key {nth}", "kind": "test"})).status_code == 201
    assert code_of(await caller.post("/keys", {"name": "key 0", "kind": "test"})) == "services.key_name_taken"
    assert code_of(await caller.post("/keys", {"name": "one more", "kind": "test"})) == "services.too_many_keys"
    for nth in range(TEAM_MAX):
        assert (await caller.post("/team", {"email": f"a{nth}@example.org"})).status_code == 201
    assert code_of(await caller.post("/team", {"email": "more@example.org"})) == "services.team_full"
    assert code_of(await caller.post("/team", {"email": "nobody"})) == "services.recipient_refused"


async def test_an_operator_says_how_much_a_department_may_send(office: Office) -> None:
    operator, at = office.city.as_operator(), f"/services/{office.service_id}/allowance"
    assert (await operator.get(at)).json()["per_minute"] == 3_000
    assert (await operator.put(at, {"per_minute": 100, "per_day": 1})).json()["per_day"] == 1
    body = {"phone": PHONE, "values": VALUES}
    assert (await office.caller.post(office.path, body)).status_code == 202
    refused = await office.caller.post(office.path, body)
    assert (refused.status_code, code_of(refused)) == (429, "services.too_many_today")
    assert int(refused.headers["retry-after"]) > 3_600
    assert (await operator.get(at)).json()["accepted_today"] == 1
