"""Our SD-JWT VCs verify with other people's libraries, unmodified, and theirs with ours."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from suishenban_verify import sd_jwt
from suishenban_verify.sd_jwt import Binding, NotVerified
from suishenban_verify.signatures import EDDSA, ES256, LocalSigner
from tests import changes
from tests.clients.other_peoples_jose import Others
from tests.credentials import random_bytes
from tests.signing_keys import eddsa, es256, private_jwk, stranger

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc9901-sd-jwt.json").read_text())
CITY, VCT = "https://city.example", "https://city.example/kinds/licence"
ASKED = Binding("https://venue.example", "n-1")
NOW = int(time.time())
LIVES_SECONDS = 86_400
"""Longer than the whole suite: those libraries ask the clock themselves."""
CLAIMS = {
    "iss": CITY,
    "iat": NOW,
    "exp": NOW + LIVES_SECONDS,
    "vct": VCT,
    "status": {"status_list": {"idx": 5, "uri": f"{CITY}/status/1"}},
    "name": "王小明",
    "classes": ["C1", "D"],
    "address": {"district": "浦东", "lane": 7},
}
OPEN = ("name", "classes", "address")
SHOWN = {name: value for name, value in CLAIMS.items() if name not in ("classes", "address")}
SIGNERS = {ES256: es256(7), EDDSA: eddsa(7)}
HOLDER = es256(11)


@pytest.fixture(scope="module")
def others() -> Others:
    return Others()


def issued(signer: LocalSigner, *, holder: bool = True, decoys: int = 2) -> str:
    return sd_jwt.issue(
        CLAIMS,
        signer,
        disclosable=OPEN,
        random_bytes=random_bytes(),
        holder=HOLDER.public if holder else None,
        decoys=decoys,
    )


def bound(signer: LocalSigner) -> str:
    return sd_jwt.bind(sd_jwt.choose(issued(signer), {"name"}), HOLDER, ASKED, at=int(time.time()))


def without_cnf(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name != "cnf"}


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_what_we_issue_and_bind_verifies_with_openvc(others: Others, algorithm: str) -> None:
    signer = SIGNERS[algorithm]
    asked = {"issuer_jwk": dict(signer.public.jwk), "vct": VCT, "aud": ASKED.audience, "nonce": ASKED.nonce}
    found = others.say("openvc_verifies", text=bound(signer), **asked)
    assert found["is_bound"] is True
    assert without_cnf(found["claims"]) == SHOWN
    unbound = issued(signer, holder=False)
    plain = others.say("openvc_verifies", text=unbound, issuer_jwk=dict(signer.public.jwk), vct=VCT)
    assert plain["claims"] == CLAIMS
    broken, other = others.all(
        ("openvc_verifies", {"text": changes.misread(bound(signer)), **asked}),
        ("openvc_verifies", {"text": bound(signer), **asked, "nonce": "n-2"}),
    )
    assert "refused" in broken
    assert "refused" in other


def test_what_we_issue_and_bind_verifies_with_the_reference_library(others: Others) -> None:
    signer = SIGNERS[ES256]
    asked = {"issuer_jwk": dict(signer.public.jwk), "aud": ASKED.audience, "nonce": ASKED.nonce}
    assert without_cnf(others.say("reference_verifies", text=bound(signer), **asked)) == SHOWN
    (wrong,) = others.all(("reference_verifies", {"text": bound(signer), **asked, "nonce": "n-2"}))
    assert "refused" in wrong


@pytest.mark.parametrize("algorithm", SIGNERS)
@pytest.mark.parametrize("holder", SIGNERS)
def test_what_openvc_issues_and_binds_verifies_with_us(others: Others, algorithm: str, holder: str) -> None:
    theirs, holders = private_jwk(21, algorithm), private_jwk(22, holder)
    public_holder = {name: value for name, value in holders.items() if name != "d"}
    text = others.say(
        "openvc_issues",
        claims={name: value for name, value in CLAIMS.items() if name not in ("iat", "exp")},
        issuer_private_jwk=theirs,
        kid="theirs",
        disclosable=OPEN,
        holder_jwk=public_holder,
        decoys=2,
    )
    chosen = sd_jwt.choose(text, {"name"})
    shown = others.say(
        "openvc_presents", text=chosen, holder_private_jwk=holders, aud=ASKED.audience, nonce=ASKED.nonce
    )
    found = sd_jwt.verify(shown, [stranger(theirs, "theirs")], issuer=CITY, now=int(time.time()), binding=ASKED)
    assert found.bound_at is not None
    assert found.claims["cnf"] == {"jwk": public_holder}
    assert {name: found.claims[name] for name in ("name", "status", "vct")} == {
        name: CLAIMS[name] for name in ("name", "status", "vct")
    }
    assert not {"classes", "address"} & found.claims.keys()
    with pytest.raises(NotVerified):
        sd_jwt.verify(shown, [stranger(private_jwk(23), "theirs")], issuer=CITY, now=NOW, binding=ASKED)


def test_nested_claims_that_the_reference_library_issues_verify_with_us(others: Others) -> None:
    theirs, holders = private_jwk(21), private_jwk(22)
    text = others.say(
        "reference_issues",
        claims={
            "iss": CITY,
            "iat": NOW,
            "exp": NOW + LIVES_SECONDS,
            "vct": VCT,
            "hidden:name": "王小明",
            "classes": ["B", {"hidden:": "C1"}, {"hidden:": "D"}],
            "hidden:address": {"hidden:district": "浦东", "hidden:lane": {"hidden:number": 7}, "open": 1},
        },
        issuer_private_jwk=theirs,
        typ="dc+sd-jwt",
        holder_jwk={name: value for name, value in holders.items() if name != "d"},
        decoys=True,
    )
    whole = sd_jwt.verify_issued(text, [stranger(theirs)], issuer=CITY, now=NOW)
    assert whole.claims["classes"] == ["B", "C1", "D"]
    assert whole.claims["address"] == {"district": "浦东", "lane": {"number": 7}, "open": 1}
    shown = others.say(
        "reference_presents",
        text=text,
        claims={"classes": [False, True, False], "address": {"district": True}},
        aud=ASKED.audience,
        nonce=ASKED.nonce,
        holder_private_jwk=holders,
    )
    found = sd_jwt.verify(shown, [stranger(theirs)], issuer=CITY, now=int(time.time()), binding=ASKED)
    assert found.claims["classes"] == ["B", "C1"]
    assert found.claims["address"] == {"district": "浦东", "open": 1}
    assert "name" not in found.claims


def test_both_read_the_same_in_every_example_of_the_rfc(others: Others) -> None:
    examples = VECTORS["examples"]
    key = stranger(VECTORS["issuer_jwk"])
    jwk = {name: VECTORS["issuer_jwk"][name] for name in ("kty", "crv", "x", "y")}
    asked = Binding(VECTORS["kb"]["aud"], VECTORS["kb"]["nonce"])
    theirs = others.all(*(("reference_verifies", {"text": text, "issuer_jwk": jwk}) for text in examples.values()))
    for text, their in zip(examples.values(), theirs, strict=True):
        parts = sd_jwt.read(text)
        given = {"issuer": parts.issuer, "now": 1_748_454_271, "typ": parts.token.header["typ"]}
        if parts.key_binding:
            ours = sd_jwt.verify(text, [key], **given, binding=asked)
        else:
            ours = sd_jwt.verify_issued(text, [key], **given)
        assert {"said": ours.claims} == their


def test_an_appended_disclosure_that_the_reference_library_overlooks_is_refused_by_us(others: Others) -> None:
    signer = SIGNERS[ES256]
    text = issued(signer, holder=False) + "WyJzYWx0Iiwicm9sZSIsImFkbWluIl0~"
    assert others.say("reference_verifies", text=text, issuer_jwk=dict(signer.public.jwk)) == CLAIMS
    with pytest.raises(NotVerified, match="belongs to nothing"):
        sd_jwt.verify(text, [signer.public], issuer=CITY, now=NOW, binding=None)
