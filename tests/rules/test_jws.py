"""A signed token has one spelling, and only the key it was signed with opens it."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import jws
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import LocalSigner, b64url, public_key
from tests import changes
from tests.signing_keys import eddsa, es256

TYP = "thing+jwt"
OURS = es256(7)
SIGNERS = [OURS, eddsa(7)]
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def signed(payload: bytes, signer: LocalSigner = OURS, header: bytes | None = None) -> str:
    """A token over exactly these bytes."""
    head = header or jws.compact_json({"alg": signer.public.algorithm, "typ": TYP, "kid": signer.public.key_id})
    signing_input = f"{b64url(head)}.{b64url(payload)}"
    return f"{signing_input}.{b64url(signer.sign(signing_input.encode()))}"


def opens(token: str, signer: LocalSigner = OURS) -> bool:
    try:
        jws.verify(token, [signer.public], typ=TYP)
    except NotSigned:
        return False
    return True


@pytest.mark.parametrize("signer", SIGNERS)
def test_what_was_signed_is_read_back(signer: LocalSigner) -> None:
    token = jws.sign({"名": "证"}, signer, typ=TYP, headers={"x": 1})
    assert jws.verify(token, [signer.public], typ=TYP) == {"名": "证"}
    assert jws.read(token).header == {
        "alg": signer.public.algorithm,
        "typ": TYP,
        "kid": signer.public.key_id,
        "x": 1,
    }


@given(st.dictionaries(texts, values, max_size=4))
def test_any_claims_are_read_back(claims: dict[str, Any]) -> None:
    assert jws.verify(jws.sign(claims, OURS, typ=TYP), [OURS.public], typ=TYP) == claims


@pytest.mark.parametrize("signer", SIGNERS)
def test_no_change_of_a_token_gets_through(signer: LocalSigner) -> None:
    token = jws.sign({"a": 1, "b": "二"}, signer, typ=TYP)
    assert opens(token, signer)
    assert [changed for changed in changes.of_text(token) if opens(changed, signer)] == []


def test_the_other_signature_of_the_same_key_is_refused() -> None:
    token = jws.sign({"a": 1}, OURS, typ=TYP)
    assert not opens(changes.twin_of(token))


def test_a_strangers_key_may_have_signed_with_either_half() -> None:
    token = jws.sign({"a": 1}, OURS, typ=TYP)
    theirs = public_key({name: value for name, value in OURS.public.jwk.items() if name != "low_s"})
    assert jws.verify(changes.twin_of(token), [theirs], typ=TYP) == {"a": 1}


def test_a_token_nobody_signed_is_refused_whatever_it_says_of_its_algorithm() -> None:
    for algorithm in ("none", "None", "NONE", "", None, 0, ["ES256"], "EdDSA", "es256", "RS256"):
        header = jws.compact_json({"alg": algorithm, "typ": TYP})
        unsigned = f"{b64url(header)}.{b64url(b'{}')}"
        assert not opens(f"{unsigned}.")
        assert not opens(f"{unsigned}.{b64url(OURS.sign(unsigned.encode()))}")
    bare = f"{b64url(jws.compact_json({'typ': TYP}))}.{b64url(b'{}')}"
    assert not opens(f"{bare}.{b64url(OURS.sign(bare.encode()))}")


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    for secret in (json.dumps(OURS.public.jwk).encode(), OURS.public.jwk["x"].encode(), b""):
        header = jws.compact_json({"alg": "HS256", "typ": TYP, "kid": OURS.public.key_id})
        signing_input = f"{b64url(header)}.{b64url(b'{}')}"
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        assert not opens(f"{signing_input}.{b64url(mac)}")
        assert not opens(f"{signing_input}.{b64url(mac + mac)}")


def test_a_key_in_the_header_is_nobody() -> None:
    stranger = es256(8)
    header = {"alg": "ES256", "typ": TYP, "jwk": dict(stranger.public.jwk)}
    assert not opens(signed(b"{}", stranger, jws.compact_json(header)))


@pytest.mark.parametrize("typ", [None, "", "JWT", "thing+JWT", "application/thing+jwt", "thing", ["thing+jwt"]])
def test_a_token_of_another_type_is_refused(typ: Any) -> None:
    assert not opens(signed(b"{}", header=jws.compact_json({"alg": "ES256", "typ": typ})))


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}])
def test_a_token_that_asks_for_an_extension_is_refused(extension: dict[str, Any]) -> None:
    assert not opens(signed(b"{}", header=jws.compact_json({"alg": "ES256", "typ": TYP} | extension)))


def test_a_name_in_the_header_narrows_the_keys_and_may_be_shared() -> None:
    first, second = es256(1, "same"), es256(2, "same")
    token = jws.sign({}, second, typ=TYP)
    assert jws.verify(token, [first.public, second.public], typ=TYP) == {}
    assert not opens(jws.sign({}, es256(2, "another"), typ=TYP), second)
    assert not opens(signed(b"{}", second, jws.compact_json({"alg": "ES256", "typ": TYP, "kid": None})), second)
    nameless = jws.sign({}, second, typ=TYP, is_key_named=False)
    assert "kid" not in jws.read(nameless).header
    assert jws.verify(nameless, [first.public, second.public], typ=TYP) == {}


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a":1,"a":1}',
        b'{"b":{"a":1,"a":2}}',
        b'{"b":[{"a":1,"\\u0061":2}]}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xff"}',
        b'{"a":1} {}',
        b"{",
        b"",
        b"[]",
        b"null",
        b'"a"',
        b'{"a":' + b"[" * 80 + b"]" * 80 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_json_that_two_readers_would_read_differently_is_refused(payload: bytes) -> None:
    assert not opens(signed(payload))


def test_json_written_in_another_way_is_still_the_signers_own() -> None:
    assert jws.verify(signed(b' {"a" : "\\u8bc1\\ud83d\\ude00"}\n'), [OURS.public], typ=TYP) == {"a": "证😀"}


@pytest.mark.parametrize("header", [b"[]", b'{"alg":"ES256","alg":"ES256","typ":"thing+jwt"}', b"", b"{"])
def test_a_header_that_is_no_object_or_says_a_thing_twice_is_refused(header: bytes) -> None:
    assert not opens(signed(b"{}", header=header or b" "))


def test_nothing_that_was_not_signed_is_parsed() -> None:
    head, _, signature = signed(b"{}").split(".")
    forged = f"{head}.{b64url(b'{')}.{signature}"
    with pytest.raises(NotSigned, match="no key"):
        jws.verify(forged, [OURS.public], typ=TYP)


def test_a_token_without_end_is_refused_before_it_is_read() -> None:
    with pytest.raises(NotSigned, match="longer"):
        jws.read("A" * (jws.TOKEN_CHARACTERS_MAX + 1))


def test_a_refusal_does_not_repeat_what_it_refuses() -> None:
    with pytest.raises(NotSigned) as refused:
        jws.verify(signed('{"a":"张三","a":1}'.encode()), [OURS.public], typ=TYP)
    assert "张三" not in str(refused.value)


@given(st.text(max_size=200) | st.text("ab.eyJ=", max_size=60))
def test_any_other_text_is_refused_and_never_breaks_the_reader(text: str) -> None:
    assert not opens(text)


@given(st.binary(max_size=120))
def test_any_signed_bytes_are_read_only_if_they_are_an_object_and_never_break_the_reader(payload: bytes) -> None:
    if opens(signed(payload)):
        assert isinstance(json.loads(payload), dict)


@given(values)
def test_any_signed_value_is_read_if_it_is_an_object(value: object) -> None:
    assert opens(signed(json.dumps(value).encode())) is isinstance(value, dict)
