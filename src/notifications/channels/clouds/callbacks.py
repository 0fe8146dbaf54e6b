"""What the clouds push to us: reports of delivery, and what people answered. Read item by item, lost never.

Sources: help.aliyun.com document_detail/101867 (SmsReport) and 101847 (SmsUp), JSON arrays; cloud.tencent.com
document/api/382/59178 (status of delivery), an array of at most 100, and 59179 (reply), one object. Both clouds push
again what was not answered well: Aliyun after 1, 5 and 10 minutes, Tencent twice; so whatever is stored twice is one.
"""

import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from kernel.clock import Clock
from kernel.errors import MalformedRequest
from kernel.log import get_logger
from kernel.settings import Secret
from notifications.channels.clouds import numbers
from notifications.channels.provider import RawReceipt, ReceivedText
from notifications.model import Reading

Cloud = Literal["aliyun", "tencent"]
ITEMS_MAX = 1_000
"""Ten times what either cloud puts into one push."""
BODY_BYTES_MAX = 512 * 1024
TEXT_MAX = 2_000
"""Characters of an answer that are kept: ten joined SMS hold fewer."""
SECRET_CHARACTERS_MIN = 24
ANSWERS: dict[Cloud, bytes] = {
    "aliyun": '{"code":0,"msg":"接收成功"}'.encode(),
    "tencent": b'{"result":0,"errmsg":"OK"}',
}
"""What each wants to hear when a push is stored."""

_REFERENCE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

log = get_logger(__name__)


class AliyunReport(msgspec.Struct, frozen=True):
    biz_id: str
    success: bool
    out_id: str | None = None


class AliyunUp(msgspec.Struct, frozen=True):
    phone_number: str
    content: str
    sequence_id: str | int
    dest_code: str | None = None

    def __repr__(self) -> str:
        return f"AliyunUp({self.sequence_id})"


class TencentReport(msgspec.Struct, frozen=True):
    sid: str
    report_status: Literal["SUCCESS", "FAIL"]
    ext: str | None = None


class TencentReply(msgspec.Struct, frozen=True):
    nationcode: str
    mobile: str
    text: str
    time: int
    sign: str = ""
    extend: str | None = None

    def __repr__(self) -> str:
        return f"TencentReply({self.time})"


class Door(msgspec.Struct, frozen=True):
    """Where one provider's callbacks come in: whoever knows its secret is that provider."""

    cloud: Cloud
    provider: str
    secret: Secret


class Heard(NamedTuple):
    """What a push held: texts, and receipts, under which also stands what could not be read."""

    receipts: list[RawReceipt]
    texts: list[ReceivedText]


Take = Callable[[str, Sequence[RawReceipt]], Awaitable[None]]
"""Stores receipts of a provider; they are durable when it returns."""
Hear = Callable[[Sequence[ReceivedText]], Awaitable[None]]


class CloudCallbacks:
    """Every door of the city's clouds, and where what comes through them is stored."""

    def __init__(self, doors: Sequence[Door], clock: Clock, take: Take, hear: Hear) -> None:
        assert all(len(door.secret.reveal()) >= SECRET_CHARACTERS_MIN for door in doors)
        self._doors = list(doors)
        self._clock = clock
        self._take = take
        self._hear = hear

    def door_of(self, cloud: Cloud, secret: str) -> Door | None:
        """Whose secret it is, or None. Every door is compared, in a time that tells nothing of how far it fitted."""
        said = secret.encode()
        fitting = [
            door
            for door in self._doors
            if hmac.compare_digest(door.secret.reveal().encode(), said) and door.cloud == cloud
        ]
        return fitting[0] if fitting else None

    async def take_reports(self, door: Door, body: bytes) -> None:
        """Store what a provider says became of messages. Raises MalformedRequest for what is no push of its."""
        read = read_aliyun_report if door.cloud == "aliyun" else read_tencent_report
        await self._take(door.provider, [read(item) for item in items_of(body)])

    async def hear_replies(self, door: Door, body: bytes) -> None:
        """Store what people answered. Raises MalformedRequest for what is no push of the provider's."""
        heard = read_replies(door, items_of(body), now=self._clock.now())
        if heard.receipts:
            log.warning("answers from people cannot be read", provider=door.provider, count=len(heard.receipts))
            await self._take(door.provider, heard.receipts)
        if heard.texts:
            await self._hear(heard.texts)


def items_of(body: bytes) -> list[msgspec.Raw]:
    """The items of a push, each as it came; one object alone is one item. Raises MalformedRequest."""
    try:
        items = _one_or_many(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedRequest("the body is no JSON") from None
    if len(items) > ITEMS_MAX:
        raise MalformedRequest(f"more than {ITEMS_MAX} items")
    return items


def _one_or_many(body: bytes) -> list[msgspec.Raw]:
    match body.lstrip(b" \t\r\n")[:1]:
        case b"[":
            return msgspec.json.decode(body, type=list[msgspec.Raw])
        case b"{":
            return [msgspec.json.decode(body, type=msgspec.Raw)]
    raise MalformedRequest("neither an array nor an object")


def read_aliyun_report(item: msgspec.Raw) -> RawReceipt:
    """A report; one that cannot be read speaks of nothing, and is kept."""
    try:
        said = msgspec.json.decode(item, type=AliyunReport, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _unread(item)
    reading = Reading.DELIVERED if said.success else Reading.UNDELIVERED
    return RawReceipt(said.biz_id, reading, bytes(item), reference=_ours(said.out_id))


def read_tencent_report(item: msgspec.Raw) -> RawReceipt:
    """A report; one that cannot be read speaks of nothing, and is kept."""
    try:
        said = msgspec.json.decode(item, type=TencentReport)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _unread(item)
    reading = Reading.DELIVERED if said.report_status == "SUCCESS" else Reading.UNDELIVERED
    return RawReceipt(said.sid, reading, bytes(item), reference=_ours(said.ext))


def read_replies(door: Door, items: Sequence[msgspec.Raw], *, now: datetime) -> Heard:
    """What people answered; what cannot be read is kept among the receipts, which speak of nothing."""
    heard = Heard([], [])
    for item in items:
        try:
            heard.texts.append(
                _aliyun_text(door, item, now) if door.cloud == "aliyun" else _tencent_text(door, item, now)
            )
        except (msgspec.MsgspecError, UnicodeDecodeError, numbers.NotANumber):
            heard.receipts.append(_unread(item))
    return heard


def _aliyun_text(door: Door, item: msgspec.Raw, now: datetime) -> ReceivedText:
    said = msgspec.json.decode(item, type=AliyunUp)
    phone = numbers.from_aliyun(said.phone_number)
    return ReceivedText(door.provider, phone, said.dest_code or "", said.content[:TEXT_MAX], str(said.sequence_id), now)


def _tencent_text(door: Door, item: msgspec.Raw, now: datetime) -> ReceivedText:
    """It comes without a name of its own, so that is made from what it says: keyed, since it stands in the clear."""
    said = msgspec.json.decode(item, type=TencentReply)
    phone = numbers.from_tencent(said.nationcode, said.mobile)
    what = "\n".join((phone, str(said.time), said.extend or "", said.text))
    name = hmac.new(door.secret.reveal().encode(), what.encode(), sha256).hexdigest()
    return ReceivedText(door.provider, phone, said.extend or "", said.text[:TEXT_MAX], name, now)


def _ours(said: str | None) -> str | None:
    """The reference we gave, where it is one: a call made by hand in the provider's console has another, or none."""
    return said if said is not None and _REFERENCE.fullmatch(said) else None


def _unread(item: msgspec.Raw) -> RawReceipt:
    return RawReceipt("", Reading.UNDERWAY, bytes(item))
