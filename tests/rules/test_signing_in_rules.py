"""Phones, names and ID numbers are read in one form; tokens say what they were made to say."""

import string
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.demo.people import PEOPLE
from gateway import tokens
from gateway.residents.model import (
    NotAName,
    NotAnIdNumber,
    NotAPhone,
    Phone,
    masked_id_number,
    masked_phone,
    read_id_number,
    read_name,
    read_phone,
)
from gateway.sessions import refresh_token
from gateway.sessions.refresh_token import TOKEN_CHARACTERS, NotARefreshToken, RefreshToken
from kernel.ids import AccountId, DepartmentId, DeviceId, OfficeId, PersonId, SessionId, StaffId, VenueId
from kernel.principal import Audience, DepartmentSystem, Operator, Principal, Resident, Staff, VenueDevice

TODAY = date(2026, 3, 2)
uuids = st.uuids().map(lambda one: UUID(int=one.int))


@given(st.sampled_from([one for one in PEOPLE if one.phone]))
def test_every_invented_person_can_sign_in(who: Any) -> None:
    assert read_phone(who.phone) == read_phone(who.phone.removeprefix("+86")) == Phone(who.phone)
    assert read_id_number(who.id_number.lower(), today=TODAY) == who.id_number
    assert read_name(who.name) == who.name


def test_a_foreign_phone_is_as_good() -> None:
    assert read_phone("+44 7400 123456") == Phone("+447400123456")


@given(st.text(max_size=30))
def test_any_other_text_is_a_phone_or_none(text: str) -> None:
    try:
        phone = read_phone(text)
    except NotAPhone:
        return
    assert phone.e164[0] == "+"
    assert read_phone(phone.e164) == phone


@given(st.sampled_from([one.id_number for one in PEOPLE]), st.integers(0, 17), st.sampled_from(string.digits + "X"))
def test_a_changed_digit_is_noticed(number: str, at: int, digit: str) -> None:
    changed = number[:at] + digit + number[at + 1 :]
    if changed == number:
        return
    with pytest.raises(NotAnIdNumber):
        read_id_number(changed, today=TODAY)


@given(st.text(alphabet=string.digits + "Xx", max_size=20))
def test_any_other_digits_are_an_id_number_or_none(text: str) -> None:
    try:
        number = read_id_number(text, today=TODAY)
    except NotAnIdNumber:
        return
    assert len(number) == 18


def test_nobody_is_born_tomorrow() -> None:
    with pytest.raises(NotAnIdNumber):
        read_id_number("11010120991231002X", today=TODAY)


@pytest.mark.parametrize("name", ["", "   ", "张\x00三", "张\u202e三", "张" * 61, "\ud800"])
def test_what_cannot_stand_on_an_identity_card_is_no_name(name: str) -> None:
    with pytest.raises(NotAName):
        read_name(name)


def test_a_name_has_one_form() -> None:
    assert read_name("  Ana\u0301  María ") == read_name("Aná María")
    assert read_name("迪丽热巴·迪力木拉提") == "迪丽热巴·迪力木拉提"


def test_masks_show_what_an_owner_recognises_and_no_more() -> None:
    assert masked_phone(Phone("+8613490000001")) == "+86*******0001"
    assert masked_id_number("11010119900307123X") == "1" + "*" * 16 + "X"


@given(uuids, uuids, st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
def test_a_refresh_token_is_read_back_and_its_successor_is_always_the_same(
    subject: UUID, session: UUID, family: bytes, secret: bytes
) -> None:
    token = RefreshToken(subject, SessionId(session), family, secret)
    assert refresh_token.read(token.text()) == token
    assert len(token.text()) == TOKEN_CHARACTERS
    following = token.successor(b"k" * 32)
    assert following == token.successor(b"k" * 32)
    assert following != token.successor(b"l" * 32)
    assert following.family == family
    assert following.secret != secret


@given(st.text(max_size=120))
def test_any_other_text_is_no_refresh_token(text: str) -> None:
    try:
        token = refresh_token.read(text)
    except NotARefreshToken:
        return
    assert token.text() == text


class NotSigning:
    """Gives the claims back instead of signing them."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}

    def sign(self, purpose: str, claims: dict[str, Any], *, headers: dict[str, Any] | None = None) -> str:
        assert (purpose, headers) == ("access", None)
        self.claims = claims
        return "signed"


def principals(session_id: UUID) -> list[tuple[Audience, Principal]]:
    one, two, session = UUID(int=1), UUID(int=2), SessionId(session_id)
    return [
        (Audience.RESIDENT, Resident(AccountId(one), session, None)),
        (Audience.RESIDENT, Resident(AccountId(one), session, PersonId(two))),
        (Audience.MINI, Resident(AccountId(one), session, PersonId(two))),
        (Audience.VENUE, VenueDevice(DeviceId(one), VenueId(two))),
        (Audience.DEPARTMENT, DepartmentSystem(DepartmentId(one), "health", "卫生健康委员会")),
        (Audience.DEPARTMENT, Staff(StaffId(one), session, DepartmentId(two), None)),
        (Audience.DEPARTMENT, Staff(StaffId(one), session, DepartmentId(two), OfficeId(one))),
        (Audience.OPERATOR, Operator(StaffId(one), session)),
    ]


@given(uuids, st.sampled_from(range(8)))
def test_a_token_proves_whom_it_was_made_for(session_id: UUID, which: int) -> None:
    audience, principal = principals(session_id)[which]
    signing = NotSigning()
    is_machine = isinstance(principal, VenueDevice | DepartmentSystem)
    token = tokens.mint(
        signing, principal, issuer="https://city.example", audience=audience, session_id=session_id,
        now=datetime(2026, 3, 2, tzinfo=UTC), client_id="c1" if is_machine else None,
    )  # fmt: skip
    assert tokens.principal_of(signing.claims) == principal
    assert tokens.session_of(signing.claims) == session_id
    assert tokens.audience_of(signing.claims) is audience
    assert (
        signing.claims["exp"] - signing.claims["iat"] == token.lifetime_seconds <= tokens.LIFETIME_MAX.total_seconds()
    )


@given(
    st.dictionaries(
        st.sampled_from(["aud", "sid", "acc", "per", "dev", "ven", "dep", "off", "role", "cid", "slug", "name", "sub"]),
        st.sampled_from([*Audience, "desk", "operator"])
        | uuids.map(str)
        | st.none()
        | st.integers()
        | st.text(max_size=5),
    )
)
def test_other_claims_prove_somebody_or_are_not_ours(claims: dict[str, Any]) -> None:
    try:
        principal = tokens.principal_of(claims)
    except tokens.NotOurClaims:
        return
    assert isinstance(principal, Principal)
