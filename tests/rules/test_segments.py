"""How many SMS a text is charged as, and the parts it is sent in (3GPP TS 23.038, 23.040)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.segmenting import (
    GSM_JOINED,
    UCS2_JOINED,
    Alphabet,
    ReferenceBits,
    alphabet_of,
    beyond_gsm,
    cut,
    octets,
    segments,
    text_of,
    units,
)

GSM_LETTERS = "aZ09@£Δñ \n"
ESCAPED = "€[]{}\\^~|"


@pytest.mark.parametrize(
    "text, parts",
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the escape and its sign stay together, so the first part ends one short
        ("a" * 151 + "€" + "a" * 153, 2),
        ("你" * 70, 1),
        ("你" * 71, 2),
        ("你" * 134, 2),
        ("你" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("你" * 66 + "😀" + "你" * 66, 3),  # neither is a surrogate pair cut in two
        ("你" * 65 + "😀" + "你" * 67, 2),
        ("`", 1),
        ("`" + "a" * 70, 2),  # one sign outside the alphabet costs the whole text its seven bits
    ],
)
def test_a_text_is_charged_as_the_standard_says(text: str, parts: int) -> None:
    assert segments(text) == parts


@given(st.text(alphabet=GSM_LETTERS + ESCAPED, max_size=700))
def test_parts_of_seven_bit_text_are_as_few_as_possible_but_for_uncut_escapes(text: str) -> None:
    septets = sum(2 if sign in ESCAPED else 1 for sign in text)
    fewest = 1 if septets <= 160 else -(-septets // GSM_JOINED)
    most = 1 if septets <= 160 else -(-septets // (GSM_JOINED - 1))
    assert fewest <= segments(text) <= most


@given(st.text(max_size=400), st.characters(codec="utf-8"))
def test_a_longer_text_never_costs_less(text: str, sign: str) -> None:
    assert segments(text + sign) >= segments(text)


@given(st.text(alphabet="你好😀", min_size=36, max_size=400))
def test_sixteen_bit_text_is_counted_in_units_not_in_signs(text: str) -> None:
    units = len(text.encode("utf-16-le")) // 2
    assert segments(text) >= (1 if units <= 70 else -(-units // UCS2_JOINED))


anything = st.text(alphabet=GSM_LETTERS + ESCAPED + "你好😀é`", max_size=400) | st.text(max_size=300)
either_reference = st.sampled_from([8, 16])


@given(anything, either_reference)
def test_parts_are_the_text_and_each_fits(text: str, reference_bits: ReferenceBits) -> None:
    alphabet, parts = cut(text, reference_bits=reference_bits)
    most = {(Alphabet.GSM, 8): 153, (Alphabet.GSM, 16): 152, (Alphabet.UCS2, 8): 67, (Alphabet.UCS2, 16): 66}
    assert "".join(parts) == text
    if len(parts) > 1:
        assert all(0 < units(part, alphabet) <= most[alphabet, reference_bits] for part in parts)
        for part, following in pairwise(parts):  # and none ends sooner than it must
            assert units(part + following[0], alphabet) > most[alphabet, reference_bits]
    else:
        assert units(text, alphabet) <= (160 if alphabet is Alphabet.GSM else 70)


@given(anything)
def test_a_text_is_cut_into_as_many_parts_as_it_is_charged(text: str) -> None:
    assert len(cut(text).parts) == segments(text)
    assert len(cut(text, reference_bits=16).parts) >= segments(text)


@given(anything)
def test_what_a_part_says_survives_its_octets(text: str) -> None:
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return
    alphabet, parts = cut(text)
    sent = [octets(part, alphabet) for part in parts]
    assert "".join(text_of(one, alphabet) for one in sent) == text
    assert all(len(one) <= (160 if alphabet is Alphabet.GSM else 140) for one in sent)


@given(st.binary(max_size=200), st.sampled_from(list(Alphabet)))
def test_octets_of_any_kind_are_read_as_something(received: bytes, alphabet: Alphabet) -> None:
    assert len(text_of(received, alphabet)) <= len(received)


@given(anything)
def test_signs_that_force_sixteen_bits_are_named_once_each(text: str) -> None:
    named = beyond_gsm(text)
    assert len(named) == len(set(named))
    assert (named == []) == (alphabet_of(text) is Alphabet.GSM)
    assert alphabet_of("".join(sign for sign in text if sign not in named)) is Alphabet.GSM


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("@", "00"),
        ("£$", "0102"),
        ("hello", "68656c6c6f"),
        ("€", "1b65"),
        ("[a]", "1b3c611b3e"),
        ("\f", "1b0a"),
        ("à", "7f"),
        ("Ω\n", "150a"),
        ("你", "4f60"),
        ("😀", "d83dde00"),
    ],
)
def test_octets_are_those_of_the_standards_tables(text: str, sent: str) -> None:
    alphabet = alphabet_of(text)
    assert octets(text, alphabet).hex() == sent
    assert text_of(bytes.fromhex(sent), alphabet) == text


def test_what_no_table_holds_is_shown_and_never_sent() -> None:
    assert text_of(bytes.fromhex("1b1b61801b"), Alphabet.GSM) == "\ufffda\ufffd"
    assert text_of(bytes.fromhex("1b61"), Alphabet.GSM) == "a"
    with pytest.raises(UnicodeEncodeError):
        octets("你", Alphabet.GSM)


@pytest.mark.parametrize(
    ("text", "reference_bits", "lengths"),
    [
        ("a" * 161, 8, [153, 8]),
        ("a" * 161, 16, [152, 9]),
        ("a" * 152 + "€" + "a" * 152, 8, [152, 152, 1]),
        ("a" * 151 + "€" + "a" * 152, 16, [151, 151, 2]),
        ("€" * 81, 8, [76, 5]),
        ("你" * 71, 8, [67, 4]),
        ("你" * 71, 16, [66, 5]),
        ("你" * 66 + "😀" + "你" * 66, 8, [66, 66, 1]),
        ("😀" * 36, 8, [33, 3]),
        ("", 8, [0]),
    ],
)
def test_parts_end_where_they_must(text: str, reference_bits: ReferenceBits, lengths: list[int]) -> None:
    assert [len(part) for part in cut(text, reference_bits=reference_bits).parts] == lengths
