"""An SD-JWT proves what its issuer signed and its holder chose to show, to whom it was shown, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import jws, sd_jwt
from suishenban_verify.sd_jwt import AGE_SECONDS_MAX, KEY_BINDING, Binding, NotVerified
from suishenban_verify.signatures import LocalSigner, b64url, public_key
from tests import changes
from tests.credentials import ASKED, CITY, CLAIMS, HOLDER, NOW, OURS, bound, check, issued, proves, random_bytes
from tests.signing_keys import eddsa, es256

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc9901-sd-jwt.json").read_text())
EXAMPLES: dict[str, str] = VECTORS["examples"]
WITH_KB = [name for name in EXAMPLES if "SdJwtKb" in name]
WITHOUT_KB = [name for name in EXAMPLES if "SdJwtKb" not in name]
THEIR_ISSUER = public_key(VECTORS["issuer_jwk"])
THEIR_BINDING = Binding(VECTORS["kb"]["aud"], VECTORS["kb"]["nonce"])
BOUND_AT = 1_748_454_271
SECTION_5_1 = EXAMPLES["sdJwtRfcSection51SdJwtCompactSerialization"]
A3_BOUND = EXAMPLES["sdJwtRfcAppendixA3SdJwtKbCompactSerialization"]


# --- the examples of RFC 9901 ---


@pytest.mark.parametrize("name", WITHOUT_KB)
def test_the_examples_of_the_rfc_verify_as_issued(name: str) -> None:
    parts = sd_jwt.read(EXAMPLES[name])
    typ = parts.token.header["typ"]
    found = sd_jwt.verify_issued(EXAMPLES[name], [THEIR_ISSUER], issuer=parts.issuer, now=BOUND_AT, typ=typ)
    assert "_sd" not in json.dumps(found.claims)
    assert "..." not in json.dumps(found.claims)
    assert not proves(EXAMPLES[name])


@pytest.mark.parametrize("name", WITH_KB)
def test_the_bound_examples_of_the_rfc_verify_for_whom_they_were_bound(name: str) -> None:
    parts = sd_jwt.read(EXAMPLES[name])
    asked = {"issuer": parts.issuer, "typ": parts.token.header["typ"], "now": BOUND_AT + 5}
    found = sd_jwt.verify(EXAMPLES[name], [THEIR_ISSUER], **asked, binding=THEIR_BINDING)
    assert found.bound_at == BOUND_AT
    for wrong in (Binding("https://elsewhere.example", "1234567890"), Binding(THEIR_BINDING.audience, "0"), None):
        with pytest.raises(NotVerified):
            sd_jwt.verify(EXAMPLES[name], [THEIR_ISSUER], **asked, binding=wrong)


def test_the_processed_payloads_are_those_printed_in_the_rfc() -> None:
    cnf = {"cnf": {"jwk": VECTORS["holder_jwk"]}}
    found = sd_jwt.verify_issued(
        SECTION_5_1, [THEIR_ISSUER], issuer="https://issuer.example.com", now=BOUND_AT, typ="example+sd-jwt"
    )
    assert found.claims == cnf | {
        "iss": "https://issuer.example.com",
        "iat": 1683000000,
        "exp": 1883000000,
        "sub": "user_42",
        "given_name": "John",
        "family_name": "Doe",
        "email": "johndoe@example.com",
        "phone_number": "+1-202-555-0101",
        "phone_number_verified": True,
        "address": {"street_address": "123 Main St", "locality": "Anytown", "region": "Anystate", "country": "US"},
        "birthdate": "1940-01-01",
        "updated_at": 1570000000,
        "nationalities": ["US", "DE"],
    }
    issuer = "https://pid-issuer.bund.de.example"
    shown = sd_jwt.verify(A3_BOUND, [THEIR_ISSUER], issuer=issuer, now=BOUND_AT, binding=THEIR_BINDING)
    assert shown.claims == cnf | {
        "iss": issuer,
        "iat": 1683000000,
        "exp": 1883000000,
        "vct": "urn:eudi:pid:de:1",
        "age_equal_or_over": {"18": True},
        "nationalities": ["DE"],
    }


def test_a_holder_can_choose_among_nested_claims_of_the_rfcs_example() -> None:
    whole = EXAMPLES["sdJwtRfcAppendixA3SdJwtCompactSerialization"]
    chosen = sd_jwt.choose(whole, {"18", "nationalities"})
    assert set(chosen.split("~")) == set(A3_BOUND.rpartition("~")[0].split("~")) | {""}
    issuer = "https://pid-issuer.bund.de.example"
    found = sd_jwt.verify_issued(chosen, [THEIR_ISSUER], issuer=issuer, now=BOUND_AT)
    assert found.claims["age_equal_or_over"] == {"18": True}
    assert "12" not in json.dumps(found.claims)


# --- ours, there and back ---


@pytest.mark.parametrize("signer", [OURS, eddsa(7)])
@pytest.mark.parametrize("holder", [HOLDER, eddsa(11)])
def test_what_was_issued_chosen_and_bound_is_verified(signer: LocalSigner, holder: LocalSigner) -> None:
    whole = issued(holder=holder, signer=signer, decoys=3)
    shown = sd_jwt.bind(sd_jwt.choose(whole, {"name"}), holder, ASKED, at=NOW)
    found = sd_jwt.verify(shown, [signer.public], issuer=CITY, now=NOW, binding=ASKED)
    hidden = {name: value for name, value in CLAIMS.items() if name not in ("classes", "address")}
    assert {name: value for name, value in found.claims.items() if name != "cnf"} == hidden
    assert found.bound_at == NOW
    assert sd_jwt.read(shown).issuer == CITY


@given(
    st.dictionaries(st.text("abcde", min_size=1, max_size=3), st.integers() | st.text(max_size=5), max_size=6),
    st.sets(st.text("abcde", min_size=1, max_size=3)),
    st.sets(st.text("abcde", min_size=1, max_size=3)),
    st.integers(0, 3),
)
def test_a_verifier_learns_what_was_chosen_and_what_was_never_hidden(
    extra: dict[str, Any], hidden: set[str], chosen: set[str], decoys: int
) -> None:
    claims = {"iss": CITY, "vct": "v"} | extra
    hidden &= extra.keys()
    whole = sd_jwt.issue(claims, OURS, disclosable=hidden, random_bytes=random_bytes(), decoys=decoys)
    withheld = hidden - chosen
    assert check(whole).claims == claims
    shown = sd_jwt.choose(whole, chosen)
    assert check(shown).claims == {name: value for name, value in claims.items() if name not in withheld}
    assert all(json.dumps(name) not in _readable(shown) for name in withheld)


def _readable(shown: str) -> str:
    """Everything a verifier can read in what it is shown."""
    parts = sd_jwt.read(shown)
    return json.dumps([parts.payload, [[each.name, each.value] for each in parts.disclosures]])


def test_what_cannot_be_told_from_the_formats_own_is_never_issued() -> None:
    for extra in ({"_sd": []}, {"a": {"...": 1}}, {"a": [{"_sd_alg": "x"}]}, {"vct": None}):
        with pytest.raises(ValueError, match=r"cannot be issued|names its type"):
            issued(CLAIMS | extra)
    for name in (*sd_jwt.NEVER_DISCLOSED, "missing"):
        with pytest.raises(ValueError, match="cannot be issued"):
            sd_jwt.issue(CLAIMS, OURS, disclosable={name}, random_bytes=random_bytes())
    with pytest.raises(ValueError, match="named once"):
        issued(CLAIMS | {"cnf": {}}, holder=HOLDER)


def test_a_holders_key_is_published_without_a_name_or_a_private_half() -> None:
    (jwk,) = sd_jwt.read(issued(holder=HOLDER)).payload["cnf"].values()
    assert jwk.keys() == {"kty", "crv", "x", "y", "low_s"}
    assert "kid" not in jws.read(bound().rpartition("~")[2]).header


# --- every change ---


def test_no_change_of_an_sd_jwt_gets_through() -> None:
    text = issued(decoys=1)
    assert proves(text)
    assert [changed for changed in changes.of_text(text) if proves(changed)] == []


def test_no_change_of_a_bound_sd_jwt_gets_through() -> None:
    text = bound()
    assert proves(text, binding=ASKED)
    assert [changed for changed in changes.of_text(text) if proves(changed, binding=ASKED)] == []


def test_the_other_signature_of_issuer_and_holder_is_refused() -> None:
    jwt, _, rest = issued().partition("~")
    assert not proves(f"{changes.twin_of(jwt)}~{rest}")
    shown, _, proof = bound().rpartition("~")
    assert not proves(f"{shown}~{changes.twin_of(proof)}", binding=ASKED)


def test_appended_doubled_and_foreign_disclosures_are_refused() -> None:
    text = issued()
    jwt, *texts, _ = text.split("~")
    foreign = b64url(b'["c2FsdA","role","admin"]')
    for more in ([*texts, foreign], [foreign, *texts], [*texts, texts[0]], [*texts, ""], ["", *texts]):
        assert not proves("~".join([jwt, *more, ""]))
    assert not proves(text + "~")
    assert not proves("~".join([jwt, *texts]))
    assert not proves(jwt)
    assert not proves("~" + text)
    assert proves("~".join([jwt, ""]))


def test_the_order_of_disclosures_means_nothing_until_the_holder_has_signed_it() -> None:
    jwt, *texts, _ = issued().split("~")
    assert check("~".join([jwt, *reversed(texts), ""])) == check(issued())
    shown, _, proof = bound().rpartition("~")
    jwt, *texts = shown.split("~")
    assert proves("~".join([jwt, *texts, proof]), binding=ASKED)
    assert not proves("~".join([jwt, *reversed(texts), proof]), binding=ASKED)


def test_what_the_holder_signed_is_neither_less_nor_more_than_what_is_shown() -> None:
    shown, _, proof = bound().rpartition("~")
    jwt, *texts = shown.split("~")
    assert not proves("~".join([jwt, *texts[1:], proof]), binding=ASKED)
    some, _, proof = bound(sd_jwt.choose(issued(holder=HOLDER), {"name"})).rpartition("~")
    assert proves(f"{some}~{proof}", binding=ASKED)
    assert not proves(f"{shown}~{proof}", binding=ASKED)


# --- key binding is never skipped ---


def test_a_binding_that_was_asked_for_must_be_there_and_one_nobody_asked_for_must_not() -> None:
    assert not proves(issued(holder=HOLDER), binding=ASKED)
    assert not proves(issued(), binding=ASKED)
    assert not proves(issued(holder=HOLDER))
    assert not proves(bound())
    assert not proves(issued() + bound().rpartition("~")[2])
    assert sd_jwt.verify_issued(issued(holder=HOLDER), [OURS.public], issuer=CITY, now=NOW).bound_at is None
    with pytest.raises(NotVerified):
        sd_jwt.verify_issued(bound(), [OURS.public], issuer=CITY, now=NOW)


def test_a_proof_serves_the_verifier_that_asked_and_the_holder_alone() -> None:
    assert not proves(bound(to=Binding("https://other.example", "n-1")), binding=ASKED)
    assert not proves(bound(to=Binding(ASKED.audience, "n-2")), binding=ASKED)
    assert not proves(bound(holder=es256(12)), binding=ASKED)
    assert not proves(bound(holder=OURS), binding=ASKED)
    assert not proves(bound(holder=eddsa(11)), binding=ASKED)
    with pytest.raises(NotVerified, match="bound already"):
        bound(bound())


def test_a_proof_is_fresh_for_a_while_and_not_from_the_future() -> None:
    for at in (NOW - AGE_SECONDS_MAX, NOW, NOW + sd_jwt.CLOCK_SKEW_SECONDS_MAX):
        assert check(bound(at=at), binding=ASKED).bound_at == at
    for at in (NOW - AGE_SECONDS_MAX - 1, NOW + sd_jwt.CLOCK_SKEW_SECONDS_MAX + 1):
        assert not proves(bound(at=at), binding=ASKED)
    assert not proves(bound(at=NOW - 6), binding=Binding(ASKED.audience, ASKED.nonce, age_seconds_max=5))


@pytest.mark.parametrize(
    "change",
    [
        {"aud": [ASKED.audience]},
        {"aud": None},
        {"nonce": None},
        {"iat": str(NOW)},
        {"iat": NOW + 0.5},
        {"iat": None},
        {"sd_hash": None},
        {"sd_hash": "AAAA"},
    ],
)
def test_a_proof_of_the_wrong_make_proves_nothing(change: dict[str, Any]) -> None:
    shown, _, proof = bound().rpartition("~")
    payload = jws.read(proof).payload
    assert proves(f"{shown}~{jws.sign(payload, HOLDER, typ=KEY_BINDING)}", binding=ASKED)
    assert not proves(f"{shown}~{jws.sign(payload | change, HOLDER, typ=KEY_BINDING)}", binding=ASKED)
    assert not proves(f"{shown}~{jws.sign(payload, HOLDER, typ='JWT')}", binding=ASKED)
    for name in payload:
        less = {other: value for other, value in payload.items() if other != name}
        assert not proves(f"{shown}~{jws.sign(less, HOLDER, typ=KEY_BINDING)}", binding=ASKED)


@pytest.mark.parametrize(
    "cnf", [None, {}, {"jwk": None}, {"jwk": {}}, {"kid": "x"}, {"jwk": {"kty": "oct", "k": "AA"}}]
)
def test_a_holders_key_of_the_wrong_make_binds_nobody(cnf: Any) -> None:
    text = issued(CLAIMS | {"cnf": cnf})
    assert not proves(bound(text), binding=ASKED)
    assert not proves(text)


def test_a_holders_key_that_is_private_or_of_another_suite_binds_nobody() -> None:
    own = {name: HOLDER.public.jwk[name] for name in ("kty", "crv", "x", "y")}
    assert proves(bound(issued(CLAIMS | {"cnf": {"jwk": own}})), binding=ASKED)
    for change in ({"d": "AA"}, {"crv": "P-384"}, {"x": own["y"]}, {"alg": "EdDSA"}, {"kty": ["EC"]}):
        assert not proves(bound(issued(CLAIMS | {"cnf": {"jwk": own | change}})), binding=ASKED)
