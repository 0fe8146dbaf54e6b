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

VECTORS = Path(__file__).parents[1] / "vectors"
FROZEN = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(VECTORS.glob("offline-codes*.json"))]
CODES = [(frozen, code) for frozen in FROZEN for code in frozen["codes"]]


def trust_of(frozen: dict[str, Any]) -> TrustList:
    return trust_list.read(frozen["trust_list"], [public_key(frozen["root"])], now=frozen["now"])


def lists_of(frozen: dict[str, Any], trust: TrustList) -> dict[str, Published]:
    now = frozen["now"]
    keys = trust.keys(trust.issuer, STATUS, None, now)
    return {uri: status_list.read_jwt(token, keys, uri=uri, now=now) for uri, token in frozen["status_lists"].items()}


@pytest.mark.parametrize(("frozen", "code"), CODES, ids=[code["what"] for _, code in CODES])
def test_a_frozen_code_is_judged_as_it_was(frozen: dict[str, Any], code: dict[str, Any]) -> None:
    trust = trust_of(frozen)
    device = Verifier(trust, lists_of(frozen, trust), ReplayMemory(), scenarios=frozen["scenarios"])
    for scan in code["scans"]:
        assert device.verify(code["text"], scan["at"]).outcome == scan["outcome"], scan


@pytest.mark.parametrize("frozen", FROZEN, ids=["several", "one"])
def test_frozen_codes_are_in_their_one_encoding(frozen: dict[str, Any]) -> None:
    keys = [entry.key for trusted in trust_of(frozen).issuers.values() for entry in trusted.entries]
    for code in frozen["codes"]:
        presented = offline_code.read(code["text"])
        opened = offline_code.opened(presented, keys)
        assert opened is not None
        assert offline_code.claim_set.write(opened.claims) == presented.message.payload
        if presented.proof is None:
            assert offline_code.text_of(presented.cwt) == code["text"]
