"""Telephone numbers as the clouds write them, and as we do (E.164)."""

import re

MAINLAND = "+86"
_DIGITS = re.compile(r"[0-9]{5,15}")
"""E.164 allows fifteen; shorter ones than five are nobody's mobile."""


class NotANumber(ValueError):
    """What was said is no telephone number. The text holds nothing of it."""


def to_aliyun(phone: str) -> str:
    """A mainland number bare, another with its country's code and no sign before it (SendSms, PhoneNumbers)."""
    return phone.removeprefix(MAINLAND) if phone.startswith(MAINLAND) else phone.removeprefix("+")


def from_aliyun(said: str) -> str:
    """What SmsReport and SmsUp call `phone_number`. Raises NotANumber."""
    digits = said.strip().removeprefix("+").removeprefix("00")
    if _DIGITS.fullmatch(digits) is None:
        raise NotANumber("not a number")
    return f"{MAINLAND}{digits}" if len(digits) == 11 and digits[0] == "1" else f"+{digits}"


def from_tencent(nationcode: str, mobile: str) -> str:
    """What the callbacks call `nationcode` and `mobile`. Raises NotANumber."""
    digits = f"{nationcode.strip().removeprefix('+')}{mobile.strip()}"
    if _DIGITS.fullmatch(digits) is None:
        raise NotANumber("not a number")
    return f"+{digits}"
