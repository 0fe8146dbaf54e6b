"""Accounts and challenges, and the rules that need nothing but their values."""

import re
import unicodedata
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
import phonenumbers
from stdnum.cn import ric

from kernel.clock import in_shanghai
from kernel.ids import AccountId, PersonId

Language = Literal["zh", "en"]

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=5)
ATTEMPTS_MAX = 5
"""Guesses at one code; the database counts them (gateway.challenge, five_attempts)."""
RESEND_AFTER_SECONDS = 60
"""When an app offers to send another code; asking sooner is bounded, not refused."""
PHONE_TEXT_MAX = 24
NAME_MAX = 60
ID_NUMBER_LENGTH = 18

_REACHABLE_BY_SMS = frozenset({phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE})
_PHONE_TEXT = re.compile(r"\+?[0-9]{5,15}")
_ID_NUMBER = re.compile(r"[1-9][0-9]{16}[0-9X]")


class NotAPhone(Exception):
    """This text is no number that can be reached by SMS."""


class NotAnIdNumber(Exception):
    """This text is no resident identity number."""


class NotAName(Exception):
    """This text cannot be a person's name."""


class Phone(msgspec.Struct, frozen=True):
    """A number that can be reached by SMS, as E.164."""

    e164: str

    def __repr__(self) -> str:
        return "Phone(…)"


def read_phone(text: str) -> Phone:
    """A phone from E.164 or an 11-digit mainland number; spaces and hyphens do not matter. Raises NotAPhone."""
    compact = text.replace(" ", "").replace("-", "")
    if not _PHONE_TEXT.fullmatch(compact):
        raise NotAPhone
    try:
        number = phonenumbers.parse(compact, "CN")
    except phonenumbers.NumberParseException:
        raise NotAPhone from None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _REACHABLE_BY_SMS:
        raise NotAPhone
    return Phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def masked_phone(phone: Phone) -> str:
    """Enough to recognise one's own number by: `+86*******0001`."""
    return phone.e164[:3] + "*" * (len(phone.e164) - 7) + phone.e164[-4:]


def masked_id_number(id_number: str) -> str:
    """The first digit and the last, as on the city's receipts."""
    return id_number[0] + "*" * (len(id_number) - 2) + id_number[-1]


def read_id_number(text: str, *, today: date) -> str:
    """A resident identity number (GB 11643): form, day of birth and check digit. Raises NotAnIdNumber.

    The region is not looked up: numbers carry regions that were founded, renamed or dissolved after the birth.
    """
    number = text.strip().upper()
    if not _ID_NUMBER.fullmatch(number) or number[-1] != ric.calc_check_digit(number):
        raise NotAnIdNumber
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise NotAnIdNumber from None
    if born > today or born.year < 1850:
        raise NotAnIdNumber
    return number


def read_name(text: str) -> str:
    """A person's name in one form, so that the same name compares as the same. Raises NotAName."""
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not name or len(name) > NAME_MAX or any(unicodedata.category(sign)[0] == "C" for sign in name):
        raise NotAName
    return name


def today_in_shanghai(now: datetime) -> date:
    return in_shanghai(now).date()


class Challenge(msgspec.Struct, frozen=True):
    """A code was sent, or so everybody is told."""

    challenge_id: UUID
    expires_at: datetime
    resend_after_seconds: int = RESEND_AFTER_SECONDS


class SpentAttempt(msgspec.Struct, frozen=True):
    """One guess at a challenge was counted; what it has to be compared with."""

    phone_digest: bytes
    code_digest: bytes
    language: Language


class Account(msgspec.Struct, frozen=True):
    """A resident's account as it lies in the database."""

    account_id: AccountId
    sealed_phone: bytes
    language: Language
    person_id: PersonId | None
    real_name_checked_at: datetime | None
    created_at: datetime
