"""An online code has one text, and the text one token."""

import io
import re
from typing import Any

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wallet import online_code, qr
from wallet.online_code import ASK_PATH, CODE_PATH, HOST_MAX, TEXT_MAX, Texts

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
HOST = "suishenban.example:443"
tokens = st.binary(min_size=16, max_size=16)


@given(tokens)
def test_what_was_spelt_is_read_back(token: bytes) -> None:
    spelt = online_code.spell(token)
    assert re.fullmatch("[A-Z2-7]{26}", spelt)
    assert online_code.unspell(spelt) == token


@given(tokens, st.integers(0, 25), st.sampled_from(ALPHABET))
def test_another_text_is_another_token_or_none(token: bytes, at: int, other: str) -> None:
    spelt = online_code.spell(token)
    changed = spelt[:at] + other + spelt[at + 1 :]
    assert (online_code.unspell(changed) == token) == (changed == spelt)


@given(tokens)
def test_the_spare_bits_must_be_zero(token: bytes) -> None:
    spelt = online_code.spell(token)
    last = ALPHABET.index(spelt[-1])
    for spare in (1, 2, 3):
        assert online_code.unspell(spelt[:-1] + ALPHABET[last + spare]) is None


@given(st.text(max_size=40))
def test_anything_else_is_refused(text: str) -> None:
    assert online_code.unspell(text) is None or re.fullmatch("[A-Z2-7]{26}", text)


def test_a_code_and_an_ask_are_not_mistaken_for_each_other() -> None:
    codes, asks = Texts(HOST, CODE_PATH), Texts(HOST, ASK_PATH)
    code = codes.fresh()
    assert codes.read(code.text) == code.code_hash
    assert asks.read(code.text) is None
    assert asks.read(code.text.replace("/Q/", "/A/")) == code.code_hash


def test_a_host_too_long_for_the_symbol_is_refused_at_start() -> None:
    Texts("a" * HOST_MAX, CODE_PATH)
    with pytest.raises(AssertionError):
        Texts("a" * (HOST_MAX + 1), CODE_PATH)


@pytest.mark.parametrize("host", ["a" * HOST_MAX, HOST, "127.0.0.1:8700"])
def test_the_image_is_a_version_3_m_symbol_with_the_same_text(host: str) -> None:
    text = Texts(host, CODE_PATH).fresh().text
    assert len(text) <= TEXT_MAX
    assert len(qr.modules(text)) == 29
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(qr.png(text))).convert("L"))
    extra: Any = found.extra
    assert (found.text, extra["Version"], found.ec_level) == (text, "3", "M")
