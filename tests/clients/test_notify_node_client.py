"""The official GOV.UK Notify client for Node, unmodified, in a process of its own, with our address."""

import asyncio
import base64
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.builders_services import PHONE, VALUES
from tests.clients import node_environment
from tests.clients.programs import Programs
from tests.clients.served_city import ServedCity

PEER = Path(__file__).parents[1] / "peers" / "notify_node"
ADDRESS = "somebody@example.org"
FILE = {"bytes": base64.b64encode(b"content").decode()}


@pytest.fixture(scope="module")
async def programs(served: ServedCity) -> Programs:
    return await Programs(served).found()


@pytest.fixture(scope="module")
def node() -> Path:
    return node_environment.node_environment("notify-node", PEER)


async def made(node: Path, programs: Programs, kind: str, *calls: tuple[Any, ...]) -> list[Any]:
    """What calls of the client came to: its name first, then what it is given."""
    question = [{"call": call[0], "with": list(call[1:])} for call in calls]
    words = (programs.url, programs.keys[kind])
    answers = await asyncio.to_thread(node_environment.answers, node, "calls.js", words, question)
    return list(answers)


def error_of(answer: Any) -> tuple[int, str, str]:
    assert answer["data"]["status_code"] == answer["status"]
    [one] = answer["data"]["errors"]
    return answer["status"], one["error"], one["message"]


async def test_messages_are_sent_and_followed(node: Path, programs: Programs) -> None:
    options = {"personalisation": VALUES, "reference": "node"}
    mail = {**options, "oneClickUnsubscribeURL": "https://example.org/u", "sanitiseContentFor": ["name"]}
    sms, email = await made(
        node, programs, "test",
        ("sendSms", str(programs.sms), PHONE, options),
        ("sendEmail", str(programs.email), ADDRESS, mail),
    )  # fmt: skip
    assert (sms["status"], email["status"]) == (201, 201)
    assert sms["data"]["content"]["from_number"] == "绿化市容局"
    assert email["data"]["content"]["subject"] == "王小明，您的年票"
    ids = [one["data"]["id"] for one in (sms, email)]
    for one in ids:
        assert await programs.ended(one) == "delivered"
    by_id, listed, older = await made(
        node, programs, "test",
        ("getNotificationById", ids[0]),
        ("getNotifications", "sms", "delivered", "node"),
        ("getNotifications", "sms", "", "node", ids[0]),
    )  # fmt: skip
    assert (by_id["data"]["phone_number"], by_id["data"]["status"]) == (PHONE, "delivered")
    assert [one["id"] for one in listed["data"]["notifications"]] == [ids[0]]
    assert f"?older_than={ids[0]}&" in listed["data"]["links"]["next"]
    assert older["data"]["notifications"] == []


async def test_texts_are_read_and_previewed(node: Path, programs: Programs) -> None:
    every, of_a_type, one, version, preview, received, older = await made(
        node, programs, "live",
        ("getAllTemplates",),
        ("getAllTemplates", "sms"),
        ("getTemplateById", str(programs.sms)),
        ("getTemplateByIdAndVersion", str(programs.sms), 1),
        ("previewTemplateById", str(programs.sms), VALUES),
        ("getReceivedTexts",),
        ("getReceivedTexts", str(uuid4())),
    )  # fmt: skip
    assert {each["id"] for each in every["data"]["templates"]} == {str(programs.sms), str(programs.email)}
    assert [each["id"] for each in of_a_type["data"]["templates"]] == [str(programs.sms)]
    assert one["data"] == version["data"]
    assert preview["data"]["body"] == "【绿化市容局】王小明，您的公园年票已办好，请到市民中心领取。"
    assert received["data"]["received_text_messages"] == older["data"]["received_text_messages"] == []


async def test_what_people_wrote_back_is_read(node: Path, programs: Programs) -> None:
    phone = "+8613900139002"
    [sent] = await made(node, programs, "live", ("sendSms", str(programs.sms), phone, {"personalisation": VALUES}))
    assert await programs.ended(sent["data"]["id"]) == "delivered"
    await programs.written_back(phone, "请问几点开门？")
    [received] = await made(node, programs, "live", ("getReceivedTexts",))
    [one] = received["data"]["received_text_messages"]
    assert (one["user_number"], one["content"]) == (phone[1:], "请问几点开门？")
    [older] = await made(node, programs, "live", ("getReceivedTexts", one["id"]))
    assert older["data"]["received_text_messages"] == []


async def test_refusals_and_letters_are_read_by_the_client(node: Path, programs: Programs) -> None:
    letter, precompiled, pdf, missing, unknown, nobody, file = await made(
        node, programs, "live",
        ("sendLetter", str(uuid4()), {"personalisation": {"address_line_1": "x"}}),
        ("sendPrecompiledLetter", "r", FILE),
        ("getPdfForLetterNotification", str(uuid4())),
        ("sendSms", str(programs.sms), PHONE, {"personalisation": {"name": "x"}}),
        ("getNotificationById", str(uuid4())),
        ("sendEmail", str(programs.email), "nobody", {"personalisation": VALUES}),
        ("prepareUpload", FILE),
    )  # fmt: skip
    no_letters = (400, "BadRequestError", "This city sends no letters")
    assert error_of(letter) == error_of(precompiled) == no_letters
    assert error_of(pdf)[:2] == (400, "BadRequestError")
    assert error_of(missing) == (400, "BadRequestError", "Missing personalisation: place")
    assert error_of(unknown) == (404, "NoResultFound", "No result found")
    assert error_of(nobody)[:2] == (400, "ValidationError")
    with_file = {"personalisation": {**VALUES, "place": file["value"]}}
    [refused] = await made(node, programs, "live", ("sendEmail", str(programs.email), ADDRESS, with_file))
    assert error_of(refused)[:2] == (400, "BadRequestError")
