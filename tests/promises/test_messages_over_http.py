"""The inbox, preferences, notices and alerts, as the apps of people, departments and operators see them."""

import json
from datetime import timedelta
from uuid import uuid4

from kernel.ids import DepartmentId, PersonId
from kernel.people import Identity
from kernel.principal import Audience
from notifications import templates
from notifications.outbox import message_id_in
from tests.builders_appointments import a_slot, an_id
from tests.builders_notifications import PHONE, a_person, a_promise, owe
from tests.whole_city import Caller, TestCity, code_of

ID_NUMBER = "310101199001012336"


def a_department(city: TestCity) -> Caller:
    return city.as_department(DepartmentId(uuid4()), "human_resources", "市人社局")


def a_notice(**changes: str) -> dict[str, str]:
    return {
        "id_number": ID_NUMBER,
        "title": "请补充材料",
        "body": "请补交学历证明。",
        **changes,
    }


async def test_an_inbox_is_read_page_by_page_newest_first(city: TestCity) -> None:
    person = await a_person(city.parts.notifications)
    await owe(city.parts.notifications, *(a_promise(to=person, due_at=city.clock.now()) for _ in range(7)))
    await city.parts.notifications.settle()
    client, seen, cursor = city.as_resident(person), [], ""
    for _ in range(3):
        page = (await client.get(f"/inbox?limit=3{cursor}")).json()
        assert page["unread"] == 7
        seen += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert len(set(seen)) == len(seen) == 7
    assert seen == sorted(seen, reverse=True)


async def test_a_message_is_read_once_and_only_by_its_owner(city: TestCity) -> None:
    person = await a_person(city.parts.notifications)
    [message_id] = await owe(city.parts.notifications, a_promise(to=person, due_at=city.clock.now()))
    await city.parts.notifications.settle()
    client = city.as_resident(person, audience=Audience.MINI)
    first = await client.post(f"/inbox/{message_id}/read")
    again = await client.post(f"/inbox/{message_id}/read")
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert (await client.get("/inbox")).json()["unread"] == 0
    other = city.as_resident(PersonId(uuid4()))
    refused = await other.post(f"/inbox/{message_id}/read")
    assert (refused.status_code, code_of(refused)) == (404, "notifications.message_not_found")
    assert (await other.get("/inbox")).json()["items"] == []


async def test_a_cursor_that_is_none_of_ours_is_refused(city: TestCity) -> None:
    for cursor in ("x", "A" * 60, "AAAA", "%00", "//////////////////////////////////8", "é"):
        answer = await city.as_resident(PersonId(uuid4())).get("/inbox", params={"cursor": cursor})
        assert (answer.status_code, code_of(answer)) == (400, "notifications.cursor_unknown"), cursor


async def test_an_inbox_needs_a_checked_name(city: TestCity) -> None:
    answer = await city.as_resident(None).get("/inbox")
    assert code_of(answer) == "access.real_name_needed"


async def test_a_person_chooses_how_to_be_told(city: TestCity) -> None:
    person = await a_person(city.parts.notifications)
    client = city.as_resident(person)
    wanted = {"language": "en", "sms_results": False, "sms_reminders": True, "sms_notices": False}
    assert (await client.get("/contact-preferences")).json()["sms_results"] is True
    chosen = await client.put("/contact-preferences", json=wanted)
    assert chosen.json().items() >= {**wanted, "reachable_by_sms": True}.items()
    assert (await client.get("/contact-preferences")).json() == chosen.json()
    stranger = city.as_resident(PersonId(uuid4()))
    assert (await stranger.put("/contact-preferences", json=wanted)).json()["reachable_by_sms"] is False
    assert (await stranger.put("/contact-preferences", json={**wanted, "more": 1})).status_code == 400


async def test_a_department_tells_a_person_once_however_often_it_asks(city: TestCity) -> None:
    async with city.parts.notifications.db.transaction() as conn:
        person = await city.parts.notifications.people.mint(conn, Identity(ID_NUMBER, "一人"), now=city.clock.now())
        await city.parts.notifications.contacts.remember(conn, person, PHONE, "zh", city.clock.now())
    key = {"Idempotency-Key": "case-1"}
    client = a_department(city)
    first = await client.post("/messages", json=a_notice(), headers=key)
    again = await client.post("/messages", json=a_notice(), headers=key)
    changed = await client.post("/messages", json=a_notice(title="别的"), headers=key)
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert (changed.status_code, code_of(changed)) == (422, "idempotency.key_reused")
    at = f"/messages/{first.json()['message_id']}"
    assert (await client.get(at)).json()["state"] == "waiting"
    await city.parts.notifications.settle()
    assert (await client.get(at)).json()["state"] == "handled"
    items = (await city.as_resident(person).get("/inbox")).json()["items"]
    assert [(item["title"], item["kind"]) for item in items] == [("请补充材料", "department_notice")]
    shown = await city.as_nobody().post("/demo/outbox/search", json={"phone": PHONE})
    assert [message["text"][:11] for message in shown.json()["messages"]] == ["【随申办】市人社局通知"]


async def test_a_notice_is_signed_with_the_departments_registered_name_and_no_other(city: TestCity) -> None:
    async with city.parts.notifications.db.transaction() as conn:
        person = await city.parts.notifications.people.mint(conn, Identity(ID_NUMBER, "一人"), now=city.clock.now())
    client, key = a_department(city), {"Idempotency-Key": "case-1"}
    for claimed in ("sender", "department", "signed"):
        refused = await client.post("/messages", json={**a_notice(), claimed: "市公安局"}, headers=key)
        assert refused.status_code == 400, claimed
    assert (await client.post("/messages", json=a_notice(), headers=key)).status_code == 202
    await city.parts.notifications.settle()
    [item] = (await city.as_resident(person).get("/inbox")).json()["items"]
    assert item["body"].startswith("市人社局通知您：")


async def test_no_answer_tells_whether_a_person_is_known(city: TestCity) -> None:
    async with city.parts.notifications.db.transaction() as conn:
        await city.parts.notifications.people.mint(conn, Identity(ID_NUMBER, "一人"), now=city.clock.now())
    client, answers = a_department(city), []
    for nth, id_number in enumerate((ID_NUMBER, "310101199001012344")):
        key = {"Idempotency-Key": f"{nth}"}
        filed = await client.post("/messages", json=a_notice(id_number=id_number), headers=key)
        before = await client.get(f"/messages/{filed.json()['message_id']}")
        await city.parts.notifications.settle()
        after = await client.get(f"/messages/{filed.json()['message_id']}")
        answers.append([filed.status_code, *(state.json()["state"] for state in (before, after))])
    assert answers[0] == answers[1] == [202, "waiting", "handled"]


async def test_a_department_sees_its_own_notices_only(city: TestCity) -> None:
    filed = await a_department(city).post("/messages", json=a_notice(), headers={"Idempotency-Key": "1"})
    for message_id in (filed.json()["message_id"], str(uuid4())):
        answer = await a_department(city).get(f"/messages/{message_id}")
        assert (answer.status_code, code_of(answer)) == (404, "notifications.message_not_found")


async def test_a_notice_no_phone_could_show_is_refused(city: TestCity) -> None:
    for changes in (
        {"title": "a\x00"},
        {"title": ""},
        {"body": "字" * 401},
        {"id_number": "1"},
        {"title": "a\n"},
        {"id_number": f"{ID_NUMBER}\n"},
        {"body": "\ud800"},
    ):
        headers = {"Idempotency-Key": "1", "Content-Type": "application/json"}
        body = json.dumps(a_notice(**changes)).encode()
        answer = await a_department(city).ask("POST", "/messages", headers=headers, content=body)
        assert answer.status_code == 400, changes


async def test_a_notice_needs_a_key(city: TestCity) -> None:
    for key in (None, "", "a b", "é", "k" * 129):
        headers = {} if key is None else {"Idempotency-Key": key.encode()}
        answer = await a_department(city).post("/messages", json=a_notice(), headers=headers)
        assert answer.status_code == 400, key


async def test_an_operator_sees_what_ended_badly_but_not_of_whom(city: TestCity) -> None:
    nobody = await a_person(city.parts.notifications, phone=None)
    promise = a_promise(templates.SIGN_IN_CODE, to=nobody, due_at=city.clock.now())
    [message_id] = await owe(city.parts.notifications, promise)
    await city.parts.notifications.settle()
    alerts = (await city.as_operator().get("/alerts")).json()
    assert alerts["counts"] == [{"ending": "undeliverable", "lane": "otp", "count": 1}]
    assert [(one["message_id"], one["reason"]) for one in alerts["newest"]] == [(str(message_id), "no number")]
    assert str(nobody) not in json.dumps(alerts)


async def test_the_demo_outbox_masks_numbers_and_takes_none_in_its_address(city: TestCity) -> None:
    await owe(city.parts.notifications, a_promise(templates.SIGN_IN_CODE, due_at=city.clock.now()))
    await city.parts.notifications.settle()
    assert [one["phone"] for one in (await city.as_nobody().get("/demo/outbox")).json()["messages"]] == [
        "+86138****8000"
    ]
    assert (await city.as_nobody().post("/demo/outbox/search", json={"phone": "138"})).status_code == 400
    assert (await city.as_nobody().get("/demo/outbox/search", params={"phone": PHONE})).status_code == 405


async def test_an_hour_that_has_not_come_is_played_within_reason_only(city: TestCity) -> None:
    for as_of in ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"):
        answer = await city.as_nobody().post("/demo/reminders", json={"as_of": as_of})
        assert (answer.status_code, code_of(answer)) == (422, "demo.hour_out_of_reach")
    answer = await city.as_nobody().post("/demo/reminders", json={"as_of": "2026-03-05T01:00:00"})
    assert answer.status_code == 400


async def test_a_reminder_is_shown_without_waiting_for_its_hour_and_once(city: TestCity) -> None:
    notifications = city.parts.notifications
    person = await a_person(notifications)
    slot_id = await a_slot(city.parts.db)
    await city.renew()
    await city.parts.appointments.book(an_id(), slot_id, person)
    await notifications.settle()
    for _ in range(2):
        answer = await city.as_nobody().post("/demo/reminders", json={"as_of": "2026-03-04T03:00:00Z"})
        assert answer.status_code == 200
        await notifications.settle()
    city.clock.advance(timedelta(days=3))
    await notifications.settle()
    shown = (await city.as_nobody().post("/demo/outbox/search", json={"phone": PHONE})).json()["messages"]
    assert sorted(message["text"][5:7] for message in shown) == ["您已", "提醒"]


async def test_a_status_is_asked_by_ids_of_any_form_without_harm(city: TestCity) -> None:
    odd = message_id_in(63, city.clock.now())
    assert (await a_department(city).get(f"/messages/{odd}")).status_code == 404
    assert (await a_department(city).get("/messages/nonsense")).status_code == 404
