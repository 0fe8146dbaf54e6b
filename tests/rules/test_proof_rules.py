"""What is typed off a printed proof agrees with whose it is in whichever spelling, and with nobody else."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.model import Outcome
from wallet.online_code import TOKEN_BYTES, spell
from wallet.proof_page import Finding
from wallet.proofs.model import Claim, agrees, as_compared, finding_of, hash_of, text_of

NAME, NUMBER = "阿依古丽·买买提", "65010119900101123X"


@pytest.mark.parametrize(
    ("name", "last_four"),
    [
        ("阿依古丽·买买提", "123X"),
        ("阿依古丽．买买提", "123x"),
        ("阿依古丽・买买提", "１２３Ｘ"),
        ("阿依古丽•买买提 ", " 123X"),
        ("阿 依 古 丽 买 买 提", "123X"),
        ("阿依古丽　买买提\n", "123X"),
    ],
)
def test_a_name_is_the_same_however_it_is_typed(name: str, last_four: str) -> None:
    assert agrees(Claim(name, last_four), name=NAME, id_number=NUMBER)


def test_latin_names_are_the_same_in_any_case() -> None:
    assert agrees(Claim("zhang  WEI", "0028"), name="Zhang Wei", id_number="999999199003070028")


@pytest.mark.parametrize(
    ("name", "last_four"),
    [
        ("阿依古丽", "123X"),
        ("阿依古丽·买买提", "1234"),
        ("阿依古丽·买买提", "23X"),
        ("阿依古丽·买买提", ""),
        ("", "123X"),
        ("123X", "阿依古丽·买买提"),
        ("阿依古丽·买买提123X", ""),
        ("阿依古丽·买买提", NUMBER),
        ("买买提·阿依古丽", "123X"),
    ],
)
def test_what_is_not_the_name_and_the_last_four_does_not_agree(name: str, last_four: str) -> None:
    assert not agrees(Claim(name, last_four), name=NAME, id_number=NUMBER)


@given(st.text(), st.text(min_size=4), st.text(), st.text())
def test_only_what_compares_as_the_same_agrees(name: str, number: str, claimed: str, last_four: str) -> None:
    same = as_compared(claimed) == as_compared(name) and as_compared(last_four) == as_compared(number[-4:])
    assert agrees(Claim(claimed, last_four), name=name, id_number=number) is same
    assert agrees(Claim(name, number[-4:]), name=name, id_number=number)


@given(st.text())
def test_comparing_forgets_the_same_things_twice_over(text: str) -> None:
    assert as_compared(as_compared(text)) == as_compared(text)


@given(st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES))
def test_a_token_is_filed_under_its_hash_in_either_case(token: bytes) -> None:
    assert hash_of(spell(token)) == hash_of(spell(token).lower()) == sha256(token).digest()


@given(st.text())
def test_what_is_no_token_has_a_hash_that_no_token_has(text: str) -> None:
    assert len(hash_of(text)) == 32
    assert hash_of(text) != sha256(text.encode("utf-8", "replace")[:TOKEN_BYTES]).digest()


def test_a_claim_shows_nothing_of_itself_where_it_is_printed() -> None:
    assert NAME not in repr(Claim(NAME, "123X"))


def test_every_way_a_certificate_can_stand_is_found() -> None:
    stands = {Outcome.VALID, Outcome.REVOKED, Outcome.SUSPENDED, Outcome.SUPERSEDED, Outcome.NOT_YET_VALID}
    found = {finding_of(outcome) for outcome in (*stands, Outcome.CERTIFICATE_EXPIRED)}
    assert found == {finding for finding in Finding if finding.is_match}


def test_yes_and_no_are_printed_as_words() -> None:
    assert [text_of(value) for value in (True, False, 3, "2026-03-02")] == ["是 Yes", "否 No", "3", "2026-03-02"]
