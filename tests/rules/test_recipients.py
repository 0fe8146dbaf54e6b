"""Numbers and addresses as senders write them, and those that nobody can have."""

from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.model import DeliveryStage
from notifications.services.recipients import (
    SIMULATED_EMAILS,
    SIMULATED_PHONES,
    NotReachable,
    read_email,
    read_phone,
    simulated_ending,
)

PAGE = Path(__file__).parents[2] / "docs" / "SENDING.md"


@pytest.mark.parametrize(
    "text", ["13800138000", "+8613800138000", "+86 138 0013 8000", "138-0013-8000", "008613800138000", "(138) 00138000"]
)
def test_a_number_is_the_same_however_it_is_written(text: str) -> None:
    assert read_phone(text) == "+8613800138000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "12345678901",
        "+8612800138000",
        "+862112345678",
        "abc",
        "1380013800",
        "+44123",
        "1" * 60,
        "１３８００１３８０００",
    ],
)
def test_what_no_sms_reaches_is_refused(text: str) -> None:
    with pytest.raises(NotReachable):
        read_phone(text)


def test_numbers_from_abroad_are_taken() -> None:
    assert read_phone("+44 7911 123456") == "+447911123456"


@pytest.mark.parametrize("phone", SIMULATED_PHONES)
def test_a_simulated_number_is_read_as_itself_and_belongs_to_nobody(phone: str) -> None:
    assert read_phone(phone) == phone
    number = phonenumbers.parse(phone)
    is_drama = phone.startswith("+447700900")
    assert is_drama or not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number)


def test_the_numbers_of_notifys_testing_are_taken_as_written_there() -> None:
    assert read_phone("07700900003") == "+447700900003"
    assert simulated_ending("live", read_phone("07700900003")) is DeliveryStage.EXPIRED
    assert simulated_ending("live", read_phone("07700 900002")) is DeliveryStage.UNDELIVERABLE
    assert simulated_ending("live", read_phone("07700900111")) is DeliveryStage.DELIVERED


def test_a_test_key_reaches_nobody_and_a_live_one_everybody_else() -> None:
    assert simulated_ending("test", "+8613800138000") is DeliveryStage.DELIVERED
    assert simulated_ending("live", "+8613800138000") is None
    assert simulated_ending("team", "somebody@example.org") is None


@pytest.mark.parametrize("address", [*SIMULATED_EMAILS, "a.b+c@example.org", "O'Neil@sub.example.co.uk"])
def test_an_address_is_read_as_it_is(address: str) -> None:
    assert read_email(f" {address} ") == address


def test_a_domain_is_written_in_one_way() -> None:
    assert read_email("Wang@EXAMPLE.org") == "Wang@example.org"
    assert read_email("wang@例子.中国") == "wang@xn--fsqu00a.xn--fiqs8s"


@pytest.mark.parametrize(
    "text",
    ["", "@", "a@", "@b.org", "a b@c.org", "a@b", "a@b..org", ".a@b.org", "a.@b.org", "a..b@c.org", "a@-b.org", "a@b.1",
     "a@b.org\nBcc: c@d.org", "a,b@c.org", "<a@b.org>", "a" * 65 + "@b.org", "a@" + "b" * 64 + ".org"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(NotReachable):
        read_email(text)


def test_every_simulated_number_stands_on_the_page_for_programs() -> None:
    said = PAGE.read_text(encoding="utf-8")
    written = {"0" + phone[3:] if phone.startswith("+44") else phone for phone in SIMULATED_PHONES}
    assert [phone for phone in written if f"`{phone}`" not in said] == []
    assert [one for one in SIMULATED_EMAILS if f"`{one}`" not in said and "-delivered-" not in one] == []


@given(st.text(max_size=60))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    for read in (read_phone, read_email):
        try:
            found = read(text)
        except NotReachable:
            continue
        assert read(found) == found
