"""Telephone numbers as the clouds write them, and as we do (E.164)."""

import re

MAINLAND = "+86"
_DIGITS = re.compile(r"[0-9]{5,15}")
"""E.164 allows fifteen; shorter ones than five are nobody's mobile."""
_BARE_MAINLAND = re.compile(r"1[3-9][0-9]{9}")
"""How Aliyun writes a mobile number of the mainland, and reads one: with nothing before it, and even behind a `+`."""


class NotANumber(ValueError):
    """What was said is no telephone number. The text holds nothing of it."""


def is_mistaken_by_aliyun(phone: str) -> bool:
    """Whether Aliyun would send to somebody of the mainland instead (SendSms, PhoneNumbers): many of North America."""
    return _BARE_MAINLAND.fullmatch(phone.removeprefix("+")) is not None


def to_aliyun(phone: str) -> str:
    """A mainland number bare, another with its country's code and no sign before it (SendSms, PhoneNumbers)."""
    return phone.removeprefix(MAINLAND) if phone.startswith(MAINLAND) else phone.removeprefix("+")


def from_aliyun(said: str) -> str:
    """What SmsReport and SmsUp call `phone_number`. Raises NotANumber."""
    plain = said.strip()
    if _BARE_MAINLAND.fullmatch(plain) is not None:
        return f"{MAINLAND}{plain}"
    digits = plain.removeprefix("+").removeprefix("00")
    if _DIGITS.fullmatch(digits) is None:
        raise NotANumber("not a number")
    return f"+{digits}"


def from_tencent(nationcode: str, mobile: str) -> str:
    """What the callbacks call `nationcode` and `mobile`. Raises NotANumber."""
    digits = f"{nationcode.strip().removeprefix('+')}{mobile.strip()}"
    if _DIGITS.fullmatch(digits) is None:
        raise NotANumber("not a number")
    return f"+{digits}"
