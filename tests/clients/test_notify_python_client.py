"""The official GOV.UK Notify client for Python, unmodified, with our address: every call it has."""

import asyncio
import io
from uuid import uuid4

import pytest
from notifications_python_client import prepare_upload
from notifications_python_client.errors import HTTPError
from notifications_python_client.notifications import NotificationsAPIClient

from tests.builders_services import PHONE, VALUES
from tests.clients.programs import Programs
from tests.clients.served_city import ServedCity

ADDRESS = "somebody@example.org"


@pytest.fixture(scope="module")
async def programs(served: ServedCity) -> Programs:
    return await Programs(served).found()


def client(programs: Programs, kind: str = "live") -> NotificationsAPIClient:
    return NotificationsAPIClient(programs.keys[kind], base_url=programs.url)


def refused(call: object, *given: object, **named: object) -> tuple[int, str, str]:
    with pytest.raises(HTTPError) as error:
        call(*given, **named)  # type: ignore[operator]
    [one] = error.value.message
    return error.value.status_code, one["error"], one["message"]


async def test_an_sms_is_sent_and_arrives(programs: Programs) -> None:
    sent = await asyncio.to_thread(
        client(programs).send_sms_notification, PHONE, str(programs.sms), VALUES, reference="python"
    )
    assert sent["content"]["body"] == "【绿化市容局】王小明，您的公园年票已办好，请到市民中心领取。"
    assert (sent["template"]["id"], sent["template"]["version"]) == (str(programs.sms), 1)
    assert await programs.ended(sent["id"]) == "delivered"
    found = client(programs).get_notification_by_id(sent["id"])
    assert (found["phone_number"], found["reference"], found["type"]) == (PHONE, "python", "sms")
    assert found["created_at"] <= found["sent_at"] <= found["completed_at"]


async def test_an_email_is_taken(programs: Programs) -> None:
    test = client(programs, "test")
    sent = test.send_email_notification(
        ADDRESS, str(programs.email), VALUES, reference="python mail",
        one_click_unsubscribe_url="https://example.org/unsubscribe", sanitise_content_for=["name"],
    )  # fmt: skip
    assert sent["content"]["subject"] == "王小明，您的年票"
    assert "@" in sent["content"]["from_email"]
    assert await programs.ended(sent["id"]) == "delivered"
    found = test.get_notification_by_id(sent["id"])
    assert (found["email_address"], found["subject"], found["type"]) == (ADDRESS, "王小明，您的年票", "email")


async def test_simulated_recipients_end_as_they_are_documented_to(programs: Programs) -> None:
    test = client(programs, "test")
    said = {"07700900002": "permanent-failure", "07700900003": "temporary-failure", "07700900000": "delivered"}
    for phone, status in said.items():
        sent = test.send_sms_notification(phone, str(programs.sms), VALUES)
        assert await programs.ended(sent["id"]) == status
    for address, status in {"temp-fail@simulator.notify": "temporary-failure",
                            "perm-fail@simulator.notify": "permanent-failure"}.items():  # fmt: skip
        sent = test.send_email_notification(address, str(programs.email), VALUES)
        assert await programs.ended(sent["id"]) == status


def test_messages_are_listed_by_status_type_and_reference_to_the_last(programs: Programs) -> None:
    test = client(programs, "test")
    reference = str(uuid4())
    sent = {test.send_sms_notification(PHONE, str(programs.sms), VALUES, reference=reference)["id"] for _ in range(3)}
    found = test.get_all_notifications(template_type="sms", reference=reference)
    assert {one["id"] for one in found["notifications"]} == sent
    assert {one["id"] for one in test.get_all_notifications_iterator(reference=reference)} == sent
    assert test.get_all_notifications(reference=reference, template_type="email")["notifications"] == []
    assert test.get_all_notifications(reference=reference, older_than=min(sent))["notifications"] == []
    assert test.get_all_notifications(status="sending", reference=reference, include_jobs=True)["notifications"] == []
    assert client(programs).get_all_notifications(reference=reference)["notifications"] == []


def test_texts_are_read_and_previewed(programs: Programs) -> None:
    live = client(programs)
    assert {one["id"] for one in live.get_all_templates()["templates"]} == {str(programs.sms), str(programs.email)}
    assert [one["id"] for one in live.get_all_templates("email")["templates"]] == [str(programs.email)]
    one = live.get_template(str(programs.sms))
    assert one == live.get_template_version(str(programs.sms), 1)
    assert one["body"] == "((name))，您的公园年票已办好，请到((place))领取。"
    assert [each["version"] for each in live.get_all_template_versions(str(programs.sms))["data"]] == [1]
    preview = live.post_template_preview(str(programs.email), VALUES)
    assert (preview["type"], preview["version"], preview["subject"]) == ("email", 1, "王小明，您的年票")


async def test_what_people_wrote_back_is_read_to_the_last(programs: Programs) -> None:
    live, phone = client(programs), "+8613900139001"
    sent = await asyncio.to_thread(live.send_sms_notification, phone, str(programs.sms), VALUES)
    assert await programs.ended(sent["id"]) == "delivered"
    await programs.written_back(phone, "请问几点开门？")
    [one] = live.get_received_texts()["received_text_messages"]
    assert (one["user_number"], one["content"], one["service_id"]) == (
        phone[1:],
        "请问几点开门？",
        str(programs.service_id),
    )
    assert live.get_received_texts(older_than=one["id"])["received_text_messages"] == []
    assert list(live.get_received_texts_iterator()) == [one]


def test_refusals_are_read_by_the_client(programs: Programs) -> None:
    live, sms, email = client(programs), str(programs.sms), str(programs.email)
    bad, invalid = (400, "BadRequestError"), (400, "ValidationError")
    assert refused(live.send_sms_notification, PHONE, sms, {"name": "x"}) == (*bad, "Missing personalisation: place")
    assert refused(live.send_sms_notification, "1", sms, VALUES)[:2] == invalid
    assert refused(live.send_email_notification, "nobody", email, VALUES)[:2] == invalid
    assert refused(live.send_sms_notification, PHONE, str(uuid4()), VALUES) == (*bad, "Template not found")
    assert refused(live.send_sms_notification, PHONE, sms, VALUES, sms_sender_id=str(uuid4()))[:2] == bad
    assert refused(live.send_email_notification, ADDRESS, email, VALUES, email_reply_to_id=str(uuid4()))[:2] == bad
    file = prepare_upload(io.BytesIO(b"content"))
    assert refused(live.send_email_notification, ADDRESS, email, {**VALUES, "place": file})[:2] == bad
    assert refused(live.get_notification_by_id, str(uuid4())) == (404, "NoResultFound", "No result found")
    assert refused(live.get_notification_by_id, "x")[:2] == invalid
    assert refused(live.get_template, str(uuid4()))[:2] == (404, "NoResultFound")
    assert refused(live.post_template_preview, email, {})[:2] == bad
    assert refused(live.get_all_notifications, status="lost")[:2] == invalid


def test_letters_are_refused_in_the_clients_form(programs: Programs) -> None:
    live = client(programs)
    expected = (400, "BadRequestError", "This city sends no letters")
    assert refused(live.send_letter_notification, str(uuid4()), {"address_line_1": "x"}) == expected
    assert refused(live.send_precompiled_letter_notification, "r", io.BytesIO(b"%PDF-" * 1_000)) == expected
    assert refused(live.get_pdf_for_letter, str(uuid4()))[:2] == (400, "BadRequestError")


def test_a_team_key_reaches_the_team_and_a_wrong_key_nobody(programs: Programs) -> None:
    team = client(programs, "team")
    assert team.send_sms_notification(PHONE, str(programs.sms), VALUES)["id"]
    said = refused(team.send_sms_notification, "+8613900139000", str(programs.sms), VALUES)
    assert said == (400, "BadRequestError", "Can't send to this recipient using a team-only API key")
    wrong = NotificationsAPIClient(programs.keys["live"][:-36] + str(uuid4()), base_url=programs.url)
    assert refused(wrong.get_all_templates) == (403, "AuthError", "Invalid token: API key not found")
