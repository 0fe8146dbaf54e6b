"""What the clouds push is read as they document it; what cannot be read is kept, and speaks of nothing."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import StoppedClock
from kernel.errors import MalformedRequest
from kernel.settings import Secret
from notifications.channels.clouds import aliyun, callbacks, numbers, tencent
from notifications.channels.clouds.callbacks import ITEMS_MAX, CloudCallbacks, Door, items_of
from notifications.channels.clouds.calling import Answer
from notifications.channels.provider import ProviderText, RawReceipt, ReceivedText, Sms
from notifications.model import Reading

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
REFERENCE = "01957c2a-6f00-7000-8000-0000000000ab"
ALIYUN = Door("aliyun", "aliyun-1", Secret("a" * 32))
TENCENT = Door("tencent", "tencent-1", Secret("b" * 32))
REPORT: dict[str, Any] = {
    "phone_number": "13811110000", "send_time": "2017-01-01 00:00:00", "report_time": "2017-01-01 00:00:00",
    "success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1",
    "biz_id": "12345^0", "out_id": REFERENCE,
}  # fmt: skip
UP: dict[str, Any] = {
    "phone_number": "13811110000", "content": "退订", "send_time": "2017-09-01 00:00:00", "dest_code": "1234",
    "sequence_id": "1234567890",
}  # fmt: skip
STATUS: dict[str, Any] = {
    "user_receive_time": "2015-10-17 08:03:04", "nationcode": "86", "mobile": "13811110000",
    "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "用户短信送达成功", "sid": "5000:1",
}  # fmt: skip
REPLY: dict[str, Any] = {
    "extend": "12", "mobile": "13811110000", "nationcode": "86", "sign": "随申办", "text": "Y", "time": 1457336869,
}  # fmt: skip


class Kept:
    """Where callbacks store things, in memory."""

    def __init__(self) -> None:
        self.receipts: list[tuple[str, RawReceipt]] = []
        self.texts: list[ReceivedText] = []
        self.callbacks = CloudCallbacks([ALIYUN, TENCENT], StoppedClock(NOW), self.take, self.hear)

    async def take(self, provider: str, receipts: Any) -> None:
        self.receipts += [(provider, receipt) for receipt in receipts]

    async def hear(self, texts: Any) -> None:
        self.texts += texts


async def reports(door: Door, *items: Any) -> list[tuple[str, RawReceipt]]:
    kept = Kept()
    await kept.callbacks.take_reports(door, json.dumps(items, ensure_ascii=False).encode())
    return kept.receipts


async def replies(door: Door, body: Any) -> Kept:
    kept = Kept()
    await kept.callbacks.hear_replies(door, json.dumps(body, ensure_ascii=False).encode())
    return kept


async def test_a_report_of_aliyun_says_what_became_of_which_message() -> None:
    [(provider, told), (_, missed)] = await reports(ALIYUN, REPORT, {**REPORT, "success": False, "out_id": "by hand"})
    assert provider == "aliyun-1"
    assert (told.provider_ref, told.reading, told.reference) == ("12345^0", Reading.DELIVERED, REFERENCE)
    assert (missed.reading, missed.reference) == (Reading.UNDELIVERED, None)
    assert json.loads(told.raw) == REPORT


async def test_a_report_of_tencent_says_what_became_of_which_message() -> None:
    (_, told), (_, missed) = await reports(TENCENT, {**STATUS, "ext": REFERENCE}, {**STATUS, "report_status": "FAIL"})
    assert (told.provider_ref, told.reading, told.reference) == ("5000:1", Reading.DELIVERED, REFERENCE)
    assert (missed.reading, missed.reference) == (Reading.UNDELIVERED, None)


@pytest.mark.parametrize("door", [ALIYUN, TENCENT])
@pytest.mark.parametrize("item", [{}, 5, "x", None, [], {"biz_id": 1, "sid": 1}, {"biz_id": "1", "success": "maybe"}])
async def test_a_report_that_cannot_be_read_is_kept_and_speaks_of_nothing(door: Door, item: Any) -> None:
    good = REPORT if door is ALIYUN else STATUS
    (_, bad), (_, fine) = await reports(door, item, good)
    assert (bad.provider_ref, bad.reading, bad.reference) == ("", Reading.UNDERWAY, None)
    assert json.loads(bad.raw) == item
    assert fine.reading is Reading.DELIVERED


async def test_what_people_answer_comes_with_their_number_as_we_write_it() -> None:
    (of_aliyun,) = (await replies(ALIYUN, [UP])).texts
    assert of_aliyun == ReceivedText("aliyun-1", "+8613811110000", "1234", "退订", "1234567890", NOW)
    (of_tencent,) = (await replies(TENCENT, REPLY)).texts
    assert (of_tencent.from_phone, of_tencent.to_number, of_tencent.text) == ("+8613811110000", "12", "Y")


async def test_an_answer_pushed_again_has_the_same_name_and_another_one_has_not() -> None:
    first, again, later = [
        (await replies(TENCENT, body)).texts[0].provider_ref for body in (REPLY, REPLY, {**REPLY, "time": 1457336870})
    ]
    assert first == again != later
    assert "138" not in first


async def test_an_answer_that_cannot_be_read_is_kept_beside_those_that_can() -> None:
    kept = await replies(ALIYUN, [{**UP, "phone_number": "138****0000"}, UP, {"content": 1}])
    assert len(kept.texts) == 1
    assert [receipt.provider_ref for _, receipt in kept.receipts] == ["", ""]


@pytest.mark.parametrize("body", [b"", b"x", b"5", b'"a"', b"[", b"[1,]", b'{"a":', b"\xff", b"null"])
def test_what_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        items_of(body)


def test_a_push_has_a_bound() -> None:
    assert len(items_of(json.dumps([{}] * ITEMS_MAX).encode())) == ITEMS_MAX
    with pytest.raises(MalformedRequest):
        items_of(json.dumps([{}] * (ITEMS_MAX + 1)).encode())


@given(st.binary(max_size=300))
def test_whatever_is_pushed_is_read_or_refused(body: bytes) -> None:
    try:
        items = items_of(body)
    except MalformedRequest:
        return
    for item in items:
        callbacks.read_aliyun_report(item)
        callbacks.read_tencent_report(item)
    heard = callbacks.read_replies(ALIYUN, items, now=NOW)
    assert len(heard.receipts) + len(heard.texts) == len(items)


def test_a_door_opens_to_its_own_secret_alone() -> None:
    doors = Kept().callbacks
    assert doors.door_of("aliyun", "a" * 32) == ALIYUN
    assert doors.door_of("tencent", "b" * 32) == TENCENT
    for cloud, secret in (("aliyun", "b" * 32), ("tencent", "a" * 32), ("aliyun", "a" * 31), ("aliyun", "秘")):
        assert doors.door_of(cloud, secret) is None  # type: ignore[arg-type]
    assert "bbb" not in repr(TENCENT)


def test_a_secret_that_could_be_guessed_is_no_door() -> None:
    async def nobody(*_: Any) -> None: ...

    with pytest.raises(AssertionError):
        CloudCallbacks([Door("aliyun", "a", Secret("short"))], StoppedClock(NOW), nobody, nobody)


@pytest.mark.parametrize(
    ("phone", "theirs"),
    [("+8613800138000", "13800138000"), ("+85298765432", "85298765432"), ("+12025550123", "12025550123")],
)
def test_numbers_are_written_as_aliyun_takes_them(phone: str, theirs: str) -> None:
    assert numbers.to_aliyun(phone) == theirs


@pytest.mark.parametrize("said", ["13800138000", "+8613800138000", "8613800138000", "008613800138000", " 13800138000 "])
def test_numbers_are_read_however_the_cloud_writes_them(said: str) -> None:
    assert numbers.from_aliyun(said) == "+8613800138000"


@pytest.mark.parametrize("said", ["+13105551234", "0013105551234", "+14155550123", "12025550123"])
def test_a_number_of_north_america_is_not_read_as_one_of_the_mainland(said: str) -> None:
    assert numbers.from_aliyun(said) == "+1" + said[-10:]


async def test_a_number_that_aliyun_would_take_for_one_of_the_mainland_is_left_to_another() -> None:
    carrier = aliyun.Aliyun("a", aliyun.Account("id", Secret("hush")), StoppedClock(NOW))
    sms = Sms(REFERENCE, "+13105551234", "Y", NOW, ProviderText("SMS_1", "s", {}))
    assert await carrier.send(sms) == aliyun.MISTAKEN
    assert not [phone for phone in ("+8613105551234", "+12025550123") if numbers.is_mistaken_by_aliyun(phone)]


@pytest.mark.parametrize("said", ["", "1381111****", "+", "1" * 16, "１３８００１３８０００"])
def test_what_is_no_number_is_none(said: str) -> None:
    with pytest.raises(numbers.NotANumber):
        numbers.from_aliyun(said)
    with pytest.raises(numbers.NotANumber):
        numbers.from_tencent("86", said)


def test_an_answer_is_told_well_in_each_clouds_own_words() -> None:
    assert msgspec.json.decode(callbacks.ANSWERS["aliyun"]) == {"code": 0, "msg": "接收成功"}
    assert msgspec.json.decode(callbacks.ANSWERS["tencent"]) == {"result": 0, "errmsg": "OK"}


def test_nothing_that_holds_a_number_or_a_text_shows_it() -> None:
    sms = Sms(REFERENCE, "+8613811110000", "Y", NOW, ProviderText("SMS_1", "s", {"code": "204816"}))
    account = tencent.Account("id", Secret("hush"), "1400006666")
    shown = repr(
        [
            aliyun.send_sms("host", sms),
            tencent.send_sms("host", account, sms),
            account,
            Answer(200, b"13811110000"),
            msgspec.convert(UP, callbacks.AliyunUp),
            msgspec.convert(REPLY, callbacks.TencentReply),
            callbacks.read_replies(ALIYUN, items_of(json.dumps([UP]).encode()), now=NOW),
            callbacks.read_aliyun_report(items_of(json.dumps([REPORT]).encode())[0]),
        ]
    )
    assert not [word for word in ("13811110000", "204816", "hush", "退订") if word in shown]
