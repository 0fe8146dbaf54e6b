"""A status list of ours has one spelling as a CWT; that of another city may have others; nothing unsigned counts."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import status_list
from suishenban_verify.signatures import LocalSigner
from suishenban_verify.status_list import CWT_TYPE, SUSPENDED, StatusList
from tests.status_lists import CWT_CLAIMS, OURS, is_read, read_cwt, read_foreign, with_cwt_claims


def spelt(
    protected: Any, unprotected: Any, payload: bytes, *, tag: int | None = 18, signer: LocalSigner = OURS
) -> bytes:
    """A COSE_Sign1 of these parts, signed."""
    head = protected if isinstance(protected, bytes) else cbor2.dumps(protected)
    signature = signer.sign(cbor2.dumps(["Signature1", head, b"", payload]))
    message = [head, unprotected, payload, signature]
    return cbor2.dumps(message if tag is None else cbor2.CBORTag(tag, message))


PROTECTED = {1: -7, 4: OURS.public.short_id, 16: CWT_TYPE}
PAYLOAD = cbor2.dumps(CWT_CLAIMS)
OTHER_SPELLINGS = {
    "with a key id beside what is signed": spelt({1: -7, 16: CWT_TYPE}, {4: OURS.public.short_id}, PAYLOAD),
    "with the key named as in a JWT": spelt(PROTECTED | {4: OURS.public.key_id.encode()}, {}, PAYLOAD),
    "with no key named": spelt({1: -7, 16: CWT_TYPE}, {}, PAYLOAD),
    "with something beside what is signed": spelt(PROTECTED, {99: 1}, PAYLOAD),
    "without a tag": spelt(PROTECTED, {}, PAYLOAD, tag=None),
    "with its header in another order": spelt(dict(reversed(PROTECTED.items())), {}, PAYLOAD),
    "with a length in more bytes than it needs": spelt(PROTECTED, {}, PAYLOAD).replace(b"\x58\x40", b"\x59\0\x40"),
    "of unknown length": b"\xd2\x9f" + spelt(PROTECTED, {}, PAYLOAD)[2:] + b"\xff",
    "with its claims of unknown length": spelt(PROTECTED, {}, b"\xbf" + PAYLOAD[1:] + b"\xff"),
}


@pytest.mark.parametrize("how", OTHER_SPELLINGS)
def test_a_list_of_ours_has_one_spelling_and_that_of_another_city_may_have_others(how: str) -> None:
    token = OTHER_SPELLINGS[how]
    assert token != spelt(PROTECTED, {}, PAYLOAD)
    assert not is_read(read_cwt, token)
    assert read_foreign(token).list.get(2) == SUSPENDED


REFUSED_EVERYWHERE = {
    "an algorithm that is not signed": spelt({16: CWT_TYPE, 4: OURS.public.short_id}, {1: -7}, PAYLOAD),
    "a type that is not signed": spelt({1: -7, 4: OURS.public.short_id}, {16: CWT_TYPE}, PAYLOAD),
    "another algorithm": spelt(PROTECTED | {1: -8}, {}, PAYLOAD),
    "an extension": spelt(PROTECTED | {2: [16]}, {}, PAYLOAD),
    "another key's name": spelt(PROTECTED | {4: bytes(8)}, {}, PAYLOAD),
    "a claim twice": spelt(PROTECTED, {}, b"\xa6" + PAYLOAD[1:] + b"\x04\x1a\x7f\xff\xff\xff"),
    "a header twice": spelt(b"\xa4" + cbor2.dumps(PROTECTED)[1:] + b"\x01\x26", {}, PAYLOAD),
    "something behind the claims": spelt(PROTECTED, {}, PAYLOAD + b"\0"),
    "something behind the message": spelt(PROTECTED, {}, PAYLOAD) + b"\0",
    "the tag of a CWT around it": b"\xd8\x3d" + spelt(PROTECTED, {}, PAYLOAD),
    "the tag of a MAC": spelt(PROTECTED, {}, PAYLOAD, tag=17),
    "a fifth part": b"\xd2\x85" + spelt(PROTECTED, {}, PAYLOAD)[2:] + b"\0",
    "no claims": spelt(PROTECTED, {}, cbor2.dumps([])),
    "a header that is none": spelt(cbor2.dumps([]), {}, PAYLOAD),
    "an empty header": spelt(b"", {}, PAYLOAD),
    "nothing": b"",
}


@pytest.mark.parametrize("what", REFUSED_EVERYWHERE)
def test_a_cwt_with_what_does_not_belong_there_is_refused_from_everybody(what: str) -> None:
    assert not is_read(read_cwt, REFUSED_EVERYWHERE[what])
    assert not is_read(read_foreign, REFUSED_EVERYWHERE[what])


def test_no_turned_bit_of_what_another_city_signed_gets_through() -> None:
    token = OTHER_SPELLINGS["with no key named"]
    payload_at, payload_end = token.index(PAYLOAD), token.index(PAYLOAD) + len(PAYLOAD)
    signed = [*range(4, 4 + len(cbor2.dumps({1: -7, 16: CWT_TYPE}))), *range(payload_at, payload_end)]
    for at in [*signed, *range(len(token) - 64, len(token))]:
        for bit in range(8):
            assert not is_read(read_foreign, token[:at] + bytes((token[at] ^ 1 << bit,)) + token[at + 1 :])


@given(st.binary(max_size=80), st.sampled_from(status_list.WIDTHS))
def test_any_other_bytes_are_no_list_and_never_break_the_reader(raw: bytes, bits: int) -> None:
    assert not is_read(lambda given: StatusList.inflated(bits, given), raw)
    assert not is_read(read_cwt, raw)
    assert not is_read(read_foreign, raw)


plain = st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=5) | st.binary()
names = st.integers(0, 9) | st.text(max_size=3)


@given(st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner), max_leaves=9))
def test_any_other_claims_tell_nothing_and_never_break_the_reader(claims: Any) -> None:
    assert not is_read(read_cwt, with_cwt_claims(claims))
    assert not is_read(read_foreign, with_cwt_claims(claims))
    assert not is_read(read_cwt, with_cwt_claims(CWT_CLAIMS | {65533: claims}))
