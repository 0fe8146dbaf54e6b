"""What a department has to say about a case is told once and whole; what changes is told as what changed."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kernel.ids import DepartmentId, PersonId
from kernel.people import Identity
from notifications.cases.forgetting import CASES_KEPT_FOR
from notifications.cases.model import NOTICES_MAX
from tests.builders_notifications import PHONE
from tests.whole_city import Caller, TestCity, code_of

ID_NUMBER = "310101199001012336"
UNKNOWN = "310101199001012344"
CASE = "/cases/JZZ-2026-000123/notices"
CONTRACT = {"what": {"zh": "租赁合同", "en": "lease"}, "why": {"zh": "原件缺页", "en": "a page is missing"}}
PHOTO = {"what": {"zh": "近期照片"}, "why": {"zh": "背景不是白色"}}
RECEIPT = {"what": {"zh": "社保缴纳证明"}, "why": {"zh": "未提供"}}
SUPPLEMENT: dict[str, Any] = {
    "matter": {"zh": "居住证办理", "en": "a residence permit"},
    "items": [CONTRACT, PHOTO],
    "place": {"zh": "静安区政务服务中心2楼5号窗口"},
    "until": "2026-03-20",
    "links": [{"label": {"zh": "网上提交"}, "url": "https://upload.example/jzz"}],
}
OTHERS: dict[str, dict[str, Any]] = {
    "approval": {
        "matter": SUPPLEMENT["matter"], "when": "2026-03-09T09:30:00+08:00", "place": SUPPLEMENT["place"],
        "bring": [{"zh": "身份证", "en": "ID card"}, {"zh": "受理回执"}],
    },
    "progress": {
        "matter": SUPPLEMENT["matter"], "stage": 2, "stages": 4, "now": {"zh": "现场勘验"}, "next": {"zh": "专家评审"},
    },
    "inspection_overdue": {
        "what": {"zh": "机动车沪A00000"}, "since": "2026-02-01", "follows": {"zh": "逾期上路将被处罚"},
    },
    "violation": {
        "place": {"zh": "延安高架路外环方向"}, "when": "2026-02-27T08:10:00+08:00", "what": {"zh": "违法变道"},
        "objection": {"zh": "15日内到支队申请复核"},
    },
}  # fmt: skip


def a_department(city: TestCity, department_id: DepartmentId | None = None) -> Caller:
    return city.as_department(department_id or DepartmentId(uuid4()), "public_security", "市公安局")


def saying(notice: dict[str, Any], *, revision: int = 1, id_number: str = ID_NUMBER, **changes: Any) -> dict[str, Any]:
    return {"id_number": id_number, "revision": revision, "notice": {**notice, **changes}}


async def somebody(city: TestCity, language: str = "zh") -> PersonId:
    """The person of the ID number, who has a phone."""
    notifications = city.parts.notifications
    async with notifications.db.transaction() as conn:
        person = await notifications.people.mint(conn, Identity(ID_NUMBER, "一人"), now=city.clock.now())
        await notifications.contacts.remember(conn, person, PHONE, language, city.clock.now())
    return person


async def inbox(city: TestCity, person: PersonId) -> list[dict[str, Any]]:
    """What lies in the inbox a second later, newest first."""
    city.clock.advance(timedelta(seconds=1))
    await city.parts.notifications.settle()
    return (await city.as_resident(person).get("/inbox")).json()["items"]


async def sms(city: TestCity) -> list[str]:
    """What came to the phone, newest first."""
    await city.parts.notifications.settle()
    shown = await city.as_nobody().post("/demo/outbox/search", json={"phone": PHONE})
    return [one["text"] for one in shown.json()["messages"]]


async def supplement(client: Caller, **how: Any) -> httpx.Response:
    return await client.put(f"{CASE}/supplement", json=saying(SUPPLEMENT, **how))


async def test_what_is_missing_is_told_whole_in_one_message(city: TestCity) -> None:
    person = await somebody(city)
    told = await supplement(a_department(city))
    assert told.status_code == 200, told.text
    [item] = await inbox(city, person)
    assert item["title"] == "需补正材料"
    assert item["body"] == (
        "市公安局：您申请的“居住证办理”需一次补齐2项材料：1.租赁合同（原件缺页）；2.近期照片（背景不是白色）。"
        "最迟2026-03-20交至：静安区政务服务中心2楼5号窗口。"
    )
    assert item["lines"] == [
        {"sort": "hand_in", "text": "租赁合同", "why": "原件缺页", "url": None},
        {"sort": "hand_in", "text": "近期照片", "why": "背景不是白色", "url": None},
        {"sort": "link", "text": "网上提交", "why": None, "url": "https://upload.example/jzz"},
    ]
    [text] = await sms(city)
    assert "1.租赁合同；2.近期照片。最迟2026-03-20交至：静安区政务服务中心2楼5号窗口" in text
    assert "http" not in text


async def test_who_reads_english_is_told_in_english_as_far_as_the_department_wrote_it(city: TestCity) -> None:
    person = await somebody(city, "en")
    await supplement(a_department(city))
    [item] = await inbox(city, person)
    assert (
        "a residence permit needs 2 more papers, all of them here: 1.lease (a page is missing); 2.近期照片"
        in item["body"]
    )


async def test_the_same_list_again_is_the_same_notice(city: TestCity) -> None:
    person = await somebody(city)
    client = a_department(city)
    first, again = await supplement(client), await supplement(client)
    await inbox(city, person)
    later = await supplement(client)
    assert first.json() == again.json()
    assert {**first.json(), "state": "handled"} == later.json()
    assert len(await inbox(city, person)) == len(await sms(city)) == 1


async def test_the_same_list_from_many_at_once_is_one_notice(city: TestCity) -> None:
    person = await somebody(city)
    client = a_department(city)
    answers = await asyncio.gather(*(supplement(client) for _ in range(8)))
    assert {answer.json()["message_id"] for answer in answers} == {answers[0].json()["message_id"]}
    assert len(await inbox(city, person)) == 1


async def test_another_list_takes_the_place_of_one_that_nobody_was_told_yet(city: TestCity) -> None:
    person = await somebody(city)
    client = a_department(city)
    first = await supplement(client)
    second = await supplement(client, items=[CONTRACT, PHOTO, RECEIPT])
    assert second.json()["is_renewal"] is False
    [item] = await inbox(city, person)
    assert (item["id"], item["kind"]) == (second.json()["message_id"], "supplement_needed")
    assert "3项材料" in item["body"]
    assert len(await sms(city)) == 1
    notices = (await client.get(CASE)).json()["notices"]
    assert [(one["message_id"], one["state"], one["is_current"]) for one in notices] == [
        (first.json()["message_id"], "withdrawn", False),
        (second.json()["message_id"], "handled", True),
    ]


async def test_another_list_after_the_first_was_told_says_what_changed_and_is_whole(city: TestCity) -> None:
    person = await somebody(city)
    client = a_department(city)
    await supplement(client)
    await inbox(city, person)
    changed = await supplement(client, items=[PHOTO, RECEIPT], until="2026-03-27")
    assert changed.json()["is_renewal"] is True
    newest, _ = await inbox(city, person)
    assert newest["kind"] == "supplement_changed"
    assert "（新增：社保缴纳证明；不再需要：租赁合同；期限改为2026-03-27），以本通知为准" in newest["body"]
    assert "现共需2项：1.近期照片（背景不是白色）；2.社保缴纳证明（未提供）" in newest["body"]
    assert [line["text"] for line in newest["lines"]] == ["近期照片", "社保缴纳证明", "网上提交"]


async def test_what_changed_is_said_against_what_the_person_was_told_and_not_against_what_they_were_not(
    city: TestCity,
) -> None:
    person = await somebody(city)
    client = a_department(city)
    await supplement(client)
    await inbox(city, person)
    await supplement(client, items=[CONTRACT])
    await supplement(client, items=[CONTRACT, PHOTO, RECEIPT])
    newest, first = await inbox(city, person)
    assert "新增：社保缴纳证明）" in newest["body"]
    assert first["kind"] == "supplement_needed"


async def test_what_was_told_and_then_changed_in_the_night_comes_by_one_sms(city: TestCity) -> None:
    """Filed in the inbox at night, with an SMS for the morning: what changes meanwhile leaves one SMS, the newest."""
    person = await somebody(city)
    notifications = city.parts.notifications
    notifications.rules.has_quiet_hours = True
    city.clock.advance(timedelta(hours=14))
    client = a_department(city)
    await supplement(client)
    assert len(await inbox(city, person)) == 1
    await supplement(client, items=[PHOTO])
    assert len(await inbox(city, person)) == 2
    city.clock.advance(timedelta(hours=10))
    [text] = await sms(city)
    assert "不再需要：租赁合同" in text


async def test_an_old_list_that_comes_late_is_refused_and_comes_again_as_a_higher_revision(city: TestCity) -> None:
    person = await somebody(city)
    client = a_department(city)
    await supplement(client)
    await inbox(city, person)
    await supplement(client, items=[PHOTO], revision=2)
    late = await supplement(client)
    other_late = await supplement(client, items=[RECEIPT])
    for refused in (late, other_late):
        assert (refused.status_code, code_of(refused)) == (409, "cases.outdated")
        assert refused.json()["revision"] == 2
    again = await supplement(client, revision=3)
    assert again.status_code == 200
    assert "2项" in (await inbox(city, person))[0]["body"]


@pytest.mark.parametrize("kind", sorted(OTHERS))
async def test_every_other_kind_is_told_once_too(city: TestCity, kind: str) -> None:
    person = await somebody(city)
    client = a_department(city)
    first = await client.put(f"{CASE}/{kind}", json=saying(OTHERS[kind]))
    again = await client.put(f"{CASE}/{kind}", json=saying(OTHERS[kind]))
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    assert first.json()["kind"] == kind
    [item] = await inbox(city, person)
    [text] = await sms(city)
    assert item["body"] in text


async def test_what_a_notice_tells_is_said_plainly(city: TestCity) -> None:
    person = await somebody(city)
    client = a_department(city)
    for kind, notice in OTHERS.items():
        assert (await client.put(f"{CASE}/{kind}", json=saying(notice))).status_code == 200
    said = {item["kind"]: item for item in await inbox(city, person)}
    assert {kind: item["body"] for kind, item in said.items()} == {
        "case_approved": "市公安局：您申请的“居住证办理”已办结。请于3月9日（周一）09:30到"
        "静安区政务服务中心2楼5号窗口领取，请携带：身份证、受理回执。",
        "case_progress": "市公安局：您申请的“居住证办理”办到第2步（共4步）：现场勘验。下一步：专家评审。",
        "inspection_overdue": "市公安局：机动车沪A00000自2026-02-01起检验逾期。逾期上路将被处罚。",
        "violation_recorded": "市公安局：2月27日（周五）08:10在延安高架路外环方向有一条违法记录：违法变道。"
        "如有异议：15日内到支队申请复核。",
    }
    bring = [(line["sort"], line["text"]) for line in said["case_approved"]["lines"]]
    assert bring == [("bring", "身份证"), ("bring", "受理回执")]


async def test_an_hour_that_moved_says_that_it_takes_the_place_of_the_other(city: TestCity) -> None:
    person = await somebody(city)
    client = a_department(city)
    await client.put(f"{CASE}/approval", json=saying(OTHERS["approval"]))
    await inbox(city, person)
    await client.put(f"{CASE}/approval", json=saying(OTHERS["approval"], when="2026-03-10T14:00:00+08:00"))
    newest, first = await inbox(city, person)
    assert "已办结（以本通知为准）。请于3月10日（周二）14:00" in newest["body"]
    assert "以本通知为准" not in first["body"]


async def test_the_time_to_collect_is_not_told_when_it_is_over(city: TestCity) -> None:
    await somebody(city)
    await a_department(city).put(f"{CASE}/approval", json=saying(OTHERS["approval"], when="2026-03-02T10:00:00+08:00"))
    city.clock.advance(timedelta(hours=2))
    assert await sms(city) == []


async def test_no_answer_tells_whether_the_person_is_known(city: TestCity) -> None:
    await somebody(city)
    client, answers = a_department(city), []
    for nth, id_number in enumerate((ID_NUMBER, UNKNOWN)):
        case = f"/cases/K-{nth}/notices"
        said = []
        for items in ([CONTRACT], [CONTRACT, PHOTO]):
            body = saying(SUPPLEMENT, id_number=id_number, items=items)
            said.append((await client.put(f"{case}/supplement", json=body)).json())
            await city.parts.notifications.settle()
        said += (await client.get(case)).json()["notices"]
        answers.append([{name: value for name, value in one.items() if name != "message_id"} for one in said])
    assert answers[0] == answers[1]


async def test_a_case_is_one_persons_and_one_departments(city: TestCity) -> None:
    person = await somebody(city)
    mine = DepartmentId(uuid4())
    client, other = a_department(city, mine), a_department(city)
    await supplement(client)
    refused = await supplement(client, id_number=UNKNOWN, revision=2)
    assert (refused.status_code, code_of(refused)) == (409, "cases.of_another")
    unknown = await other.get(CASE)
    assert (unknown.status_code, code_of(unknown)) == (404, "cases.not_found")
    assert (await supplement(other)).status_code == 200  # a number of its own, which happens to be the same
    assert len(await inbox(city, person)) == 2


@pytest.mark.parametrize(
    ("kind", "changes", "fault"),
    [
        ("supplement", {"until": "2026-03-01"}, "`until` is over"),
        ("supplement", {"items": [PHOTO, PHOTO]}, "one paper is listed twice"),
        ("supplement", {"place": {"zh": "见 https://example.org"}}, "links belong in `links`"),
        ("approval", {"when": "2026-03-02T08:59:00+08:00"}, "`when` is over"),
        ("progress", {"stage": 5}, "`stage` is beyond `stages`"),
        ("inspection_overdue", {"since": "2026-03-03"}, "`since` has not come"),
        ("violation", {"when": "2026-03-02T09:01:00+08:00"}, "`when` has not come"),
        ("supplement", {"until": "9999-12-31"}, "`until` is not of the years 1900 to 2200"),
        ("approval", {"when": "9999-12-31T23:00:00Z"}, "`when` is not of the years 1900 to 2200"),
        ("approval", {"when": "2200-12-31T23:00:00-14:00"}, "`when` is not of the years 1900 to 2200"),
        ("inspection_overdue", {"since": "0001-01-01"}, "`since` is not of the years 1900 to 2200"),
        ("violation", {"when": "0001-01-01T00:00:00+14:00"}, "`when` is not of the years 1900 to 2200"),
    ],
)
async def test_what_cannot_be_told_is_refused_and_nothing_is_owed(
    city: TestCity, kind: str, changes: dict[str, Any], fault: str
) -> None:
    person = await somebody(city)
    notice = {"supplement": SUPPLEMENT, **OTHERS}[kind]
    refused = await a_department(city).put(f"{CASE}/{kind}", json=saying(notice, **changes))
    assert (refused.status_code, code_of(refused)) == (422, "cases.unsound")
    assert refused.json()["faults"] == [fault]
    assert await inbox(city, person) == []


async def test_a_list_that_no_sms_can_say_whole_is_refused(city: TestCity) -> None:
    person = await somebody(city)
    items = [{"what": {"zh": f"{nth:02}" + "证" * 58}, "why": {"zh": "未提供"}} for nth in range(20)]
    refused = await supplement(a_department(city), items=items)
    assert (refused.status_code, code_of(refused)) == (422, "cases.too_long")
    assert await inbox(city, person) == []
    fits = [{"what": {"zh": f"{nth:02}" + "证" * 18}, "why": {"zh": "未提供" * 30}} for nth in range(20)]
    assert (await supplement(a_department(city), items=fits)).status_code == 200
    [text] = await sms(city)
    assert "20.19证" in text
    assert "…" not in text


async def test_words_that_could_pass_for_anothers_signature_are_refused(city: TestCity) -> None:
    client = a_department(city)
    for words in ("【市税务局】退税", "a\nb", "", "字" * 121, "\u202e税"):
        answer = await supplement(client, matter={"zh": words})
        assert answer.status_code == 400, words
    for url in ("http://a.example/", "https://a.example/\n", "javascript:alert(1)", "https://a@b.example/"):
        answer = await supplement(client, links=[{"label": {"zh": "提交"}, "url": url}])
        assert answer.status_code == 400, url


async def test_nobody_is_told_without_end_of_one_case(city: TestCity) -> None:
    client = a_department(city)
    for nth in range(NOTICES_MAX):
        assert (await supplement(client, until=f"2026-{4 + nth // 28:02}-{1 + nth % 28:02}")).status_code == 200
    refused = await supplement(client, until="2027-01-01")
    assert (refused.status_code, code_of(refused)) == (422, "cases.too_many")


async def test_what_was_said_is_sealed_and_forgotten_with_its_message(city: TestCity) -> None:
    person, mine = await somebody(city), DepartmentId(uuid4())
    await supplement(a_department(city, mine))
    await inbox(city, person)
    db = city.parts.db
    rows = await db.fetch("SELECT * FROM notifications.case_notice JOIN notifications.told_case USING (case_digest)")
    kept = str([dict(row) for row in rows]) + repr(b"".join(row["sealed_content"] for row in rows))
    for personal in (ID_NUMBER, "租赁合同", "JZZ-2026", str("租赁合同".encode())[2:-1]):
        assert personal not in kept
    city.clock.advance(timedelta(days=400))
    await city.parts.retention.forgetting.forget_due()
    assert await db.fetchval("SELECT length(sealed_content) FROM notifications.case_notice") == 0
    await city.parts.signing_keys.ensure()
    await city.renew()
    changed = await supplement(a_department(city, mine), items=[PHOTO], until="2027-12-31", revision=2)
    assert changed.json()["is_renewal"] is True
    assert "补正材料有变更（见清单）" in (await inbox(city, person))[0]["body"]


async def test_a_case_is_forgotten_when_nothing_was_said_of_it_for_long(city: TestCity) -> None:
    await supplement(a_department(city))
    city.clock.advance(CASES_KEPT_FOR - timedelta(seconds=1))
    assert await city.parts.cases.forgetting.forget_cases() == 0
    city.clock.advance(timedelta(seconds=2))
    assert await city.parts.cases.forgetting.forget_cases() == 1
    for table in ("told_case", "case_notice"):
        assert await city.parts.db.fetchval(f"SELECT count(*) FROM notifications.{table}") == 0


async def test_notices_about_cases_are_counted_as_what_a_department_sent(city: TestCity) -> None:
    await somebody(city)
    mine = DepartmentId(uuid4())
    await supplement(a_department(city, mine))
    assert (
        await city.parts.db.fetchval(
            "SELECT count(*) FROM notifications.taken_tally WHERE caller = $1 AND template = 'supplement_needed'",
            f"department:{mine}",
        )
        == 1
    )


async def test_every_notice_is_on_record(city: TestCity) -> None:
    await supplement(a_department(city))
    acts = await city.parts.db.fetch("SELECT act FROM kernel.audit WHERE actor LIKE 'department:%'")
    assert [row["act"] for row in acts] == ["notifications.tell_supplement"]
