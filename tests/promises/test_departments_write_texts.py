"""A department writes a text, an operator lets it be sent; what was approved once is found as long as it is owed."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from city import seeds
from city.demo.texts import TEXTS
from kernel.ids import DepartmentId
from notifications.outbox import Owed, ToPhone
from notifications.texts import deciding
from notifications.texts.errors import TextDecided
from notifications.texts.reading import Texts
from tests.builders_notifications import PHONE, owe
from tests.builders_texts import MAIL, READY, READY_VALUES
from tests.whole_city import Caller, TestCity, code_of

OTHER_WORDS = {"body": READY["zh"]["body"] + "请带身份证。"}


def a_department(city: TestCity) -> Caller:
    return city.as_department(DepartmentId(uuid4()), "human_resources")


async def written(client: Caller, *, sort: str = "sms", key: str | None = None, **changed: Any) -> str:
    """The id of a text just written."""
    said = (MAIL if sort == "email" else READY) | changed
    headers = {"Idempotency-Key": key or str(uuid4())}
    answer = await client.post("/texts", json={"sort": sort, "content": said}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["version"] == 1
    return str(answer.json()["text_id"])


async def acted(client: Caller, text_id: str, version: int, act: str, body: Any = None) -> dict[str, Any]:
    answer = await client.post(f"/texts/{text_id}/versions/{version}/{act}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def approved(city: TestCity, client: Caller, text_id: str, version: int = 1) -> None:
    await acted(client, text_id, version, "submit")
    await acted(city.as_operator(), text_id, version, "approve", {})


async def rewritten(client: Caller, text_id: str, **changed: Any) -> dict[str, Any]:
    answer = await client.put(f"/texts/{text_id}", json={"content": READY | changed})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def in_memory(city: TestCity) -> Texts:
    """What another process knows when it has read its catalogues."""
    texts = Texts(city.parts.db)
    await texts.refresh()
    return texts


async def test_a_text_is_sent_from_when_an_operator_approved_it(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    assert (await in_memory(city)).find(text_id, 1) is None
    assert (await acted(client, text_id, 1, "submit"))["state"] == "submitted"
    assert (await in_memory(city)).in_use(UUID(text_id)) is None
    [waiting] = (await city.as_operator().get("/texts")).json()["texts"]
    assert (waiting["text_id"], waiting["version"]["content"]["zh"]["body"]) == (text_id, READY["zh"]["body"])
    assert (await acted(city.as_operator(), text_id, 1, "approve", {}))["version"]["state"] == "approved"
    text = (await in_memory(city)).in_use(UUID(text_id))
    assert text is not None
    assert text.sms(READY_VALUES, "zh").startswith("【市人社局】闻人静，您的护照")
    shown = (await client.get(f"/texts/{text_id}")).json()
    assert (shown["in_use"]["version"], [one["state"] for one in shown["versions"]]) == (1, ["approved"])
    assert (await city.as_operator().get("/texts")).json()["texts"] == []


async def test_a_retry_writes_no_second_text(city: TestCity) -> None:
    client = a_department(city)
    assert await written(client, key="one") == await written(client, key="one")
    other = {"sort": "sms", "content": READY | {"name": "别的"}}
    answer = await client.post("/texts", json=other, headers={"Idempotency-Key": "one"})
    assert (answer.status_code, code_of(answer)) == (422, "idempotency.key_reused")
    assert len((await client.get("/texts")).json()["texts"]) == 1


async def test_the_approved_version_stays_in_use_until_the_next_is_approved(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    await approved(city, client, text_id)
    assert (await rewritten(client, text_id, zh=OTHER_WORDS))["version"] == 2
    await acted(client, text_id, 2, "submit")
    assert (await in_memory(city)).in_use(UUID(text_id)).version == 1  # type: ignore[union-attr]
    await acted(city.as_operator(), text_id, 2, "approve", {})
    texts = await in_memory(city)
    assert texts.in_use(UUID(text_id)).version == 2  # type: ignore[union-attr]
    assert texts.find(text_id, 1) is not None
    [listed] = (await client.get("/texts")).json()["texts"]
    assert (listed["version"], listed["state"], listed["in_use"]) == (2, "approved", 2)


async def test_a_draft_is_written_over_and_the_same_words_change_nothing(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    assert (await rewritten(client, text_id, zh=OTHER_WORDS))["version"] == 1
    assert (await rewritten(client, text_id, zh=OTHER_WORDS))["version"] == 1
    await approved(city, client, text_id)
    same = await rewritten(client, text_id, zh=OTHER_WORDS)
    assert (same["version"], same["state"]) == (1, "approved")


async def test_what_is_under_review_is_not_written_over(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    await acted(client, text_id, 1, "submit")
    answer = await client.put(f"/texts/{text_id}", json={"content": READY | {"zh": OTHER_WORDS}})
    assert (answer.status_code, code_of(answer)) == (409, "texts.under_review")
    assert (await acted(client, text_id, 1, "withdraw"))["state"] == "withdrawn"
    assert (await rewritten(client, text_id, zh=OTHER_WORDS))["version"] == 2


async def test_a_rejected_text_says_why_and_is_written_anew(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    await acted(client, text_id, 1, "submit")
    for _ in range(2):
        await acted(city.as_operator(), text_id, 1, "reject", {"reason": "签名未报备"})
    [stage] = (await client.get(f"/texts/{text_id}")).json()["versions"]
    assert (stage["state"], stage["reason"]) == ("rejected", "签名未报备")
    answer = await city.as_operator().post(f"/texts/{text_id}/versions/1/approve", json={})
    assert (answer.status_code, code_of(answer)) == (409, "texts.decided")
    assert (await rewritten(client, text_id))["version"] == 2


async def test_a_withdrawn_version_gives_way_to_the_one_before_and_is_still_told_where_owed(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    await approved(city, client, text_id)
    await rewritten(client, text_id, zh=OTHER_WORDS)
    await approved(city, client, text_id, 2)
    body = {"reason": "含误导内容"}
    for _ in range(2):
        await acted(city.as_operator(), text_id, 2, "withdraw", body)
    texts = await in_memory(city)
    assert texts.in_use(UUID(text_id)).version == 1  # type: ignore[union-attr]
    assert texts.find(text_id, 2) is not None
    assert (await client.get(f"/texts/{text_id}/versions/2")).json()["reason"] == "含误导内容"


async def test_a_text_put_away_is_not_sent_until_it_is_taken_out_again(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    await approved(city, client, text_id)
    for act, is_sent in (("archive", False), ("archive", False), ("restore", True)):
        answer = await client.post(f"/texts/{text_id}/{act}")
        assert (answer.status_code, answer.json()["in_use"] is not None) == (200, is_sent)
        texts = await in_memory(city)
        assert (texts.in_use(UUID(text_id)) is not None, texts.find(text_id, 1) is not None) == (is_sent, True)
        assert len((await client.get("/texts", params={"archived": not is_sent})).json()["texts"]) == 1
    await client.post(f"/texts/{text_id}/archive")
    answer = await client.put(f"/texts/{text_id}", json={"content": READY})
    assert (answer.status_code, code_of(answer)) == (409, "texts.archived")


async def test_one_time_codes_need_an_operators_express_leave(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client, lane="otp")
    await acted(client, text_id, 1, "submit")
    answer = await city.as_operator().post(f"/texts/{text_id}/versions/1/approve", json={})
    assert (answer.status_code, code_of(answer)) == (422, "texts.otp_needs_leave")
    assert (await acted(city.as_operator(), text_id, 1, "approve", {"otp": True}))["version"]["state"] == "approved"


async def test_a_department_sees_its_own_texts_only(city: TestCity) -> None:
    text_id = await written(a_department(city))
    other = a_department(city)
    assert (await other.get("/texts")).json()["texts"] == []
    for answer in (
        await other.get(f"/texts/{text_id}"),
        await other.get(f"/texts/{text_id}/versions/1"),
        await other.put(f"/texts/{text_id}", json={"content": READY}),
        await other.post(f"/texts/{text_id}/versions/1/preview", json={}),
        await other.post(f"/texts/{text_id}/versions/1/submit"),
        await other.post(f"/texts/{text_id}/versions/1/withdraw"),
        await other.post(f"/texts/{text_id}/archive"),
        await a_department(city).get(f"/texts/{uuid4()}"),
        await city.as_operator().get(f"/texts/{text_id}/versions/2"),
    ):
        assert (answer.status_code, code_of(answer)) == (404, "texts.not_found")


async def test_an_unsound_text_is_refused_with_every_fault(city: TestCity) -> None:
    said = READY | {"zh": {"body": "((谁))"}, "en": None}
    body = {"sort": "sms", "content": said}
    answer = await a_department(city).post("/texts", json=body, headers={"Idempotency-Key": "a"})
    assert (answer.status_code, code_of(answer)) == (422, "texts.unsound")
    assert "zh: ((谁)) is not listed among the placeholders" in answer.json()["faults"]
    assert len(answer.json()["faults"]) == 5


@pytest.mark.parametrize(
    "changed",
    [
        {"lane": "urgent"},
        {"signature": "【市】"},
        {"signature": "a b"},
        {"name": "a\nb"},
        {"zh": {"body": "\x00"}},
        {"placeholders": {"a))": {"kind": "name"}}},
        {"placeholders": {"a": {"kind": "anything"}}},
        {"placeholders": {"a": {"kind": "url", "hosts": []}}},
        {"placeholders": {"a": {"kind": "url", "hosts": ["a/b"]}}},
        {"placeholders": {str(nth): {"kind": "name"} for nth in range(21)}},
        {"colour": "red"},
    ],
)
async def test_a_text_of_no_form_is_refused(city: TestCity, changed: dict[str, Any]) -> None:
    body = {"sort": "sms", "content": READY | changed}
    answer = await a_department(city).post("/texts", json=body, headers={"Idempotency-Key": "a"})
    assert (answer.status_code, code_of(answer)) == (400, "request.malformed")


async def test_a_preview_shows_a_draft_with_its_cost_and_what_is_wrong(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    values = READY_VALUES | {"until": "tomorrow", "colour": "red"}
    shown = await acted(client, text_id, 1, "preview", {"values": values})
    assert (shown["missing"], shown["unknown"]) == ([], ["colour"])
    assert list(shown["wrong"]) == ["until"]
    assert [(one["channel"], one["language"]) for one in shown["shown"]] == [("sms", "zh"), ("sms", "en")]
    assert shown["shown"][0]["text"].startswith("【市人社局】闻人静，您的护照已办好，请于((until))前")
    assert shown["shown"][0]["cost"]["alphabet"] == "ucs2"
    assert shown["shown"][0]["cost"]["segments"] == 1


async def test_operators_see_the_citys_own_texts_beside_the_departments(city: TestCity) -> None:
    first = (await city.as_operator().get("/texts")).json()
    assert {"sign_in_code", "department_notice"} <= {one["name"] for one in first["of_the_city"]}
    client = a_department(city)
    for _ in range(3):
        await acted(client, await written(client), 1, "submit")
    pages, after = [], None
    while True:
        params = {"limit": 2} | ({"after": after} if after else {})
        page = (await city.as_operator().get("/texts", params=params)).json()
        pages.append([one["text_id"] for one in page["texts"]])
        after = page["next_after"]
        if after is None:
            break
    assert [len(page) for page in pages] == [2, 1]
    assert len({text_id for page in pages for text_id in page}) == 3
    assert page["of_the_city"] == []


async def test_operators_say_what_providers_know_a_text_by(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    at = f"/texts/{text_id}/versions/1/providers"
    body = {"providers": {"cloud": {"zh": "SMS_1", "parameters": {"2": "until", "1": "hall"}}}}
    answer = await city.as_operator().put(at, json=body)
    assert (answer.status_code, code_of(answer)) == (409, "texts.decided")
    await approved(city, client, text_id)
    texts = await in_memory(city)
    assert texts.find(text_id, 1).for_provider("cloud", READY_VALUES, "zh") is None  # type: ignore[union-attr]
    assert (await city.as_operator().put(at, json=body)).status_code == 200
    await texts.refresh()
    found = texts.find(text_id, 1).for_provider("cloud", READY_VALUES, "zh")  # type: ignore[union-attr]
    assert found is not None
    assert (found.provider_template, list(found.parameters)) == ("SMS_1", ["2", "1"])
    wrong = {"providers": {"cloud": {"zh": "SMS_1", "parameters": {"1": "colour"}}}}
    answer = await city.as_operator().put(at, json=wrong)
    assert (answer.status_code, code_of(answer)) == (422, "texts.unsound")


async def test_a_version_approved_a_moment_ago_is_read_through(city: TestCity) -> None:
    client = a_department(city)
    texts = await in_memory(city)
    text_id = await written(client)
    await texts.read_through([(text_id, 1), ("sign_in_code", 9), (str(uuid4()), 1)])
    assert texts.find(text_id, 1) is None
    await approved(city, client, text_id)
    await texts.read_through([(text_id, 1)])
    assert texts.find(text_id, 1) is not None


async def test_a_text_that_cannot_be_read_leaves_the_others_alone(city: TestCity) -> None:
    client = a_department(city)
    spoilt, sound = await written(client), await written(client)
    for text_id in (spoilt, sound):
        await approved(city, client, text_id)
    async with city.parts.db.connection() as conn:
        await conn.execute(
            """UPDATE notifications.department_text_version SET content = '{"name": 1}' WHERE text_id = $1""",
            UUID(spoilt),
        )
    texts = await in_memory(city)
    assert (texts.find(spoilt, 1), texts.find(sound, 1) is not None) == (None, True)


async def test_of_a_yes_and_a_no_at_once_one_is_kept(city: TestCity) -> None:
    client, db, now = a_department(city), city.parts.db, city.clock.now()
    text_id = UUID(await written(client))
    await acted(client, str(text_id), 1, "submit")

    async def approve() -> None:
        async with db.transaction() as conn:
            await deciding.approve(conn, text_id, 1, is_otp_meant=False, actor="operator:a", now=now)

    async with db.transaction() as conn:
        await deciding.reject(conn, text_id, 1, "不妥", actor="operator:b", now=now)
        approving = asyncio.create_task(approve())
        await asyncio.sleep(0.2)
    with pytest.raises(TextDecided):
        await approving
    assert (await client.get(f"/texts/{text_id}")).json()["newest"]["state"] == "rejected"


async def test_the_database_keeps_one_open_version_of_a_text(city: TestCity) -> None:
    text_id = await written(a_department(city))
    with pytest.raises(asyncpg.UniqueViolationError):
        async with city.parts.db.transaction() as conn:
            await conn.execute(
                """
                INSERT INTO notifications.department_text_version
                       (text_id, version, revision, content, provider_ids, state, written_at)
                VALUES ($1, 2, 1, '{}', '{}', 'draft', $2)
                """,
                UUID(text_id), city.clock.now(),
            )  # fmt: skip


async def test_acts_with_texts_are_on_record_without_their_words(city: TestCity) -> None:
    client = a_department(city)
    text_id = await written(client)
    await approved(city, client, text_id)
    rows = await city.parts.db.fetch("SELECT act, subject, detail::text FROM kernel.audit ORDER BY at, entry_id")
    found = [row for row in rows if row["subject"] == f"text:{text_id}"]
    assert {row["act"] for row in found} == {
        "notifications.write_text",
        "notifications.submit_text",
        "notifications.approve_text",
    }
    assert all("办好" not in row["detail"] for row in found)


async def test_what_is_owed_in_a_text_is_told_in_it_by_a_worker_that_had_not_heard_of_it(city: TestCity) -> None:
    client, notifications = a_department(city), city.parts.notifications
    text_id = await written(client)
    await approved(city, client, text_id)
    assert notifications.texts.find(text_id, 1) is None
    text = (await in_memory(city)).in_use(UUID(text_id))
    assert text is not None
    owed = Owed(
        caller="department:a", key="1", to=ToPhone(PHONE), template=text, values=READY_VALUES, due_at=city.clock.now()
    )
    await owe(notifications, owed)
    await notifications.settle()
    city.clock.advance(timedelta(minutes=5))
    await notifications.settle()
    shown = await city.as_nobody().post("/demo/outbox/search", json={"phone": PHONE})
    assert [one["text"] for one in shown.json()["messages"]] == [text.sms(READY_VALUES, "zh")]


async def test_the_demos_texts_are_planted_once_and_may_be_sent(city: TestCity) -> None:
    for _ in range(2):
        await seeds.plant_texts(city.parts)
    texts = await in_memory(city)
    parks = seeds.department_id_of("parks")
    planted = texts.of_department(parks)
    assert sorted(text.of.text_id for text in planted) == sorted(seeds.text_id_of(one.slug) for one in TEXTS)
    assert {text.version for text in planted} == {1}
    listed = (await city.as_department(parks, "parks").get("/texts")).json()["texts"]
    assert [one["state"] for one in listed] == ["approved"] * len(TEXTS)
