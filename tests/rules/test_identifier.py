"""Certificate identifiers follow GB/T 36904, and no single mistyped character gets through."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from wallet import identifier

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "gbt36904-identifiers.json").read_text())
ALPHABET = string.digits + string.ascii_uppercase

kind_codes = st.builds(
    "{}{:03d}".format, st.text(ALPHABET, min_size=18, max_size=18), st.integers(min_value=0, max_value=999)
)
issuer_codes = st.text(ALPHABET, min_size=18, max_size=18) | st.text(string.digits, min_size=6, max_size=6)
serials = st.text(ALPHABET, min_size=1, max_size=identifier.SERIAL_LENGTH_MAX)
versions = st.integers(min_value=1, max_value=identifier.VERSION_MAX)


@pytest.mark.parametrize("text", VECTORS["valid"])
def test_identifiers_seen_in_the_world_are_read_and_written_back_alike(text):
    assert str(identifier.read(text)) == text


@pytest.mark.parametrize("text", VECTORS["invalid"])
def test_identifiers_known_to_be_wrong_are_refused(text):
    with pytest.raises(identifier.NotAnIdentifier):
        identifier.read(text)


@pytest.mark.parametrize("body, check", VECTORS["iso7064_extra"])
def test_the_check_character_is_that_of_iso_7064(body, check):
    assert mod_37_36.calc_check_digit(body) == check


@given(kind_codes, issuer_codes, serials, versions)
def test_the_check_character_is_the_one_that_another_library_finds(kind_code, issuer_code, serial, version):
    body, _, check = identifier.compose(kind_code, issuer_code, serial, version).rpartition(".")
    assert mod_37_36.calc_check_digit(body.removeprefix(identifier.ROOT).replace(".", "")) == check


@given(kind_codes, issuer_codes, serials, versions)
def test_what_was_composed_is_read_back(kind_code, issuer_code, serial, version):
    text = identifier.compose(kind_code, issuer_code, serial, version)
    assert identifier.read(text) == identifier.Identifier(kind_code, issuer_code, serial, version)


@given(kind_codes, issuer_codes, serials, versions, st.data())
def test_changing_any_single_character_is_refused(kind_code, issuer_code, serial, version, data):
    text = identifier.compose(kind_code, issuer_code, serial, version)
    at = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
    other = data.draw(st.sampled_from(ALPHABET + ".") | st.characters())
    assume(other != text[at])
    with pytest.raises(identifier.NotAnIdentifier):
        identifier.read(text[:at] + other + text[at + 1 :])


def test_every_single_character_change_of_a_real_identifier_is_refused():
    text = VECTORS["valid"][0]
    changed = [text[:at] + other + text[at + 1 :] for at in range(len(text)) for other in ALPHABET + "." + "a１ \n"]
    survivors = [one for one in changed if one != text and _reads(one)]
    assert survivors == []


@given(st.text())
def test_any_other_text_is_refused_and_never_breaks_the_reader(text):
    with pytest.raises(identifier.NotAnIdentifier):
        identifier.read(text)


@pytest.mark.parametrize(
    "kind_code, issuer_code, serial, version",
    [
        ("11100000000013338W01", "11430000006122244L", "1", 1),
        ("11100000000013338W011", "11430000006122244", "1", 1),
        ("11100000000013338W011", "11430000006122244L", "", 1),
        ("11100000000013338W011", "11430000006122244L", "1" * 33, 1),
        ("11100000000013338W011", "11430000006122244L", "1-2", 1),
        ("11100000000013338W011", "11430000006122244L", "1", 0),
        ("11100000000013338W011", "11430000006122244L", "1", 1000),
        ("11100000000013338w011", "11430000006122244L", "1", 1),
    ],
)
def test_parts_that_do_not_fit_are_never_composed(kind_code, issuer_code, serial, version):
    with pytest.raises(identifier.NotAnIdentifier):
        identifier.compose(kind_code, issuer_code, serial, version)


def test_a_refusal_does_not_repeat_the_text_it_refuses():
    with pytest.raises(identifier.NotAnIdentifier) as refused:
        identifier.read(VECTORS["invalid"][0])
    assert "113700000045046442" not in str(refused.value)


def _reads(text: str) -> bool:
    try:
        identifier.read(text)
    except identifier.NotAnIdentifier:
        return False
    return True
