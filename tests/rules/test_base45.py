"""Base45 has one text for any bytes, and bytes for no other text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import base45
from suishenban_verify.base45 import ALPHABET, NotBase45, decode, encode

characters = st.sampled_from(ALPHABET.decode())


def slow_decode(text: str) -> bytes | None:
    """RFC 9285 §4, word for word; None for what no bytes encode to."""
    values = [ALPHABET.decode().find(character) for character in text]
    if -1 in values or len(values) % 3 == 1:
        return None
    out = []
    for at in range(0, len(values), 3):
        lane = values[at : at + 3]
        number = sum(value * 45**place for place, value in enumerate(lane))
        size = len(lane) - 1
        if number >= 256**size:
            return None
        out.append(number.to_bytes(size, "big"))
    return b"".join(out)


@pytest.mark.parametrize(
    "raw, text",
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0"), (b"", "")],
)
def test_the_examples_of_the_rfc(raw: bytes, text: str) -> None:
    assert encode(raw) == text
    assert decode(text) == raw


@given(st.binary(max_size=1200))
def test_what_is_written_is_read_back(raw: bytes) -> None:
    assert decode(encode(raw)) == raw


@given(st.text(characters, max_size=40) | st.text(max_size=12))
def test_only_what_is_written_is_read_as_the_rfc_says(text: str) -> None:
    expected = slow_decode(text)
    if expected is None:
        with pytest.raises(NotBase45):
            decode(text)
    else:
        assert decode(text) == expected
        assert encode(expected) == text


def test_every_three_characters_alone_and_among_others() -> None:
    alphabet = ALPHABET.decode()
    for first in alphabet:
        for second in alphabet:
            good = [third for third in alphabet if slow_decode(first + second + third) is not None]
            joined = "".join(first + second + third for third in good)
            assert decode(joined) == b"".join(slow_decode(first + second + third) or b"" for third in good)
            for third in set(alphabet) - set(good):
                for text in (first + second + third, "BB8" + first + second + third, first + second + third + "BB8"):
                    with pytest.raises(NotBase45):
                        decode(text)


@pytest.mark.parametrize("text", ["bb8", "BB8\n", "BB8 ", " BB8", "ＢＢ８", "BB8B", "GGW", "::", ":::", "BB\x008"])
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(NotBase45):
        decode(text)


def test_what_is_longer_than_any_symbol_is_refused() -> None:
    longest = encode(bytes(base45.RAW_MAX))
    assert len(longest) == base45.TEXT_MAX
    assert decode(longest) == bytes(base45.RAW_MAX)
    with pytest.raises(NotBase45):
        decode(longest + "00")
