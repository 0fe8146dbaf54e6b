"""What makes an SD-JWT hold, and every shape that RFC 9901 §7.1 refuses."""

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import jws, sd_jwt
from suishenban_verify.sd_jwt import CREDENTIAL, KEY_BINDING, Binding, NotVerified
from suishenban_verify.signatures import b64url
from tests.credentials import ASKED, CITY, CLAIMS, HOLDER, NOW, OURS, bound, check, claims_of, issued, proves, spelt
from tests.signing_keys import es256

# --- who, when, what for ---


def test_the_issuer_is_the_one_whose_keys_were_tried() -> None:
    text = issued()
    for issuer in ("https://other.example", None, ""):
        with pytest.raises(NotVerified, match="issuer"):
            check(text, issuer=issuer)
    with pytest.raises(NotVerified):
        sd_jwt.verify(text, [es256(8, OURS.public.key_id).public], issuer=CITY, now=NOW, binding=None)


@pytest.mark.parametrize("typ", ["JWT", "vc+sd-jwt", KEY_BINDING, "statuslist+jwt", "trust-list+jwt"])
def test_a_token_of_another_type_is_no_credential(typ: str) -> None:
    assert proves(spelt({}))
    assert not proves(spelt({}, typ=typ))


def test_a_credential_without_a_type_of_its_own_is_refused() -> None:
    assert not proves(spelt({"vct": None}))
    assert not proves(spelt({"vct": 7}))


def test_a_credential_holds_in_its_time_alone() -> None:
    text = issued(CLAIMS | {"nbf": NOW - 5})
    assert proves(text, now=NOW - 5)
    assert proves(text, now=NOW + 3599)
    assert not proves(text, now=NOW - 6)
    assert not proves(text, now=NOW + 3600)
    assert proves(issued(CLAIMS | {"iat": NOW + sd_jwt.CLOCK_SKEW_SECONDS_MAX}))
    assert not proves(issued(CLAIMS | {"iat": NOW + sd_jwt.CLOCK_SKEW_SECONDS_MAX + 1}))
    for name in ("iat", "nbf", "exp"):
        for value in (None, str(NOW), NOW - 0.5, True, -1):
            assert not proves(issued(CLAIMS | {name: value}))


def test_a_credential_for_one_verifier_is_not_for_another() -> None:
    for audience in (ASKED.audience, [ASKED.audience, "https://third.example"]):
        text = issued(CLAIMS | {"aud": audience}, holder=HOLDER)
        assert proves(bound(text), binding=ASKED)
        assert not proves(bound(text, to=Binding("https://x.example", "n")), binding=Binding("https://x.example", "n"))
    for wrong in (None, [], {}, 7, [None], f"{ASKED.audience}/"):
        assert not proves(bound(issued(CLAIMS | {"aud": wrong}, holder=HOLDER)), binding=ASKED)
    for named in (ASKED.audience, None, [None]):
        assert not proves(issued(CLAIMS | {"aud": named}))


PLAUSIBLE = {
    "nbf": NOW - 1,
    "exp": NOW + 9,
    "status": CLAIMS["status"],
    "aka_vcts": ["w"],
    "vct#integrity": "sha256-AAAA",
    "cnf": {"jwk": {name: HOLDER.public.jwk[name] for name in ("kty", "crv", "x", "y")}},
}


@pytest.mark.parametrize("name", PLAUSIBLE)
def test_what_says_whether_a_credential_holds_is_never_taken_from_a_disclosure(name: str) -> None:
    for text in (
        spelt({"_sd": ["DIGEST 0"]}, ["salt", name, PLAUSIBLE[name]]),
        spelt({name: {"_sd": ["DIGEST 0"]}}, ["salt", "x", 1]),
        spelt({name: {"a": [{"...": "withheld"}]}}),
    ):
        with pytest.raises(NotVerified, match="not disclosable"):
            check(text)


def test_an_issuer_and_a_type_are_never_taken_from_a_disclosure() -> None:
    assert PLAUSIBLE.keys() | {"iss", "vct"} == sd_jwt.NEVER_DISCLOSED
    for name, value in (("iss", CITY), ("vct", "v")):
        claims = {other: its for other, its in {"iss": CITY, "vct": "v"}.items() if other != name}
        text = b64url(json.dumps(["s", name, value]).encode())
        token = jws.sign(claims | {"_sd": [b64url(sha256(text.encode()).digest())]}, OURS, typ=CREDENTIAL)
        for issuer in (CITY, None):
            with pytest.raises(NotVerified):
                check(f"{token}~{text}~", issuer=issuer)


# --- the shapes of RFC 9901 §7.1 ---


def test_nested_and_recursive_disclosures_are_put_in_their_places() -> None:
    text = spelt(
        {"a": {"_sd": ["DIGEST 0", "decoy"], "kept": 1}, "l": [{"...": "DIGEST 1"}, 2, {"...": "withheld"}]},
        ["s", "b", [1, {"c": []}]],
        ["s", {"d": 3}],
    )
    assert claims_of(text) == {"a": {"kept": 1, "b": [1, {"c": []}]}, "l": [{"d": 3}, 2]}
    inner = b64url(json.dumps(["s", "deep", True]).encode())
    outer = ["s", "around", {"_sd": [b64url(sha256(inner.encode()).digest())]}]
    both = spelt({"_sd": ["DIGEST 0"]}, outer) + inner + "~"
    assert claims_of(both) == {"around": {"deep": True}}
    assert claims_of(spelt({"_sd": ["DIGEST 0"]}, outer)) == {"around": {}}
    assert not proves("~".join([both.split("~")[0], inner, ""]))
    assert sd_jwt.choose(both, {"deep"}) == both
    assert claims_of(sd_jwt.choose(both, {"around"})) == {"around": {}}


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_the_hash_is_the_one_the_issuer_names(algorithm: str) -> None:
    text = spelt({"_sd": ["DIGEST 0"], "_sd_alg": algorithm}, ["s", "a", 1], algorithm=algorithm)
    assert claims_of(text) == {"a": 1}
    own = {name: HOLDER.public.jwk[name] for name in ("kty", "crv", "x", "y")}
    with_holder = spelt(
        {"_sd": ["DIGEST 0"], "_sd_alg": algorithm, "cnf": {"jwk": own}}, ["s", "a", 1], algorithm=algorithm
    )
    assert check(bound(with_holder), binding=ASKED).claims["a"] == 1


@pytest.mark.parametrize(
    ("payload", "disclosed"),
    [
        ({"_sd": ["DIGEST 0"]}, [["s", 1]]),
        ({"a": [{"...": "DIGEST 0"}]}, [["s", "b", 1]]),
        ({"_sd": ["DIGEST 0"], "a": 0}, [["s", "a", 1]]),
        ({"_sd": ["DIGEST 0", "DIGEST 1"]}, [["s", "a", 1], ["t", "a", 2]]),
        ({"_sd": ["DIGEST 0", "DIGEST 0"]}, [["s", "a", 1]]),
        ({"_sd": ["DIGEST 0"], "b": {"_sd": ["DIGEST 0"]}}, [["s", "a", 1]]),
        ({"_sd": ["same", "same"]}, []),
        ({"_sd": ["same"], "b": [{"...": "same"}]}, []),
        ({"_sd": ["DIGEST 0", "same"]}, [["s", "a", {"_sd": ["same"]}]]),
        ({"_sd": "DIGEST 0"}, [["s", "a", 1]]),
        ({"_sd": {"DIGEST 0": 1}}, [["s", "a", 1]]),
        ({"_sd": None}, []),
        ({"_sd": [1]}, []),
        ({"_sd": [None]}, []),
        ({"_sd": [["DIGEST 0"]]}, [["s", "a", 1]]),
        ({"a": [{"...": 1}]}, []),
        ({"a": [{"...": "DIGEST 0", "b": 1}]}, [["s", 1]]),
        ({"a": {"...": "DIGEST 0"}}, [["s", 1]]),
        ({"...": "DIGEST 0"}, [["s", 1]]),
        ({"a": {"_sd_alg": "sha-256"}}, []),
        ({"_sd_alg": "md5"}, []),
        ({"_sd_alg": "SHA-256"}, []),
        ({"_sd_alg": None}, []),
        ({"_sd_alg": ["sha-256"]}, []),
        ({"_sd": ["DIGEST 0"]}, [["s", "_sd", []]]),
        ({"_sd": ["DIGEST 0"]}, [["s", "...", "x"]]),
        ({"_sd": ["DIGEST 0"]}, [["s", "_sd_alg", "sha-256"]]),
        ({"_sd": ["DIGEST 0"]}, [["s", "a", {"...": "x"}]]),
        ({"_sd": ["DIGEST 0"]}, [["s"]]),
        ({"_sd": ["DIGEST 0"]}, [["s", "a", 1, 2]]),
        ({"_sd": ["DIGEST 0"]}, [[1, "a", 1]]),
        ({"_sd": ["DIGEST 0"]}, [["s", 1, 1]]),
        ({"_sd": ["DIGEST 0"]}, [["s", None, 1]]),
        ({"_sd": ["DIGEST 0"]}, [{"a": 1}]),
        ({"_sd": ["DIGEST 0"]}, ["a"]),
        ({"_sd": ["DIGEST 0"]}, [b'["s","a",{"b":1,"b":2}]']),
        ({"_sd": ["DIGEST 0"]}, [b'["s","a",NaN]']),
        ({"_sd": ["DIGEST 0"]}, [b'["s","a","\xff"]']),
        ({"_sd": ["DIGEST 0"]}, [b"["]),
        ({"_sd": ["DIGEST 0"]}, [b""]),
        ({}, [["s", "a", 1]]),
        ({"a": "DIGEST 0"}, [["s", "a", 1]]),
    ],
)
def test_shapes_the_rfc_refuses_are_refused(payload: dict[str, Any], disclosed: list[Any]) -> None:
    assert not proves(spelt(payload, *disclosed))


def test_claims_stand_in_one_another_to_a_bounded_depth() -> None:
    def chain(links: int) -> str:
        texts: list[str] = []
        digests: list[str] = []
        for number in range(links):
            texts.append(b64url(json.dumps(["s", f"n{number}", {"_sd": digests}]).encode()))
            digests = [b64url(sha256(texts[-1].encode()).digest())]
        return spelt({"_sd": digests}) + "".join(f"{text}~" for text in texts)

    assert proves(chain(20))
    assert not proves(chain(40))
    assert not proves(chain(250))


def test_a_text_without_end_is_refused_before_it_is_read() -> None:
    jwt, _ = spelt({}).split("~")
    many = [b64url(json.dumps(["s", f"n{number}", 1]).encode()) for number in range(sd_jwt.DISCLOSURES_MAX + 1)]
    assert not proves("~".join([jwt, *many, ""]))
    with pytest.raises(NotVerified, match="longer"):
        sd_jwt.read("a" * (sd_jwt.TEXT_CHARACTERS_MAX + 1))


def test_a_refusal_does_not_repeat_what_it_refuses() -> None:
    with pytest.raises(NotVerified) as refused:
        check(issued(CLAIMS | {"exp": NOW - 1}))
    assert "王小明" not in str(refused.value)


@given(st.text(max_size=200) | st.text("ab.eyJ~=", max_size=60))
def test_any_other_text_is_refused_and_never_breaks_the_reader(text: str) -> None:
    assert not proves(text)
    assert not proves(issued() + text) or text == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("DIGEST 0"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "b", "exp", "cnf"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "cnf"]), json_values),
    st.lists(json_values, max_size=4),
)
def test_any_other_claims_are_read_or_refused_and_never_break_the_reader(
    payload: dict[str, Any], disclosed: list[Any]
) -> None:
    text = spelt(payload, disclosed)
    for binding, shown in ((None, text), (ASKED, text + bound().rpartition("~")[2])):
        if proves(shown, binding=binding):
            assert not {"_sd", "...", "_sd_alg"} & set(json.dumps(check(shown).claims).replace('"', " ").split())
