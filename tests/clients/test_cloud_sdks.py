"""The clouds' official SDKs, unmodified, in an environment of their own: what they send is what we send.

Frozen answers of theirs stand in tests/vectors/cloud_signing; here they are asked anew, by the versions of the lock.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.own_environment import answer, python_environment
from tests.signed_by_clouds import TEXTS, an_sms, check_aliyun, check_tencent, questions

FOLDER = Path(__file__).parent / "clouds"


@pytest.fixture(scope="module")
def captures() -> dict[str, list[Any]]:
    python = python_environment("clouds", FOLDER / "requirements.lock")
    return {cloud: answer(python, FOLDER / "asking.py", asked) for cloud, asked in questions().items()}


def test_aliyuns_sdk_sends_what_we_send(captures: dict[str, list[Any]]) -> None:
    for name, seen in zip(TEXTS, captures["aliyun"], strict=True):
        check_aliyun(an_sms(name), seen)
        assert seen["understood"]["Code"] == "OK"


def test_tencents_sdk_sends_what_we_send(captures: dict[str, list[Any]]) -> None:
    for name, seen in zip(TEXTS, captures["tencent"], strict=True):
        check_tencent(an_sms(name), seen)
        assert seen["understood"]["SendStatusSet"][0]["Code"] == "Ok"
