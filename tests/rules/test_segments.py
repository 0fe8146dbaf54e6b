"""How many SMS a text is charged as (3GPP TS 23.038, 23.040)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.model import GSM_JOINED, UCS2_JOINED, segments

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
