"""Whether what we make of an SMS is what a cloud's official SDK made of it, signature included.

A question is what the SDK was asked, a capture what came of it on the wire (`tests/clients/clouds/asking.py`). Moment
and nonce are read out of the capture, so that ours is made at the same moment, with the same nonce.
"""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kernel.settings import Secret
from notifications.channels.clouds import aliyun, signing_acs3, signing_tc3, tencent
from notifications.channels.provider import ProviderText, Sms

REFERENCE = "01957c2a-6f00-7000-8000-0000000000ab"
KEY_ID, SECRET = "testid", "testsecret"
APP_ID, REGION = "1400006666", "ap-guangzhou"
LATER = datetime(2030, 1, 1, tzinfo=UTC)
TEXTS = {
    "plain": ("+8613800138000", ProviderText("SMS_154950909", "随申办", {"code": "204816", "minutes": "5"})),
    "chinese": (
        "+8613800138000",
        ProviderText("SMS_2", "上海市", {"office": "浦东新区出入境接待大厅", "when": "3月5日"}),
    ),
    "signs": ("+85298765432", ProviderText("SMS_3", "A~B-C_D.E", {"a": " *'()!+/&=%\"\\", "b": "行1\n行2"})),
    "beyond_the_plane": ("+12025550123", ProviderText("SMS_4", "随申办", {"a": "𠮷😀"})),
    "no_gaps": ("+8613800138000", ProviderText("SMS_5", "随申办", {})),
}
Question = tuple[str, dict[str, Any]]
Capture = dict[str, Any]


def an_sms(name: str) -> Sms:
    phone, text = TEXTS[name]
    return Sms(REFERENCE, phone, "", LATER, text)


def questions() -> dict[str, list[Question]]:
    """What the SDKs are asked, by cloud, in the order of `TEXTS`."""
    asked: dict[str, list[Question]] = {"aliyun": [], "tencent": []}
    for name in TEXTS:
        sms = an_sms(name)
        assert sms.template is not None
        fields = dict(aliyun.send_sms("host", sms).query)
        asked["aliyun"].append(("aliyun", {"key_id": KEY_ID, "secret": SECRET, "fields": fields}))
        body = json.loads(tencent.send_sms("host", the_account(), sms).body)
        keys = {"secret_id": KEY_ID, "secret_key": SECRET, "region": REGION}
        asked["tencent"].append(("tencent", {**keys, "fields": body}))
    return asked


def the_account() -> tencent.Account:
    return tencent.Account(KEY_ID, Secret(SECRET), APP_ID, REGION)


def check_aliyun(sms: Sms, seen: Capture) -> None:
    """Fails unless the query says the same, and the signature over the same headers is the same, byte for byte."""
    headers = {name.lower(): value for name, value in seen["headers"]}
    call = aliyun.send_sms(headers["host"], sms)
    at = urlsplit(seen["target"])
    assert (seen["method"], at.path, seen["body"]) == (call.method, call.path, "")
    assert sorted(parse_qsl(at.query, strict_parsing=True)) == sorted(call.query.items())
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    signed = {name: headers[name] for name in names}
    assert signing_acs3.authorization(call, signed, key_id=KEY_ID, secret=SECRET) == headers["authorization"]
    ours = signing_acs3.headers_of(
        call,
        key_id=KEY_ID,
        secret=SECRET,
        at=datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
        nonce=headers["x-acs-signature-nonce"],
        user_agent=headers["user-agent"],
    )
    assert {name: headers[name] for name in ours if name != "authorization"} == {
        name: value for name, value in ours.items() if name != "authorization"
    }


def check_tencent(sms: Sms, seen: Capture) -> None:
    """Fails unless the body and every header that we send are the same, the signature included, byte for byte."""
    headers = {name.lower(): value for name, value in seen["headers"]}
    call = tencent.send_sms(headers["host"], the_account(), sms)
    assert (seen["method"], seen["target"]) == ("POST", "/")
    assert seen["body"].encode() == call.body
    at = datetime.fromtimestamp(int(headers["x-tc-timestamp"]), UTC)
    ours = signing_tc3.headers_of(call, secret_id=KEY_ID, secret_key=SECRET, at=at)
    assert {name: headers[name.lower()] for name in ours} == ours
