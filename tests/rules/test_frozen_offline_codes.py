"""Codes that were made once are judged the same for ever, whatever becomes of the code that judges them."""

import json
from pathlib import Path
from typing import Any

import pytest

from suishenban_verify import offline_code, status_list, trust_list
from suishenban_verify.replay import ReplayMemory
from suishenban_verify.signatures import public_key
from suishenban_verify.status_list import Published
from suishenban_verify.trust_list import STATUS, TrustList
from suishenban_verify.verifying import Verifier

FROZEN = json.loads((Path(__file__).parents[1] / "vectors" / "offline-codes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trust() -> TrustList:
    return trust_list.read(FROZEN["trust_list"], [public_key(FROZEN["root"])], now=FROZEN["now"])


@pytest.fixture(scope="module")
def lists(trust: TrustList) -> dict[str, Published]:
    now = FROZEN["now"]
    keys = trust.keys(trust.issuer, STATUS, None, now)
    return {uri: status_list.read_jwt(token, keys, uri=uri, now=now) for uri, token in FROZEN["status_lists"].items()}


@pytest.mark.parametrize("code", FROZEN["codes"], ids=[code["what"] for code in FROZEN["codes"]])
def test_a_frozen_code_is_judged_as_it_was(code: dict[str, Any], trust: TrustList, lists: dict[str, Published]) -> None:
    device = Verifier(trust, lists, ReplayMemory(), scenarios=FROZEN["scenarios"])
    for scan in code["scans"]:
        assert device.verify(code["text"], scan["at"]).outcome == scan["outcome"], scan


def test_frozen_codes_are_in_their_one_encoding(trust: TrustList) -> None:
    keys = [entry.key for trusted in trust.issuers.values() for entry in trusted.entries]
    for code in FROZEN["codes"]:
        presented = offline_code.read(code["text"])
        opened = offline_code.opened(presented, keys)
        assert opened is not None
        assert offline_code.claim_set.write(opened.claims) == presented.message.payload
        if presented.proof is None:
            assert offline_code.text_of(presented.cwt) == code["text"]
