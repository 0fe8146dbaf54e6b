"""Requests to the clouds are signed as their official SDKs signed the same ones, frozen in tests/vectors."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifications.channels.clouds import signing_acs3
from tests.signed_by_clouds import KEY_ID, SECRET, TEXTS, an_sms, check_aliyun, check_tencent, questions

VECTORS = Path(__file__).parents[1] / "vectors" / "cloud_signing"
ALIYUN = json.loads((VECTORS / "aliyun.json").read_text(encoding="utf-8"))
TENCENT = json.loads((VECTORS / "tencent.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TEXTS)
def test_what_aliyuns_sdk_signed_is_what_we_sign(name: str) -> None:
    check_aliyun(an_sms(name), ALIYUN[name])


@pytest.mark.parametrize("name", TEXTS)
def test_what_tencents_sdk_signed_is_what_we_sign(name: str) -> None:
    check_tencent(an_sms(name), TENCENT[name])


@pytest.mark.parametrize("cloud", ["aliyun", "tencent"])
def test_a_changed_message_has_another_signature(cloud: str) -> None:
    check, vectors = (check_aliyun, ALIYUN) if cloud == "aliyun" else (check_tencent, TENCENT)
    with pytest.raises(AssertionError):
        check(an_sms("chinese"), vectors["plain"])


def test_the_example_in_aliyuns_own_manual_comes_out() -> None:
    """help.aliyun.com document_detail/2593177, "固定参数示例"."""
    call = signing_acs3.Call(
        "ecs.cn-shanghai.aliyuncs.com",
        "RunInstances",
        "2014-05-26",
        {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"},
    )
    headers = signing_acs3.headers_of(
        call, key_id="YourAccessKeyId", secret="YourAccessKeySecret", user_agent="",
        at=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC), nonce="3156853299f313e23d1673dc12e1703d",
    )  # fmt: skip
    of_the_manual = {name: value for name, value in headers.items() if name.startswith("x-acs-") or name == "host"}
    said = signing_acs3.authorization(call, of_the_manual, key_id="YourAccessKeyId", secret="YourAccessKeySecret")
    assert said.endswith("Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0")


def test_a_moment_is_signed_in_utc_wherever_it_is_said() -> None:
    call = signing_acs3.Call("h", "a", "v", {})
    in_shanghai = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
    keys = {"key_id": KEY_ID, "secret": SECRET, "nonce": "n", "user_agent": "u"}
    assert signing_acs3.headers_of(call, at=in_shanghai, **keys) == signing_acs3.headers_of(
        call, at=in_shanghai.astimezone(UTC), **keys
    )
    assert signing_acs3.headers_of(call, at=in_shanghai, **keys)["x-acs-date"] == "2026-03-02T01:00:00Z"


def test_the_order_in_which_a_query_was_put_together_is_nothing() -> None:
    assert signing_acs3.canonical_query({"b": "2", "a": "1 ", "B": "~"}) == "B=~&a=1%20&b=2"


def test_every_question_to_the_sdks_is_frozen() -> None:
    assert ALIYUN.keys() == TENCENT.keys() == TEXTS.keys()
    assert {len(asked) for asked in questions().values()} == {len(TEXTS)}
