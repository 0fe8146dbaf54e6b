"""Callbacks as the systems of departments and operators see them."""

import json
from uuid import uuid4

from kernel.ids import DepartmentId
from tests.builders_callbacks import OwnServer, messages_of, own_server
from tests.whole_city import Caller, TestCity, advance, code_of

DEPARTMENT = DepartmentId(uuid4())
EVENTS = ["message.delivered", "message.failed"]


def a_department(city: TestCity, department_id: DepartmentId = DEPARTMENT) -> Caller:
    return city.as_department(department_id, "human_resources", "市人社局")


async def a_callback(city: TestCity, client: Caller, url: str) -> str:
    callback_id = str(uuid4())
    made = await client.put(f"/callbacks/{callback_id}", json={"url": url, "events": EVENTS})
    assert made.status_code == 200, made.text
    assert made.json()["secret"].startswith("whsec_")
    await city.renew()
    return callback_id


async def test_a_department_sets_tries_and_removes_a_callback(city: TestCity) -> None:
    client = a_department(city)
    async with own_server() as (server, url):
        callback_id = await a_callback(city, client, url)
        at = f"/callbacks/{callback_id}"
        [shown] = (await client.get("/callbacks")).json()["callbacks"]
        assert (shown["url"], shown["events"], shown["secret"], shown["secrets"]) == (url, EVENTS, None, 1)
        tried = await client.post(f"{at}/test")
        assert tried.status_code == 202
        await city.parts.callbacks.telling.tell_everything()
        assert server.ids == [tried.json()["webhook_id"]]
        [event] = (await client.get("/callbacks/events?state=told")).json()["events"]
        assert (event["type"], event["state"], event["reason"]) == ("callback.test", "told", "status 200")
        rotated = await client.post(f"{at}/secrets", json={"overlap_hours": 2})
        assert rotated.json()["secret"].startswith("whsec_")
        assert (await client.get("/callbacks")).json()["callbacks"][0]["secrets"] == 2
        assert (await client.delete(at)).status_code == 204
        assert (await client.get("/callbacks")).json()["callbacks"] == []
        assert code_of(await client.post(f"{at}/test")) == "callbacks.not_found"


async def dead(city: TestCity, client: Caller, server: OwnServer, callback_id: str, count: int) -> None:
    """Tests of a callback that nobody takes for a day."""
    server.status = 500
    for _ in range(count):
        await client.post(f"/callbacks/{callback_id}/test")
    await city.parts.callbacks.telling.tell_everything()
    advance(city, hours=24)
    await city.parts.callbacks.keeping.give_up_overdue()
    server.status = 200
    server.told.clear()


async def test_what_was_missed_is_listed_page_by_page_and_replayed(city: TestCity) -> None:
    client = a_department(city)
    async with own_server() as (server, url):
        callback_id = await a_callback(city, client, url)
        began = city.clock.now().isoformat()
        await dead(city, client, server, callback_id, 5)
        client, seen, cursor = a_department(city), [], ""
        for _ in range(3):
            page = (await client.get(f"/callbacks/events?state=dead&limit=2{cursor}")).json()
            seen += [event["event_id"] for event in page["events"]]
            cursor = f"&cursor={page['next_cursor']}"
        assert page["next_cursor"] is None
        assert len(set(seen)) == len(seen) == 5
        for wrong in ("x", "A" * 54, "é"):
            refused = await client.get("/callbacks/events", params={"cursor": wrong})
            assert refused.status_code in (200, 400), wrong
        one = await client.post(f"/callbacks/{callback_id}/events/{seen[0]}/replay")
        assert (one.status_code, one.json()["state"]) == (202, "waiting")
        missing = await client.post(f"/callbacks/{callback_id}/events/{uuid4()}/replay")
        assert code_of(missing) == "callbacks.event_not_found"
        rest = await client.post(f"/callbacks/{callback_id}/replay", json={"since": began})
        assert rest.json() == {"replayed": 4, "is_more": False}
        advance(city, minutes=10)
        await city.parts.callbacks.telling.tell_everything()
        await city.parts.callbacks.telling.tell_everything()
        assert len(set(server.ids)) == 5


async def test_whatever_a_department_has_told_again_or_tried_is_on_record(city: TestCity) -> None:
    client = a_department(city)
    async with own_server() as (_, url):
        callback_id = await a_callback(city, client, url)
        tried = (await client.post(f"/callbacks/{callback_id}/test")).json()["event_id"]
        await client.post(f"/callbacks/{callback_id}/events/{tried}/replay")
        await client.post(f"/callbacks/{callback_id}/replay", json={"since": city.clock.now().isoformat()})
    rows = await city.parts.db.fetch(
        "SELECT act, detail FROM kernel.audit WHERE actor = $1 AND subject = $2",
        f"department:{DEPARTMENT}", f"callback:{callback_id}",
    )  # fmt: skip
    assert sorted((row["act"], row["detail"]) for row in rows) == sorted(
        [
            ("callbacks.make", "{}"),
            ("callbacks.test", json.dumps({"event_id": tried})),
            ("callbacks.replay", json.dumps({"event_id": tried})),
            ("callbacks.replay", json.dumps({"events": 0})),
        ]
    )


async def test_a_moment_that_no_calendar_of_ours_has_is_before_or_after_everything(city: TestCity) -> None:
    client = a_department(city)
    async with own_server() as (_, url):
        callback_id = await a_callback(city, client, url)
        for since in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
            told = await client.post(f"/callbacks/{callback_id}/replay", json={"since": since})
            assert (told.status_code, told.json()) == (202, {"replayed": 0, "is_more": False})


async def test_nobody_touches_another_departments_callbacks(city: TestCity) -> None:
    client, other = a_department(city), a_department(city, DepartmentId(uuid4()))
    async with own_server() as (_, url):
        callback_id = await a_callback(city, client, url)
        at = f"/callbacks/{callback_id}"
        event_id = (await client.post(f"{at}/test")).json()["event_id"]
        assert (await other.get("/callbacks")).json()["callbacks"] == []
        assert (await other.get("/callbacks/events")).json()["events"] == []
        for ask in (
            other.delete(at),
            other.post(f"{at}/test"),
            other.post(f"{at}/enable"),
            other.post(f"{at}/secrets", json={}),
            other.post(f"{at}/replay", json={"since": city.clock.now().isoformat()}),
            other.post(f"{at}/events/{event_id}/replay"),
            other.get(f"/callbacks/events?callback_id={callback_id}"),
        ):
            assert code_of(await ask) == "callbacks.not_found"
        taken = await other.put(at, json={"url": url, "events": EVENTS})
        assert code_of(taken) == "callbacks.id_taken"


async def test_an_operator_sees_what_is_left_alone_and_only_the_host_of_it(city: TestCity) -> None:
    client, operator = a_department(city), city.as_operator()
    async with own_server() as (server, url):
        callback_id = await a_callback(city, client, f"{url}?token=theirs-alone")
        assert (await operator.get("/callbacks")).json()["callbacks"] == []
        server.status = 410
        await client.post(f"/callbacks/{callback_id}/test")
        await city.parts.callbacks.telling.tell_everything()
        answer = await operator.get("/callbacks")
        [shown] = answer.json()["callbacks"]
        assert (shown["callback_id"], shown["disabled_for"], shown["host"]) == (callback_id, "gone", "127.0.0.1")
        assert "theirs-alone" not in answer.text
        assert code_of(await client.post(f"/callbacks/{callback_id}/test")) == "callbacks.disabled"
        assert (await client.post(f"/callbacks/{callback_id}/enable")).json()["disabled_at"] is None
        assert (await operator.post(f"/callbacks/{callback_id}/disable")).status_code == 204
        [shown] = (await operator.get("/callbacks")).json()["callbacks"]
        assert shown["disabled_for"] == "operator"


async def test_an_address_that_we_do_not_call_is_refused_with_why(city: TestCity) -> None:
    client = a_department(city)
    for url in ("http://app.example/calls", "https://10.1.2.3/calls"):
        refused = await client.put(f"/callbacks/{uuid4()}", json={"url": url, "events": EVENTS})
        assert (refused.status_code, code_of(refused)) == (422, "callbacks.address_not_called")
        assert refused.json()["detail"]
    for events in ([], ["callback.test"], ["message.sent"]):
        refused = await client.put(f"/callbacks/{uuid4()}", json={"url": "https://app.example/", "events": events})
        assert refused.status_code == 400


async def test_what_becomes_of_a_message_is_told_when_the_city_knows(city: TestCity) -> None:
    client, parts = a_department(city), city.parts
    async with own_server() as (server, url):
        await a_callback(city, client, url)
        [message_id] = await messages_of(parts.db, city.clock, parts.keys, DEPARTMENT)
        await parts.notifications.settle()
        await parts.callbacks.telling.tell_everything()
        [(_, body)] = server.told
        said = json.loads(body)
        assert (said["type"], said["data"]["message_id"]) == ("message.delivered", str(message_id))
