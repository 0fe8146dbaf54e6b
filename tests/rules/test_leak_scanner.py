"""What looks for leaks finds them: every disguise, at any place, of every kind of value."""

import json
import os
import random
import zlib

import pytest

from tests.leak_scanner import Scanner, disguises

NAME, LATIN, NUMBER, PHONE = "司马青", "Sima Qing", "310107190001019998", "13490990099"
TEXTS = (NAME, LATIN, NUMBER, PHONE)
SCANNER = Scanner(TEXTS)
CHANCE = random.Random(8)


@pytest.mark.parametrize("text", TEXTS)
def test_every_disguise_is_found_at_any_place(text: str) -> None:
    for form in disguises(text):
        for length in range(9):
            noise = CHANCE.randbytes(length)
            assert SCANNER.found_in(noise + form + noise) == {text}, form


@pytest.mark.parametrize(
    "written",
    [
        json.dumps({"name": NAME}),
        json.dumps(json.dumps({"name": NAME})),
        repr(f"钥匙{NAME}".encode()),
        f"INFO 收到{NAME}的申请",
        f"/resident/certificates?name={'%E5%8F%B8%E9%A9%AC%E9%9D%92'}&x=1",
    ],
)
def test_a_name_is_found_in_what_programs_write(written: str) -> None:
    assert SCANNER.found_in(written.encode()) == {NAME}


def test_a_number_is_found_inside_a_longer_word() -> None:
    assert SCANNER.found_in(f"key:id{NUMBER}x{PHONE}".encode()) == {NUMBER, PHONE}


def test_nothing_is_found_where_nothing_is() -> None:
    assert SCANNER.found_in(os.urandom(200_000)) == set()
    assert SCANNER.found_in(zlib.compress(NAME.encode() * 100)) == set()
    assert SCANNER.found_in("司马迁，一三四九〇九九〇〇九九".encode()) == set()
