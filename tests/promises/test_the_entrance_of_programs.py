"""Programs written for GOV.UK Notify are answered in the form they know, whatever they ask and however it ends."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.express import Express
from kernel.ids import DepartmentId, MessageId
from notifications.replies.reading import Received
from notifications.seals import Seals
from notifications.services.keys.proving import token_of
from notifications.services.model import Allowance
from notifications.texts.model import TextSort, Words
from notifications.texts.placeholders import Day, Moment, Text
from tests.builders_programs import Client, error_of
from tests.builders_services import PHONE, VALUES, approved_text, refreshed
from tests.whole_city import TestCity


@pytest.fixture
async def client(city: TestCity) -> Client:
    return await Client.joined(city)


async def test_an_sms_is_sent_and_followed(client: Client) -> None:
    answer = await client.sms(reference="r", values={**VALUES, "Extra": "is left out"})
    assert answer.status_code == 201
    said = answer.json()
    text_id = str(client.texts[TextSort.SMS])
    assert said["content"] == {
        "body": "【绿化市容局】王小明，您的公园年票已办好，请到市民中心领取。", "from_number": "绿化市容局",
    }  # fmt: skip
    assert said["uri"] == f"http://127.0.0.1:8700/v2/notifications/{said['id']}"
    assert (said["template"]["id"], said["template"]["version"], said["reference"]) == (text_id, 1, "r")
    before = (await client.ask("GET", f"/v2/notifications/{said['id']}")).json()
    assert (before["status"], before["phone_number"], before["body"]) == ("created", PHONE, said["content"]["body"])
    await client.city.parts.notifications.settle()
    after = (await client.ask("GET", f"/v2/notifications/{said['id']}")).json()
    assert (after["status"], after["type"], after["subject"]) == ("delivered", "sms", None)
    assert after["created_at"] <= after["sent_at"] <= after["completed_at"]


async def test_names_of_values_may_be_spelt_as_people_spell_them(client: Client) -> None:
    assert (await client.sms(values={"NAME": "王小明", "Pl ace": ["一号", "二号"]})).status_code == 201
    assert (await client.sms(values={"name": 7, "place": True})).status_code == 201


async def test_several_things_in_one_gap_are_said_as_people_say_them(client: Client) -> None:
    things = ["一号", 2, True, None, "", 2.5]
    said = (await client.sms(values={"name": [1], "PLACE": things})).json()["content"]["body"]
    assert "】1，您的" in said
    assert "请到一号、2、True、2.5领取" in said
    mailed = await client.email("somebody@example.org", personalisation={"name": ["王", "李"], "place": ["a", "b"]})
    content = mailed.json()["content"]
    assert (content["subject"], content["body"]) == (
        "王、李，您的年票",
        "王、李，您的公园年票已办好，请到\n• a\n• b领取。",
    )
    text_id = await approved_text(
        client.city.parts.db, client.city.clock, client.service_id,
        zh=Words("Bring ((things))."), placeholders={"things": Text(40)},
    )  # fmt: skip
    await refreshed(client.city.parts.services)
    for given, expected in ((["a", "b", "c"], "a, b and c"), (["a", "b"], "a and b"), (["a"], "a"), ([], "")):
        sent = await client.sms(template_id=str(text_id), values={"things": given})
        assert sent.json()["content"]["body"].endswith(f"Bring {expected}."), given
    assert error_of(await client.sms(values={"name": "王", "place": [["a"]]}))[:2] == (400, "ValidationError")


async def test_a_gap_for_words_may_stay_empty_and_no_other(client: Client) -> None:
    sent = await client.sms(values={"name": "王小明", "place": ""})
    assert sent.json()["content"]["body"].endswith("请到领取。")
    assert error_of(await client.sms(values={"name": "", "place": "x"}))[:2] == (400, "BadRequestError")
    assert error_of(await client.sms(values={"name": "王小明", "place": None}))[2] == "Missing personalisation: place"


WRONG: tuple[tuple[dict[str, Any], tuple[int, str, str | None]], ...] = (
    ({"phone_number": None}, (400, "ValidationError", None)),
    ({"phone_number": "1"}, (400, "ValidationError", "phone_number Not a valid phone number")),
    ({"template_id": "x"}, (400, "ValidationError", "template_id is not a valid UUID")),
    ({"template_id": str(uuid4())}, (400, "BadRequestError", "Template not found")),
    ({"personalisation": {"name": "王"}}, (400, "BadRequestError", "Missing personalisation: place")),
    ({"personalisation": {"name": "王", "place": {"file": "aGk="}}}, (400, "BadRequestError", None)),
    ({"personalisation": {"name": "王", "place": "x" * 50}}, (400, "BadRequestError", None)),
    ({"sms_sender_id": str(uuid4())}, (400, "BadRequestError", None)),
    ({"more": 1}, (400, "ValidationError", "Additional properties are not allowed (more was unexpected)")),
)


async def test_a_wrong_sms_is_refused_in_the_clients_words(client: Client) -> None:
    for change, expected in WRONG:
        text_id = str(client.texts[TextSort.SMS])
        body = {"phone_number": PHONE, "template_id": text_id, "personalisation": VALUES, **change}
        status, error, message = error_of(await client.ask("POST", "/v2/notifications/sms", json=body))
        assert (status, error) == expected[:2], change
        assert expected[2] is None or message == expected[2]


async def test_everything_that_is_wrong_is_told_at_once(client: Client) -> None:
    body = {"phone_number": 1, "template_id": "x", "personalisation": {"a": [{}]}, "reference": "x" * 2_000, "more": 1}
    for padding in ("", " " * 20_000):  # the short way and the long
        content = json.dumps(body) + padding
        said = (await client.ask("POST", "/v2/notifications/sms", content=content)).json()
        assert (said["status_code"], {one["error"] for one in said["errors"]}) == (400, {"ValidationError"})
        where = [one["message"].split()[0] for one in said["errors"]]
        assert where == ["phone_number", "template_id", "personalisation[...][0]", "reference", "Additional"]
    as_department = client.city.as_department(client.service_id, "parks")
    refused = await as_department.post("/keys", {"name": "", "kind": "x", "more": 1})
    assert [word in refused.json()["detail"] for word in ("name: ", "kind: ", "`more`")] == [True] * 3


async def test_what_is_missing_is_named(client: Client) -> None:
    answer = await client.ask("POST", "/v2/notifications/sms", json={"phone_number": PHONE})
    assert error_of(answer) == (400, "ValidationError", "template_id is a required property")
    nothing = await client.ask("POST", "/v2/notifications/sms", json={})
    assert [one["message"] for one in nothing.json()["errors"]] == [
        "phone_number is a required property", "template_id is a required property",
    ]  # fmt: skip
    for content in (b"", b"{", b"\xff"):
        assert error_of(await client.ask("POST", "/v2/notifications/sms", content=content))[:2] == (
            400,
            "BadRequestError",
        )


NO_MOMENTS = ("9999-12-31T23:00:00Z", "0001-01-01T00:00:00+14:00", "2201-01-01T00:00:00Z", "1899-12-31T00:00:00Z")


async def test_a_moment_that_no_calendar_has_is_refused_and_leaves_nothing_behind(client: Client) -> None:
    for kind, when in (("moment", NO_MOMENTS), ("day", ("9999-12-31", "0001-01-01", "2201-01-01"))):
        gap = {"when": Moment() if kind == "moment" else Day()}
        text_id = await approved_text(
            client.city.parts.db, client.city.clock, client.service_id, zh=Words("请于((when))前来"), placeholders=gap
        )
        await refreshed(client.city.parts.services)
        for one in when:
            body = {"phone_number": PHONE, "template_id": str(text_id), "personalisation": {"when": one}}
            refused = error_of(await client.ask("POST", "/v2/notifications/sms", json=body))
            assert (refused[:2], "1900 to 2200" in refused[2]) == ((400, "BadRequestError"), True), one
            preview = {"personalisation": {"when": one}}
            at = f"/v2/template/{text_id}/preview"
            assert error_of(await client.ask("POST", at, json=preview))[:2] == (400, "BadRequestError"), one
    assert (await client.ask("GET", "/v2/notifications")).json()["notifications"] == []


async def test_one_message_that_cannot_be_said_leaves_the_others_on_their_page(client: Client) -> None:
    city = client.city
    ids = [(await client.sms()).json()["id"] for _ in range(3)]
    sealed = Seals(city.parts.keys).values(MessageId(UUID(ids[1])), {"name": "王小明"})  # by other code than this
    async with city.parts.db.transaction() as conn:
        await conn.execute(
            "UPDATE notifications.message SET sealed_values = $1 WHERE message_id = $2", sealed, UUID(ids[1])
        )
    listed = (await client.ask("GET", "/v2/notifications")).json()["notifications"]
    assert [one["id"] for one in listed] == sorted(ids, reverse=True)
    assert {one["id"] for one in listed if one["body"] == ""} == {ids[1]}
    assert await client.status(ids[1]) == "created"


async def test_a_reference_is_one_line_and_an_empty_one_is_none(client: Client) -> None:
    sent = await client.sms(reference="")
    assert (sent.status_code, sent.json()["reference"]) == (201, None)
    mailed = await client.email("somebody@example.org", reference="")
    assert (mailed.status_code, mailed.json()["reference"]) == (201, None)
    for wrong in ("a\x00b", "a\nb", "a\n", "\x85", "a\u202eb"):
        assert error_of(await client.sms(reference=wrong))[:2] == (400, "ValidationError"), repr(wrong)
        refused = error_of(await client.email("somebody@example.org", reference=wrong))
        assert refused[:2] == (400, "ValidationError"), repr(wrong)


async def test_a_reference_may_be_as_long_as_a_thousand_bytes(client: Client) -> None:
    for good in ("x" * 1_000, "".join(chr(0x4E00 + nth) for nth in range(333))):
        assert (await client.sms(reference=good)).status_code == 201
        listed = (await client.ask("GET", "/v2/notifications", params={"reference": good})).json()["notifications"]
        assert [one["reference"] for one in listed] == [good]
        department = client.city.as_department(client.service_id, "parks")
        assert len((await department.get("/sent", params={"reference": good})).json()["messages"]) == 1
    for wrong in ("x" * 1_001, "字" * 334):
        assert error_of(await client.sms(reference=wrong))[:2] == (400, "ValidationError")


async def test_a_body_that_is_nested_too_deep_is_the_programs_fault(client: Client) -> None:
    deep = b'{"personalisation":' + b'{"a":' * 5_000
    short = b'{"personalisation":' + b'{"a":' * 2_000
    for content in (deep, short):
        refused = error_of(await client.ask("POST", "/v2/notifications/sms", content=content))
        assert refused == (400, "BadRequestError", "Invalid JSON supplied in POST data")


async def test_links_keep_everything_that_was_asked(client: Client) -> None:
    await client.sms(reference="r")
    asked = "template_type=sms&reference=r&include_jobs=true"
    page = (await client.ask("GET", f"/v2/notifications?{asked}")).json()
    assert page["links"]["current"].endswith(f"/v2/notifications?{asked}")
    assert page["links"]["next"].endswith(f"&{asked}")


async def test_a_text_for_another_channel_is_refused(client: Client) -> None:
    body = {"phone_number": PHONE, "template_id": str(client.texts[TextSort.EMAIL]), "personalisation": VALUES}
    answer = await client.ask("POST", "/v2/notifications/sms", json=body)
    assert error_of(answer)[2] == "email template is not suitable for sms notification"


async def test_this_city_sends_no_letters(client: Client) -> None:
    for body in ({"template_id": str(uuid4()), "personalisation": {}}, {"reference": "r", "content": "A" * 10_000}):
        answer = await client.ask("POST", "/v2/notifications/letter", json=body)
        assert error_of(answer) == (400, "BadRequestError", "This city sends no letters")
    assert error_of(await client.ask("GET", f"/v2/notifications/{uuid4()}/pdf"))[0] == 400


async def test_a_program_that_proves_nothing_is_told_why(client: Client) -> None:
    city = client.city
    now = int(city.clock.now().timestamp())
    said = {
        None: (401, "Unauthorized: authentication token must be provided"),
        token_of(str(uuid4()), client.service_id, now): (403, "Invalid token: API key not found"),
        token_of(client.key[-36:], client.service_id, now - 31): (
            403, "Error: Your system clock must be accurate to within 30 seconds",
        ),
        city.as_department(client.service_id, "parks").headers["Authorization"][7:]: (
            403, "Invalid token: API key not found",
        ),
    }  # fmt: skip
    for token, expected in said.items():
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        for method, path in (("GET", "/v2/templates"), ("POST", "/v2/notifications/sms")):
            answer = await city.client.request(method, path, headers=headers, json={})
            assert error_of(answer) == (expected[0], "AuthError", expected[1])


async def test_what_a_revoked_key_signed_is_told_that_it_was_revoked(client: Client) -> None:
    assert (await client.ask("GET", "/v2/templates")).status_code == 200
    keys = client.city.parts.services.keys
    [key] = await keys.every(client.service_id)
    await keys.revoke(client.service_id, key.key_id, actor="tests")
    for method, path in (("GET", "/v2/templates"), ("POST", "/v2/notifications/sms"), ("GET", "/v2/nowhere")):
        answer = await client.ask(method, path, json={})
        assert error_of(answer) == (403, "AuthError", "Invalid token: API key revoked")


async def test_where_nothing_is_a_program_is_told_so_in_its_own_form(client: Client) -> None:
    for path in ("/v2/nowhere", "/v2/", "/v2/notifications/fax", "/service/x", "/v2/template"):
        assert error_of(await client.ask("POST", path, json={}))[:2] in (
            (404, "NoResultFound"),
            (405, "BadRequestError"),
        )
    assert error_of(await client.ask("GET", "/v2/nowhere")) == (404, "NoResultFound", "No result found")
    refused = await client.ask("DELETE", "/v2/templates")
    assert error_of(refused)[:2] == (405, "BadRequestError")
    assert "GET" in refused.headers["allow"]
    assert error_of(await client.city.client.get("/v2/nowhere"))[:2] == (401, "AuthError")
    elsewhere = await client.city.client.get("/nowhere")
    assert (elsewhere.status_code, elsewhere.headers["content-type"]) == (404, "application/problem+json")


async def test_a_programs_token_is_good_at_its_own_entrance_alone(client: Client) -> None:
    token = token_of(client.key[-36:], client.service_id, int(client.city.clock.now().timestamp()))
    for path in ("/department/keys", "/resident/inbox", "/operator/alerts"):
        answer = await client.city.client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


async def test_limits_are_refused_in_the_clients_words(client: Client) -> None:
    keys = client.city.parts.services.keys
    await keys.allow(client.service_id, Allowance(per_minute=1, per_day=10), actor="tests")
    assert (await client.sms()).status_code == 201
    answer = await client.sms()
    assert error_of(answer)[:2] == (429, "RateLimitError")
    assert error_of(answer)[2] == "Exceeded rate limit for key type LIVE of 1 requests per 60 seconds"
    assert int(answer.headers["retry-after"]) >= 1
    await keys.allow(client.service_id, Allowance(per_day=1), actor="tests")
    assert error_of(await client.sms()) == (429, "TooManyRequestsError", "Exceeded send limits (1) for today")


async def test_the_team_alone_is_reached_by_a_team_key(client: Client) -> None:
    made = await client.city.parts.services.keys.make(client.service_id, "team", "team", actor="tests")
    client.key = made.text
    assert error_of(await client.sms())[2] == "Can't send to this recipient using a team-only API key"


async def test_messages_are_paged_by_the_last_one_seen(client: Client) -> None:
    sent = [(await client.sms(reference=f"r{nth % 2}")).json()["id"] for nth in range(6)]
    page = (await client.ask("GET", "/v2/notifications")).json()
    assert [one["id"] for one in page["notifications"]] == sorted(sent, reverse=True)
    following = page["links"]["next"]
    assert following.endswith(f"older_than={min(sent)}")
    end = (await client.ask("GET", following)).json()
    assert end["notifications"] == []
    assert "next" not in end["links"]
    by_reference = (await client.ask("GET", "/v2/notifications?reference=r1&template_type=sms&status=created")).json()
    assert {one["id"] for one in by_reference["notifications"]} == set(sent[1::2])
    assert (await client.ask("GET", "/v2/notifications?status=delivered")).json()["notifications"] == []
    assert (await client.ask("GET", "/v2/notifications?template_type=email")).json()["notifications"] == []
    for query in ("status=lost", "template_type=fax", "older_than=x"):
        assert error_of(await client.ask("GET", f"/v2/notifications?{query}"))[:2] == (400, "ValidationError")


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    for path in (
        f"/v2/notifications/{uuid4()}", f"/v2/template/{uuid4()}", f"/v2/template/{uuid4()}/version/1",
        f"/v2/template/{client.texts[TextSort.SMS]}/version/2", f"/v2/template/{client.texts[TextSort.NOTICE]}",
        f"/service/{uuid4()}/template/{client.texts[TextSort.SMS]}/versions",
    ):  # fmt: skip
        assert error_of(await client.ask("GET", path)) == (404, "NoResultFound", "No result found"), path
    assert error_of(await client.ask("GET", "/v2/notifications/x")) == (
        400,
        "ValidationError",
        "id is not a valid UUID",
    )


async def test_texts_are_shown_with_their_gaps(client: Client) -> None:
    listed = (await client.ask("GET", "/v2/templates")).json()["templates"]
    assert {one["type"] for one in listed} == {"sms", "email"}
    assert len((await client.ask("GET", "/v2/templates?type=sms")).json()["templates"]) == 1
    assert (await client.ask("GET", "/v2/templates?type=letter")).json() == {"templates": []}
    text_id = client.texts[TextSort.EMAIL]
    one = (await client.ask("GET", f"/v2/template/{text_id}")).json()
    assert one == (await client.ask("GET", f"/v2/template/{text_id}/version/1")).json()
    assert one["body"] == "((name))，您的公园年票已办好，请到((place))领取。"
    assert one["personalisation"] == {"name": {"required": True}, "place": {"required": True}}
    [version] = (await client.ask("GET", f"/service/{client.service_id}/template/{text_id}/versions")).json()["data"]
    assert (version["version"], version["content"]) == (1, one["body"])
    preview = await client.ask("POST", f"/v2/template/{text_id}/preview", json={"personalisation": VALUES})
    assert (preview.status_code, preview.json()["subject"]) == (200, "王小明，您的年票")
    assert preview.json()["html"] == "<p>王小明，您的公园年票已办好，请到市民中心领取。</p>"
    missing = await client.ask("POST", f"/v2/template/{text_id}/preview", json={"personalisation": {"name": "x"}})
    assert error_of(missing) == (400, "BadRequestError", "Missing personalisation: place")


async def test_what_people_sent_is_listed(client: Client, city: TestCity) -> None:
    text = Received(uuid4(), PHONE, "10690001", "Y", city.clock.now())

    class Replies:
        async def received(self, service_id: DepartmentId, older_than: UUID | None, *, limit: int) -> list[Received]:
            return [text] if service_id == client.service_id and older_than is None else []

    city.parts.services.received = Replies()
    page = (await client.ask("GET", "/v2/received-text-messages")).json()
    [one] = page["received_text_messages"]
    assert (one["user_number"], one["content"], one["service_id"]) == (PHONE[1:], "Y", str(client.service_id))
    end = (await client.ask("GET", page["links"]["next"])).json()
    assert end["received_text_messages"] == []
    assert "next" not in end["links"]


async def test_sending_is_reached_the_short_way(city: TestCity) -> None:
    edge: Any = city.app
    express: Express = edge._app
    assert {
        ("POST", "/v2/notifications/sms"),
        ("POST", "/v2/notifications/email"),
        ("POST", "/department/texts/{text_id:uuid}/messages"),
    } <= express.templates
